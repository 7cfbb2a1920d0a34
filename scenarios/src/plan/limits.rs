//! What limits rates: serialisers, shared bottlenecks, caps of nodes, paces of hops, and who crosses them.

use super::flows::Flows;
use super::network::Network;
use crate::model::{Session, Transport};
use bellini_core::congestion::{Controller, equation};
use bellini_core::feeder::Scheduler;
use bellini_core::ids::NodeId;
use std::collections::BTreeMap;

/// What kind of limit, with what is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Pace of a node's hop over a link: configured, or what congestion control comes to. By link.
    Hop(usize),
    /// All that a node sends. By node.
    Egress(NodeId),
    /// A link's own serialiser. By link.
    Link(usize),
    /// A serialiser that links share. By bottleneck.
    Bottleneck(usize),
    /// All that a node receives. By node.
    Ingress(NodeId),
}

/// How what does not fit is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Each loses the same part: one queue for all.
    Proportional,
    /// Conferences get the same by turns, or by weight.
    Weighted,
    /// The conference of the higher priority first.
    Priority,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limit {
    pub(super) kind: Kind,
    /// Wire bits a second.
    pub(super) capacity_bps: f64,
    pub(super) sharing: Sharing,
    /// Where `capacity_bps` comes from congestion control and not from a rate.
    pub(super) is_estimated: bool,
}

impl Limit {
    /// Says what it is, for people.
    pub(super) fn name(&self, network: &Network<'_>) -> String {
        match self.kind {
            Kind::Hop(link) if self.is_estimated => {
                format!("congestion control of {} at its loss", network.link_name(link))
            }
            Kind::Hop(link) => format!("the pace of the hop {}", network.link_name(link)),
            Kind::Egress(node) => format!("the egress cap of {}", network.name(node)),
            Kind::Link(link) => format!("the link {}", network.link_name(link)),
            Kind::Bottleneck(index) => {
                format!("the bottleneck {}", network.scenario.bottlenecks[index].name)
            }
            Kind::Ingress(node) => format!("the ingress cap of {}", network.name(node)),
        }
    }
}

/// All limits that any session's hops cross.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) all: Vec<Limit>,
    by_kind: BTreeMap<Kind, usize>,
}

impl Limits {
    /// Returns the limits that each hop of a session crosses, in order; those of the receiving end last, behind a
    /// mark: (limits before the link's loss, limits behind it).
    pub(super) fn of(
        &mut self,
        network: &Network<'_>,
        session: &Session,
        flows: &Flows,
    ) -> Vec<(Vec<usize>, Vec<usize>)> {
        flows.hops.iter().map(|hop| self.of_hop(network, session, hop.link, flows)).collect()
    }

    fn of_hop(
        &mut self,
        network: &Network<'_>,
        session: &Session,
        link: usize,
        flows: &Flows,
    ) -> (Vec<usize>, Vec<usize>) {
        let ends = network.link(link);
        let node = |id: NodeId| {
            let nodes = &network.scenario.nodes;
            nodes.binary_search_by_key(&id, |node| node.id).ok().map(|index| &nodes[index])
        };
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        let sender = node(ends.from);
        let rate = network.rate(link).map(|rate| rate.as_bps() as f64);
        if let Some(sender) = sender {
            let sharing = match sender.feeder.scheduler {
                Scheduler::RoundRobin | Scheduler::DeficitWeighted => Sharing::Weighted,
                Scheduler::StrictPriority => Sharing::Priority,
                Scheduler::Fifo => Sharing::Proportional,
            };
            let pace = match session.transport {
                Transport::UdpUnpaced => {
                    let pace = sender.hop_rates.iter().find(|(to, _)| *to == ends.to);
                    pace.map(|(_, rate)| (rate.as_bps() as f64, false))
                }
                Transport::Udp => {
                    let is_tfrc = sender.congestion.controller == Controller::Tfrc;
                    let loss = if is_tfrc { network.view.links[link].loss } else { 0.0 };
                    paced(network, link, flows, loss, rate)
                }
                Transport::Tcp => rate.map(|rate| (rate, false)),
            };
            if let Some((bps, is_estimated)) = pace {
                before.push(self.add(Kind::Hop(link), bps, sharing, is_estimated));
            }
            if let Some(shaper) = sender.egress {
                let bps = shaper.rate.as_bps() as f64;
                before.push(self.add(Kind::Egress(ends.from), bps, Sharing::Proportional, false));
            }
        }
        if let Some(bps) = rate {
            let kind = network.bottleneck(link).map_or(Kind::Link(link), Kind::Bottleneck);
            before.push(self.add(kind, bps, Sharing::Proportional, false));
        }
        if let Some(shaper) = node(ends.to).and_then(|node| node.ingress) {
            let bps = shaper.rate.as_bps() as f64;
            behind.push(self.add(Kind::Ingress(ends.to), bps, Sharing::Proportional, false));
        }
        (before, behind)
    }

    fn add(&mut self, kind: Kind, capacity_bps: f64, sharing: Sharing, is_estimated: bool) -> usize {
        if let Some(&index) = self.by_kind.get(&kind) {
            return index;
        }
        self.all.push(Limit { kind, capacity_bps, sharing, is_estimated });
        self.by_kind.insert(kind, self.all.len() - 1);
        self.all.len() - 1
    }
}

/// Returns what congestion control lets a hop send: the rate of its link, or less where losses are taken for
/// congestion (TFRC by its equation, with the round trip of the link's two directions).
fn paced(
    network: &Network<'_>,
    link: usize,
    flows: &Flows,
    loss: f64,
    rate: Option<f64>,
) -> Option<(f64, bool)> {
    let ends = network.link(link);
    let back = network.index(ends.to, ends.from).map_or(ends.delay, |back| network.link(back).delay);
    let rtt = (ends.delay + back).as_secs_f64();
    if loss <= 0.0 || rtt <= 0.0 {
        return rate.map(|rate| (rate, false));
    }
    let bps = equation::rate(flows.packets.mean_bytes(), rtt, loss) * 8.0;
    match rate {
        Some(rate) if rate <= bps => Some((rate, false)),
        _ => Some((bps, true)),
    }
}
