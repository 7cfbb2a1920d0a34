//! Coded sessions between whole nodes: repairs, recoding where packets are lost and where flows meet, damage.

use super::harness::*;
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::content::spec::Content;
use bellini_core::ids::Epoch;
use bellini_core::io::{Command, Delivery, DrawMode, HopKind, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::session::coded::CodedSinkStats;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use std::collections::BTreeSet;

/// How a test's session is coded and what it promises.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) delivery: Delivery,
    pub(super) coding: Option<CodingSpec>,
}

pub(super) fn coding(size: u8, repair: f64) -> CodingSpec {
    CodingSpec {
        scheme: Scheme::Generation { size, systematic: true, latency: None },
        repair: Repair::Fixed(repair),
        recode: true,
        real_bytes: true,
    }
}

/// 1,000 symbols a second for a second.
pub(super) fn content() -> Content {
    Content::Constant { rate: BitRate::from_bps(9_600_000).expect("not zero"), phase: Duration::ZERO }
}

pub(super) fn start(net: &mut Net, to: &[u32], plan: Plan, routes: &[&str]) {
    start_until(net, to, plan, routes, ms(1_100));
}

pub(super) fn join(net: &mut Net, node: u32, plan: Plan, stop: Instant) {
    let Plan { delivery, coding } = plan;
    let spec = SinkSpec {
        key: KEY,
        source: id(1),
        content: content(),
        symbol_bytes: SYMBOL_BYTES,
        delivery,
        coding,
        seal: None,
        start: ms(100),
        stop,
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        deliver_events: true,
    };
    net.command(node, Command::JoinSession(Box::new(spec)));
}

pub(super) fn start_until(net: &mut Net, to: &[u32], plan: Plan, routes: &[&str], stop: Instant) {
    let Plan { delivery, coding } = plan;
    to.iter().for_each(|node| join(net, *node, plan, stop));
    let spec = SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: to.iter().map(|node| id(*node)).collect(),
        content: content(),
        symbol_bytes: SYMBOL_BYTES,
        hop_kind: HopKind::Datagram,
        delivery,
        coding,
        seal: None,
        start: ms(100),
        stop,
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        draw: DrawMode::Stride,
        policy_period: None,
    };
    net.command(1, Command::StartSession(Box::new(spec)));
    net.install(KEY, 1, 1, routes);
}

/// What came at a node: distinct symbols, and what decoding counted. None came twice, and none damaged.
pub(super) fn came(net: &Net, node: u32) -> (usize, CodedSinkStats) {
    let symbols: Vec<u64> = net.delivered(node).iter().map(|(_, symbol, _)| *symbol).collect();
    let distinct: BTreeSet<u64> = symbols.iter().copied().collect();
    assert_eq!(symbols.len(), distinct.len(), "node {node} got a symbol twice");
    let entry = net.node(node).session(KEY).expect("it joined");
    let sink = entry.sink.as_ref().expect("it joined");
    assert_eq!(sink.content_stats().map(|stats| stats.corrupt_symbols), Some(0), "node {node}");
    (symbols.len(), sink.counted().coded)
}

/// Data packets that crossed a link.
pub(super) fn packets(net: &Net, from: u32, to: u32) -> usize {
    net.crossings
        .iter()
        .filter(|crossing| crossing.is_packet && (crossing.from, crossing.to) == (from, to))
        .count()
}

/// Aim: over a hop that loses a tenth, a quarter of repairs bring back nearly everything; without them the tenth is gone.
#[test]
fn repairs_bring_back_what_is_lost() {
    for (repair, least, most) in [(0.0, 850, 950), (0.25, 985, 1_000)] {
        let mut net = Net::new(2);
        net.loss = 0.1;
        let plan = Plan { delivery: Delivery::BestEffort, coding: Some(coding(32, repair)) };
        start(&mut net, &[2], plan, &["2d"]);
        net.run_until(ms(2_000));
        let (count, stats) = came(&net, 2);
        assert!((least..=most).contains(&count), "{repair}: {count} of 1,000, {stats:?}");
        assert_eq!(stats.corrupt_symbols, 0);
        if repair > 0.0 {
            assert!(stats.recovered_symbols > 60, "{stats:?}");
        }
    }
}

/// Aim: relays that recode make up for their own hop's losses: every hop carries as many packets as the source sent, and
/// the destination gets what the worst hop lets through. Relays that pass on let losses add up.
#[test]
fn relays_make_up_for_their_own_losses() {
    let mut delivered = Vec::new();
    for recode in [false, true] {
        let mut net = Net::new(4);
        net.loss = 0.1;
        let coding = CodingSpec { recode, ..coding(64, 0.3) };
        start(&mut net, &[4], Plan { delivery: Delivery::BestEffort, coding: Some(coding) }, &["2>3>4d"]);
        net.run_until(ms(3_000));
        let (count, stats) = came(&net, 4);
        let hops = [packets(&net, 1, 2), packets(&net, 2, 3), packets(&net, 3, 4)];
        println!("recode {recode}: {count} of 1,000, packets on the hops {hops:?}, {stats:?}");
        if recode {
            assert!(hops.iter().all(|hop| hop.abs_diff(hops[0]) * 50 < hops[0]), "{hops:?}");
        } else {
            assert!(hops[2] * 100 < hops[0] * 85, "{hops:?}");
        }
        delivered.push(count);
    }
    assert!(delivered[1] > 980 && delivered[0] < 900, "{delivered:?}");
}

/// Aim: where two flows meet, one packet serves the destinations of both, which each get everything: the butterfly. Two
/// repairs for 32 symbols are for combinations that happen to be dependent (one of 256).
#[test]
fn one_packet_serves_both_where_flows_meet() {
    // 1 source, 2 and 3 its neighbours, 4 and 5 the shared hop, 6 and 7 destinations.
    let mut net = Net::new(7);
    let plan = Plan { delivery: Delivery::BestEffort, coding: Some(coding(32, 1.0 / 16.0)) };
    start(&mut net, &[6, 7], plan, &["2>{6d,4>5>7d}", "3>{7d,4>5>6d}"]);
    net.run_until(ms(2_000));
    let shared = packets(&net, 4, 5);
    println!("{shared} packets on the shared hop for 1,000 symbols");
    assert!((531..540).contains(&shared), "{shared}");
    for node in [6, 7] {
        let (count, stats) = came(&net, node);
        assert!(count >= 992, "node {node}: {count}, {stats:?}");
        assert!((450..=500).contains(&stats.recovered_symbols), "{stats:?}");
    }
}

/// Aim: when one of two flows that meet is dead, the other's packets still go on, if a little later.
#[test]
fn a_flow_does_not_wait_for_a_dead_one() {
    let mut net = Net::new(7);
    let plan = Plan { delivery: Delivery::BestEffort, coding: Some(coding(32, 0.0)) };
    start(&mut net, &[6, 7], plan, &["2>{6d,4>5>7d}", "3>{7d,4>5>6d}"]);
    net.run_until(ms(500));
    net.crash(3);
    net.run_until(ms(2_000));
    // Half of the symbols after the crash come by node 2, to both.
    for node in [6, 7] {
        let (count, stats) = came(&net, node);
        assert!((600..=750).contains(&count), "node {node}: {count}, {stats:?}");
    }
}

/// Aim: reliable and coded: everything comes, once and in order, over hops that lose a sixth, with relays that recode and
/// with relays that do not, and to several destinations at different losses.
#[test]
fn reliable_coded_sessions_complete() {
    for recode in [false, true] {
        for routes in [&["2>3>4d"][..], &["2>{3d,5>4d}"], &["2>4d", "3>4d"]] {
            let to: &[u32] = if routes[0].contains('{') { &[3, 4] } else { &[4] };
            let mut net = Net::new(5);
            net.loss = 0.16;
            let coding = CodingSpec { recode, ..coding(16, 0.0) };
            start(&mut net, to, Plan { delivery: Delivery::Reliable, coding: Some(coding) }, routes);
            net.run_until(ms(20_000));
            for node in to {
                let symbols: Vec<u64> = net.delivered(*node).iter().map(|(_, symbol, _)| *symbol).collect();
                assert_eq!(symbols, (0..1_000).collect::<Vec<_>>(), "{recode} {routes:?} node {node}");
            }
            let source =
                net.node(1).session(KEY).and_then(|entry| entry.source.as_ref()).expect("it was started");
            let stats = source.counted();
            assert!(source.is_done(), "{recode} {routes:?}: {stats:?}");
            assert!(stats.coded.repairs > 50, "{stats:?}");
            assert_eq!(stats.reliable.refused_acks, 0, "{stats:?}");
        }
    }
}

/// Aim: damaged packets, which spoil what they are mixed with, never come out as content; a reliable session still
/// completes.
#[test]
fn damage_is_never_delivered() {
    for (delivery, relay) in
        [(Delivery::BestEffort, true), (Delivery::Reliable, false), (Delivery::Reliable, true)]
    {
        let mut net = Net::new(3);
        net.loss = 0.05;
        net.damage = 0.01;
        let coding = CodingSpec { recode: relay, ..coding(16, 0.25) };
        start(&mut net, &[3], Plan { delivery, coding: Some(coding) }, &["2>3d"]);
        net.run_until(ms(60_000));
        let (count, stats) = came(&net, 3);
        println!("{delivery:?} recode {relay}: {count} of 1,000, {stats:?}");
        assert!(stats.corrupt_symbols > 0, "{stats:?}");
        assert!(
            count > 700 && (delivery == Delivery::BestEffort || count == 1_000),
            "{delivery:?} {relay}: {count}"
        );
    }
}

/// Aim: a sliding window brings back what is lost on the way, over relays that pass its packets on as they are, and without
/// waiting for a generation: by the next few symbols.
#[test]
fn windows_bring_back_what_is_lost_at_once() {
    let mut net = Net::new(3);
    net.loss = 0.02;
    let scheme = Scheme::Window { latency: Duration::from_millis(100), size: 64 };
    let coding = CodingSpec { scheme, ..coding(32, 0.125) };
    start(&mut net, &[3], Plan { delivery: Delivery::BestEffort, coding: Some(coding) }, &["2>3d"]);
    net.run_until(ms(2_000));
    let (count, stats) = came(&net, 3);
    println!("{count} of 1,000, {stats:?}");
    assert!(count >= 995 && stats.recovered_symbols >= 20, "{count}, {stats:?}");
    let mut latest = Duration::ZERO;
    for (at, symbol, _) in net.delivered(3) {
        // One symbol a millisecond, from 100 ms on; two hops.
        let created = ms(100 + symbol);
        latest = latest.max(at.saturating_since(created).saturating_sub(DELAY.saturating_mul(2)));
    }
    assert!(latest <= Duration::from_millis(40), "{latest}");
}
