//! A simplex method that goes on from its last basis.
//!
//! Revised primal simplex with bounds on columns (Dantzig, Linear programming and extensions, 1963), the inverse of the
//! basis kept as such and made anew now and then. Made for the master programs of column generation: few rows, columns
//! that come one after the other, prices wanted after every step. Costs, bounds, right-hand sides and coefficients may
//! change between two solutions: the last basis is where the next search begins, and where it is not feasible any more,
//! the sum of what is missed is minimised first.
//!
//! Answers are the same on every machine: no clock, no order by hash, and chance only from a fixed sequence.

mod basis;
mod search;

use super::error::LpError;
use super::problem::{Column, Problem, Relation, Row};
use super::scale::{Scales, middle, power_of_two, widen};
use super::solve::Solution;
use basis::Basis;

/// A linear program with the basis of its last solution.
///
/// ```
/// use bellini_scenarios::lp::{Problem, Relation, Simplex};
///
/// let mut problem = Problem::maximize();
/// let room = problem.row("room", &[], Relation::AtMost, 10.0);
/// let mut simplex = Simplex::of(problem);
/// simplex.column(1.0, (0.0, f64::INFINITY), &[(room, 2.0)]);
/// assert_eq!(simplex.solve()?.price(room), 0.5);
/// // A cheaper column: the next solution begins at the last one.
/// simplex.column(1.0, (0.0, f64::INFINITY), &[(room, 1.0)]);
/// assert_eq!(simplex.solve()?.objective(), 10.0);
/// # Ok::<(), bellini_scenarios::lp::LpError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simplex {
    problem: Problem,
    /// All in scaled units; empty before the first solution.
    rows: Vec<ScaledRow>,
    /// By variable: those of the rows (their slacks) first, in the order of rows, then columns.
    variables: Vec<Variable>,
    /// What right-hand sides and bounds were divided by.
    size: f64,
    /// What costs were multiplied with; below zero for a minimum: the search is for a maximum.
    worth: f64,
    basis: Basis,
    /// Whether a search has stood still: those that follow begin with rows a trace looser than they are.
    stalls: bool,
    pivots: usize,
    second_opinions: usize,
}

#[derive(Clone, Debug)]
struct ScaledRow {
    factor: f64,
    right: f64,
}

#[derive(Clone, Debug)]
struct Variable {
    /// Coefficients by row.
    terms: Vec<(usize, f64)>,
    /// A value in the problem's units is that here, times this, times the size.
    factor: f64,
    cost: f64,
    lower: f64,
    upper: f64,
    value: f64,
    is_basic: bool,
}

impl Variable {
    /// Puts the value inside the bounds, at one of them unless there is none.
    fn settle(&mut self) {
        let (down, up) = ((self.value - self.lower).abs(), (self.upper - self.value).abs());
        self.value = match (self.lower.is_finite(), self.upper.is_finite()) {
            (true, true) if up < down => self.upper,
            (true, _) => self.lower,
            (false, true) => self.upper,
            (false, false) => self.value,
        };
    }
}

impl Simplex {
    /// Takes a problem, whose rows stay what they are.
    #[must_use]
    pub fn of(problem: Problem) -> Self {
        Self {
            problem,
            rows: Vec::new(),
            variables: Vec::new(),
            size: 1.0,
            worth: 1.0,
            basis: Basis::default(),
            stalls: false,
            pivots: 0,
            second_opinions: 0,
        }
    }

    /// Adds a column with its coefficient in the objective, its bounds, and its coefficients in rows.
    ///
    /// # Panics
    /// If a row is not of this problem, or named twice.
    pub fn column(&mut self, objective: f64, bounds: (f64, f64), terms: &[(Row, f64)]) -> Column {
        self.problem.column_in("", objective, bounds, terms)
    }

    /// Sets the coefficient of a column in the objective.
    ///
    /// # Panics
    /// If the column is not of this problem.
    pub fn set_objective(&mut self, column: Column, value: f64) {
        self.problem.set_objective(column, value);
    }

    /// Sets the bounds of a column.
    ///
    /// # Panics
    /// If the column is not of this problem.
    pub fn set_bounds(&mut self, column: Column, (lower, upper): (f64, f64)) {
        let data = &mut self.problem.columns[column.0];
        (data.lower, data.upper) = (lower, upper);
    }

    /// Sets the right-hand side of a row.
    ///
    /// # Panics
    /// If the row is not of this problem.
    pub fn set_right(&mut self, row: Row, value: f64) {
        self.problem.rows[row.0].right = value;
    }

    /// Sets the coefficient of a column in a row.
    ///
    /// # Panics
    /// If the row or the column is not of this problem.
    pub fn set_term(&mut self, row: Row, column: Column, value: f64) {
        assert!(column.0 < self.problem.columns.len(), "the column is of this problem");
        let terms = &mut self.problem.rows[row.0].terms;
        match terms.binary_search_by_key(&column.0, |(column, _)| *column) {
            Ok(at) if value == 0.0 => drop(terms.remove(at)),
            Ok(at) => terms[at].1 = value,
            Err(_) if value == 0.0 => {}
            Err(at) => terms.insert(at, (column.0, value)),
        }
        let variable = self.rows.len() + column.0;
        if let Some(known) = self.variables.get_mut(variable) {
            let scaled = value * self.rows[row.0].factor * known.factor;
            known.terms.retain(|(at, _)| *at != row.0);
            known.terms.extend((value != 0.0).then_some((row.0, scaled)));
            if known.is_basic {
                self.basis.forget();
            }
        }
    }

    /// Returns the problem as it is now.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the number of steps from basis to basis so far.
    #[must_use]
    pub fn pivots(&self) -> usize {
        self.pivots
    }

    /// Returns how often microlp was asked because an answer of our own failed the check.
    #[must_use]
    pub fn second_opinions(&self) -> usize {
        self.second_opinions
    }

    /// Solves the problem from the last basis on, and checks values and prices as [`Problem::solve`] does. Where they
    /// fail, it begins anew; where that fails, too, microlp is asked.
    ///
    /// # Errors
    /// Any [`LpError`].
    pub fn solve(&mut self) -> Result<Solution, LpError> {
        self.problem.validate()?;
        if let Ok(solution) = self.solve_alone() {
            return Ok(solution);
        }
        self.begin_anew();
        if let Ok(solution) = self.solve_alone() {
            return Ok(solution);
        }
        self.begin_anew();
        self.second_opinions += 1;
        self.problem.solve()
    }

    /// Forgets scale and basis.
    fn begin_anew(&mut self) {
        self.rows.clear();
        self.variables.clear();
        self.basis = Basis::default();
    }

    /// Solves the problem without microlp: what it says is checked, that there is no answer is not.
    pub(super) fn solve_alone(&mut self) -> Result<Solution, LpError> {
        self.load();
        self.search()?;
        let rows = self.rows.len();
        let value = |variable: &Variable| variable.value * variable.factor * self.size;
        let values = self.variables[rows..].iter().map(value).collect();
        let prices = self.basis.prices.iter().zip(&self.rows);
        let prices = prices.map(|(price, row)| price * row.factor / self.worth).collect();
        self.problem.prove(&self.problem.accept(values)?, prices)
    }

    /// Brings what is new in the problem to scale: all of it at first, new columns later.
    fn load(&mut self) {
        let Problem { maximize, columns, rows } = &self.problem;
        let is_first = self.variables.is_empty();
        let sign = if *maximize { 1.0 } else { -1.0 };
        if is_first {
            let scales = Scales::of(&self.problem);
            self.size = scales.size;
            self.rows = scales.rows.iter().map(|factor| ScaledRow { factor: *factor, right: 0.0 }).collect();
            for (at, row) in rows.iter().enumerate() {
                let (lower, upper) = match row.relation {
                    Relation::AtMost => (0.0, f64::INFINITY),
                    Relation::AtLeast => (f64::NEG_INFINITY, 0.0),
                    Relation::Equal => (0.0, 0.0),
                };
                let terms = vec![(at, 1.0)];
                let slack =
                    Variable { terms, factor: 1.0, cost: 0.0, lower, upper, value: 0.0, is_basic: true };
                self.variables.push(slack);
            }
            self.basis = Basis::of_slacks(rows.len());
        }
        let known = self.variables.len() - rows.len();
        let mut terms: Vec<Vec<(usize, f64)>> = vec![Vec::new(); columns.len() - known];
        for (at, row) in rows.iter().enumerate() {
            self.rows[at].right = row.right * self.rows[at].factor / self.size;
            // New columns are the last ones.
            for (column, value) in row.terms.iter().rev().take_while(|(column, _)| *column >= known) {
                terms[column - known].push((at, value * self.rows[at].factor));
            }
        }
        for mut terms in terms {
            let factor = middle(terms.iter().map(|(_, value)| value.abs()).fold((f64::INFINITY, 0.0), widen));
            terms.iter_mut().for_each(|(_, value)| *value *= factor);
            let (lower, upper, cost, value) = (0.0, 0.0, 0.0, 0.0);
            self.variables.push(Variable { terms, factor, cost, lower, upper, value, is_basic: false });
        }
        let mut dearest = 0.0_f64;
        for (variable, column) in self.variables[rows.len()..].iter_mut().zip(columns) {
            let unit = variable.factor * self.size;
            variable.cost = sign * column.objective * variable.factor;
            (variable.lower, variable.upper) = (column.lower / unit, column.upper / unit);
            dearest = dearest.max(variable.cost.abs());
        }
        let scale = if dearest > 0.0 { 1.0 / power_of_two(dearest) } else { 1.0 };
        self.worth = sign * scale;
        for variable in &mut self.variables {
            variable.cost *= scale;
            if !variable.is_basic {
                variable.settle();
            }
        }
    }
}

#[cfg(test)]
mod tests;
