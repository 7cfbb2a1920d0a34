//! Reading and writing of big-endian fields.

use crate::wire::error::WireError;

/// Returns the first `N` bytes of `bytes` and the rest.
#[inline]
pub(crate) fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), WireError> {
    bytes.split_first_chunk().ok_or(WireError::Truncated { need: N, got: bytes.len() })
}

/// Returns the first `n` bytes of `bytes` and the rest.
#[inline]
pub(crate) fn take_slice(bytes: &[u8], n: usize) -> Result<(&[u8], &[u8]), WireError> {
    bytes.split_at_checked(n).ok_or(WireError::Truncated { need: n, got: bytes.len() })
}

/// Reads a field that lies within a fixed-size header.
macro_rules! get {
    ($bytes:expr, $at:expr, $type:ty) => {{
        let mut field = [0; size_of::<$type>()];
        field.copy_from_slice(&$bytes[$at..$at + size_of::<$type>()]);
        <$type>::from_be_bytes(field)
    }};
}

/// Writes a field within a fixed-size header.
macro_rules! put {
    ($bytes:expr, $at:expr, $value:expr) => {{
        let field = $value.to_be_bytes();
        $bytes[$at..$at + field.len()].copy_from_slice(&field);
    }};
}

pub(crate) use {get, put};
