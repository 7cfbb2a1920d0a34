//! Files: real bytes, whose digest both ends compute.
//!
//! The digest is order-independent, so that a destination needs no buffer for what comes out of order: the XOR
//! over all symbols of SHA-256(index, bytes). A missing, swapped, repeated or altered symbol changes it.

use crate::content::objects::after;
use crate::content::source::{SourceContext, SourcePoll, Symbol};
use crate::ids::SessionKey;
use crate::payload::{self, Payload, Synthetic};
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Digest of a file, or of the part of it that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileDigest([u8; 32]);

impl FileDigest {
    /// Adds symbol `index`.
    pub(super) fn add(&mut self, index: u32, bytes: &[u8]) {
        let mut hasher = Sha256::new();
        hasher.update(index.to_be_bytes());
        hasher.update(bytes);
        for (own, new) in self.0.iter_mut().zip(hasher.finalize()) {
            *own ^= new;
        }
    }

    /// Returns the digest's bytes.
    pub(super) fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// Returns the digest of the whole file of a session.
    pub(super) fn of_file(seed: Seed, key: SessionKey, file_bytes: u64, symbol_bytes: u32) -> Self {
        let mut digest = Self::default();
        let mut buffer = vec![0; symbol_bytes as usize];
        for index in 0..symbols_of(file_bytes, symbol_bytes) {
            let len = len_of(file_bytes, symbol_bytes, index);
            let what = Synthetic { key, symbol: u64::from(index), offset: 0, len };
            payload::fill(seed, what, &mut buffer[..len as usize]);
            digest.add(index, &buffer[..len as usize]);
        }
        digest
    }
}

/// Returns how many symbols a file has.
pub(super) fn symbols_of(file_bytes: u64, symbol_bytes: u32) -> u32 {
    u32::try_from(file_bytes.div_ceil(u64::from(symbol_bytes))).unwrap_or(u32::MAX)
}

fn len_of(file_bytes: u64, symbol_bytes: u32, index: u32) -> u32 {
    let before = u64::from(index) * u64::from(symbol_bytes);
    (file_bytes - before).min(u64::from(symbol_bytes)) as u32
}

/// Offers the symbols of a file.
#[derive(Debug)]
pub(super) struct FileSource {
    key: SessionKey,
    seed: Seed,
    file_bytes: u64,
    symbol_bytes: u32,
    rate: Option<BitRate>,
    start: Instant,
    stop: Instant,
    next: u32,
}

impl FileSource {
    pub(super) fn new(file_bytes: u64, rate: Option<BitRate>, context: &SourceContext) -> Self {
        let SourceContext { key, seed, symbol_bytes, start, stop, .. } = *context;
        Self { key, seed, file_bytes, symbol_bytes, rate, start, stop, next: 0 }
    }

    pub(super) fn is_greedy(&self) -> bool {
        self.rate.is_none()
    }

    pub(super) fn poll(&mut self, now: Instant) -> SourcePoll {
        let count = symbols_of(self.file_bytes, self.symbol_bytes);
        if self.next == count {
            return SourcePoll::Finished;
        }
        let paced = |rate| after(rate, u64::from(self.symbol_bytes), u64::from(self.next));
        let due = self.start + self.rate.map_or(Duration::ZERO, paced);
        // Without a rate a symbol is created when it is asked for.
        let created = if self.rate.is_some() { due } else { due.max(now) };
        if created >= self.stop {
            return SourcePoll::Finished;
        }
        if due > now {
            return SourcePoll::WaitUntil(due);
        }
        let len = len_of(self.file_bytes, self.symbol_bytes, self.next);
        let mut bytes = vec![0; len as usize];
        let symbol = u64::from(self.next);
        payload::fill(self.seed, Synthetic { key: self.key, symbol, offset: 0, len }, &mut bytes);
        let index = self.next;
        self.next += 1;
        let payload = Payload::Bytes(Bytes::from(bytes));
        SourcePoll::Symbol(Symbol { id: symbol, object: 0, index, count, len, timestamp: created, payload })
    }
}
