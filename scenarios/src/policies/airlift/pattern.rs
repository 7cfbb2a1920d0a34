//! Patterns: ways to bring one unit of a session's rate to all its destinations. The planner's columns.

use super::demand::Demand;
use crate::graph::Network;
use crate::graph::{Path, merge};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// One way to bring a unit of rate to all destinations of a session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    /// One for a tree, several where coding mixes paths; their shares add up to 1.
    pub(super) flows: Vec<Flow>,
    /// Wire bits for each payload bit, by resource.
    pub(super) loads: Vec<(usize, f64)>,
}

/// A part of a pattern: for each destination the path that the same packets take.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) share: f64,
    /// Arcs, by destination.
    pub(super) paths: Vec<Vec<usize>>,
}

impl Flow {
    pub(super) fn route(&self, network: &Network) -> Route {
        let path = |arcs: &Vec<usize>| {
            let first = arcs.first().map(|arc| network.arcs[*arc].from);
            let nodes = first.into_iter().chain(arcs.iter().map(|arc| network.arcs[*arc].to));
            let delay = arcs.iter().map(|arc| network.arcs[*arc].delay).sum();
            Path { nodes: nodes.map(|node| network.ids[node]).collect(), delay: Duration::from_nanos(delay) }
        };
        merge(&self.paths.iter().map(path).collect::<Vec<_>>())
    }

    /// Returns the greatest delay of its paths.
    pub(super) fn delay(&self, network: &Network) -> u64 {
        let delay = |path: &Vec<usize>| path.iter().map(|arc| network.arcs[*arc].delay).sum();
        self.paths.iter().map(delay).max().unwrap_or(0)
    }
}

impl Pattern {
    /// Makes a pattern of flows, by what links will really carry.
    ///
    /// A packet that goes several ways at its source is one on each. Without coding the same holds at relays. With
    /// coding, a relay pays packets of different flows for different destinations by one, so that an arc behind a relay
    /// carries the most that any destination gets over it.
    pub(super) fn new(flows: Vec<Flow>, demand: &Demand, network: &Network) -> Self {
        // By arc and destination: what goes there; by arc: suffixes of paths, for the size of the Pathlet.
        let mut by_destination: BTreeMap<usize, BTreeMap<usize, f64>> = BTreeMap::new();
        let mut copies: BTreeMap<usize, f64> = BTreeMap::new();
        let mut ahead: BTreeMap<usize, BTreeSet<&[usize]>> = BTreeMap::new();
        for flow in &flows {
            let mut prefixes: BTreeSet<&[usize]> = BTreeSet::new();
            for (destination, path) in flow.paths.iter().enumerate() {
                for (at, arc) in path.iter().enumerate() {
                    *by_destination.entry(*arc).or_default().entry(destination).or_default() += flow.share;
                    if prefixes.insert(&path[..=at]) {
                        *copies.entry(*arc).or_default() += flow.share;
                    }
                    let suffixes = ahead.entry(*arc).or_default();
                    suffixes.extend((at..path.len()).map(|end| &path[at..=end]));
                }
            }
        }
        let mut loads = BTreeMap::new();
        for (arc, by_destination) in &by_destination {
            let is_joined = demand.is_coded && network.arcs[*arc].from != demand.cast.source;
            let rate =
                if is_joined { by_destination.values().copied().fold(0.0, f64::max) } else { copies[arc] };
            let bits = rate * demand.packet.wire(ahead[arc].len());
            for resource in &network.arcs[*arc].uses {
                *loads.entry(*resource).or_default() += bits;
            }
        }
        Self { flows, loads: loads.into_iter().collect() }
    }

    /// Makes a pattern of conceptual flows (by destination: paths with their rates, each at least 1 in all) whose arcs
    /// carry what the theory says, whether relays and source of ours can do it or not.
    pub(super) fn ideal(
        conceptual: &[Vec<(Vec<usize>, f64)>],
        demand: &Demand,
        network: &Network,
    ) -> Vec<(usize, f64)> {
        let mut most: BTreeMap<usize, f64> = BTreeMap::new();
        for paths in conceptual {
            let mut own: BTreeMap<usize, f64> = BTreeMap::new();
            for (path, rate) in paths {
                path.iter().for_each(|arc| *own.entry(*arc).or_default() += rate);
            }
            for (arc, rate) in own {
                let known = most.entry(arc).or_default();
                *known = known.max(rate);
            }
        }
        let mut loads: BTreeMap<usize, f64> = BTreeMap::new();
        for (arc, rate) in most {
            for resource in &network.arcs[arc].uses {
                *loads.entry(*resource).or_default() += rate * demand.packet.wire(1);
            }
        }
        loads.into_iter().collect()
    }

    pub(super) fn cost(&self, prices: &[f64]) -> f64 {
        self.loads.iter().map(|(resource, load)| load * prices[*resource]).sum()
    }
}

/// Takes conceptual flows apart into flows of a session: each is one path for each destination, and all of its rate.
///
/// Which paths go together matters at the source, where a packet is copied and not recoded: paths over the same first
/// arc are put together as far as they go.
pub(super) fn peel(mut conceptual: Vec<Vec<(Vec<usize>, f64)>>) -> Vec<Flow> {
    for paths in &mut conceptual {
        trim(paths);
    }
    let mut flows: Vec<Flow> = Vec::new();
    let mut left = 1.0;
    while left > NOTHING {
        let mut chosen: Vec<usize> = Vec::new();
        let mut firsts: BTreeSet<usize> = BTreeSet::new();
        for paths in &conceptual {
            let open = paths.iter().enumerate().filter(|(_, (_, rate))| *rate > NOTHING);
            let fit = |path: &(Vec<usize>, f64)| (firsts.contains(&path.0[0]), path.1);
            let best = open.max_by(|(_, a), (_, b)| {
                let ((a_shared, a_rate), (b_shared, b_rate)) = (fit(a), fit(b));
                a_shared.cmp(&b_shared).then(a_rate.total_cmp(&b_rate))
            });
            let Some((at, (path, _))) = best else { break };
            firsts.insert(path[0]);
            chosen.push(at);
        }
        if chosen.len() < conceptual.len() {
            break;
        }
        let rate = conceptual.iter().zip(&chosen).map(|(paths, at)| paths[*at].1).fold(left, f64::min);
        let mut paths = Vec::new();
        for (list, at) in conceptual.iter_mut().zip(&chosen) {
            list[*at].1 -= rate;
            paths.push(list[*at].0.clone());
        }
        left -= rate;
        flows.push(Flow { share: rate, paths });
    }
    let sum: f64 = flows.iter().map(|flow| flow.share).sum();
    flows.iter_mut().for_each(|flow| flow.share /= sum);
    flows
}

/// Brings the rates of paths down to 1 in all; the longest give first.
fn trim(paths: &mut [(Vec<usize>, f64)]) {
    let mut above = paths.iter().map(|(_, rate)| rate).sum::<f64>() - 1.0;
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(paths[*at].0.len()));
    for at in order {
        let less = above.max(0.0).min(paths[at].1);
        paths[at].1 -= less;
        above -= less;
    }
}

/// Parts of a rate that are not worth a flow.
const NOTHING: f64 = 1e-9;
