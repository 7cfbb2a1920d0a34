//! Routes taken apart into hops, with delays and what each hop costs on the wire.

use super::network::Network;
use super::wire::Packets;
use crate::model::{Delivery, Rate, Session};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// One hop of a route.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hop {
    /// Index of its link in the scenario.
    pub(super) link: usize,
    /// The hop before it, by index among the session's hops.
    pub(super) parent: Option<usize>,
    /// The route that it belongs to, by index.
    pub(super) route: usize,
    /// Where the packet is delivered at its end.
    pub(super) deliver: Option<NodeId>,
    /// Wire bits for each payload bit that the content offers.
    pub(super) wire: f64,
    /// Part of the packets that the link loses.
    pub(super) loss: f64,
    /// From the source to its end, without queues.
    pub(super) delay: Duration,
}

/// The flows of one session.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    /// Hops, parents before children.
    pub(super) hops: Vec<Hop>,
    /// Share of each route; they add up to 1.
    pub(super) shares: Vec<f64>,
    pub(super) packets: Packets,
    /// Whether what links lose comes again.
    pub(super) is_reliable: bool,
}

impl Flows {
    /// Takes routes apart.
    ///
    /// # Errors
    /// What the network or the header does not allow.
    pub(super) fn new(
        network: &Network<'_>,
        session: &Session,
        routes: &[(Route, f64)],
    ) -> Result<Self, String> {
        let mut flows = Self {
            hops: Vec::new(),
            shares: routes.iter().map(|(_, share)| *share).collect(),
            packets: Packets::of(network.scenario, session, 0.0),
            is_reliable: session.delivery == Delivery::Reliable,
        };
        for (index, (route, _)) in routes.iter().enumerate() {
            bellini_core::wire::routing::encode(route).map_err(|fault| format!("route {route}: {fault}"))?;
            flows.walk(network, session.source, &route.branches, (index, None), Duration::ZERO)?;
        }
        // What repairs are needed depends on the worst way to any destination.
        let worst = flows.hops.iter().enumerate().filter(|(_, hop)| hop.deliver.is_some());
        let worst = worst.map(|(index, _)| 1.0 - flows.survival(index)).fold(0.0, f64::max);
        let packets = Packets::of(network.scenario, session, worst);
        flows.packets = packets;
        flows.hops.clear();
        for (index, (route, _)) in routes.iter().enumerate() {
            flows.walk(network, session.source, &route.branches, (index, None), Duration::ZERO)?;
        }
        if session.coding.as_ref().is_some_and(|coding| coding.recode) {
            flows.combine(network, session);
        }
        Ok(flows)
    }

    /// Counts combinations: a relay that combines anew sends on a link what the neediest destination behind it needs,
    /// and not the sum over all.
    fn combine(&mut self, network: &Network<'_>, session: &Session) {
        let mut behind: Vec<BTreeSet<NodeId>> =
            self.hops.iter().map(|hop| hop.deliver.into_iter().collect()).collect();
        for index in (0..self.hops.len()).rev() {
            if let Some(parent) = self.hops[index].parent {
                let below = behind[index].clone();
                behind[parent].extend(below);
            }
        }
        let mut by_link: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, hop) in self.hops.iter().enumerate() {
            by_link.entry(hop.link).or_default().push(index);
        }
        let nodes = &network.scenario.nodes;
        for (link, hops) in by_link {
            let from = network.link(link).from;
            let recodes =
                nodes.binary_search_by_key(&from, |node| node.id).is_ok_and(|at| nodes[at].recoding);
            if from == session.source || !recodes {
                continue;
            }
            let mut needs: BTreeMap<NodeId, f64> = BTreeMap::new();
            let mut all = 0.0;
            for &hop in &hops {
                let share = self.shares[self.hops[hop].route];
                all += share;
                behind[hop].iter().for_each(|node| *needs.entry(*node).or_insert(0.0) += share);
            }
            let most = needs.values().copied().fold(0.0, f64::max);
            if all > 0.0 {
                hops.iter().for_each(|hop| self.hops[*hop].wire *= most / all);
            }
        }
    }

    /// Returns the part of a hop's packets that arrives at its end, by the loss of links alone.
    pub(super) fn survival(&self, hop: usize) -> f64 {
        let hop = &self.hops[hop];
        (1.0 - hop.loss) * hop.parent.map_or(1.0, |parent| self.survival(parent))
    }

    /// Returns the part of a session's payload that its routes bring to a node.
    pub(super) fn share_to(&self, node: NodeId) -> f64 {
        let mut seen = vec![false; self.shares.len()];
        for hop in self.hops.iter().filter(|hop| hop.deliver == Some(node)) {
            seen[hop.route] = true;
        }
        seen.iter().zip(&self.shares).filter(|(seen, _)| **seen).map(|(_, share)| share).sum()
    }

    fn walk(
        &mut self,
        network: &Network<'_>,
        from: NodeId,
        branches: &[Branch],
        (route, parent): (usize, Option<usize>),
        so_far: Duration,
    ) -> Result<(), String> {
        for branch in branches {
            let Some(index) = network.index(from, branch.node) else {
                let (from, to) = (network.name(from), network.name(branch.node));
                return Err(format!("there is no link from {from} to {to}"));
            };
            let link = network.link(index);
            let serialiser = match &link.rate {
                Rate::Shared(bottleneck) => &network.scenario.bottlenecks[*bottleneck].rate,
                own => own,
            };
            let serialisation = match serialiser {
                Rate::Constant(rate) => rate.transmit_time(self.packets.full_bytes(branch)),
                // A trace's rate at the time of a packet is not known beforehand; it counts as nothing, as in results.
                _ => Duration::ZERO,
            };
            let nodes = &network.scenario.nodes;
            let node = nodes.binary_search_by_key(&branch.node, |node| node.id);
            let processing = node.map_or(Duration::ZERO, |node| nodes[node].processing);
            let delay = so_far + serialisation + link.delay + processing;
            let loss = network.view.links[index].loss;
            let again = if self.is_reliable { 1.0 / (1.0 - loss).max(1e-3) } else { 1.0 };
            self.hops.push(Hop {
                link: index,
                parent,
                route,
                deliver: branch.deliver.then_some(branch.node),
                wire: self.packets.wire_per_payload(branch) * again,
                loss,
                delay,
            });
            let this = self.hops.len() - 1;
            self.walk(network, branch.node, &branch.next, (route, Some(this)), delay)?;
        }
        Ok(())
    }
}
