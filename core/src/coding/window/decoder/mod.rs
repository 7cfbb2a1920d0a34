//! A sliding window at a destination: what was lost comes out as soon as it is known, or is given up.

mod elimination;
mod slots;

use super::row::Row;
use crate::coding::coefficients;
use crate::coding::recoder::Pushed;
use crate::coding::symbol::Coded;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a [`WindowDecoder`] holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// A symbol is given up so long after it was first heard of. A repair may combine what is as old as the source's
    /// latency budget, and come by a slower flow: this is that budget and the difference of the flows' delays.
    pub latency: Duration,
    /// Symbols from the oldest to the newest, known or not; at least 255 are held.
    pub symbols_max: usize,
    /// Combinations of unknown symbols.
    pub rows_max: usize,
    /// Bytes of symbols and combinations.
    pub bytes_max: usize,
}

/// What a [`WindowDecoder`] counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStats {
    /// Symbols that came out of combinations.
    pub recovered: u64,
    /// Repairs that told nothing new.
    pub dependent: u64,
    /// Symbols that were heard of and never known.
    pub given_up: u64,
    /// Packets that were not used: too late, of impossible ids, or with payload of the other kind.
    pub refused: u64,
    /// Combinations that were dropped for want of room, or with damaged ones.
    pub dropped_rows: u64,
    /// Symbols that came out of combinations and did not fit their check.
    pub corrupt: u64,
}

/// Decodes the newest symbols of a session.
///
/// Repairs are reduced as they come: first by the symbols that are known, then by each other (Gauss and Jordan), so
/// that each row begins with an unknown symbol which no other row has. The oldest unknown symbol is in at most one row, and
/// giving it up takes that row alone.
#[derive(Clone, Debug)]
pub struct WindowDecoder {
    limits: WindowLimits,
    /// Whether payload is real bytes: as that of the first packet.
    is_real: Option<bool>,
    /// Symbols below are over.
    floor: u64,
    /// First symbol of a packet from far ahead, which is believed when another comes from there.
    far: Option<u64>,
    /// Id of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    /// By rising first symbol.
    rows: Vec<Row>,
    bytes: usize,
    /// Recovered symbols that were not given out yet.
    ready: Vec<u64>,
    stats: WindowStats,
}

/// A symbol from the oldest that is not given up on.
#[derive(Clone, Debug)]
struct Slot {
    /// When it was first heard of; never falls from one symbol to the next.
    heard: Instant,
    known: Option<Coded>,
}

impl WindowDecoder {
    /// Returns one that has heard of nothing.
    #[must_use]
    pub fn new(limits: WindowLimits) -> Self {
        let limits = WindowLimits { symbols_max: limits.symbols_max.max(255), ..limits };
        Self {
            limits,
            is_real: None,
            floor: 0,
            far: None,
            base: 0,
            slots: VecDeque::new(),
            rows: Vec::new(),
            bytes: 0,
            ready: Vec::new(),
            stats: WindowStats::default(),
        }
    }

    /// Returns what it holds at most.
    #[must_use]
    pub fn limits(&self) -> &WindowLimits {
        &self.limits
    }

    /// Takes in a symbol as it is, whose check was tested.
    pub fn push_systematic(&mut self, now: Instant, symbol: u64, coded: Coded) -> Pushed {
        if !self.is_own_kind(&coded) || !self.hear(now, symbol, symbol) {
            self.stats.refused += 1;
            return Pushed::Refused;
        }
        if self.known(symbol).is_some() {
            return Pushed::Dependent;
        }
        self.is_real = Some(coded.body.is_real());
        self.settle(symbol, coded);
        self.shrink();
        Pushed::Innovative
    }

    /// Takes in the combination of the `size` symbols from `first` on by the coefficients of `seed`
    /// ([`coefficients::seeded_nonzero`]).
    pub fn push_repair(&mut self, now: Instant, first: u64, size: u8, seed: u64, coded: &Coded) -> Pushed {
        let last = first.checked_add(u64::from(size).wrapping_sub(1));
        let Some(last) = last.filter(|last| *last >= first && self.is_own_kind(coded)) else {
            self.stats.refused += 1;
            return Pushed::Refused;
        };
        if !self.hear(now, first, last) {
            self.stats.refused += 1;
            return Pushed::Refused;
        }
        self.is_real = Some(coded.body.is_real());
        let at = (first - self.base) as usize;
        if self.slots.range(at..at + usize::from(size)).all(|slot| slot.known.is_some()) {
            self.stats.dependent += 1;
            return Pushed::Dependent;
        }
        let mut coefficients = vec![0; usize::from(size)];
        coefficients::seeded_nonzero(seed, &mut coefficients);
        let pushed = match self.reduced(first, coefficients, coded) {
            Some(row) => {
                self.insert(row);
                Pushed::Innovative
            }
            None => {
                self.stats.dependent += 1;
                Pushed::Dependent
            }
        };
        self.shrink();
        pushed
    }

    /// Gives out the symbols that have become known and had not come as they are, each once, by `take`, which says
    /// whether the symbol fits its check. One that does not is forgotten, and every combination with it.
    ///
    /// The payload may have zeros behind its end.
    pub fn recover(&mut self, mut take: impl FnMut(u64, &Coded) -> bool) {
        let ready = core::mem::take(&mut self.ready);
        for symbol in &ready {
            let Some(coded) = self.known(*symbol) else { continue };
            if take(*symbol, coded) {
                self.stats.recovered += 1;
                continue;
            }
            let bytes = bytes_of(coded);
            self.bytes -= bytes;
            self.stats.corrupt += 1;
            let at = (*symbol - self.base) as usize;
            self.slots[at].known = None;
            self.stats.dropped_rows += self.rows.len() as u64;
            self.bytes -= self.rows.drain(..).map(|row| row.bytes()).sum::<usize>();
        }
        self.ready = ready;
        self.ready.clear();
    }

    /// Gives up what was first heard of longer ago than the latency.
    pub fn advance(&mut self, now: Instant) {
        while let Some(slot) = self.slots.front() {
            if now.saturating_since(slot.heard) <= self.limits.latency {
                return;
            }
            self.give_up_first();
        }
        self.is_real = None;
    }

    /// Returns when [`advance`](Self::advance) gives up the next unknown symbol: after this time.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let slot = self.slots.iter().find(|slot| slot.known.is_none())?;
        slot.heard.checked_add(self.limits.latency)
    }

    /// Returns what was counted.
    #[must_use]
    pub fn stats(&self) -> &WindowStats {
        &self.stats
    }

    /// Returns the number of independent combinations of unknown symbols.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rows.len()
    }

    /// Returns the bytes of symbols and combinations, those of descriptions included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the symbols from the oldest to the newest, known or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether the symbol is known and still held.
    #[must_use]
    pub fn has(&self, symbol: u64) -> bool {
        self.known(symbol).is_some()
    }

    fn known(&self, symbol: u64) -> Option<&Coded> {
        let at = symbol.checked_sub(self.base)?;
        self.slots.get(usize::try_from(at).ok()?)?.known.as_ref()
    }

    fn is_own_kind(&self, coded: &Coded) -> bool {
        self.is_real.is_none_or(|is_real| is_real == coded.body.is_real())
    }

    /// Returns the end (excluded) of the slots.
    fn end(&self) -> u64 {
        self.base + self.slots.len() as u64
    }
}

fn bytes_of(coded: &Coded) -> usize {
    coded.meta.len() + coded.body.len()
}

#[cfg(test)]
impl WindowDecoder {
    /// Fails unless everything is as the code relies on.
    pub(super) fn check(&self) {
        let held: usize = self.slots.iter().flat_map(|slot| &slot.known).map(bytes_of).sum();
        assert_eq!(self.bytes, held + self.rows.iter().map(Row::bytes).sum::<usize>());
        assert!(self.slots.iter().is_sorted_by_key(|slot| slot.heard));
        assert!(self.floor <= self.base || self.slots.is_empty());
        for row in &self.rows {
            assert_eq!((row.coefficient(row.first), row.coefficients.last() != Some(&0)), (1, true));
            assert!(!row.is_symbol() && row.first >= self.base);
            assert!(row.first + row.coefficients.len() as u64 <= self.base + self.slots.len() as u64);
            assert_eq!(self.rows.iter().filter(|other| other.coefficient(row.first) != 0).count(), 1);
            for (at, factor) in row.coefficients.iter().enumerate() {
                assert!(*factor == 0 || !self.has(row.first + at as u64), "only unknown symbols");
            }
        }
        assert!(self.rows.is_sorted_by_key(|row| row.first));
    }

    /// The symbols from the oldest to the newest.
    pub(super) fn held(&self) -> core::ops::Range<u64> {
        self.base..self.base + self.slots.len() as u64
    }
}
