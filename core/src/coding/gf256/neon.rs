//! The kernel of 64-bit ARM processors: each half of a byte looks up its part of the product, 16 at a time.

use super::tables::HALVES;
use super::tiles::{self, Lanes};
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::*;
#[cfg(not(target_arch = "aarch64"))]
use models::*;

struct Lookup128;

// SAFETY (of every block below): the trait's callers vouch for instructions and pointers.
impl Lanes for Lookup128 {
    type Vector = uint8x16_t;
    /// The low and the high halves of the bytes.
    type Split = (uint8x16_t, uint8x16_t);
    /// Products with low and with high halves.
    type Coefficient = (uint8x16_t, uint8x16_t);
    const BYTES: usize = 16;
    // There are 32 registers, but halves and tables take many.
    const ROOMY: bool = false;
    const PAIRED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> uint8x16_t {
        // SAFETY: see above.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: uint8x16_t) {
        // SAFETY: see above.
        unsafe { vst1q_u8(to, vector) }
    }

    #[inline(always)]
    unsafe fn coefficient(c: u8) -> Self::Coefficient {
        let halves = &HALVES[usize::from(c)];
        // SAFETY: see above; a table has 16 bytes.
        unsafe { (vld1q_u8(halves.low.as_ptr()), vld1q_u8(halves.high.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn split(vector: uint8x16_t) -> Self::Split {
        // SAFETY: see above.
        unsafe { (vandq_u8(vector, vdupq_n_u8(15)), vshrq_n_u8::<4>(vector)) }
    }

    #[inline(always)]
    unsafe fn product(split: Self::Split, c: Self::Coefficient) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { veorq_u8(vqtbl1q_u8(c.0, split.0), vqtbl1q_u8(c.1, split.1)) }
    }

    #[inline(always)]
    unsafe fn sum(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { veorq_u8(a, b) }
    }

    #[inline(always)]
    unsafe fn sum3(a: uint8x16_t, b: uint8x16_t, c: uint8x16_t) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { veorq_u8(veorq_u8(a, b), c) }
    }
}

/// See [`tiles::combine`], whose conditions on lengths hold.
///
/// # Safety
/// Rows and coefficients fit each other as `gf256::check` has it.
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(super) unsafe fn combine(targets: &mut [&mut [u8]], coefficients: &[u8], sources: &[&[u8]], keep: bool) {
    // SAFETY: the instructions are enabled here; lengths by the caller's word.
    unsafe { tiles::combine::<Lookup128>(targets, coefficients, sources, keep) }
}

/// See [`tiles::scale`].
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(super) fn scale(row: &mut [u8], c: u8) {
    // SAFETY: the instructions are enabled here.
    unsafe { tiles::scale::<Lookup128>(row, c) }
}

/// What the instructions do (Arm's Intrinsics Reference), byte by byte: so that this kernel's logic is tested on other
/// processors, too.
#[cfg(not(target_arch = "aarch64"))]
#[expect(non_camel_case_types, reason = "the architecture's own name")]
mod models {
    pub(super) type uint8x16_t = [u8; 16];

    pub(super) unsafe fn vdupq_n_u8(value: u8) -> uint8x16_t {
        [value; 16]
    }

    pub(super) unsafe fn vld1q_u8(from: *const u8) -> uint8x16_t {
        // SAFETY: by the caller's word 16 bytes can be read there.
        unsafe { from.cast::<uint8x16_t>().read_unaligned() }
    }

    pub(super) unsafe fn vst1q_u8(to: *mut u8, vector: uint8x16_t) {
        // SAFETY: by the caller's word 16 bytes can be written there.
        unsafe { to.cast::<uint8x16_t>().write_unaligned(vector) }
    }

    pub(super) unsafe fn vandq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        core::array::from_fn(|lane| a[lane] & b[lane])
    }

    pub(super) unsafe fn veorq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        core::array::from_fn(|lane| a[lane] ^ b[lane])
    }

    pub(super) unsafe fn vshrq_n_u8<const N: i32>(vector: uint8x16_t) -> uint8x16_t {
        vector.map(|byte| byte >> N)
    }

    pub(super) unsafe fn vqtbl1q_u8(table: uint8x16_t, indices: uint8x16_t) -> uint8x16_t {
        indices.map(|index| table.get(usize::from(index)).copied().unwrap_or(0))
    }
}
