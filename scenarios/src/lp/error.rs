//! What can go wrong with a linear program.

use thiserror::Error;

/// Why there is no answer, or none that is believed.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum LpError {
    /// A coefficient, bound or right-hand side is no number, or infinite on the side where it would forbid everything.
    #[error("`{name}`: {value} cannot be a {what}")]
    Number {
        /// The row or column.
        name: String,
        /// `coefficient`, `bound`, `right-hand side` or `objective coefficient`.
        what: &'static str,
        /// The value.
        value: f64,
    },
    /// A column's lower bound is above its upper bound.
    #[error("`{name}`: the lower bound {lower} is above the upper bound {upper}")]
    Bounds {
        /// The column.
        name: String,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// More than is tried.
    #[error("{rows} rows, {columns} columns, {coefficients} coefficients: at most {side} rows and columns, {most}", side = super::SIDE_MAX, most = super::COEFFICIENTS_MAX)]
    TooLarge {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Coefficients that are not zero.
        coefficients: usize,
    },
    /// No values meet every row.
    #[error("no solution: {}", binding.join(", "))]
    Infeasible {
        /// Rows that cannot be met beside all others, each with what is missing; the least total that must give way.
        binding: Vec<String>,
    },
    /// The objective has no limit.
    #[error("the objective has no limit")]
    Unbounded,
    /// The solver gave up.
    #[error("the solver failed: {0}")]
    Solver(String),
    /// The solver's values break a row or a bound.
    #[error("the solver's answer misses `{name}` by {by}")]
    Missed {
        /// The row or column.
        name: String,
        /// By how much, in the problem's own units.
        by: f64,
    },
    /// The solver's values are good, but not shown to be the best.
    #[error("the solver's answer {objective} is not shown to be optimal: the bound is {bound}")]
    Unproved {
        /// The objective of its values.
        objective: f64,
        /// What no values can be better than, by the prices found; infinite where they show nothing.
        bound: f64,
    },
}
