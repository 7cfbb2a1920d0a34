//! A coded session at one of its destinations: generations that are being decoded.

use crate::coding::{Body, Coded, Decoder, Meta, Pushed};
use crate::flow::SymbolWindow;
use crate::ids::{Epoch, SessionKey};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a destination keeps to decode a session.
#[derive(Debug)]
pub struct CodedSink {
    generations: VecDeque<Generation>,
    /// Slots of a reliable session that count as arrived: of each generation as many as the rank.
    slots: Option<SymbolWindow>,
    /// What was counted.
    pub stats: CodedSinkStats,
}

/// What a destination counted of decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodedSinkStats {
    /// Packets that raised the rank.
    pub innovative: u64,
    /// Packets that told nothing new.
    pub dependent: u64,
    /// Symbols delivered that came out of combinations.
    pub recovered_symbols: u64,
    /// Symbols and combinations that do not fit their check, or what was known; nothing of them was delivered.
    pub corrupt_symbols: u64,
    /// Generations that were given up before they were complete.
    pub given_up_generations: u64,
}

#[derive(Debug)]
struct Generation {
    first: u64,
    decoder: Decoder,
}

/// What came of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It raised the rank.
    Innovative,
    /// It told nothing new.
    Dependent,
    /// It was damaged, or contradicts what is known.
    Corrupt,
    /// There is no room for its generation.
    NoRoom,
}

impl CodedSink {
    /// Returns the state before the first packet; `slots_max`: of a reliable session the slots that it tells apart.
    #[must_use]
    pub fn new(slots_max: Option<usize>) -> Self {
        Self {
            generations: VecDeque::new(),
            slots: slots_max.map(SymbolWindow::new),
            stats: CodedSinkStats::default(),
        }
    }

    /// Returns the slots that count as arrived, of a reliable session.
    #[must_use]
    pub fn slots(&self) -> Option<&SymbolWindow> {
        self.slots.as_ref()
    }

    /// Returns the bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.generations.iter().map(|generation| generation.decoder.bytes()).sum()
    }

    /// The source has started again.
    pub fn turn_epoch(&mut self) {
        self.generations.clear();
        if let Some(slots) = &mut self.slots {
            *slots = SymbolWindow::new(slots.symbols_max());
        }
    }

    /// Makes room for generations beyond `generations_max` and `bytes_max`, oldest first. Those of reliable sessions are
    /// not given up: what their slots promise must come.
    pub fn bound(&mut self, generations_max: usize, bytes_max: usize) {
        if self.slots.is_some() {
            return;
        }
        while self.generations.len() > generations_max.max(1)
            || self.generations.len() > 1 && self.bytes() > bytes_max
        {
            self.generations.pop_front();
            self.stats.given_up_generations += 1;
        }
    }

    /// Takes in a packet of the generation of `size` symbols that begins with `first`: the symbol at `offset` itself, or
    /// a combination. `known`: the symbols that have been delivered. `bytes_max`: what a reliable session may hold.
    pub fn push(
        &mut self,
        (first, size, is_closed): (u64, u8, bool),
        row: Result<u8, &[u8]>,
        coded: Coded,
        known: &SymbolWindow,
        bytes_max: usize,
    ) -> Taken {
        let at = match self.generations.iter().rposition(|known| known.first == first) {
            Some(at) => at,
            None => {
                if is_done(known, first, size) {
                    self.stats.dependent += 1;
                    return Taken::Dependent;
                }
                if self.slots.is_some() && self.bytes() > bytes_max {
                    return Taken::NoRoom;
                }
                self.generations.push_back(Generation { first, decoder: Decoder::new(usize::from(size)) });
                self.generations.len() - 1
            }
        };
        let decoder = &mut self.generations[at].decoder;
        if is_closed {
            decoder.set_size(usize::from(size));
        }
        let pushed = match row {
            Ok(offset) => decoder.push_symbol(usize::from(offset), coded),
            Err(coefficients) => decoder.push(coefficients, coded),
        };
        match pushed {
            Pushed::Innovative => {
                self.stats.innovative += 1;
                Taken::Innovative
            }
            Pushed::Dependent => {
                self.stats.dependent += 1;
                Taken::Dependent
            }
            Pushed::Refused => {
                self.stats.corrupt_symbols += 1;
                Taken::Corrupt
            }
        }
    }

    /// Gives out the symbols of the generation at `first` that have become known, by `take`: the symbol, what belongs
    /// to it, and its payload. What does not fit its check is not given out; everything that it may have come from is
    /// then forgotten.
    pub fn recover(
        &mut self,
        key: SessionKey,
        epoch: Epoch,
        first: u64,
        mut take: impl FnMut(u64, Meta, Body),
    ) {
        let Some(at) = self.generations.iter().rposition(|known| known.first == first) else { return };
        let decoder = &mut self.generations[at].decoder;
        let mut corrupt = 0;
        let stats = &mut self.stats;
        decoder.recover(|offset, coded| {
            let (symbol, meta) = (first + offset as u64, Meta::parse(&coded.meta));
            let body = match cut(coded.body, meta.len as usize) {
                Some(body) if meta.check == meta.check_of(key, epoch, symbol, &body) => body,
                _ => {
                    corrupt += 1;
                    return;
                }
            };
            stats.recovered_symbols += 1;
            take(symbol, meta, body);
        });
        if corrupt > 0 {
            self.stats.corrupt_symbols += corrupt;
            decoder.forget_combinations();
        } else if decoder.is_complete() && self.slots.is_none() {
            self.generations.remove(at);
        }
    }

    /// Marks the slot of an innovative packet of a reliable session, or, where that is marked, the generation's lowest one
    /// that is not. The last one of a generation is only marked when all its symbols have been delivered.
    pub fn mark(&mut self, (first, size): (u64, u8), slot: u64, known: &SymbolWindow) {
        let Some(slots) = &mut self.slots else { return };
        let Some(at) = self.generations.iter().rposition(|known| known.first == first) else { return };
        let end = first + u64::from(size);
        let decoder = &self.generations[at].decoder;
        if is_done(known, first, decoder.size().map_or(size, |size| size as u8)) {
            (first..end).for_each(|slot| _ = slots.insert(slot));
            self.generations.remove(at);
            return;
        }
        let lowest = slots.next_missing(first);
        let is_last = (first..end).filter(|slot| !slots.contains(*slot)).nth(1).is_none();
        let is_full = decoder.size().is_some_and(|size| decoder.rank() >= size);
        if is_last || is_full {
            return;
        }
        slots.insert(if slots.contains(slot) { lowest } else { slot });
    }
}

/// Whether all symbols of a generation have been delivered.
fn is_done(known: &SymbolWindow, first: u64, size: u8) -> bool {
    (0..u64::from(size)).all(|offset| first.checked_add(offset).is_none_or(|symbol| known.contains(symbol)))
}

/// Cuts a recovered payload to its symbol's length; `None`: it is shorter.
fn cut(body: Body, len: usize) -> Option<Body> {
    match body {
        Body::Real(bytes) if len <= bytes.len() => Some(Body::Real(bytes.slice(..len))),
        Body::Described(longest) if len <= longest as usize => Some(Body::Described(len as u32)),
        _ => None,
    }
}
