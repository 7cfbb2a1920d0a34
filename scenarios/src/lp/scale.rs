//! Problems are brought to scale: coefficients around one, values not far from one.
//!
//! Geometric scaling of rows and columns (Fourer, Solving staircase linear programs, Mathematical Programming 23, 1982),
//! two rounds, then one factor for all values. Every factor is a power of two, so that nothing is rounded.

use super::problem::Problem;

/// The factors by which a problem was scaled.
#[derive(Debug)]
pub(super) struct Scales {
    /// By row: what its coefficients and right-hand side were multiplied with, beside `size`.
    pub(super) rows: Vec<f64>,
    /// By column: its value is that of the scaled problem times this, times `size`.
    pub(super) columns: Vec<f64>,
    /// What all right-hand sides and bounds were divided by.
    pub(super) size: f64,
    /// What the objective's coefficients were multiplied with.
    pub(super) objective: f64,
}

const ROUNDS: usize = 2;

impl Scales {
    /// Returns factors that change nothing.
    pub(super) fn none(problem: &Problem) -> Self {
        let (rows, columns) = (vec![1.0; problem.rows.len()], vec![1.0; problem.columns.len()]);
        Self { rows, columns, size: 1.0, objective: 1.0 }
    }

    /// Finds the factors for a problem.
    pub(super) fn of(problem: &Problem) -> Self {
        let mut rows = vec![1.0; problem.rows.len()];
        let mut columns = vec![1.0; problem.columns.len()];
        for _ in 0..ROUNDS {
            let mut spans = vec![(f64::INFINITY, 0.0_f64); columns.len()];
            for (row, factor) in problem.rows.iter().zip(&mut rows) {
                let sizes = row.terms.iter().map(|(column, value)| (value * columns[*column]).abs());
                let span = sizes.fold((f64::INFINITY, 0.0), widen);
                *factor = middle(span);
                for (column, value) in &row.terms {
                    spans[*column] = widen(spans[*column], (value * *factor).abs());
                }
            }
            columns = spans.into_iter().map(middle).collect();
        }
        // Bounds may be far from any value; right-hand sides seldom are.
        let rights = problem.rows.iter().zip(&rows).map(|(row, factor)| (row.right * factor).abs());
        let bounds = problem
            .columns
            .iter()
            .zip(&columns)
            .flat_map(|(column, factor)| [(column.lower / factor).abs(), (column.upper / factor).abs()]);
        let largest = Some(rights.fold(0.0, f64::max)).filter(|largest| *largest > 0.0);
        let largest = largest.unwrap_or_else(|| bounds.filter(|size| size.is_finite()).fold(0.0, f64::max));
        let costs = problem.columns.iter().zip(&columns).map(|(column, factor)| column.objective * factor);
        let dearest = costs.map(f64::abs).fold(0.0, f64::max);
        let size = if largest > 0.0 { power_of_two(largest) } else { 1.0 };
        let objective = if dearest > 0.0 { 1.0 / power_of_two(dearest) } else { 1.0 };
        Self { rows, columns, size, objective }
    }
}

pub(super) fn widen((least, most): (f64, f64), size: f64) -> (f64, f64) {
    (least.min(size), most.max(size))
}

/// Returns the factor that brings the geometric middle of a span to one.
pub(super) fn middle((least, most): (f64, f64)) -> f64 {
    if most > 0.0 { 1.0 / power_of_two(least.sqrt() * most.sqrt()) } else { 1.0 }
}

/// Returns the power of two at or below a number above zero: its bits without the fraction.
pub(super) fn power_of_two(number: f64) -> f64 {
    let power = f64::from_bits(number.to_bits() & 0x7ff0_0000_0000_0000);
    if power.is_normal() { power } else { 1.0 }
}
