//! The bytes of a log: header, blocks, kinds of records.
//!
//! ```text
//! log    = magic (8) | format u32 | length u32 | header, JSON | check (16)          then blocks
//! block  = length u32 | index u32 | head check (4) | check (16) | body: whole records
//! record = kind u8 | fields
//! ```
//! Numbers of fixed width are little endian; the others are varints (LEB128). A check is the beginning of a SHA-256
//! over the check before it and what it covers, so that blocks cannot be changed, moved or left out. The head of a
//! block has a check of its own: that tells a log that ends early from one whose lengths are wrong.

use bellini_core::config::NodeConfig;
use bellini_core::time::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What every log begins with. The first byte is no text, so that nothing takes a log for such.
pub(super) const MAGIC: [u8; 8] = *b"\x89BELREC\n";
/// The format of the logs of this build.
pub(super) const FORMAT: u32 = 1;
/// A block is closed once it holds so many bytes.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;
/// No block and no header is longer.
pub(super) const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes before the body of a block.
pub(super) const BLOCK_HEAD_BYTES: usize = 28;
/// Bytes before the JSON of the header.
pub(super) const HEADER_HEAD_BYTES: usize = 16;

/// A check that the next one builds on.
pub(super) type Check = [u8; 16];

/// What a log says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHeader {
    /// The version of Bellini that recorded.
    pub bellini: String,
    /// The node's configuration, with its id and incarnation.
    pub config: NodeConfig,
    /// Root seed of the run.
    pub seed: u64,
    /// The node's clock when the node came to be, in nanoseconds.
    pub start: Instant,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Hop = 1,
    Datagram = 2,
    DatagramOf = 3,
    SplitBytes = 4,
    SplitSynthetic = 5,
    Stream = 6,
    Opened = 7,
    Closed = 8,
    Room = 9,
    Blocked = 10,
    Command = 11,
    Timeout = 12,
    Drain = 13,
    Finish = 14,
    FinishSession = 15,
    Checkpoint = 16,
    End = 17,
    Stopped = 18,
}

impl Kind {
    pub(super) fn from_u8(byte: u8) -> Option<Self> {
        const ALL: [Kind; 18] = [
            Kind::Hop,
            Kind::Datagram,
            Kind::DatagramOf,
            Kind::SplitBytes,
            Kind::SplitSynthetic,
            Kind::Stream,
            Kind::Opened,
            Kind::Closed,
            Kind::Room,
            Kind::Blocked,
            Kind::Command,
            Kind::Timeout,
            Kind::Drain,
            Kind::Finish,
            Kind::FinishSession,
            Kind::Checkpoint,
            Kind::End,
            Kind::Stopped,
        ];
        ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }
}

/// Appends a varint: seven bits a byte, the lowest first.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends bytes behind their length.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Returns the first bytes of a log, and the check that the first block builds on.
pub(super) fn header_bytes(header: &LogHeader) -> Result<(Vec<u8>, Check), serde_json::Error> {
    let text = serde_json::to_vec_pretty(header)?;
    let mut out = Vec::with_capacity(HEADER_HEAD_BYTES + text.len() + 16);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(&text);
    let check = header_check(&out);
    out.extend_from_slice(&check);
    Ok((out, check))
}

/// Returns the check of everything in the header before it.
pub(super) fn header_check(bytes: &[u8]) -> Check {
    begin(&Sha256::digest(bytes))
}

/// Returns the head of a block; `previous` is the check before it. The next block builds on the check returned.
pub(super) fn block_head(previous: &Check, index: u32, body: &[u8]) -> ([u8; BLOCK_HEAD_BYTES], Check) {
    let mut head = [0; BLOCK_HEAD_BYTES];
    head[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&index.to_le_bytes());
    let head_check: [u8; 4] =
        begin(&Sha256::new().chain_update(previous).chain_update(&head[..8]).finalize());
    head[8..12].copy_from_slice(&head_check);
    let check =
        begin(&Sha256::new().chain_update(previous).chain_update(&head[..12]).chain_update(body).finalize());
    head[12..].copy_from_slice(&check);
    (head, check)
}

/// Whether the first twelve bytes of a block's head are as they were written.
pub(super) fn head_is_sound(previous: &Check, head: &[u8; BLOCK_HEAD_BYTES]) -> bool {
    let check: [u8; 4] = begin(&Sha256::new().chain_update(previous).chain_update(&head[..8]).finalize());
    head[8..12] == check
}

fn begin<const N: usize>(digest: &[u8]) -> [u8; N] {
    *digest.first_chunk().expect("a SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind is found by its number, and no other number is a kind.
    #[test]
    fn kinds_have_their_numbers() {
        for byte in 0..=255 {
            match Kind::from_u8(byte) {
                Some(kind) => assert_eq!(kind as u8, byte),
                None => assert!(byte == 0 || byte > Kind::Stopped as u8, "{byte}"),
            }
        }
    }
}
