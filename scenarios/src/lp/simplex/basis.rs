//! The basis, and its inverse.

use super::Variable;

/// Steps after which the inverse is made anew.
const AGE_MAX: usize = 100;
/// Below this a coefficient is no pivot for a new inverse.
const SINGULAR: f64 = 1e-9;
/// What rounding leaves of a coefficient that is zero.
const ZERO: f64 = 1e-14;

/// Which variable stands for each row, and the inverse of their coefficients.
#[derive(Clone, Debug, Default)]
pub(super) struct Basis {
    /// By row: its variable.
    pub(super) head: Vec<usize>,
    /// The inverse by columns, that is by rows of the problem.
    inverse: Vec<Vec<f64>>,
    /// Steps since the inverse was made.
    age: usize,
    is_stale: bool,
    /// By row of the problem: what the last costs make of it.
    pub(super) prices: Vec<f64>,
}

impl Basis {
    /// Returns the basis of all slacks.
    pub(super) fn of_slacks(rows: usize) -> Self {
        let mut basis = Self { head: (0..rows).collect(), prices: vec![0.0; rows], ..Self::default() };
        basis.clear();
        basis
    }

    fn clear(&mut self) {
        let rows = self.head.len();
        self.inverse.resize_with(rows, Vec::new);
        for (at, column) in self.inverse.iter_mut().enumerate() {
            column.clear();
            column.resize(rows, 0.0);
            column[at] = 1.0;
        }
        (self.age, self.is_stale) = (0, false);
    }

    /// The inverse is no more that of the basis.
    pub(super) fn forget(&mut self) {
        self.is_stale = true;
    }

    pub(super) fn is_old(&self) -> bool {
        self.is_stale || self.age >= AGE_MAX
    }

    /// Whether the inverse has seen any step.
    pub(super) fn is_fresh(&self) -> bool {
        !self.is_stale && self.age == 0
    }

    /// Returns the inverse times a column.
    pub(super) fn times(&self, terms: &[(usize, f64)]) -> Vec<f64> {
        let mut sum = vec![0.0; self.head.len()];
        for (row, value) in terms {
            for (sum, entry) in sum.iter_mut().zip(&self.inverse[*row]) {
                *sum += value * entry;
            }
        }
        sum
    }

    /// Sets the prices by the costs of basic variables.
    pub(super) fn price(&mut self, costs: &[f64]) {
        for (price, column) in self.prices.iter_mut().zip(&self.inverse) {
            *price = costs.iter().zip(column).map(|(cost, entry)| cost * entry).sum();
        }
    }

    /// Adds a multiple of a row of the inverse to the prices.
    pub(super) fn shift_prices(&mut self, row: usize, by: f64) {
        for (price, column) in self.prices.iter_mut().zip(&self.inverse) {
            *price += by * column[row];
        }
    }

    /// Lets a variable, whose column times the inverse is `direction`, stand for `row`.
    pub(super) fn replace(&mut self, row: usize, variable: usize, direction: &[f64]) {
        let pivot = direction[row];
        let others: Vec<(usize, f64)> = direction
            .iter()
            .enumerate()
            .filter(|(at, value)| *at != row && value.abs() > ZERO)
            .map(|(at, value)| (at, value / pivot))
            .collect();
        for column in &mut self.inverse {
            let entry = column[row];
            if entry != 0.0 {
                for (at, part) in &others {
                    column[*at] -= part * entry;
                }
                column[row] = entry / pivot;
            }
        }
        self.head[row] = variable;
        self.age += 1;
    }

    /// Makes the inverse anew. Variables that others stand in for already leave the basis for slacks.
    pub(super) fn invert(&mut self, variables: &mut [Variable]) {
        let rows = self.head.len();
        let mut columns: Vec<usize> =
            self.head.iter().copied().filter(|variable| *variable >= rows).collect();
        // Short columns first: they fill the inverse the least.
        columns.sort_by_key(|variable| (variables[*variable].terms.len(), *variable));
        let mut is_open: Vec<bool> = (0..rows).map(|row| !variables[row].is_basic).collect();
        self.head = (0..rows).collect();
        self.clear();
        for variable in columns {
            let direction = self.times(&variables[variable].terms);
            let open = (0..rows).filter(|row| is_open[*row]);
            let best = open.max_by(|a, b| direction[*a].abs().total_cmp(&direction[*b].abs()));
            match best.filter(|row| direction[*row].abs() > SINGULAR) {
                Some(row) => {
                    self.replace(row, variable, &direction);
                    is_open[row] = false;
                }
                None => {
                    variables[variable].is_basic = false;
                    variables[variable].settle();
                }
            }
        }
        for row in (0..rows).filter(|row| is_open[*row]) {
            variables[row].is_basic = true;
        }
        self.age = 0;
    }
}
