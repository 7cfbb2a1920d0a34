//! The cheapest coded multicast: conceptual flows over paths.
//!
//! Flows of one session towards different destinations do not compete: an arc carries the most of any destination and
//! not the sum (Feng, Li and Li, Airlift: video conferencing as a cloud service using inter-datacenter networks, ICNP
//! 2012). A linear program over paths, most of which are never in it: they come in when they are
//! the cheapest at the prices of what each destination pays for an arc.

use crate::lp::{Column, LpError, Problem, Relation, Row, Simplex};
use std::collections::BTreeMap;

/// Flows of rate 1: for each destination its paths (arcs), with their rates.
pub type Conceptual = Vec<Vec<(Vec<usize>, f64)>>;

/// Rounds of new paths; what there is then is good, if not the best.
const ROUNDS_MAX: usize = 200;
/// By what part of its cost a path must be cheaper to come in.
const IMPROVES: f64 = 1e-7;
/// Rates that are none.
const NOTHING: f64 = 1e-9;

/// Finds conceptual flows of rate 1 to every destination whose arcs cost least.
///
/// `paths`: those that may be used, by destination. `None`: none for less than `below`, by a bound that holds for all.
///
/// # Errors
/// Any [`LpError`].
pub fn cheapest_coded(
    paths: &[Vec<Vec<usize>>],
    costs: &[f64],
    below: f64,
) -> Result<Option<Conceptual>, LpError> {
    // By arc: the destinations that may use it, and what each pays of its cost.
    let mut shares: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
    for (destination, list) in paths.iter().enumerate() {
        for arc in list.iter().flatten() {
            let users = shares.entry(*arc).or_default();
            if users.last().is_none_or(|(last, _)| *last != destination) {
                users.push((destination, 0.0));
            }
        }
    }
    for (arc, users) in &mut shares {
        let part = costs[*arc] / users.len() as f64;
        users.iter_mut().for_each(|(_, share)| *share = part);
    }
    // The cheapest path alone, and by shares.
    let full = |_: usize, arc: usize| costs[arc];
    let Some(mut chosen) =
        cheapest_paths(paths, &full).map(|list| list.into_iter().map(|(at, _)| vec![at]).collect::<Vec<_>>())
    else {
        return Ok(None);
    };
    let mut most = vec![f64::INFINITY; paths.len()];
    let mut answer = None;
    for _ in 0..ROUNDS_MAX {
        let paid = |destination: usize, arc: usize| {
            let users = &shares[&arc];
            users.iter().find(|(user, _)| *user == destination).map_or(0.0, |(_, share)| *share)
        };
        let least = cheapest_paths(paths, &paid).unwrap_or_default();
        // Shares of each arc add up to its cost at most: nothing is cheaper than all of them together.
        if least.iter().map(|(_, cost)| cost).sum::<f64>() >= below {
            return Ok(None);
        }
        let mut is_new = false;
        for (destination, (path, cost)) in least.into_iter().enumerate() {
            if cost < most[destination] * (1.0 - IMPROVES) && !chosen[destination].contains(&path) {
                chosen[destination].push(path);
                is_new = true;
            }
        }
        if !is_new && answer.is_some() {
            break;
        }
        let (flows, cost, prices) = restricted(paths, &chosen, costs, &mut shares)?;
        (answer, most) = (Some((flows, cost)), prices);
    }
    Ok(answer.filter(|(_, cost)| *cost < below).map(|(flows, _)| flows))
}

/// Returns for each destination its cheapest path and the cost.
fn cheapest_paths(
    paths: &[Vec<Vec<usize>>],
    cost: &dyn Fn(usize, usize) -> f64,
) -> Option<Vec<(usize, f64)>> {
    let best = |(destination, list): (usize, &Vec<Vec<usize>>)| {
        let costs = list.iter().map(|path| path.iter().map(|arc| cost(destination, *arc)).sum::<f64>());
        costs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))
    };
    paths.iter().enumerate().map(best).collect()
}

/// Solves the program over the chosen paths. Returns flows, their cost, and what each destination pays for its rate;
/// brings the shares of arcs up to date.
fn restricted(
    paths: &[Vec<Vec<usize>>],
    chosen: &[Vec<usize>],
    costs: &[f64],
    shares: &mut BTreeMap<usize, Vec<(usize, f64)>>,
) -> Result<(Conceptual, f64, Vec<f64>), LpError> {
    let mut problem = Problem::minimize();
    let mut carried: BTreeMap<usize, Column> = BTreeMap::new();
    let mut rates: Vec<Vec<Column>> = Vec::new();
    let mut whole: Vec<Row> = Vec::new();
    let mut rows: BTreeMap<(usize, usize), Row> = BTreeMap::new();
    for (destination, list) in chosen.iter().enumerate() {
        // More than 1 anywhere would be too much; to say so lets the check prove a bound.
        let own: Vec<Column> = list.iter().map(|_| problem.column("", 0.0, 0.0, 1.0)).collect();
        let all: Vec<_> = own.iter().map(|rate| (*rate, 1.0)).collect();
        whole.push(problem.row("", &all, Relation::AtLeast, 1.0));
        let mut on_arc: BTreeMap<usize, Vec<(Column, f64)>> = BTreeMap::new();
        for (path, rate) in list.iter().zip(&own) {
            for arc in &paths[destination][*path] {
                on_arc.entry(*arc).or_default().push((*rate, 1.0));
            }
        }
        for (arc, mut terms) in on_arc {
            let column = *carried.entry(arc).or_insert_with(|| problem.column("", costs[arc], 0.0, 1.0));
            terms.push((column, -1.0));
            rows.insert((arc, destination), problem.row("", &terms, Relation::AtMost, 0.0));
        }
        rates.push(own);
    }
    let solution = Simplex::of(problem).solve()?;
    for arc in carried.keys() {
        let users = shares.get_mut(arc).into_iter().flatten();
        let mut left = costs[*arc];
        let mut others = Vec::new();
        for (user, share) in users {
            match rows.get(&(*arc, *user)) {
                Some(row) => {
                    *share = solution.price(*row).abs().min(left);
                    left -= *share;
                }
                None => others.push(share),
            }
        }
        // What nobody pays is left to those that do not use it yet: they should not come for nothing.
        let part = left.max(0.0) / others.len().max(1) as f64;
        others.into_iter().for_each(|share| *share = part);
    }
    let flow = |(destination, (list, own)): (usize, (&Vec<usize>, &Vec<Column>))| {
        let rated = list.iter().zip(own).map(|(path, rate)| (*path, solution.value(*rate)));
        let rated = rated.filter(|(_, rate)| *rate > NOTHING);
        rated.map(|(path, rate)| (paths[destination][path].clone(), rate)).collect()
    };
    let flows = chosen.iter().zip(&rates).enumerate().map(flow).collect();
    Ok((flows, solution.objective(), whole.iter().map(|row| solution.price(*row)).collect()))
}
