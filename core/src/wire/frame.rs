//! Frames: what crosses a hop. One datagram, or one length-prefixed piece of a stream.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+---------------+-------------------------------+
//! |version| kind  |     flags     |         connection            |
//! +-------+-------+---------------+-------------------------------+
//! |                            number                             |
//! +-------------------------------+-------------------------------+
//! |        timestamp (us)         |            RTT (us)           |
//! +-------------------------------+-------------------------------+
//! ```
//! Data frames go on with chunks (type u8, length u16, body); the packet chunk is the last one, so that a payload
//! can be handed over apart from the header. Hello and control frames go on with their one body.

use crate::wire::error::WireError;
use crate::wire::field::{get, put, take, take_slice};

/// Bytes of the frame header.
pub const FRAME_HEADER_BYTES: usize = 24;
/// Bytes of a chunk's header.
pub const CHUNK_HEADER_BYTES: usize = 3;
/// Bytes that every budget leaves for an authentication tag.
pub const SEAL_BYTES: usize = 16;
/// Bytes of UDP and IPv4 headers below a frame.
pub const UDP_IP_BYTES: usize = 28;
/// The version of everything on the wire.
pub const WIRE_VERSION: u8 = 1;

mod field {
    pub(super) const VERSION: usize = 0;
    pub(super) const KIND: usize = 1;
    pub(super) const FLAGS: usize = 2;
    pub(super) const CONNECTION: usize = 4;
    pub(super) const NUMBER: usize = 8;
    pub(super) const TIMESTAMP: usize = 16;
    pub(super) const RTT: usize = 20;
}

/// Kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// Chunks: packets, feedback, padding.
    Data = 0,
    /// Opens a hop.
    Hello = 1,
    /// Answers a hello.
    HelloAck = 2,
    /// Answers a hello-ack.
    HelloDone = 3,
    /// A control message or its acknowledgement.
    Control = 4,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: FrameKind,
    /// The receiver's id of the connection; 0 in the first hello.
    pub connection: u32,
    /// Counts every frame of the sender on this hop; never repeats within an incarnation.
    pub number: u64,
    /// The sender's clock, microseconds modulo 2^32.
    pub timestamp_us: u32,
    /// The sender's estimate of the round-trip time in microseconds; 0 while it has none.
    pub rtt_us: u32,
}

impl FrameHeader {
    /// Parses the header; returns it and what follows.
    ///
    /// # Errors
    /// Truncation, an unknown version, an unknown kind.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (header, rest) = take::<FRAME_HEADER_BYTES>(bytes)?;
        if header[field::VERSION] != WIRE_VERSION {
            return Err(WireError::UnknownVersion(header[field::VERSION]));
        }
        let kind = match header[field::KIND] {
            0 => FrameKind::Data,
            1 => FrameKind::Hello,
            2 => FrameKind::HelloAck,
            3 => FrameKind::HelloDone,
            4 => FrameKind::Control,
            other => return Err(WireError::UnknownKind(other)),
        };
        let parsed = Self {
            kind,
            connection: get!(header, field::CONNECTION, u32),
            number: get!(header, field::NUMBER, u64),
            timestamp_us: get!(header, field::TIMESTAMP, u32),
            rtt_us: get!(header, field::RTT, u32),
        };
        Ok((parsed, rest))
    }

    /// Writes the header to the first 24 bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) {
        let out = &mut out[..FRAME_HEADER_BYTES];
        out[field::VERSION] = WIRE_VERSION;
        out[field::KIND] = self.kind as u8;
        put!(out, field::FLAGS, 0_u16);
        put!(out, field::CONNECTION, self.connection);
        put!(out, field::NUMBER, self.number);
        put!(out, field::TIMESTAMP, self.timestamp_us);
        put!(out, field::RTT, self.rtt_us);
    }
}

/// Type of the packet chunk.
pub const CHUNK_PACKET: u8 = 1;
/// Type of the feedback chunk (congestion control).
pub const CHUNK_FEEDBACK: u8 = 2;
/// Type of padding.
pub const CHUNK_PADDING: u8 = 3;

/// Writes a chunk header to the first 3 bytes of `out`; `length` is that of the body, payload included.
///
/// # Panics
/// If `out` is shorter, or `length` does not fit 16 bits.
#[inline]
pub fn emit_chunk_header(out: &mut [u8], kind: u8, length: usize) {
    out[0] = kind;
    put!(out, 1, u16::try_from(length).expect("chunks fit frames"));
}

/// Walks the chunks of a data frame and returns the header part of its packet, if it has one.
///
/// `payload_len` bytes of payload follow `chunks` apart from them (0 when the datagram is in one piece). Feedback,
/// padding and unknown chunks before the packet are passed over.
///
/// # Errors
/// When lengths do not add up to exactly what is there, or a payload stands apart without a packet chunk.
#[inline]
pub fn find_packet(chunks: &[u8], payload_len: usize) -> Result<Option<&[u8]>, WireError> {
    let mut rest = chunks;
    while !rest.is_empty() {
        let (header, body) = take::<CHUNK_HEADER_BYTES>(rest)?;
        let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
        if header[0] == CHUNK_PACKET {
            // The packet is the last chunk: its length covers the rest of the header and the payload.
            if length != body.len() + payload_len {
                return Err(WireError::LengthMismatch);
            }
            return Ok(Some(body));
        }
        (_, rest) = take_slice(body, length)?;
    }
    if payload_len > 0 { Err(WireError::LengthMismatch) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader {
        kind: FrameKind::Data,
        connection: 0x0102_0304,
        number: 0x0506_0708_090A_0B0C,
        timestamp_us: 0x0D0E_0F10,
        rtt_us: 0x1112_1314,
    };

    const BYTES: [u8; FRAME_HEADER_BYTES] =
        [1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

    #[test]
    fn constructs_and_deconstructs() {
        let mut out = [0xFF; FRAME_HEADER_BYTES];
        HEADER.emit(&mut out);
        assert_eq!(out, BYTES);
        assert_eq!(FrameHeader::parse(&BYTES), Ok((HEADER, &[][..])));
    }

    #[test]
    fn every_truncation_is_refused() {
        for n in 0..FRAME_HEADER_BYTES {
            assert_eq!(
                FrameHeader::parse(&BYTES[..n]),
                Err(WireError::Truncated { need: FRAME_HEADER_BYTES, got: n })
            );
        }
    }

    #[test]
    fn unknown_versions_and_kinds_are_refused() {
        let mut bytes = BYTES;
        bytes[0] = 2;
        assert_eq!(FrameHeader::parse(&bytes), Err(WireError::UnknownVersion(2)));
        bytes[0] = 1;
        bytes[1] = 9;
        assert_eq!(FrameHeader::parse(&bytes), Err(WireError::UnknownKind(9)));
    }

    #[test]
    fn chunks_before_the_packet_are_passed_over() {
        // Feedback of 2 bytes, an unknown chunk of 0, padding of 1, then a packet of 4 + 10 bytes of payload apart.
        let chunks = [2, 0, 2, 7, 7, 99, 0, 0, 3, 0, 1, 0, 1, 0, 14, 1, 2, 3, 4];
        assert_eq!(find_packet(&chunks, 10), Ok(Some(&[1, 2, 3, 4][..])));
        assert_eq!(find_packet(&chunks, 9), Err(WireError::LengthMismatch));
        assert_eq!(find_packet(&chunks[..5], 0), Ok(None));
        assert_eq!(find_packet(&chunks[..5], 1), Err(WireError::LengthMismatch));
        for n in [1, 2, 4, 6, 7] {
            assert!(find_packet(&chunks[..n], 0).is_err(), "{n} bytes");
        }
    }
}
