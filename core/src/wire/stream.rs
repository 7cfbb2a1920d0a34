//! Stream hops: frames with a length prefix (u32), cut anywhere by the transport.

use crate::wire::error::WireError;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the length prefix.
const PREFIX_BYTES: usize = 4;

/// Puts frames together again from the chunks of a byte stream.
///
/// A frame that lies inside one chunk is a slice of it; only a frame across chunks is copied. What is kept is
/// bounded by one frame and one chunk. After an error the stream cannot be trusted: close it.
#[derive(Debug)]
pub struct StreamReassembler {
    frame_bytes_max: usize,
    /// The beginning of a frame whose end has not come.
    partial: BytesMut,
    chunk: Bytes,
}

impl StreamReassembler {
    /// Returns a reassembler that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, partial: BytesMut::new(), chunk: Bytes::new() }
    }

    /// Takes a chunk in. Call [`Self::next_frame`] until it returns `None` before the next one.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk was used up");
        self.chunk = chunk;
    }

    /// Returns the next whole frame, without its prefix.
    ///
    /// # Errors
    /// When a prefix says more than the limit.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        if self.partial.is_empty() {
            if let Some(length) = self.announced(&self.chunk)?
                && self.chunk.len() >= PREFIX_BYTES + length
            {
                self.chunk.advance(PREFIX_BYTES);
                return Ok(Some(self.chunk.split_to(length)));
            }
            self.partial.extend_from_slice(&self.chunk);
            self.chunk.clear();
            return Ok(None);
        }
        // Complete the prefix first, then the frame that it announces.
        self.fill_to(PREFIX_BYTES);
        let Some(length) = self.announced(&self.partial)? else { return Ok(None) };
        self.fill_to(PREFIX_BYTES + length);
        if self.partial.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        let mut frame = core::mem::take(&mut self.partial);
        frame.advance(PREFIX_BYTES);
        Ok(Some(frame.freeze()))
    }

    fn fill_to(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }

    fn announced(&self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > self.frame_bytes_max {
            return Err(WireError::TooLong { most: self.frame_bytes_max, got: length });
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn frames_survive_any_cutting() {
        // 500 frames of 0 to 300 bytes, cut into chunks of 1 to 700 bytes.
        let mut stream = Seed(4).stream("cuts");
        let frames: Vec<Vec<u8>> = (0..500).map(|i| vec![i as u8; stream.below(300) as usize]).collect();
        let mut bytes = Vec::new();
        for frame in &frames {
            bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        let mut reassembler = StreamReassembler::new(1_000);
        let mut rest = Bytes::from(bytes);
        let mut got = Vec::new();
        while !rest.is_empty() {
            let cut = (1 + stream.below(700) as usize).min(rest.len());
            reassembler.push(rest.split_to(cut));
            while let Some(frame) = reassembler.next_frame().unwrap() {
                got.push(frame.to_vec());
            }
        }
        assert_eq!(got, frames);
    }

    #[test]
    fn a_frame_inside_one_chunk_is_not_copied() {
        let chunk = Bytes::from(vec![0, 0, 0, 2, 7, 8]);
        let inside = chunk.as_ptr() as usize + 4;
        let mut reassembler = StreamReassembler::new(10);
        reassembler.push(chunk);
        assert_eq!(reassembler.next_frame().unwrap().unwrap().as_ptr() as usize, inside);
    }

    #[test]
    fn too_long_frames_are_refused_before_anything_is_kept() {
        let mut reassembler = StreamReassembler::new(10);
        reassembler.push(Bytes::from(vec![0xFF, 0xFF, 0xFF, 0xFF, 1]));
        assert!(reassembler.next_frame().is_err());
    }
}
