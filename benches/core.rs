//! Nanoseconds per packet in the core, beside the figures of the paper (EC2 medium instances of 2013).
//!
//! `cargo bench --bench core`. Every figure is the median of eleven rounds.

#[path = "rig/machine.rs"]
mod machine;
mod rig;

use bellini_core::flow::FlowList;
use bellini_core::header::HeaderBuf;
use bellini_core::ids::{Epoch, FlowId, HopIndex, SessionKey};
use bellini_core::io::DrawMode;
use bellini_core::io::HopKind;
use bellini_core::rng::{Seed, Stream};
use bellini_core::route::Route;
use bellini_core::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};
use bellini_core::wire::routing::RouteLimits;
use machine::{machine, median};
use rig::wire::Wire;
use rig::{Batch, Chain, id};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 11;
/// Draws of a round.
const DRAWS: u64 = 2_000_000;
/// Packets of a round, and how many of them go through each stage at a time.
const PACKETS: usize = 200_000;
const BATCH: usize = 64;
/// Routing and flow assignment, and dispatch, in the paper: nanoseconds per packet.
const PAPER_ROUTING_NS: f64 = 1_890.0;
const PAPER_DISPATCH_NS: f64 = 5_470.0;

fn main() {
    println!("{}\n", machine());
    println!(
        "{:<58} {:>10} {:>10} {:>10}",
        "ns per packet (median of 11 rounds)", "here", "paper", "paper/here"
    );
    routing();
    let one = stages(1);
    row("dispatch: received packet to feeder", one.dispatch, Some(PAPER_DISPATCH_NS));
    row(
        "whole relay step: received packet to frame handed out",
        one.dispatch + one.forward,
        Some(PAPER_DISPATCH_NS),
    );
    row("delivery at a sink", one.sink, None);
    row("source: timeout, symbol, draw, feeder, frame handed out", one.emit, None);
    for copies in [2, 3, 5] {
        let many = stages(copies);
        let further = f64::from(copies - 1);
        let name = format!("each further copy of {copies}: to its feeder");
        row(&name, (many.dispatch - one.dispatch) / further, None);
        let name = format!("each further copy of {copies}: to the frame handed out");
        row(&name, (many.dispatch + many.forward - one.dispatch - one.forward) / further, None);
    }
    paced();
}

/// Times packets from a source over a relay to a sink, over links of a millisecond, without congestion control and
/// under TFRC, in turns; per hop, reports included.
fn paced() {
    let mut chains = [HopKind::Datagram, HopKind::Paced].map(|kind| {
        let mut chain = Chain::with_session_over(kind, 1);
        let mut wire = Wire::of(&chain);
        // Until slow start is over.
        (0..2_000).for_each(|_| chain.pass_millisecond(&mut wire));
        (chain, wire, Vec::new())
    });
    for _ in 0..ROUNDS {
        for (chain, wire, nanos) in &mut chains {
            let (before, start) = (chain.delivered(), Instant::now());
            (0..1_000).for_each(|_| chain.pass_millisecond(wire));
            let hops = 2 * (chain.delivered() - before);
            nanos.push(start.elapsed().as_nanos() as f64 / hops as f64);
        }
    }
    let [plain, tfrc] = chains.map(|(_, _, mut nanos)| median(&mut nanos));
    row("a packet over one of two hops, its end points included", plain, None);
    row("the same over hops under TFRC", tfrc, None);
    println!("{:<58} {:>9.2}x", "under TFRC / without congestion control", tfrc / plain);
}

fn row(name: &str, here: f64, paper: Option<f64>) {
    let (paper, ratio) = paper.map_or((String::from("-"), String::from("-")), |paper| {
        (format!("{paper:.0}"), format!("{:.0}x", paper / here))
    });
    println!("{name:<58} {here:>10.1} {paper:>10} {ratio:>10}");
}

/// Draws flows as a source does, alone and with the packet's header written for the drawn flow.
fn routing() {
    for flows in [1, 2, 16, 200] {
        let mut list = flow_list(flows);
        let mut stream = Seed(7).stream("bench");
        let mut decided = Vec::new();
        let mut written = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let mut sum = 0;
            for _ in 0..DRAWS {
                sum += list.draw(black_box(&mut stream));
            }
            black_box(sum);
            decided.push(start.elapsed().as_nanos() as f64 / DRAWS as f64);
            written.push(stamp(&mut list, &mut stream));
        }
        let name = format!("routing + flow assignment, {flows} flows: decision");
        row(&name, median(&mut decided), Some(PAPER_ROUTING_NS));
        let name = format!("routing + flow assignment, {flows} flows: header written");
        row(&name, median(&mut written), Some(PAPER_ROUTING_NS));
    }
}

fn flow_list(flows: u32) -> FlowList {
    let routes: Vec<(Route, f64)> =
        (0..flows).map(|i| (Route::path(&[id(10 + i), id(2)]), f64::from(i + 1))).collect();
    let limits = RouteLimits { copies_max: 64, bytes_max: 512 };
    FlowList::new(id(1), &routes, DrawMode::Random, limits, |_| HopIndex(0)).expect("legal routes")
}

fn stamp(list: &mut FlowList, stream: &mut Stream) -> f64 {
    // A small ring of slots stands for the feeder's, which are warm.
    let mut slots = vec![HeaderBuf::default(); 64];
    let start = Instant::now();
    for number in 0..DRAWS {
        let flow = list.draw(stream);
        let header = PacketHeader {
            key: SessionKey::new(1, 2),
            epoch: Epoch(0),
            flow: FlowId(flow as u16),
            number,
            symbol: number,
            timestamp_ns: number * 8_000,
            flags: PacketFlags::default(),
            object: 0,
            index: 0,
            count: 1,
        };
        for branch in &list.flows()[flow].branches {
            let slot = &mut slots[number as usize % 64];
            let fits = slot.write(PACKET_FIXED_BYTES, |out| header.emit(out), &branch.pathlet, &[]);
            assert!(black_box(fits), "a short route fits");
        }
    }
    black_box(&slots);
    start.elapsed().as_nanos() as f64 / DRAWS as f64
}

/// Nanoseconds per packet of the source in each stage of its way.
struct Stages {
    emit: f64,
    dispatch: f64,
    forward: f64,
    sink: f64,
}

/// Lets packets go from a source over a relay to `sinks` sinks, 64 at a time, and times each stage.
///
/// Stages include what a driver does: a copy of the header on handing out, the look at its hop.
fn stages(sinks: u32) -> Stages {
    let mut chain = Chain::with_session(sinks);
    let (mut sent, mut relayed, mut rest) = (Batch::default(), Batch::default(), Batch::default());
    let mut rounds: [Vec<f64>; 4] = Default::default();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let mut nanos = [0.0; 4];
        for _ in 0..PACKETS / BATCH {
            sent.clear();
            relayed.clear();
            let mut at = Instant::now();
            let mut lap = |stage: usize| {
                let now = Instant::now();
                nanos[stage] += (now - at).as_nanos() as f64;
                at = now;
            };
            chain.emit(BATCH, &mut sent);
            lap(0);
            chain.dispatch(&sent);
            lap(1);
            chain.forward(&mut relayed);
            lap(2);
            chain.sink(0, &relayed, &mut rest);
            lap(3);
            assert_eq!(relayed.len(), BATCH * sinks as usize, "every copy is handed out");
        }
        if round > 0 {
            for (round, nanos) in rounds.iter_mut().zip(nanos) {
                round.push(nanos / (PACKETS / BATCH * BATCH) as f64);
            }
        }
    }
    let delivered = ((ROUNDS + 1) * (PACKETS / BATCH) * BATCH) as u64;
    assert_eq!(chain.delivered(), delivered, "the first sink takes every packet");
    let [emit, dispatch, forward, sink] = rounds.map(|mut round| median(&mut round));
    Stages { emit, dispatch, forward, sink }
}
