//! Overflow of a relay's feeder: who hears of it, and how often.

use crate::common::{bps, conference, duplex, flow, id, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, Watch, destination, run_watched};
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Summary, kind};
use std::collections::BTreeSet;

const SECONDS: u64 = 10;

/// 1 > 2 > 3 > 4 > 5d: relay 3 may send a quarter of what comes; node 6 looks on. A second session of the conference
/// goes 1 > 6 and loses nothing.
fn congested(limit: Option<u64>) -> Scenario {
    let content = |rate| Content::Constant { rate: bps(rate), phase: Duration::ZERO };
    let sessions = vec![
        session(1, 1, &[5], content(32_000_000), vec![flow(path(&[2, 3, 4, 5]), 1.0)]),
        session(2, 1, &[6], content(1_000_000), vec![flow(path(&[6]), 1.0)]),
    ];
    let mut nodes: Vec<_> = (1..=6).map(node).collect();
    nodes[2].hop_rates = limit.map(|rate| (id(4), bps(rate))).into_iter().collect();
    let edges = [(1, 2), (2, 3), (3, 4), (4, 5), (1, 6)];
    let links = edges.iter().flat_map(|(a, b)| duplex(*a, *b, ms(10), None)).collect();
    let mut scenario = scenario(Duration::from_secs(SECONDS), nodes, links, vec![conference(1, sessions)]);
    scenario.planner.period = Duration::from_secs(1_000);
    // Node counters are those of the measuring window; without a drain that is all there is.
    scenario.drain = Duration::ZERO;
    scenario
}

/// Per node: notices heard, and the packets that they tell of.
fn heard(watch: &Watch, node: u32) -> (u64, u64) {
    let notices = watch.of_kind(kind::OVERFLOW).filter(|event| event.node == Some(node));
    notices.fold((0, 0), |(count, packets), event| {
        assert_eq!((event.conference, event.session), (Some(1), Some(1)), "only this session overflows");
        assert_eq!(event.data["at"], 3, "the feeder of node 3 overflows");
        (count + 1, packets + event.data["dropped_packets"].as_u64().expect("a count"))
    })
}

fn overflow_drops(summary: &Summary) -> u64 {
    summary.nodes.iter().map(|node| node.overflow_drops).sum()
}

#[test]
fn all_nodes_involved_hear_of_it_and_no_others() {
    let (summary, watch) = run_watched(&congested(Some(8_000_000)), 1);
    let listeners: BTreeSet<u32> = watch.of_kind(kind::OVERFLOW).filter_map(|event| event.node).collect();
    // Source, upstream relay, the relay itself and the destination. Node 4 only passes the notice on; node 6 is of
    // the same conference, but not of this session.
    assert_eq!(listeners, BTreeSet::from([1, 2, 3, 5]));
    let (notices, told) = heard(&watch, 3);
    // Ten a second at most, from the first on; the queue of 256 KiB is full after 0.1 s.
    assert!((10 * SECONDS - 5..=10 * SECONDS + 1).contains(&notices), "{notices} notices");
    // Nothing goes untold but what the last interval holds back: 2,700 packets a second are lost.
    let drops = overflow_drops(&summary);
    assert!(told <= drops && drops - told <= 400, "told of {told} of {drops}");
    let lost = destination(&summary, 0, 5).lost_packets;
    assert!(drops > 25_000 && lost.abs_diff(drops) < 10, "{drops} dropped, {lost} lost");
    // Each notice reaches each, save the last that are on their way or not made.
    for node in [1, 2, 5] {
        let (count, packets) = heard(&watch, node);
        assert!(count <= notices && count + 2 >= notices, "node {node}: {count} of {notices} notices");
        assert!(packets <= told && told - packets <= 800, "node {node}: {packets} of {told}");
    }
    assert_eq!(destination(&summary, 1, 6).lost_packets, 0);
    let goodput = destination(&summary, 0, 5).goodput_mbps.expect("a rate");
    let expected = 8.0 * 1_000.0 / (LAST_HOP + 6 + 1_000) as f64;
    assert!((goodput / expected - 1.0).abs() < 0.05, "{goodput} of {expected} Mbit/s");
}

#[test]
fn notices_keep_their_distance() {
    let (_, watch) = run_watched(&congested(Some(8_000_000)), 1);
    let times: Vec<f64> =
        watch.of_kind(kind::OVERFLOW).filter(|event| event.node == Some(3)).map(|event| event.t_s).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= 0.1 - 1e-9, "{pair:?}");
    }
}

#[test]
fn without_overflow_there_is_silence() {
    // Negative control: the same run with a hop that takes all.
    let (summary, watch) = run_watched(&congested(None), 1);
    assert_eq!((watch.of_kind(kind::OVERFLOW).count(), overflow_drops(&summary)), (0, 0));
    assert_eq!(destination(&summary, 0, 5).lost_packets, 0);
}
