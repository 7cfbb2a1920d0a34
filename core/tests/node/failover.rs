//! Failover: what fails is noticed, told to sources, and left by their flows; figures of a net with 10 ms a hop.

use super::harness::*;
use bellini_core::config::{FailoverConfig, NodeConfig};
use bellini_core::content::spec::Content;
use bellini_core::hop::HopFault;
use bellini_core::ids::Incarnation;
use bellini_core::io::{Command, Event, HopKind, Install, PolicyReason};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;

/// Three keepalives of 75 ms and a quarter of one.
const SILENCE_MS: u64 = 243;

fn watching(config: &mut NodeConfig) {
    config.failover = Some(FailoverConfig::default());
}

/// A session from node 1 to node 5, by `routes`: the first has everything, the others are backups.
fn net(nodes: u32, kind: HopKind, routes: &[&str]) -> Net {
    let mut net = Net::with(nodes, watching);
    net.join(KEY, 5);
    net.start_session(KEY, 1, &[5], kind, 0);
    install(&mut net, 1, routes);
    net
}

fn install(net: &mut Net, version: u32, routes: &[&str]) {
    let flows = routes.iter().enumerate().map(|(i, route)| {
        let share = if i == 0 { 1.0 } else { 0.0 };
        (Route::parse(route).expect("a route"), share)
    });
    let install = Install { key: KEY, planner: Incarnation(1), version, flows: flows.collect() };
    net.command(1, Command::Install(install));
}

/// When and where hops were found down.
fn down(net: &Net) -> Vec<(Instant, u32, u32, HopFault)> {
    let downs = net.events.iter().filter_map(|(at, node, event)| match event {
        Event::HopDown { peer, fault } => Some((*at, *node, peer.get(), *fault)),
        _ => None,
    });
    downs.collect()
}

/// When the source rerouted, and by which route then.
fn rerouted(net: &Net) -> Vec<(Instant, String)> {
    net.picked(1, |event| match event {
        Event::Rerouted { flows, .. } => Some(flows[0].0.to_string()),
        _ => None,
    })
}

/// Symbols that came at node 5, of those made in [`from`, `to`) ms.
fn came(net: &Net, from: u64, to: u64) -> usize {
    let made = |made: &Instant| (ms(from)..ms(to)).contains(made);
    net.delivered(5).iter().filter(|(_, _, at)| made(at)).count()
}

/// Aim: a relay that dies is noticed by the node before it once three keepalives have not come, the source hears it a hop
/// later, and goes on over its backup with no symbol lost after that; the dead relay's return takes it back after 1.5 s
/// without a fault. For all kinds of hops.
#[test]
fn a_dead_relay_is_left_and_taken_back() {
    for kind in [HopKind::Datagram, HopKind::Paced] {
        let mut net = net(5, kind, &["2>3>5d", "4>5d"]);
        net.run_until(ms(400));
        assert!(down(&net).is_empty());
        net.crash(3);
        net.run_until(ms(1_200));
        let seen = down(&net);
        let (at, node, peer, fault) = seen[0];
        assert_eq!((peer, fault), (3, HopFault::Silent), "{seen:?}");
        assert!(node == 2 || node == 5);
        let seen_at_2 = seen.iter().find(|(_, node, ..)| *node == 2).expect("the node before it notices");
        assert!(at <= seen_at_2.0 && seen_at_2.0 <= ms(400 + 10 + SILENCE_MS + 1), "{seen:?}");
        let moved = rerouted(&net);
        assert_eq!(moved.len(), 1, "{moved:?}");
        assert_eq!(moved[0].1, "4>5d");
        assert_eq!(moved[0].0 - seen_at_2.0, DELAY, "the notice takes one hop");
        let after = (moved[0].0.as_nanos() / 1_000_000) + 1;
        assert_eq!(came(&net, after, 1_100), (after..1_100).filter(|ms| ms % 10 == 0).count());
        net.start(3);
        net.run_until(ms(4_500));
        let moved = rerouted(&net);
        assert_eq!(moved.len(), 2, "{moved:?}");
        assert_eq!(moved[1].1, "2>3>5d");
        assert!((ms(2_700)..ms(3_300)).contains(&moved[1].0), "{moved:?}");
        let asked = net.picked(1, |event| match event {
            Event::PolicyWanted { reason: PolicyReason::Topology, .. } => Some(()),
            _ => None,
        });
        assert_eq!(asked.len(), 1, "the planner is asked, but not for content that is over");
    }
}

/// Aim: where the failure is one-way, the node that does not hear says so, and the other one, which hears well, does not
/// send to it.
#[test]
fn a_one_way_cut_is_told_by_who_does_not_hear() {
    let mut net = net(5, HopKind::Datagram, &["2>5d", "4>5d"]);
    net.run_until(ms(400));
    net.cut.push((2, 5));
    net.run_until(ms(1_200));
    let seen = down(&net);
    let unheard = seen.iter().find(|(_, node, ..)| *node == 2).expect("node 2 hears of it");
    assert_eq!((unheard.2, unheard.3), (5, HopFault::Unheard));
    // Node 5 waits for node 2, says so with its next keepalive, and that takes a hop.
    assert!(unheard.0 <= ms(400 + 10 + SILENCE_MS + 1 + 75 + 10), "{seen:?}");
    assert_eq!(rerouted(&net)[0].1, "4>5d");
}

/// Aim: a hop that loses 30 % of its packets, each by itself, is left.
#[test]
fn a_grey_hop_is_left() {
    let fast =
        Content::Constant { rate: BitRate::from_bps(4_800_000).expect("not zero"), phase: Duration::ZERO };
    let mut net = Net::with(5, watching);
    net.start_content(KEY, 1, &[5], HopKind::Datagram, 0, fast);
    install(&mut net, 1, &["2>5d", "4>5d"]);
    net.run_until(ms(200));
    net.losses.insert((2, 5), 0.3);
    net.run_until(ms(600));
    let seen = down(&net);
    assert!(seen.iter().any(|seen| (seen.1, seen.2, seen.3) == (2, 5, HopFault::Unheard)), "{seen:?}");
    assert_eq!(rerouted(&net)[0].1, "4>5d");
    // Two of a hundred is what nobody minds.
    let mut net = self::net(5, HopKind::Datagram, &["2>5d", "4>5d"]);
    net.losses.insert((2, 5), 0.02);
    net.run_until(ms(1_300));
    assert!(down(&net).is_empty());
}

/// Aim: flows that a planner installs while a hop is down do not use it, whether or not the planner knows.
#[test]
fn what_is_installed_meanwhile_keeps_off_what_is_down() {
    let mut net = net(5, HopKind::Datagram, &["2>5d", "4>5d"]);
    net.run_until(ms(200));
    net.crash(2);
    net.run_until(ms(700));
    install(&mut net, 2, &["2>5d", "3>5d"]);
    net.run_until(ms(1_200));
    let moved = rerouted(&net);
    assert_eq!(moved.last().map(|(_, route)| route.as_str()), Some("3>5d"), "{moved:?}");
    assert!(came(&net, 720, 1_100) >= 37);
    // Nothing is left: what was decided stays.
    net.crash(3);
    net.crash(4);
    net.run_until(ms(2_000));
    assert_eq!(rerouted(&net).last().map(|(_, route)| route.clone()), Some("2>5d".to_owned()));
}

/// Aim: what a node told is forgotten when it is gone; flows come back without a word from it.
#[test]
fn the_word_of_the_dead_does_not_last() {
    let mut net = net(6, HopKind::Datagram, &["2>3>5d", "4>5d"]);
    net.run_until(ms(300));
    net.cut.extend([(2, 3), (3, 2)]);
    net.run_until(ms(1_000));
    assert_eq!(rerouted(&net).len(), 1);
    net.cut.clear();
    net.crash(2);
    net.start(2);
    net.run_until(ms(7_000));
    let moved = rerouted(&net);
    assert_eq!(moved.last().map(|(_, route)| route.as_str()), Some("2>3>5d"), "{moved:?}");
}

/// Aim: nodes that were not asked to watch send no keepalives, and a run without them is as it was.
#[test]
fn nobody_is_watched_unless_that_is_wanted() {
    let mut net = Net::new(5);
    net.session(1, &[5], HopKind::Datagram, &["2>5d"]);
    net.run_until(ms(1_200));
    let quiet = net.crossings.iter().filter(|crossing| crossing.kind == HopKind::Control).count();
    let mut net = self::net(5, HopKind::Datagram, &["2>5d"]);
    net.run_until(ms(1_200));
    let watched = net.crossings.iter().filter(|crossing| crossing.kind == HopKind::Control).count();
    // Two pairs of nodes, each way, 16 keepalives of 75 ms in 1.2 s; those that answer a message count, too.
    assert!((quiet + 60..=quiet + 80).contains(&watched), "{quiet} and {watched}");
}

/// Aim: a destination that dies makes no route bad, and does not hide that the way to another one fails later.
#[test]
fn a_dead_destination_hides_nothing() {
    let mut net = Net::with(6, watching);
    net.join(KEY, 5);
    net.join(KEY, 6);
    net.start_session(KEY, 1, &[5, 6], HopKind::Datagram, 0);
    install(&mut net, 1, &["2>{5d,6d}", "3>{5d,6d}"]);
    net.run_until(ms(200));
    net.crash(6);
    net.run_until(ms(600));
    let moves = rerouted(&net);
    assert!(moves.last().is_none_or(|(_, route)| route == "2>{5d,6d}"), "{moves:?}");
    net.crash(2);
    net.run_until(ms(1_200));
    assert_eq!(rerouted(&net).last().map(|(_, route)| route.as_str()), Some("3>{5d,6d}"));
    assert_eq!(came(&net, 900, 1_100), 20);
}

/// Aim: keepalives end with what they are for.
#[test]
fn nobody_is_watched_for_ever() {
    let mut net = net(5, HopKind::Datagram, &["2>5d", "4>5d"]);
    net.run_until(ms(2_000));
    net.crash(4);
    // Half a minute for the node's own interest, and another for that of its peer.
    net.run_until(ms(65_000));
    let control =
        |net: &Net| net.crossings.iter().filter(|crossing| crossing.kind == HopKind::Control).count();
    let before = control(&net);
    net.run_until(ms(75_000));
    // The reports of nodes are no control messages; hellos to the dead node have no end.
    assert!(control(&net) - before <= 8, "{} in 10 s", control(&net) - before);
}
