//! Which flows carry packets while hops are down.
//!
//! A flow that was installed with a share of 0 is a *backup*: no packet draws it, but its hops are open. While a flow's
//! route has a hop that is down, the first backup that has none, and leads to all of the flow's destinations, has its
//! share; where there is no such backup, the flows that are left share its packets. When nothing is left, everything
//! stays as it was decided: there is no better answer.

use super::list::Flow;
use crate::ids::NodeId;
use crate::route::Route;

/// Returns the shares of `flows` now; `is_up`: for each, whether all its hops are up. Not normalised.
#[must_use]
pub fn shares_now(flows: &[Flow], is_up: &[bool]) -> Vec<f64> {
    let decided = || flows.iter().map(|flow| flow.decided).collect::<Vec<f64>>();
    let mut shares: Vec<f64> =
        flows.iter().zip(is_up).map(|(flow, up)| if *up { flow.decided } else { 0.0 }).collect();
    for (failed, _) in flows.iter().zip(is_up).filter(|(flow, up)| !**up && flow.decided > 0.0) {
        let wanted = failed.route.destinations();
        let backup = flows.iter().zip(is_up).position(|(flow, up)| {
            let reached = flow.route.destinations();
            *up && flow.decided == 0.0 && wanted.iter().all(|node| reached.binary_search(node).is_ok())
        });
        if let Some(place) = backup {
            shares[place] += failed.decided;
        }
    }
    if shares.iter().any(|share| *share > 0.0) { shares } else { decided() }
}

/// Whether no hop of `route` from `source` on is down.
pub fn is_up(route: &Route, source: NodeId, is_down: impl Fn(NodeId, NodeId) -> bool) -> bool {
    let mut up = true;
    route.for_each_edge(source, &mut |from, to| up &= !is_down(from, to));
    up
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
        let up: Vec<bool> = list.flows().iter().map(|flow| is_up(&flow.route, node(1), is_down)).collect();
        shares_now(list.flows(), &up).iter().map(|share| (share * 100.0).round() as u32).collect()
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
}
