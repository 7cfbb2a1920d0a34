//! What a packet carries for the application.
//!
//! Content is a pure function of (seed, session, symbol), the same in sim, lab and live. So the simulator can
//! carry a description of the bytes instead of the bytes ([`Synthetic`]), and a driver with real sockets can
//! make them real with [`fill`] and check them with [`matches()`].

use crate::ids::SessionKey;
use crate::rng::Seed;
use bytes::Bytes;

/// The payload of one packet: described, or real.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Bytes that are known from their description; nothing is stored.
    Synthetic(Synthetic),
    /// Real bytes, shared between all copies of the packet.
    Bytes(Bytes),
}

/// Describes payload bytes: `len` bytes of the symbol's content from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synthetic {
    /// The session whose content it is.
    pub key: SessionKey,
    /// The symbol of that session.
    pub symbol: u64,
    /// First byte within the symbol.
    pub offset: u32,
    /// Bytes from there on.
    pub len: u32,
}

impl Payload {
    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Synthetic(synthetic) => synthetic.len as usize,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes the bytes that `what` describes into `out`, whose length must be `what.len`.
///
/// # Panics
/// If `out` has another length than `what.len`.
pub fn fill(seed: Seed, what: Synthetic, out: &mut [u8]) {
    assert_eq!(out.len(), what.len as usize, "the buffer has the described length");
    let mut name = *b"content:................";
    name[8..12].copy_from_slice(&what.key.conference.0.to_be_bytes());
    name[12..16].copy_from_slice(&what.key.session.0.to_be_bytes());
    name[16..24].copy_from_slice(&what.symbol.to_be_bytes());
    let mut stream = seed.stream_of(&name);
    if what.offset == 0 {
        stream.fill_bytes(out);
        return;
    }
    // Offsets inside a symbol are rare (whole symbols travel): blocks are drawn from its start on.
    let (mut at, offset) = (0, what.offset as usize);
    let mut block = [0; 64];
    while at < offset + out.len() {
        stream.fill_bytes(&mut block);
        let from = offset.max(at);
        let to = (offset + out.len()).min(at + block.len());
        if from < to {
            out[from - offset..to - offset].copy_from_slice(&block[from - at..to - at]);
        }
        at += block.len();
    }
}

/// Whether `bytes` are the symbol's content from `offset` on.
#[must_use]
pub fn matches(seed: Seed, key: SessionKey, symbol: u64, offset: u32, bytes: &[u8]) -> bool {
    let mut expected = vec![0; bytes.len()];
    fill(seed, Synthetic { key, symbol, offset, len: bytes.len() as u32 }, &mut expected);
    expected == bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey::new(1, 2);

    fn bytes(symbol: u64, offset: u32, len: u32) -> Vec<u8> {
        let mut out = vec![0; len as usize];
        fill(Seed(9), Synthetic { key: KEY, symbol, offset, len }, &mut out);
        out
    }

    #[test]
    fn any_part_of_a_symbol_is_the_same_bytes() {
        let whole = bytes(5, 0, 1200);
        for (offset, len) in [(0, 1), (1, 8), (7, 9), (1199, 1), (3, 1000)] {
            assert_eq!(bytes(5, offset, len), whole[offset as usize..(offset + len) as usize]);
        }
        assert_ne!(bytes(6, 0, 1200), whole);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut whole = bytes(5, 0, 100);
        assert!(matches(Seed(9), KEY, 5, 0, &whole));
        whole[50] ^= 1;
        assert!(!matches(Seed(9), KEY, 5, 0, &whole));
    }

    #[test]
    fn a_payload_stays_small() {
        assert!(size_of::<Payload>() <= 40);
    }
}
