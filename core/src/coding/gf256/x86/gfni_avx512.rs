//! Products by `gf2p8mulb`, 64 bytes at a time, joined by `vpternlog`.

use super::super::tiles::{self, Lanes};
use core::arch::x86_64::*;

struct Galois512;

// SAFETY (of every block below): the trait's callers vouch for instructions and pointers.
impl Lanes for Galois512 {
    type Vector = __m512i;
    type Split = __m512i;
    /// The coefficient in every byte.
    type Coefficient = __m512i;
    const BYTES: usize = 64;
    const ROOMY: bool = true;
    const PAIRED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: __m512i) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn coefficient(c: u8) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi8(c.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn split(vector: __m512i) -> __m512i {
        vector
    }

    #[inline(always)]
    unsafe fn product(split: __m512i, c: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_gf2p8mul_epi8(split, c) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn sum3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_ternarylogic_epi64::<0x96>(a, b, c) }
    }
}

/// Rows of fewer than 64 B, such as coefficients: a vector each, by masked loads.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it; no target has more than 64 B.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
pub(in super::super) unsafe fn combine_short(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    let mut rows = coefficients;
    for group in targets.chunks_mut(4) {
        let (own, rest) = rows.split_at(group.len() * sources.len());
        rows = rest;
        match group {
            [a, b, c, d] => short([a, b, c, d], own, sources, keep),
            [a, b, c] => short([a, b, c], own, sources, keep),
            [a, b] => short([a, b], own, sources, keep),
            [a] => short([a], own, sources, keep),
            _ => {}
        }
    }
}

/// Targets of fewer than 64 B that share the loads of sources.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
#[inline]
fn short<const T: usize>(targets: [&mut &mut [u8]; T], coefficients: &[u8], sources: &[&[u8]], keep: bool) {
    let bytes = |len: usize| u64::MAX.checked_shr(64 - len as u32).unwrap_or(0);
    let mut rows = [&coefficients[..0]; T];
    for (t, row) in rows.iter_mut().enumerate() {
        *row = &coefficients[t * sources.len()..][..sources.len()];
    }
    let mut sums = [_mm512_setzero_si512(); T];
    if keep {
        for (sum, target) in sums.iter_mut().zip(&targets) {
            // SAFETY: the mask leaves out what lies beyond the row.
            *sum = unsafe { _mm512_maskz_loadu_epi8(bytes(target.len()), target.as_ptr().cast()) };
        }
    }
    for (i, source) in sources.iter().enumerate() {
        // SAFETY: the mask leaves out what lies beyond the row.
        let source = unsafe { _mm512_maskz_loadu_epi8(bytes(source.len()), source.as_ptr().cast()) };
        for (sum, row) in sums.iter_mut().zip(&rows) {
            let product = _mm512_gf2p8mul_epi8(source, _mm512_set1_epi8(row[i].cast_signed()));
            *sum = _mm512_xor_si512(*sum, product);
        }
    }
    for (sum, target) in sums.into_iter().zip(targets) {
        // SAFETY: the mask leaves out what lies beyond the row.
        unsafe { _mm512_mask_storeu_epi8(target.as_mut_ptr().cast(), bytes(target.len()), sum) };
    }
}

/// See [`super::super::Kernel::reduce`].
///
/// # Safety
/// The row has a multiple of 64 B, there are as many rows of that length as pivots, at most 256, and all pivots lie
/// within the row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
pub(in super::super) unsafe fn reduce(row: &mut [u8], rows: &[u8], pivots: &[u8]) {
    let width = row.len();
    let mut factors = [0; 256];
    let mut any = 0;
    for (factor, pivot) in factors.iter_mut().zip(pivots) {
        *factor = row[usize::from(*pivot)];
        any |= *factor;
    }
    if any == 0 {
        return;
    }
    let factors = &factors[..pivots.len()];
    let mut start = 0;
    // SAFETY: all vectors lie within their rows, by the caller's word.
    unsafe {
        while start + 128 <= width {
            reduce_part::<2>(row, start, rows, factors);
            start += 128;
        }
        if start < width {
            reduce_part::<1>(row, start, rows, factors);
        }
    }
}

/// `N` vectors of [`reduce`] from byte `start` on.
///
/// # Safety
/// So many vectors lie within the row; there are as many rows of its length as factors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
#[inline]
unsafe fn reduce_part<const N: usize>(row: &mut [u8], start: usize, rows: &[u8], factors: &[u8]) {
    let width = row.len();
    // SAFETY: by the caller's word.
    unsafe {
        let to = row.as_mut_ptr().add(start);
        let mut sums = [_mm512_setzero_si512(); N];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_loadu_si512(to.add(64 * v).cast());
        }
        let mut from = rows.as_ptr().wrapping_add(start);
        for factor in factors {
            let c = _mm512_set1_epi8(factor.cast_signed());
            for (v, sum) in sums.iter_mut().enumerate() {
                let source = _mm512_loadu_si512(from.add(64 * v).cast());
                *sum = _mm512_xor_si512(*sum, _mm512_gf2p8mul_epi8(source, c));
            }
            from = from.wrapping_add(width);
        }
        for (v, sum) in sums.iter().enumerate() {
            _mm512_storeu_si512(to.add(64 * v).cast(), *sum);
        }
    }
}

/// See [`super::super::Kernel::clear`].
///
/// # Safety
/// `by` has a multiple of 64 B, `rows` a multiple of its length, and the pivot lies within.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
pub(in super::super) unsafe fn clear(rows: &mut [u8], pivot: usize, by: &[u8]) {
    for row in rows.chunks_exact_mut(by.len()) {
        let factor = row[pivot];
        if factor == 0 {
            continue;
        }
        let c = _mm512_set1_epi8(factor.cast_signed());
        for start in (0..by.len()).step_by(64) {
            // SAFETY: both vectors lie within their rows, by the caller's word.
            unsafe {
                let to = row.as_mut_ptr().add(start);
                let product = _mm512_gf2p8mul_epi8(_mm512_loadu_si512(by.as_ptr().add(start).cast()), c);
                _mm512_storeu_si512(to.cast(), _mm512_xor_si512(_mm512_loadu_si512(to.cast()), product));
            }
        }
    }
}

/// See [`tiles::combine`], whose conditions on lengths hold.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
pub(in super::super) unsafe fn combine(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    // SAFETY: the instructions are enabled here; lengths by the caller's word.
    unsafe { tiles::combine::<Galois512>(targets, coefficients, sources, keep) }
}

/// See [`tiles::scale`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,gfni")]
pub(in super::super) fn scale(row: &mut [u8], c: u8) {
    // SAFETY: the instructions are enabled here.
    unsafe { tiles::scale::<Galois512>(row, c) }
}
