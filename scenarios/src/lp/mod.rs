//! Linear programs: a builder with named rows and columns, microlp as solver, and our own check of every answer.
//!
//! ```
//! use bellini_scenarios::lp::{Problem, Relation};
//!
//! let mut problem = Problem::maximize();
//! let a = problem.column("a", 3.0, 0.0, f64::INFINITY);
//! let b = problem.column("b", 2.0, 0.0, 4.0);
//! let sum = problem.row("sum", &[(a, 1.0), (b, 1.0)], Relation::AtMost, 5.0);
//! let solution = problem.solve()?;
//! assert_eq!(solution.objective(), 15.0);
//! // One unit more of the sum would be worth 3.
//! assert_eq!(solution.price(sum), 3.0);
//! # Ok::<(), bellini_scenarios::lp::LpError>(())
//! ```
//!
//! microlp gives values and no prices. [`Problem::solve`] therefore solves the dual as well, and believes neither:
//! `check` recomputes every row and bound from the values, and from the prices a bound on the objective that holds
//! whatever the solver did (weak duality). Only where the two meet is the answer called optimal.
//!
//! [`Simplex`] solves the same problems by a method of our own that goes on from its last answer: for programs that get
//! columns, other costs or other right-hand sides again and again. Values and prices come from one basis there, under
//! the same check, with microlp as the second opinion.
//!
//! Solvers compare with absolute tolerances, so that a rate in bit/s and one in Gbit/s would be different problems to
//! them. Problems are brought to scale before they are solved (`scale`), by powers of two, so that nothing is rounded.
//! No time limit is ever set: it would make answers depend on the clock. Size is limited instead.

mod check;
mod dual;
mod error;
mod problem;
mod scale;
mod simplex;
mod solve;

pub use error::LpError;
pub use problem::{Column, Problem, Relation, Row};
pub use simplex::Simplex;
pub use solve::Solution;

/// Most rows, and most columns, that are tried.
pub const SIDE_MAX: usize = 100_000;
/// Most coefficients that are not zero.
pub const COEFFICIENTS_MAX: usize = 2_000_000;
/// Largest relative difference at which a row counts as met, a price as of the right sign, and the objective as equal
/// to its bound.
pub const TOLERANCE: f64 = 1e-6;

#[cfg(test)]
mod tests;
