//! Flows: shares as configured, one copy a tree edge, redundant copies delivered once.

use crate::common::{bps, conference, duplex, flow, id, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, PATHLET, destination, link_of, run};
use bellini_core::content::spec::Content;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{FlowDraw, Link, Measure, Scenario, StaticFlow};
use bellini_scenarios::record::Summary;

/// Links in both directions between every pair of nodes 1 to `n`, without a rate.
fn mesh(n: u32) -> Vec<Link> {
    (1..=n).flat_map(|a| (a + 1..=n).flat_map(move |b| duplex(a, b, ms(10), None))).collect()
}

/// `packets` symbols of 1,000 B, one a millisecond, over `flows` from node 1; hops are open before the first, and the
/// measuring window holds nothing but them.
fn offering(packets: u64, nodes: u32, destinations: &[u32], flows: Vec<StaticFlow>) -> Scenario {
    let rate: BitRate = bps(8_000_000);
    let content = Content::Constant { rate, phase: Duration::from_micros(500) };
    let mut session = session(1, 1, destinations, content, flows);
    let start = Duration::from_secs(3);
    session.start = start;
    session.stop = start + ms(packets);
    let duration = session.stop + Duration::from_secs(1);
    let nodes = (1..=nodes).map(node).collect::<Vec<_>>();
    let links = mesh(nodes.len() as u32);
    let mut scenario = scenario(duration, nodes, links, vec![conference(1, vec![session])]);
    scenario.measure = Measure { from: start, to: duration };
    scenario.sample_interval = duration;
    scenario
}

/// Flow `i` goes to `to` over a relay of its own, the first one without any.
fn parallel(shares: &[f64], to: u32) -> Vec<StaticFlow> {
    let over = |i: u32| if i == 0 { path(&[to]) } else { path(&[i + 1, to]) };
    shares.iter().zip(0..).map(|(share, i)| flow(over(i), *share)).collect()
}

fn packets(summary: &Summary) -> Vec<u64> {
    summary.sessions[0].flows.iter().map(|flow| flow.packets).collect()
}

/// Chi-square of packets per flow against the shares.
fn follow(counts: &[u64], shares: &[f64]) -> Result<(), String> {
    let n: u64 = counts.iter().sum();
    let sum: f64 = shares.iter().sum();
    let squares = counts.iter().zip(shares).map(|(count, share)| {
        let expected = n as f64 * share / sum;
        libm::pow(*count as f64 - expected, 2.0) / expected
    });
    let square: f64 = squares.sum();
    let degrees = shares.len() as f64 - 1.0;
    // Mean and variance of chi-square are d and 2 d; its right tail is heavier than a normal one, hence the rest.
    let limit = degrees + 4.5 * (2.0 * degrees).sqrt() + 4.5 * 4.5;
    println!("{counts:?}: chi-square {square:.2}, limit {limit:.1}");
    if square < limit { Ok(()) } else { Err(format!("chi-square {square} of {counts:?}, limit {limit}")) }
}

#[test]
fn random_draws_follow_the_shares() {
    let n = 1_000_000;
    for shares in [&[0.7, 0.3][..], &[0.4, 0.25, 0.2, 0.1, 0.05]] {
        let to = shares.len() as u32 + 1;
        let summary = run(&offering(n, to, &[to], parallel(shares, to)), 1);
        let counts = packets(&summary);
        assert_eq!(counts.iter().sum::<u64>(), n);
        assert_eq!(destination(&summary, 0, to).delivered_packets, n);
        // The flow's packets are those of the first link of its route.
        for (i, count) in (0..).zip(&counts) {
            let next: u32 = if i == 0 { to } else { i + 1 };
            assert_eq!(link_of(&summary, 1, next).sent_packets, *count);
        }
        follow(&counts, shares).unwrap();
        // Negative control: half a point more for the first flow would be seen.
        let mut wrong = shares.to_vec();
        wrong[0] += 0.005;
        wrong[1] -= 0.005;
        follow(&counts, &wrong).unwrap_err();
    }
}

#[test]
fn strides_keep_within_one_packet_of_the_shares() {
    let shares = [0.4, 0.25, 0.2, 0.1, 0.05];
    let within_one = |counts: &[u64], n: u64| {
        counts.iter().zip(shares).all(|(count, share)| (*count as f64 - share * n as f64).abs() <= 1.0 + 1e-6)
    };
    let drawn = |n, draw| {
        let mut scenario = offering(n, 6, &[6], parallel(&shares, 6));
        scenario.conferences[0].sessions[0].draw = draw;
        packets(&run(&scenario, 1))
    };
    for n in [1, 2, 7, 19, 20, 333, 10_007] {
        assert!(within_one(&drawn(n, FlowDraw::Stride), n), "{n} packets");
    }
    // Negative control: random draws wander off.
    assert!(!within_one(&drawn(10_007, FlowDraw::Random), 10_007));
}

fn leaf(n: u32) -> Branch {
    Branch { node: id(n), deliver: true, next: Vec::new() }
}

fn relay(n: u32, next: Vec<Branch>) -> Branch {
    Branch { node: id(n), deliver: false, next }
}

#[test]
fn multicast_sends_one_copy_a_tree_edge() {
    // 1 > 2{3d,4>5d}, 6d
    let n = 10_000;
    let tree = Route { branches: vec![relay(2, vec![leaf(3), relay(4, vec![leaf(5)])]), leaf(6)] };
    let summary = run(&offering(n, 6, &[3, 5, 6], vec![flow(tree.clone(), 1.0)]), 1);
    // Edges, and how many Pathlets the copy on each carries.
    let edges = [((1, 2), 4), ((2, 3), 1), ((2, 4), 2), ((4, 5), 1), ((1, 6), 1)];
    for link in &summary.links {
        let edge = edges.iter().find(|((from, to), _)| (*from, *to) == (link.from, link.to));
        let expected =
            edge.map_or((0, 0), |(_, pathlets)| (n, n * (LAST_HOP + PATHLET * (pathlets - 1) + 1_000)));
        assert_eq!((link.sent_packets, link.sent_bytes), expected, "{}", link.id());
    }
    let mut visited = Vec::new();
    tree.for_each_edge(id(1), &mut |from, to| visited.push((from.get(), to.get())));
    assert_eq!(visited.len(), edges.len(), "the list above is the whole tree");
    for node in [3, 5, 6] {
        let found = destination(&summary, 0, node);
        assert_eq!((found.sent_packets, found.delivered_packets, found.duplicate_packets), (n, n, 0));
    }
    // Negative control: a copy for each destination would send two over the first edge.
    let unicast = vec![relay(2, vec![leaf(3)]), relay(2, vec![relay(4, vec![leaf(5)])]), leaf(6)];
    let summary = run(&offering(n, 6, &[3, 5, 6], vec![flow(Route { branches: unicast }, 1.0)]), 1);
    assert_eq!(link_of(&summary, 1, 2).sent_packets, 2 * n);
}

#[test]
fn redundant_copies_are_delivered_once() {
    let n = 10_000;
    let twice = Route { branches: vec![relay(2, vec![leaf(4)]), relay(3, vec![leaf(4)])] };
    let mut scenario = offering(n, 4, &[4], vec![flow(twice, 1.0)]);
    let found = destination(&run(&scenario, 1), 0, 4).clone();
    assert_eq!((found.sent_packets, found.delivered_packets, found.duplicate_packets), (n, n, n));
    assert_eq!(found.lost_packets, 0);
    // What they are for: with one of the two ways dead, every symbol still comes, now once.
    let dead = scenario.links.iter().position(|link| (link.from, link.to) == (id(2), id(4))).expect("a link");
    scenario.links[dead].loss = bellini_scenarios::model::Loss::Bernoulli(1.0);
    let found = destination(&run(&scenario, 1), 0, 4).clone();
    assert_eq!((found.sent_packets, found.delivered_packets, found.duplicate_packets), (n, n, 0));
}
