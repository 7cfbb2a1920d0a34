//! Reading a log: header, then block by block, each checked before anything of it is used.

use super::format::{
    BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES, Check, FORMAT, HEADER_HEAD_BYTES, LogHeader, MAGIC, block_head,
    head_is_sound, header_check,
};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use thiserror::Error;

/// Why a log cannot be read on.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be read.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// What is there was never written like this.
    #[error("at byte {position}: {problem}")]
    Malformed {
        /// Bytes before the place.
        position: u64,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a log from its beginning.
#[derive(Debug)]
pub struct LogReader<R> {
    source: R,
    header: LogHeader,
    /// Bytes read so far that were whole.
    position: u64,
    check: Check,
    blocks: u32,
}

/// What follows in a log.
#[derive(Debug)]
pub(super) enum Next {
    /// A block: its body, and the position of the body's first byte.
    Block(Bytes, u64),
    /// The log ends here, behind a whole block.
    Nothing,
    /// The log ends in the middle of a block, of which so many bytes are there.
    Torn(u64),
}

impl LogReader<BufReader<File>> {
    /// Opens the file and reads the header.
    ///
    /// # Errors
    /// When the file cannot be read, or does not begin as logs of this build do.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read> LogReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When `source` cannot be read, or does not begin as logs of this build do.
    pub fn new(mut source: R) -> Result<Self, LogError> {
        let mut head = Vec::new();
        let short = |got: usize| malformed(got as u64, "the log ends in its header: nothing was recorded");
        source.by_ref().take(HEADER_HEAD_BYTES as u64).read_to_end(&mut head)?;
        let magic = head.len().min(MAGIC.len());
        if head[..magic] != MAGIC[..magic] || head.is_empty() {
            return Err(malformed(0, "this is no log of `bellini node --record`"));
        }
        let Some((fields, [])) = head.split_first_chunk::<HEADER_HEAD_BYTES>() else {
            return Err(short(head.len()));
        };
        let format = word(&fields[8..12]);
        if format != FORMAT {
            let problem = format!("the log has format {format}, this build reads format {FORMAT}");
            return Err(malformed(8, problem));
        }
        let length = word(&fields[12..]) as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(malformed(12, format!("a header of {length} bytes")));
        }
        let whole = HEADER_HEAD_BYTES + length + size_of::<Check>();
        source.by_ref().take((whole - HEADER_HEAD_BYTES) as u64).read_to_end(&mut head)?;
        if head.len() < whole {
            return Err(short(head.len()));
        }
        let (checked, stored) = head.split_at(whole - size_of::<Check>());
        let check = header_check(checked);
        if stored != check {
            return Err(malformed(0, "the header was changed: its check does not match"));
        }
        let header = serde_json::from_slice(&checked[HEADER_HEAD_BYTES..])
            .map_err(|error| malformed(HEADER_HEAD_BYTES as u64, format!("the header: {error}")))?;
        Ok(Self { source, header, position: whole as u64, check, blocks: 0 })
    }

    /// Returns what the log says of itself.
    #[must_use]
    pub fn header(&self) -> &LogHeader {
        &self.header
    }

    /// Returns the bytes of the log that were read and whole.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next block.
    pub(super) fn next_block(&mut self) -> Result<Next, LogError> {
        let mut head = Vec::with_capacity(BLOCK_HEAD_BYTES);
        self.source.by_ref().take(BLOCK_HEAD_BYTES as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(Next::Nothing);
        }
        let Some(head) = head.first_chunk::<BLOCK_HEAD_BYTES>() else {
            return Ok(Next::Torn(head.len() as u64));
        };
        let (length, index) = (word(&head[..4]) as usize, word(&head[4..8]));
        if !head_is_sound(&self.check, head) || index != self.blocks || length > BLOCK_BYTES_MAX {
            return Err(malformed(
                self.position,
                "the head of a block was changed, or a block is missing before it",
            ));
        }
        let mut body = Vec::new();
        self.source.by_ref().take(length as u64).read_to_end(&mut body)?;
        if body.len() < length {
            return Ok(Next::Torn((BLOCK_HEAD_BYTES + body.len()) as u64));
        }
        let (expected, check) = block_head(&self.check, index, &body);
        if expected != *head {
            let problem = format!("a block of {length} bytes was changed: its check does not match");
            return Err(malformed(self.position, problem));
        }
        let place = self.position + BLOCK_HEAD_BYTES as u64;
        self.position = place + length as u64;
        self.check = check;
        self.blocks += 1;
        Ok(Next::Block(Bytes::from(body), place))
    }
}

pub(super) fn malformed(position: u64, problem: impl Into<String>) -> LogError {
    LogError::Malformed { position, problem: problem.into() }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.first_chunk().expect("the caller gives four bytes"))
}
