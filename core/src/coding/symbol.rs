//! What encoders, relays and decoders hold: a symbol or a combination of symbols, without its coefficients.

use super::gf256::Kernel;
use super::meta::META_BYTES;
use bytes::{BufMut, Bytes, BytesMut};

/// The payload of a symbol or combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Its bytes.
    Real(Bytes),
    /// Bytes that are not computed: so many.
    Described(u32),
}

impl Body {
    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Real(bytes) => bytes.len(),
            Self::Described(len) => *len as usize,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are here.
    #[must_use]
    pub fn is_real(&self) -> bool {
        matches!(self, Self::Real(_))
    }
}

/// A symbol, or a combination of symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// The (combined) block that belongs to the payload ([`Meta`](super::Meta)).
    pub meta: [u8; META_BYTES],
    /// The (combined) payload.
    pub body: Body,
}

/// Appends the combination of `rows` by `coefficients` to `out`: the combined block and, where the payload is real,
/// the combined payload. Returns the length of the combined payload: that of the longest row.
///
/// # Panics
/// If there are not as many coefficients as rows.
pub fn combine_into(rows: &[&Coded], coefficients: &[u8], out: &mut BytesMut) -> usize {
    assert_eq!(rows.len(), coefficients.len(), "a coefficient for every row");
    let kernel = Kernel::best();
    let len = rows.iter().map(|row| row.body.len()).max().unwrap_or(0);
    let at = out.len();
    let mut sources: Vec<&[u8]> = Vec::with_capacity(rows.len());
    sources.extend(rows.iter().map(|row| &row.meta[..]));
    out.put_bytes(0, META_BYTES);
    kernel.combine(&mut out[at..], coefficients, &sources);
    if rows.iter().all(|row| row.body.is_real()) {
        sources.clear();
        sources.extend(rows.iter().map(|row| real(&row.body)));
        out.put_bytes(0, len);
        kernel.combine(&mut out[at + META_BYTES..], coefficients, &sources);
    }
    len
}

/// Returns the bytes of a body; of one that is only described, none.
pub(super) fn real(body: &Body) -> &[u8] {
    match body {
        Body::Real(bytes) => bytes,
        Body::Described(_) => &[],
    }
}
