//! Frames: what crosses a hop in one datagram, or as one length-prefixed piece of a stream.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+---------------+-------------------------------+
//! |version| kind  | flags         | connection                    |
//! +-------+-------+---------------+-------------------------------+
//! | number                                                        |
//! +-------------------------------+-------------------------------+
//! | timestamp, us                 | rtt, us                       |
//! +-------------------------------+-------------------------------+
//! | body ..
//! ```
//! The body of a data frame is chunks, each with a header of its own:
//! ```text
//! +-------+---------------+---------------
//! | type  | length        | body: `length` bytes
//! +-------+---------------+---------------
//! ```
//! A packet chunk is the last chunk of its frame, so that a frame can be handed on in two parts: all headers,
//! and the packet's payload, which is then shared between copies and never moved.

use super::{WireError, read, split_fixed, write_at};
use core::fmt;

/// Bytes of the header that opens every frame.
pub const FRAME_HEADER_BYTES: usize = 24;
/// Bytes of the header that opens every chunk.
pub const CHUNK_HEADER_BYTES: usize = 3;
/// Bytes to leave free around every frame for sealing: 8 in front, which name key and counter, and a tag of 16 behind.
pub const SEAL_BYTES: usize = 24;
/// Bytes that UDP (8) and IPv4 (20) put around a frame.
pub const UDP_IP_BYTES: usize = 28;
/// The protocol version in the frames of this build.
pub const VERSION: u8 = 1;

mod field {
    use core::ops::Range;
    pub(super) const VERSION: usize = 0;
    pub(super) const KIND: usize = 1;
    pub(super) const FLAGS: Range<usize> = 2..4;
    pub(super) const CONNECTION: Range<usize> = 4..8;
    pub(super) const NUMBER: Range<usize> = 8..16;
    pub(super) const TIMESTAMP: Range<usize> = 16..20;
    pub(super) const RTT: Range<usize> = 20..24;
}

/// What a frame's body is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// Chunks: packets and feedback.
    Data = 0,
    /// Opens a hop: first message of the exchange.
    Hello = 1,
    /// Answers a hello.
    HelloAck = 2,
    /// Answers the answer; both ends then know the hop.
    HelloDone = 3,
    /// A numbered control message, an acknowledgement of such, or both.
    Control = 4,
    /// Measures the way: a probe, or what answers it.
    Probe = 5,
}

impl FrameKind {
    /// Returns the kind that the number stands for.
    #[inline]
    #[must_use]
    pub const fn from_u8(kind: u8) -> Option<Self> {
        match kind {
            0 => Some(Self::Data),
            1 => Some(Self::Hello),
            2 => Some(Self::HelloAck),
            3 => Some(Self::HelloDone),
            4 => Some(Self::Control),
            5 => Some(Self::Probe),
            _ => None,
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Hello => "hello",
            Self::HelloAck => "hello-ack",
            Self::HelloDone => "hello-done",
            Self::Control => "control",
            Self::Probe => "probe",
        })
    }
}

/// The marks of a frame. Bits without a name are not kept.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameFlags(pub u16);

impl FrameFlags {
    /// The frame belongs to a hop under congestion control. Such hops share their ports with those that have none.
    pub const PACED: Self = Self(1 << 0);

    /// Whether the frame belongs to a hop under congestion control.
    #[inline]
    #[must_use]
    pub const fn is_paced(self) -> bool {
        self.0 & Self::PACED.0 != 0
    }

    /// Reads the mark of a datagram whose header nobody has checked yet; what is no frame of this version has none.
    #[inline]
    #[must_use]
    pub fn peek(datagram: &[u8]) -> Self {
        match datagram {
            [VERSION, _, high, low, ..] => Self(u16::from_be_bytes([*high, *low])),
            _ => Self(0),
        }
    }
}

/// The header of a frame. It belongs to the connection between two nodes, not to any session.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the body is.
    pub kind: FrameKind,
    /// Marks of the frame.
    pub flags: FrameFlags,
    /// The receiver's id of the connection, learnt from its hello; 0 in a hello to a stranger.
    pub connection: u32,
    /// Counts every frame of the connection; never repeats within an incarnation of the sender.
    pub number: u64,
    /// The sender's clock when it handed the frame out, in microseconds, modulo 2^32 (about 71 minutes).
    pub timestamp_us: u32,
    /// The sender's estimate of the hop's round-trip time in microseconds; 0 while it has none.
    pub rtt_us: u32,
}

impl FrameHeader {
    /// Reads the header and returns it with the body.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`FRAME_HEADER_BYTES`], [`WireError::UnknownVersion`],
    /// [`WireError::UnknownKind`].
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (head, rest) = split_fixed::<FRAME_HEADER_BYTES>(bytes)?;
        if head[field::VERSION] != VERSION {
            return Err(WireError::UnknownVersion(head[field::VERSION]));
        }
        let kind = FrameKind::from_u8(head[field::KIND]).ok_or(WireError::UnknownKind(head[field::KIND]))?;
        let header = Self {
            kind,
            flags: FrameFlags(read!(head, field::FLAGS, u16) & FrameFlags::PACED.0),
            connection: read!(head, field::CONNECTION, u32),
            number: read!(head, field::NUMBER, u64),
            timestamp_us: read!(head, field::TIMESTAMP, u32),
            rtt_us: read!(head, field::RTT, u32),
        };
        Ok((header, rest))
    }

    /// Writes the header to the first [`FRAME_HEADER_BYTES`] of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) {
        let out: &mut [u8; FRAME_HEADER_BYTES] =
            out.first_chunk_mut().expect("the caller gives room for a frame header");
        out[field::VERSION] = VERSION;
        out[field::KIND] = self.kind as u8;
        write_at!(out, field::FLAGS, self.flags.0);
        write_at!(out, field::CONNECTION, self.connection);
        write_at!(out, field::NUMBER, self.number);
        write_at!(out, field::TIMESTAMP, self.timestamp_us);
        write_at!(out, field::RTT, self.rtt_us);
    }
}

/// The number of a packet chunk.
pub const CHUNK_PACKET: u8 = 1;
/// The number of a feedback chunk.
pub const CHUNK_FEEDBACK: u8 = 2;
/// The number of a padding chunk.
pub const CHUNK_PADDING: u8 = 3;

/// One chunk of a data frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// A packet: its headers, and its payload unless that is handed over apart.
    Packet(&'a [u8]),
    /// What the hop's receiver tells its sender about the frames that arrived.
    Feedback(&'a [u8]),
    /// This many bytes that mean nothing.
    Padding(usize),
    /// A chunk of a later version: number and body, to be skipped.
    Unknown(u8, &'a [u8]),
}

/// Walks the chunks of a data frame's body; it ends after the first error.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    payload_len: usize,
}

impl<'a> Chunks<'a> {
    /// Walks `rest`, a whole body.
    #[inline]
    #[must_use]
    pub const fn new(rest: &'a [u8]) -> Self {
        Self::with_payload(rest, 0)
    }

    /// Walks a body whose last `payload_len` bytes are held elsewhere: `header_rest` is what stands before.
    #[inline]
    #[must_use]
    pub const fn with_payload(header_rest: &'a [u8], payload_len: usize) -> Self {
        Self { rest: header_rest, payload_len }
    }

    #[inline]
    fn step(&mut self) -> Result<Chunk<'a>, WireError> {
        let (head, body) = split_fixed::<CHUNK_HEADER_BYTES>(self.rest)?;
        let declared = usize::from(read!(head, 1..3, u16));
        if head[0] == CHUNK_PACKET {
            let got = body.len() + self.payload_len;
            if declared != got {
                return Err(WireError::LengthMismatch { declared, got });
            }
            self.rest = &[];
            self.payload_len = 0;
            return Ok(Chunk::Packet(body));
        }
        let (body, rest) = body
            .split_at_checked(declared)
            .ok_or(WireError::Truncated { need: CHUNK_HEADER_BYTES + declared, got: self.rest.len() })?;
        self.rest = rest;
        Ok(match head[0] {
            CHUNK_FEEDBACK => Chunk::Feedback(body),
            CHUNK_PADDING => Chunk::Padding(body.len()),
            other => Chunk::Unknown(other, body),
        })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            // A payload that no packet chunk announced belongs to nothing.
            let got = core::mem::take(&mut self.payload_len);
            return (got > 0).then_some(Err(WireError::LengthMismatch { declared: 0, got }));
        }
        let chunk = self.step();
        if chunk.is_err() {
            (self.rest, self.payload_len) = (&[], 0);
        }
        Some(chunk)
    }
}

/// Returns the header part of the packet in a data frame's body, or `None` when the frame carries none.
///
/// `header_rest`: the body up to the packet's payload, in bytes; `payload_len`: bytes of payload that are held
/// apart, 0 when `header_rest` is the whole body. The packet chunk must be the last, and its declared length
/// must be that of its header part and the payload together.
///
/// # Errors
/// [`WireError::Truncated`] for a chunk that ends early, [`WireError::LengthMismatch`] for a packet chunk
/// whose length does not lead exactly to the end, or a payload without a packet chunk.
#[inline]
pub fn find_packet(header_rest: &[u8], payload_len: usize) -> Result<Option<&[u8]>, WireError> {
    Ok(find_parts(header_rest, payload_len)?.packet)
}

/// What a data frame carries for the node that it came to.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The header part of its packet.
    pub packet: Option<&'a [u8]>,
    /// The peer's last report.
    pub feedback: Option<&'a [u8]>,
}

/// Returns the parts of a data frame's body; arguments and errors as with [`find_packet`].
///
/// # Errors
/// As [`find_packet`].
#[inline]
pub fn find_parts(header_rest: &[u8], payload_len: usize) -> Result<Parts<'_>, WireError> {
    let mut parts = Parts::default();
    for chunk in Chunks::with_payload(header_rest, payload_len) {
        match chunk? {
            Chunk::Packet(header) => parts.packet = Some(header),
            Chunk::Feedback(report) => parts.feedback = Some(report),
            Chunk::Padding(_) | Chunk::Unknown(..) => {}
        }
    }
    Ok(parts)
}

/// Writes a chunk's header to the first [`CHUNK_HEADER_BYTES`] of `out`.
///
/// `kind`: the chunk's number, such as [`CHUNK_PACKET`]; `body_len`: bytes of the body, payload included.
///
/// # Panics
/// If `out` is shorter.
#[inline]
pub fn emit_chunk_header(out: &mut [u8], kind: u8, body_len: u16) {
    let out: &mut [u8; CHUNK_HEADER_BYTES] =
        out.first_chunk_mut().expect("the caller gives room for a chunk header");
    out[0] = kind;
    write_at!(out, 1..3, body_len);
}

#[cfg(test)]
mod tests;
