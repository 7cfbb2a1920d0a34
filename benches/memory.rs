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

/// Sessions that are known but silent, at each kind of node.
fn sessions(per_conference: u32) {
    println!("an idle session (mean of {SESSIONS}, {per_conference} a conference)");
    let mut chain = Chain::open(1);
    let rate = BitRate::from_bps(64_000).expect("not zero");
    let start = chain.now + Duration::from_secs(1);
    let region = Region::new(ALLOCATOR);
    for session in 0..SESSIONS {
        // One packet each: the symbol after it would come when the session is over.
        let stop = start + Duration::from_millis(10);
        chain.start_session(key(session, per_conference), rate, 160, (start, stop));
    }
    chain.drop_frames();
    row("at its source, flows installed", held(&region) / f64::from(SESSIONS), Some(SESSION_BUDGET));
    let region = Region::new(ALLOCATOR);
    for session in 0..SESSIONS {
        chain.join(2, key(session, per_conference), rate, 160);
    }
    row("at a destination, announced", held(&region) / f64::from(SESSIONS), Some(SESSION_BUDGET));
    // Capacity for all frames first, so that only nodes are measured.
    let (mut sent, mut relayed, mut rest) = (Batch::default(), Batch::default(), Batch::default());
    let warm = chain.now;
    chain.emit(SESSIONS as usize, &mut sent);
    assert!(chain.now > warm && sent.len() == SESSIONS as usize, "one packet a session");
    relayed.reserve(SESSIONS as usize);
    let region = Region::new(ALLOCATOR);
    chain.dispatch(&sent);
    chain.forward(&mut relayed);
    row(
        "at a relay, after a packet (queue for all of them included)",
        held(&region) / f64::from(SESSIONS),
        Some(SESSION_BUDGET),
    );
    let region = Region::new(ALLOCATOR);
    chain.sink(0, &relayed, &mut rest);
    row("at a destination, what the first packet adds", held(&region) / f64::from(SESSIONS), None);
    assert_eq!(chain.delivered(), u64::from(SESSIONS), "every session's packet arrives");
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
        chain.start_session(session(tick), rate, 160, (now, now + Duration::from_millis(100)));
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
