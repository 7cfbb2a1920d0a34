//! How long `airlift` takes to plan: conferences on datacenters of a full mesh, everything from view to routes.
//!
//! `cargo bench --bench planner`; `-- FILTER` for the lines that contain it. Each figure is the median of the rounds: the wall
//! clock, and the processor time of the thread, which other work on the machine touches less (zero where the system does not
//! tell).

use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::policies::airlift::plan;
use bellini_scenarios::policy::{NetworkView, ViewLink, ViewNode, ViewSession};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    println!(
        "datacenters conferences x sessions  objective     coded       ms   cpu_ms    LPs patterns total_mbps"
    );
    let objectives = ["total", "max-min", "proportional"];
    let paper =
        [(7, 20, 1), (7, 20, 4)].into_iter().flat_map(|size| objectives.map(|objective| (size, objective)));
    let curve = [5, 7, 10, 15, 20, 30].map(|datacenters| ((datacenters, 20, 1), "total"));
    for ((datacenters, conferences, sessions), objective) in paper.chain(curve) {
        for coded in [false, true] {
            let name = format!(
                "{datacenters} {conferences}x{sessions} {objective} {}",
                if coded { "coded" } else { "trees" }
            );
            if name.contains(&filter) {
                measure(datacenters, conferences, sessions, objective, coded);
            }
        }
    }
}

fn measure(datacenters: u32, conferences: u32, sessions: u32, objective: &str, coded: bool) {
    let rounds = 3;
    let (mut took, mut busy) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..rounds {
        let view = view(datacenters, conferences, sessions, objective, coded, round);
        let (start, before) = (Instant::now(), processor_ms());
        let plan = plan(&view).expect("the parameters are right");
        took.push(start.elapsed().as_secs_f64() * 1e3);
        busy.push(processor_ms() - before);
        assert_eq!(plan.fallback, None);
        last = Some(plan);
    }
    took.sort_by(f64::total_cmp);
    busy.sort_by(f64::total_cmp);
    let plan = last.expect("there was a round");
    println!(
        "{datacenters:>11} {conferences:>11} x {sessions:<8}  {objective:<12} {coded:>6} {:>8.1} {:>8.1} {:>6} {:>8} {:>10.1}",
        took[took.len() / 2],
        busy[busy.len() / 2],
        plan.rounds,
        plan.patterns,
        plan.total_bps * 1e-6
    );
}

/// Returns how long this thread has had a processor, as Linux counts it.
fn processor_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).map_or(0.0, |nanos| nanos * 1e-6)
}

/// Datacenters at random in a plane that light crosses in 100 ms, links of 50 to 200 Mbit/s; each conference has four
/// members at random datacenters, of whom `sessions` send to the others, within 150 ms.
fn view(
    datacenters: u32,
    conferences: u32,
    sessions: u32,
    objective: &str,
    coded: bool,
    round: u64,
) -> NetworkView {
    let mut stream = Seed(round).stream("planner bench");
    let node = |number: u32| NodeId::new(number + 1).expect("small numbers are ids");
    let at: Vec<(f64, f64)> = (0..datacenters).map(|_| (stream.unit(), stream.unit())).collect();
    let nodes = (0..datacenters)
        .map(|number| ViewNode {
            id: node(number),
            name: format!("dc{number}"),
            region: None,
            egress: None,
            ingress: None,
        })
        .collect();
    let mut links = Vec::new();
    for (from, to) in (0..datacenters).flat_map(|from| (0..datacenters).map(move |to| (from, to))) {
        if from != to {
            let ((ax, ay), (bx, by)) = (at[from as usize], at[to as usize]);
            let far = ((ax - bx).powi(2) + (ay - by).powi(2)).sqrt();
            links.push(ViewLink {
                from: node(from),
                to: node(to),
                delay: Duration::from_nanos(2_000_000 + (far * 1e8) as u64),
                rate: BitRate::from_bps(50_000_000 + stream.below(150_000_000)),
                loss: 0.0,
                usd_per_gb: None,
                measured: None,
            });
        }
    }
    let mut all = Vec::new();
    for conference in 1..=conferences {
        let members = members(&mut stream, datacenters);
        for session in 1..=sessions {
            let source = members[session as usize - 1];
            let mut others: Vec<u32> = members.iter().copied().filter(|member| *member != source).collect();
            others.sort_unstable();
            all.push(ViewSession {
                key: SessionKey::new(conference, session),
                source: node(source),
                destinations: others.into_iter().map(node).collect(),
                rate: None,
                start: bellini_core::time::Duration::ZERO,
                stop: bellini_core::time::Duration::from_secs(1),
                delay_bound: Some(Duration::from_millis(150)),
                coding: coded.then_some(CodingSpec {
                    scheme: Scheme::Generation { size: 32, systematic: true, latency: None },
                    repair: Repair::Fixed(0.0),
                    recode: true,
                    real_bytes: false,
                }),
                symbol_bytes: 1_200,
                header_bytes: if coded { 188 } else { 104 },
                policy: "airlift".to_owned(),
                parameters: BTreeMap::from([("objective".to_owned(), Value::from(objective))]),
            });
        }
    }
    NetworkView { nodes, links, sessions: all }
}

fn members(stream: &mut Stream, datacenters: u32) -> Vec<u32> {
    let mut members = Vec::new();
    while members.len() < 4 {
        let member = stream.below(u64::from(datacenters)) as u32;
        if !members.contains(&member) {
            members.push(member);
        }
    }
    members
}
