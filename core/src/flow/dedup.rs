//! Telling new symbols from duplicates, in bounded memory.

/// What a sink knows of a symbol that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It had not arrived before.
    New,
    /// It had.
    Duplicate,
    /// It is so far behind the newest that nothing is known of it any more.
    TooOld,
}

/// A sliding window of one bit per symbol.
///
/// It starts with 128 symbols, grows to its limit while symbols are missing in what would slide out, and slides
/// without growing where everything arrived.
#[derive(Clone, Debug)]
pub struct SymbolWindow {
    /// First symbol that the window covers; a multiple of 64.
    base: u64,
    /// A ring of words; the word of symbol s is `(s / 64) % words.len()`.
    words: Box<[u64]>,
    words_max: usize,
}

impl SymbolWindow {
    /// Returns a window that remembers at most `symbols_max` symbols (rounded up to a power of two, at least 128).
    #[must_use]
    pub fn new(symbols_max: usize) -> Self {
        let words_max = symbols_max.div_ceil(64).next_power_of_two().max(2);
        Self { base: 0, words: vec![0; 2].into_boxed_slice(), words_max }
    }

    /// Returns the most symbols that it remembers.
    #[must_use]
    pub fn symbols_max(&self) -> usize {
        self.words_max * 64
    }

    /// Notes the arrival of `symbol`.
    #[inline]
    pub fn insert(&mut self, symbol: u64) -> Arrived {
        self.insert_sliding(symbol, &mut |_, _| ())
    }

    /// Notes the arrival of `symbol`. `leaving` hears of each word that slides out, in rising order: its first symbol,
    /// and a bit for each of its 64 symbols that arrived.
    #[inline]
    pub fn insert_sliding(&mut self, symbol: u64, leaving: &mut impl FnMut(u64, u64)) -> Arrived {
        if symbol < self.base {
            return Arrived::TooOld;
        }
        if symbol - self.base >= self.span() {
            self.advance(symbol, leaving);
        }
        let slot = self.slot(symbol);
        let bit = 1 << (symbol % 64);
        let word = &mut self.words[slot];
        if *word & bit != 0 {
            return Arrived::Duplicate;
        }
        *word |= bit;
        Arrived::New
    }

    /// Whether `symbol` has arrived, or lies behind the window.
    #[must_use]
    pub fn contains(&self, symbol: u64) -> bool {
        let inside = symbol.checked_sub(self.base).is_some_and(|ahead| ahead < self.span());
        symbol < self.base || inside && self.words[self.slot(symbol)] & (1 << (symbol % 64)) != 0
    }

    /// Shows every word that the window holds, in rising order, as [`insert_sliding`](Self::insert_sliding) shows
    /// those that leave.
    pub fn for_each_word(&self, show: &mut impl FnMut(u64, u64)) {
        for i in 0..self.words.len() as u64 {
            // At the end of all ids the window may reach beyond them.
            let Some(first) = self.base.checked_add(i * 64) else { return };
            show(first, self.words[self.slot(first)]);
        }
    }

    /// Returns the first symbol from `from` on that arrived, if the window knows of one.
    #[must_use]
    pub fn next_arrived(&self, from: u64) -> Option<u64> {
        self.next_bit(from.max(self.base), 0)
    }

    /// Returns the first symbol from `from` on that has not arrived; what lies behind the window counts as arrived.
    #[must_use]
    pub fn next_missing(&self, from: u64) -> u64 {
        let from = from.max(self.base);
        self.next_bit(from, u64::MAX).unwrap_or_else(|| from.max(self.base.saturating_add(self.span())))
    }

    /// Returns which of the 64 symbols from `from` on have arrived, the first as the lowest bit; what lies outside the
    /// window counts as missing.
    #[must_use]
    pub fn bits(&self, from: u64) -> u64 {
        let word = |first: u64| {
            let inside = first.checked_sub(self.base).is_some_and(|ahead| ahead < self.span());
            if inside { self.words[self.slot(first)] } else { 0 }
        };
        let (first, shift) = (from / 64 * 64, from % 64);
        let low = word(first) >> shift;
        let high = if shift == 0 { 0 } else { first.checked_add(64).map_or(0, word) << (64 - shift) };
        low | high
    }

    /// Returns the first symbol of the window from `from` on whose bit, after `flip`, is set.
    fn next_bit(&self, from: u64, flip: u64) -> Option<u64> {
        let mut first = from / 64 * 64;
        let mut mask = u64::MAX << (from % 64);
        while first - self.base < self.span() {
            let word = (self.words[self.slot(first)] ^ flip) & mask;
            if word != 0 {
                return first.checked_add(u64::from(word.trailing_zeros()));
            }
            mask = u64::MAX;
            first = first.checked_add(64)?;
        }
        None
    }

    /// Returns the symbols that the window covers now.
    fn span(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    fn slot(&self, symbol: u64) -> usize {
        (symbol / 64) as usize & (self.words.len() - 1)
    }

    /// Makes room for `symbol`, which lies beyond the window: grows while something is missing, else slides.
    #[cold]
    fn advance(&mut self, symbol: u64, leaving_word: &mut impl FnMut(u64, u64)) {
        loop {
            let target = (symbol / 64 + 1).saturating_sub(self.words.len() as u64) * 64;
            let leaving = ((target - self.base) / 64).min(self.words.len() as u64);
            let complete = (0..leaving).all(|i| self.words[self.slot(self.base + i * 64)] == u64::MAX);
            if complete && leaving < self.words.len() as u64 || self.words.len() == self.words_max {
                for i in 0..leaving {
                    let first = self.base + i * 64;
                    let slot = self.slot(first);
                    leaving_word(first, core::mem::take(&mut self.words[slot]));
                }
                self.base = target;
                return;
            }
            self.grow();
            if symbol - self.base < self.span() {
                return;
            }
        }
    }

    fn grow(&mut self) {
        let mut grown = vec![0; self.words.len() * 2].into_boxed_slice();
        for i in 0..self.words.len() as u64 {
            let symbol = self.base + i * 64;
            grown[(symbol / 64) as usize & (grown.len() - 1)] = self.words[self.slot(symbol)];
        }
        self.words = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::collections::BTreeSet;

    #[test]
    fn symbols_in_order_never_make_it_grow() {
        let mut window = SymbolWindow::new(1 << 14);
        for symbol in 0..100_000 {
            assert_eq!(window.insert(symbol), Arrived::New);
            assert_eq!(window.insert(symbol), Arrived::Duplicate);
        }
        assert_eq!(window.words.len(), 2);
    }

    #[test]
    fn a_gap_makes_it_grow_and_can_be_filled() {
        let mut window = SymbolWindow::new(1 << 10);
        for symbol in (1..1_000).chain([0]) {
            assert_eq!(window.insert(symbol), Arrived::New, "{symbol}");
        }
        assert_eq!(window.insert(0), Arrived::Duplicate);
    }

    #[test]
    fn beyond_its_limit_it_forgets() {
        let mut window = SymbolWindow::new(128);
        assert_eq!(window.insert(0), Arrived::New);
        assert_eq!(window.insert(10_000_000_000), Arrived::New);
        assert_eq!(window.insert(0), Arrived::TooOld);
        assert_eq!(window.insert(u64::MAX), Arrived::New);
    }

    /// Aim: gaps are found wherever they lie against words, and at both ends of the window.
    #[test]
    fn gaps_and_arrivals_are_found() {
        let mut window = SymbolWindow::new(256);
        assert_eq!((window.next_missing(0), window.next_arrived(0)), (0, None));
        for symbol in (0..130).filter(|symbol| ![0, 63, 64, 127].contains(symbol)) {
            window.insert(symbol);
        }
        let missing: Vec<_> = (0..132).map(|from| window.next_missing(from)).collect();
        let arrived: Vec<_> = (0..132).map(|from| window.next_arrived(from)).collect();
        for from in 0..132_u64 {
            let is_missing = |symbol: &u64| !window.contains(*symbol);
            assert_eq!(Some(missing[from as usize]), (from..400).find(is_missing), "{from}");
            let bits = (0..64).filter(|i| window.contains(from + i)).fold(0, |bits, i| bits | 1_u64 << i);
            assert_eq!(window.bits(from), bits, "{from}");
            assert_eq!(arrived[from as usize], (from..400).find(|symbol| !is_missing(symbol)), "{from}");
        }
        window.insert(u64::MAX);
        assert_eq!(
            (window.next_missing(0), window.next_arrived(7)),
            (u64::MAX / 64 * 64 - 192, Some(u64::MAX))
        );
    }

    #[test]
    fn agrees_with_a_set_while_symbols_stay_inside() {
        // Symbols up to 400 out of order and some repeated, against a set that forgets nothing.
        let mut stream = Seed(5).stream("dedup");
        let mut window = SymbolWindow::new(1_024);
        let mut seen = BTreeSet::new();
        for i in 0..200_000_u64 {
            let symbol = (i + 400).saturating_sub(stream.below(400));
            let expected = if seen.insert(symbol) { Arrived::New } else { Arrived::Duplicate };
            assert_eq!(window.insert(symbol), expected);
        }
    }
}
