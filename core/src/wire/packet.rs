//! Packets: what belongs to a session. Fixed part, one Pathlet, then the optional coding header, then payload.
//!
//! ```text
//!  0               2               4               6
//! +-------------------------------+-------------------------------+
//! |          conference           |            session            |
//! +---------------+---------------+-------------------------------+
//! |     epoch     |     flow      |         packet number ...
//! +---------------+---------------+-------------------------------+
//!   ... packet number             |            symbol ...
//! +-------------------------------+-------------------------------+
//!   ... symbol                    |   source timestamp (ns) ...
//! +-------------------------------+-------+-----------------------+
//!   ... source timestamp          | flags |    object ...
//! +-------------------------------+-------+-----------------------+
//!   index (u32), count (u32): 49 bytes in all
//! ```

use crate::ids::{ConferenceId, Epoch, FlowId, SessionId, SessionKey};
use crate::wire::error::WireError;
use crate::wire::field::{get, put, take};

/// Bytes of the fixed part.
pub const PACKET_FIXED_BYTES: usize = 49;

mod field {
    pub(super) const CONFERENCE: usize = 0;
    pub(super) const SESSION: usize = 4;
    pub(super) const EPOCH: usize = 8;
    pub(super) const FLOW: usize = 10;
    pub(super) const NUMBER: usize = 12;
    pub(super) const SYMBOL: usize = 20;
    pub(super) const TIMESTAMP: usize = 28;
    pub(super) const FLAGS: usize = 36;
    pub(super) const OBJECT: usize = 37;
    pub(super) const INDEX: usize = 41;
    pub(super) const COUNT: usize = 45;
}

/// Flags of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketFlags(pub u8);

impl PacketFlags {
    /// A coding header follows the Pathlet.
    pub const CODED: Self = Self(1);
    /// The packet travels in the bulk lane.
    pub const BULK: Self = Self(2);
    /// The symbol was sent before.
    pub const REPEAT: Self = Self(4);
    /// The packet is an acknowledgement of a session, not content.
    pub const ACKNOWLEDGEMENT: Self = Self(8);

    /// Whether all flags of `other` are set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns both sets of flags together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The fixed part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Its session.
    pub key: SessionKey,
    /// The session's epoch.
    pub epoch: Epoch,
    /// The flow it was drawn for.
    pub flow: FlowId,
    /// New for every emission; sibling copies share it.
    pub number: u64,
    /// The unit of content that it carries.
    pub symbol: u64,
    /// When that content was created: the source's clock, nanoseconds.
    pub timestamp_ns: u64,
    /// Flags.
    pub flags: PacketFlags,
    /// The application's object (video frame, message, file) that the symbol is part of.
    pub object: u32,
    /// Which symbol of the object, from 0.
    pub index: u32,
    /// How many symbols the object has.
    pub count: u32,
}

impl PacketHeader {
    /// Parses the fixed part; returns it and what follows (the Pathlet first).
    ///
    /// # Errors
    /// Truncation only: every value of every field is legal here.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (fixed, rest) = take::<PACKET_FIXED_BYTES>(bytes)?;
        let parsed = Self {
            key: SessionKey {
                conference: ConferenceId(get!(fixed, field::CONFERENCE, u32)),
                session: SessionId(get!(fixed, field::SESSION, u32)),
            },
            epoch: Epoch(get!(fixed, field::EPOCH, u16)),
            flow: FlowId(get!(fixed, field::FLOW, u16)),
            number: get!(fixed, field::NUMBER, u64),
            symbol: get!(fixed, field::SYMBOL, u64),
            timestamp_ns: get!(fixed, field::TIMESTAMP, u64),
            flags: PacketFlags(fixed[field::FLAGS]),
            object: get!(fixed, field::OBJECT, u32),
            index: get!(fixed, field::INDEX, u32),
            count: get!(fixed, field::COUNT, u32),
        };
        Ok((parsed, rest))
    }

    /// Writes the fixed part to the first 49 bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) {
        let out = &mut out[..PACKET_FIXED_BYTES];
        put!(out, field::CONFERENCE, self.key.conference.0);
        put!(out, field::SESSION, self.key.session.0);
        put!(out, field::EPOCH, self.epoch.0);
        put!(out, field::FLOW, self.flow.0);
        put!(out, field::NUMBER, self.number);
        put!(out, field::SYMBOL, self.symbol);
        put!(out, field::TIMESTAMP, self.timestamp_ns);
        out[field::FLAGS] = self.flags.0;
        put!(out, field::OBJECT, self.object);
        put!(out, field::INDEX, self.index);
        put!(out, field::COUNT, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructs_and_deconstructs() {
        let header = PacketHeader {
            key: SessionKey::new(0x0102_0304, 0x0506_0708),
            epoch: Epoch(0x090A),
            flow: FlowId(0x0B0C),
            number: 0x0D0E_0F10_1112_1314,
            symbol: 0x1516_1718_191A_1B1C,
            timestamp_ns: 0x1D1E_1F20_2122_2324,
            flags: PacketFlags::CODED.with(PacketFlags(0x24)),
            object: 0x2627_2829,
            index: 0x2A2B_2C2D,
            count: 0x2E2F_3031,
        };
        let mut out = [0; PACKET_FIXED_BYTES];
        header.emit(&mut out);
        let expected: Vec<u8> = (1..=49).collect();
        assert_eq!(out.to_vec(), expected);
        assert_eq!(PacketHeader::parse(&out), Ok((header, &[][..])));
        for n in 0..PACKET_FIXED_BYTES {
            assert!(PacketHeader::parse(&out[..n]).is_err(), "{n} bytes");
        }
    }
}
