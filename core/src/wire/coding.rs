//! The coding header of packets that carry [`PacketFlags::CODED`](super::packet::PacketFlags::CODED), between the
//! Pathlet and the payload.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +---------------+-------+-------+-------+-------+---------------+
//! | length (20)   | form  | size  | offset| flags | index         |
//! +---------------+-------+-------+-------+-------+---------------+
//! | sequence                      | value, 8 bytes
//! +-------------------------------+-------------------------------
//! ```
//! It begins with its own length, so that nodes that do not recode need not know it.

use super::{WireError, read, split_fixed, write_at};
use crate::ids::FlowId;

/// Bytes of the coding header.
pub const CODING_HEADER_BYTES: usize = 20;

mod field {
    use core::ops::Range;
    pub(super) const LENGTH: Range<usize> = 0..2;
    pub(super) const FORM: usize = 2;
    pub(super) const SIZE: usize = 3;
    pub(super) const OFFSET: usize = 4;
    pub(super) const FLAGS: usize = 5;
    pub(super) const INDEX: Range<usize> = 6..8;
    pub(super) const SEQUENCE: Range<usize> = 8..12;
    pub(super) const VALUE: Range<usize> = 12..20;
}

/// The size of the generation is final.
const FLAG_CLOSED: u8 = 1 << 0;
/// Relays pass the packet on as it is.
const FLAG_PLAIN: u8 = 1 << 1;
/// The value of a combination names a packet of another flow.
const FLAG_JOINED: u8 = 1 << 2;
/// Packet numbers that the value has room for, beside a flow.
const NUMBERS: u64 = 1 << 48;

/// A packet of another flow for which a combination stands as well, where flows have met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinedPacket {
    /// The other flow.
    pub flow: FlowId,
    /// The number of its packet, below 2^48: what has a larger one is not told of.
    pub number: u64,
}

/// What a coded packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodedForm {
    /// A symbol as it is.
    Systematic {
        /// Check over the symbol and all that belongs to it.
        check: u64,
    },
    /// A combination; its coefficients open the payload.
    Vector {
        /// It stands for this packet, too.
        joined: Option<JoinedPacket>,
    },
    /// A combination; its coefficients follow from a seed.
    Seed {
        /// The seed.
        seed: u64,
    },
    /// A combination of the symbols in a sliding window.
    Window {
        /// The coefficients follow from it.
        seed: u64,
    },
}

/// The coding header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingHeader {
    /// What the packet carries.
    pub form: CodedForm,
    /// Symbols of the generation; of an open one, the most that there may be. 0 in systematic packets: not told.
    pub size: u8,
    /// How far the packet's symbol is behind the first of the generation or window.
    pub offset: u8,
    /// Whether `size` is final.
    pub is_closed: bool,
    /// Whether relays pass it on as it is.
    pub is_plain: bool,
    /// Number among the generation's packets on this hop; the last number stands for all that follow.
    pub index: u16,
    /// Number among the session's coded packets on this hop (modulo 2^32).
    pub sequence: u32,
}

impl CodingHeader {
    /// Reads the coding header, which must fill `bytes`.
    ///
    /// # Errors
    /// When bytes are missing or left over, or a field has a value that none may have.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (head, rest) = split_fixed::<CODING_HEADER_BYTES>(bytes)?;
        let declared = usize::from(read!(head, field::LENGTH, u16));
        if declared != CODING_HEADER_BYTES || !rest.is_empty() {
            return Err(WireError::LengthMismatch { declared, got: bytes.len() });
        }
        let value = read!(head, field::VALUE, u64);
        let (size, offset) = (head[field::SIZE], head[field::OFFSET]);
        let form = match head[field::FORM] {
            0 => CodedForm::Systematic { check: value },
            1 if head[field::FLAGS] & FLAG_JOINED != 0 => {
                let joined = JoinedPacket { flow: FlowId((value / NUMBERS) as u16), number: value % NUMBERS };
                CodedForm::Vector { joined: Some(joined) }
            }
            1 => CodedForm::Vector { joined: None },
            2 => CodedForm::Seed { seed: value },
            3 => CodedForm::Window { seed: value },
            _ => return Err(WireError::BadField("coded form")),
        };
        let is_systematic = matches!(form, CodedForm::Systematic { .. });
        if size == 0 && !is_systematic || size != 0 && offset >= size || offset == u8::MAX {
            return Err(WireError::BadField("size of the generation"));
        }
        let flags = head[field::FLAGS];
        if size == 0 && flags & FLAG_CLOSED != 0 {
            return Err(WireError::BadField("size of the generation"));
        }
        Ok(Self {
            form,
            size,
            offset,
            is_closed: flags & FLAG_CLOSED != 0,
            is_plain: flags & FLAG_PLAIN != 0,
            index: read!(head, field::INDEX, u16),
            sequence: read!(head, field::SEQUENCE, u32),
        })
    }

    /// Returns the header's bytes.
    #[inline]
    #[must_use]
    pub fn emit(&self) -> [u8; CODING_HEADER_BYTES] {
        let mut out = [0; CODING_HEADER_BYTES];
        let mut flags =
            if self.is_closed { FLAG_CLOSED } else { 0 } | if self.is_plain { FLAG_PLAIN } else { 0 };
        let (form, value) = match self.form {
            CodedForm::Systematic { check } => (0, check),
            CodedForm::Vector { joined } => {
                let joined = joined.filter(|joined| joined.number < NUMBERS);
                flags |= if joined.is_some() { FLAG_JOINED } else { 0 };
                (1, joined.map_or(0, |joined| u64::from(joined.flow.0) * NUMBERS + joined.number))
            }
            CodedForm::Seed { seed } => (2, seed),
            CodedForm::Window { seed } => (3, seed),
        };
        write_at!(out, field::LENGTH, (CODING_HEADER_BYTES as u16));
        out[field::FORM] = form;
        out[field::SIZE] = self.size;
        out[field::OFFSET] = self.offset;
        out[field::FLAGS] = flags;
        write_at!(out, field::INDEX, self.index);
        write_at!(out, field::SEQUENCE, self.sequence);
        write_at!(out, field::VALUE, value);
        out
    }

    /// Returns the packet of another flow that it stands for as well.
    #[inline]
    #[must_use]
    pub fn joined(&self) -> Option<JoinedPacket> {
        match self.form {
            CodedForm::Vector { joined } => joined,
            _ => None,
        }
    }

    /// Returns the first symbol of the generation or window of a packet whose symbol or slot is `symbol`; `None`:
    /// there is none.
    #[inline]
    #[must_use]
    pub fn first(&self, symbol: u64) -> Option<u64> {
        symbol.checked_sub(u64::from(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    #[test]
    fn the_coding_header_is_as_documented() {
        let header = CodingHeader {
            form: CodedForm::Seed { seed: 0x0102_0304_0506_0708 },
            size: 32,
            offset: 5,
            is_closed: true,
            is_plain: false,
            index: 35,
            sequence: 1_000,
        };
        let golden = hex("0014 02 20 05 01 0023 000003E8 0102030405060708");
        assert_eq!(header.emit()[..], golden);
        assert_eq!(CodingHeader::parse(&golden), Ok(header));
        assert_eq!(header.first(100), Some(95));
        assert_eq!(header.first(4), None);
    }

    /// Aim: any bytes are refused, or mean what is written again.
    #[test]
    fn any_bytes_are_refused_or_make_round_trips() {
        let head = (0_u8..5, any::<u8>(), any::<u8>(), 0_u8..8);
        let anything = (head, proptest::collection::vec(any::<u8>(), 0..20));
        runner(4_000)
            .run(&anything, |((form, size, offset, flags), rest)| {
                let mut bytes = vec![0, CODING_HEADER_BYTES as u8, form, size, offset, flags];
                bytes.extend_from_slice(&rest);
                let Ok(header) = CodingHeader::parse(&bytes) else { return Ok(()) };
                prop_assert_eq!(bytes.len(), CODING_HEADER_BYTES);
                let is_joined = form == 1 && flags & FLAG_JOINED != 0;
                if form != 1 && flags & FLAG_JOINED == 0 || is_joined {
                    prop_assert_eq!(&header.emit()[..], &bytes[..]);
                }
                prop_assert!(header.size == 0 || header.offset < header.size);
                Ok(())
            })
            .unwrap();
    }
}
