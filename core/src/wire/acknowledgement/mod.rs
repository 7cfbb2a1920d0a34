//! Acknowledgements of sessions: the payload of packets that carry
//! [`PacketFlags::ACKNOWLEDGEMENT`](super::packet::PacketFlags::ACKNOWLEDGEMENT), from a destination to the source.
//!
//! The first byte is a tag: 1, which symbols of a reliable session have arrived ([`ranges`]); 2, how many packets of a
//! coded session have, and what they are worth ([`rank`]).

pub mod ranges;
pub mod rank;

pub use ranges::{
    ACK_BYTES_MAX, ACK_FLOWS_MAX, ACK_HEADER_BYTES, ACK_SPAN_MAX, ACK_WORDS_MAX, FlowCount, Ranges,
};
pub use rank::{RANK_BYTES_MAX, RANK_ENTRIES_MAX, Rank, RankEntry};

use super::WireError;

const TAG_RANGES: u8 = 1;
const TAG_RANK: u8 = 2;

/// What a destination says has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// Symbols by ranges of their ids.
    Ranges(Ranges),
    /// Packets of coded generations, or of stretches of a sliding window, by their number.
    Rank(Rank),
}

impl Acknowledgement {
    /// Reads an acknowledgement, which must fill `bytes`.
    ///
    /// # Errors
    /// When bytes are missing or left over, or a field has a value that none may have.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes.first() {
            None => Err(WireError::Truncated { need: 1, got: 0 }),
            Some(&TAG_RANGES) => Ranges::parse(bytes).map(Self::Ranges),
            Some(&TAG_RANK) => Rank::parse(bytes).map(Self::Rank),
            Some(_) => Err(WireError::BadField("acknowledgement")),
        }
    }

    /// Appends the acknowledgement to `out`: at most [`ACK_BYTES_MAX`] bytes.
    pub fn emit_into(&self, out: &mut impl bytes::BufMut) {
        match self {
            Self::Ranges(ranges) => ranges.emit_into(out),
            Self::Rank(rank) => rank.emit_into(out),
        }
    }
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from(be16(bytes, at)) << 16 | u32::from(be16(bytes, at + 2))
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from(be32(bytes, at)) << 32 | u64::from(be32(bytes, at + 4))
}
