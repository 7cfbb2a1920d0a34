//! The plan when no linear program gives a checked answer: one tree a session, in turn.

use super::SessionPlan;
use super::demand::Demand;
use super::pattern::{Flow, Pattern};
use crate::graph::{Network, cheapest_tree};
use bellini_core::ids::SessionKey;
use bellini_core::time::Duration;

/// Gives every session one tree, that of least load and delay at its turn, and a rate that fits beside all others: each
/// resource is divided among the trees over it, in proportion to what their sessions want (alike where they do not say).
pub(super) fn plan(network: &Network, demands: &[Demand]) -> Vec<(SessionKey, SessionPlan)> {
    let mut used = vec![0.0; network.resources.len()];
    let mut chosen: Vec<(usize, Pattern, f64)> = Vec::new();
    let longest = network.arcs.iter().map(|arc| arc.delay).max().unwrap_or(0) as f64 + 1.0;
    for (at, demand) in demands.iter().enumerate() {
        let weight = demand.wanted.unwrap_or(1e6);
        let cost = |arc: &crate::graph::Link| {
            let full =
                arc.uses.iter().map(|resource| (used[*resource] + weight) / network.resources[*resource].bps);
            full.fold(0.0, f64::max) + 1e-3 * (arc.delay as f64 + 1.0) / longest
        };
        let costs: Vec<f64> = network.arcs.iter().map(cost).collect();
        let Some(tree) = cheapest_tree(network, &demand.cast, &costs, f64::INFINITY) else { continue };
        let pattern = Pattern::new(vec![Flow { share: 1.0, paths: tree }], demand, network);
        for (resource, load) in &pattern.loads {
            used[*resource] += load * weight;
        }
        chosen.push((at, pattern, weight));
    }
    let session = |(at, pattern, weight): (usize, Pattern, f64)| {
        let part = |(resource, _): &(usize, f64)| network.resources[*resource].bps / used[*resource];
        let least = pattern.loads.iter().map(part).fold(f64::INFINITY, f64::min);
        let is_unlimited = least.is_infinite();
        let rate_bps = if is_unlimited { weight } else { least * weight };
        let flows = pattern.flows.iter().map(|flow| (flow.route(network), flow.share * rate_bps)).collect();
        let delay = pattern.flows.iter().map(|flow| flow.delay(network)).max().unwrap_or(0);
        let plan = SessionPlan { rate_bps, flows, delay: Duration::from_nanos(delay), is_unlimited };
        (demands[at].key, plan)
    };
    chosen.into_iter().map(session).collect()
}
