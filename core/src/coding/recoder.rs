//! What a relay holds of a generation, to combine it anew without decoding.

use super::coefficients;
use super::gf256::Kernel;
use super::matrix::Elimination;
use super::symbol::{Coded, combine_into};
use crate::rng::Stream;
use bytes::{BufMut, BytesMut};

/// What became of a row at a recoder or decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It raised the rank.
    Innovative,
    /// It told nothing new.
    Dependent,
    /// It does not belong to what is held.
    Refused,
}

/// Independent rows of one generation.
#[derive(Clone, Debug)]
pub struct Recoder {
    /// Symbols that rows have spoken of.
    size: usize,
    /// Symbols that rows may speak of.
    limit: usize,
    elimination: Elimination,
    /// Coefficients of the rows, `columns` of each.
    coefficients: Vec<[u8; 255]>,
    rows: Vec<Coded>,
    /// Bytes of all rows, with what elimination keeps of them.
    bytes: usize,
}

impl Recoder {
    /// Returns one for a generation of at most `columns` symbols.
    ///
    /// # Panics
    /// Above 255.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self {
            size: 0,
            limit: columns,
            elimination: Elimination::new(columns, false),
            coefficients: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Returns the rank.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.elimination.rank()
    }

    /// Returns the number of symbols that the rows speak of.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Says how many symbols there are: rows that speak of more are refused from now on.
    pub fn set_size(&mut self, size: usize) {
        self.limit = self.limit.min(size);
    }

    /// Returns the bytes that it holds, those of descriptions and of coefficients included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in the symbol at `offset`.
    pub fn push_symbol(&mut self, offset: usize, symbol: Coded) -> Pushed {
        let mut unit = [0; 255];
        match unit.get_mut(offset) {
            Some(one) => *one = 1,
            None => return Pushed::Refused,
        }
        self.push(&unit[..=offset], symbol)
    }

    /// Takes in a combination.
    pub fn push(&mut self, coefficients: &[u8], row: Coded) -> Pushed {
        let is_foreign = self.rows.first().is_some_and(|first| first.body.is_real() != row.body.is_real());
        // What is not combined need not be there.
        let used = coefficients.iter().rposition(|c| *c != 0).map_or(0, |last| last + 1);
        if used > self.limit || is_foreign {
            return Pushed::Refused;
        }
        let coefficients = &coefficients[..used];
        self.size = self.size.max(used);
        if !self.elimination.add(coefficients) {
            return Pushed::Dependent;
        }
        let mut own = [0; 255];
        own[..coefficients.len()].copy_from_slice(coefficients);
        self.coefficients.push(own);
        self.bytes += row.meta.len() + row.body.len() + own.len() + self.elimination.columns();
        self.rows.push(row);
        Pushed::Innovative
    }

    /// Appends a fresh combination of everything held to `out`: `size` coefficients, the block, and the payload where it
    /// is real. Returns the length of the payload.
    ///
    /// # Panics
    /// If `size` is below [`size`](Self::size).
    pub fn recode(&self, stream: &mut Stream, size: usize, out: &mut BytesMut) -> usize {
        assert!(size >= self.size, "all symbols have a coefficient");
        let mut factors = [0; 255];
        let factors = &mut factors[..self.rows.len()];
        coefficients::draw(stream, factors);
        let rows: Vec<&Coded> = self.rows.iter().collect();
        let vectors: Vec<&[u8]> = self.coefficients.iter().map(|vector| &vector[..self.size]).collect();
        let at = out.len();
        out.put_bytes(0, size);
        Kernel::best().combine(&mut out[at..], factors, &vectors);
        combine_into(&rows, factors, out)
    }
}
