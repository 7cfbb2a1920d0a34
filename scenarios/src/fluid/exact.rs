//! Small cases solved exactly.

use super::workload::Workload;
use crate::lp::{Column, LpError, Problem, Relation, Row};
use crate::policies::jetway::{Demand, Market, MarketLink};
use std::collections::BTreeMap;

/// Builds the program that routes the demands of several intervals, each anew in each interval. `limit` gives the other
/// terms and the right-hand side of the row of a link.
pub(super) fn routing(
    market: &Market,
    intervals: &[Vec<Demand>],
    mut limit: impl FnMut(&mut Problem, usize) -> (Vec<(Column, f64)>, f64),
) -> (Problem, Vec<(usize, Row)>) {
    let mut problem = Problem::minimize();
    let mut rows = Vec::new();
    for demands in intervals {
        let mut crossing: BTreeMap<usize, Vec<(Column, f64)>> = BTreeMap::new();
        for demand in demands {
            let mut terms = Vec::new();
            for path in market.paths(demand.from, demand.to) {
                let column = problem.column("", 0.0, 0.0, f64::INFINITY);
                terms.push((column, 1.0));
                path.iter().for_each(|link| crossing.entry(*link).or_default().push((column, 1.0)));
            }
            problem.row("demand", &terms, Relation::Equal, demand.rate);
        }
        for (link, mut terms) in crossing {
            let (more, right) = limit(&mut problem, link);
            terms.extend(more);
            rows.push((link, problem.row("link", &terms, Relation::AtMost, right)));
        }
    }
    (problem, rows)
}

/// The least charge for the maximum, exactly, by one program over all intervals: for small cases. Each video may be moved
/// in every interval.
///
/// # Errors
/// When the solver fails, or the case is too large for it.
pub fn exact_max(workload: &Workload) -> Result<f64, LpError> {
    let market = &workload.market;
    let intervals: Vec<Vec<Demand>> = (0..workload.intervals)
        .map(|at| {
            let active = |demand: &&Demand| (demand.first..demand.first + demand.count).contains(&at);
            workload.demands.iter().filter(active).copied().collect()
        })
        .collect();
    let mut charges: BTreeMap<usize, Column> = BTreeMap::new();
    let (problem, _) = routing(market, &intervals, |problem, link| {
        let MarketLink { price, capacity, .. } = market.links[link];
        let charge = *charges.entry(link).or_insert_with(|| problem.column("charge", price, 0.0, capacity));
        (vec![(charge, -1.0)], 0.0)
    });
    Ok(problem.solve_unproved()?.objective())
}
