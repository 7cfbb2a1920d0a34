//! Whether what policies answer can be carried out. What cannot is refused as a whole, and said; the session keeps what
//! it has.

use crate::model::Scenario;
use crate::policy::{PolicyError, RouteChoice};
use bellini_core::config::Limits;
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use bellini_core::wire::routing::{RouteLimits, encode, validate};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The links that there are, whether up or not.
#[derive(Clone, Debug)]
pub(super) struct Ground(Arc<BTreeSet<(NodeId, NodeId)>>);

impl Ground {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self(Arc::new(scenario.links.iter().map(|link| (link.from, link.to)).collect()))
    }
}

/// Checks routes for a session from `source` to `destinations` (sorted): each keeps the rules of the routing header, goes
/// over links of `ground` where that is known, and brings its packets to every destination, since a packet takes one
/// route.
pub(super) fn check_routes(
    source: NodeId,
    destinations: &[NodeId],
    routes: &[RouteChoice],
    ground: Option<&Ground>,
) -> Result<(), PolicyError> {
    let refused = |route: &Route, why: String| Err(PolicyError::Other(format!("route {route}: {why}")));
    if routes.is_empty() {
        return Err(PolicyError::Other("no route is given".to_owned()));
    }
    let most = Limits::default();
    let limits = RouteLimits { copies_max: most.copies_max, bytes_max: most.routing_bytes_max };
    for RouteChoice { route, .. } in routes {
        if let Err(fault) = encode(route).and_then(|bytes| validate(&bytes, source, limits)) {
            return refused(route, format!("{fault} (routes name the nodes behind the source, {source})"));
        }
        let mut missing = None;
        route.for_each_edge(source, &mut |from, to| {
            if missing.is_none() && ground.is_some_and(|ground| !ground.0.contains(&(from, to))) {
                missing = Some((from, to));
            }
        });
        if let Some((from, to)) = missing {
            return refused(route, format!("there is no link from node {from} to node {to}"));
        }
        let reached = route.destinations();
        if let Some(missed) = destinations.iter().find(|node| reached.binary_search(node).is_err()) {
            return refused(route, format!("it does not deliver at node {missed}, as every route has to"));
        }
    }
    Ok(())
}

/// Checks that there is a share for each of `routes` routes, and that they can be drawn from.
pub(super) fn check_shares(shares: &[f64], routes: usize) -> Result<(), PolicyError> {
    if shares.len() != routes {
        let given = shares.len();
        return Err(PolicyError::Other(format!("{given} shares for {routes} routes: one share a route")));
    }
    let sum: f64 = shares.iter().sum();
    if !shares.iter().all(|share| share.is_finite() && *share >= 0.0) || !sum.is_finite() || sum <= 0.0 {
        return Err(PolicyError::Other(format!(
            "shares {shares:?}: none may be negative, and one has to be positive"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u32) -> NodeId {
        NodeId::new(n).expect("small numbers are node ids")
    }

    fn judge(text: &str) -> Result<(), String> {
        let route = Route::parse(text).expect("it is a route");
        let links = [(5, 1), (5, 2), (1, 2), (2, 1), (1, 5)].map(|(from, to)| (node(from), node(to)));
        let ground = Ground(Arc::new(links.into_iter().collect()));
        let choices = [RouteChoice::from(route)];
        check_routes(node(5), &[node(1), node(2)], &choices, Some(&ground)).map_err(|error| error.to_string())
    }

    /// Aim: an answer that would lose packets, or that no node would take, is refused with what is wrong.
    #[test]
    fn routes_that_cannot_be_carried_out_are_refused() {
        assert_eq!(judge("{1d,2d}"), Ok(()));
        assert_eq!(judge("1d>2d"), Ok(()));
        for (route, why) in [
            ("1d", "route 1d: it does not deliver at node 2, as every route has to"),
            ("1d>77>2d", "route 1d>77>2d: there is no link from node 1 to node 77"),
            ("1d>5>2d", "route 1d>5>2d: the source stands in the route"),
            ("1d>2d>1d", "route 1d>2d>1d: a node stands twice on one branch"),
            ("{1d>2d,2}", "route {1d>2d,2}: a branch ends without a destination"),
        ] {
            let said = judge(route).expect_err(route);
            assert!(said.starts_with(why), "{said}");
        }
    }

    /// Aim: shares that cannot be drawn from are refused.
    #[test]
    fn shares_that_cannot_be_drawn_from_are_refused() {
        assert!(check_shares(&[0.0, 2.0], 2).is_ok());
        for (shares, routes) in
            [(vec![1.0], 2), (vec![], 0), (vec![-1.0, 2.0], 2), (vec![0.0], 1), (vec![f64::NAN], 1)]
        {
            assert!(check_shares(&shares, routes).is_err(), "{shares:?}");
        }
    }
}
