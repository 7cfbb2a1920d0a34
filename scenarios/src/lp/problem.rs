//! The builder.

use super::error::LpError;
use super::{COEFFICIENTS_MAX, SIDE_MAX};

/// A column (a variable) of the problem that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column(pub(super) usize);

/// A row (a constraint) of the problem that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(pub(super) usize);

/// How a row's sum and its right-hand side compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The sum is not above.
    AtMost,
    /// The sum is not below.
    AtLeast,
    /// They are equal.
    Equal,
}

/// A linear program being built. Columns are real; mistakes in numbers are reported when it is solved.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) maximize: bool,
    pub(super) columns: Vec<ColumnData>,
    pub(super) rows: Vec<RowData>,
}

#[derive(Clone, Debug)]
pub(super) struct ColumnData {
    pub(super) name: String,
    pub(super) objective: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

#[derive(Clone, Debug)]
pub(super) struct RowData {
    pub(super) name: String,
    /// Sorted by column, each once, none zero.
    pub(super) terms: Vec<(usize, f64)>,
    pub(super) relation: Relation,
    pub(super) right: f64,
}

impl Problem {
    /// Returns an empty problem whose objective is to be as large as possible.
    #[must_use]
    pub fn maximize() -> Self {
        Self { maximize: true, columns: Vec::new(), rows: Vec::new() }
    }

    /// Returns an empty problem whose objective is to be as small as possible.
    #[must_use]
    pub fn minimize() -> Self {
        Self { maximize: false, ..Self::maximize() }
    }

    /// Adds a column with its coefficient in the objective and its bounds, which may be infinite.
    pub fn column(&mut self, name: impl Into<String>, objective: f64, lower: f64, upper: f64) -> Column {
        self.columns.push(ColumnData { name: name.into(), objective, lower, upper });
        Column(self.columns.len() - 1)
    }

    /// Adds a row. A column that is named twice counts with the sum of its coefficients.
    ///
    /// # Panics
    /// If a column is not of this problem.
    pub fn row(
        &mut self,
        name: impl Into<String>,
        terms: &[(Column, f64)],
        relation: Relation,
        right: f64,
    ) -> Row {
        let mut sorted: Vec<(usize, f64)> = terms.iter().map(|(column, value)| (column.0, *value)).collect();
        sorted.sort_by_key(|(column, _)| *column);
        assert!(
            sorted.last().is_none_or(|(last, _)| *last < self.columns.len()),
            "a row's columns are of its own problem"
        );
        sorted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        sorted.retain(|(_, value)| *value != 0.0);
        self.rows.push(RowData { name: name.into(), terms: sorted, relation, right });
        Row(self.rows.len() - 1)
    }

    /// Adds a column to rows that there are, with its coefficient in each.
    ///
    /// # Panics
    /// If a row is not of this problem, or named twice.
    pub fn column_in(
        &mut self,
        name: impl Into<String>,
        objective: f64,
        (lower, upper): (f64, f64),
        terms: &[(Row, f64)],
    ) -> Column {
        let column = self.column(name, objective, lower, upper);
        for (row, value) in terms.iter().filter(|(_, value)| *value != 0.0) {
            // The newest column is the last of every row.
            let terms = &mut self.rows[row.0].terms;
            assert!(terms.last().is_none_or(|(last, _)| *last < column.0), "each row is named once");
            terms.push((column.0, *value));
        }
        column
    }

    /// Sets the coefficient of a column in the objective.
    ///
    /// # Panics
    /// If the column is not of this problem.
    pub fn set_objective(&mut self, column: Column, value: f64) {
        self.columns[column.0].objective = value;
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Returns the name of a row.
    ///
    /// # Panics
    /// If the row is not of this problem.
    #[must_use]
    pub fn row_name(&self, row: Row) -> &str {
        &self.rows[row.0].name
    }

    /// Returns all rows in the order in which they were added.
    pub fn all_rows(&self) -> impl Iterator<Item = Row> + use<> {
        (0..self.rows.len()).map(Row)
    }

    /// Checks numbers and size.
    pub(super) fn validate(&self) -> Result<(), LpError> {
        let coefficients = self.rows.iter().map(|row| row.terms.len()).sum();
        if self.rows.len() > SIDE_MAX || self.columns.len() > SIDE_MAX || coefficients > COEFFICIENTS_MAX {
            let (rows, columns) = (self.rows.len(), self.columns.len());
            return Err(LpError::TooLarge { rows, columns, coefficients });
        }
        let bad = |name: &str, what, value| Err(LpError::Number { name: name.to_owned(), what, value });
        for column in &self.columns {
            let ColumnData { name, objective, lower, upper } = column;
            if !objective.is_finite() {
                return bad(name, "objective coefficient", *objective);
            }
            if lower.is_nan() || *lower == f64::INFINITY {
                return bad(name, "lower bound", *lower);
            }
            if upper.is_nan() || *upper == f64::NEG_INFINITY {
                return bad(name, "upper bound", *upper);
            }
            if lower > upper {
                return Err(LpError::Bounds { name: name.clone(), lower: *lower, upper: *upper });
            }
        }
        for row in &self.rows {
            if !row.right.is_finite() {
                return bad(&row.name, "right-hand side", row.right);
            }
            if let Some((_, value)) = row.terms.iter().find(|(_, value)| !value.is_finite()) {
                return bad(&row.name, "coefficient", *value);
            }
        }
        Ok(())
    }
}
