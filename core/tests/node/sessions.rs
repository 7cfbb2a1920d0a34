//! Sessions over datagram hops.

use super::harness::*;
use bellini_core::config::NodeConfig;
use bellini_core::content::Content;
use bellini_core::ids::Epoch;
use bellini_core::io::{
    Command, CommandError, DrawMode, Event, HopKind, Input, InputError, MeasureWindow, PolicyReason,
    SessionSpec,
};
use bellini_core::node::Node;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;

/// Start, policy question, install, handshake; then each packet takes exactly the link's delay.
#[test]
fn a_session_from_the_start_to_the_last_packet() {
    let mut net = Net::new(2);
    net.join(KEY, 2);
    net.start_session(KEY, 1, &[2], HopKind::Datagram, 0);
    let wanted = net.picked(1, |event| match event {
        Event::PolicyWanted { key, destinations, reason } => Some((*key, destinations.clone(), *reason)),
        _ => None,
    });
    assert_eq!(wanted, [(ms(0), (KEY, vec![id(2)], PolicyReason::Start))]);
    net.install(KEY, 1, 1, &["2d"]);
    net.run_until(ms(2_000));

    for node in [1, 2] {
        let opened = net.picked(node, |event| match event {
            Event::HopOpened { kind: HopKind::Datagram, rtt, .. } => Some(*rtt),
            _ => None,
        });
        assert_eq!(opened.len(), 1, "node {node}");
        let hop = net.node(node).hops().iter().find(|hop| hop.kind == HopKind::Datagram).expect("it is open");
        assert_eq!(hop.handshake.rtt(), Some(Duration::from_millis(20)));
    }
    let delivered = net.delivered(2);
    assert_eq!(delivered.len(), 100);
    for (i, (at, symbol, timestamp)) in delivered.iter().enumerate() {
        assert_eq!((*symbol, *timestamp), (i as u64, ms(100 + 10 * i as u64)));
        assert_eq!(*at, *timestamp + DELAY);
    }
    let finished = net.picked(1, |event| matches!(event, Event::SessionFinished { key: KEY }).then_some(()));
    assert_eq!(finished, [(ms(1_090), ())], "with its last symbol");
    let stats = net.node(2).session(KEY).and_then(|entry| entry.sink.as_ref()).expect("it was joined").stats;
    assert_eq!((stats.measured_packets, stats.duplicate_packets, stats.late_packets), (100, 0, 0));
}

/// Multicast sends one copy over each edge of the tree, whatever the number of destinations behind it.
#[test]
fn multicast_sends_one_copy_over_each_edge() {
    let mut net = Net::new(5);
    net.session(1, &[2, 4, 5], HopKind::Datagram, &["{2d,3>{4d,5d}}"]);
    net.run_until(ms(2_000));
    let edges = [(1, 2), (1, 3), (3, 4), (3, 5)];
    for (from, to) in edges {
        assert_eq!(net.packets(from, to), 100, "{from} to {to}");
    }
    assert_eq!(net.crossings.iter().filter(|sent| sent.is_packet).count(), 400);
    for (node, hops) in [(2, 1), (4, 2), (5, 2)] {
        let delivered = net.delivered(node);
        assert_eq!(delivered.len(), 100, "node {node}");
        assert!(
            delivered.iter().all(|(at, _, made)| *at == *made + DELAY.saturating_mul(hops)),
            "node {node}"
        );
    }
    let relay = net.node(3).stats();
    assert_eq!((relay.forwarded_packets, relay.copied_packets, relay.delivered_packets), (100, 100, 0));
}

/// Of redundant copies the first is delivered and the other removed.
#[test]
fn redundant_copies_are_delivered_once() {
    let mut net = Net::new(3);
    net.session(1, &[2], HopKind::Datagram, &["{2d,3>2d}"]);
    net.run_until(ms(2_000));
    assert_eq!(net.delivered(2).len(), 100);
    assert!(net.delivered(2).iter().all(|(at, _, made)| *at == *made + DELAY), "the direct copy is first");
    assert_eq!(net.node(2).stats().duplicate_packets, 100);
}

/// Two flows with equal shares carry half of the packets each.
#[test]
fn flows_share_the_packets() {
    let mut net = Net::new(3);
    net.session(1, &[2], HopKind::Datagram, &["2d", "3>2d"]);
    net.run_until(ms(2_000));
    assert_eq!((net.packets(1, 2), net.packets(1, 3), net.packets(3, 2)), (50, 50, 50));
    assert_eq!(net.delivered(2).len(), 100);
}

/// What would keep a node busy for ever, or with itself, is refused, and leaves nothing behind.
#[test]
fn commands_that_cannot_work_are_refused() {
    let mut node = Node::new(NodeConfig::new(id(1)), Seed(1), Instant::ZERO).expect("a legal configuration");
    let stop = Instant::ZERO + Duration::from_secs(1);
    let spec = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: vec![id(2)],
        content: Content::Constant { rate: BitRate::from_bps(8_000).expect("a rate"), phase: Duration::ZERO },
        symbol_bytes: 100,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        hop_kind: HopKind::Datagram,
        start: Instant::ZERO,
        stop,
        measure: MeasureWindow { from: Instant::ZERO, to: stop },
        draw: DrawMode::Random,
        policy_period: Some(Duration::ZERO),
    };
    let mut refused = |command| node.handle_input(Instant::ZERO, Input::Command(command));
    let answer = refused(Command::StartSession(Box::new(spec)));
    assert_eq!(answer, Err(InputError::Command(CommandError::NoPeriod)));
    let answer = refused(Command::OpenHop { peer: id(1), kind: HopKind::Stream });
    assert_eq!(answer, Err(InputError::Command(CommandError::OwnHop(id(1)))));
    assert_eq!(node.sessions().count(), 0);
}
