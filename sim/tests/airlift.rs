//! Airlift's plans, carried out: what was planned arrives, and nothing beats the bound.

use crate::watch::run;
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::config::ProbingConfig;
use bellini_core::ids::SessionKey;
use bellini_core::time::Duration;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_scenarios::conduct::planning_view;
use bellini_scenarios::model::{Scenario, View};
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::policies::airlift::{Plan, bound, plan};
use bellini_scenarios::policy::NetworkView;
use bellini_scenarios::record::DestinationSummary;
use std::collections::BTreeMap;
use std::path::Path;

fn shipped(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.json"));
    load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}")).scenario
}

/// The view before anything happens, as if no session said what it wants.
fn open_view(scenario: &Scenario) -> NetworkView {
    let mut view = planning_view(scenario);
    view.sessions.iter_mut().for_each(|session| session.rate = None);
    view
}

fn rate(plan: &Plan, key: SessionKey) -> f64 {
    plan.sessions[&key].as_ref().unwrap_or_else(|why| panic!("{key}: {why}")).rate_bps
}

/// Aim: at 0.9 of the plan every destination gets at least 99 % of what is sent, 99 % of it within the delay bound, queues
/// and decoding included; with coding and without, whether the network is known or measured.
#[test]
fn nine_tenths_of_the_plan_arrive_in_time() {
    for (name, bound_ms, seen) in [
        ("policies/airlift-coded", 150.0, View::Oracle),
        ("policies/airlift-trees", 300.0, View::Oracle),
        ("policies/airlift-coded", 150.0, View::Measured),
        ("policies/airlift-trees", 300.0, View::Measured),
    ] {
        let mut scenario = shipped(name);
        if seen == View::Measured {
            scenario.view = seen;
            scenario.probing = Some(ProbingConfig::default());
            scenario.planner.period = Duration::from_secs(1);
            // Nodes measure first.
            scenario.measure.from = Duration::from_secs(5);
            for session in scenario.conferences.iter_mut().flat_map(|conference| &mut conference.sessions) {
                session.start = Duration::from_secs(4);
            }
        }
        let view = planning_view(&scenario);
        let plan = plan(&open_view(&scenario)).expect("the parameters are right");
        assert_eq!(plan.fallback, None);
        let summary = run(&scenario, 1);
        for (session, measured) in view.sessions.iter().zip(&summary.sessions) {
            let planned = rate(&plan, session.key) * 1e-6;
            let wanted = session.rate.expect("it is constant").as_bps() as f64 * 1e-6;
            println!("{name} {seen:?} {}: plan {planned:.3} Mbit/s, sent {wanted:.3}", session.key);
            for found in &measured.destinations {
                let got = found.goodput_mbps.unwrap_or(0.0);
                let p99 = found.delay_ms.map_or(f64::INFINITY, |delay| delay.p99);
                println!("  {}: {got:.3} Mbit/s, {:.4} of it, p99 {p99:.1} ms", found.node, got / wanted);
                assert!(got >= 0.99 * wanted && p99 <= bound_ms, "{found:?}");
            }
            assert!((wanted / planned - 0.9).abs() < 0.01, "{wanted} is not 0.9 of {planned}");
        }
    }
}

/// Aim: whatever routes, transports and coding do, all sessions together never get more to all their destinations than
/// perfect relays without delay bounds could bring there, in packets with the least headers.
#[test]
fn no_run_beats_the_bound() {
    let names = [
        "policies/airlift-coded",
        "policies/airlift-trees",
        "coding/butterfly",
        "coding/butterfly-trees",
        "transports/overflow-backoff",
        "transports/adaptive-assignment",
        "overflow",
    ];
    for name in names {
        let scenario = shipped(name);
        let mut view = open_view(&scenario);
        for session in &mut view.sessions {
            session.policy = "airlift".to_owned();
            session.parameters = BTreeMap::from([("max_relays".to_owned(), 6.into())]);
            session.delay_bound = None;
            session.header_bytes = (UDP_IP_BYTES + DATA_FIXED_BYTES) as u32;
            session.coding = Some(CodingSpec {
                scheme: Scheme::Generation { size: 64, systematic: true, latency: None },
                repair: Repair::Fixed(0.0),
                recode: true,
                real_bytes: false,
            });
        }
        let most = bound(&view).expect("a checked answer") * 1e-6;
        let summary = run(&scenario, 1);
        let least = |destinations: &[DestinationSummary]| {
            destinations.iter().map(|found| found.goodput_mbps.unwrap_or(0.0)).fold(f64::INFINITY, f64::min)
        };
        let got: f64 = summary.sessions.iter().map(|session| least(&session.destinations)).sum();
        println!("{name}: {got:.3} of at most {most:.3} Mbit/s");
        assert!(got <= most, "{name}: {got} Mbit/s beat the bound {most}");
    }
}
