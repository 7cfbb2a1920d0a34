//! Everything that came out of a node, as a running hash.

use bellini_core::io::{Event, Transmit};
use bellini_core::payload::Payload;
use bellini_core::time::Instant;
use sha2::{Digest, Sha256};

/// Folds outputs into a SHA-256: of frames every byte that goes out (or the identity of synthetic payload), of events
/// their written form, of both the time.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs {
    hash: Sha256,
    pub(super) transmits: u64,
    pub(super) events: u64,
    /// Inputs that the node refused.
    pub(super) refused: u64,
    scratch: Vec<u8>,
}

impl Outputs {
    #[inline]
    pub(super) fn transmit(&mut self, now: Instant, frame: &Transmit<'_>) {
        self.transmits += 1;
        let mut head = [0; 27];
        head[0] = b'T';
        head[1..9].copy_from_slice(&now.as_nanos().to_le_bytes());
        head[9..13].copy_from_slice(&frame.hop.0.to_le_bytes());
        head[13..17].copy_from_slice(&frame.peer.get().to_le_bytes());
        head[17] = frame.kind as u8;
        head[18] = u8::from(frame.is_packet);
        head[19..23].copy_from_slice(&(frame.header.len() as u32).to_le_bytes());
        head[23..].copy_from_slice(&(frame.payload.len() as u32).to_le_bytes());
        self.hash.update(head);
        self.hash.update(frame.header);
        match &frame.payload {
            Payload::Bytes(bytes) => {
                self.hash.update(b"B");
                self.hash.update(bytes);
            }
            Payload::Coded { head, body_len } => {
                self.hash.update(b"C");
                self.hash.update(head);
                self.hash.update(body_len.to_le_bytes());
            }
            Payload::Synthetic(what) => {
                let mut identity = [0; 21];
                identity[0] = b'S';
                identity[1..5].copy_from_slice(&what.key.conference.0.to_le_bytes());
                identity[5..9].copy_from_slice(&what.key.session.0.to_le_bytes());
                identity[9..17].copy_from_slice(&what.symbol.to_le_bytes());
                identity[17..].copy_from_slice(&what.offset.to_le_bytes());
                self.hash.update(identity);
            }
        }
    }

    pub(super) fn event(&mut self, now: Instant, event: &Event) {
        self.events += 1;
        let mut head = [0; 13];
        head[0] = b'E';
        head[1..9].copy_from_slice(&now.as_nanos().to_le_bytes());
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let written = postcard::to_extend(event, scratch).expect("events are plain data");
        head[9..].copy_from_slice(&(written.len() as u32).to_le_bytes());
        self.hash.update(head);
        self.hash.update(&written);
        self.scratch = written;
    }

    /// Returns the hash of everything so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Returns its beginning, for the marks of drains.
    pub(super) fn mark(&self) -> [u8; 8] {
        *self.digest().first_chunk().expect("a SHA-256 has 32 bytes")
    }
}

/// Returns the SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
