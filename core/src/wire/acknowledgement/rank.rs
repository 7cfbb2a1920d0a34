//! How much of a coded session has arrived: what adaptive repair goes by.
//!
//! ```text
//!  0       1         2       3       4       5       6       7
//! +-------+---------+---------------+-------------------------------+
//! | tag 2 | entries | reserved      | node                          |
//! +-------+---------+---------------+-------------------------------+
//! | incarnation                     | entries, 12 bytes each:
//! +---------------------------------+-----
//!   first u64, size u8, arrived u16, rank u8
//! ```

use super::{TAG_RANK, be16, be32, be64};
use crate::ids::{Incarnation, NodeId};
use crate::wire::WireError;

/// Entries that one acknowledgement has, at most.
pub const RANK_ENTRIES_MAX: usize = 16;
/// Most bytes of an acknowledgement by rank.
pub const RANK_BYTES_MAX: usize = HEADER_BYTES + ENTRY_BYTES * RANK_ENTRIES_MAX;

const HEADER_BYTES: usize = 12;
const ENTRY_BYTES: usize = 12;
const _: () = assert!(RANK_BYTES_MAX <= super::ACK_BYTES_MAX, "one buffer serves all acknowledgements");

/// Packets that arrived, by generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The destination.
    pub node: NodeId,
    /// Which start of it.
    pub incarnation: Incarnation,
    entries: [RankEntry; RANK_ENTRIES_MAX],
    len: u8,
}

/// What came of one generation, or of one stretch of a sliding window's symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankEntry {
    /// Its first symbol.
    pub first: u64,
    /// Its symbols; 0 when the destination does not know.
    pub size: u8,
    /// Packets that arrived, dependent ones included; duplicates are not. Stays at the highest value.
    pub arrived: u16,
    /// How many of them were independent; not more than arrived.
    pub rank: u8,
}

impl Rank {
    /// Returns an acknowledgement without entries.
    #[must_use]
    pub fn new(node: NodeId, incarnation: Incarnation) -> Self {
        Self { node, incarnation, entries: [RankEntry::default(); RANK_ENTRIES_MAX], len: 0 }
    }

    /// Adds an entry; `false` when there is no room.
    pub fn push(&mut self, entry: RankEntry) -> bool {
        let at = usize::from(self.len);
        if at == RANK_ENTRIES_MAX {
            return false;
        }
        self.entries[at] = entry;
        self.len += 1;
        true
    }

    /// Returns the entries.
    #[must_use]
    pub fn entries(&self) -> &[RankEntry] {
        &self.entries[..usize::from(self.len)]
    }

    /// Reads what is behind the tag, which is there too.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let truncated = || WireError::Truncated { need: HEADER_BYTES, got: bytes.len() };
        let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(truncated)?;
        let entries = usize::from(head[1]);
        if entries > RANK_ENTRIES_MAX {
            return Err(WireError::BadField("acknowledgement"));
        }
        let need = HEADER_BYTES + entries * ENTRY_BYTES;
        if bytes.len() != need {
            return Err(WireError::LengthMismatch { declared: need, got: bytes.len() });
        }
        let node = NodeId::new(be32(head, 4)).ok_or(WireError::BadField("node"))?;
        let mut ack = Self::new(node, Incarnation(be32(head, 8)));
        for entry in rest.chunks_exact(ENTRY_BYTES) {
            let (first, size, arrived, rank) = (be64(entry, 0), entry[8], be16(entry, 9), entry[11]);
            if u16::from(rank) > arrived {
                return Err(WireError::BadField("rank"));
            }
            ack.push(RankEntry { first, size, arrived, rank });
        }
        Ok(ack)
    }

    /// Appends it to `out`, from the tag on.
    pub(super) fn emit_into(&self, out: &mut impl bytes::BufMut) {
        out.put_u8(TAG_RANK);
        out.put_u8(self.len);
        out.put_u16(0);
        out.put_u32(self.node.get());
        out.put_u32(self.incarnation.0);
        for entry in self.entries() {
            out.put_u64(entry.first);
            out.put_u8(entry.size);
            out.put_u16(entry.arrived);
            out.put_u8(entry.rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::acknowledgement::Acknowledgement;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    fn example() -> Rank {
        let mut ack = Rank::new(NodeId::new(9).expect("a legal id"), Incarnation(2));
        assert!(ack.push(RankEntry { first: 64, size: 32, arrived: 35, rank: 32 }));
        assert!(ack.push(RankEntry { first: 96, size: 0, arrived: 7, rank: 7 }));
        ack
    }

    #[test]
    fn an_acknowledgement_by_rank_is_as_documented() {
        let golden =
            hex("02 02 0000 00000009 00000002  0000000000000040 20 0023 20  0000000000000060 00 0007 07");
        let mut out = Vec::new();
        Acknowledgement::Rank(example()).emit_into(&mut out);
        assert_eq!(out, golden);
        assert_eq!(Acknowledgement::parse(&golden), Ok(Acknowledgement::Rank(example())));
    }

    /// Aim: what no destination can mean is refused, each for its reason.
    #[test]
    fn what_none_may_have_is_refused() {
        let mut good = Vec::new();
        Acknowledgement::Rank(example()).emit_into(&mut good);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Acknowledgement::parse(&bytes)
        };
        assert_eq!(with(0, 3), Err(WireError::BadField("acknowledgement")));
        assert_eq!(with(1, 17), Err(WireError::BadField("acknowledgement")));
        assert_eq!(with(1, 3), Err(WireError::LengthMismatch { declared: 48, got: 36 }));
        assert_eq!(with(7, 0), Err(WireError::BadField("node")));
        assert_eq!(with(23, 36), Err(WireError::BadField("rank")), "more independent than arrived");
        assert_eq!(Acknowledgement::parse(&good[..11]), Err(WireError::Truncated { need: 12, got: 11 }));
        assert_eq!(Acknowledgement::parse(&[]), Err(WireError::Truncated { need: 1, got: 0 }));
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut ack = Rank::new(NodeId::new(1).expect("a legal id"), Incarnation(1));
        for first in 0..RANK_ENTRIES_MAX as u64 {
            assert!(ack.push(RankEntry { first, ..RankEntry::default() }));
        }
        assert!(!ack.push(RankEntry::default()));
        let mut out = Vec::new();
        Acknowledgement::Rank(ack).emit_into(&mut out);
        assert_eq!(out.len(), RANK_BYTES_MAX);
    }

    /// Aim: bytes from anywhere are refused or read, never more; what is read is written the same.
    #[test]
    fn any_bytes_are_refused_or_make_round_trips() {
        let anything = (0_u8..18, proptest::collection::vec(any::<u8>(), 0..220));
        runner(4_000)
            .run(&anything, |(entries, mut bytes)| {
                bytes.truncate(HEADER_BYTES - 4 + usize::from(entries) * ENTRY_BYTES);
                bytes.splice(0..0, [TAG_RANK, entries, 0, 0]);
                if let Ok(ack) = Acknowledgement::parse(&bytes) {
                    let mut out = Vec::new();
                    ack.emit_into(&mut out);
                    prop_assert_eq!(out, bytes);
                }
                Ok(())
            })
            .unwrap();
        runner(500)
            .run(&proptest::collection::vec(any::<(u64, u8, u16, u8)>(), 0..=16), |entries| {
                let mut ack = Rank::new(NodeId::new(5).expect("a legal id"), Incarnation(7));
                for (first, size, arrived, rank) in entries {
                    ack.push(RankEntry { first, size, arrived, rank: rank.min(arrived.min(255) as u8) });
                }
                let mut out = Vec::new();
                Acknowledgement::Rank(ack.clone()).emit_into(&mut out);
                prop_assert_eq!(Acknowledgement::parse(&out), Ok(Acknowledgement::Rank(ack)));
                Ok(())
            })
            .unwrap();
    }
}
