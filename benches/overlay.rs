//! Nanoseconds per simulated packet-hop on the shipped `overlay` scenarios, beside the figures of other simulators.
//!
//! `cargo bench --bench overlay [-- --rounds N] [--seconds S] [--sessions S]`: rounds per scenario (5), a shorter run
//! for a quick look, only one of the scenarios (for a profiler). Time of a whole run, of the
//! processor and on the wall, is divided by the packets that links took: recording of samples, the digest,
//! the ledger and the making of the summary are in it; reading the scenario is not.

#[path = "rig/machine.rs"]
mod machine;

use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Simulation};
use machine::{argument, cpu_s, machine, median, memory_mib, reset_peak};
use std::path::Path;
use std::time::Instant;

/// ns-3 3.37 (optimised profile), ns-2 (only the headers in use), htsim: ns per packet-hop on the same load.
const PEERS: [(u32, [u32; 3]); 3] =
    [(10, [4_241, 206, 111]), (100, [5_934, 308, 156]), (1_000, [20_750, 805, 431])];

fn main() {
    let rounds = argument("--rounds").unwrap_or(5_usize).max(1);
    let seconds: Option<u32> = argument("--seconds");
    println!("{}; ns per packet-hop, {rounds} rounds a scenario", machine());
    println!("peers' figures were taken on the same load on another machine\n");
    println!(
        "{:>5} {:>12} {:>10} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>6} {:>6}  digest",
        "S",
        "packet-hops",
        "delivered",
        "cpu ns",
        "min",
        "max",
        "wall ns",
        "peak MiB",
        "ns-3",
        "ns-2",
        "htsim"
    );
    let only: Option<u32> = argument("--sessions");
    let mut medians = Vec::new();
    for (sessions, peers) in
        PEERS.into_iter().filter(|(sessions, _)| only.is_none_or(|only| only == *sessions))
    {
        reset_peak();
        let scenario = scenario(sessions, seconds, "udp-unpaced");
        let (mut nanos, mut walls) = (Vec::new(), Vec::new());
        let mut figures = (0, 0, String::new());
        for _ in 0..rounds {
            let (start, cpu) = (Instant::now(), cpu_s());
            let simulation = Simulation::new(&scenario, 1, &Registry::builtin()).expect("it starts");
            let outcome = simulation.run(&mut NoObserver).expect("packets add up");
            let (wall, cpu) = (start.elapsed(), cpu_s() - cpu);
            let summary = outcome.summary;
            let hops = summary.engine.and_then(|engine| engine.packet_hops).unwrap_or(1);
            nanos.push(cpu * 1e9 / hops as f64);
            walls.push(wall.as_nanos() as f64 / hops as f64);
            let destinations = summary.sessions.iter().flat_map(|session| &session.destinations);
            let delivered = destinations.map(|destination| destination.delivered_packets).sum::<u64>();
            let now = (hops, delivered, summary.digest.unwrap_or_default());
            assert!(figures.1 == 0 || figures == now, "the same run every time");
            figures = now;
        }
        let (hops, delivered, digest) = figures;
        let middle = median(&mut nanos);
        medians.push(middle);
        let [ns3, ns2, htsim] = peers;
        println!(
            "{sessions:>5} {hops:>12} {delivered:>10} {middle:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>8.1} {ns3:>8} {ns2:>6} {htsim:>6}  {}",
            nanos[0],
            nanos[nanos.len() - 1],
            median(&mut walls),
            memory_mib("VmHWM"),
            &digest[..digest.len().min(16)],
        );
    }
    println!();
    for (sessions, _) in PEERS.into_iter().filter(|(sessions, _)| only.is_none_or(|only| only == *sessions)) {
        paced(sessions, seconds, rounds);
    }
    if let [few, .., many] = medians[..] {
        println!("\ngrowth from S = 10 to 1000: {:.2}x (htsim 3.9x, ns-2 3.9x, ns-3 4.9x)", many / few);
    }
}

/// Runs a scenario over hops without congestion control and under TFRC, in turns, and prints the ratio.
fn paced(sessions: u32, seconds: Option<u32>, rounds: usize) {
    let scenarios = ["udp-unpaced", "udp"].map(|transport| scenario(sessions, seconds, transport));
    let mut nanos = [Vec::new(), Vec::new()];
    let mut hops = [0, 0];
    for _ in 0..rounds {
        for ((scenario, nanos), hops) in scenarios.iter().zip(&mut nanos).zip(&mut hops) {
            let cpu = cpu_s();
            let simulation = Simulation::new(scenario, 1, &Registry::builtin()).expect("it starts");
            let summary = simulation.run(&mut NoObserver).expect("packets add up").summary;
            *hops = summary.engine.and_then(|engine| engine.packet_hops).unwrap_or(1);
            nanos.push((cpu_s() - cpu) * 1e9 / *hops as f64);
        }
    }
    let [plain, tfrc] = nanos.each_mut().map(|nanos| median(nanos));
    println!(
        "S = {sessions:>4} under TFRC: {tfrc:.1} ns per packet-hop ({} of them), {:.2}x of {plain:.1} without congestion control ({})",
        hops[1],
        tfrc / plain,
        hops[0]
    );
}

fn scenario(sessions: u32, seconds: Option<u32>, transport: &str) -> bellini_scenarios::model::Scenario {
    let file = format!("scenarios/bench/overlay-{sessions}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut set: Vec<_> =
        seconds.map(|seconds| ("duration".to_owned(), format!("{seconds} s"))).into_iter().collect();
    set.push(("defaults.session.transport".to_owned(), transport.to_owned()));
    let options = LoadOptions { set, ..LoadOptions::default() };
    load(&path, &options).expect("a shipped scenario is right").scenario
}
