//! Nanoseconds per simulated packet-hop on the `overlay-S` workload, beside the figures of peers.
//!
//! `cargo bench -p bellini-sim --bench overlay [-- ROUNDS]`

#[path = "../tests/common/mod.rs"]
mod common;

use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Simulation};
use std::time::Instant;

fn main() {
    let rounds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(5);
    println!(
        "{:>6} {:>12} {:>12} {:>10} {:>10} {:>10}",
        "S", "packet-hops", "delivered", "median ns", "min ns", "max ns"
    );
    for (sessions, rate) in [(10, 10), (100, 5), (1_000, 5)] {
        let seconds = 10;
        let scenario =
            common::overlay(sessions, common::mbps(rate), bellini_core::time::Duration::from_secs(seconds));
        let mut nanos = Vec::new();
        let mut figures = (0, 0);
        for _ in 0..rounds {
            let simulation = Simulation::new(&scenario, 1, &Registry::builtin()).expect("it starts");
            let start = Instant::now();
            let outcome = simulation.run(&mut NoObserver).expect("packets add up");
            let wall = start.elapsed();
            let hops = outcome.summary.engine.and_then(|engine| engine.packet_hops).unwrap_or(1);
            nanos.push(wall.as_nanos() as f64 / hops as f64);
            let delivered = outcome.summary.sessions.iter().flat_map(|session| &session.destinations);
            figures = (hops, delivered.map(|destination| destination.delivered_packets).sum::<u64>());
        }
        nanos.sort_by(f64::total_cmp);
        println!(
            "{sessions:>6} {:>12} {:>12} {:>10.1} {:>10.1} {:>10.1}",
            figures.0,
            figures.1,
            nanos[nanos.len() / 2],
            nanos[0],
            nanos[nanos.len() - 1]
        );
    }
    println!(
        "peers (targets, another machine): ns-3 4241 / 5934 / 20750; ns-2 206 / 308 / 805; htsim 111 / 156 / 431"
    );
}
