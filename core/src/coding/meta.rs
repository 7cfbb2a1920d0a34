//! What is combined along with a symbol's payload: the rest of its packet header, and a check.
//!
//! A symbol that comes out of a decoder never had a packet of its own; this block brings back what that would have said.

use super::symbol::Body;
use crate::ids::{Epoch, SessionKey};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of the block.
pub const META_BYTES: usize = 32;
/// Bytes of it that the check covers.
const CHECKED_BYTES: usize = META_BYTES - 8;

/// What belongs to a symbol besides its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The source's clock when the symbol came to be, in nanoseconds.
    pub timestamp_ns: u64,
    /// The application's object that the symbol is part of.
    pub object: u32,
    /// Place of the symbol in the object.
    pub index: u32,
    /// Symbols of the object.
    pub count: u32,
    /// Bytes of its payload.
    pub len: u32,
    /// Check over symbol and payload ([`Meta::check_of`]).
    pub check: u64,
}

impl Meta {
    /// Returns the block's bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; META_BYTES] {
        let mut out = [0; META_BYTES];
        out[0..8].copy_from_slice(&self.timestamp_ns.to_be_bytes());
        out[8..12].copy_from_slice(&self.object.to_be_bytes());
        out[12..16].copy_from_slice(&self.index.to_be_bytes());
        out[16..20].copy_from_slice(&self.count.to_be_bytes());
        out[20..24].copy_from_slice(&self.len.to_be_bytes());
        out[24..32].copy_from_slice(&self.check.to_be_bytes());
        out
    }

    /// Reads a block; any bytes are one.
    #[must_use]
    pub fn parse(bytes: &[u8; META_BYTES]) -> Self {
        let be32 = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let be64 = |at: usize| u64::from(be32(at)) << 32 | u64::from(be32(at + 4));
        Self {
            timestamp_ns: be64(0),
            object: be32(8),
            index: be32(12),
            count: be32(16),
            len: be32(20),
            check: be64(24),
        }
    }

    /// Returns the check that the block should have: XXH3 over the symbol's name, the block, and its bytes where
    /// they are real. It guards against damage, not against somebody who computes it.
    #[must_use]
    pub fn check_of(&self, key: SessionKey, epoch: Epoch, symbol: u64, body: &Body) -> u64 {
        let mut name = [0; 18];
        name[0..4].copy_from_slice(&key.conference.0.to_be_bytes());
        name[4..8].copy_from_slice(&key.session.0.to_be_bytes());
        name[8..10].copy_from_slice(&epoch.0.to_be_bytes());
        name[10..18].copy_from_slice(&symbol.to_be_bytes());
        let mut hash = Xxh3::new();
        hash.update(&name);
        hash.update(&self.emit()[..CHECKED_BYTES]);
        if let Body::Real(bytes) = body {
            hash.update(bytes);
        }
        hash.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const KEY: SessionKey = SessionKey::new(1, 2);

    #[test]
    fn blocks_make_round_trips() {
        let meta = Meta {
            timestamp_ns: 1 << 40 | 5,
            object: 7,
            index: 8,
            count: 9,
            len: 1_200,
            check: u64::MAX - 3,
        };
        assert_eq!(Meta::parse(&meta.emit()), meta);
    }

    /// Aim: nothing of a symbol can change unseen: neither its name, nor its description, nor a byte.
    #[test]
    fn the_check_covers_everything() {
        let meta = Meta { timestamp_ns: 3, object: 7, index: 8, count: 9, len: 4, check: 0 };
        let body = Body::Real(Bytes::from_static(b"abcd"));
        let right = meta.check_of(KEY, Epoch(1), 6, &body);
        assert_ne!(right, meta.check_of(SessionKey::new(1, 3), Epoch(1), 6, &body));
        assert_ne!(right, meta.check_of(KEY, Epoch(2), 6, &body));
        assert_ne!(right, meta.check_of(KEY, Epoch(1), 7, &body));
        assert_ne!(right, meta.check_of(KEY, Epoch(1), 6, &Body::Real(Bytes::from_static(b"abce"))));
        for at in 0..CHECKED_BYTES {
            let mut bytes = meta.emit();
            bytes[at] ^= 1;
            assert_ne!(right, Meta::parse(&bytes).check_of(KEY, Epoch(1), 6, &body), "byte {at}");
        }
    }
}
