//! Prints the cost of passing a packet through a feeder: one push, written in place, and one pop, read in place.
//!
//! `cargo bench -p bellini-core --bench feeder`. Each figure is the median of nine runs of 2,000,000 packets of
//! 300 B structs, a warm-up before. "busy" keeps 4 packets waiting per conference, so that turns pass between
//! filled queues; "idle" pops every packet at once, so that each one fills and empties its queue.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use bellini_core::feeder::{Feeder, FeederConfig, Lane, Scheduler};
use bellini_core::ids::ConferenceId;
use std::hint::black_box;
use std::time::Instant;

const PACKETS: u32 = 2_000_000;
const RUNS: usize = 9;

/// As large as a packet with its routing header inline. Like the dispatcher, the bench writes all of it once, and
/// reads of it what a hop must look at.
struct Packet {
    number: u64,
    header: [u8; 292],
}

impl Default for Packet {
    fn default() -> Self {
        Self { number: 0, header: [0; 292] }
    }
}

/// How much of the packet is written per push.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Number,
    Whole,
}

fn main() {
    println!("ns per push + pop, 300 B packets, median of {RUNS} (lowest .. highest)");
    let schedulers = [
        (Scheduler::RoundRobin, "round-robin"),
        (Scheduler::DeficitWeighted, "deficit-weighted"),
        (Scheduler::StrictPriority, "strict-priority"),
        (Scheduler::Fifo, "fifo"),
    ];
    for (scheduler, name) in schedulers {
        for conferences in [1, 10, 100] {
            for (waiting, load) in [(4, "busy"), (0, "idle")] {
                for (fill, written) in [(Fill::Number, "queueing alone"), (Fill::Whole, "packet written")] {
                    let mut runs: Vec<_> =
                        (0..RUNS).map(|_| run(scheduler, conferences, waiting, fill)).collect();
                    runs.sort_by(f64::total_cmp);
                    let (low, median, high) = (runs[0], runs[RUNS / 2], runs[RUNS - 1]);
                    println!(
                        "{name:>16}  {conferences:>3} conferences  {load}  {written:<14}  \
                         {median:5.1}  ({low:.1} .. {high:.1})"
                    );
                }
            }
        }
    }
}

/// Returns the nanoseconds per packet of one run.
fn run(scheduler: Scheduler, conferences: u32, waiting: u32, fill: Fill) -> f64 {
    let mut feeder = Feeder::<Packet>::new(FeederConfig { scheduler, ..FeederConfig::default() });
    for id in 0..conferences {
        for _ in 0..waiting {
            push(&mut feeder, id, 0, fill);
        }
    }
    let mut pass = |packets: u32| {
        let mut sum = 0_u64;
        let mut id = 0;
        let step = 7 % conferences;
        for number in 0..packets {
            push(&mut feeder, id, number.into(), fill);
            // Conferences in an order that no scheduler shares.
            id += step;
            if id >= conferences {
                id -= conferences;
            }
            if let Some(popped) = feeder.pop() {
                sum += popped.packet.number + u64::from(popped.packet.header[100]);
            }
        }
        black_box(sum);
    };
    pass(PACKETS / 20);
    let start = Instant::now();
    pass(PACKETS);
    start.elapsed().as_nanos() as f64 / f64::from(PACKETS)
}

fn push(feeder: &mut Feeder<Packet>, id: u32, number: u64, fill: Fill) {
    let lane = if number.is_multiple_of(8) { Lane::Bulk } else { Lane::Live };
    if let Some(packet) = feeder.push(ConferenceId(black_box(id)), lane, 1200, &mut |_, _| ()) {
        packet.number = number;
        if fill == Fill::Whole {
            packet.header.fill(number as u8);
        }
    }
}
