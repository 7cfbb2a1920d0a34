//! The symbols of a generation at their source.

use super::coefficients;
use super::symbol::{Coded, combine_into};
use bytes::BytesMut;

/// Holds the symbols of a generation, and combines them.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    symbols: Vec<Coded>,
}

impl Encoder {
    /// Returns one without symbols.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next symbol. A generation has at most 255: one more is not taken.
    pub fn push(&mut self, symbol: Coded) -> bool {
        let fits = self.symbols.len() < 255;
        if fits {
            self.symbols.push(symbol);
        }
        fits
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

    /// Returns a symbol.
    #[must_use]
    pub fn symbol(&self, offset: usize) -> Option<&Coded> {
        self.symbols.get(offset)
    }

    /// Returns the bytes that it holds, those of descriptions included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.symbols.iter().map(|symbol| symbol.meta.len() + symbol.body.len()).sum()
    }

    /// Appends the combination by the coefficients of `seed` to `out`: the block, and the payload where it is real.
    /// Returns the length of the payload.
    pub fn combine_seeded(&self, seed: u64, out: &mut BytesMut) -> usize {
        let mut coefficients = [0; 255];
        let coefficients = &mut coefficients[..self.symbols.len()];
        coefficients::seeded(seed, coefficients);
        self.combine(coefficients, out)
    }

    /// Likewise by coefficients that are given.
    ///
    /// # Panics
    /// If there are not as many as symbols.
    pub fn combine(&self, coefficients: &[u8], out: &mut BytesMut) -> usize {
        let symbols: Vec<&Coded> = self.symbols.iter().collect();
        combine_into(&symbols, coefficients, out)
    }
}
