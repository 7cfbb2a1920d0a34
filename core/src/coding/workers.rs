//! Threads that a driver lends for decoding: the core starts none.

use super::gf256::Kernel;
use core::fmt::Debug;

/// One of several pieces of work that may run at the same time.
pub type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Multiplied and added bytes from which a product is shared out: below, waking a thread costs more than it saves.
pub const SHARED_BYTES_MIN: usize = 4 << 20;
/// Rows that the kernels make in one pass over the sources; pieces are whole passes.
const ROWS_A_PASS: usize = 4;

/// Who runs pieces of work at the same time. What comes out does not depend on it: every piece writes its own bytes.
pub trait Workers: Debug + Send + Sync {
    /// Returns how many run at the same time, the calling thread included.
    fn count(&self) -> usize;

    /// Runs all of `tasks`, each once, and returns when all have ended.
    fn run(&self, tasks: Vec<Task<'_>>);
}

/// Sets each `len` bytes of `out` to the combination of `sources` by the next as many coefficients; shared out among
/// `workers` where that is worth it.
///
/// # Panics
/// When `out` is not whole rows, or coefficients are missing or left over.
pub fn product(
    out: &mut [u8],
    len: usize,
    coefficients: &[u8],
    sources: &[&[u8]],
    workers: Option<&dyn Workers>,
) {
    if len == 0 || sources.is_empty() {
        return;
    }
    let rows = out.len() / len;
    let workers = workers.filter(|_| out.len().saturating_mul(sources.len()) >= SHARED_BYTES_MIN);
    let Some((workers, count)) = workers.map(|workers| (workers, workers.count())).filter(|of| of.1 > 1)
    else {
        return combine(out, len, coefficients, sources);
    };
    let rows_each = rows.div_ceil(count).next_multiple_of(ROWS_A_PASS);
    let pieces = out.chunks_mut(rows_each * len).zip(coefficients.chunks(rows_each * sources.len()));
    let tasks = pieces.map(|(out, coefficients)| -> Task<'_> {
        Box::new(move || combine(out, len, coefficients, sources))
    });
    workers.run(tasks.collect());
}

fn combine(out: &mut [u8], len: usize, coefficients: &[u8], sources: &[&[u8]]) {
    let mut targets: Vec<&mut [u8]> = out.chunks_exact_mut(len).collect();
    Kernel::best().combine_many(&mut targets, coefficients, sources);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Runs pieces backwards, and counts them.
    #[derive(Debug)]
    struct Backwards(usize, AtomicUsize);

    impl Workers for Backwards {
        fn count(&self) -> usize {
            self.0
        }

        fn run(&self, tasks: Vec<Task<'_>>) {
            self.1.fetch_add(tasks.len(), Ordering::Relaxed);
            tasks.into_iter().rev().for_each(|task| task());
        }
    }

    fn draw(bytes: usize, name: &str) -> Vec<u8> {
        let mut stream = Seed(5).stream(name);
        (0..bytes).map(|_| stream.next_u64() as u8).collect()
    }

    /// Aim: whoever shares the work, in however many pieces and in whatever order, the bytes are the same; small products
    /// are not shared.
    #[test]
    fn shared_products_are_the_same() {
        for (rows, sources, len, is_shared) in
            [(61, 64, 1_400, true), (255, 255, 333, true), (4, 1_000, 1_200, true), (32, 32, 1_400, false)]
        {
            let data = draw(sources * len, "data");
            let sources: Vec<&[u8]> = data.chunks_exact(len).collect();
            let coefficients = draw(rows * sources.len(), "coefficients");
            let mut expected = vec![0; rows * len];
            product(&mut expected, len, &coefficients, &sources, None);
            for count in [1, 2, 3, 7] {
                let workers = Backwards(count, AtomicUsize::new(0));
                let mut out = vec![0; rows * len];
                product(&mut out, len, &coefficients, &sources, Some(&workers));
                assert!(out == expected, "{rows} rows by {count}");
                let pieces = workers.1.into_inner();
                assert!(pieces <= count && (pieces > 0) == (is_shared && count > 1), "{rows}: {pieces}");
            }
        }
    }
}
