//! `steiner-price`: the multicast tree of least price.

use super::Parameters;
use crate::graph::{Graph, MAX_HOPS, merge};
use crate::policy::{NetworkView, PolicyError, Request, RouteChoice, Routing, ViewLink};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use std::collections::BTreeMap;

/// Destinations up to which the tree is exact: the effort grows with 3 to their number.
const EXACT_MAX: usize = 8;
/// Weight of 10^-6 $/GB: more than the delays of a tree, which only decide between trees of the same price.
const MICRO_USD: u64 = 10_000_000_000;

/// One flow: the tree to all destinations whose links' prices add up to the least, then the one of least total delay.
///
/// Exact for up to eight destinations (Dreyfus and Wagner, The Steiner problem in graphs, Networks 1, 1971); for more the
/// heuristic of [`Graph::steiner_paths`] on prices. Links without a price are not used, unless the parameter `unpriced`
/// (0 to 1,000 $/GB) gives them one.
#[derive(Clone, Copy, Debug, Default)]
pub struct SteinerPrice;

impl Routing for SteinerPrice {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["unpriced"])?;
        let unpriced = parameters.number("unpriced", 0.0, 1_000.0)?;
        let priced = priced(request.view, unpriced);
        let unreachable = |to: NodeId| {
            if priced.links.len() < request.view.links.len() {
                let without = request.view.links.len() - priced.links.len();
                return PolicyError::Other(format!(
                    "no way to node {to} over links with a known price: {without} links have none; give them \
                     `usd_per_gb`, or the policy `unpriced`"
                ));
            }
            PolicyError::Unreachable { from: request.source, to }
        };
        let heuristic = || {
            let paths = Graph::new(&priced).steiner_paths(request.source, request.destinations, None);
            paths.map(|paths| merge(&paths)).map_err(unreachable)
        };
        let route = if request.destinations.len() <= EXACT_MAX {
            // Reachability is told by the heuristic, which also stands in for trees that are deeper than routes can be.
            let fallback = heuristic()?;
            exact(&priced, request.source, request.destinations)
                .filter(|route| depth(&route.branches) <= MAX_HOPS)
                .unwrap_or(fallback)
        } else {
            heuristic()?
        };
        Ok(vec![route.into()])
    }
}

/// Returns the view with prices in place of delays, one unit of which breaks ties by the delay in microseconds.
fn priced(view: &NetworkView, unpriced: Option<f64>) -> NetworkView {
    let links = view.links.iter().filter_map(|link| {
        let usd = link.usd_per_gb.or(unpriced)?;
        let micro_usd = (usd.clamp(0.0, 1_000.0) * 1e6).round() as u64;
        let delay_us = (link.delay.as_nanos() / 1_000).clamp(1, MICRO_USD / 1_000);
        Some(ViewLink { delay: Duration::from_nanos(micro_usd * MICRO_USD + delay_us), ..*link })
    });
    // Sums of prices stay below 2^64: a route has few links, and each costs at most 10^9 * 10^10 / 1,000 of it.
    NetworkView { links: links.collect(), ..view.clone() }
}

fn depth(branches: &[Branch]) -> usize {
    branches.iter().map(|branch| 1 + depth(&branch.next)).max().unwrap_or(0)
}

/// How a subset of the destinations is reached from a node.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The node is the only destination of the set.
    Here,
    /// Over the link to this node.
    Over(usize),
    /// This part of the set apart from the rest.
    Split(usize),
}

/// Returns the tree of least weight from `source` to `destinations`, `None` where there is none.
fn exact(view: &NetworkView, source: NodeId, destinations: &[NodeId]) -> Option<Route> {
    let ids: Vec<NodeId> = view.nodes.iter().map(|node| node.id).collect();
    let index: BTreeMap<NodeId, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut links: Vec<(usize, usize, u64)> = Vec::new();
    for link in &view.links {
        if let (Some(&from), Some(&to)) = (index.get(&link.from), index.get(&link.to)) {
            links.push((from, to, link.delay.as_nanos()));
        }
    }
    let all = (1_usize << destinations.len()) - 1;
    let mut best: Vec<Vec<Option<(u64, Step)>>> = vec![vec![None; ids.len()]; all + 1];
    for set in 1..=all {
        for node in 0..ids.len() {
            let mut found = None;
            if set.is_power_of_two() && ids[node] == destinations[set.trailing_zeros() as usize] {
                found = Some((0, Step::Here));
            }
            // Each split once: the part that holds the set's lowest member.
            let mut part = (set - 1) & set;
            while part > 0 {
                if part & set & set.wrapping_neg() != 0
                    && let (Some((left, _)), Some((right, _))) = (best[part][node], best[set ^ part][node])
                {
                    let sum = left.saturating_add(right);
                    if found.is_none_or(|(known, _)| sum < known) {
                        found = Some((sum, Step::Split(part)));
                    }
                }
                part = (part - 1) & set;
            }
            best[set][node] = found;
        }
        // Bellman and Ford: until no link shortens anything.
        let mut is_shorter = true;
        while is_shorter {
            is_shorter = false;
            for &(from, to, weight) in &links {
                let Some((behind, _)) = best[set][to] else { continue };
                let sum = behind.saturating_add(weight);
                if best[set][from].is_none_or(|(known, _)| sum < known) {
                    best[set][from] = Some((sum, Step::Over(to)));
                    is_shorter = true;
                }
            }
        }
    }
    let mut tree = BTreeMap::new();
    collect(&best, *index.get(&source)?, all, &mut tree)?;
    Some(Route { branches: branches(*index.get(&source)?, &ids, &tree, destinations) })
}

/// Collects the links of the tree, by their sending ends.
fn collect(
    best: &[Vec<Option<(u64, Step)>>],
    node: usize,
    set: usize,
    tree: &mut BTreeMap<usize, Vec<usize>>,
) -> Option<()> {
    match best[set][node]?.1 {
        Step::Here => Some(()),
        Step::Over(to) => {
            let next = tree.entry(node).or_default();
            if !next.contains(&to) {
                next.push(to);
            }
            collect(best, to, set, tree)
        }
        Step::Split(part) => {
            collect(best, node, part, tree)?;
            collect(best, node, set ^ part, tree)
        }
    }
}

/// Builds the branches behind `node`. Weights are positive, so that the links are a tree.
fn branches(
    node: usize,
    ids: &[NodeId],
    tree: &BTreeMap<usize, Vec<usize>>,
    destinations: &[NodeId],
) -> Vec<Branch> {
    let mut found: Vec<Branch> = tree
        .get(&node)
        .into_iter()
        .flatten()
        .map(|&next| Branch {
            node: ids[next],
            deliver: destinations.contains(&ids[next]),
            next: branches(next, ids, tree, destinations),
        })
        .collect();
    found.sort_by_key(|branch| branch.node);
    found
}
