//! The most that can flow from one node to another, and the links that keep it from being more.

use super::network::Network;
use bellini_core::ids::NodeId;
use std::collections::{BTreeMap, VecDeque};

/// The most that flows, in wire bits a second, with what is full.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) bps: f64,
    /// The limits that are full, in words.
    pub(super) full: Vec<String>,
}

/// Returns the greatest flow from `source` to `to` over all links at their mean rates, and the caps of nodes; `None`
/// where nothing limits it. Bottlenecks that links share count for each of them: it is an upper bound.
///
/// Source: Edmonds and Karp, Theoretical improvements in algorithmic efficiency for network flow problems, JACM 19
/// (1972): shortest augmenting paths, so that the number of rounds is bounded.
pub(super) fn greatest_flow(network: &Network<'_>, source: NodeId, to: NodeId) -> Option<Cut> {
    let scenario = network.scenario;
    let position: BTreeMap<NodeId, usize> =
        scenario.nodes.iter().enumerate().map(|(index, node)| (node.id, index)).collect();
    // Each node is two: what comes in, and what goes out; a cap of either stands on an arc of its own.
    let (entry, inner, exit) = (|at: usize| 3 * at, |at: usize| 3 * at + 1, |at: usize| 3 * at + 2);
    let mut arcs: Vec<Arc> = Vec::new();
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); 3 * scenario.nodes.len()];
    let mut add = |from: usize, to: usize, bps: Option<f64>, name: Option<String>| {
        leaving[from].push(arcs.len());
        arcs.push(Arc { to, left: bps.unwrap_or(f64::INFINITY), name });
        leaving[to].push(arcs.len());
        arcs.push(Arc { to: from, left: 0.0, name: None });
    };
    for (at, node) in scenario.nodes.iter().enumerate() {
        let (ingress, egress) =
            (node.ingress.map(|it| it.rate.as_bps() as f64), node.egress.map(|it| it.rate.as_bps() as f64));
        add(entry(at), inner(at), ingress, ingress.map(|_| format!("the ingress cap of {}", node.name)));
        add(inner(at), exit(at), egress, egress.map(|_| format!("the egress cap of {}", node.name)));
    }
    for (index, link) in scenario.links.iter().enumerate() {
        let rate = network.rate(index).map(|rate| rate.as_bps() as f64);
        let name = rate.map(|_| format!("the link {}", network.link_name(index)));
        add(exit(*position.get(&link.from)?), entry(*position.get(&link.to)?), rate, name);
    }
    let (start, end) = (inner(*position.get(&source)?), inner(*position.get(&to)?));
    let mut total = 0.0;
    loop {
        let mut came: Vec<Option<usize>> = vec![None; leaving.len()];
        let mut seen = vec![false; leaving.len()];
        seen[start] = true;
        let mut next = VecDeque::from([start]);
        while let Some(at) = next.pop_front() {
            for &arc in &leaving[at] {
                let end = arcs[arc].to;
                if arcs[arc].left > 1.0 && !seen[end] {
                    (seen[end], came[end]) = (true, Some(arc));
                    next.push_back(end);
                }
            }
        }
        if !seen[end] {
            let cut = (0..arcs.len()).filter(|&arc| {
                let from = arcs[arc ^ 1].to;
                seen[from] && !seen[arcs[arc].to] && arcs[arc].name.is_some()
            });
            return Some(Cut { bps: total, full: cut.filter_map(|arc| arcs[arc].name.clone()).collect() });
        }
        let path = |mut at: usize| {
            let mut path = Vec::new();
            while let Some(arc) = came[at] {
                path.push(arc);
                at = arcs[arc ^ 1].to;
            }
            path
        };
        let path = path(end);
        let step = path.iter().map(|&arc| arcs[arc].left).fold(f64::INFINITY, f64::min);
        if !step.is_finite() {
            return None;
        }
        for arc in path {
            arcs[arc].left -= step;
            arcs[arc ^ 1].left += step;
        }
        total += step;
    }
}

struct Arc {
    to: usize,
    left: f64,
    name: Option<String>,
}
