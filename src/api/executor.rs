//! Runs programs: tasks of one thread, polled in the order in which they were woken.
//!
//! The same executor serves both modes. In the simulator its order is a function of the run alone; in live mode other
//! threads wake tasks, and the thread waits when none is ready.

use super::Error;
use super::slot::{Answer, lock, slot};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// Tasks at one time.
const TASKS_MAX: usize = 16_384;

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is ready to go on, and what was spawned: the part that others may reach.
#[derive(Default)]
pub(super) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Handle>>,
    spawned: VecDeque<Body>,
    /// Tasks that have not ended, those that wait to be begun included.
    tasks: usize,
    is_closed: bool,
}

struct Handle {
    place: usize,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Handle {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            let ready = Arc::clone(&self.ready);
            lock(&ready.state).ready.push_back(self);
            ready.changed.notify_all();
        }
    }
}

impl Ready {
    /// Takes a future in that runs from now on, and returns what it will return.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = slot();
        let mut state = lock(&self.state);
        if state.is_closed {
            reply.give(Err(Error::Stopped("its programs have ended".to_owned())));
        } else if state.tasks >= TASKS_MAX {
            reply.give(Err(Error::Busy(TASKS_MAX)));
        } else {
            state.tasks += 1;
            state.spawned.push_back(Box::pin(async move { reply.give(Ok(future.await)) }));
            self.changed.notify_all();
        }
        answer
    }
}

/// The tasks themselves.
pub(super) struct Executor {
    tasks: Vec<Option<(Body, Waker)>>,
    free: Vec<usize>,
    ready: Arc<Ready>,
}

impl Executor {
    pub(super) fn new() -> Self {
        Self { tasks: Vec::new(), free: Vec::new(), ready: Arc::default() }
    }

    /// Returns the part that spawns.
    pub(super) fn ready(&self) -> &Arc<Ready> {
        &self.ready
    }

    /// Lets tasks go on until all wait, `polls_max` times at most; returns how often one went on.
    pub(super) fn run_ready(&mut self, polls_max: u64) -> u64 {
        let mut polls = 0;
        while polls < polls_max && self.step() {
            polls += 1;
        }
        polls
    }

    /// Lets the next task go on; whether there was one.
    fn step(&mut self) -> bool {
        let mut state = lock(&self.ready.state);
        while let Some(body) = state.spawned.pop_front() {
            let place = self.free.pop().unwrap_or_else(|| {
                self.tasks.push(None);
                self.tasks.len() - 1
            });
            let ready = Arc::clone(&self.ready);
            let handle = Arc::new(Handle { place, is_queued: AtomicBool::new(true), ready });
            self.tasks[place] = Some((body, Waker::from(Arc::clone(&handle))));
            state.ready.push_back(handle);
        }
        let Some(handle) = state.ready.pop_front() else { return false };
        drop(state);
        handle.is_queued.store(false, Ordering::Release);
        // One that has ended may have been woken once more, and another one may have its place: to be polled for nothing
        // does no harm.
        let Some((body, waker)) = &mut self.tasks[handle.place] else { return true };
        if body.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            self.tasks[handle.place] = None;
            self.free.push(handle.place);
            lock(&self.ready.state).tasks -= 1;
        }
        true
    }

    /// Runs, waiting where nothing is ready, until `answer` has come.
    pub(super) fn block_on<T>(&mut self, mut answer: Answer<T>) -> Result<T, Error> {
        loop {
            // Tasks beside may go on for ever: the answer counts as soon as it is there.
            let is_busy = self.step();
            if let Poll::Ready(answer) = Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())) {
                return answer;
            }
            if is_busy {
                continue;
            }
            let mut state = lock(&self.ready.state);
            while state.ready.is_empty() && state.spawned.is_empty() {
                let waited = self.ready.changed.wait(state);
                state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            }
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let mut state = lock(&self.ready.state);
        state.is_closed = true;
        // Tasks hold nodes, which hold this queue.
        let (spawned, ready) = (std::mem::take(&mut state.spawned), std::mem::take(&mut state.ready));
        drop(state);
        drop((spawned, ready));
        self.tasks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Aim: a task that never waits does not keep the program from ending.
    #[test]
    fn a_busy_task_does_not_hold_the_answer() {
        let mut executor = Executor::new();
        let ready = Arc::clone(executor.ready());
        let polls = Arc::new(Mutex::new(0));
        let count = Arc::clone(&polls);
        drop(ready.spawn(std::future::poll_fn(move |context| {
            *lock(&count) += 1;
            context.waker().wake_by_ref();
            if *lock(&count) < 1_000 { Poll::Pending } else { Poll::Ready(()) }
        })));
        let answer = ready.spawn(async { 42 });
        assert_eq!(executor.block_on(answer), Ok(42));
        assert!(*lock(&polls) < 10, "{} polls", lock(&polls));
    }

    /// Aim: tasks go on in the order in which they were spawned and woken, a task can spawn and await another, and the thread
    /// waits for wakes from others.
    #[test]
    fn order_is_that_of_wakes() {
        let mut executor = Executor::new();
        let ready = Arc::clone(executor.ready());
        let log = Arc::new(Mutex::new(Vec::new()));
        let say = |log: &Arc<Mutex<Vec<u32>>>, what| lock(log).push(what);
        for name in 0..3 {
            let log = Arc::clone(&log);
            drop(ready.spawn(async move { say(&log, name) }));
        }
        let (gate, opened) = slot::<u32>();
        let (begin, begun) = channel();
        let outer = {
            let (ready, log) = (Arc::clone(&ready), Arc::clone(&log));
            async move {
                let inner = ready.spawn(async move {
                    say(&log, 10);
                    begin.send(()).expect("the test waits");
                    opened.await
                });
                inner.await
            }
        };
        let answer = ready.spawn(outer);
        let other = std::thread::spawn(move || {
            begun.recv().expect("the task begins");
            gate.give(Ok(42));
        });
        let came = executor.block_on(answer).expect("it ended").expect("it was spawned");
        assert_eq!(came, Ok(42));
        assert_eq!(*lock(&log), [0, 1, 2, 10]);
        other.join().expect("it ended");
        drop(executor);
        assert!(matches!(Executor::new().block_on(ready.spawn(async {})), Err(Error::Stopped(_))));
    }
}
