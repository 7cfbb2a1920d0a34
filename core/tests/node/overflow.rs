//! Overflow of feeders: who hears of it, how often, and that nothing is told wrong.

use super::harness::*;
use bellini_core::io::{Event, HopKind, PolicyReason};
use bellini_core::stats::Drop;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;

/// Node 3 can send a fifth of what comes; it holds a few packets.
fn slow_third(config: &mut bellini_core::config::NodeConfig) {
    if config.id == id(3) {
        config.pacing.default_rate = BitRate::from_bps(200_000);
        config.feeder.live_bytes_max = 5_000;
    }
}

/// Source, upstream relay and destination hear of an overflow, at most every 100 ms, and every drop is told.
#[test]
fn everyone_involved_hears_of_an_overflow() {
    let mut net = Net::with(4, slow_third);
    net.session(1, &[4], HopKind::Datagram, &["2>3>4d"]);
    net.run_until(ms(4_000));
    let dropped = net.node(3).stats().dropped_packets[Drop::LiveOverflow as usize];
    assert!(dropped > 60, "{dropped} packets dropped");
    for node in 1..=4 {
        let notices = net.picked(node, |event| match event {
            Event::Overflow { key: KEY, at, dropped_packets, .. } if *at == id(3) => Some(*dropped_packets),
            _ => None,
        });
        let told: u64 = notices.iter().map(|(_, packets)| packets).sum();
        assert_eq!(told, dropped, "node {node}");
        assert!(notices.len() > 3, "node {node}");
        for pair in notices.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(100), "node {node}: too often");
        }
    }
    let asked = net.picked(1, |event| match event {
        Event::PolicyWanted { reason: PolicyReason::Overflow, .. } => Some(()),
        _ => None,
    });
    assert_eq!(asked.len(), 1, "policies are asked again, but not for every notice");
    assert_eq!(net.node(3).stats().overflow_notices as usize, net.picked(2, overflow).len());
}

fn overflow(event: &Event) -> Option<()> {
    matches!(event, Event::Overflow { .. }).then_some(())
}
