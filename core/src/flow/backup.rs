//! Which flows carry packets while hops are down.
//!
//! A flow that was installed with a share of 0 is a *backup*: no packet draws it, but its hops are open. A flow is judged by
//! the destinations that it still reaches, among those that any flow does: a destination that is dead itself makes no route
//! bad. The share of a flow that misses some of them goes to the first backup that reaches all; else to the other flows, if
//! they do; else to whichever of itself and the backups reaches most. When nothing is left, everything stays as it was
//! decided: there is no better answer.

use super::list::Flow;
use crate::ids::NodeId;
use crate::route::{Branch, Route};

/// Returns the shares of `flows` now; `reached`: for each, the destinations that it still reaches, sorted. Not normalised.
#[must_use]
pub fn shares_now(flows: &[Flow], reached: &[Vec<NodeId>]) -> Vec<f64> {
    let mut alive: Vec<NodeId> = reached.iter().flatten().copied().collect();
    alive.sort_unstable();
    alive.dedup();
    let mut shares = vec![0.0; flows.len()];
    let wanted: Vec<Vec<NodeId>> = flows
        .iter()
        .map(|flow| {
            let all = flow.route.destinations();
            all.into_iter().filter(|node| alive.binary_search(node).is_ok()).collect()
        })
        .collect();
    let hits = |place: usize, wanted: &[NodeId]| {
        wanted.iter().filter(|node| reached[place].binary_search(node).is_ok()).count()
    };
    let is_whole =
        |place: usize, wanted: &[NodeId]| !wanted.is_empty() && hits(place, wanted) == wanted.len();
    for (place, flow) in flows.iter().enumerate().filter(|(_, flow)| flow.decided > 0.0) {
        let wanted = &wanted[place];
        let backups = || (0..flows.len()).filter(|other| flows[*other].decided == 0.0);
        let others = || (0..flows.len()).filter(|other| *other != place && flows[*other].decided > 0.0);
        let taker = if is_whole(place, wanted) {
            Some(place)
        } else if let Some(backup) = backups().find(|backup| is_whole(*backup, wanted)) {
            Some(backup)
        } else if others().any(|other| is_whole(other, wanted)) {
            None
        } else {
            // The first of those that reach most.
            let most =
                |best: usize, next: usize| if hits(next, wanted) > hits(best, wanted) { next } else { best };
            let best = backups().fold(place, most);
            (hits(best, wanted) > 0).then_some(best)
        };
        if let Some(taker) = taker {
            shares[taker] += flow.decided;
        }
    }
    if shares.iter().any(|share| *share > 0.0) {
        return shares;
    }
    flows.iter().map(|flow| flow.decided).collect()
}

/// Returns the destinations that `route` from `source` still reaches, sorted: those before which no hop is down.
pub fn reached(route: &Route, source: NodeId, is_down: impl Fn(NodeId, NodeId) -> bool) -> Vec<NodeId> {
    fn walk(
        from: NodeId,
        branches: &[Branch],
        is_down: &impl Fn(NodeId, NodeId) -> bool,
        found: &mut Vec<NodeId>,
    ) {
        for branch in branches.iter().filter(|branch| !is_down(from, branch.node)) {
            if branch.deliver {
                found.push(branch.node);
            }
            walk(branch.node, &branch.next, is_down, found);
        }
    }
    let mut found = Vec::new();
    walk(source, &route.branches, &is_down, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowList;
    use crate::ids::HopIndex;
    use crate::io::DrawMode;
    use crate::wire::routing::RouteLimits;

    fn node(id: u32) -> NodeId {
        NodeId::new(id).expect("a legal id")
    }

    fn list(flows: &[(&str, f64)]) -> FlowList {
        let flows: Vec<_> =
            flows.iter().map(|(route, share)| (Route::parse(route).expect("a route"), *share)).collect();
        let hop = |node: NodeId| HopIndex(node.get());
        FlowList::new(node(1), &flows, DrawMode::Stride, RouteLimits::NONE, hop).expect("a legal list")
    }

    /// Shares in per cent while the hops `down` are down.
    fn shares(flows: &[(&str, f64)], down: &[(u32, u32)]) -> Vec<u32> {
        let list = list(flows);
        let is_down = |from: NodeId, to: NodeId| down.iter().any(|pair| *pair == (from.get(), to.get()));
        let reached: Vec<_> =
            list.flows().iter().map(|flow| reached(&flow.route, node(1), is_down)).collect();
        shares_now(list.flows(), &reached).iter().map(|share| (share * 100.0).round() as u32).collect()
    }

    /// Aim: each rule of the module by an example.
    #[test]
    fn backups_take_the_shares_of_flows_that_failed() {
        let three = [("2>9d", 1.0), ("3>9d", 0.0), ("4>9d", 0.0)];
        assert_eq!(shares(&three, &[]), [100, 0, 0]);
        assert_eq!(shares(&three, &[(1, 2)]), [0, 100, 0], "the first backup");
        assert_eq!(shares(&three, &[(2, 9), (3, 9)]), [0, 0, 100], "the first that is up");
        assert_eq!(shares(&three, &[(9, 2)]), [100, 0, 0], "the other direction is another hop");
        assert_eq!(shares(&three, &[(1, 2), (1, 3), (4, 9)]), [100, 0, 0], "nothing is left");
        let split = [("2>9d", 0.7), ("3>9d", 0.3)];
        assert_eq!(shares(&split, &[(1, 2)]), [0, 30], "the rest has it all");
        let both = [("2>9d", 0.7), ("3>9d", 0.3), ("4>9d", 0.0)];
        assert_eq!(shares(&both, &[(1, 2), (1, 3)]), [0, 0, 100]);
        assert_eq!(shares(&both, &[(1, 2)]), [0, 30, 70]);
    }

    /// Aim: a backup that misses a destination is none.
    #[test]
    fn a_backup_leads_to_all_destinations_of_the_flow() {
        let trees = [("2>{8d,9d}", 1.0), ("3>9d", 0.0), ("3>{8d,9d}", 0.0)];
        assert_eq!(shares(&trees, &[(2, 8)]), [0, 0, 100]);
        assert_eq!(shares(&trees[..2], &[(2, 8)]), [100, 0]);
    }

    /// Aim: a dead destination makes no route bad, and a failure on the way to another one is seen all the same; where no
    /// flow reaches all, the one that reaches most has the share.
    #[test]
    fn a_dead_destination_is_not_the_routes_fault() {
        let trees = [("2>{8d,9d}", 1.0), ("3>{8d,9d}", 0.0)];
        assert_eq!(shares(&trees, &[(2, 8), (3, 8)]), [100, 0], "8 is dead");
        assert_eq!(shares(&trees, &[(2, 8), (3, 8), (1, 2)]), [0, 100], "9 is reached by the other");
        assert_eq!(shares(&trees, &[(2, 8), (3, 9)]), [100, 0], "one of two either way: nothing is won");
        let three = [("2>{7d,8d,9d}", 1.0), ("3>{7d,8d,9d}", 0.0)];
        assert_eq!(shares(&three, &[(2, 8), (2, 7), (3, 9)]), [0, 100], "two of three");
    }
}
