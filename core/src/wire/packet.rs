//! Packets: one emission of a session's content on one flow.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------------------------------+-------------------------------+
//! | conference                    | session                       |
//! +---------------+---------------+-------------------------------+
//! | epoch         | flow          | number ..
//! +---------------+---------------+-------------------------------+
//!  .. number                      | symbol ..
//! +-------------------------------+-------------------------------+
//!  .. symbol                      | timestamp, ns ..
//! +-------------------------------+-------+-----------------------+
//!  .. timestamp                   | flags | object ..
//! +-------------------------------+-------+-----------------------+
//!  ..     | index                         | count ..
//! +-------+-------------------------------+-----------------------+
//!  ..     | Pathlet, coding header if flagged, payload
//! ```
//! Relays pass the fixed part on as it is; only the Pathlet changes on the way.

use super::{WireError, read, split_fixed, write_at};
use crate::ids::{ConferenceId, Epoch, FlowId, SessionId, SessionKey};
use core::fmt;

/// Bytes of the part before the Pathlet.
pub const PACKET_FIXED_BYTES: usize = 49;

mod field {
    use core::ops::Range;
    pub(super) const CONFERENCE: Range<usize> = 0..4;
    pub(super) const SESSION: Range<usize> = 4..8;
    pub(super) const EPOCH: Range<usize> = 8..10;
    pub(super) const FLOW: Range<usize> = 10..12;
    pub(super) const NUMBER: Range<usize> = 12..20;
    pub(super) const SYMBOL: Range<usize> = 20..28;
    pub(super) const TIMESTAMP: Range<usize> = 28..36;
    pub(super) const FLAGS: usize = 36;
    pub(super) const OBJECT: Range<usize> = 37..41;
    pub(super) const INDEX: Range<usize> = 41..45;
    pub(super) const COUNT: Range<usize> = 45..49;
}

/// The flags of a packet. Bits without a name are kept as they came, so that relays pass them on.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct PacketFlags(pub u8);

impl PacketFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// A coding header stands between Pathlet and payload.
    pub const CODED: Self = Self(1 << 0);
    /// The packet queues in the bulk lane (tail drop), not in the live one (head drop).
    pub const BULK: Self = Self(1 << 1);
    /// The symbol was sent before.
    pub const REPEAT: Self = Self(1 << 2);
    /// The payload is an acknowledgement of the session, on its way to the source.
    pub const ACKNOWLEDGEMENT: Self = Self(1 << 3);

    /// Whether all flags of `other` are set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns these flags without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns these flags and those of `other`.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for PacketFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PacketFlags {
    /// Prints the names of the flags that are set, with `+` between them, and `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::CODED, "coded"),
            (Self::BULK, "bulk"),
            (Self::REPEAT, "repeat"),
            (Self::ACKNOWLEDGEMENT, "acknowledgement"),
        ];
        let mut left = self.0;
        let mut separator = "";
        for (flag, name) in named {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "+";
                left &= !flag.0;
            }
        }
        match (left, self.0) {
            (_, 0) => f.write_str("-"),
            (0, _) => Ok(()),
            _ => write!(f, "{separator}{left:#04x}"),
        }
    }
}

/// The fixed part of a packet. It belongs to the session and is the same on every hop.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// The session.
    pub key: SessionKey,
    /// Raised by the source at a restart: numbers and symbols start again.
    pub epoch: Epoch,
    /// The flow that the packet was drawn for.
    pub flow: FlowId,
    /// Numbers the session's emissions; the copies of one emission share it.
    pub number: u64,
    /// The unit of content: what is delivered and acknowledged.
    pub symbol: u64,
    /// The source's clock when the symbol came to be, in nanoseconds.
    pub timestamp_ns: u64,
    /// How the packet is to be treated.
    pub flags: PacketFlags,
    /// The application's object that the symbol is part of: a frame, a message, a file.
    pub object: u32,
    /// Place of the symbol in the object. Not checked against `count` here: relays do not care.
    pub index: u32,
    /// Symbols of the object.
    pub count: u32,
}

impl PacketHeader {
    /// Reads the fixed part and returns it with what follows: Pathlet, coding header, payload.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`PACKET_FIXED_BYTES`].
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (head, rest) = split_fixed::<PACKET_FIXED_BYTES>(bytes)?;
        let header = Self {
            key: SessionKey {
                conference: ConferenceId(read!(head, field::CONFERENCE, u32)),
                session: SessionId(read!(head, field::SESSION, u32)),
            },
            epoch: Epoch(read!(head, field::EPOCH, u16)),
            flow: FlowId(read!(head, field::FLOW, u16)),
            number: read!(head, field::NUMBER, u64),
            symbol: read!(head, field::SYMBOL, u64),
            timestamp_ns: read!(head, field::TIMESTAMP, u64),
            flags: PacketFlags(head[field::FLAGS]),
            object: read!(head, field::OBJECT, u32),
            index: read!(head, field::INDEX, u32),
            count: read!(head, field::COUNT, u32),
        };
        Ok((header, rest))
    }

    /// Writes the fixed part to the first [`PACKET_FIXED_BYTES`] of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) {
        let out: &mut [u8; PACKET_FIXED_BYTES] =
            out.first_chunk_mut().expect("the caller gives room for a packet's fixed part");
        write_at!(out, field::CONFERENCE, self.key.conference.0);
        write_at!(out, field::SESSION, self.key.session.0);
        write_at!(out, field::EPOCH, self.epoch.0);
        write_at!(out, field::FLOW, self.flow.0);
        write_at!(out, field::NUMBER, self.number);
        write_at!(out, field::SYMBOL, self.symbol);
        write_at!(out, field::TIMESTAMP, self.timestamp_ns);
        out[field::FLAGS] = self.flags.0;
        write_at!(out, field::OBJECT, self.object);
        write_at!(out, field::INDEX, self.index);
        write_at!(out, field::COUNT, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    fn headers() -> impl Strategy<Value = PacketHeader> {
        let session = (any::<u32>(), any::<u32>(), any::<u16>(), any::<u16>());
        let symbol = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u8>());
        let object = (any::<u32>(), any::<u32>(), any::<u32>());
        (session, symbol, object).prop_map(
            |((conference, session, epoch, flow), (number, symbol, timestamp_ns, flags), object)| {
                PacketHeader {
                    key: SessionKey::new(conference, session),
                    epoch: Epoch(epoch),
                    flow: FlowId(flow),
                    number,
                    symbol,
                    timestamp_ns,
                    flags: PacketFlags(flags),
                    object: object.0,
                    index: object.1,
                    count: object.2,
                }
            },
        )
    }

    #[test]
    fn the_fixed_part_is_as_documented() {
        let golden = hex("00000001 00000002 0003 0004 0000000000000005 0000000000000006
                          000000003B9ACA00 06 00000007 00000008 00000009");
        let header = PacketHeader {
            key: SessionKey::new(1, 2),
            epoch: Epoch(3),
            flow: FlowId(4),
            number: 5,
            symbol: 6,
            timestamp_ns: 1_000_000_000,
            flags: PacketFlags::BULK.with(PacketFlags::REPEAT),
            object: 7,
            index: 8,
            count: 9,
        };
        let mut out = [0xFF; PACKET_FIXED_BYTES];
        header.emit(&mut out);
        assert_eq!(out[..], golden);
        assert_eq!(PacketHeader::parse(&golden), Ok((header, &[][..])));
    }

    #[test]
    fn packets_make_round_trips_and_unknown_flags_stay() {
        runner(1000)
            .run(&headers(), |header| {
                let mut out = [0; PACKET_FIXED_BYTES + 1];
                header.emit(&mut out);
                prop_assert_eq!(PacketHeader::parse(&out), Ok((header, &[0][..])));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn every_truncated_length_is_refused() {
        for got in 0..PACKET_FIXED_BYTES {
            let refused = WireError::Truncated { need: PACKET_FIXED_BYTES, got };
            assert_eq!(PacketHeader::parse(&[0; PACKET_FIXED_BYTES][..got]), Err(refused));
        }
    }

    #[test]
    fn flags_print_by_name() {
        assert_eq!(PacketFlags::NONE.to_string(), "-");
        assert_eq!(PacketFlags(0b1111).to_string(), "coded+bulk+repeat+acknowledgement");
        assert_eq!(PacketFlags(0b1001_0010).to_string(), "bulk+0x90");
        assert_eq!(PacketFlags(0x80).to_string(), "0x80");
        assert!(!PacketFlags::BULK.contains(PacketFlags::BULK.with(PacketFlags::CODED)));
    }
}
