//! The network and the sessions as the planner counts them: by index, in bits a second and nanoseconds.

use crate::policy::{NetworkView, ViewSession};
use bellini_core::coding::{Repair, Scheme};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_core::wire::routing::PATHLET_HEADER_BYTES;

/// Delay of an unreachable node.
pub(super) const FAR: u64 = u64::MAX;

/// The network: nodes, arcs between them, and what may run full.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// Ids by index, sorted.
    pub(super) ids: Vec<NodeId>,
    pub(super) names: Vec<String>,
    pub(super) arcs: Vec<Arc>,
    /// Arcs that leave each node.
    pub(super) out: Vec<Vec<usize>>,
    /// Links, and what nodes send and receive in all, where they have a limit.
    pub(super) resources: Vec<Resource>,
}

/// A link in one direction.
#[derive(Clone, Debug)]
pub(super) struct Arc {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) delay: u64,
    /// What its packets use.
    pub(super) uses: Vec<usize>,
}

/// Something with a rate of wire bytes that all sessions share.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) bps: f64,
}

impl Network {
    pub(super) fn of(view: &NetworkView) -> Self {
        let ids: Vec<NodeId> = view.nodes.iter().map(|node| node.id).collect();
        let names: Vec<String> = view.nodes.iter().map(|node| node.name.clone()).collect();
        let mut resources = Vec::new();
        let mut limit = |name: String, rate: Option<BitRate>| {
            rate.map(|rate| {
                resources.push(Resource { name, bps: rate.as_bps() as f64 });
                resources.len() - 1
            })
        };
        let egress: Vec<_> = view
            .nodes
            .iter()
            .map(|node| limit(format!("all that {} sends", node.name), node.egress))
            .collect();
        let ingress: Vec<_> = view
            .nodes
            .iter()
            .map(|node| limit(format!("all that {} receives", node.name), node.ingress))
            .collect();
        let index = |id: NodeId| ids.binary_search(&id).ok();
        let mut arcs: Vec<Arc> = Vec::new();
        for link in &view.links {
            let (Some(from), Some(to)) = (index(link.from), index(link.to)) else { continue };
            // Of links side by side only the first is used: a route could not tell them apart.
            if from == to || arcs.iter().any(|arc| (arc.from, arc.to) == (from, to)) {
                continue;
            }
            let own = limit(format!("link {} > {}", names[from], names[to]), link.rate);
            let uses = [own, egress[from], ingress[to]].into_iter().flatten().collect();
            arcs.push(Arc { from, to, delay: link.delay.as_nanos(), uses });
        }
        let mut out = vec![Vec::new(); ids.len()];
        for (at, arc) in arcs.iter().enumerate() {
            out[arc.from].push(at);
        }
        Self { ids, names, arcs, out, resources }
    }

    pub(super) fn index(&self, id: NodeId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Returns the least delay from `from` to every node over at most `hops` arcs.
    pub(super) fn delays(&self, from: usize, hops: usize) -> Vec<u64> {
        let mut best = vec![FAR; self.ids.len()];
        best[from] = 0;
        for _ in 0..hops {
            let last = best.clone();
            for arc in self.arcs.iter().filter(|arc| last[arc.from] != FAR) {
                best[arc.to] = best[arc.to].min(last[arc.from].saturating_add(arc.delay));
            }
            if best == last {
                break;
            }
        }
        best
    }

    /// Returns the names of a path's nodes.
    pub(super) fn path_text(&self, path: &[usize]) -> String {
        let nodes = path.iter().map(|arc| self.arcs[*arc].to);
        let first = path.first().map(|arc| self.arcs[*arc].from);
        let names: Vec<&str> = first.into_iter().chain(nodes).map(|node| self.names[node].as_str()).collect();
        names.join(" > ")
    }
}

/// What a session asks for.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) key: SessionKey,
    pub(super) source: usize,
    pub(super) destinations: Vec<usize>,
    /// Payload bits a second, where the content has a rate.
    pub(super) wanted: Option<f64>,
    /// Most delay from source to destination, without queues; [`FAR`]: any.
    pub(super) bound: u64,
    /// Most arcs of a path.
    pub(super) hops: usize,
    /// Whether relays combine its packets.
    pub(super) is_coded: bool,
    pub(super) packet: Packet,
}

/// What a session's packets are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// Payload bytes.
    pub(super) payload: f64,
    /// Other bytes, but for Pathlets.
    pub(super) header: f64,
    /// Bytes of a Pathlet for each node of the tree that is still ahead.
    pub(super) pathlet: f64,
    /// Packets that the source sends for each symbol: repairs count.
    pub(super) repeat: f64,
}

impl Packet {
    pub(super) fn of(session: &ViewSession) -> Self {
        let repairs = session.coding.map_or(0.0, |coding| match (coding.repair, coding.scheme) {
            // A generation has a whole number of repairs.
            (Repair::Fixed(share), Scheme::Generation { size, .. }) => {
                (share * f64::from(size)).ceil() / f64::from(size)
            }
            (Repair::Fixed(share), Scheme::Window { .. }) => share,
            (Repair::Adaptive { max }, _) => max.min(ADAPTIVE_REPAIRS),
        });
        Self {
            payload: f64::from(session.symbol_bytes.max(1)),
            header: f64::from(session.header_bytes),
            pathlet: PATHLET_HEADER_BYTES as f64,
            repeat: 1.0 + repairs,
        }
    }

    /// Returns the wire bits for each payload bit on an arc behind which the tree has so many nodes.
    pub(super) fn wire(&self, ahead: usize) -> f64 {
        self.repeat * (self.payload + self.header + self.pathlet * ahead as f64) / self.payload
    }
}

/// Repairs for each symbol that are counted for sources that adapt them: what they begin with.
const ADAPTIVE_REPAIRS: f64 = 0.05;

/// Returns a time as text for errors.
pub(super) fn text(nanos: u64) -> String {
    format!("{:.1} ms", Duration::from_nanos(nanos).as_secs_f64() * 1e3)
}
