//! `airlift`: what of Airlift's plans arrives, by the load, the transport, and what the planner knows of the network.

mod page;

use super::simulate::{Run, simulate};
use super::{Experiment, Findings, Setting, parallel};
use crate::cli::exit::{self, Failure};
use bellini_core::ids::SessionKey;
use bellini_scenarios::conduct::planning_view;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::policies::airlift::plan;
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "airlift",
    about: "what arrives of Airlift's plans by load, transport and view; probing, and a link that is halved",
    run,
}];

/// A shipped scenario, its delay bound, and what the experiment changes of it.
struct Case {
    name: &'static str,
    text: &'static str,
    bound_ms: f64,
    /// Queues of links: the product of rate and round trip of the longest one, and no less.
    queue: &'static str,
    why: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        name: "coded",
        text: include_str!("../../../scenarios/policies/airlift-coded.json"),
        bound_ms: 150.0,
        queue: "80 KiB",
        why: "8 Mbit/s times 76 ms",
    },
    Case {
        name: "trees",
        text: include_str!("../../../scenarios/policies/airlift-trees.json"),
        bound_ms: 300.0,
        queue: "560 KiB",
        why: "12 Mbit/s times 363 ms",
    },
];
/// Both transports, as scenarios and pages name them.
const TRANSPORTS: [(&str, &str); 2] = [("udp-unpaced", "unpaced"), ("udp", "TFRC")];
/// The last one, which only TFRC at the judged load has, shows what trains do for it.
const VIEWS: [&str; 3] = ["oracle", "measured", "oracle, no probes"];
const MEASURED: usize = 1;
const NO_PROBES: usize = 2;
const LOADS: [f64; 6] = [0.5, 0.7, 0.9, 0.95, 1.0, 1.05];
/// The load that bands are for.
const JUDGED: f64 = 0.9;
/// Load of the run in which a link is halved.
const HALVED_LOAD: f64 = 0.7;

/// Moments of a run, in seconds. Nodes have measured their links when sessions start; figures are of the time after
/// congestion control has begun.
#[derive(Clone, Copy, Debug)]
struct Times {
    start: f64,
    from: f64,
    end: f64,
}

const FULL: Times = Times { start: 4.0, from: 24.0, end: 44.0 };
const QUICK: Times = Times { start: 4.0, from: 6.0, end: 9.0 };

/// One way to carry a plan out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    case: usize,
    transport: usize,
    view: usize,
    load: f64,
}

/// What came of one run, at the destination where it was worst.
#[derive(Clone, Debug)]
struct Figures {
    /// Part of the packets that came.
    delivered: f64,
    /// 99th percentile of their delay, as a part of the bound.
    late: f64,
    /// Part of what is to come that does, in the worst place, second by second from the start of sessions.
    seconds: Vec<(f64, f64)>,
}

/// A link whose rate is halved, and when.
#[derive(Clone, Copy, Debug)]
struct Halved {
    link: (&'static str, &'static str),
    at: f64,
    /// When the run ends.
    end: f64,
}

const METRICS: &[(Scope, &str)] = &[(Scope::Destination, "goodput_mbps")];

/// Returns the payload rates of the plan in bit/s, by session, with all that the scenario says of the network known.
fn planned(case: &Case) -> Result<BTreeMap<SessionKey, f64>, Failure> {
    let loaded = parse_str("experiment.json", case.text, &LoadOptions::default());
    let scenario: Scenario = loaded.map_err(|refused| Failure::new(exit::SCENARIO, refused))?.scenario;
    let mut view = planning_view(&scenario);
    view.sessions.iter_mut().for_each(|session| session.rate = None);
    let plan = plan(&view).map_err(|error| Failure::new(exit::FAILED, error))?;
    let rate = |(key, session): (SessionKey, Result<_, String>)| {
        let session: bellini_scenarios::policies::airlift::SessionPlan =
            session.map_err(|error| Failure::new(exit::FAILED, error))?;
        Ok((key, session.rate_bps))
    };
    plan.sessions.into_iter().map(rate).collect()
}

/// Returns the scenario of a case, changed for the experiment.
fn scenario(
    way: Way,
    plan: &BTreeMap<SessionKey, f64>,
    times: Times,
    has_probes: bool,
    halved: Option<Halved>,
) -> Value {
    let case = &CASES[way.case];
    let mut scenario: Value = serde_json::from_str(case.text).unwrap_or_default();
    let seconds = |s: f64| json!(format!("{s} s"));
    scenario["duration"] = seconds(times.end);
    scenario["sample_interval"] = json!("1 s");
    scenario["measure"] = json!({ "from": seconds(times.from), "to": seconds(times.end - 1.0) });
    scenario["view"] = json!(if way.view == MEASURED { "measured" } else { "oracle" });
    if has_probes {
        scenario["probing"] = json!({});
        scenario["planner"] = json!({ "period": "1 s" });
    }
    let queues = if scenario["topology"].is_object() { "/topology" } else { "/defaults/link" };
    if let Some(queues) = scenario.pointer_mut(queues) {
        queues["queue"] = json!(case.queue);
    }
    if let Some(Halved { link: (from, to), at, .. }) = halved {
        scenario["faults"] = json!([{ "at": seconds(at), "degrade": { "links": [format!("{from}>{to}")], "rate_factor": 0.5 } }]);
    }
    let usual = scenario.pointer("/defaults/session/routing").cloned().unwrap_or_default();
    for conference in scenario["conferences"].as_array_mut().into_iter().flatten() {
        let id = conference["id"].as_u64().unwrap_or(0) as u32;
        for session in conference["sessions"].as_array_mut().into_iter().flatten() {
            let key = SessionKey::new(id, session["id"].as_u64().unwrap_or(0) as u32);
            let rate = plan.get(&key).copied().unwrap_or(0.0) * way.load;
            session["content"] = json!({ "kind": "constant", "rate": format!("{} bit/s", rate as u64) });
            session["transport"] = json!(TRANSPORTS[way.transport].0);
            session["start"] = seconds(times.start);
            if session["routing"].is_null() {
                session["routing"] = usual.clone();
            }
            session["routing"]["overload"] = json!("carry");
        }
    }
    scenario
}

fn measure(way: Way, run: &Run, plan: &BTreeMap<SessionKey, f64>, times: Times) -> Figures {
    let mut figures = Figures { delivered: f64::INFINITY, late: 0.0, seconds: Vec::new() };
    let mut least: BTreeMap<u64, f64> = BTreeMap::new();
    for session in &run.summary.sessions {
        let key = SessionKey::new(session.conference, session.session);
        let wanted = plan.get(&key).copied().unwrap_or(f64::INFINITY) * way.load * 1e-6;
        for found in &session.destinations {
            figures.delivered =
                figures.delivered.min(found.delivered_packets as f64 / found.sent_packets.max(1) as f64);
            let p99 = found.delay_ms.map_or(f64::INFINITY, |delay| delay.p99);
            figures.late = figures.late.max(p99 / CASES[way.case].bound_ms);
            let id = format!("{}/{}@{}", session.conference, session.session, found.node);
            for (t, mbps) in run.series("goodput_mbps", &id) {
                if *t > times.start && *t <= times.end {
                    let least = least.entry(t.round() as u64).or_insert(f64::INFINITY);
                    *least = least.min(mbps / wanted);
                }
            }
        }
    }
    figures.seconds = least.into_iter().map(|(t, part)| (t as f64, part)).collect();
    figures
}

/// What probes cost in a run: bytes of all links with them, over those without, less one.
fn probing_cost(
    setting: &Setting<'_>,
    case: usize,
    plan: &BTreeMap<SessionKey, f64>,
    times: Times,
) -> Result<f64, Failure> {
    let way = Way { case, transport: 0, view: 0, load: JUDGED };
    let bytes = |has_probes| {
        let mut scenario = scenario(way, plan, times, has_probes, None);
        // The trains of the beginning, too; both plan alike.
        scenario["measure"] = Value::Null;
        scenario.as_object_mut().map(|scenario| scenario.remove("measure"));
        let run = simulate(setting.registry, &scenario, 1, &[])?;
        Ok(run.summary.links.iter().map(|link| link.sent_bytes as f64).sum::<f64>())
    };
    let (with, without): (f64, f64) = (bytes(true)?, bytes(false)?);
    Ok(with / without - 1.0)
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(3, 1);
    let times = if setting.is_quick() { QUICK } else { FULL };
    let loads: &[f64] = if setting.is_quick() { &[JUDGED] } else { &LOADS };
    let plans = CASES.iter().map(planned).collect::<Result<Vec<_>, _>>()?;
    let mut ways = Vec::new();
    for case in 0..CASES.len() {
        for transport in 0..TRANSPORTS.len() {
            for view in [0, MEASURED] {
                ways.extend(loads.iter().map(|load| Way { case, transport, view, load: *load }));
            }
        }
        ways.push(Way { case, transport: 1, view: NO_PROBES, load: JUDGED });
    }
    let jobs: Vec<_> = ways.iter().flat_map(|way| (1..=seeds).map(move |seed| (*way, seed))).collect();
    let found = parallel::each("airlift", &jobs, |(way, seed)| {
        let plan = &plans[way.case];
        let scenario = scenario(*way, plan, times, way.view != NO_PROBES, None);
        let run = simulate(setting.registry, &scenario, *seed, METRICS)?;
        Ok(measure(*way, &run, plan, times))
    })?;
    let cases: Vec<usize> = (0..CASES.len()).collect();
    let costs = parallel::each("airlift, cost of probes", &cases, |case| {
        probing_cost(setting, *case, &plans[*case], times)
    })?;
    let halved = if setting.is_quick() {
        Halved { link: HALVED, at: 7.0, end: 22.0 }
    } else {
        Halved { link: HALVED, at: 20.0, end: 50.0 }
    };
    let long = Times { from: times.start + 1.0, end: halved.end, ..times };
    let jobs: Vec<_> =
        [0, MEASURED].into_iter().flat_map(|view| (1..=seeds).map(move |seed| (view, seed))).collect();
    let after = parallel::each("airlift, a link is halved", &jobs, |(view, seed)| {
        let way = Way { case: 1, transport: 0, view: *view, load: HALVED_LOAD };
        let scenario = scenario(way, &plans[1], long, true, Some(halved));
        let run = simulate(setting.registry, &scenario, *seed, METRICS)?;
        Ok(measure(way, &run, &plans[1], long))
    })?;
    let results = page::Results {
        seeds,
        times,
        loads,
        ways: ways.into_iter().zip(found.chunks(seeds as usize)).collect(),
        costs: &costs,
        plans: &plans,
        halved,
        after: after.chunks(seeds as usize).collect(),
    };
    Ok(results.findings())
}

/// The link that is halved: the plan has most on it.
const HALVED: (&str, &str) = ("ireland", "virginia");

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: at 1.0 every session wants what the plan gives it, over the transport and view of the way, and what the
    /// experiment writes is a scenario.
    #[test]
    fn scenarios_are_as_their_ways_say() {
        for (case, about) in CASES.iter().enumerate() {
            let plan = planned(about).expect("a plan");
            let way = Way { case, transport: 1, view: 1, load: 1.0 };
            let halved = (case == 1).then_some(Halved { link: HALVED, at: 5.0, end: 9.0 });
            let text = scenario(way, &plan, QUICK, true, halved).to_string();
            let loaded = parse_str("experiment.json", &text, &LoadOptions::default());
            let scenario = loaded.unwrap_or_else(|refused| panic!("{refused}")).scenario;
            assert_eq!(scenario.probing.as_ref().map(|probing| probing.setup), Some(3));
            for session in &planning_view(&scenario).sessions {
                let rate = session.rate.expect("it is constant").as_bps() as f64;
                assert!((rate - plan[&session.key]).abs() <= 1.0, "{}", session.key);
            }
            assert_eq!(scenario.faults.len(), usize::from(case == 1));
        }
    }
}
