//! Threads that share a large decoding, for as long as it lasts.

use bellini_core::coding::workers::{Task, Workers};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Threads for one decoding, at most: a node is not alone on its machine.
const THREADS_MAX: usize = 8;

/// Runs pieces on this thread and others, which start for it and end with it: some ten microseconds, where the pieces take
/// as many times longer as is worth it ([`SHARED_BYTES_MIN`](bellini_core::coding::workers::SHARED_BYTES_MIN)).
#[derive(Debug)]
pub(crate) struct Threads {
    count: usize,
}

/// Returns as many threads as this process has processors; `None`: it has one.
pub(super) fn lent() -> Option<Arc<dyn Workers>> {
    let count = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    (count > 1).then(|| -> Arc<dyn Workers> { Arc::new(Threads { count }) })
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        let others = tasks.len().min(self.count).saturating_sub(1);
        let queue = Mutex::new(tasks);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = || {
            while let Some(task) = next() {
                task();
            }
        };
        thread::scope(|scope| {
            for _ in 0..others {
                // Without that thread the others, at worst this one, do its part.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every piece runs, once, and all have run when the call returns.
    #[test]
    fn all_pieces_run() {
        let done = Mutex::new(Vec::new());
        let tasks = (0..5).map(|piece| -> Task<'_> {
            let done = &done;
            Box::new(move || done.lock().unwrap().push(piece))
        });
        Threads { count: 5 }.run(tasks.collect());
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, [0, 1, 2, 3, 4]);
    }
}
