//! A bit per symbol, for a stretch of symbols that moves on.

use std::collections::VecDeque;

/// One bit for each symbol from a first word on; whatever lies beyond the words is not set. The caller bounds how far
/// ahead symbols are set.
#[derive(Clone, Debug, Default)]
pub struct SymbolBits {
    first_word: u64,
    words: VecDeque<u64>,
}

impl SymbolBits {
    /// Returns no bits, for a stretch that starts with `symbol`: there is no memory for those before it.
    #[must_use]
    pub fn starting_at(symbol: u64) -> Self {
        Self { first_word: symbol / 64, words: VecDeque::new() }
    }

    /// Returns how many words of memory the bits take.
    #[cfg(test)]
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// Whether the symbol's bit is set; those before the first word are not.
    #[inline]
    #[must_use]
    pub fn get(&self, symbol: u64) -> bool {
        let Some(at) = (symbol / 64).checked_sub(self.first_word) else { return false };
        self.words.get(at as usize).is_some_and(|word| word & 1 << (symbol % 64) != 0)
    }

    /// Sets the bits from `first` up to `end` (excluded); returns how many were not set before.
    pub fn set_range(&mut self, first: u64, end: u64) -> u64 {
        let mut new = 0;
        let mut symbol = first.max(self.first_word * 64);
        while symbol < end {
            let at = (symbol / 64 - self.first_word) as usize;
            if at >= self.words.len() {
                self.words.resize(at + 1, 0);
            }
            let last = (end - 1).min(symbol | 63);
            let mask = u64::MAX << (symbol % 64) & u64::MAX >> (63 - last % 64);
            new += u64::from((mask & !self.words[at]).count_ones());
            self.words[at] |= mask;
            symbol = last + 1;
        }
        new
    }

    /// Sets one bit; whether it was not set before.
    #[inline]
    pub fn set(&mut self, symbol: u64) -> bool {
        self.set_range(symbol, symbol + 1) == 1
    }

    /// Takes one bit back.
    #[inline]
    pub fn clear(&mut self, symbol: u64) {
        let Some(at) = (symbol / 64).checked_sub(self.first_word) else { return };
        if let Some(word) = self.words.get_mut(at as usize) {
            *word &= !(1 << (symbol % 64));
        }
    }

    /// Forgets whole words before `symbol`: nobody asks for them any more.
    #[inline]
    pub fn advance(&mut self, symbol: u64) {
        while self.first_word < symbol / 64 {
            if self.words.pop_front().is_none() {
                self.first_word = symbol / 64;
                return;
            }
            self.first_word += 1;
        }
    }

    /// Returns the first symbol from `from` on whose bit is not set.
    #[must_use]
    pub fn next_clear(&self, from: u64) -> u64 {
        let mut symbol = from;
        loop {
            let Some(at) = (symbol / 64).checked_sub(self.first_word) else { return symbol };
            let Some(word) = self.words.get(at as usize) else { return symbol };
            let clear = !word & u64::MAX << (symbol % 64);
            if clear != 0 {
                return symbol / 64 * 64 + u64::from(clear.trailing_zeros());
            }
            symbol = (symbol / 64 + 1) * 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::collections::BTreeSet;

    /// Aim: ranges, single bits and advancing agree with a set of numbers.
    #[test]
    fn agrees_with_a_set() {
        let mut stream = Seed(3).stream("bits");
        let (mut bits, mut set) = (SymbolBits::default(), BTreeSet::new());
        let mut base = 0;
        for _ in 0..20_000 {
            let first = base + stream.below(500);
            match stream.below(4) {
                0 => {
                    let end = first + stream.below(200);
                    let new = (first..end).filter(|symbol| set.insert(*symbol)).count() as u64;
                    assert_eq!(bits.set_range(first, end), new);
                }
                1 => assert_eq!(bits.set(first), set.insert(first)),
                2 => {
                    bits.clear(first);
                    set.remove(&first);
                }
                _ => {
                    base += stream.below(40);
                    bits.advance(base);
                    set = set.split_off(&(base / 64 * 64));
                }
            }
            assert_eq!(bits.get(first), set.contains(&first));
            let clear = (first..).find(|symbol| !set.contains(symbol)).unwrap();
            assert_eq!(bits.next_clear(first), clear);
        }
    }
}
