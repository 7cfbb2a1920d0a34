//! Clocks of sources, estimated over control hops. All nodes of the harness have the same clock: the truth is zero.

use crate::node::harness::{KEY, Net, id, ms};
use bellini_core::config::NodeConfig;
use bellini_core::io::{Command, HopKind};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::wire::ControlBody;

fn probing(config: &mut NodeConfig) {
    config.clock_probes = Some(Duration::from_millis(200));
}

fn sink_stats(net: &Net, node: u32) -> bellini_core::session::SinkSessionStats {
    net.node(node).session(KEY).expect("it joined").sink.as_ref().expect("it is a sink").stats
}

/// Announced one second before its content, a session has its estimate when the first symbol comes; two relays away,
/// the round trip of 60 ms is the doubt.
#[test]
fn the_estimate_is_there_before_the_content() {
    for kind in [HopKind::Datagram, HopKind::Stream] {
        let mut net = Net::with(4, probing);
        net.session(1, &[3, 4], kind, &["2>3d>4d"]);
        net.run_until(ms(1_000));
        for (node, round_trip) in [(3, 40_000_000), (4, 60_000_000)] {
            let estimate = net.node(node).clock_of(id(1)).expect("answers came");
            assert!(estimate.ahead_ns.abs() < 10_000, "{estimate:?}");
            assert!(estimate.error_ns.abs_diff(round_trip / 2) < 200_000, "{estimate:?}");
            let stats = sink_stats(&net, node);
            assert!(stats.delay_error_ns_max >= round_trip / 2 && stats.measured_packets > 0, "{stats:?}");
        }
        assert_eq!(net.node(2).clock_of(id(1)), None, "a relay asks nobody");
    }
}

/// A destination that starts again finds its source by the packets that come.
#[test]
fn packets_show_the_way_to_the_source() {
    let mut net = Net::with(3, probing);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(400));
    net.crash(3);
    net.run_until(ms(450));
    net.start(3);
    net.join(KEY, 3);
    assert_eq!(net.node(3).clock_of(id(1)), None);
    net.run_until(ms(1_500));
    let estimate = net.node(3).clock_of(id(1)).expect("answers came");
    assert!(estimate.ahead_ns.abs() < 100_000 && estimate.samples > 4, "{estimate:?}");
}

/// Without the setting nobody asks, and what was told holds.
#[test]
fn who_is_not_asked_to_does_not_probe() {
    let mut net = Net::new(3);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.command(3, Command::ClockCorrection { session: KEY, ahead_ns: -5_000_000 });
    net.run_until(ms(1_000));
    assert_eq!(net.node(3).clock_of(id(1)), None);
    let stats = sink_stats(&net, 3);
    assert_eq!((stats.delay_error_ns_max, stats.unclocked_packets), (0, 0));
    let entry = net.node(3).session(KEY).expect("it joined");
    let least = entry.sink.as_ref().expect("it is a sink").delays.quantile(0.0).expect("packets came");
    assert!(least < 16_000_000, "20 ms less 5: {least}");
}

/// Probes that lie about their way, answers that nobody asked for, and either on the wrong way, are dropped.
#[test]
fn forged_clock_messages_change_nothing() {
    let mut net = Net::with(3, probing);
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(600));
    let before = net.node(3).clock_of(id(1)).expect("answers came");
    let route = |text: &str| Route::parse(text).expect("a route");
    let forged = [
        ("2>3d", ControlBody::ClockReply { t1_ns: 600_000_000, t2_ns: u64::MAX, t3_ns: 0 }),
        ("2>3d", ControlBody::ClockReply { t1_ns: 0, t2_ns: 9_000_000_000, t3_ns: 9_000_000_000 }),
        ("2d", ControlBody::ClockProbe { key: KEY, t1_ns: 0, path: vec![id(9)] }),
        ("2>3d", ControlBody::ClockProbe { key: KEY, t1_ns: u64::MAX, path: vec![id(3), id(2)] }),
    ];
    let dropped = net.node(2).stats().dropped_control + net.node(3).stats().dropped_control;
    for (to, body) in forged {
        net.command(1, Command::SendControl { route: route(to), body });
    }
    net.run_until(ms(700));
    let after = net.node(3).clock_of(id(1)).expect("answers came");
    assert!(after.ahead_ns.abs_diff(before.ahead_ns) < 100_000, "{before:?} {after:?}");
    let now = net.node(2).stats().dropped_control + net.node(3).stats().dropped_control;
    assert_eq!(now - dropped, 2, "both probes that had a route");
}
