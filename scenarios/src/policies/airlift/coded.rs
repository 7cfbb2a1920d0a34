//! The cheapest coded multicast at given prices: conceptual flows over paths.

use super::demand::Demand;
use crate::graph::Network;
use crate::lp::{Column, LpError, Problem, Relation};
use std::collections::BTreeMap;

/// Conceptual flows: for each destination its paths, with their rates.
pub(super) type Conceptual = Vec<Vec<(Vec<usize>, f64)>>;

/// Finds conceptual flows of rate 1 to every destination whose arcs cost least, where an arc carries the most of any
/// destination and not the sum (flows of one session towards different destinations do not compete).
///
/// `paths`: by destination. Returns the flows and their cost, which no others undercut.
pub(super) fn cheapest(
    network: &Network,
    demand: &Demand,
    paths: &[Vec<Vec<usize>>],
    costs: &[f64],
) -> Result<(Conceptual, f64), LpError> {
    let mut problem = Problem::minimize();
    // More than 1 anywhere would be too much; to say so lets the check prove a bound.
    // Arcs that several destinations may use have a column and a row for each of these; others cost at once.
    let mut users: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (destination, list) in paths.iter().enumerate() {
        for arc in list.iter().flatten() {
            let users = users.entry(*arc).or_default();
            if users.last() != Some(&destination) {
                users.push(destination);
            }
        }
    }
    let mut shared: BTreeMap<usize, Column> = BTreeMap::new();
    for (arc, users) in &users {
        if users.len() > 1 {
            shared.insert(*arc, problem.column("", costs[*arc], 0.0, 1.0));
        }
    }
    let mut rates: Vec<Vec<Column>> = Vec::new();
    for (destination, list) in paths.iter().enumerate() {
        let mut on_arc: BTreeMap<usize, Vec<(Column, f64)>> = BTreeMap::new();
        let mut all = Vec::new();
        for path in list {
            let own = path.iter().filter(|arc| !shared.contains_key(arc)).map(|arc| costs[*arc]).sum();
            let rate = problem.column("", own, 0.0, 1.0);
            all.push(rate);
            for arc in path.iter().filter(|arc| shared.contains_key(arc)) {
                on_arc.entry(*arc).or_default().push((rate, 1.0));
            }
        }
        let name = || format!("{} to {}", demand.key, network.names[demand.cast.destinations[destination]]);
        let terms: Vec<_> = all.iter().map(|rate| (*rate, 1.0)).collect();
        problem.row(name(), &terms, Relation::AtLeast, 1.0);
        for (arc, mut terms) in on_arc {
            terms.push((shared[&arc], -1.0));
            problem.row("", &terms, Relation::AtMost, 0.0);
        }
        rates.push(all);
    }
    let solution = problem.solve()?;
    let rate = |(path, column): (&Vec<usize>, &Column)| {
        let rate = solution.value(*column);
        (rate > 1e-9).then(|| (path.clone(), rate))
    };
    let flows =
        paths.iter().zip(&rates).map(|(list, rates)| list.iter().zip(rates).filter_map(rate).collect());
    Ok((flows.collect(), solution.bound()))
}
