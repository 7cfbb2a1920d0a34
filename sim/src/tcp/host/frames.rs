//! The frames of a stream: what its bytes are, without being bytes.

use bellini_core::payload::Payload;
use bellini_core::wire::stream::STREAM_PREFIX_BYTES;
use std::collections::VecDeque;

/// A frame that was handed to the connection and has not come out of it.
#[derive(Debug)]
struct Frame {
    /// The place in the stream behind its last byte.
    end: u64,
    header_bytes: u32,
    payload: Payload,
    is_packet: bool,
}

/// The frames of one direction, in order. Their header bytes lie behind one another, and nothing is allocated for a
/// frame once the queue is as long as it gets.
#[derive(Debug, Default)]
pub(super) struct Frames {
    list: VecDeque<Frame>,
    headers: VecDeque<u8>,
    /// The place in the stream at which the next frame begins.
    end: u64,
    packets: u64,
}

impl Frames {
    /// Returns those of a stream that begins with `bytes` bytes of something else.
    pub(super) fn behind(bytes: u64) -> Self {
        Self { end: bytes, ..Self::default() }
    }

    /// Appends a frame whose `header` begins with its length; returns the bytes that it takes.
    pub(super) fn push(&mut self, header: &[u8], payload: Payload, is_packet: bool) -> u64 {
        let bytes = (header.len() + payload.len()) as u64;
        self.end += bytes;
        let header = header.get(STREAM_PREFIX_BYTES..).unwrap_or_default();
        self.headers.extend(header);
        self.packets += u64::from(is_packet);
        self.list.push_back(Frame { end: self.end, header_bytes: header.len() as u32, payload, is_packet });
        bytes
    }

    /// Takes the next frame out, if all of it lies before `place`: its header goes to `header`. Returns its payload,
    /// and whether it carries a packet of a session.
    pub(super) fn pop(&mut self, place: u64, header: &mut Vec<u8>) -> Option<(Payload, bool)> {
        let frame = self.list.pop_front_if(|frame| frame.end <= place)?;
        header.clear();
        header.extend(self.headers.drain(..frame.header_bytes as usize));
        self.packets -= u64::from(frame.is_packet);
        Some((frame.payload, frame.is_packet))
    }

    /// Drops those that end behind `place`; returns how many of them carry a packet of a session.
    pub(super) fn cut(&mut self, place: u64) -> u64 {
        let before = self.packets;
        while let Some(frame) = self.list.pop_back_if(|frame| frame.end > place) {
            self.headers.truncate(self.headers.len() - frame.header_bytes as usize);
            self.packets -= u64::from(frame.is_packet);
        }
        before - self.packets
    }

    /// Returns how many carry a packet of a session.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Shows the header of each that carries a packet of a session to `f`.
    pub(super) fn for_each_packet(&self, f: &mut dyn FnMut(&[u8])) {
        let mut bytes = self.headers.iter();
        for frame in &self.list {
            let header: Vec<u8> = bytes.by_ref().take(frame.header_bytes as usize).copied().collect();
            if frame.is_packet {
                f(&header);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Aim: a frame comes out when its last byte has come, and what was not sent can be dropped from behind.
    #[test]
    fn frames_come_out_in_order_as_the_stream_does() {
        let mut frames = Frames::behind(16);
        let payload = |len| Payload::Bytes(Bytes::from(vec![9; len]));
        assert_eq!(frames.push(b"LLLLone", payload(10), true), 17);
        frames.push(b"LLLLthree", payload(0), false);
        frames.push(b"LLLLfive", payload(5), true);
        let mut header = Vec::new();
        assert!(frames.pop(32, &mut header).is_none());
        assert_eq!(frames.pop(33, &mut header), Some((payload(10), true)));
        assert_eq!(header, b"one");
        assert_eq!((frames.cut(42), frames.packets()), (1, 0));
        assert_eq!(frames.pop(42, &mut header), Some((payload(0), false)));
        assert_eq!(header, b"three");
        assert!(frames.headers.is_empty());
    }
}
