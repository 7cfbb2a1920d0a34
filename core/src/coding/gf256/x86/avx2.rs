//! Products by shuffles of 32 bytes: each half of a byte looks up its part of the product.

use super::super::tables::HALVES;
use super::super::tiles::{self, Lanes};
use core::arch::x86_64::*;

struct Shuffle256;

// SAFETY (of every block below): the trait's callers vouch for instructions and pointers.
impl Lanes for Shuffle256 {
    type Vector = __m256i;
    /// The low and the high halves of the bytes.
    type Split = (__m256i, __m256i);
    /// Products with low and with high halves.
    type Coefficient = (__m256i, __m256i);
    const BYTES: usize = 32;
    const ROOMY: bool = false;
    const PAIRED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: __m256i) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_si256(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn coefficient(c: u8) -> Self::Coefficient {
        let halves = &HALVES[usize::from(c)];
        let load = |table: &[u8; 16]| {
            // SAFETY: see above; a table has 16 bytes.
            unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())) }
        };
        (load(&halves.low), load(&halves.high))
    }

    #[inline(always)]
    unsafe fn split(vector: __m256i) -> Self::Split {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_set1_epi8(15);
            (_mm256_and_si256(vector, low), _mm256_and_si256(_mm256_srli_epi64::<4>(vector), low))
        }
    }

    #[inline(always)]
    unsafe fn product(split: Self::Split, c: Self::Coefficient) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(_mm256_shuffle_epi8(c.0, split.0), _mm256_shuffle_epi8(c.1, split.1)) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn sum3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(_mm256_xor_si256(a, b), c) }
    }
}

/// See [`tiles::combine`], whose conditions on lengths hold.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn combine(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    // SAFETY: the instructions are enabled here; lengths by the caller's word.
    unsafe { tiles::combine::<Shuffle256>(targets, coefficients, sources, keep) }
}

/// See [`tiles::scale`].
#[target_feature(enable = "avx2")]
pub(in super::super) fn scale(row: &mut [u8], c: u8) {
    // SAFETY: the instructions are enabled here.
    unsafe { tiles::scale::<Shuffle256>(row, c) }
}
