//! The newest symbols at their source.

use crate::coding::coefficients;
use crate::coding::symbol::{Coded, combine_into};
use crate::time::{Duration, Instant};
use bytes::BytesMut;
use std::collections::VecDeque;

/// Holds the newest symbols, and combines them.
#[derive(Clone, Debug)]
pub struct WindowEncoder {
    latency: Duration,
    size: u8,
    /// Id of the first symbol.
    first: u64,
    symbols: VecDeque<(Instant, Coded)>,
}

/// What a repair combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRepair {
    /// The window's first symbol.
    pub first: u64,
    /// Symbols of the window, all of which are combined.
    pub size: u8,
    /// Bytes of the combined payload: those of the longest symbol.
    pub len: usize,
}

impl WindowEncoder {
    /// Returns one without symbols, for windows of at most `size` symbols that are not older than `latency`.
    ///
    /// # Panics
    /// If `size` is 0.
    #[must_use]
    pub fn new(size: u8, latency: Duration) -> Self {
        assert!(size > 0, "a window has a symbol");
        Self { latency, size, first: 0, symbols: VecDeque::with_capacity(usize::from(size)) }
    }

    /// Adds the symbol that came to be at `created`. If it is not the one behind the last, a new window begins.
    pub fn push(&mut self, symbol: u64, created: Instant, coded: Coded) {
        if self.first.checked_add(self.symbols.len() as u64) != Some(symbol) {
            self.symbols.clear();
            self.first = symbol;
        }
        if self.symbols.len() == usize::from(self.size) {
            self.drop_first();
        }
        self.symbols.push_back((created, coded));
    }

    /// Drops what is older than the latency budget.
    pub fn advance(&mut self, now: Instant) {
        while let Some((created, _)) = self.symbols.front() {
            if now.saturating_since(*created) <= self.latency {
                return;
            }
            self.drop_first();
        }
    }

    /// Appends the combination of the window at `now` by the coefficients of `seed` to `out`: the block, and the payload
    /// where it is real. `None` when no symbol is young enough.
    pub fn repair(&mut self, now: Instant, seed: u64, out: &mut BytesMut) -> Option<WindowRepair> {
        self.advance(now);
        if self.symbols.is_empty() {
            return None;
        }
        let mut coefficients = [0; 255];
        let coefficients = &mut coefficients[..self.symbols.len()];
        coefficients::seeded_nonzero(seed, coefficients);
        let symbols: Vec<&Coded> = self.symbols.iter().map(|(_, coded)| coded).collect();
        let len = combine_into(&symbols, coefficients, out);
        Some(WindowRepair { first: self.first, size: symbols.len() as u8, len })
    }

    /// Returns how many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Returns the bytes that it holds, those of descriptions included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.symbols.iter().map(|(_, coded)| coded.meta.len() + coded.body.len()).sum()
    }

    fn drop_first(&mut self) {
        self.symbols.pop_front();
        // A window that has run out of ids stays empty: the next symbol begins another.
        self.first = self.first.wrapping_add(1);
    }
}
