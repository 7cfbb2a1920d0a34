//! Stream hops: frames behind one another in a byte stream, each after its length.
//!
//! ```text
//! +-------------------------------+-----------------------
//! | length                        | frame: `length` bytes
//! +-------------------------------+-----------------------
//! ```

use super::WireError;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Bytes of the length before each frame.
pub const STREAM_PREFIX_BYTES: usize = 4;

/// Returns the bytes that go before a frame of `frame_len` bytes.
#[inline]
#[must_use]
pub const fn stream_prefix(frame_len: u32) -> [u8; STREAM_PREFIX_BYTES] {
    frame_len.to_be_bytes()
}

/// Cuts a byte stream, which arrives in chunks of any size, back into frames.
///
/// A frame that lies inside one chunk is handed out as a part of it, without a copy. One that goes over several
/// is gathered; then only its own bytes are kept, so that a peer that sends byte by byte cannot make each byte
/// hold on to a receive buffer. After each [`push`](Self::push), call [`next_frame`](Self::next_frame) until it
/// returns `None`: at most one incomplete frame is then held.
#[derive(Debug)]
pub struct StreamReassembler {
    frame_bytes_max: usize,
    /// The beginning of a frame, prefix included, whose end has not come yet.
    partial: BytesMut,
    chunks: VecDeque<Bytes>,
    failed: Option<WireError>,
}

impl StreamReassembler {
    /// Returns an empty one that takes frames of up to `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, partial: BytesMut::new(), chunks: VecDeque::new(), failed: None }
    }

    /// Adds what arrived next. After a failure, and for an empty chunk, it does nothing.
    pub fn push(&mut self, chunk: Bytes) {
        if self.failed.is_none() && !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Returns the next whole frame, without its prefix, or `None` until more has arrived.
    ///
    /// # Errors
    /// [`WireError::TooLong`] when a frame is announced that is longer than allowed. Nothing after it can be
    /// understood: the stream must be closed, and every further call fails the same way.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let frame = self.advance();
        if let Err(error) = frame {
            // What is left cannot be cut any more; it is not worth keeping.
            self.failed = Some(error);
            self.chunks = VecDeque::new();
            self.partial = BytesMut::new();
        }
        frame
    }

    /// Returns the bytes that are held.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.partial.len() + self.chunks.iter().map(Bytes::len).sum::<usize>()
    }

    fn advance(&mut self) -> Result<Option<Bytes>, WireError> {
        while let Some(chunk) = self.chunks.front_mut() {
            let frame = if self.partial.is_empty() {
                whole_frame(chunk, self.frame_bytes_max)?
            } else {
                gather(&mut self.partial, chunk, self.frame_bytes_max)?
            };
            if frame.is_none() && !chunk.is_empty() {
                self.partial.extend_from_slice(chunk);
                chunk.clear();
            }
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }
}

/// Returns the frame length that `bytes` announce, or `None` when the prefix is not complete.
fn announced(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<usize>, WireError> {
    let Some(prefix) = bytes.first_chunk::<STREAM_PREFIX_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*prefix) as usize;
    if length > frame_bytes_max {
        return Err(WireError::TooLong { length, max: frame_bytes_max });
    }
    Ok(Some(length))
}

/// Takes the frame that `chunk` begins with, if all of it is there.
fn whole_frame(chunk: &mut Bytes, frame_bytes_max: usize) -> Result<Option<Bytes>, WireError> {
    let Some(length) = announced(chunk, frame_bytes_max)? else { return Ok(None) };
    if chunk.len() - STREAM_PREFIX_BYTES < length {
        return Ok(None);
    }
    chunk.advance(STREAM_PREFIX_BYTES);
    Ok(Some(chunk.split_to(length)))
}

/// Moves bytes from `chunk` to `partial` until that is a whole frame, or the chunk is used up.
fn gather(
    partial: &mut BytesMut,
    chunk: &mut Bytes,
    frame_bytes_max: usize,
) -> Result<Option<Bytes>, WireError> {
    if partial.len() < STREAM_PREFIX_BYTES {
        let missing = (STREAM_PREFIX_BYTES - partial.len()).min(chunk.len());
        partial.extend_from_slice(&chunk.split_to(missing));
    }
    let Some(length) = announced(partial, frame_bytes_max)? else { return Ok(None) };
    let missing = (STREAM_PREFIX_BYTES + length - partial.len()).min(chunk.len());
    partial.extend_from_slice(&chunk.split_to(missing));
    if partial.len() < STREAM_PREFIX_BYTES + length {
        return Ok(None);
    }
    let mut frame = core::mem::take(partial).freeze();
    frame.advance(STREAM_PREFIX_BYTES);
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::runner;
    use proptest::prelude::*;

    fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
        frames.iter().flat_map(|frame| [&stream_prefix(frame.len() as u32)[..], frame].concat()).collect()
    }

    fn drain(reassembler: &mut StreamReassembler) -> Vec<Bytes> {
        core::iter::from_fn(|| reassembler.next_frame().expect("the stream is good")).collect()
    }

    /// Any frames, cut into chunks anywhere, come out as they went in.
    #[test]
    fn frames_survive_any_cut() {
        let frames = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8);
        let cuts = prop::collection::vec(1..30_usize, 1..400);
        runner(2_000)
            .run(&(frames, cuts, any::<bool>()), |(frames, cuts, push_all_first)| {
                let mut rest = Bytes::from(stream(&frames));
                let mut reassembler = StreamReassembler::new(40);
                let mut got = Vec::new();
                for cut in cuts {
                    reassembler.push(rest.split_to(cut.min(rest.len())));
                    if !push_all_first {
                        got.extend(drain(&mut reassembler));
                        prop_assert!(reassembler.buffered_bytes() < 40 + STREAM_PREFIX_BYTES);
                    }
                }
                reassembler.push(rest);
                got.extend(drain(&mut reassembler));
                prop_assert_eq!(got, frames);
                prop_assert_eq!(reassembler.buffered_bytes(), 0);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_frame_inside_one_chunk_is_not_copied() {
        let chunk = Bytes::from(stream(&[vec![1; 10], vec![2; 20]]));
        let mut reassembler = StreamReassembler::new(100);
        reassembler.push(chunk.clone());
        let frames = drain(&mut reassembler);
        assert_eq!(frames[0].as_ptr(), chunk[4..].as_ptr());
        assert_eq!(frames[1].as_ptr(), chunk[18..].as_ptr());
    }

    #[test]
    fn a_frame_above_the_limit_fails_for_good() {
        for cut in 1..=5 {
            let mut reassembler = StreamReassembler::new(100);
            let mut bytes = Bytes::from(stream(&[vec![0; 101]]));
            let error = Err(WireError::TooLong { length: 101, max: 100 });
            reassembler.push(bytes.split_to(cut));
            if cut < STREAM_PREFIX_BYTES {
                assert_eq!(reassembler.next_frame(), Ok(None));
                reassembler.push(bytes);
            }
            assert_eq!(reassembler.next_frame(), error);
            reassembler.push(Bytes::from(stream(&[vec![0; 1]])));
            assert_eq!(reassembler.next_frame(), error);
            assert_eq!(reassembler.buffered_bytes(), 0);
        }
    }

    /// A huge announced length costs nothing until its bytes arrive.
    #[test]
    fn an_announcement_allocates_nothing() {
        let mut reassembler = StreamReassembler::new(usize::MAX);
        reassembler.push(Bytes::copy_from_slice(&stream_prefix(u32::MAX)));
        assert_eq!(reassembler.next_frame(), Ok(None));
        assert!(reassembler.partial.capacity() < 1024);
    }
}
