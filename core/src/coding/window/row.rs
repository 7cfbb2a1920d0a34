//! A combination of symbols that are not known yet.

use crate::coding::gf256::{Kernel, inverse};
use crate::coding::meta::META_BYTES;
use crate::coding::symbol::{Body, Coded};

/// A combination, by symbols from `first` on. While it is kept its first coefficient is 1, and its last is not 0.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) first: u64,
    pub(super) coefficients: Vec<u8>,
    meta: [u8; META_BYTES],
    /// The payload where it is real.
    body: Vec<u8>,
    /// Bytes of the payload.
    len: usize,
}

/// What is added to a row: a multiple of a symbol or of another row's data.
pub(super) struct Term<'a> {
    pub(super) factor: u8,
    pub(super) meta: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) len: usize,
}

impl Row {
    /// Returns the row of `terms` on top of `coded`.
    pub(super) fn new(first: u64, coefficients: Vec<u8>, coded: &Coded, terms: &[Term<'_>]) -> Self {
        let (body, len) = match &coded.body {
            Body::Real(bytes) => (bytes.to_vec(), bytes.len()),
            Body::Described(len) => (Vec::new(), *len as usize),
        };
        let mut row = Self { first, coefficients, meta: coded.meta, body, len };
        row.add(terms);
        row
    }

    /// Adds terms to the data.
    pub(super) fn add(&mut self, terms: &[Term<'_>]) {
        let kernel = Kernel::best();
        for term in terms {
            self.len = self.len.max(term.len);
            if self.body.len() < term.body.len() {
                self.body.resize(term.body.len(), 0);
            }
        }
        let factors: Vec<u8> = terms.iter().map(|term| term.factor).collect();
        let mut sources: Vec<&[u8]> = terms.iter().map(|term| term.meta).collect();
        kernel.accumulate_many(&mut [&mut self.meta[..]], &factors, &sources);
        if !self.body.is_empty() {
            sources.clear();
            sources.extend(terms.iter().map(|term| term.body));
            kernel.accumulate_many(&mut [&mut self.body[..]], &factors, &sources);
        }
    }

    /// Returns `factor` times the row's data.
    pub(super) fn term(&self, factor: u8) -> Term<'_> {
        Term { factor, meta: &self.meta, body: &self.body, len: self.len }
    }

    /// Returns the coefficient of a symbol.
    pub(super) fn coefficient(&self, symbol: u64) -> u8 {
        let offset = symbol.checked_sub(self.first);
        offset.and_then(|offset| self.coefficients.get(offset as usize)).copied().unwrap_or(0)
    }

    /// Takes `factor` times `other` from the row, which begins no later.
    pub(super) fn subtract(&mut self, factor: u8, other: &Self) {
        add_coefficients(&mut self.coefficients, self.first, factor, other);
        self.add(&[other.term(factor)]);
        self.trim();
    }

    /// Takes the symbol, which is known now, from the row.
    pub(super) fn settle(&mut self, symbol: u64, known: &Term<'_>) {
        let at = (symbol - self.first) as usize;
        self.coefficients[at] = 0;
        self.add(core::slice::from_ref(known));
        self.trim();
    }

    /// Lets the row begin with its first unknown symbol, by coefficient 1. Whether there is one.
    pub(super) fn normalise(&mut self) -> bool {
        let Some(lead) = self.coefficients.iter().position(|c| *c != 0) else { return false };
        self.coefficients.drain(..lead);
        self.first += lead as u64;
        self.trim();
        let factor = inverse(self.coefficients[0]);
        if factor != 1 {
            let kernel = Kernel::best();
            kernel.scale(&mut self.coefficients, factor);
            kernel.scale(&mut self.meta, factor);
            kernel.scale(&mut self.body, factor);
        }
        true
    }

    /// Whether the row is a symbol as it is.
    pub(super) fn is_symbol(&self) -> bool {
        self.coefficients.len() == 1
    }

    /// Returns the bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.coefficients.len() + META_BYTES + self.len
    }

    /// Returns the row's data.
    pub(super) fn into_coded(mut self, is_real: bool) -> Coded {
        let body = if is_real {
            self.body.resize(self.len, 0);
            Body::Real(self.body.into())
        } else {
            Body::Described(self.len as u32)
        };
        Coded { meta: self.meta, body }
    }

    fn trim(&mut self) {
        let end = self.coefficients.iter().rposition(|c| *c != 0).map_or(0, |last| last + 1);
        self.coefficients.truncate(end);
    }
}

/// Adds `factor` times a row's coefficients to those of symbols from `first` on, which is no later than the row's.
pub(super) fn add_coefficients(coefficients: &mut Vec<u8>, first: u64, factor: u8, row: &Row) {
    let at = (row.first - first) as usize;
    let end = at + row.coefficients.len();
    if coefficients.len() < end {
        coefficients.resize(end, 0);
    }
    Kernel::best().multiply_add(&mut coefficients[at..end], factor, &row.coefficients);
}
