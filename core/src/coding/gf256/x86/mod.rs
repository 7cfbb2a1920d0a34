//! The kernels of x86 processors.

pub(super) mod avx2;
pub(super) mod gfni_avx2;
pub(super) mod gfni_avx512;
pub(super) mod ssse3;
