//! What the baselines over datacenters share: which nodes are datacenters, and the links by their ends.

use super::Parameters;
use crate::policy::{PolicyError, Request, ViewLink};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use std::collections::BTreeMap;

/// The network by the ends of its links; of parallel links the fastest.
pub(super) struct Cloud<'a> {
    links: BTreeMap<(NodeId, NodeId), &'a ViewLink>,
    /// Nodes that may relay: the parameter `datacenters`, else every node with a region, members of the session too.
    pub(super) datacenters: Vec<NodeId>,
}

impl<'a> Cloud<'a> {
    pub(super) fn of(request: &Request<'a>, parameters: &Parameters<'_, '_>) -> Result<Self, PolicyError> {
        let mut links: BTreeMap<(NodeId, NodeId), &'a ViewLink> = BTreeMap::new();
        for link in &request.view.links {
            let kept = links.entry((link.from, link.to)).or_insert(link);
            if link.delay < kept.delay {
                *kept = link;
            }
        }
        let with_region = request.view.nodes.iter().filter(|node| node.region.is_some());
        let datacenters = match parameters.nodes("datacenters")? {
            Some(given) => given,
            None => with_region.map(|node| node.id).collect(),
        };
        Ok(Self { links, datacenters })
    }

    /// Returns the delay of the link from `from` to `to`: zero to itself, `None` without a link.
    pub(super) fn delay(&self, from: NodeId, to: NodeId) -> Option<Duration> {
        if from == to {
            return Some(Duration::ZERO);
        }
        self.links.get(&(from, to)).map(|link| link.delay)
    }

    /// Returns the delay of the link that way, or of the one back where there is none that way: for the wishes of members
    /// who do not send in this session, but may in others of the conference.
    pub(super) fn delay_either(&self, from: NodeId, to: NodeId) -> Option<Duration> {
        self.delay(from, to).or_else(|| self.delay(to, from))
    }
}

/// Returns the path through `nodes`, of which neighbours that are the same count once.
pub(super) fn path(nodes: &[NodeId]) -> crate::graph::Path {
    let mut nodes = nodes.to_vec();
    nodes.dedup();
    crate::graph::Path { nodes, delay: Duration::ZERO }
}
