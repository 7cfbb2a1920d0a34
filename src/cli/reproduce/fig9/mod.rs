//! `fig9`: the paper's conference of four, by way of two datacenters and without them.

mod setup;

use super::cities::{self, AWS_FROM, CITIES_FROM};
use super::common::{axis, curve, input, row};
use super::{Experiment, Findings, Setting, bins, parallel};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Bars, Input, Overlay, OverlayEdge, OverlayNode, Page, Plot, Row, Shape};
use serde_json::json;
use setup::{ACCESS_MBPS, CARRIED, LOSS_PER_MS, OCEAN_KBPS, Outcome, Setup, rate_mbps};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "fig9",
    about: "the paper's Fig. 9: a conference of four, by way of two datacenters and without",
    run,
}];

/// The paper's values: throughput in Mbit/s and mean delay in milliseconds, cloud and P2P.
const PAPER_MBPS: (f64, f64) = (1.9, 0.142);
const PAPER_MS: (f64, f64) = (191.0, 157.0);
/// Delays are of this many steps of rate below the highest: 0.77 of it.
const BELOW: usize = 3;
/// Edges of flows with less of a session's packets are not highlighted.
const HIGHLIGHTED: f64 = 0.05;
/// Position of P2P and of the cloud among the setups.
const P2P: usize = 0;
const CLOUD: usize = 1;
const MEMBERS: [&str; 4] = ["toronto", "waterloo", "beijing", "shanghai"];

/// What was found of one setup.
struct Found {
    setup: Setup,
    /// Highest step that is carried, by seed.
    highest: Vec<Option<usize>>,
    /// At [`BELOW`] it, by seed.
    below: Vec<Outcome>,
}

impl Found {
    /// Returns the highest rates in Mbit/s, 0 where none of those tried is carried.
    fn rates(&self) -> Vec<f64> {
        self.highest.iter().map(|step| step.map_or(0.0, rate_mbps)).collect()
    }

    fn mean(&self) -> f64 {
        bins::mean(&self.rates()).unwrap_or(0.0)
    }

    fn delays(&self, pick: fn(&Outcome) -> f64) -> Vec<f64> {
        self.below.iter().map(pick).collect()
    }
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(5, 1);
    let is_quick = setting.is_quick();
    let window = is_quick.then_some((3, 8));
    let mut setups = Setup::all()?;
    if is_quick {
        setups.truncate(CLOUD + 1);
    }
    let jobs: Vec<_> =
        setups.iter().flat_map(|setup| (1..=seeds).map(move |seed| (setup.clone(), seed))).collect();
    let searched = parallel::each("fig9 highest rates", &jobs, |(setup, seed)| {
        let highest = setup.highest(setting, *seed, window, is_quick)?;
        let below = setup.measure(setting, highest.unwrap_or(0).saturating_sub(BELOW), *seed, window)?;
        Ok((highest, below))
    })?;
    let mut found = Vec::new();
    for (setup, runs) in setups.into_iter().zip(searched.chunks(seeds as usize)) {
        let (highest, below) = runs.iter().cloned().unzip();
        found.push(Found { setup, highest, below });
    }
    let mut rows = delay_rows(&found)?;
    rows.extend(rate_rows(&found));
    let plots = if is_quick { Vec::new() } else { sweep(setting, &found)? };
    let bars = Bars {
        title: "Highest rate of a session with one thing changed".to_owned(),
        caption: "Mean of the seeds. The paper has 1.9 Mbit/s by way of the cloud and 0.142 Mbit/s P2P."
            .to_owned(),
        x: ("highest rate that is carried".to_owned(), "Mbit/s".to_owned()),
        things: found.iter().map(|it| it.setup.name.to_owned()).collect(),
        parts: vec![("each of four sessions".to_owned(), found.iter().map(Found::mean).collect())],
    };
    let page = Page {
        title: "Fig. 9: a conference of four, by way of datacenters and without".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "Four participants, each sending to the other three, over UDP with TFRC. By way of Virginia and Tokyo, routed by airlift and coded, \
             and without them, routed by p2p-mesh: two scenario files that differ in routing and coding alone. The rate of all sessions is raised until \
             a destination gets less than {:.0} % of the symbols, in steps of 9 %; the highest rate before that, a payload, is held against the paper's throughput. \
             Delays are simulated at {:.2} of it. {seeds} seeds.",
            CARRIED * 100.0,
            rate_mbps(0) / rate_mbps(BELOW)
        ),
        rows,
        plots,
        overlays: vec![
            overlay("Fig. 9(a): by way of the datacenters", &found[CLOUD])?,
            overlay("Fig. 9(b): peer to peer", &found[P2P])?,
        ],
        bars: vec![bars],
        inputs: inputs(seeds),
        notes: notes(),
        ..Page::default()
    };
    let detail: Vec<_> = found
        .iter()
        .map(|it| {
            json!({ "setup": it.setup.name, "what": it.setup.what, "highest_mbps": it.rates(), "below": it.below.iter().zip(1..).map(|(run, seed): (&Outcome, u64)|
                json!({ "seed": seed, "mbps": run.mbps, "least_part_delivered": run.worst, "delay_ms": run.delay_ms, "ocean_delay_ms": run.ocean_ms,
                    "digest": run.summary.digest })).collect::<Vec<_>>() })
        })
        .collect();
    Ok(Findings { page, seeds, detail: json!({ "setups": detail }) })
}

/// Returns the rows of delays: predicted from round trips with nothing fitted, and simulated.
fn delay_rows(found: &[Found]) -> Result<Vec<Row>, Failure> {
    let (virginia, tokyo) = ("aws:us-east-1", "aws:ap-northeast-1");
    let trunk = cities::backbone(virginia, tokyo)?;
    let mut all: [(Vec<f64>, Vec<f64>); 2] = Default::default();
    for (i, from) in MEMBERS.iter().enumerate() {
        for (j, to) in MEMBERS.iter().enumerate().filter(|(j, _)| *j != i) {
            let gate = |member: usize| if member < 2 { virginia } else { tokyo };
            let across = (i < 2) != (j < 2);
            let relayed = cities::rtt(from, gate(i))?.ms
                + cities::rtt(to, gate(j))?.ms
                + if across { trunk } else { 0.0 };
            let delays = (cities::rtt(from, to)?.ms / 2.0, relayed / 2.0);
            for (list, wanted) in all.iter_mut().zip([true, across]) {
                if wanted {
                    list.0.push(delays.0);
                    list.1.push(delays.1);
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (pairs, (direct, relayed), pick) in [
        ("all pairs", &all[0], (|it| it.delay_ms) as fn(&Outcome) -> f64),
        ("across the ocean", &all[1], |it| it.ocean_ms),
    ] {
        for (what, setup, paper, values) in
            [("P2P", P2P, PAPER_MS.1, direct), ("cloud", CLOUD, PAPER_MS.0, relayed)]
        {
            let value = bins::mean(values).unwrap_or(0.0);
            rows.push(Row {
                quantity: format!("{what}: mean delay from round trips, {pairs}"),
                unit: "ms".to_owned(),
                reference: Some(paper),
                ours: Some(value),
                remark: format!(
                    "{}; ours less the paper's {:+.1} ms ({:+.0} %)",
                    if setup == P2P {
                        "each destination directly"
                    } else {
                        "by way of the nearest datacenters"
                    },
                    value - paper,
                    (value / paper - 1.0) * 100.0
                ),
                ..Row::default()
            });
            rows.push(Row {
                remark: if setup == P2P {
                    format!(
                        "hops over members and queues included; a packet of 1,320 B alone takes {:.0} ms on a link of {OCEAN_KBPS} kbit/s",
                        1_320.0 * 8.0 / OCEAN_KBPS
                    )
                } else {
                    "queues and decoding included".to_owned()
                },
                ..row(
                    format!("{what}: mean delay simulated, {pairs}"),
                    "ms",
                    Some(paper),
                    &found[setup].delays(pick),
                )
            });
        }
    }
    Ok(rows)
}

/// Returns the rows of highest rates.
fn rate_rows(found: &[Found]) -> Vec<Row> {
    let p2p = found[P2P].mean();
    let mut rows = Vec::new();
    for (index, it) in found.iter().enumerate() {
        let (paper, gain) = match index {
            P2P => (Some(PAPER_MBPS.1), Some(1.0)),
            CLOUD => (Some(PAPER_MBPS.0), Some(PAPER_MBPS.0 / PAPER_MBPS.1)),
            _ => (None, None),
        };
        rows.push(Row {
            remark: it.setup.what.to_owned(),
            ..row(format!("{}: highest rate", it.setup.name), "Mbit/s", paper, &it.rates())
        });
        let gains: Vec<_> = it.rates().iter().map(|rate| rate / p2p).collect();
        rows.push(row(format!("{}: over the mean of P2P", it.setup.name), "times", gain, &gains));
    }
    rows
}

/// Returns plots of what arrives, and when, around the highest rates.
fn sweep(setting: &Setting<'_>, found: &[Found]) -> Result<Vec<Plot>, Failure> {
    let around = |it: &Found| {
        let middle = it.highest.first().copied().flatten().unwrap_or(0);
        (0..=10_usize).map(|i| (middle + 2 * i).saturating_sub(14)).collect::<Vec<_>>()
    };
    let jobs: Vec<_> = [P2P, CLOUD]
        .into_iter()
        .flat_map(|at| around(&found[at]).into_iter().map(move |step| (at, step)))
        .collect();
    let runs = parallel::each("fig9 rates around", &jobs, |(at, step)| {
        found[*at].setup.measure(setting, *step, 1, None)
    })?;
    let points = |wanted: usize, pick: fn(&Outcome) -> f64| {
        let of = jobs.iter().zip(&runs).filter(|((at, _), _)| *at == wanted);
        of.map(|(_, run)| (run.mbps / found[wanted].rates()[0].max(1e-3), pick(run))).collect::<Vec<_>>()
    };
    let plot = |title: &str, caption: &str, y: (String, String), y_range, pick: fn(&Outcome) -> f64| Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        x: axis("offered, over the highest rate", ""),
        y,
        y_range,
        curves: [(CLOUD, "by way of the cloud"), (P2P, "peer to peer")]
            .map(|(at, name)| curve(name, Shape::DottedLine, points(at, pick)))
            .to_vec(),
    };
    Ok(vec![
        plot(
            "What arrives around the highest rate",
            "Part of the symbols that came to the destination that got least; seed 1. The highest rate is the last one with 95 %.",
            axis("delivered", "%"),
            Some((0.0, 105.0)),
            |it| it.worst * 100.0,
        ),
        plot(
            "Mean delay around the highest rate",
            "Over all pairs of source and destination; seed 1. Delays above a second are drawn at a second.",
            axis("mean delay", "ms"),
            Some((0.0, 1_000.0)),
            |it| it.delay_ms.min(1_000.0),
        ),
    ])
}

/// Draws what flowed in the run of seed 1, with the session from Toronto highlighted as in the paper.
fn overlay(title: &str, found: &Found) -> Result<Overlay, Failure> {
    const NODES: [(u32, &str, (f64, f64)); 6] = [
        (1, "Toronto", (0.0, 0.0)),
        (2, "Waterloo", (0.0, 1.0)),
        (3, "Beijing", (1.0, 0.0)),
        (4, "Shanghai", (1.0, 1.0)),
        (5, "Virginia", (0.3, 0.5)),
        (6, "Tokyo", (0.7, 0.5)),
    ];
    let run = &found.below[0];
    let highlighted = setup::edges_of(&run.summary, 1, HIGHLIGHTED)?;
    let at = |id: u32| NODES.iter().position(|node| node.0 == id);
    let window: f64 = run.summary.measure_s[1] - run.summary.measure_s[0];
    let edge = |link: &bellini_scenarios::record::LinkSummary| {
        let mbps = link.sent_bytes as f64 * 8e-6 / window;
        // Reports of receivers are no payload traffic.
        (mbps >= 0.01).then_some(())?;
        Some(OverlayEdge {
            from: at(link.from)?,
            to: at(link.to)?,
            label: format!("{mbps:.2}"),
            is_highlighted: highlighted.contains(&(link.from, link.to)),
        })
    };
    Ok(Overlay {
        title: title.to_owned(),
        caption: format!(
            "Mbit/s on the wire of each edge, all sessions together, at {:.2} Mbit/s of payload a session; seed 1. Edges below 0.01 Mbit/s are left out.",
            run.mbps
        ),
        nodes: NODES
            .iter()
            .map(|(id, name, at)| OverlayNode {
                mark: id.to_string(),
                name: (*name).to_owned(),
                at: *at,
                is_relay: *id > 4,
            })
            .collect(),
        edges: run.summary.links.iter().filter_map(edge).collect(),
        highlight: "used by the session from Toronto (flows with at least 5 %)".to_owned(),
    })
}

fn inputs(seeds: u64) -> Vec<Input> {
    vec![
        input(
            "round trips of cities",
            "in the scenario files; Toronto-Shanghai measured, the others estimated from servers near by",
            &format!("measured: {CITIES_FROM}"),
        ),
        input("round trip Virginia-Tokyo", "median of 2013", &format!("measured: {AWS_FROM}")),
        input(
            "rate of links across the ocean between members",
            format!("{OCEAN_KBPS} kbit/s"),
            "derived: fitted to the paper's P2P throughput, 142 kbit/s",
        ),
        input(
            "rate of members' other links",
            format!("{ACCESS_MBPS} Mbit/s"),
            "assumed: geometric middle of 5 and 100 Mbit/s, as in table2",
        ),
        input(
            "losses",
            format!("{:.2e} for each millisecond of round trip", LOSS_PER_MS),
            "derived: what gives Table II's P2P throughput between Toronto and Beijing by the equation of TFRC",
        ),
        input(
            "link between the datacenters",
            "100 Mbit/s, no loss",
            "assumed: the paper speaks of dedicated links",
        ),
        input("delay bound of airlift", "300 ms", "assumed: the paper gives none"),
        input(
            "repairs",
            "one for sixteen symbols, generations of 32 or 100 ms",
            "assumed: the paper gives none",
        ),
        input(
            "throughput",
            "payload of each of the four sessions",
            "assumed: the paper does not say whether its throughput is a session's",
        ),
        input("seeds", format!("1 to {seeds}"), "assumed: any would do"),
    ]
}

fn notes() -> Vec<String> {
    [
        "Our P2P throughput is the paper's because the limit across the ocean is fitted to it. The gain is therefore as good as the assumption that the links to datacenters do not have that limit; the row without it shows what is left.",
        "The paper's tables do not describe one network: between Toronto and Beijing Table II has 4.04 Mbit/s P2P, Fig. 9 has 0.142 Mbit/s in a mesh that holds the same path. No loss or rate of ours gives both.",
        "Rows of delay across the ocean stand beside the paper's means, too: it does not say over which pairs its mean is taken.",
        "airlift is free to use the members' own links, and does within a country, and a little across the ocean; the paper's figure shows no such edges.",
        "How long TFRC goes without a loss is chance: highest rates differ much from seed to seed, and with few seeds intervals are wide. Nor did coding gain anything that could be seen among them.",
        "airlift does not see losses and TFRC's rates (docs/policies.md), so that its plan is for the rates in the file.",
    ]
    .map(str::to_owned)
    .to_vec()
}
