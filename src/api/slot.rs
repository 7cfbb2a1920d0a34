//! An answer on its way to whoever asked.

use super::Error;
use std::cell::RefCell;
use std::future::Future;
use std::ops::{Deref, DerefMut};
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

/// Wakers that are not to run while this thread holds a [`Guard`].
#[derive(Default)]
struct Deferred {
    guards: usize,
    woken: Vec<Waker>,
    dropped: Vec<Waker>,
}

thread_local! {
    static DEFERRED: RefCell<Deferred> = RefCell::default();
}

/// A lock under which tasks can be woken: they are once it is free again. A waker is code of somebody else's executor, which
/// may poll at once, and so lock the same.
pub(super) struct Guard<'a, T>(Option<MutexGuard<'a, T>>);

impl<'a, T> Guard<'a, T> {
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        let guard = lock(mutex);
        DEFERRED.with_borrow_mut(|deferred| deferred.guards += 1);
        Self(Some(guard))
    }

    /// Waits by `wait`, which gives the lock away meanwhile. Where tasks are to be woken it does not: it gives the guard back to
    /// be dropped.
    ///
    /// # Errors
    /// The guard, when tasks are to be woken first.
    pub(super) fn wait(
        mut self,
        wait: impl FnOnce(MutexGuard<'a, T>) -> MutexGuard<'a, T>,
    ) -> Result<Self, Self> {
        if DEFERRED.with_borrow(|deferred| !deferred.woken.is_empty()) {
            return Err(self);
        }
        self.0 = self.0.take().map(wait);
        Ok(self)
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is held until it is dropped")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is held until it is dropped")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        drop(self.0.take());
        let (woken, dropped) = DEFERRED.with_borrow_mut(|deferred| {
            deferred.guards -= 1;
            match deferred.guards {
                0 => (std::mem::take(&mut deferred.woken), std::mem::take(&mut deferred.dropped)),
                _ => (Vec::new(), Vec::new()),
            }
        });
        woken.into_iter().for_each(Waker::wake);
        drop(dropped);
    }
}

/// Wakes a task, as soon as this thread holds no [`Guard`].
pub(super) fn wake(waker: Waker) {
    let now = DEFERRED.with_borrow_mut(|deferred| {
        if deferred.guards == 0 {
            return Some(waker);
        }
        deferred.woken.push(waker);
        None
    });
    if let Some(waker) = now {
        waker.wake();
    }
}

/// Drops a waker, as soon as this thread holds no [`Guard`].
pub(super) fn discard(waker: Waker) {
    let now = DEFERRED.with_borrow_mut(|deferred| {
        if deferred.guards == 0 {
            return Some(waker);
        }
        deferred.dropped.push(waker);
        None
    });
    drop(now);
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
        let waker = {
            let mut slot = lock(&slot);
            slot.answer = Some(answer);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            wake(waker);
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
                let old = slot.waker.replace(context.waker().clone());
                drop(slot);
                drop(old);
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
        self.0.drain(..).for_each(wake);
    }
}
