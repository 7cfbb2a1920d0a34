//! An answer on its way to whoever asked.

use super::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
struct Slot<T> {
    answer: Option<T>,
    waker: Option<Waker>,
    is_asker_gone: bool,
}

type Shared<T> = Arc<Mutex<Slot<Result<T, Error>>>>;

/// The side that answers. Dropped without an answer, it says that the node has stopped.
#[derive(Debug)]
pub(super) struct Reply<T>(Option<Shared<T>>);

/// The side that waits.
#[derive(Debug)]
pub(super) struct Answer<T>(Shared<T>);

/// Returns both sides.
pub(super) fn slot<T>() -> (Reply<T>, Answer<T>) {
    let slot = Arc::new(Mutex::new(Slot { answer: None, waker: None, is_asker_gone: false }));
    (Reply(Some(Arc::clone(&slot))), Answer(slot))
}

/// A thread that panicked leaves plain data that is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<T> Reply<T> {
    /// Answers.
    pub(super) fn give(mut self, answer: Result<T, Error>) {
        self.put(answer);
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| lock(slot).is_asker_gone)
    }

    fn put(&mut self, answer: Result<T, Error>) {
        let Some(slot) = self.0.take() else { return };
        let mut slot = lock(&slot);
        slot.answer = Some(answer);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.put(Err(Error::Stopped("it ended before it answered".to_owned())));
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.0);
        match slot.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        lock(&self.0).is_asker_gone = true;
    }
}

/// Tasks that wait for the same thing.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Waker>);

impl Waiting {
    /// Adds the task of `context`.
    pub(super) fn add(&mut self, context: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(context.waker())) {
            self.0.push(context.waker().clone());
        }
    }

    /// Wakes all.
    pub(super) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
