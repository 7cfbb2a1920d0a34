//! The scenarios of the comparison with the lab do in the simulator what they say they test.

use crate::watch::{link_of, run};
use bellini_scenarios::model::{Scenario, Transport};
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::record::{DestinationSummary, LinkSummary, Summary};

use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/fidelity").join(name)
}

/// Loads a scenario with a shorter run; the measuring window goes to its end.
fn scenario(path: &Path, seconds: u64) -> Scenario {
    let set = |key: &str, value: String| (key.to_owned(), value);
    let set = vec![
        set("duration", format!("{seconds} s")),
        set("measure", format!("{{\"from\": \"1 s\", \"to\": \"{seconds} s\"}}")),
    ];
    let options = LoadOptions { set, ..LoadOptions::default() };
    load(path, &options).unwrap_or_else(|found| panic!("{found}")).scenario
}

fn simulate(name: &str, seconds: u64) -> Summary {
    run(&scenario(&folder(name), seconds), 1)
}

/// The figures of a session's first destination.
fn first(summary: &Summary, session: usize) -> &DestinationSummary {
    &summary.sessions[session].destinations[0]
}

/// Returns the median queueing delay of a session's first destination in milliseconds.
fn queueing_ms(summary: &Summary, session: usize) -> f64 {
    let destination = first(summary, session);
    destination.delay_ms.expect("packets arrive").p50 - destination.base_delay_ms.expect("one path")
}

#[test]
fn bottlenecks_are_above_nine_tenths_and_lose_nothing() {
    for (name, from, to) in [("bottleneck.json", 2, 3), ("kernel/bottleneck.json", 1, 2)] {
        let summary = simulate(name, 5);
        let used = link_of(&summary, from, to).utilisation.expect("it has a rate");
        assert!((0.9..0.97).contains(&used), "{name}: {used}");
        assert_eq!(summary.links.iter().map(LinkSummary::dropped).sum::<u64>(), 0, "{name}");
        assert!(queueing_ms(&summary, 0) > 0.2, "{name}: {}", queueing_ms(&summary, 0));
    }
    let summary = simulate("shared-bottleneck.json", 5);
    assert!((0..3).all(|session| queueing_ms(&summary, session) > 0.2), "all three wait");
}

#[test]
fn overflowing_queues_are_full_and_drop() {
    for name in ["overflow.json", "kernel/overflow.json"] {
        let summary = simulate(name, 5);
        let lost = first(&summary, 0);
        let share = lost.lost_packets as f64 / lost.sent_packets as f64;
        assert!((0.08..0.4).contains(&share), "{name}: {share}");
        assert!(link_of(&summary, 1, 2).utilisation.expect("it has a rate") > 0.99, "{name}");
        assert!((45.0..64.5).contains(&queueing_ms(&summary, 0)), "{name}: {}", queueing_ms(&summary, 0));
    }
}

#[test]
fn losses_fall_on_the_lossy_way_only() {
    let summary = simulate("bursty-loss.json", 10);
    let lossy = first(&summary, 0);
    let share = lossy.lost_packets as f64 / lossy.sent_packets as f64;
    assert!((0.02..0.08).contains(&share), "{share}");
    assert_eq!(first(&summary, 1).lost_packets, 0);
}

#[test]
fn the_rate_trace_queues_and_recovers() {
    let summary = simulate("rate-trace.json", 5);
    let delay = first(&summary, 0).delay_ms.expect("packets arrive");
    assert!(delay.p99 > 120.0 && delay.p50 < 100.0, "{delay:?}");
}

/// Aim: what the relay's half loses is what is sent while it is down, and the rest arrives.
#[test]
fn the_killed_relay_costs_its_half_while_it_is_down() {
    let summary = simulate("relay-killed.json", 14);
    let sent = first(&summary, 0);
    let share = sent.lost_packets as f64 / sent.sent_packets as f64;
    let expected = 0.5 * 4.0 / 13.0;
    assert!((share - expected).abs() < 0.03, "{share} of the packets, not {expected}");
}

#[test]
fn the_heavy_conference_gets_more_of_the_hop() {
    let summary = simulate("feeder-shares.json", 8);
    let rate = |session| first(&summary, session).goodput_mbps.expect("packets arrive");
    let (light, heavy) = (rate(0), rate(1));
    assert!((2.5..3.5).contains(&(heavy / light)), "{light} and {heavy} Mbit/s");
}

#[test]
fn jitter_and_relay_run() {
    let summary = simulate("jitter.json", 3);
    assert!(summary.sessions.iter().all(|session| session.destinations[0].delivered_packets > 500));
    assert!(queueing_ms(&summary, 1) > 3.0, "half of the jitter");
    let summary = simulate("kernel/relay.json", 3);
    assert!(queueing_ms(&summary, 0) > 0.5, "bursts wait");
}

/// Aim: those over TCP deliver everything that they judge, whatever the links drop; a file fills the bottleneck, and
/// others on its hops do not starve.
#[test]
fn those_over_tcp_lose_nothing() {
    for name in ["bottleneck.json", "loss.json"] {
        let scenario = scenario(&folder("tcp").join(name), 5);
        let summary = run(&scenario, 1);
        let sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
        for (i, _) in sessions.enumerate().filter(|(_, session)| session.transport == Transport::Tcp) {
            let to = first(&summary, i);
            assert_eq!(to.lost_packets, 0, "{name}: {to:?}");
            assert!(to.delivered_packets > 300, "{name}: {to:?}");
        }
    }
    let summary = simulate("tcp/file.json", 8);
    let used = link_of(&summary, 2, 3).utilisation.expect("it has a rate");
    assert!(used > 0.9, "{used}");
    assert_eq!(first(&summary, 1).lost_packets, 0, "video");
}
