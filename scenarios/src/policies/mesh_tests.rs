//! `p2p-mesh` on small networks with answers worked out by hand.

use super::P2pMesh;
use super::baseline_tests::{ask, duplex};
use crate::graph::tests::{node, view};
use crate::policy::{NetworkView, Reason, Request, Routing, ViewSession};
use bellini_core::ids::SessionKey;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde_json::json;
use std::collections::BTreeMap;

/// A mesh of members whose links have no limit; what each sends is limited, in Mbit/s.
fn uplinks(mbps: &[(u32, u64)]) -> NetworkView {
    let ids: Vec<u32> = mbps.iter().map(|(id, _)| *id).collect();
    let pairs = ids.iter().flat_map(|a| ids.iter().filter(move |b| *b != a).map(move |b| (*a, *b, 10)));
    let mut view = view(&pairs.collect::<Vec<_>>());
    for (node, (_, mbps)) in view.nodes.iter_mut().zip(mbps) {
        node.egress = BitRate::from_bps(mbps * 1_000_000);
    }
    view
}

/// A session with payloads so large that headers do not count.
fn session(number: u32, source: u32, destinations: &[u32], bps: Option<u64>) -> ViewSession {
    ViewSession {
        key: SessionKey::new(1, number),
        source: node(source),
        destinations: destinations.iter().map(|&id| node(id)).collect(),
        rate: bps.and_then(BitRate::from_bps),
        start: Duration::ZERO,
        stop: Duration::from_secs(1),
        delay_bound: None,
        coding: None,
        symbol_bytes: 1_000_000_000,
        header_bytes: 0,
        policy: "p2p-mesh".to_owned(),
        parameters: BTreeMap::new(),
    }
}

/// Routes with their rates in kbit/s.
fn meshed(view: &NetworkView, number: u32) -> Vec<String> {
    let session = view.sessions.iter().find(|session| session.key.session.0 == number).expect("a session");
    let routes = P2pMesh::default().routes(&Request {
        session: session.key,
        source: session.source,
        destinations: &session.destinations,
        rate: session.rate,
        reason: Reason::Periodic,
        view,
        parameters: &BTreeMap::new(),
    });
    let text = |choice: &crate::policy::RouteChoice| {
        format!("{} {:.0}", choice.route, choice.rate.expect("planned").as_bps() as f64 * 1e-3)
    };
    routes.expect("a plan").iter().map(text).collect()
}

/// Aim: Mutualcast by hand. Node 1 sends 3 Mbit/s in all, and 2 and 3 send 1 each: the rate to both is min(3, (3 + 1 + 1) / 2)
/// = 2.5 Mbit/s: 1 by way of 2, 1 by way of 3, and 0.5 directly, which takes 1 + 1 + 2 * 0.5 of node 1. Wanted are 0.9: then
/// all goes directly, which is faster.
#[test]
fn p2p_mesh_packs_the_trees_of_mutualcast() {
    let mut view = uplinks(&[(1, 3), (2, 1), (3, 1)]);
    view.sessions = vec![session(1, 1, &[2, 3], None)];
    let mut found = meshed(&view, 1);
    found[..2].sort();
    assert_eq!(found, ["2d>3d 1000", "3d>2d 1000", "{2d,3d} 500"]);
    view.sessions = vec![session(1, 1, &[2, 3], Some(900_000))];
    assert_eq!(meshed(&view, 1), ["{2d,3d} 900"]);
}

/// Aim: sessions are planned together: 2 and 3 send to both others, too. All three send 6 Mbit/s together, every rate costs
/// two, so that each gets 1 Mbit/s, of which 2 and 3 can send but 0.75 twice: member 1 helps. A fourth member who is no
/// destination of a session may help with it; a datacenter may not.
#[test]
fn p2p_mesh_plans_all_sessions_at_once() {
    let mut view = uplinks(&[(1, 3), (2, 1), (3, 2)]);
    let wanted = Some(1_000_000);
    view.sessions =
        vec![session(1, 1, &[2, 3], wanted), session(2, 2, &[1, 3], wanted), session(3, 3, &[1, 2], wanted)];
    for number in 1..=3 {
        let sum: f64 = meshed(&view, number)
            .iter()
            .map(|text| text.split(' ').nth(1).unwrap().parse::<f64>().unwrap())
            .sum();
        assert!((sum - 1_000.0).abs() <= 1.0, "session {number}: {:?}", meshed(&view, number));
    }
    // Node 2 can send each packet once, and 1 sends what it has left.
    assert_eq!(meshed(&view, 2), ["1d>3d 1000"]);
    let mut far = duplex(&[(1, 2, 10), (2, 9, 10), (1, 7, 1), (7, 9, 1)]);
    far.sessions = vec![session(1, 1, &[9], wanted)];
    let request = |view: &NetworkView| ask(&mut P2pMesh::default(), view, (1, &[9]), json!({}));
    let error = request(&far).unwrap_err().to_string();
    assert!(error.starts_with("members cannot reach each other"), "{error}");
    far.sessions.push(session(2, 2, &[1], wanted));
    assert_eq!(request(&far).unwrap(), "2>9d");
}

/// Aim: a helper that is no receiver is there once. 1 and 2 send 12 Mbit/s at most, and want 10 to each of 4, 5, 6, who
/// cannot pass anything on; 3 receives nothing and sends 30. What goes by way of 3 costs it three times: 5 Mbit/s for each,
/// which leaves 7 Mbit/s of 1 and 2, a third of which goes directly to all. Both sessions say the same, and 3 is not
/// overbooked. To a session of another conference 3 is no member: it gets a third of 12, the first one then all that it wants.
#[test]
fn p2p_mesh_shares_a_helper_that_receives_nothing() {
    let ends = |from: u32| [4, 5, 6].map(|to| (from, to, 10));
    let mut network = view(&[&[(1, 3, 10), (2, 3, 10)], &ends(1)[..], &ends(2), &ends(3)].concat());
    for (node, mbps) in network.nodes.iter_mut().zip([12, 12, 30]) {
        node.egress = BitRate::from_bps(mbps * 1_000_000);
    }
    let (wanted, to) = (Some(10_000_000), [4, 5, 6]);
    let idle = session(3, 3, &[], None);
    network.sessions = vec![session(1, 1, &to, wanted), session(2, 2, &to, wanted), idle];
    for number in [1, 2] {
        assert_eq!(meshed(&network, number), ["3>{4d,5d,6d} 5000", "{4d,5d,6d} 2333"], "session {number}");
    }
    network.sessions[1].key = SessionKey::new(2, 2);
    network.sessions.sort_by_key(|session| session.key);
    assert_eq!(meshed(&network, 2), ["{4d,5d,6d} 4000"]);
    assert_eq!(meshed(&network, 1), ["3>{4d,5d,6d} 9000", "{4d,5d,6d} 1000"]);
}

/// Aim: sessions ask anew when others come and go, and objects of a registry share a plan only as long as the view is the
/// same.
#[test]
fn p2p_mesh_minds_others() {
    let mut network = uplinks(&[(1, 4), (2, 4), (3, 4)]);
    network.sessions = vec![session(1, 1, &[2, 3], Some(1_000_000))];
    let mut first = P2pMesh::default();
    let mut second = first.clone();
    assert!(first.minds_others());
    assert_eq!(ask(&mut first, &network, (1, &[2, 3]), json!({})).unwrap(), "{2d,3d}");
    network.links.retain(|link| (link.from, link.to) != (node(1), node(3)));
    assert_eq!(ask(&mut second, &network, (1, &[2, 3]), json!({})).unwrap(), "2d>3d");
    assert_eq!(ask(&mut first, &network, (1, &[2]), json!({})).unwrap(), "2d", "by what the source knows");
}
