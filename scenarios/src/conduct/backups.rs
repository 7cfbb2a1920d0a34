//! Backup routes: what a source may use without asking, while something on its routes is down.
//!
//! They belong to every decision of a scenario with `failover`, whatever its policy, and are found when there is time: for
//! each route that was decided, first the tree of least delay that shares no relay and no hop with it, then, for each relay
//! or hop of it that no backup avoids yet, the one that does without. They are installed as flows with a share of 0.

use crate::graph::{Graph, merge};
use crate::policy::NetworkView;
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use std::collections::BTreeSet;

/// Backups of one session, at most: each is a Setup message now and then, and a way that relays remember.
const BACKUPS_MAX: usize = 6;

/// What a backup does without.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Avoided {
    nodes: BTreeSet<NodeId>,
    hops: BTreeSet<(NodeId, NodeId)>,
}

impl Avoided {
    fn is_by(&self, source: NodeId, route: &Route) -> bool {
        let mut avoids = true;
        route.for_each_edge(source, &mut |from, to| {
            avoids &=
                !self.hops.contains(&(from, to)) && !self.nodes.contains(&from) && !self.nodes.contains(&to);
        });
        avoids
    }
}

/// Returns backups for the routes of `flows` that carry packets, in the network of `view`; none where there is no other way.
pub(super) fn backups(view: &NetworkView, source: NodeId, flows: &[(Route, f64)]) -> Vec<Route> {
    let mut found: Vec<Route> = Vec::new();
    for (route, _) in flows.iter().filter(|(_, share)| *share > 0.0) {
        let destinations = route.destinations();
        let mut hops: Vec<(NodeId, NodeId)> = Vec::new();
        route.for_each_edge(source, &mut |from, to| hops.push((from, to)));
        let is_end = |node: &NodeId| *node == source || destinations.binary_search(node).is_ok();
        let relays: BTreeSet<NodeId> = hops.iter().map(|(_, to)| *to).filter(|node| !is_end(node)).collect();
        let all = Avoided { nodes: relays.clone(), hops: hops.iter().copied().collect() };
        let relay = |node: &NodeId| Avoided { nodes: BTreeSet::from([*node]), hops: BTreeSet::new() };
        let hop = |hop: &(NodeId, NodeId)| Avoided { nodes: BTreeSet::new(), hops: BTreeSet::from([*hop]) };
        let each = relays.iter().map(relay).chain(hops.iter().map(hop));
        for avoided in std::iter::once(all).chain(each) {
            let is_known =
                found.iter().any(|backup| avoided.is_by(source, backup) && reaches(backup, &destinations));
            if is_known || found.len() == BACKUPS_MAX {
                continue;
            }
            if let Some(backup) = tree_without(view, source, &destinations, &avoided)
                && !found.contains(&backup)
                && flows.iter().all(|(route, _)| *route != backup)
            {
                found.push(backup);
            }
        }
    }
    found
}

fn reaches(route: &Route, destinations: &[NodeId]) -> bool {
    let reached = route.destinations();
    destinations.iter().all(|node| reached.binary_search(node).is_ok())
}

/// Returns the paths of least delay to all destinations, merged, in the network without what is avoided.
fn tree_without(
    view: &NetworkView,
    source: NodeId,
    destinations: &[NodeId],
    avoided: &Avoided,
) -> Option<Route> {
    let is_left = |from: &NodeId, to: &NodeId| {
        !avoided.hops.contains(&(*from, *to)) && !avoided.nodes.contains(from) && !avoided.nodes.contains(to)
    };
    let links = view.links.iter().filter(|link| is_left(&link.from, &link.to)).copied().collect();
    let graph = Graph::new(&NetworkView { nodes: view.nodes.clone(), links, sessions: Vec::new() });
    let paths: Option<Vec<_>> =
        destinations.iter().map(|to| graph.shortest_path(source, *to, None)).collect();
    paths.map(|paths| merge(&paths))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::view;

    fn found(links: &[(u32, u32, u64)], routes: &[&str]) -> Vec<String> {
        let flows: Vec<_> = routes.iter().map(|route| (Route::parse(route).expect("a route"), 1.0)).collect();
        let source = NodeId::new(1).expect("a legal id");
        backups(&view(links), source, &flows).iter().map(Route::to_string).collect()
    }

    /// Aim: a disjoint way is enough; where there is none, each relay and each hop is avoided by some backup that there
    /// can be.
    #[test]
    fn every_relay_and_hop_is_avoided_where_that_is_possible() {
        let diamond = [(1, 2, 5), (2, 9, 5), (1, 3, 8), (3, 9, 8), (1, 9, 40)];
        assert_eq!(found(&diamond, &["2>9d"]), ["3>9d"], "the fastest disjoint one");
        // 1 - 2 - 3 - 9 with ways around 2 and around 3, but around both at once only by the same hop.
        let ladder = [(1, 2, 5), (2, 3, 5), (3, 9, 5), (1, 4, 9), (4, 3, 9), (2, 5, 9), (5, 9, 9)];
        assert_eq!(found(&ladder, &["2>3>9d"]), ["4>3>9d", "2>5>9d"]);
        // Only the last hop has an alternative.
        assert_eq!(found(&[(1, 2, 5), (2, 9, 5), (2, 3, 1), (3, 9, 9)], &["2>9d"]), ["2>3>9d"]);
        assert!(found(&[(1, 9, 5)], &["9d"]).is_empty());
    }

    /// Aim: backups of a tree reach all of its destinations; a destination that also passes packets on is avoided as a
    /// relay by nobody, but its hops are. Of two flows, what the other one uses already is no backup.
    #[test]
    fn trees_and_several_flows() {
        let links = [(1, 2, 5), (2, 8, 5), (2, 9, 5), (1, 3, 8), (3, 8, 8), (3, 9, 8)];
        assert_eq!(found(&links, &["2>{8d,9d}"]), ["3>{8d,9d}"]);
        let chain = [(1, 8, 5), (8, 9, 5), (1, 9, 30)];
        assert_eq!(found(&chain, &["8d>9d"]), ["{8d,9d}"]);
        let two = [(1, 2, 5), (2, 9, 5), (1, 3, 8), (3, 9, 8)];
        assert!(found(&two, &["2>9d", "3>9d"]).is_empty());
    }
}
