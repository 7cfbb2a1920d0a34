//! Lower bounds: what could not be undercut by anybody who knew the whole period.

use super::exact::routing;
use super::workload::Workload;
use crate::account::free_intervals;
use crate::lp::{Column, LpError, Problem, Relation, Solution};
use crate::policies::jetway::{Demand, Market, MarketLink};
use std::collections::{BTreeMap, BTreeSet};

/// What all sources want from all destinations in one interval, by pair.
type Matrix = Vec<((usize, usize), f64)>;

/// The least cost of a workload by full knowledge, from below: charges for the maximum, and for a percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// No routing is cheaper where the maximum is charged, even one that moves videos anew in every interval.
    pub max: f64,
    /// The same for the percentile, where free intervals may be taken in fractions.
    pub percentile: f64,
    /// Whether `max` is the least cost of such a routing up to 0.1 %, as far as the intervals looked at go.
    pub is_settled: bool,
}

/// Most rounds of cuts.
const ROUNDS: usize = 25;
/// Intervals that are looked at in a round.
const LOOKED_AT: usize = 12;
/// What a cut must be missed by, in parts.
const SLACK: f64 = 1e-3;

/// Finds the bounds by cutting planes. For weights w of links, whatever is carried needs `sum w X >= sum demand * distance`
/// in every interval, where distances are over the paths allowed (Iri, On an extension of the maximum-flow minimum-cut
/// theorem to multicommodity flows, 1971). Each weight gives one row for all intervals: that of the largest right-hand
/// side. Weights come from the prices of intervals that do not fit. Every round's answer is a bound, also the last.
///
/// # Errors
/// When the solver fails.
pub fn bound(workload: &Workload, percentile: f64) -> Result<Bound, LpError> {
    let market = &workload.market;
    let matrices = matrices(workload);
    let mut cuts = vec![Cut::new(market, &matrices, market.links.iter().map(|link| link.price).collect())];
    let ends: BTreeSet<usize> = market.links.iter().flat_map(|link| [link.from, link.to]).collect();
    for node in ends {
        // What leaves a datacenter, and what comes in, whatever the paths.
        for is_way in [|link: &MarketLink, node| link.from == node, |link: &MarketLink, node| link.to == node]
        {
            let weight = |link| if is_way(link, node) { 1.0 } else { 0.0 };
            cuts.push(Cut::new(market, &matrices, market.links.iter().map(weight).collect()));
        }
    }
    let mut is_settled = false;
    let mut best = 0.0;
    for _ in 0..ROUNDS {
        let (cost, capacity) = master(market, cuts.iter().map(|cut| (cut.weights.as_slice(), cut.most)))?;
        best = f64::max(best, cost);
        let carried: Vec<f64> =
            cuts.iter().map(|cut| weigh(&cut.weights, &capacity).max(f64::MIN_POSITIVE)).collect();
        let mut stress: Vec<(f64, usize)> = (0..matrices.len())
            .map(|at| {
                let over = cuts.iter().zip(&carried).map(|(cut, carried)| cut.values[at] / carried);
                (over.fold(0.0, f64::max), at)
            })
            .collect();
        stress.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        stress.dedup_by(|a, b| matrices[a.1] == matrices[b.1]);
        let known = cuts.len();
        for (_, at) in stress.iter().take(LOOKED_AT) {
            let (lacking, weights) = lacking(market, &matrices[*at], &capacity)?;
            if lacking > SLACK * cost.max(1e-9) {
                cuts.push(Cut::new(market, &matrices, weights));
            }
        }
        if cuts.len() == known {
            is_settled = true;
            break;
        }
    }
    let free = free_intervals(percentile, workload.intervals) as f64;
    let relaxed: Vec<(&[f64], f64)> = cuts
        .iter()
        .map(|cut| (cut.weights.as_slice(), cut.relaxed(market, free, workload.intervals)))
        .collect();
    let (of_percentile, _) = master(market, relaxed.into_iter())?;
    Ok(Bound { max: best, percentile: if free > 0.0 { of_percentile } else { best }, is_settled })
}

/// A weight of links with what it demands.
struct Cut {
    weights: Vec<f64>,
    /// By interval.
    values: Vec<f64>,
    most: f64,
}

impl Cut {
    fn new(market: &Market, matrices: &[Matrix], weights: Vec<f64>) -> Self {
        let mut distances: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        let mut distance = |pair: (usize, usize)| {
            *distances.entry(pair).or_insert_with(|| {
                let paths = market.paths(pair.0, pair.1).iter();
                paths.map(|path| path.iter().map(|link| weights[*link]).sum()).fold(f64::INFINITY, f64::min)
            })
        };
        let values: Vec<f64> = matrices
            .iter()
            .map(|matrix| matrix.iter().map(|(pair, rate)| rate * distance(*pair)).sum())
            .collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        Self { weights, values, most }
    }

    /// What the weighted charge must be at least when each link has `free` intervals in which it may be full. Two ways to
    /// see it. Over any n intervals, `n w X + free w (C - X) >= sum of values`, as a link is above its charge in at most
    /// `free` of them. And where m links have a weight, any `m free + 1` intervals hold one in which none of these is above
    /// its charge.
    fn relaxed(&self, market: &Market, free: f64, intervals: usize) -> f64 {
        let full: f64 = market
            .links
            .iter()
            .zip(&self.weights)
            .filter(|(_, w)| **w > 0.0)
            .map(|(l, w)| l.capacity * w)
            .sum();
        let mut values = self.values.clone();
        values.resize(intervals, 0.0);
        values.sort_by(|a, b| b.total_cmp(a));
        let weighted = self.weights.iter().filter(|weight| **weight > 0.0).count();
        let undisturbed = values.get(weighted * free as usize).copied().unwrap_or(0.0);
        let (mut sum, mut best) = (0.0, undisturbed);
        for (n, value) in (1_u32..).zip(values) {
            sum += value;
            if f64::from(n) > free {
                best = best.max((sum - free * full) / (f64::from(n) - free));
            }
        }
        best
    }
}

fn weigh(weights: &[f64], of: &[f64]) -> f64 {
    weights.iter().zip(of).map(|(weight, value)| weight * value).sum()
}

/// Returns the distinct demands of all intervals in which something is carried, and as many empty ones as are left out
/// nowhere: bounds need only those that are not empty.
fn matrices(workload: &Workload) -> Vec<Matrix> {
    let mut all: Vec<BTreeMap<(usize, usize), f64>> = vec![BTreeMap::new(); workload.intervals];
    for demand in &workload.demands {
        let end = (demand.first + demand.count).min(workload.intervals);
        for matrix in &mut all[demand.first.min(end)..end] {
            *matrix.entry((demand.from, demand.to)).or_default() += demand.rate;
        }
    }
    all.into_iter().filter(|matrix| !matrix.is_empty()).map(|matrix| matrix.into_iter().collect()).collect()
}

/// Returns the least cost of charges that meet all rows `weights * charges >= right`, and the charges.
fn master<'c>(
    market: &Market,
    cuts: impl Iterator<Item = (&'c [f64], f64)>,
) -> Result<(f64, Vec<f64>), LpError> {
    let mut problem = Problem::minimize();
    let columns: Vec<Column> =
        market.links.iter().map(|link| problem.column("charge", link.price, 0.0, link.capacity)).collect();
    for (weights, right) in cuts {
        let terms: Vec<_> = columns.iter().copied().zip(weights.iter().copied()).collect();
        problem.row("cut", &terms, Relation::AtLeast, right);
    }
    let solution = problem.solve_unproved()?;
    Ok((solution.objective(), columns.iter().map(|column| solution.value(*column)).collect()))
}

/// Returns what it costs to enlarge `capacity` so that a matrix fits, and the links' prices there.
fn lacking(market: &Market, matrix: &Matrix, capacity: &[f64]) -> Result<(f64, Vec<f64>), LpError> {
    let demands = matrix.iter().map(|((from, to), rate)| Demand {
        from: *from,
        to: *to,
        rate: *rate,
        first: 0,
        count: 1,
    });
    let demands: Vec<_> = demands.collect();
    let (problem, rows) = routing(market, &[demands], |problem, link| {
        let extra = problem.column("", market.links[link].price, 0.0, f64::INFINITY);
        (vec![(extra, -1.0)], capacity[link].max(0.0))
    });
    let solution: Solution = problem.solve()?;
    let mut weights = vec![0.0; market.links.len()];
    for (link, row) in rows {
        // A price below zero: each unit of capacity saves so much.
        weights[link] = (-solution.price(row)).max(0.0);
    }
    Ok((solution.objective(), weights))
}
