//! Policies on small networks with answers worked out by hand.

use super::*;
use crate::graph::tests::{node, view};
use crate::model::StaticFlow;
use crate::policy::{FlowAssignment, NetworkView, PolicyError, Reason, Request, RouteChoice, Routing};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::route::{Branch, Route};
use bellini_core::units::BitRate;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Asks on behalf of a session from node 1.
fn ask<T>(
    view: &NetworkView,
    destinations: &[u32],
    parameters: Value,
    answer: impl FnOnce(&Request<'_>) -> T,
) -> T {
    let destinations: Vec<NodeId> = destinations.iter().map(|&id| node(id)).collect();
    let parameters: BTreeMap<String, Value> = serde_json::from_value(parameters).expect("an object");
    answer(&Request {
        session: SessionKey::new(1, 1),
        source: node(1),
        destinations: &destinations,
        rate: BitRate::from_bps(2_000_000),
        reason: Reason::Start,
        view,
        parameters: &parameters,
    })
}

/// Returns the routes as text, with the session's source before them.
fn routes(
    policy: &mut dyn Routing,
    view: &NetworkView,
    to: &[u32],
    parameters: Value,
) -> Result<Vec<String>, PolicyError> {
    let choices = ask(view, to, parameters, |request| policy.routes(request))?;
    Ok(choices.iter().map(|choice| choice.route.to_string()).collect())
}

fn shares(
    policy: &mut dyn FlowAssignment,
    view: &NetworkView,
    choices: &[RouteChoice],
) -> Result<Vec<f64>, PolicyError> {
    ask(view, &[9], json!({}), |request| policy.shares(request, choices))
}

fn path(ids: &[u32]) -> Route {
    Route::path(&ids.iter().map(|&id| node(id)).collect::<Vec<_>>())
}

fn rated(mut view: NetworkView, rates: &[(u32, u32, u64)]) -> NetworkView {
    for &(from, to, mbps) in rates {
        let link = view.links.iter_mut().find(|link| (link.from, link.to) == (node(from), node(to)));
        link.expect("the link exists").rate = BitRate::from_bps(mbps * 1_000_000);
    }
    view
}

/// 1 reaches 2 directly in 100 ms, over 3 in 70, over 4 in 80; and 5 only behind 2, in 10 more.
fn detours() -> NetworkView {
    view(&[(1, 2, 100), (1, 3, 30), (3, 2, 40), (1, 4, 50), (4, 2, 30), (2, 5, 10)])
}

#[test]
fn direct_takes_own_links_only() {
    let view = detours();
    assert_eq!(routes(&mut Direct, &view, &[2, 3], json!({})).unwrap(), ["{2d,3d}"]);
    let missing = routes(&mut Direct, &view, &[2, 5], json!({})).unwrap_err();
    assert_eq!(missing, PolicyError::Unreachable { from: node(1), to: node(5) });
}

#[test]
fn shortest_delay_merges_the_best_paths() {
    let view = detours();
    assert_eq!(routes(&mut ShortestDelay, &view, &[2, 5], json!({})).unwrap(), ["3>2d>5d"]);
    let limited = routes(&mut ShortestDelay, &view, &[2, 5], json!({"max_relays": 1})).unwrap();
    assert_eq!(limited, ["{2>5d,3>2d}"]);
    let none = routes(&mut ShortestDelay, &view, &[5], json!({"max_relays": 0})).unwrap_err();
    assert_eq!(none, PolicyError::Unreachable { from: node(1), to: node(5) });
}

#[test]
fn k_shortest_makes_a_flow_of_each_rank() {
    let view = detours();
    assert_eq!(routes(&mut KShortest, &view, &[2], json!({})).unwrap(), ["3>2d", "4>2d"]);
    let three = routes(&mut KShortest, &view, &[2, 3], json!({"k": 5})).unwrap();
    // Node 3 has a single path, which serves every flow.
    assert_eq!(three, ["3d>2d", "{3d,4>2d}", "{2d,3d}"]);
    let one = routes(&mut KShortest, &view, &[2], json!({"k": 9, "max_relays": 0})).unwrap();
    assert_eq!(one, ["2d"]);
}

#[test]
fn multicast_tree_shares_links() {
    // Each of 3, 4, 5 has its own 10 ms link; behind relay 2 they cost 4 ms each after the first 7.
    let links = [(1, 3, 10), (1, 4, 10), (1, 5, 10), (1, 2, 7), (2, 3, 2), (2, 4, 4), (2, 5, 4)];
    let view = view(&links);
    // 3 is nearest: 9 ms over 2; 4 and 5 are then 4 ms from 2.
    let tree = routes(&mut MulticastTree, &view, &[3, 4, 5], json!({})).unwrap();
    assert_eq!(tree, ["2>{3d,4d,5d}"]);
    let flat = routes(&mut MulticastTree, &view, &[3, 4, 5], json!({"max_relays": 0})).unwrap();
    assert_eq!(flat, ["{3d,4d,5d}"]);
}

#[test]
fn parameters_are_strict() {
    let view = detours();
    for bad in [json!({"k": 0}), json!({"k": 65}), json!({"k": 1.5}), json!({"k": "2"}), json!({"K": 2})] {
        let error = routes(&mut KShortest, &view, &[2], bad.clone()).unwrap_err();
        assert!(matches!(error, PolicyError::Parameter { .. }), "{bad}: {error}");
    }
    assert!(routes(&mut KShortest, &view, &[2], json!({"k": 64, "max_relays": 15})).is_ok());
    assert!(routes(&mut Direct, &view, &[2], json!({"k": 1})).is_err());
    assert!(routes(&mut ShortestDelay, &view, &[2], json!({"max_relays": 16})).is_err());
}

#[test]
fn static_follows_membership() {
    let branch = |id, next| Branch { node: node(id), deliver: false, next };
    let tree = Route { branches: vec![branch(3, vec![branch(2, vec![]), branch(4, vec![])])] };
    let flow = |route, bps| StaticFlow { route, share: None, rate: BitRate::from_bps(bps) };
    let mut policy = Static::new(vec![flow(tree, 800), flow(path(&[2]), 400)]);
    let view = NetworkView::default();
    assert_eq!(routes(&mut policy, &view, &[2, 4], json!({})).unwrap(), ["3>{2d,4d}", "2d"]);
    // 2 leaves: its branch and the flow that served only it go. 3 joins: it is on the way already.
    assert_eq!(routes(&mut policy, &view, &[3, 4], json!({})).unwrap(), ["3d>4d"]);
    let unknown = routes(&mut policy, &view, &[2, 7], json!({})).unwrap_err();
    assert_eq!(unknown, PolicyError::Unreachable { from: node(1), to: node(7) });
}

#[test]
fn static_shares_come_with_the_routes() {
    let view = NetworkView::default();
    let choice = |share, bps| RouteChoice { route: path(&[2]), share, rate: BitRate::from_bps(bps) };
    let given = shares(&mut StaticShares, &view, &[choice(Some(0.75), 0), choice(Some(0.25), 0)]);
    assert_eq!(given.unwrap(), [0.75, 0.25]);
    let rates = shares(&mut StaticShares, &view, &[choice(None, 800), choice(None, 400)]);
    assert_eq!(rates.unwrap(), [800.0, 400.0]);
    assert!(shares(&mut StaticShares, &view, &[choice(None, 800), choice(None, 0)]).is_err());
    assert_eq!(shares(&mut Equal, &view, &[choice(None, 0), choice(None, 0)]).unwrap(), [1.0, 1.0]);
}

#[test]
fn rate_proportional_looks_at_the_narrowest_link() {
    let links = [(1, 2, 1), (2, 9, 1), (1, 3, 1), (3, 9, 1), (1, 9, 1)];
    let view = rated(view(&links), &[(1, 2, 40), (2, 9, 10), (1, 3, 20)]);
    let flow = |ids: &[u32]| RouteChoice::from(path(ids));
    let mut policy = RateProportional;
    let limited = shares(&mut policy, &view, &[flow(&[2, 9]), flow(&[3, 9])]).unwrap();
    assert_eq!(limited, [10e6, 20e6]);
    // Without any limit: as the best limited route, or the content's 2 Mbit/s when there is none.
    let unlimited = shares(&mut policy, &view, &[flow(&[2, 9]), flow(&[9])]).unwrap();
    assert_eq!(unlimited, [10e6, 10e6]);
    assert_eq!(shares(&mut policy, &view, &[flow(&[9])]).unwrap(), [2e6]);
    // A rate given with the route counts; a link that is gone carries nothing.
    let given = RouteChoice { rate: BitRate::from_bps(5), ..flow(&[2, 9]) };
    assert_eq!(shares(&mut policy, &view, &[given, flow(&[4, 9]), flow(&[2, 9])]).unwrap(), [5.0, 0.0, 10e6]);
    assert!(shares(&mut policy, &view, &[flow(&[4, 9])]).is_err());
    // Two redundant copies over the same links halve both: 10 Mbit/s become 5.
    let copy = |next| Branch { node: node(2), deliver: false, next };
    let end = Branch { node: node(9), deliver: true, next: Vec::new() };
    let twice = Route { branches: vec![copy(vec![end.clone()]), copy(vec![end])] };
    assert_eq!(shares(&mut policy, &view, &[twice.into()]).unwrap(), [5e6]);
}

#[test]
fn answers_do_not_depend_on_earlier_ones() {
    // Aim: same view, same answer, whether the policy object is fresh or was asked before.
    let view = detours();
    let policies: [&mut dyn Routing; 3] = [&mut ShortestDelay, &mut KShortest, &mut MulticastTree];
    for policy in policies {
        let first = routes(policy, &view, &[2, 3, 5], json!({})).unwrap();
        let _ = routes(policy, &view, &[4], json!({})).unwrap();
        assert_eq!(routes(policy, &view, &[2, 3, 5], json!({})).unwrap(), first);
    }
}

/// Asks `adaptive` and normalises.
fn adapted(
    policy: &mut Adaptive,
    view: &NetworkView,
    choices: &[RouteChoice],
    parameters: Value,
) -> Vec<f64> {
    let shares = ask(view, &[9], parameters, |request| policy.shares(request, choices)).unwrap();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

fn near(found: &[f64], wanted: &[f64]) {
    let same = found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-6);
    assert!(same && found.len() == wanted.len(), "{found:?} instead of {wanted:?}");
}

/// Aim: shares go by the narrowest measured link less its loss, and move by `gain` of what changed.
#[test]
fn adaptive_follows_measured_rates_with_its_gain() {
    let links = [(1, 2, 1), (2, 9, 1), (1, 3, 1), (3, 9, 1)];
    let flow = |ids: &[u32]| RouteChoice::from(path(ids));
    let routes = [flow(&[2, 9]), flow(&[3, 9])];
    let mut first = rated(view(&links), &[(1, 2, 20), (2, 9, 40), (1, 3, 10), (3, 9, 90)]);
    first.links.iter_mut().find(|link| link.to == node(3)).unwrap().loss = 0.5;
    let mut policy = Adaptive::default();
    let ask = |policy: &mut Adaptive, view: &NetworkView| {
        adapted(policy, view, &routes, json!({"gain": 0.5, "period": "2 s"}))
    };
    near(&ask(&mut policy, &first), &[0.8, 0.2]);
    near(&ask(&mut policy, &first), &[0.8, 0.2]);
    // The second route grows from 5 to 45 Mbit/s: the estimate goes to 25, then 35.
    let second = rated(view(&links), &[(1, 2, 20), (2, 9, 40), (1, 3, 45), (3, 9, 90)]);
    near(&ask(&mut policy, &second), &[20.0 / 45.0, 25.0 / 45.0]);
    near(&ask(&mut policy, &second), &[20.0 / 55.0, 35.0 / 55.0]);
}

/// Aim: a route that carries next to nothing keeps the floor; one over a missing link gets nothing, and comes back at
/// its measured rate; a route without any measurement counts as the best.
#[test]
fn adaptive_keeps_probing_what_is_there() {
    let links = [(1, 2, 1), (2, 9, 1), (1, 3, 1), (3, 9, 1), (1, 9, 1)];
    let flow = |ids: &[u32]| RouteChoice::from(path(ids));
    let routes = [flow(&[2, 9]), flow(&[3, 9])];
    let mut whole = rated(view(&links), &[(1, 2, 100), (1, 3, 100)]);
    let mut policy = Adaptive::default();
    near(&adapted(&mut policy, &whole, &routes, json!({})), &[0.5, 0.5]);
    whole.links.iter_mut().find(|link| link.to == node(3)).unwrap().rate = BitRate::from_bps(1);
    let mut share = 0.5;
    for _ in 0..60 {
        share = adapted(&mut policy, &whole, &routes, json!({"floor": 0.1}))[1];
    }
    near(&[share], &[0.1 / 1.1]);
    let gone = view(&links[..2]);
    near(&adapted(&mut policy, &rated(gone, &[(1, 2, 100)]), &routes, json!({})), &[1.0, 0.0]);
    let back = rated(view(&links), &[(1, 2, 100), (1, 3, 50)]);
    near(&adapted(&mut policy, &back, &routes, json!({})), &[2.0 / 3.0, 1.0 / 3.0]);
    let unknown = [flow(&[2, 9]), flow(&[9])];
    near(&adapted(&mut policy, &back, &unknown, json!({})), &[0.5, 0.5]);
    near(&adapted(&mut Adaptive::default(), &view(&links), &unknown, json!({})), &[0.5, 0.5]);
    let none = ask(&view(&links[..1]), &[9], json!({}), |request| policy.shares(request, &routes));
    assert!(none.is_err(), "{none:?}");
}

#[test]
fn adaptive_has_strict_parameters_and_a_period() {
    let view = rated(view(&[(1, 9, 1)]), &[(1, 9, 1)]);
    for bad in [
        json!({"floor": 0.6}),
        json!({"gain": 0}),
        json!({"period": "0 s"}),
        json!({"period": 1}),
        json!({"x": 1}),
    ] {
        let routes = [RouteChoice::from(path(&[9]))];
        let error = ask(&view, &[9], bad.clone(), |request| Adaptive::default().shares(request, &routes));
        assert!(matches!(error, Err(PolicyError::Parameter { .. })), "{bad}: {error:?}");
    }
    let period = |parameters: Value| {
        let parameters: BTreeMap<String, Value> = serde_json::from_value(parameters).unwrap();
        Adaptive::default().period(&parameters).map(|period| period.as_secs_f64())
    };
    assert_eq!((period(json!({})), period(json!({"period": "250 ms"}))), (Some(1.0), Some(0.25)));
    assert_eq!(Equal.period(&BTreeMap::new()), None);
}
