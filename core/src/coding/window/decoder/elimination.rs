//! What combinations say of the symbols that a window decoder lacks.

use super::{WindowDecoder, bytes_of};
use crate::coding::symbol::{Coded, real};
use crate::coding::window::row::{Row, Term, add_coefficients};

impl WindowDecoder {
    /// Takes from a combination what is known and what other rows say; `None` when nothing is left of it.
    pub(super) fn reduced(&self, first: u64, mut coefficients: Vec<u8>, coded: &Coded) -> Option<Row> {
        let mut terms = Vec::with_capacity(coefficients.len());
        let at = (first - self.base) as usize;
        for (factor, slot) in coefficients.iter_mut().zip(self.slots.range(at..)) {
            if let Some(known) = &slot.known {
                terms.push(term(core::mem::take(factor), known));
            }
        }
        // No row has anything of a symbol that another begins with: the order does not matter.
        let size = coefficients.len();
        for row in &self.rows {
            let Some(at) = row.first.checked_sub(first).filter(|at| *at < size as u64) else { continue };
            let factor = coefficients[at as usize];
            if factor != 0 {
                add_coefficients(&mut coefficients, first, factor, row);
                terms.push(row.term(factor));
            }
        }
        if coefficients.iter().all(|c| *c == 0) {
            return None;
        }
        let mut row = Row::new(first, coefficients, coded, &terms);
        row.normalise().then_some(row)
    }

    /// Adds a row that no other's first symbol is in, and takes its own first one from the others.
    pub(super) fn insert(&mut self, row: Row) {
        let at = self.rows.partition_point(|other| other.first < row.first);
        for other in &mut self.rows[..at] {
            let factor = other.coefficient(row.first);
            if factor != 0 {
                self.bytes -= other.bytes();
                other.subtract(factor, &row);
                self.bytes += other.bytes();
            }
        }
        self.bytes += row.bytes();
        self.rows.insert(at, row);
        self.find_symbols();
    }

    /// Makes the symbol known, and takes it from all rows.
    pub(super) fn settle(&mut self, symbol: u64, coded: Coded) {
        let known = term(1, &coded);
        let mut begun = None;
        for at in 0..self.rows.len() {
            let row = &mut self.rows[at];
            let factor = row.coefficient(symbol);
            if factor == 0 {
                continue;
            }
            self.bytes -= row.bytes();
            row.settle(symbol, &Term { factor, ..known });
            if row.first == symbol {
                begun = Some(at);
            } else {
                self.bytes += row.bytes();
            }
        }
        self.bytes += bytes_of(&coded);
        let slot = (symbol - self.base) as usize;
        self.slots[slot].known = Some(coded);
        // The row that began with it begins with another symbol now: rows have at least two.
        if let Some(at) = begun {
            let mut row = self.rows.remove(at);
            if row.normalise() {
                self.insert(row);
                return;
            }
        }
        self.find_symbols();
    }

    /// Turns rows of one symbol into known symbols. No other row has them.
    fn find_symbols(&mut self) {
        let is_real = self.is_real.unwrap_or(false);
        let mut at = 0;
        while at < self.rows.len() {
            if !self.rows[at].is_symbol() {
                at += 1;
                continue;
            }
            let row = self.rows.remove(at);
            self.bytes -= row.bytes();
            let symbol = row.first;
            let coded = row.into_coded(is_real);
            self.bytes += bytes_of(&coded);
            let slot = (symbol - self.base) as usize;
            self.slots[slot].known = Some(coded);
            self.ready.push(symbol);
        }
    }
}

fn term(factor: u8, coded: &Coded) -> Term<'_> {
    Term { factor, meta: &coded.meta, body: real(&coded.body), len: coded.body.len() }
}
