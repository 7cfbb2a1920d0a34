//! The search from basis to basis.

use super::{LpError, Simplex};

/// By how much a basic value may miss a bound, in scaled units.
const FEASIBLE: f64 = 1e-9;
/// By how much a step may make a basic value miss its bound, for the sake of a larger coefficient.
const HARRIS: f64 = FEASIBLE / 10.0;
/// Reduced costs below this are zero.
const OPTIMAL: f64 = 1e-9;
/// Coefficients below this never limit a step.
const PIVOT: f64 = 1e-9;
/// Steps shorter than this are none.
const STILL: f64 = 1e-12;
/// By how much rows are loosened where many bounds meet in one point, in scaled units.
const TRACE: f64 = 1e-6;
/// After so many steps that were none, rows are loosened; if they were already, chance decides among columns.
const STILL_MAX: usize = 30;
/// After so many, the first column and the first row that will do (Bland, New finite pivoting rules for the simplex
/// method, Mathematics of Operations Research 2, 1977).
const BLAND: usize = 1_000;

/// Where a step ends.
struct Stop {
    length: f64,
    /// The row whose variable leaves, and the bound that it reaches; none: the entering one reaches its other bound.
    leaves: Option<(usize, f64)>,
}

impl Simplex {
    /// Goes from basis to basis until none is better.
    pub(super) fn search(&mut self) -> Result<(), LpError> {
        let steps_max = 10_000 + 50 * self.variables.len();
        let mut still = 0;
        // Prices are those of the phase before.
        let mut is_priced = false;
        if !self.basis.is_fresh() {
            self.basis.forget();
        }
        let mut is_loose = self.stalls;
        if is_loose {
            self.loosen(true);
        }
        self.refresh();
        for step in 0..steps_max {
            if still >= STILL_MAX && !self.stalls {
                (self.stalls, is_loose, is_priced, still) = (true, true, false, 0);
                self.loosen(true);
                self.refresh();
            }
            if self.basis.is_old() {
                self.refresh();
                is_priced = false;
            }
            let missing = self.costs_of_missing();
            let is_feasible = missing.is_none();
            if !is_feasible || !is_priced {
                let own = || self.basis.head.iter().map(|at| self.variables[*at].cost).collect();
                let costs: Vec<f64> = missing.unwrap_or_else(own);
                self.basis.price(&costs);
                is_priced = is_feasible;
            }
            let Some((entering, reduced)) = self.entering(is_feasible, still, step) else {
                if is_loose {
                    // What is left to do with rows as they are is little, or nothing.
                    (is_loose, is_priced, still) = (false, false, 0);
                    self.loosen(false);
                    self.refresh();
                    continue;
                }
                if !self.basis.is_fresh() {
                    // Rounding may have hidden something.
                    self.basis.forget();
                    continue;
                }
                return if is_feasible { Ok(()) } else { Err(LpError::Infeasible { binding: Vec::new() }) };
            };
            let direction = self.basis.times(&self.variables[entering].terms);
            let sign = reduced.signum();
            let Some(stop) = self.stop(entering, sign, &direction, still >= BLAND) else {
                if !self.basis.is_fresh() {
                    self.basis.forget();
                    continue;
                }
                let lost = || LpError::Solver("no row limits what is missed".to_owned());
                return Err(if is_feasible { LpError::Unbounded } else { lost() });
            };
            still = if stop.length > STILL { 0 } else { still + 1 };
            self.step(entering, sign, &direction, &stop, reduced);
            self.pivots += 1;
        }
        Err(LpError::Solver(format!("no end after {steps_max} steps")))
    }

    /// Moves the bounds of rows apart by traces that differ, so that no two meet in a point, or puts them back (the
    /// perturbation of Charnes, Optimality and degeneracy in linear programming, Econometrica 20, 1952).
    fn loosen(&mut self, is_loose: bool) {
        for at in 0..self.rows.len() {
            let trace = if is_loose { TRACE * chance(at, 0) } else { 0.0 };
            let slack = &mut self.variables[at];
            match (slack.lower.is_finite(), slack.upper.is_finite()) {
                (true, false) => slack.lower = -trace,
                (false, true) => slack.upper = trace,
                _ => {}
            }
            if !slack.is_basic {
                slack.settle();
            }
        }
    }

    /// Makes the inverse anew if it is old, and basic values of what the others leave.
    fn refresh(&mut self) {
        if self.basis.is_old() {
            self.basis.invert(&mut self.variables);
        }
        let mut left: Vec<(usize, f64)> = self.rows.iter().map(|row| row.right).enumerate().collect();
        for variable in self.variables.iter().filter(|it| !it.is_basic && it.value != 0.0) {
            for (row, value) in &variable.terms {
                left[*row].1 -= value * variable.value;
            }
        }
        left.retain(|(_, value)| *value != 0.0);
        for (variable, value) in self.basis.head.iter().zip(self.basis.times(&left)) {
            self.variables[*variable].value = value;
        }
    }

    /// Returns for each row on which side its variable misses its bounds; `None`: none does.
    fn costs_of_missing(&self) -> Option<Vec<f64>> {
        let side = |variable: &usize| {
            let it = &self.variables[*variable];
            if it.value < it.lower - FEASIBLE {
                1.0
            } else if it.value > it.upper + FEASIBLE {
                -1.0
            } else {
                0.0
            }
        };
        let is_missed = self.basis.head.iter().any(|variable| side(variable) != 0.0);
        is_missed.then(|| self.basis.head.iter().map(side).collect())
    }

    /// Returns the variable that improves most for each unit, and by how much.
    fn entering(&self, is_feasible: bool, still: usize, step: usize) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        let mut most = 0.0;
        for (at, variable) in self.variables.iter().enumerate() {
            if variable.is_basic || variable.lower == variable.upper {
                continue;
            }
            let cost = if is_feasible { variable.cost } else { 0.0 };
            let paid: f64 = variable.terms.iter().map(|(row, value)| value * self.basis.prices[*row]).sum();
            let reduced = cost - paid;
            let has_room =
                if reduced > 0.0 { variable.value < variable.upper } else { variable.value > variable.lower };
            if reduced.abs() <= OPTIMAL || !has_room {
                continue;
            }
            if still >= BLAND {
                return Some((at, reduced));
            }
            let weight = if still >= STILL_MAX { chance(at, step) } else { 1.0 };
            if reduced.abs() * weight > most {
                most = reduced.abs() * weight;
                best = Some((at, reduced));
            }
        }
        best
    }

    /// Finds how far the entering variable may go, and what stops it: of the rows that stop it at about the same length
    /// the one with the largest coefficient (Harris, Pivot selection methods of the Devex LP code, Mathematical
    /// Programming 5, 1973).
    fn stop(&self, entering: usize, sign: f64, direction: &[f64], is_bland: bool) -> Option<Stop> {
        // By row: its variable's coefficient, the room to the bound ahead, and that bound.
        let limits = || {
            let rows = direction.iter().enumerate().filter(|(_, value)| value.abs() > PIVOT);
            rows.filter_map(|(row, value)| {
                let it = &self.variables[self.basis.head[row]];
                // Those that miss a bound are stopped where they reach it, and nowhere on the other side.
                let ahead = if sign * value > 0.0 {
                    if it.value > it.upper + FEASIBLE { it.upper } else { it.lower }
                } else if it.value < it.lower - FEASIBLE {
                    it.lower
                } else {
                    it.upper
                };
                let room = if sign * value > 0.0 { it.value - ahead } else { ahead - it.value };
                let is_behind = room < -FEASIBLE;
                (ahead.is_finite() && !is_behind).then_some((row, value.abs(), room, ahead))
            })
        };
        let slack = if is_bland { 0.0 } else { HARRIS };
        let most =
            limits().map(|(_, value, room, _)| (room.max(0.0) + slack) / value).fold(f64::INFINITY, f64::min);
        let mut best: Option<(usize, f64, f64, f64)> = None;
        for (row, value, room, ahead) in limits() {
            let length = room.max(0.0) / value;
            if length > most {
                continue;
            }
            let is_better = best.is_none_or(|(known, known_value, ..)| {
                if is_bland { self.basis.head[row] < self.basis.head[known] } else { value > known_value }
            });
            if is_better {
                best = Some((row, value, length, ahead));
            }
        }
        let variable = &self.variables[entering];
        let own = if sign > 0.0 { variable.upper - variable.value } else { variable.value - variable.lower };
        match best {
            Some((row, _, length, ahead)) if length < own => {
                Some(Stop { length, leaves: Some((row, ahead)) })
            }
            _ if own.is_finite() => Some(Stop { length: own, leaves: None }),
            _ => None,
        }
    }

    /// Takes a step.
    fn step(&mut self, entering: usize, sign: f64, direction: &[f64], stop: &Stop, reduced: f64) {
        for (variable, value) in self.basis.head.iter().zip(direction) {
            self.variables[*variable].value -= sign * stop.length * value;
        }
        let variable = &mut self.variables[entering];
        variable.value += sign * stop.length;
        let Some((row, bound)) = stop.leaves else {
            variable.value = if sign > 0.0 { variable.upper } else { variable.lower };
            return;
        };
        variable.is_basic = true;
        let leaving = &mut self.variables[self.basis.head[row]];
        (leaving.value, leaving.is_basic) = (bound, false);
        self.basis.shift_prices(row, reduced / direction[row]);
        self.basis.replace(row, entering, direction);
    }
}

/// Returns a number from a half to one that looks like chance (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, OOPSLA 2014).
fn chance(at: usize, step: usize) -> f64 {
    let mut bits =
        (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step as u64).wrapping_mul(0xd1b5_4a32_d192_ed03);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    0.5 + (bits >> 12) as f64 / (1_u64 << 53) as f64
}
