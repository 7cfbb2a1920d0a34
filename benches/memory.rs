//! Bytes that idle nodes and sessions take, and that stay after many starts, by a counting allocator.
//!
//! `cargo bench --bench memory`. Figures are heap bytes as asked for from the allocator, tables and their slack
//! included, plus the node itself.

#[path = "rig/machine.rs"]
mod machine;
mod rig;

use bellini_core::Node;
use bellini_core::config::NodeConfig;
use bellini_core::ids::SessionKey;
use bellini_core::io::{Command, HopKind};
use bellini_core::rng::Seed;
use bellini_core::session::{SessionEntry, SinkSession, SourceSession};
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use machine::machine;
use rig::{Batch, Chain, empty, id};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SESSIONS: u32 = 1_000;
/// Budgets of the design, in bytes.
const NODE_BUDGET: f64 = 2_048.0;
const SESSION_BUDGET: f64 = 1_024.0;

fn main() {
    println!("{}\n", machine());
    nodes();
    for per_conference in [SESSIONS, 10] {
        sessions(per_conference);
    }
    starts();
}

/// Heap bytes that are held now and were not when the region began.
fn held(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

fn row(name: &str, bytes: f64, budget: Option<f64>) {
    let budget = budget.map_or(String::new(), |budget| format!(" (budget {budget:.0})"));
    println!("  {name:<64} {bytes:>8.0} B{budget}");
}

fn nodes() {
    println!("a node");
    let region = Region::new(ALLOCATOR);
    let mut node = Node::new(NodeConfig::new(id(1)), Seed(1), Instant::ZERO).expect("the defaults work");
    row("idle, no hop", held(&region) + size_of::<Node>() as f64, Some(NODE_BUDGET));
    row("of which the node itself, without the heap", size_of::<Node>() as f64, None);
    for kind in [HopKind::Datagram, HopKind::Control] {
        let region = Region::new(ALLOCATOR);
        let peers = 100;
        for peer in 0..peers {
            let _ = node.hop(id(2 + peer), kind);
        }
        row(&format!("each hop that is there, {kind:?}"), held(&region) / f64::from(peers), None);
    }
}

fn key(session: u32, per_conference: u32) -> SessionKey {
    SessionKey::new(1 + session / per_conference, 1 + session % per_conference)
}

/// Sessions that are known but silent, at each kind of node: what nodes with them give back, less what nodes
/// without them do.
fn sessions(per_conference: u32) {
    println!("an idle session (mean of {SESSIONS}, {per_conference} a conference)");
    row("a table entry, at any node", size_of::<Option<SessionEntry>>() as f64, None);
    row("a source's own state", size_of::<SourceSession>() as f64, None);
    row("a destination's own state", size_of::<SinkSession>() as f64, None);
    let without = weights(Chain::open(1));
    for (packets, when) in [(0, "before its first packet"), (1, "after a packet")] {
        let with = weights(with_sessions(per_conference, packets));
        for (place, (with, without)) in
            ["source", "relay", "destination"].iter().zip(with.iter().zip(&without))
        {
            let bytes = (with - without) / f64::from(SESSIONS);
            row(&format!("at its {place}, {when}"), bytes, Some(SESSION_BUDGET));
        }
    }
}

/// Returns nodes that know [`SESSIONS`] sessions, set up along their route, each with so many packets behind it.
fn with_sessions(per_conference: u32, packets: u64) -> Chain {
    let mut chain = Chain::open(1);
    let rate = BitRate::from_bps(64_000).expect("not zero");
    let start = chain.now + Duration::from_secs(100);
    for session in 0..SESSIONS {
        let key = key(session, per_conference);
        // A symbol every 20 ms. Sessions begin one after the other, so that no queue holds all their packets.
        let start = start + Duration::from_millis(u64::from(session));
        chain.start_session(
            key,
            rate,
            160,
            (start, start + Duration::from_millis(1 + 20 * (packets.max(1) - 1))),
        );
        chain.join(2, key, rate, 160);
        chain.settle();
    }
    assert!(chain.now < start, "sessions are quiet until all are set up");
    let (mut sent, mut relayed, mut rest) = (Batch::default(), Batch::default(), Batch::default());
    if packets > 0 {
        let steps = u64::from(SESSIONS) + 20 * packets;
        for step in 0..steps {
            chain.now = start + Duration::from_millis(step);
            chain.turn(&mut sent, &mut relayed, &mut rest);
        }
    }
    assert_eq!(chain.delivered(), u64::from(SESSIONS) * packets, "every packet arrives");
    chain
}

/// Returns the heap bytes that each node gives back when it is dropped.
fn weights(chain: Chain) -> Vec<f64> {
    let weigh = |node: Node| {
        let region = Region::new(ALLOCATOR);
        drop(node);
        -held(&region)
    };
    chain.nodes.into_iter().map(weigh).collect()
}

/// A thousand sessions start each second, send for 100 ms and are forgotten: what do nodes still hold?
fn starts() {
    const SECONDS: u64 = 120;
    println!("1,000 session starts a second for {SECONDS} simulated seconds, three bare nodes");
    let mut chain = Chain::open(1);
    let rate = BitRate::from_bps(64_000).expect("not zero");
    let (mut sent, mut relayed, mut rest) = (Batch::default(), Batch::default(), Batch::default());
    let region = Region::new(ALLOCATOR);
    let begin = chain.now;
    for tick in 0..SECONDS * 1_000 {
        let now = begin + Duration::from_millis(tick);
        chain.now = now;
        let session = |tick: u64| SessionKey::new(1 + (tick / 10) as u32, 1 + (tick % 10) as u32);
        let start = now + Duration::from_millis(1);
        chain.start_session(session(tick), rate, 160, (start, start + Duration::from_millis(100)));
        chain.join(2, session(tick), rate, 160);
        if let Some(ended) = tick.checked_sub(200) {
            chain.command(0, Command::ForgetSession(session(ended)));
            chain.command(2, Command::ForgetSession(session(ended)));
        }
        // Control messages of the set-up go on their way as packets do.
        chain.turn(&mut sent, &mut relayed, &mut rest);
        if (tick + 1) % 20_000 == 0 {
            let mib = held(&region) / f64::from(1 << 20);
            let known = chain.nodes.iter().map(|node| node.sessions().count()).collect::<Vec<_>>();
            let seconds = (tick + 1) / 1_000;
            println!(
                "  after {seconds:>3} s: {mib:>6.2} MiB held; sessions known to source, relay, sink: {known:?}"
            );
        }
    }
    println!("  {} packets delivered", chain.delivered());
    let node = &mut chain.nodes[0];
    empty(node, chain.now, &mut rest);
}
