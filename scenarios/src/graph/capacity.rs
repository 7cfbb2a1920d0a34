//! The network with what may run full: by index, in bits a second and nanoseconds.

use crate::policy::NetworkView;
use bellini_core::ids::NodeId;
use bellini_core::units::BitRate;

/// Delay of an unreachable node.
pub const FAR: u64 = u64::MAX;

/// The network: nodes, arcs between them, and what may run full.
///
/// Delays are of propagation alone, in nanoseconds; nodes, links and resources are named by their indices.
#[derive(Clone, Debug)]
pub struct Network {
    /// Ids by index, sorted.
    pub ids: Vec<NodeId>,
    /// Names by index.
    pub names: Vec<String>,
    /// Links, each in one direction.
    pub arcs: Vec<Link>,
    /// Arcs that leave each node.
    pub out: Vec<Vec<usize>>,
    /// Links, and what nodes send and receive in all, where they have a limit.
    pub resources: Vec<Resource>,
}

/// A link in one direction.
#[derive(Clone, Debug)]
pub struct Link {
    /// Sending end.
    pub from: usize,
    /// Receiving end.
    pub to: usize,
    /// Delay in nanoseconds.
    pub delay: u64,
    /// What its packets use.
    pub uses: Vec<usize>,
}

/// Something with a rate of wire bytes that all sessions share.
#[derive(Clone, Debug)]
pub struct Resource {
    /// For people.
    pub name: String,
    /// Bits a second.
    pub bps: f64,
}

impl Network {
    /// Takes links and limits of a view; links from or to nodes that it does not list are left out.
    #[must_use]
    pub fn of(view: &NetworkView) -> Self {
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
        let mut arcs: Vec<Link> = Vec::new();
        for link in &view.links {
            let (Some(from), Some(to)) = (index(link.from), index(link.to)) else { continue };
            // Of links side by side only the first is used: a route could not tell them apart.
            if from == to || arcs.iter().any(|arc| (arc.from, arc.to) == (from, to)) {
                continue;
            }
            let own = limit(format!("link {} > {}", names[from], names[to]), link.rate);
            let uses = [own, egress[from], ingress[to]].into_iter().flatten().collect();
            arcs.push(Link { from, to, delay: link.delay.as_nanos(), uses });
        }
        let mut out = vec![Vec::new(); ids.len()];
        for (at, arc) in arcs.iter().enumerate() {
            out[arc.from].push(at);
        }
        Self { ids, names, arcs, out, resources }
    }

    /// Returns the index of a node.
    #[must_use]
    pub fn index(&self, id: NodeId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Returns the least delay from `from` to every node over at most `hops` arcs.
    #[must_use]
    pub fn delays(&self, from: usize, hops: usize) -> Vec<u64> {
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
    #[must_use]
    pub fn path_text(&self, path: &[usize]) -> String {
        let nodes = path.iter().map(|arc| self.arcs[*arc].to);
        let first = path.first().map(|arc| self.arcs[*arc].from);
        let names: Vec<&str> = first.into_iter().chain(nodes).map(|node| self.names[node].as_str()).collect();
        names.join(" > ")
    }
}
