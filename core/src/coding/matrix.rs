//! Elimination as rows come: which of them are innovative, and what they make known.

use super::gf256::{Kernel, inverse};

/// Rows that wait until the older ones are reduced by all of them in one pass.
const BLOCK: usize = 8;
/// Rows that go to a kernel at once.
const BATCH: usize = 32;
/// Columns that the first row makes room for, at least.
const FIRST_WIDTH: usize = 16;

/// Rows in reduced row echelon form (Gauss and Jordan), kept so while rows are added.
///
/// Each row has a coefficient for every symbol and, if asked for, one for every innovative row that was added: how it
/// came to be from them. Nothing but coefficients is touched, so that payloads can be combined later and at once.
///
/// The last few rows are *pending*: they are reduced by all others, which are not yet reduced by them.
#[derive(Clone, Debug)]
pub struct Elimination {
    /// Symbols that rows may have coefficients for.
    columns: usize,
    /// Those that rows have room for as yet; behind them, if rows are tracked, as many that say where a row came from.
    width: usize,
    /// The most coefficients that a row came with.
    seen: usize,
    is_tracking: bool,
    /// Rows, one behind the other.
    rows: Vec<u8>,
    /// For each row the column of its leading 1.
    pivots: Vec<u8>,
    /// For each column the row that leads there, and 1; 0 if there is none.
    leading: Vec<u8>,
    /// Rows that are not pending.
    settled: usize,
    /// Whether all rows are those of symbols as they are.
    is_plain: bool,
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
            width: 0,
            seen: 0,
            is_tracking,
            rows: Vec::new(),
            pivots: Vec::new(),
            leading: vec![0; columns],
            settled: 0,
            is_plain: true,
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

    /// Makes room for rows of so many coefficients, if there are as many columns: all at once rather than by and by.
    pub fn reserve(&mut self, columns: usize) {
        let columns = columns.min(self.columns);
        if columns > self.width {
            self.widen(columns);
        }
    }

    /// Adds a row; missing coefficients are zeros. Whether it was innovative; if so, and rows are tracked, it is number
    /// `rank() - 1` among those that came.
    ///
    /// # Panics
    /// If there are more coefficients than columns.
    pub fn add(&mut self, coefficients: &[u8]) -> bool {
        self.make_room(coefficients.len());
        let (at, stride) = (self.rows.len(), self.stride());
        self.rows.extend_from_slice(coefficients);
        self.rows.resize(at + stride, 0);
        let (rows, row) = self.rows.split_at_mut(at);
        reduce(rows, row, &self.pivots, self.settled);
        let Some(pivot) = first_nonzero(&row[..self.width]) else {
            self.rows.truncate(at);
            return false;
        };
        let number = self.pivots.len();
        if self.is_tracking {
            row[self.width + number] = 1;
        }
        if row[pivot] != 1 {
            Kernel::best().scale(row, inverse(row[pivot]));
        }
        Kernel::best().clear(&mut rows[self.settled * stride..], pivot, row);
        self.is_plain = false;
        self.enter(pivot);
        true
    }

    /// Adds the row of a symbol as it is.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn add_unit(&mut self, column: usize) -> bool {
        assert!(column < self.columns, "a symbol of the generation");
        let is_led = self.leading[column] != 0;
        if is_led || !self.is_plain {
            let mut unit = [0; 255];
            unit[column] = 1;
            return !(is_led && self.is_plain) && self.add(&unit[..=column]);
        }
        // Nothing but other symbols as they are: there is nothing to reduce.
        self.make_room(column + 1);
        let (at, number) = (self.rows.len(), self.pivots.len());
        self.rows.resize(at + self.stride(), 0);
        self.rows[at + column] = 1;
        if self.is_tracking {
            self.rows[at + self.width + number] = 1;
        }
        self.settled = number + 1;
        self.enter(column);
        true
    }

    /// Whether a row is independent of those that are here.
    ///
    /// # Panics
    /// If there are more coefficients than columns.
    #[must_use]
    pub fn is_innovative(&self, coefficients: &[u8]) -> bool {
        assert!(coefficients.len() <= self.columns, "a coefficient for each column at most");
        let (own, beyond) = coefficients.split_at(coefficients.len().min(self.width));
        let mut row = vec![0; self.stride()];
        row[..own.len()].copy_from_slice(own);
        reduce(&self.rows, &mut row, &self.pivots, self.settled);
        first_nonzero(&row[..self.width]).is_some() || first_nonzero(beyond).is_some()
    }

    /// Tells how the symbols that can be known are made of the innovative rows that came, in their order; those in
    /// `known`, a bit each, are left out.
    pub fn solutions(&mut self, known: &[u64; 4], mut take: impl FnMut(usize, &[u8])) {
        self.settle();
        let (rank, width, stride) = (self.rank(), self.width, self.stride());
        let tracked = if self.is_tracking { rank } else { 0 };
        // A row has nothing in front of its leading 1; with a full rank none has anything behind it.
        let is_solved = rank == self.seen;
        for (column, leading) in self.leading[..self.seen].iter().enumerate() {
            if *leading == 0 || known[column / 64] >> (column % 64) & 1 == 1 {
                continue;
            }
            let row = &self.rows[(usize::from(*leading) - 1) * stride..][..stride];
            // Most rows that tell of several symbols tell of the last one: a look at it spares the others.
            let is_alone = is_solved
                || ((column + 1 == self.seen || row[self.seen - 1] == 0)
                    && first_nonzero(&row[column + 1..width]).is_none());
            if is_alone {
                take(column, &row[width..width + tracked]);
            }
        }
    }

    /// Returns the bytes that are set aside for rows.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.rows.capacity()
    }

    /// Bytes of a row: whole vectors of any kernel.
    fn stride(&self) -> usize {
        let bytes = if self.is_tracking { 2 * self.width } else { self.width };
        bytes.next_multiple_of(64)
    }

    /// Makes room for a row of so many coefficients.
    fn make_room(&mut self, coefficients: usize) {
        assert!(coefficients <= self.columns, "a coefficient for each column at most");
        self.seen = self.seen.max(coefficients);
        if coefficients > self.width {
            self.widen(coefficients.max(2 * self.width).max(FIRST_WIDTH).min(self.columns));
        }
    }

    /// Lays the rows out anew, `width` columns wide.
    fn widen(&mut self, width: usize) {
        let (old, old_stride) = (self.width, self.stride());
        self.width = width;
        let stride = self.stride();
        let mut rows = Vec::with_capacity(width * stride);
        rows.resize(self.rank() * stride, 0);
        if old > 0 {
            for (new, row) in rows.chunks_exact_mut(stride).zip(self.rows.chunks_exact(old_stride)) {
                new[..old].copy_from_slice(&row[..old]);
                if self.is_tracking {
                    new[width..width + old].copy_from_slice(&row[old..2 * old]);
                }
            }
        }
        self.rows = rows;
        self.pivots.reserve(width - self.pivots.len());
    }

    /// Notes that the row at the end leads at `pivot`.
    fn enter(&mut self, pivot: usize) {
        self.pivots.push(pivot as u8);
        self.leading[pivot] = self.pivots.len() as u8;
        if self.pivots.len() - self.settled >= BLOCK {
            self.settle();
        }
    }

    /// Reduces all others by the pending rows.
    fn settle(&mut self) {
        let settled = core::mem::replace(&mut self.settled, self.pivots.len());
        let stride = self.stride();
        if settled < self.pivots.len() {
            let (rows, pending) = self.rows.split_at_mut(settled * stride);
            if let [pivot] = self.pivots[settled..] {
                Kernel::best().clear(rows, usize::from(pivot), pending);
                return;
            }
            clear(rows, stride, &self.pivots[settled..], pending);
        }
    }
}

/// Takes from `row` what the other rows know: first the settled ones, then the pending ones.
fn reduce(rows: &[u8], row: &mut [u8], pivots: &[u8], settled: usize) {
    if pivots.is_empty() {
        return;
    }
    let (old, pending) = rows.split_at(settled * row.len());
    let kernel = Kernel::best();
    kernel.reduce(row, old, &pivots[..settled]);
    kernel.reduce(row, pending, &pivots[settled..]);
}

/// Clears the leading columns of `by`, at most [`BLOCK`] rows, in all of `rows`: they share the loads.
fn clear(rows: &mut [u8], width: usize, pivots: &[u8], by: &[u8]) {
    let mut sources: [&[u8]; BLOCK] = [&[]; BLOCK];
    for (source, row) in sources.iter_mut().zip(by.chunks_exact(width)) {
        *source = row;
    }
    for rows in rows.chunks_mut(BATCH * width) {
        let mut factors = [0; BATCH * BLOCK];
        let mut targets: [&mut [u8]; BATCH] = Default::default();
        let mut count = 0;
        for row in rows.chunks_exact_mut(width) {
            let mut any = 0;
            for (factor, pivot) in factors[count * pivots.len()..].iter_mut().zip(pivots) {
                *factor = row[usize::from(*pivot)];
                any |= *factor;
            }
            if any != 0 {
                targets[count] = row;
                count += 1;
            }
        }
        if count > 0 {
            let factors = &factors[..count * pivots.len()];
            Kernel::best().accumulate_many(&mut targets[..count], factors, &sources[..pivots.len()]);
        }
    }
}

/// Returns where the first nonzero byte is.
fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        if word != 0 {
            return Some(8 * at + word.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|b| *b != 0).map(|at| 8 * words.len() + at)
}
