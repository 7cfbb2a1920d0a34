//! Control messages: membership, planners' decisions.

use super::harness::*;
use bellini_core::ids::Incarnation;
use bellini_core::io::{Command, CommandError, Event, HopKind, InputError, Install, PolicyReason};
use bellini_core::route::Route;
use bellini_core::wire::control::{ControlBody, InstallFlow};
use bellini_core::wire::routing;

fn route(text: &str) -> Route {
    Route::parse(text).expect("a route")
}

fn asked(net: &Net, node: u32, because: PolicyReason) -> Vec<Vec<u32>> {
    let asked = net.picked(node, |event| match event {
        Event::PolicyWanted { destinations, reason, .. } if *reason == because => {
            Some(destinations.iter().map(|node| node.get()).collect::<Vec<_>>())
        }
        _ => None,
    });
    asked.into_iter().map(|(_, destinations)| destinations).collect()
}

/// A destination leaves over the way that packets came, and comes back by a message along a route.
#[test]
fn destinations_leave_and_join() {
    let mut net = Net::new(4);
    net.session(1, &[3, 4], HopKind::Datagram, &["2>{3d,4d}"]);
    net.run_until(ms(405));
    net.command(3, Command::LeaveSession(KEY));
    net.run_until(ms(450));
    assert_eq!(
        net.picked(1, |event| matches!(event, Event::Left { node, .. } if *node == id(3)).then_some(()))
            .len(),
        1
    );
    assert_eq!(asked(&net, 1, PolicyReason::Left), [[4]]);
    net.install(KEY, 1, 2, &["2>4d"]);
    net.run_until(ms(500));
    let before = net.delivered(3).len();
    net.run_until(ms(700));
    assert_eq!(net.delivered(3).len(), before, "nothing comes any more");
    let body = ControlBody::Join { key: KEY, node: id(3) };
    for _ in 0..2 {
        net.command(3, Command::SendControl { route: route("2>1d"), body: body.clone() });
    }
    net.run_until(ms(800));
    assert_eq!(asked(&net, 1, PolicyReason::Joined), [[3, 4]], "joining twice is joining once");
    net.install(KEY, 1, 3, &["2>{3d,4d}"]);
    net.run_until(ms(2_000));
    assert!(net.delivered(3).len() > before + 20);
    assert_eq!(net.delivered(4).len(), 100, "the other one missed nothing");
}

/// Two flows pass two relays in opposite order: neither relay sends the message back where it came from.
#[test]
fn leaving_finds_the_way_out_of_crossed_flows() {
    let mut net = Net::new(5);
    net.session(1, &[4, 5], HopKind::Datagram, &["3>2>5d", "2>3>4d"]);
    net.run_until(ms(400));
    for node in [4, 5] {
        net.command(node, Command::LeaveSession(KEY));
    }
    net.run_until(ms(500));
    let left = net.picked(1, |event| match event {
        Event::Left { node, .. } => Some(node.get()),
        _ => None,
    });
    assert_eq!(left.into_iter().map(|(_, node)| node).collect::<Vec<_>>(), [4, 5]);
}

/// Decisions that are not newer are ignored; a planner that started again is newer whatever its count.
#[test]
fn stale_decisions_are_ignored() {
    let mut net = Net::new(3);
    net.session(1, &[2], HopKind::Datagram, &["2d"]);
    let versions = |net: &Net| -> Vec<u32> {
        let installed = net.picked(1, |event| match event {
            Event::Installed { version, .. } => Some(*version),
            _ => None,
        });
        installed.into_iter().map(|(_, version)| version).collect()
    };
    let send = |net: &mut Net, planner: u32, version: u32, over: &str| {
        let flow =
            InstallFlow { share: 1.0, routing_info: routing::encode(&route(over)).expect("a legal route") };
        let planner_incarnation = Incarnation(planner);
        let body = ControlBody::Install { key: KEY, planner_incarnation, version, flows: vec![flow] };
        net.command(3, Command::SendControl { route: route("1d"), body });
        let until = net.now + bellini_core::time::Duration::from_millis(100);
        net.run_until(until);
    };
    send(&mut net, 1, 5, "3>2d");
    send(&mut net, 1, 4, "2d");
    send(&mut net, 1, 5, "2d");
    assert_eq!((versions(&net), net.node(1).stats().stale_installs), (vec![1, 5], 2));
    send(&mut net, 2, 1, "2d");
    assert_eq!(versions(&net), [1, 5, 1]);
    // A route through the source itself is refused, and what was installed stays.
    let dropped = net.node(1).stats().dropped_control;
    send(&mut net, 2, 9, "3>1>2d");
    assert_eq!((versions(&net).len(), net.node(1).stats().dropped_control), (3, dropped + 1));
}

/// A message that does not fit a frame is refused and counted, before anything is sent.
#[test]
fn giant_messages_are_refused() {
    let mut net = Net::new(2);
    for (flows, bytes) in [(200, 6), (1, 70_000)] {
        let flow = InstallFlow { share: 1.0, routing_info: vec![0; bytes] };
        let body = ControlBody::Install {
            key: KEY,
            planner_incarnation: Incarnation(1),
            version: 1,
            flows: vec![flow; flows],
        };
        let refused = net.try_command(1, Command::SendControl { route: route("2d"), body });
        assert!(
            matches!(refused, Err(InputError::Command(CommandError::ControlTooLong { .. }))),
            "{refused:?}"
        );
    }
    assert_eq!(net.node(1).stats().dropped_control, 2);
    net.run_until(ms(1_000));
    assert!(net.crossings.is_empty());
}

/// A type that no node here knows goes along its route to the end, and is counted there.
#[test]
fn unknown_messages_are_passed_on() {
    let mut net = Net::new(3);
    let body = ControlBody::Unknown { kind: 77, bytes: vec![1, 2, 3] };
    net.command(1, Command::SendControl { route: route("2>3d"), body });
    net.run_until(ms(1_000));
    let dropped: Vec<u64> = (1..=3).map(|node| net.node(node).stats().dropped_control).collect();
    assert_eq!(dropped, [0, 0, 1]);
}

/// Installs name their parts in commands, too: shares that cannot be drawn from are refused.
#[test]
fn shares_without_a_sum_are_refused() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Datagram, &["2d"]);
    let flows = vec![(route("2d"), 0.0)];
    let install = Install { key: KEY, planner: Incarnation(1), version: 2, flows };
    let refused = net.try_command(1, Command::Install(install));
    assert_eq!(refused, Err(InputError::Command(CommandError::BadShares)));
}
