//! Solving: to microlp and back.

use super::error::LpError;
use super::problem::{Column, Problem, Relation, Row};
use super::scale::Scales;
use super::{TOLERANCE, check, dual};
use microlp::{ComparisonOp, OptimizationDirection, SolveOptions};

/// The solver's absolute tolerance, in scaled units: many columns may use it at once, and ours is for their sum.
const SOLVER_TOLERANCE: f64 = 1e-9;

/// A checked answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    pub(super) values: Vec<f64>,
    pub(super) objective: f64,
    /// By row; empty where they were not asked for.
    pub(super) prices: Vec<f64>,
    pub(super) bound: f64,
}

impl Solution {
    /// Returns the value of a column.
    ///
    /// # Panics
    /// If the column is not of the problem that was solved.
    #[must_use]
    pub fn value(&self, column: Column) -> f64 {
        self.values[column.0]
    }

    /// Returns the objective.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// Returns by how much the objective changes for each unit that a row's right-hand side grows (its dual value): not
    /// zero only where the row binds. Zero for [`Problem::solve_unproved`].
    ///
    /// # Panics
    /// If the row is not of the problem that was solved.
    #[must_use]
    pub fn price(&self, row: Row) -> f64 {
        if self.prices.is_empty() { 0.0 } else { self.prices[row.0] }
    }

    /// Returns what no values can be better than, as computed from the prices; infinite (with the sign of the worst)
    /// for [`Problem::solve_unproved`].
    #[must_use]
    pub fn bound(&self) -> f64 {
        self.bound
    }
}

impl Problem {
    /// Solves the problem and its dual, and checks both: the values meet every row, and no values can be better by more
    /// than [`TOLERANCE`].
    ///
    /// # Errors
    /// Any [`LpError`].
    pub fn solve(&self) -> Result<Solution, LpError> {
        let solution = self.solve_unproved()?;
        let dual = dual::dual(self);
        let proved = self.prove_by(&solution, raw(&dual, &Scales::of(&dual)));
        // What fails in one scale may not in another.
        proved.or_else(|_| self.prove_by(&solution, raw(&dual, &Scales::none(&dual))))
    }

    /// Adds prices to a solution: what the dual says of itself is not believed, its values are only used.
    fn prove_by(&self, solution: &Solution, prices: Result<Vec<f64>, LpError>) -> Result<Solution, LpError> {
        let prices = prices.map_err(|error| match error {
            LpError::Infeasible { .. } | LpError::Unbounded => {
                LpError::Solver("the dual has no solution, though the problem has one".to_owned())
            }
            other => other,
        })?;
        self.prove(solution, prices[..self.rows.len()].to_vec())
    }

    /// Adds prices to a solution, if they prove that none is better.
    pub(super) fn prove(&self, solution: &Solution, prices: Vec<f64>) -> Result<Solution, LpError> {
        let solution = Solution { bound: check::bound(self, &prices), prices, ..solution.clone() };
        let (objective, bound) = (solution.objective, solution.bound);
        if (objective - bound).abs() <= TOLERANCE * self.objective_size(&solution) {
            return Ok(solution);
        }
        Err(LpError::Unproved { objective, bound })
    }

    /// Solves the problem and checks that the values meet every row; not that they are the best.
    ///
    /// # Errors
    /// Any [`LpError`] but [`LpError::Unproved`].
    pub fn solve_unproved(&self) -> Result<Solution, LpError> {
        self.validate()?;
        let accept = |values: Result<Vec<f64>, LpError>| values.and_then(|values| self.accept(values));
        match accept(raw(self, &Scales::of(self))) {
            Err(LpError::Infeasible { .. }) => Err(self.explain()),
            Err(LpError::Missed { .. } | LpError::Solver(_)) => accept(raw(self, &Scales::none(self))),
            other => other,
        }
    }

    /// Checks what a solver found.
    pub(super) fn accept(&self, mut values: Vec<f64>) -> Result<Solution, LpError> {
        // A trace outside its bounds is put inside; what that does to rows is seen next.
        for (column, value) in self.columns.iter().zip(&mut values) {
            if (column.lower - *value).max(*value - column.upper) <= TOLERANCE * value.abs().max(1.0) {
                *value = value.clamp(column.lower, column.upper);
            }
        }
        let unit = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let objective = check::primal(self, &values, unit.max(check::smallest(self)))?;
        let bound = if self.maximize { f64::INFINITY } else { f64::NEG_INFINITY };
        Ok(Solution { values, objective, prices: Vec::new(), bound })
    }

    /// Returns the size of the largest term of the objective and of its bound: what they are compared by.
    fn objective_size(&self, solution: &Solution) -> f64 {
        let values = self.columns.iter().zip(&solution.values);
        let values = values.map(|(column, value)| column.objective * value);
        let prices = self.rows.iter().zip(&solution.prices).map(|(row, price)| row.right * price);
        values.chain(prices).fold(f64::MIN_POSITIVE, |most, term| most.max(term.abs()))
    }

    /// Says which rows of an infeasible problem cannot be met: those that give way when as little as possible does, each
    /// measured in parts of its right-hand side or its largest coefficient.
    fn explain(&self) -> LpError {
        let mut elastic = Self { maximize: false, ..self.clone() };
        for column in &mut elastic.columns {
            column.objective = 0.0;
        }
        let mut slack = Vec::new();
        for row in &mut elastic.rows {
            let largest = row.terms.iter().fold(row.right.abs(), |most, (_, factor)| most.max(factor.abs()));
            let unit = if largest > 0.0 { largest } else { 1.0 };
            let directions: &[f64] = match row.relation {
                Relation::AtMost => &[-1.0],
                Relation::AtLeast => &[1.0],
                Relation::Equal => &[-1.0, 1.0],
            };
            for sign in directions {
                let column = elastic.columns.len();
                elastic.columns.push(super::problem::ColumnData {
                    name: String::new(),
                    objective: 1.0,
                    lower: 0.0,
                    upper: f64::INFINITY,
                });
                row.terms.push((column, sign * unit));
                slack.push((column, unit));
            }
        }
        let mut binding = Vec::new();
        if let Ok(values) = raw(&elastic, &Scales::of(&elastic)) {
            let most = slack.iter().fold(0.0_f64, |most, (column, _)| most.max(values[*column]));
            let mut at = slack.iter();
            for row in &self.rows {
                let columns = if row.relation == Relation::Equal { 2 } else { 1 };
                let missing =
                    at.by_ref().take(columns).filter(|(column, _)| values[*column] > most * TOLERANCE);
                for (column, unit) in missing {
                    binding.push(format!("`{}` is missed by {:.6}", row.name, values[*column] * unit));
                }
            }
        }
        LpError::Infeasible { binding }
    }
}

/// Solves a problem as microlp does, in scaled units.
fn raw(problem: &Problem, scales: &Scales) -> Result<Vec<f64>, LpError> {
    let direction =
        if problem.maximize { OptimizationDirection::Maximize } else { OptimizationDirection::Minimize };
    let mut scaled = microlp::Problem::new(direction);
    let columns: Vec<_> = problem
        .columns
        .iter()
        .zip(&scales.columns)
        .map(|(column, factor)| {
            let unit = factor * scales.size;
            let cost = column.objective * factor * scales.objective;
            scaled.add_var(cost, (column.lower / unit, column.upper / unit))
        })
        .collect();
    for (row, factor) in problem.rows.iter().zip(&scales.rows) {
        let terms: Vec<_> = row
            .terms
            .iter()
            .map(|(column, value)| (columns[*column], value * factor * scales.columns[*column]))
            .collect();
        let relation = match row.relation {
            Relation::AtMost => ComparisonOp::Le,
            Relation::AtLeast => ComparisonOp::Ge,
            Relation::Equal => ComparisonOp::Eq,
        };
        scaled.add_constraint(&terms, relation, row.right * factor / scales.size);
    }
    let mut options = SolveOptions::default();
    options.tolerances.feasibility = SOLVER_TOLERANCE;
    // It takes longer than it saves at these sizes.
    options.presolve = false;
    let outcome = scaled.solve_with(options).map_err(|error| match error {
        microlp::Error::Infeasible => LpError::Infeasible { binding: Vec::new() },
        microlp::Error::Unbounded => LpError::Unbounded,
        other => LpError::Solver(other.to_string()),
    })?;
    // Without limits on time or nodes the search is never interrupted.
    let solution = outcome.solution().ok_or_else(|| LpError::Solver("interrupted".to_owned()))?;
    let value =
        |(column, factor): (&microlp::Variable, &f64)| solution.var_value(*column) * factor * scales.size;
    Ok(columns.iter().zip(&scales.columns).map(value).collect())
}
