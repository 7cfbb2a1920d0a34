//! Wire formats: what crosses a hop, byte for byte. All numbers are big endian.
//!
//! ```text
//! datagram hop:  one datagram = one frame
//! stream hop:    u32 length, frame, u32 length, frame, ..              stream
//!
//! frame    = frame header | body                                       frame
//!   data     body = chunk, chunk, .. ; a packet chunk is the last one
//!   hello*   body = hello                                              hello
//!   control  body = sequence, ack, at most one message                 control
//!   probe    body = probe, padding                                     probe
//! packet   = fixed part | one Pathlet | coding header, if any | payload
//!            packet       routing    coding
//! ```
//!
//! Each format is a struct that holds only what is legal, with `parse` and `emit`. Parsing checks the length
//! once and then reads fixed offsets; nothing on the packet path allocates. A field that is reserved is
//! written as zero and ignored when read. The reasons for each field are in `docs/protocol.md`.

pub mod acknowledgement;
pub mod coding;
pub mod control;
mod error;
pub mod frame;
pub mod hello;
pub mod packet;
pub mod preface;
pub mod pretty;
pub mod probe;
pub mod routing;
pub mod stream;
#[cfg(test)]
mod testing;

pub use coding::{CodedForm, CodingHeader};
pub use control::{ControlBody, ControlFrame, ControlMessage, Watching};
pub use error::{RouteFault, WireError};
pub use frame::{Chunk, Chunks, FrameHeader, FrameKind, find_packet};
pub use hello::Hello;
pub use packet::{PacketFlags, PacketHeader};
pub use preface::Preface;
pub use probe::{ProbeFrame, ProbeKind};
pub use routing::{PathletView, RouteLimits};
pub use stream::StreamReassembler;

/// Bytes of a data frame that carries one packet, without the Pathlet, the coding header and the payload.
pub const DATA_FIXED_BYTES: usize =
    frame::FRAME_HEADER_BYTES + frame::CHUNK_HEADER_BYTES + packet::PACKET_FIXED_BYTES;

/// Reads the first `N` bytes as an array and returns it with what follows.
#[inline(always)]
pub(crate) fn split_fixed<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), WireError> {
    bytes.split_first_chunk().ok_or(WireError::Truncated { need: N, got: bytes.len() })
}

/// Reads `width` bytes from a fixed offset; the compiler drops the bounds checks, since both are constants.
macro_rules! read {
    ($bytes:expr, $range:expr, $int:ty) => {{
        const RANGE: core::ops::Range<usize> = $range;
        const { assert!(RANGE.end - RANGE.start == size_of::<$int>(), "the range is as wide as the number") };
        let mut word = [0; size_of::<$int>()];
        word.copy_from_slice(&$bytes[RANGE]);
        <$int>::from_be_bytes(word)
    }};
}

/// Writes a number at a fixed offset.
macro_rules! write_at {
    ($bytes:expr, $range:expr, $value:expr) => {
        $bytes[$range].copy_from_slice(&$value.to_be_bytes())
    };
}
pub(crate) use {read, write_at};
