//! What many sessions cost: a thousand beside ten at the same packet rate, and a thousand starts a second.
//!
//! `cargo bench --bench sessions [-- --rounds N] [--seconds S]`: rounds of each load (7), and how long starts are
//! sustained (60 simulated seconds).

#[path = "rig/machine.rs"]
mod machine;

use bellini_core::content::spec::Content;
use bellini_core::ids::{ConferenceId, SessionId};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Conference, Scenario};
use bellini_scenarios::parse::{LoadOptions, load, parse_str};
use bellini_scenarios::record::Summary;
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Observer, Progress, Simulation};
use machine::{argument, cpu_s, machine, median, memory_mib};
use std::path::Path;
use std::time::Instant;

/// Payload of all sessions together, in bit/s: 125,000 packets a second.
const TOTAL_BPS: u64 = 1_000_000_000;

fn main() {
    println!("{}\n", machine());
    many_beside_few(argument("--rounds").unwrap_or(7_usize).max(1));
    starts(argument("--seconds").unwrap_or(60_u32).max(30));
}

fn many_beside_few(rounds: usize) {
    println!(
        "the same 125,000 packets a second, each over one relay, for 10 s ({rounds} rounds, interleaved)"
    );
    let loads = [(10, 10), (1_000, 1_000), (1_000, 10)];
    let scenarios = loads.map(|(sessions, per_conference)| same_rate(sessions, per_conference));
    let mut nanos: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        for (scenario, nanos) in scenarios.iter().zip(&mut nanos) {
            nanos.push(run(scenario, &mut NoObserver).0);
        }
    }
    let medians = nanos.map(|mut nanos| median(&mut nanos));
    for ((sessions, per_conference), ns) in loads.iter().zip(medians) {
        let conferences = sessions / per_conference;
        let ratio = ns / medians[0];
        println!(
            "  {sessions:>5} sessions in {conferences:>3} conferences: {ns:>7.1} ns per packet-hop, {ratio:.2}x"
        );
    }
}

/// The sessions of a shipped `overlay` scenario, sharing [`TOTAL_BPS`] evenly, in conferences of equal size.
fn same_rate(sessions: usize, per_conference: usize) -> Scenario {
    let file = format!("scenarios/bench/overlay-{sessions}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut scenario = load(&path, &LoadOptions::default()).expect("a shipped scenario is right").scenario;
    let whole = scenario.conferences.remove(0);
    let rate = BitRate::from_bps(TOTAL_BPS / sessions as u64).expect("not zero");
    for (c, chunk) in whole.sessions.chunks(per_conference).enumerate() {
        let mut part = chunk.to_vec();
        for (s, session) in part.iter_mut().enumerate() {
            // Sources begin one after the other, so that packets are spread evenly over time.
            let position = (c * per_conference + s) as u64;
            let interval = 8 * u64::from(session.symbol_bytes) * 1_000_000_000 / rate.as_bps();
            let phase = Duration::from_nanos(interval * position / sessions as u64);
            session.id = SessionId(s as u32 + 1);
            session.content = Content::Constant { rate, phase };
        }
        let id = c as u32 + 1;
        let name = format!("c{id}");
        scenario.conferences.push(Conference { id: ConferenceId(id), name, sessions: part, ..whole.clone() });
    }
    scenario
}

/// Returns nanoseconds of the processor per packet-hop of the whole run, and its summary.
fn run(scenario: &Scenario, observer: &mut dyn Observer) -> (f64, Summary) {
    let start = cpu_s();
    let simulation = Simulation::new(scenario, 1, &Registry::builtin()).expect("it starts");
    let summary = simulation.run(observer).expect("packets add up").summary;
    let nanos = (cpu_s() - start) * 1e9;
    let hops = summary.engine.as_ref().and_then(|engine| engine.packet_hops).unwrap_or(1);
    (nanos / hops as f64, summary)
}

/// A hundred conferences of ten sessions start each second and live one second on average.
fn starts(seconds: u32) {
    let text = format!(
        r#"{{
  "bellini": 1,
  "description": "A thousand session starts a second.",
  "duration": "{seconds} s",
  "settle": "1 s",
  "drain": "1 s",
  "nodes": [
    {{"id": 1, "name": "virginia", "region": "aws:us-east-1"}},
    {{"id": 2, "name": "california", "region": "aws:us-west-1"}},
    {{"id": 3, "name": "oregon", "region": "aws:us-west-2"}},
    {{"id": 4, "name": "ireland", "region": "aws:eu-west-1"}},
    {{"id": 5, "name": "singapore", "region": "aws:ap-southeast-1"}},
    {{"id": 6, "name": "tokyo", "region": "aws:ap-northeast-1"}},
    {{"id": 7, "name": "saopaulo", "region": "aws:sa-east-1"}}
  ],
  "topology": {{"dataset": "aws-2013", "mesh": true, "rate": "1 Gbit/s"}},
  "populations": [
    {{
      "conferences": {conferences},
      "sessions": 10,
      "destinations": 2,
      "start": {{"every": "10 ms"}},
      "lifetime": {{"exponential": "1 s"}},
      "symbol_bytes": "160 B",
      "content": {{"kind": "constant", "rate": "64 kbit/s"}},
      "routing": "multicast-tree"
    }}
  ]
}}"#,
        conferences = seconds * 100
    );
    let scenario = match parse_str("starts.json", &text, &LoadOptions::default()) {
        Ok(loaded) => loaded.scenario,
        Err(diagnostics) => panic!("the scenario is right: {diagnostics}"),
    };
    let mut samples = Samples::default();
    let before = memory_mib("VmRSS");
    let start = Instant::now();
    let (ns, summary) = run(&scenario, &mut samples);
    let wall = start.elapsed().as_secs_f64();
    let destinations = summary.sessions.iter().flat_map(|session| &session.destinations);
    let delivered = destinations.map(|destination| destination.delivered_packets).sum::<u64>();
    println!("\n1,000 session starts a second for {seconds} simulated seconds");
    println!(
        "  {} sessions, {delivered} packets delivered, {wall:.1} s of wall time, {ns:.0} ns per packet-hop",
        summary.sessions.len(),
    );
    println!("  resident memory with the scenario read: {before:.1} MiB");
    for (from, to) in [(0.25, 0.5), (0.5, 0.75), (0.75, 1.0)] {
        let part: Vec<f64> =
            samples.rss.iter().filter(|(done, _)| (from..to).contains(done)).map(|(_, mib)| *mib).collect();
        let mean = part.iter().sum::<f64>() / part.len().max(1) as f64;
        let largest = part.iter().copied().fold(0.0, f64::max);
        println!(
            "  from {from:.2} to {to:.2} of the run: {mean:.1} MiB on average, {largest:.1} MiB at most"
        );
    }
}

/// Resident memory over the run.
#[derive(Default)]
struct Samples {
    rss: Vec<(f64, f64)>,
}

impl Observer for Samples {
    fn progress(&mut self, done: f64) -> Progress {
        if self.rss.last().is_none_or(|(last, _)| done - last >= 0.005) {
            self.rss.push((done, memory_mib("VmRSS")));
        }
        Progress::GoOn
    }
}
