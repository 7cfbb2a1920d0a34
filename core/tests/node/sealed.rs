//! Sessions sealed from end to end between whole nodes: what relays see, damage, repeats, files.

use super::coded::coding;
use super::harness::*;
use bellini_core::coding::{CodingSpec, Scheme};
use bellini_core::content::spec::Content;
use bellini_core::ids::Epoch;
use bellini_core::io::{
    Command, CommandError, Delivery, DrawMode, HopKind, InputError, MeasureWindow, SessionSpec, SinkSpec,
};
use bellini_core::payload::{self, Synthetic};
use bellini_core::seal::{SealSpec, SymbolKey};
use bellini_core::session::SinkSession;
use bellini_core::time::Duration;
use std::collections::BTreeSet;

const SYMBOLS: u64 = 100;

/// Two destinations behind two relays.
const ROUTES: [&str; 1] = ["2>3>{4d,5d}"];

#[derive(Clone, Copy)]
struct Plan {
    delivery: Delivery,
    coding: Option<CodingSpec>,
    seal: Option<SealSpec>,
}

fn seal(secret: u8) -> Option<SealSpec> {
    Some(SealSpec { key: SymbolKey::of(&[secret; 32], KEY, id(1)), real_bytes: true })
}

fn join(net: &mut Net, node: u32, plan: Plan, content: Content) {
    let spec = SinkSpec {
        key: KEY,
        source: id(1),
        content,
        symbol_bytes: SYMBOL_BYTES,
        delivery: plan.delivery,
        coding: plan.coding,
        seal: plan.seal,
        start: ms(100),
        stop: ms(1_100),
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        deliver_events: true,
    };
    net.command(node, Command::JoinSession(Box::new(spec)));
}

fn spec(plan: Plan, content: Content) -> SessionSpec {
    SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: vec![id(4), id(5)],
        content,
        symbol_bytes: SYMBOL_BYTES,
        hop_kind: HopKind::Datagram,
        delivery: plan.delivery,
        coding: plan.coding,
        seal: plan.seal,
        start: ms(100),
        stop: ms(1_100),
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        draw: DrawMode::Stride,
        policy_period: None,
    }
}

fn start(net: &mut Net, plan: Plan, content: &Content) {
    join(net, 4, plan, content.clone());
    join(net, 5, plan, content.clone());
    net.command(1, Command::StartSession(Box::new(spec(plan, content.clone()))));
    net.install(KEY, 1, 1, &ROUTES);
}

fn sink(net: &Net, node: u32) -> &SinkSession {
    net.node(node).session(KEY).and_then(|entry| entry.sink.as_ref()).expect("it joined")
}

/// Distinct symbols that came at a node, each as the source made it.
fn came(net: &Net, node: u32) -> u64 {
    let delivered = net.delivered(node);
    let distinct: BTreeSet<u64> = delivered.iter().map(|(_, symbol, _)| *symbol).collect();
    assert_eq!(distinct.len(), delivered.len(), "node {node} got a symbol twice");
    distinct.len() as u64
}

/// Frames in which any 16 bytes are the first of a symbol's plain text.
fn telling_frames(net: &Net) -> usize {
    let beginnings: BTreeSet<[u8; 16]> = (0..SYMBOLS)
        .map(|symbol| {
            let mut bytes = [0; 16];
            payload::fill(SEED, Synthetic { key: KEY, symbol, offset: 0, len: 16 }, &mut bytes);
            bytes
        })
        .collect();
    let tells = |bytes: &[u8]| {
        bytes.windows(16).any(|part| part.first_chunk().is_some_and(|part| beginnings.contains(part)))
    };
    net.crossings.iter().filter(|crossing| tells(&crossing.bytes)).count()
}

fn schemes() -> [Option<CodingSpec>; 3] {
    let window = Scheme::Window { latency: Duration::from_millis(500), size: 32 };
    [None, Some(coding(16, 0.5)), Some(CodingSpec { scheme: window, ..coding(16, 0.5) })]
}

/// Aim: under every coding, plain and reliable, what is sealed arrives as it was made, and no frame on any hop holds a
/// symbol's plain text, while without the seal every one does.
#[test]
fn relays_see_nothing_and_destinations_everything() {
    for delivery in [Delivery::BestEffort, Delivery::Reliable] {
        for coding in schemes() {
            if delivery == Delivery::Reliable
                && coding.is_some_and(|it| matches!(it.scheme, Scheme::Window { .. }))
            {
                continue;
            }
            let mut plain = Net::new(5);
            start(&mut plain, Plan { delivery, coding, seal: None }, &constant());
            plain.run_until(ms(3_000));
            assert!(telling_frames(&plain) as u64 >= 3 * SYMBOLS);
            let mut net = Net::new(5);
            net.loss = 0.05;
            start(&mut net, Plan { delivery, coding, seal: seal(1) }, &constant());
            net.run_until(ms(9_000));
            assert_eq!(telling_frames(&net), 0, "{delivery:?} {coding:?}");
            for node in [4, 5] {
                let count = came(&net, node);
                let least = if delivery == Delivery::Reliable { SYMBOLS } else { 75 };
                assert!((least..=SYMBOLS).contains(&count), "{delivery:?} {coding:?}: {count}");
                assert_eq!(sink(&net, node).stats.unopened_symbols, 0);
            }
        }
    }
}

/// Aim: a symbol that was changed on the way is dropped and counted, nothing of it comes out, and the ledger holds; a
/// reliable session brings it again.
#[test]
fn what_was_changed_is_dropped_and_counted() {
    for delivery in [Delivery::BestEffort, Delivery::Reliable] {
        for coding in schemes().into_iter().take(2) {
            let mut net = Net::new(5);
            net.damage = 0.04;
            start(&mut net, Plan { delivery, coding, seal: seal(1) }, &constant());
            net.run_until(ms(20_000));
            for node in [4, 5] {
                let (count, stats) = (came(&net, node), sink(&net, node).counted());
                let refused = stats.unopened_symbols + stats.coded.corrupt_symbols;
                assert!(refused > 0, "{delivery:?} {coding:?}: {stats:?}");
                if delivery == Delivery::Reliable {
                    assert_eq!(count, SYMBOLS, "{coding:?}: {stats:?}");
                } else if coding.is_none() {
                    assert_eq!(count + stats.unopened_symbols, SYMBOLS, "{stats:?}");
                }
                net.node(node).check_ledger().expect("every packet is accounted for");
            }
        }
    }
}

/// Aim: a destination with another key gets nothing, and counts everything.
#[test]
fn another_key_opens_nothing() {
    let mut net = Net::new(5);
    let plan = Plan { delivery: Delivery::BestEffort, coding: None, seal: seal(1) };
    start(&mut net, plan, &constant());
    join(&mut net, 5, Plan { seal: seal(2), ..plan }, constant());
    net.run_until(ms(3_000));
    assert_eq!((came(&net, 4), came(&net, 5)), (SYMBOLS, 0));
    assert_eq!(sink(&net, 5).stats.unopened_symbols, SYMBOLS);
}

/// Aim: a sealed file is complete, with the right bytes, at both destinations over lossy hops, coded or not; also for one
/// that starts again on the way, for which the file begins anew.
#[test]
fn sealed_files_complete() {
    let bytes = 300 * u64::from(SYMBOL_BYTES) - 100;
    for coding in [None, Some(coding(24, 0.0))] {
        let mut net = Net::new(5);
        net.loss = 0.05;
        let plan = Plan { delivery: Delivery::Reliable, coding, seal: seal(3) };
        let content = Content::File { bytes, rate: None };
        start(&mut net, plan, &content);
        net.run_until(ms(140));
        net.crash(5);
        net.start(5);
        join(&mut net, 5, plan, content.clone());
        net.run_until(ms(30_000));
        for node in [4, 5] {
            let found = sink(&net, node).content_stats().expect("it is judged");
            assert_eq!((found.file_complete, found.corrupt_symbols), (Some(true), 0), "{node}: {coding:?}");
            assert_eq!(sink(&net, node).stats.unopened_symbols, 0);
        }
    }
}

/// Aim: the tag counts: a symbol that would fit without it is refused.
#[test]
fn the_tag_needs_room() {
    let most = bellini_core::header::SYMBOL_BYTES_MAX;
    let mut net = Net::new(5);
    let mut asked = spec(Plan { delivery: Delivery::BestEffort, coding: None, seal: seal(1) }, constant());
    asked.symbol_bytes = most - 15;
    let refused = net.try_command(1, Command::StartSession(Box::new(asked.clone())));
    assert_eq!(refused, Err(InputError::Command(CommandError::BadSymbolSize(most - 15))));
    asked.symbol_bytes = most - 16;
    assert_eq!(net.try_command(1, Command::StartSession(Box::new(asked))), Ok(()));
}
