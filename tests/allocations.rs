//! Packets allocate nothing in the steady state, shown by a counting allocator.
//!
//! A target of its own because it sets the allocator of the whole program, with one test in it because other tests
//! beside it would be counted too.

#[path = "../benches/rig/mod.rs"]
mod rig;

use bellini_core::io::HopKind;
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Simulation};
use rig::wire::Wire;
use rig::{Batch, Chain};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Packets that are watched, and how many go through the nodes at a time.
const PACKETS: usize = 100_000;
const BATCH: usize = 50;

/// Aim: a packet costs no allocation, neither in nodes nor in the simulator around them. Method: count while
/// packets go from a source over a relay to sinks; then compare runs of a scenario of different length.
#[test]
fn packets_allocate_nothing() {
    the_counter_counts();
    for sinks in [1, 3] {
        let allocations = allocations_in_nodes(sinks);
        assert_eq!(allocations, 0, "{PACKETS} packets to {sinks} sinks");
    }
    for kind in [HopKind::Datagram, HopKind::Paced] {
        assert_eq!(allocations_over_links(kind), 0, "over hops of kind {kind:?}");
    }
    a_longer_run_allocates_for_its_samples_only();
}

/// Packets over links of a millisecond, with the reports of congestion control where there is any.
fn allocations_over_links(kind: HopKind) -> usize {
    let mut chain = Chain::with_session_over(kind, 1);
    let mut wire = Wire::of(&chain);
    // Until slow start is over, queues grow.
    (0..2_000).for_each(|_| chain.pass_millisecond(&mut wire));
    let before = chain.delivered();
    let region = Region::new(ALLOCATOR);
    (0..1_000).for_each(|_| chain.pass_millisecond(&mut wire));
    let change = region.change();
    let delivered = chain.delivered() - before;
    assert!(delivered >= PACKETS as u64, "{delivered} packets in a second of 1 Gbit/s");
    change.allocations + change.reallocations
}

fn the_counter_counts() {
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(Box::new(1_u64)));
    let change = region.change();
    assert_eq!((change.allocations, change.deallocations), (1, 1));
}

fn allocations_in_nodes(sinks: u32) -> usize {
    let mut chain = Chain::with_session(sinks);
    let (mut sent, mut relayed, mut rest) = (Batch::default(), Batch::default(), Batch::default());
    let mut pass = |chain: &mut Chain, packets: usize| {
        for _ in 0..packets / BATCH {
            sent.clear();
            relayed.clear();
            chain.emit(BATCH, &mut sent);
            chain.dispatch(&sent);
            chain.forward(&mut relayed);
            for sink in 0..sinks as usize {
                chain.sink(sink, &relayed, &mut rest);
            }
        }
    };
    pass(&mut chain, PACKETS / 10);
    let before = chain.delivered();
    let region = Region::new(ALLOCATOR);
    pass(&mut chain, PACKETS);
    let change = region.change();
    assert_eq!(chain.delivered() - before, (PACKETS * sinks as usize) as u64, "all of them arrive");
    change.allocations + change.reallocations
}

fn a_longer_run_allocates_for_its_samples_only() {
    let (short, long) = (run(2), run(6));
    let allocations = long.0.saturating_sub(short.0);
    let packet_hops = long.1 - short.1;
    assert!(packet_hops > 90_000, "{packet_hops} packet-hops more");
    let per_hop = allocations as f64 / packet_hops as f64;
    println!("{allocations} allocations more in {packet_hops} packet-hops more: {per_hop:.5} each");
    // Histograms and tables that still grow are few; one allocation in a thousand hops would be a leak of the claim.
    assert!(per_hop < 0.001, "{allocations} allocations in {packet_hops} packet-hops");
}

/// Returns the allocations of a run of so many seconds, and its packet-hops.
fn run(seconds: u32) -> (usize, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bench/overlay-10.json");
    // One sample in the whole run: samples are written for people, and may allocate.
    let set = [("duration", format!("{seconds} s")), ("sample_interval", format!("{seconds} s"))];
    let set = set.map(|(key, value)| (key.to_owned(), value)).to_vec();
    let options = LoadOptions { set, ..LoadOptions::default() };
    let scenario = load(&path, &options).expect("a shipped scenario is right").scenario;
    let region = Region::new(ALLOCATOR);
    let simulation = Simulation::new(&scenario, 1, &Registry::builtin()).expect("it starts");
    let summary = simulation.run(&mut NoObserver).expect("packets add up").summary;
    let change = region.change();
    let hops = summary.engine.and_then(|engine| engine.packet_hops).expect("the simulator counts them");
    (change.allocations + change.reallocations, hops)
}
