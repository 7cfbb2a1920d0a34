//! Whether a session's destinations can be reached at all, when a policy will choose the routes.

use super::Network;
use super::policies::PolicyText;
use super::routes::{DEPTH_MAX, OVERHEAD_BYTES, PATHLET_BYTES, too_large};
use crate::parse::sink::Sink;
use crate::parse::tree::Span;
use bellini_core::ids::NodeId;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Hop counts from sources, remembered over the sessions of a scenario.
#[derive(Default)]
pub(crate) struct Reach {
    /// By source and smallest MTU that counts.
    hops: BTreeMap<(NodeId, u32), BTreeMap<NodeId, usize>>,
}

impl Reach {
    /// Notes destinations that no route of a built-in policy can reach, or none whose links take the packets.
    ///
    /// Policies of the user's own may know better, so that only the links count for them.
    pub(crate) fn check(
        &mut self,
        routing: &PolicyText,
        (source, destinations, (symbol_bytes, added_bytes)): (NodeId, &[NodeId], (u32, usize)),
        place: Span,
        network: &Network<'_>,
        sink: &mut Sink,
    ) {
        let most = hops_max(routing);
        let packet = symbol_bytes as usize + added_bytes + OVERHEAD_BYTES + PATHLET_BYTES;
        let name = |node| network.names.name(node);
        for &destination in destinations {
            let hops = |mtu, reach: &mut Self| reach.hops(source, mtu, network).get(&destination).copied();
            let fits = |found: Option<usize>| found.is_some_and(|hops| hops <= most);
            if !fits(hops(0, self)) {
                let (from, to) = (name(source), name(destination));
                let message = match hops(0, self) {
                    Some(_) if most == 1 => format!("there is no link from {from} to {to}"),
                    Some(hops) => {
                        format!("the shortest path from {from} to {to} has {hops} hops, {most} are the most")
                    }
                    None => format!("no path leads from {from} to {to}"),
                };
                sink.error("E0411", place, message, format!("`{}` finds no route", routing.policy));
            } else if !fits(hops(u32::try_from(packet).unwrap_or(u32::MAX), self)) {
                let ends = format!("{} to {}", name(source), name(destination));
                let largest =
                    network.links.links.values().map(|link| link.mtu).filter(|mtu| (*mtu as usize) < packet);
                too_large(place, packet, largest.max().unwrap_or(0), symbol_bytes, &ends, sink);
            }
        }
    }

    /// Returns the least number of hops from one node to another; `None`: no path leads there.
    pub(crate) fn depth(&mut self, from: NodeId, to: NodeId, network: &Network<'_>) -> Option<usize> {
        self.hops(from, 0, network).get(&to).copied()
    }

    /// Returns the least number of hops to every node that `source` reaches over links of at least that MTU.
    fn hops(&mut self, source: NodeId, mtu: u32, network: &Network<'_>) -> &BTreeMap<NodeId, usize> {
        self.hops.entry((source, mtu)).or_insert_with(|| {
            let mut hops = BTreeMap::from([(source, 0)]);
            let mut next = VecDeque::from([source]);
            while let Some(from) = next.pop_front() {
                let so_far = hops[&from];
                for to in network.links.neighbours(from) {
                    if network.links.links[&(from, to)].mtu >= mtu && !hops.contains_key(&to) {
                        hops.insert(to, so_far + 1);
                        next.push_back(to);
                    }
                }
            }
            hops
        })
    }
}

fn hops_max(routing: &PolicyText) -> usize {
    let relays = routing.parameters.get("max_relays").and_then(Value::as_u64);
    match routing.policy.as_str() {
        "direct" => 1,
        "shortest-delay" | "k-shortest" | "multicast-tree" => {
            relays.map_or(DEPTH_MAX, |relays| DEPTH_MAX.min(relays as usize + 1))
        }
        _ => DEPTH_MAX,
    }
}
