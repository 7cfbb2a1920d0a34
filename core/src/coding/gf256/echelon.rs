//! What elimination does to rows of coefficients that lie one behind the other: many short rows, few bytes each, so
//! that the calls must cost next to nothing.

use super::Kernel;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Rows that go to [`Kernel::accumulate_many`] at once.
const BATCH: usize = 32;

impl Kernel {
    /// `row +=` the sum of `row[pivots[i]] * rows[i]`, the factors as they are at first. `rows` are as long as `row`
    /// and lie one behind the other; rows of multiples of 64 B are fastest.
    ///
    /// # Panics
    /// If there are not as many rows as pivots, or a pivot is beyond the row.
    pub fn reduce(self, row: &mut [u8], rows: &[u8], pivots: &[u8]) {
        let width = row.len();
        assert_eq!(rows.len(), pivots.len() * width, "a pivot for every row");
        #[cfg(target_arch = "x86_64")]
        if self == Self::GfniAvx512 && width.is_multiple_of(64) && pivots.len() <= 256 {
            self.demand();
            // SAFETY: the machine has the instructions; lengths are checked above.
            unsafe { x86::gfni_avx512::reduce(row, rows, pivots) };
            return;
        }
        let factors: Vec<u8> = pivots.iter().map(|pivot| row[usize::from(*pivot)]).collect();
        if factors.iter().all(|factor| *factor == 0) {
            return;
        }
        for (rows, factors) in rows.chunks(BATCH * width).zip(factors.chunks(BATCH)) {
            let mut sources: [&[u8]; BATCH] = [&[]; BATCH];
            for (source, row) in sources.iter_mut().zip(rows.chunks_exact(width)) {
                *source = row;
            }
            self.accumulate_many(&mut [&mut *row], factors, &sources[..factors.len()]);
        }
    }

    /// `rows[i] += rows[i][pivot] * by` for all rows, which are as long as `by` and lie one behind the other; rows of
    /// multiples of 64 B are fastest.
    ///
    /// # Panics
    /// If `rows` are not whole ones, or the pivot is beyond them.
    pub fn clear(self, rows: &mut [u8], pivot: usize, by: &[u8]) {
        let width = by.len();
        assert!(pivot < width && rows.len().is_multiple_of(width), "whole rows, and a pivot in them");
        #[cfg(target_arch = "x86_64")]
        if self == Self::GfniAvx512 && width.is_multiple_of(64) {
            self.demand();
            // SAFETY: the machine has the instructions; lengths are checked above.
            unsafe { x86::gfni_avx512::clear(rows, pivot, by) };
            return;
        }
        for row in rows.chunks_exact_mut(width) {
            let factor = row[pivot];
            if factor != 0 {
                self.multiply_add(row, factor, by);
            }
        }
    }
}
