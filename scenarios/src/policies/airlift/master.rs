//! The linear program of one objective over the patterns that there are. Rates in it are in Mbit/s.

use super::plan::{Answer, Objective, Planner};
use crate::lp::{Column, LpError, Problem, Relation, Row, Simplex};

/// Tangents of the logarithm at first: from a quarter of a session's fair rate on, each twice the one before.
const TANGENTS: i32 = 8;
const TANGENTS_MAX: usize = 40;
/// Tangents are added until each session's logarithm is within this of its bound.
const LOG_TOLERANCE: f64 = 1e-4;

/// The program, and the basis that it goes on from.
pub(super) struct Master {
    simplex: Simplex,
    is_total: bool,
    /// By pattern.
    columns: Vec<Column>,
    /// By session: that it has its least rate, where there is one; and that its rate is what the objective counts.
    floors: Vec<Option<Row>>,
    counted: Vec<Option<Row>>,
    is_frozen: Vec<bool>,
    resources: Vec<Row>,
    level: Option<Column>,
    /// By session, for logarithms: where tangents touch, in order, with the part of the rate on which each is the lowest.
    tangents: Vec<Vec<(f64, Column)>>,
    /// What the logarithms add up to at rates of zero, by their first tangents.
    base: f64,
}

impl Master {
    /// Sets up the program. `weights` and `most`: of the level, for max-min.
    pub(super) fn new(
        planner: &Planner<'_>,
        objective: Objective,
        floors: &[f64],
        weights: &[f64],
        most: f64,
    ) -> Self {
        let mut problem = Problem::maximize();
        let level = (objective == Objective::MaxMin).then(|| problem.column("level", 1.0, 0.0, most));
        let least = |(at, floor): (usize, &f64)| {
            let name = format!("least rate of {}", planner.demands[at].key);
            (*floor > 0.0).then(|| problem.row(name, &[], Relation::AtLeast, floor * 1e-6))
        };
        let floors: Vec<Option<Row>> = floors.iter().enumerate().map(least).collect();
        let is_total = objective == Objective::Total;
        let count = |at: usize| {
            let terms: Vec<_> = level.iter().map(|level| (*level, -weights[at] * 1e-6)).collect();
            (!is_total).then(|| problem.row("", &terms, Relation::AtLeast, 0.0))
        };
        let counted: Vec<Option<Row>> = (0..floors.len()).map(count).collect();
        let resources = planner.network.resources.iter();
        let resources =
            resources.map(|it| problem.row(&*it.name, &[], Relation::AtMost, it.bps * 1e-6)).collect();
        Self {
            simplex: Simplex::of(problem),
            is_total,
            columns: Vec::new(),
            is_frozen: vec![false; floors.len()],
            tangents: vec![Vec::new(); floors.len()],
            floors,
            counted,
            resources,
            level,
            base: 0.0,
        }
    }

    /// Lets a session's rate rise no more with the level: it keeps what it has.
    pub(super) fn freeze(&mut self, session: usize, rate: f64) {
        self.is_frozen[session] = true;
        if let (Some(row), Some(level)) = (self.counted[session], self.level) {
            self.simplex.set_term(row, level, 0.0);
            // A trace below, so that rounding does not make it impossible.
            self.simplex.set_right(row, rate * 1e-6 * (1.0 - 1e-9));
        }
    }

    /// Lays the first tangents of the logarithms around rates.
    pub(super) fn start(&mut self, rates: &[f64]) {
        for (at, rate) in rates.iter().enumerate() {
            for step in 0..TANGENTS {
                self.touch(at, (rate * 1e-6).max(1e-6) * f64::from(1_u32 << step) / 4.0);
            }
            self.base += libm::log(self.tangents[at][0].0) - 1.0;
        }
    }

    /// Adds tangents where the rates' logarithms are too far below those that there are; whether it did.
    pub(super) fn refine(&mut self, rates: &[f64]) -> bool {
        let mut is_finer = false;
        for (at, rate) in rates.iter().enumerate() {
            let rate = (rate * 1e-6).max(1e-6);
            let log = |point: f64| libm::log(point) - 1.0 + rate / point;
            let above = self.tangents[at].iter().map(|(point, _)| log(*point)).fold(f64::INFINITY, f64::min);
            let lowest = self.tangents[at].first().is_none_or(|(first, _)| rate < *first);
            let is_far = above - libm::log(rate) > LOG_TOLERANCE;
            if !self.tangents[at].is_empty() && is_far && self.tangents[at].len() < TANGENTS_MAX {
                let first = self.tangents[at][0].0;
                self.touch(at, rate);
                if lowest {
                    self.base += libm::log(rate) - libm::log(first);
                }
                is_finer = true;
            }
        }
        is_finer
    }

    /// Adds a tangent: a part of the rate between where it meets its neighbours.
    fn touch(&mut self, session: usize, point: f64) {
        let terms: Vec<_> = self.counted[session].iter().map(|row| (*row, -1.0)).collect();
        let column = self.simplex.column(1.0 / point, (0.0, 0.0), &terms);
        let own = &mut self.tangents[session];
        own.push((point, column));
        own.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut from = 0.0;
        for (at, (point, column)) in own.iter().enumerate() {
            let to = own.get(at + 1).map_or(f64::INFINITY, |(next, _)| {
                (libm::log(*next) - libm::log(*point)) / (1.0 / point - 1.0 / next)
            });
            self.simplex.set_bounds(*column, (0.0, to - from));
            from = to;
        }
    }

    /// Takes new patterns in, and solves the program from the last basis on.
    pub(super) fn solve(&mut self, planner: &Planner<'_>) -> Result<Answer, LpError> {
        let worth = if self.is_total { 1.0 } else { 0.0 };
        for (session, pattern) in &planner.patterns[self.columns.len()..] {
            let most = if pattern.loads.is_empty() { planner.ceiling * 1e-6 } else { f64::INFINITY };
            let own = [self.floors[*session], self.counted[*session]];
            let own = own.into_iter().flatten().map(|row| (row, 1.0));
            let loads = pattern.loads.iter().map(|(resource, load)| (self.resources[*resource], *load));
            let terms: Vec<_> = own.chain(loads).collect();
            self.columns.push(self.simplex.column(worth, (0.0, most), &terms));
        }
        let solution = self.simplex.solve()?;
        let unit = if self.is_total { 1e6 } else { 1.0 };
        let price = |row: &Option<Row>| row.map_or(0.0, |row| solution.price(row).abs());
        let counted = self.counted.iter().map(price);
        let held = counted.clone().zip(&self.is_frozen);
        let uses: Vec<f64> =
            self.columns.iter().map(|column| solution.value(*column).max(0.0) * 1e6).collect();
        let mut rates = vec![0.0; self.floors.len()];
        for ((session, _), used) in planner.patterns.iter().zip(&uses) {
            rates[*session] += used;
        }
        Ok(Answer {
            rates,
            uses,
            prices: self.resources.iter().map(|row| solution.price(*row).max(0.0)).collect(),
            values: self.floors.iter().map(price).zip(counted).map(|(a, b)| worth + a + b).collect(),
            held: held.map(|(price, is_frozen)| if *is_frozen { 0.0 } else { price }).collect(),
            objective: self.base + solution.objective() * unit,
            bound: self.base + solution.bound() * unit,
        })
    }
}
