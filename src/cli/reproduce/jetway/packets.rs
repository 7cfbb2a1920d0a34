//! A day of a workload in packets, beside the same plan without them.

use super::failed;
use crate::cli::exit::Failure;
use crate::cli::reproduce::Setting;
use crate::cli::reproduce::common::curve;
use crate::cli::reproduce::simulate::simulate;
use bellini_core::rng::Seed;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_reports::reproduce::{Plot, Row, Shape};
use bellini_scenarios::fluid::{Month, Workload, WorkloadSpec, run_each};
use bellini_scenarios::policies::jetway::{Demand, Market, Strategy};
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

/// What the run in packets gave.
pub(super) struct Packets {
    pub(super) rows: Vec<Row>,
    pub(super) plot: Plot,
    pub(super) detail: Value,
}

/// Plays hours of a workload in packets, by the policy, and compares links with the same plan without packets.
pub(super) fn in_packets(setting: &Setting<'_>) -> Result<Packets, Failure> {
    let (intervals, seconds) = if setting.is_quick() { (24, 10.0) } else { (288, 300.0) };
    let spec = WorkloadSpec { intervals, ..WorkloadSpec::default() };
    let drawn = Workload::draw(&spec, Seed(1));
    // The policy is asked for one session after the other, as they start.
    let scenario = scenario(&drawn, seconds);
    let played = simulate(setting.registry, &scenario, 1, &[(Scope::Link, "throughput_mbps")])?;
    let fluid = one_by_one(&drawn)?;
    let (mut measured, mut planned) = (Vec::new(), Vec::new());
    let mut worst: f64 = 0.0;
    let mut points = Vec::new();
    for (at, link) in drawn.market.links.iter().enumerate() {
        let id = format!("{}>{}", link.from + 1, link.to + 1);
        let mut volumes = vec![0.0; intervals];
        for (t, mbps) in played.series("throughput_mbps", &id) {
            let interval = (((t - 1e-6) / seconds) as usize).min(intervals - 1);
            volumes[interval] += mbps / SAMPLES;
        }
        let carried: f64 = volumes.iter().sum::<f64>();
        let plan: f64 = fluid.ledger.volumes(at).iter().sum();
        measured.push(carried);
        planned.push(plan);
        points.push((plan, carried));
    }
    let (sum_measured, sum_planned): (f64, f64) = (measured.iter().sum(), planned.iter().sum());
    for (measured, planned) in measured.iter().zip(&planned) {
        worst = worst.max((measured / sum_measured.max(1e-12) - planned / sum_planned.max(1e-12)).abs());
    }
    let mut apart: f64 = 0.0;
    for (number, parts) in fluid.plans.iter().enumerate() {
        let (conference, session) = (number / 200 + 1, number + 1);
        let found = played
            .summary
            .sessions
            .iter()
            .find(|it| (it.conference as usize, it.session as usize) == (conference, session));
        let flows = found.map_or(&[][..], |it| it.flows.as_slice());
        let rate: f64 = parts.iter().map(|(_, rate)| rate).sum();
        for (path, of) in parts {
            let nodes = path.iter().map(|link| (drawn.market.links[*link].to + 1).to_string());
            let route =
                format!("{}>{}d", drawn.market.links[path[0]].from + 1, nodes.collect::<Vec<_>>().join(">"));
            let share = flows.iter().find(|flow| flow.route == route).map_or(0.0, |flow| flow.share);
            apart = apart.max((share - of / rate).abs());
        }
    }
    let rows = vec![
        Row {
            quantity: "packets: largest difference of a path's share of a video".to_owned(),
            unit: "%".to_owned(),
            ours: Some(apart * 100.0),
            band: Some((0.0, 0.1)),
            remark: "what the policy decided in the run, against the same plan without packets".to_owned(),
            ..Row::default()
        },
        Row {
            quantity: "packets: largest difference of a link's part of all traffic".to_owned(),
            unit: "%".to_owned(),
            ours: Some(worst * 100.0),
            band: Some((0.0, 0.5)),
            remark: format!(
                "{} videos, {intervals} intervals of {seconds} s, 10 kbit/s for each Mbit/s",
                drawn.demands.len()
            ),
            ..Row::default()
        },
        Row {
            quantity: "packets: traffic of all links over the plan".to_owned(),
            reference: None,
            ours: Some(sum_measured / sum_planned.max(1e-12)),
            band: Some((1.0, 1.06)),
            remark: "the plan counts headers, but neither Pathlets nor control messages".to_owned(),
            ..Row::default()
        },
    ];
    let end = points.iter().map(|(planned, _)| *planned).fold(0.0, f64::max);
    let plot = Plot {
        title: "Links in packets".to_owned(),
        caption: "What each link carried, in packets and as planned without them.".to_owned(),
        x: ("planned".to_owned(), "Mbit/s x intervals".to_owned()),
        y: ("in packets".to_owned(), "Mbit/s x intervals".to_owned()),
        curves: vec![
            curve("links", Shape::Dots, points),
            curve("equal", Shape::Line, vec![(0.0, 0.0), (end, end)]),
        ],
        ..Plot::default()
    };
    let detail = json!({ "intervals": intervals, "videos": drawn.demands.len(), "planned": planned, "measured": measured });
    Ok(Packets { rows, plot, detail })
}

/// Rates of the run in packets, in parts of the workload's.
const SCALE: f64 = 0.01;
/// Samples of an interval.
const SAMPLES: f64 = 2.0;

/// The workload as a scenario, in which a megabit becomes ten kilobits.
fn scenario(drawn: &Workload, interval_s: f64) -> Value {
    let nodes = drawn.market.links.iter().map(|link| link.from.max(link.to) + 1).max().unwrap_or(0);
    let links: Vec<_> = drawn
        .market
        .links
        .iter()
        .map(|link| {
            json!({ "from": link.from + 1, "to": link.to + 1, "delay": "20 ms", "usd_per_gb": link.price,
                "rate": format!("{} bit/s", (link.capacity * SCALE * 1e6).round()) })
        })
        .collect();
    let seconds = |interval: usize| format!("{} s", interval as f64 * interval_s);
    let sessions: Vec<_> = (1..)
        .zip(&drawn.demands)
        .map(|(id, it): (u32, &Demand)| {
            json!({ "id": id, "draw": "stride", "source": it.from + 1, "destinations": [it.to + 1], "symbol_bytes": format!("{PAYLOAD} B"), "transport": "udp-unpaced",
                "content": { "kind": "constant", "rate": format!("{} bit/s", (it.rate * SCALE * 1e6).round()) },
                "start": seconds(it.first), "stop": seconds(it.first + it.count),
                "routing": { "policy": "jetway", "percentile": 95, "interval": format!("{interval_s} s"),
                    "period": seconds(drawn.intervals) } })
        })
        .collect();
    let conferences: Vec<_> = sessions
        .chunks(200)
        .enumerate()
        .map(|(at, sessions)| json!({ "id": at + 1, "sessions": sessions }))
        .collect();
    json!({ "bellini": 1, "name": "jetway-day", "duration": seconds(drawn.intervals),
        "sample_interval": format!("{} s", interval_s / SAMPLES), "planner": { "period": "100000 s" },
        "nodes": (1..=nodes).map(|id| json!({ "id": id })).collect::<Vec<_>>(), "links": links, "conferences": conferences })
}

/// The same without packets: each video by itself, at its rate on the wire.
fn one_by_one(drawn: &Workload) -> Result<Month, Failure> {
    let wire = |demand: &Demand| Demand {
        rate: (demand.rate * SCALE * 1e6).round() * 1e-6 * (1.0 + HEADERS / PAYLOAD),
        ..*demand
    };
    let mut links = drawn.market.links.clone();
    links.iter_mut().for_each(|link| link.capacity *= SCALE);
    let market = Market::new(links, WorkloadSpec::default().max_relays);
    let demands = drawn.demands.iter().map(wire).collect();
    let workload = Workload { market, demands, intervals: drawn.intervals };
    run_each(&workload, 95.0, Strategy::Single).map_err(failed)
}

/// Bytes of a packet's payload, and of the headers that the policy counts beside it.
const PAYLOAD: f64 = 400.0;
const HEADERS: f64 = (UDP_IP_BYTES + DATA_FIXED_BYTES) as f64;
