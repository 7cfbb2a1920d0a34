//! Prefaces: the first bytes of a stream, by which the node that accepts it learns who connects.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------------------------------+-------+-----------------------+
//! | "BELL"                        | vers. | flags | 0             |
//! +-------------------------------+-------+-----------------------+
//! | node                          | incarnation                   |
//! +-------------------------------+-------------------------------+
//! ```
//! The hello exchange that follows on the stream says the same again, and more. But a frame can be taken only on a
//! hop, a hop belongs to a neighbour, and an accepted connection does not show which neighbour opened it: its port is
//! any, and its address may be that of several nodes.

use super::{WireError, read, split_fixed, write_at};
use crate::ids::{Incarnation, NodeId};

/// Bytes of a preface.
pub const PREFACE_BYTES: usize = 16;

/// Where the flags of a preface are. They are for drivers: the core writes 0 and does not look at them.
pub const PREFACE_FLAGS_AT: usize = 5;
/// Flag of a sealed connection that is only there to agree on keys: no frame follows.
pub const PREFACE_KEYS_ONLY: u8 = 1;

/// The version of the protocol on streams.
const VERSION: u8 = 1;

/// "BELL": who connects to this port by mistake is known at once.
const MAGIC: u32 = u32::from_be_bytes(*b"BELL");

mod field {
    use core::ops::Range;
    pub(super) const MAGIC: Range<usize> = 0..4;
    pub(super) const VERSION: usize = 4;
    pub(super) const RESERVED: Range<usize> = 5..8;
    pub(super) const NODE: Range<usize> = 8..12;
    pub(super) const INCARNATION: Range<usize> = 12..16;
}

/// Who opens a stream.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Preface {
    /// The node that connects.
    pub node: NodeId,
    /// Which start of it this is: higher is newer.
    pub incarnation: Incarnation,
}

impl Preface {
    /// Reads a preface; what follows it is the first frame.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`PREFACE_BYTES`]; [`WireError::BadField`] when it does not begin with the
    /// magic bytes, or for an illegal node id; [`WireError::UnknownVersion`] for another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (preface, _) = split_fixed::<PREFACE_BYTES>(bytes)?;
        if read!(preface, field::MAGIC, u32) != MAGIC {
            return Err(WireError::BadField("magic"));
        }
        if preface[field::VERSION] != VERSION {
            return Err(WireError::UnknownVersion(preface[field::VERSION]));
        }
        Ok(Self {
            node: NodeId::new(read!(preface, field::NODE, u32)).ok_or(WireError::BadField("node"))?,
            incarnation: Incarnation(read!(preface, field::INCARNATION, u32)),
        })
    }

    /// Returns the bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; PREFACE_BYTES] {
        let mut out = [0; PREFACE_BYTES];
        write_at!(out, field::MAGIC, MAGIC);
        out[field::VERSION] = VERSION;
        out[field::RESERVED].fill(0);
        write_at!(out, field::NODE, self.node.get());
        write_at!(out, field::INCARNATION, self.incarnation.0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::hex;

    const SEVEN: Preface =
        Preface { node: NodeId::new(7).expect("7 is a node id"), incarnation: Incarnation(3) };

    #[test]
    fn the_bytes_are_as_documented() {
        let bytes = hex("42454C4C 01 000000 00000007 00000003");
        assert_eq!(SEVEN.emit()[..], bytes);
        assert_eq!(Preface::parse(&bytes), Ok(SEVEN));
        // Frames may follow at once, and reserved bytes are not looked at.
        let later = hex("42454C4C 01 010203 00000007 00000003 00000035");
        assert_eq!(Preface::parse(&later), Ok(SEVEN));
    }

    #[test]
    fn illegal_bytes_are_refused() {
        let bytes = SEVEN.emit();
        for got in 0..PREFACE_BYTES {
            assert_eq!(Preface::parse(&bytes[..got]), Err(WireError::Truncated { need: PREFACE_BYTES, got }));
        }
        let with = |at: usize, value: u8| {
            let mut changed = bytes;
            changed[at] = value;
            Preface::parse(&changed)
        };
        assert_eq!(Preface::parse(b"GET / HTTP/1.1\r\n"), Err(WireError::BadField("magic")));
        assert_eq!(with(4, 2), Err(WireError::UnknownVersion(2)));
        assert_eq!(with(11, 0), Err(WireError::BadField("node")));
        assert_eq!(with(8, 0x80), Err(WireError::BadField("node")));
    }
}
