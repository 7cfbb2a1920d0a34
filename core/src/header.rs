//! The header bytes of one packet on its way through a node, held inline.
//!
//! A packet is written once into the slot of a feeder, with room left before it for what the hop adds when it is
//! sent (length prefix of stream hops, frame header, chunk header). Sending fills that room in place.

use crate::hop::STREAM_FRAME_BYTES_MAX;
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use crate::wire::packet::PACKET_FIXED_BYTES;
use crate::wire::stream::STREAM_PREFIX_BYTES;

/// Room before the packet for prefix, frame header and chunk header.
pub const HEADROOM: usize = STREAM_PREFIX_BYTES + FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES;
/// Most bytes of packet header, Pathlet and coding header together.
pub const PACKET_HEADER_BYTES_MAX: usize = 225;
/// Most bytes of one Pathlet and the coding header behind it.
pub const PATHLET_BYTES_MAX: usize = PACKET_HEADER_BYTES_MAX - PACKET_FIXED_BYTES;
/// Largest payload of a symbol, so that the largest packet fits a frame on any hop.
pub const SYMBOL_BYTES_MAX: u32 =
    (STREAM_FRAME_BYTES_MAX - FRAME_HEADER_BYTES - CHUNK_HEADER_BYTES - PACKET_HEADER_BYTES_MAX) as u32;
/// Size of the inline buffer.
pub const HEADER_BYTES_MAX: usize = HEADROOM + PACKET_HEADER_BYTES_MAX;

/// Header bytes with headroom. Nothing is allocated.
#[derive(Clone)]
pub struct HeaderBuf {
    len: u16,
    bytes: [u8; HEADER_BYTES_MAX],
}

impl Default for HeaderBuf {
    fn default() -> Self {
        Self { len: HEADROOM as u16, bytes: [0; HEADER_BYTES_MAX] }
    }
}

impl HeaderBuf {
    /// Forgets the packet; the headroom stays.
    #[inline]
    pub fn clear(&mut self) {
        self.len = HEADROOM as u16;
    }

    /// Sets the packet's header to `fixed_len` bytes written by `emit`, then `routing`, then `rest`.
    ///
    /// Returns `false`, and leaves the buffer empty, when they do not fit.
    #[inline]
    #[must_use]
    pub fn write(
        &mut self,
        fixed_len: usize,
        emit: impl FnOnce(&mut [u8]),
        routing: &[u8],
        rest: &[u8],
    ) -> bool {
        let total = fixed_len + routing.len() + rest.len();
        if total > PACKET_HEADER_BYTES_MAX {
            self.clear();
            return false;
        }
        let packet = &mut self.bytes[HEADROOM..HEADROOM + total];
        emit(&mut packet[..fixed_len]);
        packet[fixed_len..fixed_len + routing.len()].copy_from_slice(routing);
        packet[fixed_len + routing.len()..].copy_from_slice(rest);
        self.len = (HEADROOM + total) as u16;
        true
    }

    /// Moves the packet's header back by `bytes`, so that as much more room is before it, and returns whether that
    /// fits. The packet is about to be sent: [`HeaderBuf::packet`] no longer finds it.
    #[inline]
    #[must_use]
    pub fn make_gap(&mut self, bytes: usize) -> bool {
        let end = usize::from(self.len);
        if end + bytes > HEADER_BYTES_MAX {
            return false;
        }
        self.bytes.copy_within(HEADROOM..end, HEADROOM + bytes);
        self.len = (end + bytes) as u16;
        true
    }

    /// Returns the packet's header bytes.
    #[inline]
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        &self.bytes[HEADROOM..usize::from(self.len)]
    }

    /// Returns the whole buffer up to the end of the packet, headroom included, to be filled in place.
    #[inline]
    pub fn with_headroom(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.len)]
    }
}

impl core::fmt::Debug for HeaderBuf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "HeaderBuf({:02x?})", self.packet())
    }
}
