//! Arithmetic in GF(2^8), byte by byte and row by row.
//!
//! An element is a byte, read as a polynomial over GF(2); sums are exclusive ors, products are taken modulo
//! [`POLYNOMIAL`]. A row is a string of elements. What coding spends its time on is sums of multiples of rows, and
//! a [`Kernel`] works them out with the widest instructions of the machine.

#![expect(unsafe_code, reason = "vector instructions; lengths are checked before any pointer is made")]

mod echelon;
#[cfg(any(target_arch = "aarch64", test))]
mod neon;
mod scalar;
mod tables;
#[cfg(test)]
mod tests;
mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

pub use tables::{inverse, multiply};

/// x^8 + x^4 + x^3 + x + 1, the one polynomial that `gf2p8mulb` multiplies by; that of AES, too.
pub const POLYNOMIAL: u16 = 0x11B;

/// A way to multiply rows. All give the same bytes.
///
/// Lengths that do not fit each other are a caller's mistake and panic, as does a kernel that this machine lacks
/// (see [`Kernel::available`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Two table look-ups per byte, on any machine.
    Scalar,
    /// x86: shuffles of 16 bytes.
    Ssse3,
    /// x86: shuffles of 32 bytes.
    Avx2,
    /// x86: the field's multiplication as an instruction, 32 bytes at a time.
    GfniAvx2,
    /// x86: the field's multiplication as an instruction, 64 bytes at a time.
    GfniAvx512,
    /// 64-bit ARM: look-ups of 16 bytes.
    Neon,
}

impl Kernel {
    /// The fastest kernel of this machine: looked up once, at no cost from then on.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(Self::Scalar))
    }

    /// Every kernel that this machine can run, the slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        [Self::Scalar, Self::Neon, Self::Ssse3, Self::Avx2, Self::GfniAvx2, Self::GfniAvx512]
            .into_iter()
            .filter(|kernel| kernel.present())
            .collect()
    }

    /// Whether this machine has the kernel's instructions. The standard library asks the processor once.
    #[cfg(target_arch = "x86_64")]
    fn present(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Self::Scalar => true,
            Self::Ssse3 => has!("ssse3"),
            Self::Avx2 => has!("avx2"),
            Self::GfniAvx2 => has!("avx2") && has!("gfni"),
            Self::GfniAvx512 => {
                // AVX2, too: it takes the rows that are shorter than a register.
                has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("gfni") && has!("avx2")
            }
            // Tests run it on models of its instructions.
            Self::Neon => cfg!(test),
        }
    }

    /// Whether this machine has the kernel's instructions.
    #[cfg(not(target_arch = "x86_64"))]
    fn present(self) -> bool {
        // Every 64-bit ARM processor has NEON.
        self == Self::Scalar || (cfg!(target_arch = "aarch64") && self == Self::Neon)
    }

    /// The kernel's name in tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Ssse3 => "ssse3",
            Self::Avx2 => "avx2",
            Self::GfniAvx2 => "gfni-avx2",
            Self::GfniAvx512 => "gfni-avx512",
            Self::Neon => "neon",
        }
    }

    /// `target ^= c * source`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn multiply_add(self, target: &mut [u8], c: u8, source: &[u8]) {
        assert_eq!(target.len(), source.len(), "a row is added to one of its length");
        self.run(&mut [target], &[c], &[source], true);
    }

    /// `target = c * target`.
    pub fn scale(self, target: &mut [u8], c: u8) {
        self.demand();
        // SAFETY: the machine has the instructions.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Ssse3 => x86::ssse3::scale(target, c),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => x86::avx2::scale(target, c),
                #[cfg(target_arch = "x86_64")]
                Self::GfniAvx512 if target.len() >= 64 => x86::gfni_avx512::scale(target, c),
                #[cfg(target_arch = "x86_64")]
                Self::GfniAvx2 | Self::GfniAvx512 => x86::gfni_avx2::scale(target, c),
                #[cfg(any(target_arch = "aarch64", test))]
                Self::Neon => neon::scale(target, c),
                _ => scalar::scale(target, c),
            }
        }
    }

    /// `target = ` the sum of `coefficients[i] * sources[i]`; what was in it does not matter. Sources that are
    /// shorter than the target count as padded with zeros.
    ///
    /// # Panics
    /// If a source is longer than the target, or there are not as many coefficients as sources.
    pub fn combine(self, target: &mut [u8], coefficients: &[u8], sources: &[&[u8]]) {
        self.combine_many(&mut [target], coefficients, sources);
    }

    /// Several combinations of the same sources in one pass over them, which is faster than one by one:
    /// `targets[t] = ` the sum of `coefficients[t * sources.len() + i] * sources[i]`. Sources that are shorter than
    /// the targets count as padded with zeros.
    ///
    /// # Panics
    /// If the targets' lengths differ, a source is longer, or the number of coefficients is not that of targets
    /// times that of sources.
    pub fn combine_many(self, targets: &mut [&mut [u8]], coefficients: &[u8], sources: &[&[u8]]) {
        check(targets, coefficients, sources);
        self.run(targets, coefficients, sources, false);
    }

    /// As [`combine_many`](Self::combine_many), but added to what is in the targets.
    ///
    /// # Panics
    /// As there.
    pub fn accumulate_many(self, targets: &mut [&mut [u8]], coefficients: &[u8], sources: &[&[u8]]) {
        check(targets, coefficients, sources);
        self.run(targets, coefficients, sources, true);
    }

    /// Panics if this machine lacks the kernel. Short rows are many: it costs a load and a test.
    fn demand(self) {
        static PRESENT: AtomicU8 = AtomicU8::new(0);
        let bit = 1 << self as u8;
        // Relaxed: the byte stands for itself.
        if PRESENT.load(Relaxed) & bit == 0 {
            assert!(self.present(), "this machine lacks the instructions of {}", self.name());
            PRESENT.fetch_or(bit, Relaxed);
        }
    }

    /// The work itself, on rows and coefficients that fit each other.
    fn run(self, targets: &mut [&mut [u8]], coefficients: &[u8], sources: &[&[u8]], keep: bool) {
        self.demand();
        // SAFETY: the machine has the instructions; all callers have checked the lengths.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Ssse3 => x86::ssse3::combine(targets, coefficients, sources, keep),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => x86::avx2::combine(targets, coefficients, sources, keep),
                #[cfg(target_arch = "x86_64")]
                Self::GfniAvx512 if targets.first().is_some_and(|target| target.len() >= 64) => {
                    x86::gfni_avx512::combine(targets, coefficients, sources, keep);
                }
                #[cfg(target_arch = "x86_64")]
                Self::GfniAvx512 => x86::gfni_avx512::combine_short(targets, coefficients, sources, keep),
                #[cfg(target_arch = "x86_64")]
                Self::GfniAvx2 => x86::gfni_avx2::combine(targets, coefficients, sources, keep),
                #[cfg(any(target_arch = "aarch64", test))]
                Self::Neon => neon::combine(targets, coefficients, sources, keep),
                _ => scalar::combine(targets, coefficients, sources, keep),
            }
        }
    }
}

/// Panics unless rows and coefficients fit each other; the kernels rely on it.
fn check(targets: &[&mut [u8]], coefficients: &[u8], sources: &[&[u8]]) {
    let len = targets.first().map_or(0, |target| target.len());
    assert!(targets.iter().all(|target| target.len() == len), "targets of one pass have one length");
    assert!(
        targets.is_empty() || sources.iter().all(|source| source.len() <= len),
        "no source is longer than the targets"
    );
    assert_eq!(
        coefficients.len(),
        targets.len() * sources.len(),
        "a coefficient for every pair of target and source"
    );
}
