//! Elimination as rows come: which of them are innovative, and what they make known.

use super::gf256::{Kernel, inverse};

/// Rows in reduced row echelon form (Gauss and Jordan), kept so while rows are added.
///
/// Each row has a coefficient for every symbol and, if asked for, one for every innovative row that was added: how it
/// came to be from them. Nothing but coefficients is touched, so that payloads can be combined later and at once.
#[derive(Clone, Debug)]
pub struct Elimination {
    /// Symbols that rows have coefficients for.
    columns: usize,
    /// Columns behind them that say where a row came from.
    tracking: usize,
    /// Rows, one behind the other.
    rows: Vec<u8>,
    /// For each row the column of its leading 1.
    pivots: Vec<u8>,
    /// For each column the row that leads there.
    leading: Vec<Option<u8>>,
    /// A row under work.
    scratch: Vec<u8>,
}

impl Elimination {
    /// Returns an empty one for `columns` symbols; `is_tracking`: whether rows say where they came from.
    ///
    /// # Panics
    /// Above 255 columns.
    #[must_use]
    pub fn new(columns: usize, is_tracking: bool) -> Self {
        assert!(columns <= 255, "a generation has at most 255 symbols");
        Self {
            columns,
            tracking: if is_tracking { columns } else { 0 },
            rows: Vec::new(),
            pivots: Vec::new(),
            leading: vec![None; columns],
            scratch: Vec::new(),
        }
    }

    /// Returns the number of independent rows.
    #[inline]
    #[must_use]
    pub fn rank(&self) -> usize {
        self.pivots.len()
    }

    /// Returns the number of symbols that rows have coefficients for.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether the rank is that of all symbols.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rank() == self.columns
    }

    /// Adds a row; missing coefficients are zeros. Whether it was innovative; if so, and rows are tracked, it is number
    /// `rank() - 1` among those that came.
    ///
    /// # Panics
    /// If there are more coefficients than columns.
    pub fn add(&mut self, coefficients: &[u8]) -> bool {
        let width = self.width();
        let mut row = core::mem::take(&mut self.scratch);
        row.clear();
        row.resize(width, 0);
        row[..coefficients.len()].copy_from_slice(coefficients);
        let pivot = self.reduce(&mut row);
        if let Some(pivot) = pivot {
            self.insert(pivot, &mut row);
        }
        self.scratch = row;
        pivot.is_some()
    }

    /// Adds the row of a symbol as it is.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn add_unit(&mut self, column: usize) -> bool {
        let mut unit = [0; 255];
        unit[column] = 1;
        self.add(&unit[..self.columns])
    }

    /// Whether a row is independent of those that are here.
    #[must_use]
    pub fn is_innovative(&self, coefficients: &[u8]) -> bool {
        let mut row = vec![0; self.width()];
        row[..coefficients.len()].copy_from_slice(coefficients);
        self.reduce(&mut row).is_some()
    }

    /// Returns how symbol `column` is made of the innovative rows that came, in their order, if it can be.
    #[must_use]
    pub fn solution(&self, column: usize) -> Option<&[u8]> {
        let row = usize::from((*self.leading.get(column)?)?);
        let row = &self.rows[row * self.width()..][..self.width()];
        let is_alone =
            row[..column].iter().all(|c| *c == 0) && row[column + 1..self.columns].iter().all(|c| *c == 0);
        is_alone.then(|| &row[self.columns..self.columns + self.rank().min(self.tracking)])
    }

    fn width(&self) -> usize {
        self.columns + self.tracking
    }

    /// Takes from `row` what the other rows know; returns where it leads then, or `None` when nothing is left.
    fn reduce(&self, row: &mut [u8]) -> Option<usize> {
        let kernel = Kernel::best();
        let width = self.width();
        // No row has anything in another's leading column: one pass is enough, and its factors are known beforehand.
        let mut factors = [0; 255];
        let mut sources: [&[u8]; 255] = [&[]; 255];
        let mut count = 0;
        for (at, pivot) in self.pivots.iter().enumerate() {
            let factor = row[usize::from(*pivot)];
            if factor != 0 {
                factors[count] = factor;
                sources[count] = &self.rows[at * width..][..width];
                count += 1;
            }
        }
        if count > 0 {
            kernel.accumulate_many(&mut [&mut *row], &factors[..count], &sources[..count]);
        }
        row[..self.columns].iter().position(|c| *c != 0)
    }

    fn insert(&mut self, pivot: usize, row: &mut [u8]) {
        let kernel = Kernel::best();
        let width = self.width();
        let number = self.rank();
        if self.tracking > 0 {
            row[self.columns + number] = 1;
        }
        kernel.scale(row, inverse(row[pivot]));
        for other in self.rows.chunks_exact_mut(width) {
            let factor = other[pivot];
            if factor != 0 {
                kernel.multiply_add(other, factor, row);
            }
        }
        self.rows.extend_from_slice(row);
        self.pivots.push(pivot as u8);
        self.leading[pivot] = Some(number as u8);
    }
}
