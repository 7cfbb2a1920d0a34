//! The digest of a run: a running hash for each node and link, and one over all of them.

use bellini_core::time::Instant;
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use sha2::{Digest as _, Sha256};

/// What happened to a packet, as far as the digest is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Happened {
    /// A link took it.
    Sent = 1,
    /// It came to the end of a link.
    Arrived = 2,
    /// It was dropped, with the cause's index.
    Dropped = 3,
    /// A node took it in.
    Received = 4,
}

/// A running hash of (time, kind, packet identity, cause).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunningHash(u64);

impl RunningHash {
    /// Adds one event.
    #[inline]
    pub fn add(&mut self, at: Instant, happened: Happened, packet: u64, cause: u8) {
        // Each word is folded by a multiplication that moves every bit (FxHash's constant), then rotated: cheap,
        // and any difference in any word spreads.
        const K: u64 = 0xF135_7AEA_2E62_A9C5;
        let kind = (happened as u64) << 8 | u64::from(cause);
        for word in [at.as_nanos(), packet ^ kind.rotate_left(48)] {
            self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(K);
        }
    }

    /// Adds a plain number, such as a counter at the end.
    pub fn add_number(&mut self, number: u64) {
        self.add(Instant::from_nanos(number), Happened::Sent, 0, 0);
    }
}

/// Returns a word that tells a packet from others: session, epoch, flow, number, folded.
#[inline]
#[must_use]
pub fn identity(header: &[u8]) -> u64 {
    const PACKET: usize = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES;
    match header.get(PACKET..PACKET + 20) {
        Some(fixed) => {
            let word = |at: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&fixed[at..at + 8]);
                u64::from_be_bytes(bytes)
            };
            // conference and session; then epoch, flow and the upper half of the number; then the number.
            word(0).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ word(8).rotate_left(32) ^ word(12)
        }
        None => header.len() as u64,
    }
}

/// Returns the digest over all hashes, in order of ids, as hexadecimal text.
#[must_use]
pub fn combine(
    nodes: impl IntoIterator<Item = RunningHash>,
    links: impl IntoIterator<Item = RunningHash>,
) -> String {
    let mut hasher = Sha256::new();
    for hash in nodes {
        hasher.update(hash.0.to_be_bytes());
    }
    hasher.update(b"links");
    for hash in links {
        hasher.update(hash.0.to_be_bytes());
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let base = |at, happened, packet, cause| {
            let mut hash = RunningHash::default();
            hash.add(Instant::from_nanos(at), happened, packet, cause);
            hash
        };
        let one = base(1, Happened::Sent, 7, 0);
        for other in [
            base(2, Happened::Sent, 7, 0),
            base(1, Happened::Arrived, 7, 0),
            base(1, Happened::Sent, 8, 0),
            base(1, Happened::Sent, 7, 1),
        ] {
            assert_ne!(one, other);
        }
    }
}
