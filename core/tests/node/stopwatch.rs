//! Timing of single packets.

use super::harness::*;
use bellini_core::io::HopKind;
use bellini_core::stopwatch::Stopwatch;

/// A clock that stands still: readings are counted, not looked at.
fn still() -> u64 {
    7
}

fn relayed(is_timed: bool) -> Net {
    let mut net = Net::new(3);
    for node in 1..=3 {
        let stopwatch = is_timed.then_some(Stopwatch { now: still, every: 1 });
        net.node_mut(node).set_stopwatch(stopwatch);
    }
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(2_000));
    net
}

/// Aim: each packet is timed once in each step that it takes, and nothing that comes out of a node depends on it.
#[test]
fn timing_counts_packets_and_changes_nothing() {
    let (timed, plain) = (relayed(true), relayed(false));
    let counts = |node| {
        let times = timed.node(node).step_times().expect("a stopwatch is set");
        (times.routing.count(), times.dispatch.count(), times.clock.count())
    };
    assert_eq!([counts(1), counts(2), counts(3)], [(100, 0, 100), (0, 100, 100), (0, 100, 100)]);
    assert!(plain.node(1).step_times().is_none());
    let bytes = |net: &Net| net.crossings.iter().map(|crossing| crossing.bytes.clone()).collect::<Vec<_>>();
    assert!(bytes(&timed) == bytes(&plain), "other bytes");
    let events = |net: &Net| format!("{:?}", net.events);
    assert!(events(&timed) == events(&plain), "other events");
}
