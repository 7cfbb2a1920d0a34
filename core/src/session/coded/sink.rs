//! A coded session at one of its destinations: generations that are being decoded.

use crate::coding::window::{WindowDecoder, WindowLimits};
use crate::coding::{Body, Coded, Decoder, Meta, Pushed, Scheme, Workers};
use crate::flow::SymbolWindow;
use crate::ids::{Epoch, SessionKey};
use crate::seal::{SealedAs, SymbolSeal, TAG_BYTES};
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a destination keeps to decode a session.
#[derive(Debug)]
pub struct CodedSink {
    generations: VecDeque<Generation>,
    /// Slots of a reliable session that count as arrived: of each generation as many as the rank.
    slots: Option<SymbolWindow>,
    /// The newest symbols, under the window scheme.
    window: Option<Box<WindowDecoder>>,
    /// The symbol with which the session begins here.
    begin: u64,
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
    /// Symbols of a window that were given up.
    #[serde(default)]
    pub given_up_symbols: u64,
}

impl CodedSinkStats {
    /// Counts a row that a decoder took; `None`: it refused it.
    fn count(&mut self, pushed: Pushed) -> Option<Taken> {
        match pushed {
            Pushed::Innovative => {
                self.innovative += 1;
                Some(Taken::Innovative)
            }
            Pushed::Dependent => {
                self.dependent += 1;
                Some(Taken::Dependent)
            }
            Pushed::Refused => None,
        }
    }

    /// Adds what a later start of the destination counted.
    pub fn add(&mut self, later: &Self) {
        self.innovative += later.innovative;
        self.dependent += later.dependent;
        self.recovered_symbols += later.recovered_symbols;
        self.corrupt_symbols += later.corrupt_symbols;
        self.given_up_generations += later.given_up_generations;
        self.given_up_symbols += later.given_up_symbols;
    }
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
    /// What it is about has been given up.
    Late,
}

impl CodedSink {
    /// Returns the state before the first packet; `slots_max`: of a reliable session the slots that it tells apart;
    /// `scheme`: that of the session, where it was announced; `bytes_max`: what a window may hold.
    #[must_use]
    pub fn new(slots_max: Option<usize>, scheme: Option<Scheme>, bytes_max: usize) -> Self {
        let window = match scheme {
            Some(Scheme::Window { latency, size }) => {
                let size = usize::from(size);
                let limits = WindowLimits {
                    // Flows differ in delay.
                    latency: latency.saturating_mul(2).max(Duration::from_millis(50)),
                    symbols_max: 4 * size,
                    rows_max: size,
                    bytes_max,
                };
                Some(Box::new(WindowDecoder::new(limits)))
            }
            _ => None,
        };
        Self {
            window,
            begin: 0,
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
        let window = self.window.as_ref().map_or(0, |window| window.bytes());
        window
            + self
                .generations
                .iter()
                .map(|generation| generation.decoder.bytes() + generation.decoder.reserved_bytes())
                .sum::<usize>()
    }

    /// Whether the session is one with a sliding window.
    #[must_use]
    pub fn is_window(&self) -> bool {
        self.window.is_some()
    }

    /// Takes in a packet of a session with a sliding window: a symbol, or the combination by `seed` of the `size` symbols
    /// from `first` on.
    pub fn push_window(
        &mut self,
        now: Instant,
        first: u64,
        repair: Option<(u8, u64)>,
        coded: Coded,
    ) -> Taken {
        let Some(window) = &mut self.window else { return Taken::Corrupt };
        let pushed = match repair {
            None => window.push_systematic(now, first, coded),
            Some((size, seed)) => window.push_repair(now, first, size, seed, &coded),
        };
        self.stats.given_up_symbols = window.stats().given_up;
        self.stats.count(pushed).unwrap_or(Taken::Late)
    }

    /// The source has started again.
    pub fn turn_epoch(&mut self) {
        self.generations.clear();
        self.begin = 0;
        if let Some(window) = &mut self.window {
            **window = WindowDecoder::new(*window.limits());
        }
        if let Some(slots) = &mut self.slots {
            *slots = SymbolWindow::new(slots.symbols_max());
        }
    }

    /// The session begins with `symbol` here: generations before are not waited for.
    pub fn begin_at(&mut self, symbol: u64) {
        self.begin = symbol;
        self.generations.retain(|generation| generation.first >= symbol);
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
                // A reliable generation goes when it is done, and only then are there slots without one.
                let is_over = self.slots.as_ref().is_some_and(|slots| slots.contains(first));
                if first < self.begin || is_over || is_done(known, first, size) {
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
        // A symbol that fits its check proves its generation larger than a damaged packet has said.
        let is_larger = decoder.size().is_some_and(|known| known < usize::from(size));
        if is_closed && is_larger && row.is_ok() {
            *decoder = Decoder::new(usize::from(size));
            decoder.set_size(usize::from(size));
        }
        let pushed = match row {
            Ok(offset) => decoder.push_symbol(usize::from(offset), coded),
            Err(coefficients) => decoder.push(coefficients, coded),
        };
        self.stats.count(pushed).unwrap_or_else(|| {
            self.stats.corrupt_symbols += 1;
            Taken::Corrupt
        })
    }

    /// Gives out the symbols of the generation at `first` that have become known, by `take`: the symbol, what belongs
    /// to it, and its payload. What does not fit its check is not given out; everything that it may have come from is
    /// then forgotten. `workers`: share large products. `seal`: opens them. Returns how many did not open.
    pub fn recover(
        &mut self,
        key: SessionKey,
        epoch: Epoch,
        first: u64,
        (known, workers, seal): (&SymbolWindow, Option<&dyn Workers>, Option<&SymbolSeal>),
        mut take: impl FnMut(u64, Meta, Body),
    ) -> u64 {
        let mut unopened = 0;
        let mut opened = |symbol, coded| {
            let (meta, body) = checked(key, epoch, symbol, coded)?;
            let Some(seal) = seal else { return Some((meta, body)) };
            let Meta { object, index, count, .. } = meta;
            let what = SealedAs { epoch, symbol, object, index, count };
            let body = match body {
                Body::Real(bytes) => seal.open_bytes(&what, bytes).map(Body::Real),
                Body::Described(len) => len.checked_sub(TAG_BYTES).map(Body::Described),
            };
            unopened += u64::from(body.is_none());
            body.map(|body| (meta, body))
        };
        if let Some(window) = &mut self.window {
            let stats = &mut self.stats;
            window.recover(|symbol, coded| {
                let body = opened(symbol, coded.clone());
                let is_right = body.is_some();
                match body {
                    Some((meta, body)) => {
                        stats.recovered_symbols += 1;
                        take(symbol, meta, body);
                    }
                    None => stats.corrupt_symbols += 1,
                }
                is_right
            });
            return unopened;
        }
        let Some(at) = self.generations.iter().rposition(|known| known.first == first) else { return 0 };
        let decoder = &mut self.generations[at].decoder;
        let mut corrupt = 0;
        let stats = &mut self.stats;
        decoder.recover_with(workers, |offset, coded| {
            let symbol = first + offset as u64;
            match opened(symbol, coded) {
                // Found once more after combinations had to be forgotten.
                Some(_) if known.contains(symbol) => {}
                Some((meta, body)) => {
                    stats.recovered_symbols += 1;
                    take(symbol, meta, body);
                }
                None => corrupt += 1,
            }
        });
        if corrupt > 0 {
            self.stats.corrupt_symbols += corrupt;
            decoder.forget_combinations();
        } else if decoder.is_complete() && self.slots.is_none() {
            self.generations.remove(at);
        }
        unopened
    }

    /// Marks the slot of an innovative packet of a reliable session, or, where that is marked, the generation's lowest one
    /// that is not. The last one of a generation is only marked when all its symbols have been delivered.
    pub fn mark(&mut self, (first, size): (u64, u8), slot: u64, known: &SymbolWindow) {
        let Some(slots) = &mut self.slots else { return };
        let Some(at) = self.generations.iter().rposition(|known| known.first == first) else { return };
        let decoder = &self.generations[at].decoder;
        // Packets of an open generation say how large it may become.
        let size = decoder.size().map_or(size, |known| size.min(known as u8));
        let end = first.saturating_add(u64::from(size));
        if is_done(known, first, size) {
            (first..end).for_each(|slot| _ = slots.insert(slot));
            self.generations.remove(at);
            return;
        }
        let lowest = slots.next_missing(first);
        let marked = (first..end).filter(|slot| slots.contains(*slot)).count();
        let is_last = marked + 1 >= usize::from(size);
        // The rank falls when damage makes combinations worthless.
        if is_last || marked >= decoder.rank() || decoder.is_complete() {
            return;
        }
        let slot = if slots.contains(slot) { lowest } else { slot };
        if (first..end).contains(&slot) {
            slots.insert(slot);
        }
    }
}

/// Whether all symbols of a generation have been delivered.
fn is_done(known: &SymbolWindow, first: u64, size: u8) -> bool {
    (0..u64::from(size)).all(|offset| first.checked_add(offset).is_none_or(|symbol| known.contains(symbol)))
}

/// Returns what belongs to a recovered symbol, and its payload cut to its length, if it fits its check.
fn checked(key: SessionKey, epoch: Epoch, symbol: u64, coded: Coded) -> Option<(Meta, Body)> {
    let meta = Meta::parse(&coded.meta);
    let body = match coded.body {
        Body::Real(bytes) if meta.len as usize <= bytes.len() => Body::Real(bytes.slice(..meta.len as usize)),
        Body::Described(longest) if meta.len <= longest => Body::Described(meta.len),
        _ => return None,
    };
    (meta.check == meta.check_of(key, epoch, symbol, &body)).then_some((meta, body))
}

#[cfg(test)]
mod tests;
