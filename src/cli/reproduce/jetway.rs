//! `jetway`: what months of video traffic between datacenters cost, by how it is routed.

use super::common::{curve, input, row};
use super::simulate::simulate;
use super::{Experiment, Findings, Setting, parallel};
use crate::cli::exit::{self, Failure};
use bellini_core::rng::Seed;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_reports::reproduce::{Bars, Page, Plot, Row, Shape};
use bellini_scenarios::policies::jetway::{
    Bound, Demand, Market, Month, Strategy, Workload, WorkloadSpec, bound, exact_percentile, run, run_each,
};
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "jetway",
    about: "what 20 months of traffic between 7 datacenters cost by routing, and a day of them in packets",
    run: months,
}];

const STRATEGIES: [(&str, Strategy); 5] = [
    ("direct", Strategy::Direct),
    ("cheapest path", Strategy::Cheapest),
    ("even over 3 paths", Strategy::Even(3)),
    ("two-stage", Strategy::TwoStage),
    ("single program", Strategy::Single),
];
/// Position of what the others are compared with.
const OURS: usize = 4;
const PERCENTILES: [f64; 2] = [100.0, 95.0];

/// What became of one workload.
struct Figures {
    videos: usize,
    /// By percentile and strategy.
    costs: [Vec<f64>; 2],
    utilisation: [Vec<f64>; 2],
    missed: usize,
    bound: Bound,
}

fn months(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(20, 2);
    let spec = if setting.is_quick() {
        WorkloadSpec { intervals: 288, ..WorkloadSpec::default() }
    } else {
        WorkloadSpec::default()
    };
    let days = spec.intervals / spec.day;
    let all: Vec<u64> = (1..=seeds).collect();
    let figures = parallel::each("jetway", &all, |seed| month(&spec, *seed))?;
    let small: Vec<u64> = (1..=if setting.is_quick() { 1 } else { 10 }).collect();
    let cases = parallel::each("jetway, small cases", &small, |seed| small_case(*seed))?;
    let small: Vec<f64> = cases.iter().copied().flatten().collect();
    let packets = in_packets(setting)?;

    let mut rows = Vec::new();
    for (at, percentile) in PERCENTILES.iter().enumerate() {
        for (strategy, (name, _)) in STRATEGIES.iter().enumerate() {
            if strategy == OURS {
                continue;
            }
            let ratios: Vec<f64> =
                figures.iter().map(|it| it.costs[at][OURS] / it.costs[at][strategy]).collect();
            rows.push(Row {
                remark: "cost of the single program over its cost, workload by workload".to_owned(),
                ..row(format!("q = {percentile}: over {name}"), "", None, &ratios)
            });
        }
        let over: Vec<f64> = figures
            .iter()
            .map(|it| it.costs[at][OURS] / if at == 0 { it.bound.max } else { it.bound.percentile })
            .collect();
        rows.push(Row {
            band: Some((1.0, f64::INFINITY)),
            remark: if at == 0 {
                "full knowledge; videos may move in every interval. Below 1 would be an error".to_owned()
            } else {
                "a relaxation, see the notes. Below 1 would be an error".to_owned()
            },
            ..row(format!("q = {percentile}: over the offline bound"), "", None, &over)
        });
        let least = figures.iter().flat_map(|it| {
            let bound = if at == 0 { it.bound.max } else { it.bound.percentile };
            it.costs[at].iter().map(move |cost| cost / bound)
        });
        rows.push(Row {
            quantity: format!("q = {percentile}: cheapest of all runs over its bound"),
            ours: Some(least.fold(f64::INFINITY, f64::min)),
            band: Some((1.0, f64::INFINITY)),
            ..Row::default()
        });
        let used: Vec<f64> = figures.iter().map(|it| it.utilisation[at][OURS] * 100.0).collect();
        rows.push(row(format!("q = {percentile}: use of what is charged, single program"), "%", None, &used));
        let used: Vec<f64> = figures.iter().map(|it| it.utilisation[at][0] * 100.0).collect();
        rows.push(row(format!("q = {percentile}: use of what is charged, direct"), "%", None, &used));
    }
    rows.push(Row {
        band: Some((1.0, f64::INFINITY)),
        remark: format!(
            "3 datacenters, 4 intervals of which each link has one free; all choices tried; {} of {} cases, in the others nothing \
             need be charged",
            small.len(),
            cases.len()
        ),
        ..row("small cases, q = 75: over the exact optimum".to_owned(), "", None, &small)
    });
    let missed: usize = figures.iter().map(|it| it.missed).sum();
    rows.push(Row {
        quantity: "videos refused by any strategy".to_owned(),
        ours: Some(missed as f64),
        band: Some((0.0, 0.0)),
        ..Row::default()
    });
    rows.extend(packets.rows);

    let mean = |at: usize, strategy: usize| {
        figures.iter().map(|it| it.costs[at][strategy] / it.costs[at][0]).sum::<f64>()
            / figures.len().max(1) as f64
    };
    let of_bound = |at: usize| {
        let bound = |it: &Figures| if at == 0 { it.bound.max } else { it.bound.percentile };
        figures.iter().map(|it| bound(it) / it.costs[at][0]).sum::<f64>() / figures.len().max(1) as f64
    };
    let bars = |at: usize, name: &str| {
        Bars {
        title: format!("Cost charged by {name}"),
        caption: "Over that of the direct links, mean of the workloads. The offline bound is what nobody can undercut; for the percentile it is a relaxation.".to_owned(),
        x: ("cost".to_owned(), "of direct".to_owned()),
        things: STRATEGIES.iter().map(|(name, _)| (*name).to_owned()).chain(["offline bound".to_owned()]).collect(),
        parts: vec![("cost".to_owned(), (0..STRATEGIES.len()).map(|it| mean(at, it)).chain([of_bound(at)]).collect())],
    }
    };
    let settled = figures.iter().filter(|it| it.bound.is_settled).count();
    let videos = figures.iter().map(|it| it.videos).sum::<usize>() / figures.len().max(1);
    let page = Page {
        title: "Jetway".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "{seeds} synthetic workloads of {days} days on 7 datacenters, each linked to each other: {videos} videos in the mean, \
             routed online, interval by interval, without packets. A link's charge is the given percentile of its {} five-minute \
             volumes. Prices are made up, so that only ratios mean something. Ratios are by workload, with 95 % intervals of \
             their mean. A day is played in packets by the policy `jetway`.",
            spec.intervals
        ),
        rows,
        plots: vec![packets.plot],
        bars: vec![bars(0, "the maximum"), bars(1, "the 95th percentile")],
        inputs: vec![
            input("prices", "1 to 10 a link, uniform", "assumed: synthetic, so that only ratios count"),
            input("arrivals", "Poisson, 100 videos a day in the mean, 0.4 to 1.6 of it over the day, each source by its own hour", "assumed: no trace of such a service is public"),
            input("videos", "1 to 8 Mbit/s, 30 min to 4 h, uniform; sources and destinations by weights 1 to 4", "assumed: no trace of such a service is public"),
            input("capacity", "100 Mbit/s a link", "assumed: so that the dearest hours do not fit one path"),
            input("paths", "at most two relays: 26 a pair", "assumed: longer ones are dearer and slower"),
        ],
        notes: vec![
            format!("The bound for the maximum is the offline linear program in which videos may move in every interval, by cutting planes; {settled} of {seeds} were solved to 0.1 % as far as the intervals looked at go. Any round's answer is a bound."),
            "The bound for the 95th percentile is a relaxation: among a few links, there are intervals in which none of them is above its charge, and in all others anything goes. The mixed-integer optimum lies above it, by how much is not known here; small cases are compared with the optimum itself.".to_owned(),
            "The paper gives no figures that this could be measured by: it reports lower cost. EcoFlow is not among the baselines.".to_owned(),
        ],
        ..Page::default()
    };
    let detail = figures.iter().zip(&all).map(|(it, seed)| {
        json!({ "seed": seed, "videos": it.videos, "missed": it.missed, "bound_max": it.bound.max,
            "bound_percentile": it.bound.percentile, "bound_is_settled": it.bound.is_settled,
            "cost_max": it.costs[0], "cost_percentile": it.costs[1] })
    });
    let names: Vec<_> = STRATEGIES.iter().map(|(name, _)| *name).collect();
    let detail =
        json!({ "strategies": names, "workloads": detail.collect::<Vec<_>>(), "packets": packets.detail });
    Ok(Findings { page, seeds, detail })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(exit::FAILED, error)
}

fn month(spec: &WorkloadSpec, seed: u64) -> Result<Figures, Failure> {
    let workload = Workload::draw(spec, Seed(seed));
    let mut figures = Figures {
        videos: workload.demands.len(),
        costs: Default::default(),
        utilisation: Default::default(),
        missed: 0,
        bound: bound(&workload, PERCENTILES[1]).map_err(failed)?,
    };
    for (at, percentile) in PERCENTILES.iter().enumerate() {
        for (_, strategy) in STRATEGIES {
            let month = run(&workload, *percentile, strategy).map_err(failed)?;
            figures.costs[at].push(month.cost);
            figures.utilisation[at].push(month.utilisation);
            figures.missed += month.missed;
        }
    }
    Ok(figures)
}

/// Three datacenters, four intervals, one of them free: the cost of the single program over the least possible;
/// `None` where that is nothing.
fn small_case(seed: u64) -> Result<Option<f64>, Failure> {
    let spec = WorkloadSpec {
        nodes: 3,
        intervals: 4,
        day: 4,
        videos_per_day: 6.0,
        length: (1, 3),
        ..WorkloadSpec::default()
    };
    let drawn = Workload::draw(&spec, Seed(1_000 + seed));
    // All choices of a free interval for six links are 4^6 programs.
    let exact = exact_percentile(&drawn, 75.0).map_err(failed)?;
    let ours = run(&drawn, 75.0, Strategy::Single).map_err(failed)?;
    Ok((exact > 1e-9).then(|| ours.cost / exact))
}

/// What the run in packets gave.
struct Packets {
    rows: Vec<Row>,
    plot: Plot,
    detail: Value,
}

/// Plays hours of a workload in packets, by the policy, and compares links with the same plan without packets.
fn in_packets(setting: &Setting<'_>) -> Result<Packets, Failure> {
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
