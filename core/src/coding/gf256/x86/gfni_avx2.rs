//! Products by `gf2p8mulb`, 32 bytes at a time.

use super::super::tiles::{self, Lanes};
use core::arch::x86_64::*;

struct Galois256;

// SAFETY (of every block below): the trait's callers vouch for instructions and pointers.
impl Lanes for Galois256 {
    type Vector = __m256i;
    type Split = __m256i;
    /// The coefficient in every byte.
    type Coefficient = __m256i;
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
    unsafe fn coefficient(c: u8) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi8(c.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn split(vector: __m256i) -> __m256i {
        vector
    }

    #[inline(always)]
    unsafe fn product(split: __m256i, c: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_gf2p8mul_epi8(split, c) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn sum3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(a, _mm256_xor_si256(b, c)) }
    }
}

/// See [`tiles::combine`], whose conditions on lengths hold.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it.
#[target_feature(enable = "avx2,gfni")]
pub(in super::super) unsafe fn combine(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    // SAFETY: the instructions are enabled here; lengths by the caller's word.
    unsafe { tiles::combine::<Galois256>(targets, coefficients, sources, keep) }
}

/// See [`tiles::scale`].
#[target_feature(enable = "avx2,gfni")]
pub(in super::super) fn scale(row: &mut [u8], c: u8) {
    // SAFETY: the instructions are enabled here.
    unsafe { tiles::scale::<Galois256>(row, c) }
}
