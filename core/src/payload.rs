//! What a packet carries for the application.
//!
//! Content is a pure function of (seed, session, symbol), the same in sim, lab and live. So the simulator can
//! carry a description of the bytes instead of the bytes ([`Synthetic`]), and a driver with real sockets can
//! make them real with [`fill`] and check them with [`matches()`].

use crate::ids::SessionKey;
use crate::rng::{Seed, Stream};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The payload of one packet: described, or real.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Bytes that are known from their description; nothing is stored.
    Synthetic(Synthetic),
    /// Real bytes, shared between all copies of the packet.
    Bytes(Bytes),
    /// A combination of symbols that are only described: of what it consists is real, its bytes are not computed.
    Coded {
        /// Coefficients, where the packet carries them, and the combined descriptions.
        head: Bytes,
        /// Bytes of the combined payload behind it.
        body_len: u32,
    },
}

/// Describes payload bytes: `len` bytes of the symbol's content from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
            Self::Coded { head, body_len } => head.len() + *body_len as usize,
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
    content(seed, what.key, what.symbol).bytes_at(u64::from(what.offset), out);
}

/// Whether `bytes` are the symbol's content from `offset` on.
#[must_use]
pub fn matches(seed: Seed, key: SessionKey, symbol: u64, offset: u32, bytes: &[u8]) -> bool {
    let mut content = content(seed, key, symbol);
    let mut expected = [0; 1024];
    let mut position = u64::from(offset);
    bytes.chunks(expected.len()).all(|part| {
        content.bytes_at(position, &mut expected[..part.len()]);
        position += part.len() as u64;
        expected[..part.len()] == *part
    })
}

/// The session's family of streams, turned to the symbol: no name to build for each symbol, and any part of
/// it can be read directly.
fn content(seed: Seed, key: SessionKey, symbol: u64) -> Stream {
    seed.stream_of(format_args!("content:{key}")).member(symbol)
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
        for (offset, len) in [(0, 1), (1, 8), (7, 9), (1199, 1), (3, 1000), (1199, 0), (600, 600)] {
            assert_eq!(bytes(5, offset, len), whole[offset as usize..(offset + len) as usize]);
        }
        assert_ne!(bytes(6, 0, 1200), whole);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        // Longer than the block that is compared at once, and from the middle of the symbol.
        let mut part = bytes(5, 3, 3000);
        assert!(matches(Seed(9), KEY, 5, 3, &part));
        for position in [0, 50, 1023, 1024, 2999] {
            part[position] ^= 1;
            assert!(!matches(Seed(9), KEY, 5, 3, &part), "flipped at {position}");
            part[position] ^= 1;
        }
    }

    #[test]
    fn sessions_seeds_and_symbols_have_contents_of_their_own() {
        let of = |seed, key, symbol| {
            let mut out = [0; 16];
            fill(Seed(seed), Synthetic { key, symbol, offset: 0, len: 16 }, &mut out);
            out
        };
        let here = of(1, KEY, 0);
        assert_ne!(here, of(2, KEY, 0));
        assert_ne!(here, of(1, SessionKey::new(1, 3), 0));
        assert_ne!(here, of(1, KEY, 1));
    }

    #[test]
    fn a_payload_stays_small() {
        assert!(size_of::<Payload>() <= 40);
    }
}
