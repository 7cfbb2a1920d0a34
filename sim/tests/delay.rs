//! The delay of an unloaded path is the sum of its parts, to the nanosecond.

use crate::common::{bps, conference, flow, id, link, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, PATHLET, destination, nanos, run};
use bellini_core::content::spec::Content;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use bellini_scenarios::model::{Link, Node, Scenario, StaticFlow};

/// Payload of a symbol in the builder's sessions.
const PAYLOAD: u64 = 1_000;

/// One symbol each 20 ms, so that no packet ever waits for another.
fn unloaded(nodes: Vec<Node>, links: Vec<Link>, destinations: &[u32], flows: Vec<StaticFlow>) -> Scenario {
    let content = Content::Constant { rate: bps(400_000), phase: ms(1) };
    let session = session(1, 1, destinations, content, flows);
    scenario(Duration::from_secs(1), nodes, links, vec![conference(1, vec![session])])
}

/// Serialisation of a packet with `ahead` nodes still before it (the next one included), rounded up.
fn serialisation(bits_per_second: u64, ahead: u64) -> u64 {
    let bits = 8 * (LAST_HOP + PATHLET * (ahead - 1) + PAYLOAD);
    (bits * 1_000_000_000).div_ceil(bits_per_second)
}

/// A path of hops (rate, propagation in ns, processing in ns at the far end), and the delay that it must have.
fn chain(hops: &[(u64, u64, u64)]) -> (Scenario, u64) {
    let mut nodes = vec![node(1)];
    let (mut links, mut far_ends, mut delay) = (Vec::new(), Vec::new(), 0);
    for (i, &(rate, propagation, processing)) in hops.iter().enumerate() {
        let (from, to) = (i as u32 + 1, i as u32 + 2);
        let mut far_end = node(to);
        far_end.processing = Duration::from_nanos(processing);
        nodes.push(far_end);
        far_ends.push(to);
        links.push(link(from, to, Duration::from_nanos(propagation), Some(bps(rate))));
        links.push(link(to, from, ms(1), None));
        delay += serialisation(rate, (hops.len() - i) as u64) + propagation + processing;
    }
    let last = far_ends[far_ends.len() - 1];
    (unloaded(nodes, links, &[last], vec![flow(path(&far_ends), 1.0)]), delay)
}

/// Rates that leave remainders below a nanosecond (7 and 3 Mbit/s, one that is prime) and one that does not.
const HOPS: [(u64, u64, u64); 3] =
    [(7_000_000, 12_345_678, 1_733), (999_999_937, 1, 0), (3_000_000, 40_000_001, 50_000)];

#[test]
fn unloaded_paths_are_exact_to_the_nanosecond() {
    for hops in 1..=HOPS.len() {
        let (scenario, expected) = chain(&HOPS[..hops]);
        let summary = run(&scenario, 1);
        let last = destination(&summary, 0, hops as u32 + 1);
        let delay = last.delay_ms.expect("packets came");
        assert_eq!((last.sent_packets, last.delivered_packets), (50, 50));
        // Equal mean and maximum: every single packet took this long.
        assert_eq!((nanos(delay.mean), nanos(delay.max)), (expected, expected), "{hops} hops");
        assert_eq!(
            nanos(last.base_delay_ms.expect("static rates")),
            expected,
            "the base delay of {hops} hops"
        );
    }
}

#[test]
fn one_nanosecond_or_one_byte_more_is_seen() {
    // The negative control: the comparison above would notice the least error in any term.
    let measured =
        |scenario: &Scenario| nanos(destination(&run(scenario, 1), 0, 4).delay_ms.expect("packets came").max);
    let (mut scenario, expected) = chain(&HOPS);
    let of = |scenario: &Scenario, from, to| {
        scenario.links.iter().position(|link| (link.from, link.to) == (id(from), id(to))).expect("a link")
    };
    let second = of(&scenario, 2, 3);
    scenario.links[second].delay = Duration::from_nanos(2);
    assert_eq!(measured(&scenario), expected + 1);
    scenario.links[second].delay = Duration::from_nanos(1);
    scenario.conferences[0].sessions[0].symbol_bytes += 1;
    let byte: u64 = [(7_000_000, 3), (999_999_937, 2), (3_000_000, 1)]
        .map(|(rate, ahead)| {
            let bits = 8 * (LAST_HOP + PATHLET * (ahead - 1) + PAYLOAD + 1);
            (bits * 1_000_000_000_u64).div_ceil(rate) - serialisation(rate, ahead)
        })
        .iter()
        .sum();
    assert_eq!(measured(&scenario), expected + byte);
}

#[test]
fn each_branch_of_a_tree_carries_its_own_pathlet_only() {
    // 1 > 2d{3d,4>5d}: the copy to 2 carries four Pathlets, that to 3 one, that to 4 two, that to 5 one.
    let leaf = |n| Branch { node: id(n), deliver: true, next: Vec::new() };
    let four = Branch { node: id(4), deliver: false, next: vec![leaf(5)] };
    let two = Branch { node: id(2), deliver: true, next: vec![leaf(3), four] };
    let rate = 3_000_000;
    let edges = [(1, 2), (2, 3), (2, 4), (4, 5)];
    let mut links = Vec::new();
    for (from, to) in edges {
        links.push(link(from, to, ms(u64::from(to)), Some(bps(rate))));
        links.push(link(to, from, ms(1), None));
    }
    let nodes = (1..=5).map(node).collect();
    let summary = run(&unloaded(nodes, links, &[2, 3, 5], vec![flow(Route { branches: vec![two] }, 1.0)]), 1);
    let to_two = serialisation(rate, 4) + 2_000_000;
    let to_three = to_two + serialisation(rate, 1) + 3_000_000;
    let to_five = to_two + serialisation(rate, 2) + 4_000_000 + serialisation(rate, 1) + 5_000_000;
    for (node, expected) in [(2, to_two), (3, to_three), (5, to_five)] {
        let delay = destination(&summary, 0, node).delay_ms.expect("packets came");
        assert_eq!((nanos(delay.mean), nanos(delay.max)), (expected, expected), "to node {node}");
    }
}
