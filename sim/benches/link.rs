//! Prints the cost of a packet through a link: admission and arrival, nanoseconds, median of seven runs.
//!
//! `cargo bench -p bellini-sim --bench link`. No event queue is involved: the driver here steps from packet to packet.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Jitter, JitterModel, Loss, Queue, QueueDiscipline, Rate};
use bellini_sim::link::{Admit, LinkModel, LinkSpec, LinkStreams};
use std::hint::black_box;

const PACKETS: u64 = 2_000_000;

fn main() {
    // `cargo bench` says so; `cargo test --all-targets` only wants to see it build.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let rate = Rate::Constant(BitRate::from_bps(1_000_000_000).expect("not zero"));
    let queue = |discipline| Queue { bytes: 1_030_000, discipline };
    let delay = Duration::from_millis(5);
    let serialiser = LinkSpec::serialiser(rate, queue(QueueDiscipline::DropTail));
    let plain = LinkSpec { delay, mtu: 1_500, ..serialiser };
    let reorder = |reorder| {
        let model = JitterModel::Uniform(Duration::from_micros(100));
        Some(Jitter { model, reorder })
    };
    let red = QueueDiscipline::Red {
        min_bytes: 100_000,
        max_bytes: 500_000,
        max_probability: 0.1,
        weight: 0.002,
        wait: false,
    };
    let codel =
        QueueDiscipline::CoDel { target: Duration::from_millis(5), interval: Duration::from_millis(100) };
    // Packets come in bursts of ten, on average 8.7 us apart where 8.24 us are needed: the queue is used.
    println!("{:<28}{:>10}", "link", "ns/packet");
    measure("drop-tail", &plain);
    measure("drop-tail, sizes vary", &LinkSpec { mtu: 9_000, ..plain.clone() });
    measure("unlimited", &LinkSpec { rate: Rate::Unlimited, ..plain.clone() });
    measure("Bernoulli loss", &LinkSpec { loss: Loss::Bernoulli(0.01), ..plain.clone() });
    measure("jitter", &LinkSpec { jitter: reorder(false), ..plain.clone() });
    measure("jitter, reordering", &LinkSpec { jitter: reorder(true), ..plain.clone() });
    measure("RED", &LinkSpec { queue: queue(red), ..plain.clone() });
    measure("CoDel", &LinkSpec { queue: queue(codel), ..plain });
}

fn measure(name: &str, spec: &LinkSpec) {
    let mut costs: Vec<f64> = (0..7).map(|_| run(spec)).collect();
    costs.sort_by(f64::total_cmp);
    println!("{name:<28}{:>10.1}", costs[3]);
}

fn run(spec: &LinkSpec) -> f64 {
    let vary = u64::from(spec.mtu > 1_500);
    let mut link = LinkModel::<u32>::new(spec, LinkStreams::named(Seed(1), "bench"));
    let mut out = 0_u64;
    let started = std::time::Instant::now();
    for burst in 0..PACKETS / 10 {
        let now = Instant::from_nanos(burst * 87_000);
        while let Some(at) = link.next_event().filter(|&at| at <= now) {
            while link.poll(at).is_some() {
                out += 1;
            }
        }
        for k in 0..10 {
            let bytes = 1_030 - vary * (burst + k) % 7;
            let admit = link.admit(now, bytes as u32, k as u32);
            out += u64::from(admit != Admit::Accepted);
        }
    }
    let cost = started.elapsed().as_nanos() as f64 / PACKETS as f64;
    black_box(out);
    cost
}
