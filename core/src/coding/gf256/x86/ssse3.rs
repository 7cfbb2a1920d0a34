//! Products by shuffles of 16 bytes: each half of a byte looks up its part of the product.

use super::super::tables::HALVES;
use super::super::tiles::{self, Lanes};
use core::arch::x86_64::*;

struct Shuffle128;

// SAFETY (of every block below): the trait's callers vouch for instructions and pointers.
impl Lanes for Shuffle128 {
    type Vector = __m128i;
    /// The low and the high halves of the bytes.
    type Split = (__m128i, __m128i);
    /// Products with low and with high halves.
    type Coefficient = (__m128i, __m128i);
    const BYTES: usize = 16;
    const ROOMY: bool = false;
    const PAIRED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m128i {
        // SAFETY: see above.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m128i {
        // SAFETY: see above.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: __m128i) {
        // SAFETY: see above.
        unsafe { _mm_storeu_si128(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn coefficient(c: u8) -> Self::Coefficient {
        let halves = &HALVES[usize::from(c)];
        let load = |table: &[u8; 16]| {
            // SAFETY: see above; a table has 16 bytes.
            unsafe { _mm_loadu_si128(table.as_ptr().cast()) }
        };
        (load(&halves.low), load(&halves.high))
    }

    #[inline(always)]
    unsafe fn split(vector: __m128i) -> Self::Split {
        // SAFETY: see above.
        unsafe {
            let low = _mm_set1_epi8(15);
            (_mm_and_si128(vector, low), _mm_and_si128(_mm_srli_epi64::<4>(vector), low))
        }
    }

    #[inline(always)]
    unsafe fn product(split: Self::Split, c: Self::Coefficient) -> __m128i {
        // SAFETY: see above.
        unsafe { _mm_xor_si128(_mm_shuffle_epi8(c.0, split.0), _mm_shuffle_epi8(c.1, split.1)) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: see above.
        unsafe { _mm_xor_si128(a, b) }
    }

    #[inline(always)]
    unsafe fn sum3(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
        // SAFETY: see above.
        unsafe { _mm_xor_si128(_mm_xor_si128(a, b), c) }
    }
}

/// See [`tiles::combine`], whose conditions on lengths hold.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it.
#[target_feature(enable = "ssse3")]
pub(in super::super) unsafe fn combine(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    // SAFETY: the instructions are enabled here; lengths by the caller's word.
    unsafe { tiles::combine::<Shuffle128>(targets, coefficients, sources, keep) }
}

/// See [`tiles::scale`].
#[target_feature(enable = "ssse3")]
pub(in super::super) fn scale(row: &mut [u8], c: u8) {
    // SAFETY: the instructions are enabled here.
    unsafe { tiles::scale::<Shuffle128>(row, c) }
}
