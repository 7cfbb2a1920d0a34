//! The cheapest tree within a delay bound, and all paths within one.
//!
//! Trees by dynamic programming over sets of destinations (Dreyfus and Wagner, The Steiner problem in graphs, Networks 1,
//! 1971), with the height in delay as a second measure: of trees for the same set from the same node, those remain that
//! are not both dearer and higher than another. Exact; the effort grows with 3^destinations.

use super::capacity::{FAR, Network};

/// Most destinations for which trees are sought exactly; others get theirs one after the other.
const EXACT_MAX: usize = 6;
/// Most paths to a destination that coding mixes; the fastest ones.
const PATHS_MAX: usize = 1_000;
/// Paths that are looked at for them.
const VISITS_MAX: usize = 200_000;

/// From where to whom, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multicast {
    /// The source, by index.
    pub source: usize,
    /// The destinations, by index.
    pub destinations: Vec<usize>,
    /// Most delay from source to destination, without queues, in nanoseconds; [`FAR`]: any.
    pub bound: u64,
    /// Most arcs of a path.
    pub hops: usize,
}

#[derive(Clone, Copy)]
struct Label {
    cost: f64,
    height: u64,
    how: usize,
}

#[derive(Clone, Copy)]
enum How {
    Leaf(usize),
    Along(usize, usize),
    Both(usize, usize),
}

/// Finds the cheapest tree to all destinations within the bound, as the path (arcs) to each; `None`: there is none.
///
/// `costs`: of arcs; none below zero, and none zero, or trees may run in circles. `below`: trees of this cost and more are
/// not sought, which saves work; for up to six destinations.
#[must_use]
pub fn cheapest_tree(
    network: &Network,
    cast: &Multicast,
    costs: &[f64],
    below: f64,
) -> Option<Vec<Vec<usize>>> {
    let all: Vec<usize> = (0..cast.destinations.len()).collect();
    let start = network.delays(cast.source, cast.hops);
    if all.len() <= EXACT_MAX {
        let mut paths = vec![Vec::new(); all.len()];
        search(network, cast, &all, costs, &start, below)?
            .into_iter()
            .for_each(|(at, path)| paths[at] = path);
        return Some(paths);
    }
    // One after the other, over what is in the tree already for nothing. A path that would reach a node of the tree by
    // another way makes a second copy from there on: that is paid for when the pattern is counted.
    let mut costs = costs.to_vec();
    let mut paths = Vec::new();
    for at in all {
        let (_, path) = search(network, cast, &[at], &costs, &start, f64::INFINITY)?.pop()?;
        path.iter().for_each(|arc| costs[*arc] *= 1e-6);
        paths.push(path);
    }
    Some(paths)
}

/// Returns the paths of the cheapest tree to some of the destinations, each with its place.
fn search(
    network: &Network,
    cast: &Multicast,
    wanted: &[usize],
    costs: &[f64],
    start: &[u64],
    below: f64,
) -> Option<Vec<(usize, Vec<usize>)>> {
    let full = (1_usize << wanted.len()) - 1;
    let nodes = network.ids.len();
    let is_bounded = cast.bound != FAR;
    // A tree behind a node has the way there before it: those that would reach the limit with it are let go.
    let reach = if below.is_finite() { reach(network, cast, costs) } else { vec![0.0; nodes] };
    let mut hows: Vec<How> = Vec::new();
    let mut leaf: Vec<Option<(usize, usize)>> = vec![None; nodes];
    for (bit, at) in wanted.iter().enumerate() {
        hows.push(How::Leaf(*at));
        leaf[cast.destinations[*at]] = Some((1 << bit, hows.len() - 1));
    }
    // By node and set: trees of so many arcs deep at most, from round to round.
    let mut trees: Vec<Vec<Vec<Label>>> = vec![vec![Vec::new(); full + 1]; nodes];
    for (node, leaf) in leaf.iter().enumerate() {
        if let Some((mask, how)) = leaf {
            trees[node][*mask].push(Label { cost: 0.0, height: 0, how: *how });
        }
    }
    for round in 1..=cast.hops {
        let mut next: Vec<Vec<Vec<Label>>> = vec![vec![Vec::new(); full + 1]; nodes];
        for node in 0..nodes {
            if start[node] == FAR || (round == cast.hops && node != cast.source) {
                continue;
            }
            let mut along: Vec<Vec<Label>> = vec![Vec::new(); full + 1];
            for arc in &network.out[node] {
                let to = network.arcs[*arc].to;
                if to == cast.source {
                    continue;
                }
                for mask in 1..=full {
                    // What this node delivers itself is not sought behind it.
                    if leaf[node].is_some_and(|(own, _)| mask & own != 0) {
                        continue;
                    }
                    for label in &trees[to][mask] {
                        let height = if is_bounded { label.height + network.arcs[*arc].delay } else { 0 };
                        if is_bounded && height.saturating_add(start[node]) > cast.bound {
                            continue;
                        }
                        let cost = label.cost + costs[*arc];
                        if cost + reach[node] >= below {
                            continue;
                        }
                        keep(&mut along[mask], cost, height, || {
                            hows.push(How::Along(*arc, label.how));
                            hows.len() - 1
                        });
                    }
                }
            }
            let own = leaf[node].map_or(0, |(own, _)| own);
            let mut joined: Vec<Vec<Label>> = vec![Vec::new(); full + 1];
            for mask in 1..=full {
                if mask & own != 0 {
                    continue;
                }
                let mut best = along[mask].clone();
                let lowest = mask & mask.wrapping_neg();
                let mut part = (mask - 1) & mask;
                while part > 0 {
                    if part & lowest != 0 {
                        for a in &along[part] {
                            for b in &joined[mask ^ part] {
                                if a.cost + b.cost + reach[node] >= below {
                                    continue;
                                }
                                keep(&mut best, a.cost + b.cost, a.height.max(b.height), || {
                                    hows.push(How::Both(a.how, b.how));
                                    hows.len() - 1
                                });
                            }
                        }
                    }
                    part = (part - 1) & mask;
                }
                joined[mask] = best;
            }
            if let Some((own, how)) = leaf[node] {
                for mask in 1..=full {
                    if mask & own != 0 {
                        let behind = if mask == own { Vec::new() } else { joined[mask ^ own].clone() };
                        let with_leaf = |label: Label, hows: &mut Vec<How>| {
                            hows.push(How::Both(how, label.how));
                            Label { how: hows.len() - 1, ..label }
                        };
                        joined[mask] = behind.into_iter().map(|label| with_leaf(label, &mut hows)).collect();
                    }
                }
                joined[own] = vec![Label { cost: 0.0, height: 0, how }];
            }
            next[node] = joined;
        }
        trees = next;
    }
    let best = trees[cast.source][full].iter().min_by(|a, b| a.cost.total_cmp(&b.cost))?;
    let mut paths = Vec::new();
    let mut open = vec![(best.how, Vec::new())];
    while let Some((how, path)) = open.pop() {
        match hows[how] {
            How::Leaf(at) => paths.push((at, path)),
            How::Along(arc, rest) => {
                let mut path = path;
                path.push(arc);
                open.push((rest, path));
            }
            How::Both(a, b) => {
                open.push((a, path.clone()));
                open.push((b, path));
            }
        }
    }
    Some(paths)
}

/// Returns the least cost from the source to every node, within the hops.
fn reach(network: &Network, cast: &Multicast, costs: &[f64]) -> Vec<f64> {
    let mut reach = vec![f64::INFINITY; network.ids.len()];
    reach[cast.source] = 0.0;
    for _ in 1..cast.hops.max(1) {
        let last = reach.clone();
        for (arc, cost) in network.arcs.iter().zip(costs) {
            reach[arc.to] = reach[arc.to].min(last[arc.from] + cost);
        }
        if reach == last {
            break;
        }
    }
    // What rounding makes of the same sum in another order.
    reach.iter().map(|cost| cost * (1.0 - 1e-12)).collect()
}

/// Adds a label unless one is as good in both measures; those that it beats in both go.
fn keep(labels: &mut Vec<Label>, cost: f64, height: u64, how: impl FnOnce() -> usize) {
    if labels.iter().any(|known| known.cost <= cost && known.height <= height) {
        return;
    }
    labels.retain(|known| known.cost < cost || known.height < height);
    labels.push(Label { cost, height, how: how() });
}

/// Returns the paths to each destination within the bound, fastest first, 1,000 at most.
#[must_use]
pub fn bounded_paths(network: &Network, cast: &Multicast) -> Vec<Vec<Vec<usize>>> {
    cast.destinations.iter().map(|to| paths_to(network, cast, *to)).collect()
}

fn paths_to(network: &Network, cast: &Multicast, to: usize) -> Vec<Vec<usize>> {
    // What is still ahead from every node: delays over reversed arcs.
    let mut ahead = vec![FAR; network.ids.len()];
    ahead[to] = 0;
    for _ in 0..cast.hops {
        for arc in network.arcs.iter().filter(|arc| arc.to != cast.source) {
            if ahead[arc.to] != FAR {
                ahead[arc.from] = ahead[arc.from].min(ahead[arc.to].saturating_add(arc.delay));
            }
        }
    }
    let mut found: Vec<(u64, Vec<usize>)> = Vec::new();
    let mut visits = 0;
    let mut open: Vec<(usize, u64, Vec<usize>)> = vec![(cast.source, 0, Vec::new())];
    while let Some((node, delay, path)) = open.pop() {
        visits += 1;
        if visits > VISITS_MAX {
            break;
        }
        if node == to {
            found.push((delay, path));
            continue;
        }
        if path.len() == cast.hops {
            continue;
        }
        for arc in &network.out[node] {
            let next = &network.arcs[*arc];
            let is_new = next.to != cast.source && path.iter().all(|past| network.arcs[*past].to != next.to);
            if is_new && ahead[next.to] != FAR {
                let delay = delay.saturating_add(next.delay);
                if delay.saturating_add(ahead[next.to]) <= cast.bound {
                    let mut longer = path.clone();
                    longer.push(*arc);
                    open.push((next.to, delay, longer));
                }
            }
        }
    }
    found.sort();
    found.truncate(PATHS_MAX);
    found.into_iter().map(|(_, path)| path).collect()
}
