//! Runs beside each other on all cores; results come in the order of the jobs, whichever ends first.

use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Does `work` for each of `jobs` and returns the results in their order. `label` says on stderr how far it is. After
/// the first failure no further job is begun, and the failure of the first job in order that failed is returned.
///
/// # Errors
/// What `work` returns; [`exit::INTERRUPTED`] when a person stops it.
pub(super) fn each<J: Sync, T: Send>(
    label: &str,
    jobs: &[J],
    work: impl Fn(&J) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    interrupt::catch();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<Result<T, Failure>>> = jobs.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    let result = if interrupt::was_pressed() { Err(interrupted()) } else { work(job) };
                    if result.is_err() {
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                    if sender.send((index, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let step = (jobs.len() / 10).max(1);
        for (done, (index, result)) in (1..).zip(receiver) {
            results[index] = Some(result);
            if done % step == 0 || done == jobs.len() {
                exit::say(format_args!("{label}: {done} of {} runs", jobs.len()));
            }
        }
    });
    let mut all = Vec::with_capacity(jobs.len());
    for result in results.into_iter().flatten() {
        all.push(result?);
    }
    if all.len() == jobs.len() { Ok(all) } else { Err(interrupted()) }
}

fn interrupted() -> Failure {
    Failure::new(exit::INTERRUPTED, "stopped before all runs were done")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: order is that of the jobs although early ones take longest.
    #[test]
    fn results_are_in_order() {
        let jobs: Vec<u64> = (0..40).collect();
        let squares = each("squares", &jobs, |job| {
            let spin =
                (0..(40 - job) * 10_000).fold(0_u64, |sum, i| sum.wrapping_add(std::hint::black_box(i)));
            std::hint::black_box(spin);
            Ok(job * job)
        });
        let squares = squares.expect("no job fails");
        assert_eq!(squares, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
    }

    /// Aim: of several failures the first in order is returned, whatever the threads do.
    #[test]
    fn a_failure_ends_it() {
        let jobs: Vec<u64> = (0..100).collect();
        let failed = each("failing", &jobs, |job| {
            if *job == 0 { Err(Failure::new(exit::FAILED, "the first")) } else { Ok(()) }
        });
        assert!(failed.expect_err("it failed").message.contains("the first"));
    }
}
