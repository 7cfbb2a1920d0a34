//! `tfrc-dumbbell`: n TFRC and n simulated TCP connections through one bottleneck, against ns-2.

use super::common::{PACKET_BYTES, SEEDS, SYMBOL_BYTES, axis, curve, greedy, input, row, wire_pps};
use super::reference::{self, Record};
use super::simulate::Run;
use super::{Experiment, Findings, Setting, bins, parallel};
use crate::cli::exit::Failure;
use bellini_core::rng::Seed;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "tfrc-dumbbell",
    about: "n TFRC and n TCP flows at one bottleneck, drop-tail and RED: shares, smoothness and loss against ns-2",
    run,
}];

/// The bottleneck in Mbit/s, and in packets a second.
const MBPS: f64 = 15.0;
/// Queue in packets: one product of rate and round trip.
const QUEUE: u64 = 94;
/// Round trip in milliseconds, and how far one of a flow may be from it.
const RTT_MS: f64 = 50.0;
const SPREAD_MS: f64 = 2.0;
/// Flows start within so many seconds.
const STARTS_S: f64 = 5.0;
/// What TCP carries in a packet: without IP, TCP and its time stamps.
const SEGMENT_BYTES: f64 = PACKET_BYTES as f64 - 52.0;

/// A line of the reference: a queue and a number of flows.
struct Case {
    /// `DropTail` or `RED`.
    queue: &'static str,
    n: u32,
    reference: Record,
}

impl Case {
    fn all(setting: &Setting<'_>) -> Result<Vec<Self>, Failure> {
        let mut cases = Vec::new();
        for record in reference::records(reference::DUMBBELL).filter(|record| record.text("tcp") == "Sack1") {
            let case =
                Self { queue: record.text("queue"), n: record.number("n_each")? as u32, reference: record };
            if !setting.is_quick() || case.n == 4 {
                cases.push(case);
            }
        }
        Ok(cases)
    }

    /// Returns a flow's equal share in packets a second.
    fn share(&self) -> f64 {
        wire_pps(MBPS) / f64::from(2 * self.n)
    }

    /// Returns the scenario of a seed. Nodes 2i + 1 and 2i + 2 are the ends of flow i; TFRC's come first.
    fn scenario(&self, seed: u64, (from, to): (u64, u64)) -> Value {
        let mut draws = Seed(seed).stream("reproduce:dumbbell");
        let bytes = |packets: f64| format!("{} B", (packets * f64::from(PACKET_BYTES)).round());
        let discipline = match self.queue {
            "RED" => {
                json!({ "red": { "min": bytes(15.7), "max": bytes(47.0), "max_probability": 0.1, "weight": 0.002, "wait": true } })
            }
            _ => json!("drop-tail"),
        };
        let mut links = Vec::new();
        let (mut sessions, mut cross) = (Vec::new(), Vec::new());
        for flow in 0..2 * self.n {
            let (a, b) = (2 * flow + 1, 2 * flow + 2);
            let rtt = RTT_MS + SPREAD_MS * (2.0 * draws.unit() - 1.0);
            let delay = format!("{} us", (rtt * 500.0).round());
            let start = format!("{} ms", (draws.unit() * STARTS_S * 1e3).round());
            // TCP fills its packets up to the MTU.
            let mtu = if flow < self.n { 1_500 } else { PACKET_BYTES };
            links.push(json!({ "from": a, "to": b, "delay": delay, "bottleneck": "neck", "mtu": mtu }));
            links.push(json!({ "from": b, "to": a, "delay": delay, "mtu": mtu }));
            if flow < self.n {
                sessions.push(json!({
                    "id": flow + 1, "source": a, "destinations": [b], "routing": "direct", "transport": "udp",
                    "symbol_bytes": format!("{SYMBOL_BYTES} B"), "start": start,
                    "content": greedy()
                }));
            } else {
                cross.push(json!({
                    "from": a, "to": b, "pattern": "tcp", "flows": 1, "controller": "reno", "delayed_acks": false,
                    "recovery": "dupack", "start": start
                }));
            }
        }
        json!({
            "bellini": 1, "name": "tfrc-dumbbell", "duration": format!("{to} s"), "sample_interval": "1 s",
            "measure": { "from": format!("{from} s"), "to": format!("{to} s") },
            "nodes": (1..=4 * self.n).map(|id| json!({ "id": id })).collect::<Vec<_>>(),
            "links": links,
            "bottlenecks": [{ "name": "neck", "rate": format!("{MBPS} Mbit/s"),
                "queue": { "bytes": bytes(QUEUE as f64), "discipline": discipline } }],
            "cross_traffic": cross,
            "conferences": [{ "id": 1, "sessions": sessions }]
        })
    }

    fn name(&self) -> String {
        let queue = if self.queue == "RED" { "RED" } else { "drop-tail" };
        format!("{queue}, n = {}", self.n)
    }
}

/// One run's figures.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// Mean throughput over an equal share.
    tfrc: f64,
    tcp: f64,
    /// Coefficient of variation of a flow's seconds, mean over flows.
    tfrc_cov: f64,
    tcp_cov: f64,
    /// Packets that the bottleneck dropped, in percent of those that came.
    loss: f64,
    utilisation: f64,
}

impl Outcome {
    fn of(case: &Case, run: &Run, window: (u64, u64)) -> Result<Self, Failure> {
        let window = (window.0 as f64, window.1 as f64);
        let (mut tfrc, mut tcp) = (Vec::new(), Vec::new());
        let (mut came, mut dropped) = (0.0, 0.0);
        for flow in 0..2 * case.n {
            let (a, b) = (2 * flow + 1, 2 * flow + 2);
            let link = run.link(a, b)?;
            if flow < case.n {
                // What arrives: a link behind a shared bottleneck counts as sent what the bottleneck then drops.
                let seconds = run.bins("goodput_mbps", &format!("1/{}@{b}", flow + 1), window);
                let packets = |mbps: f64| mbps * 1e6 / 8.0 / f64::from(SYMBOL_BYTES);
                tfrc.push(seconds.into_iter().map(packets).collect::<Vec<_>>());
                came += link.sent_packets as f64;
                dropped += link.dropped_queue as f64;
            } else {
                let seconds = run.bins("cross_goodput_mbps", &format!("{a}>{b}#1"), window);
                let packets = |mbps: f64| mbps * 1e6 / 8.0 / SEGMENT_BYTES;
                tcp.push(seconds.into_iter().map(packets).collect::<Vec<_>>());
            }
        }
        let share = |flows: &[Vec<f64>]| {
            let means: Vec<_> = flows.iter().filter_map(|seconds| bins::mean(seconds)).collect();
            bins::mean(&means).unwrap_or(0.0) / case.share()
        };
        let cov = |flows: &[Vec<f64>]| {
            let all: Vec<_> = flows.iter().filter_map(|seconds| bins::variation(seconds)).collect();
            bins::mean(&all).unwrap_or(f64::NAN)
        };
        Ok(Self {
            tfrc: share(&tfrc),
            tcp: share(&tcp),
            tfrc_cov: cov(&tfrc),
            tcp_cov: cov(&tcp),
            loss: 100.0 * dropped / f64::max(came, 1.0),
            utilisation: run.link(1, 2)?.utilisation.unwrap_or(f64::NAN),
        })
    }
}

const METRICS: &[(Scope, &str)] =
    &[(Scope::Destination, "goodput_mbps"), (Scope::Cross, "cross_goodput_mbps")];

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let cases = Case::all(setting)?;
    let seeds = setting.seeds(10, 1);
    let window = if setting.is_quick() { (20, 60) } else { (60, 300) };
    let jobs: Vec<_> = cases.iter().flat_map(|case| (1..=seeds).map(move |seed| (case, seed))).collect();
    let outcomes = parallel::each("tfrc-dumbbell", &jobs, |(case, seed)| {
        let run = super::simulate(setting.registry, &case.scenario(*seed, window), *seed, METRICS)?;
        Outcome::of(case, &run, window)
    })?;
    let mut rows = Vec::new();
    let mut detail = Vec::new();
    let mut means = Vec::new();
    for (case, runs) in cases.iter().zip(outcomes.chunks(seeds as usize)) {
        rows.extend(judge(case, runs)?);
        let all = |pick: fn(&Outcome) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
        let figures = [
            all(|it| it.tfrc),
            all(|it| it.tcp),
            all(|it| it.tfrc_cov),
            all(|it| it.tcp_cov),
            all(|it| it.loss),
        ];
        means.push(figures.each_ref().map(|values| bins::mean(values).unwrap_or(f64::NAN)));
        let [tfrc, tcp, tfrc_cov, tcp_cov, loss] = figures;
        detail.push(
            json!({ "queue": case.queue, "n": case.n, "tfrc": tfrc, "tcp": tcp, "tfrc_cov_1s": tfrc_cov,
            "tcp_cov_1s": tcp_cov, "loss_percent": loss, "utilisation": all(|it| it.utilisation) }),
        );
    }
    let page = Page {
        title: "TFRC and TCP at one bottleneck".to_owned(),
        reference: "ns-2".to_owned(),
        lead: format!(
            "n TFRC hops and n simulated TCP connections (NewReno's rules, SACK with losses found by three duplicates as in ns-2's Sack1, no delayed acknowledgements) share \
             {MBPS} Mbit/s with a queue of {QUEUE} packets; round trips {RTT_MS} ms +- {SPREAD_MS} ms without the queue; \
             {} to {} s, mean of {seeds} seeds.",
            window.0, window.1
        ),
        rows,
        plots: plots(&cases, &means)?,
        inputs: vec![
            input("packets", format!("{PACKET_BYTES} B on the wire, TFRC's and TCP's"), "reference: ns-2's scripts of these runs"),
            input("RED", "thresholds 15.7 and 47 packets, gentle, w_q 0.002, max_p 0.1; drops 1/p to 2/p apart, as in ns-2", "reference: ns-2's defaults, in packets"),
            input("starts", format!("uniform within {STARTS_S} s"), "assumed: so that flows do not start in step"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "1 is an equal share of the bottleneck's rate, used or not. Coefficients of variation are of a flow's one-second bins, mean over flows. TCP's packets are its receiver's bytes in order over the segment's size, so packets sent twice do not count.".to_owned(),
            "Loss is that of TFRC's packets at the bottleneck.".to_owned(),
            "ns-2's TFRC sends with 10 % dither; here round trips and starts differ by seed, and nothing else is random.".to_owned(),
            "With n = 1 a few losses in minutes decide: it is reported and not judged.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "cases": detail }) })
}

fn judge(case: &Case, runs: &[Outcome]) -> Result<Vec<Row>, Failure> {
    let reference = |name: &str| case.reference.number(name);
    let all = |pick: fn(&Outcome) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
    let judged = |band: (f64, f64)| (case.n >= 4).then_some(band);
    let figure = |what: &str, unit: &str, theirs: f64, band, values: &[f64]| Row {
        band,
        ..row(format!("{}: {what}", case.name()), unit, Some(theirs), values)
    };
    let share = match case.queue {
        "RED" => (0.95, 1.05),
        _ => (reference("tfrc_norm_min")? - 0.05, reference("tfrc_norm_max")? + 0.05),
    };
    let loss = reference("loss_pct")?;
    let covs = (reference("tfrc_cov_1s")?, reference("tcp_cov_1s")?);
    let ratios: Vec<_> = runs.iter().map(|it| it.tfrc_cov / it.tcp_cov).collect();
    Ok(vec![
        figure("TFRC", "of a share", reference("tfrc_norm")?, judged(share), &all(|it| it.tfrc)),
        figure("TCP", "of a share", reference("tcp_norm")?, None, &all(|it| it.tcp)),
        figure("CoV of TFRC", "", covs.0, None, &all(|it| it.tfrc_cov)),
        figure("CoV of TCP", "", covs.1, None, &all(|it| it.tcp_cov)),
        figure("CoV of TFRC over TCP's", "", covs.0 / covs.1, judged((0.35, 0.9)), &ratios),
        figure("loss", "%", loss, judged((0.8 * loss, 1.2 * loss)), &all(|it| it.loss)),
        figure("utilisation", "", reference("utilisation")?, None, &all(|it| it.utilisation)),
    ])
}

/// A curve of the plots: its name, its place in a run's figures, its column in the reference.
type Figure = (&'static str, usize, &'static str);

fn plots(cases: &[Case], means: &[[f64; 5]]) -> Result<Vec<Plot>, Failure> {
    let mut plots = Vec::new();
    for (queue, name) in [("DropTail", "drop-tail"), ("RED", "RED")] {
        let here: Vec<_> = cases.iter().zip(means).filter(|(case, _)| case.queue == queue).collect();
        let mut plot = |title: &str, caption: &str, y, y_range, figures: &[Figure]| -> Result<(), Failure> {
            let mut curves: Vec<Curve> = Vec::new();
            for (name, place, column) in figures {
                let at = curves.len();
                let ours = here.iter().map(|(case, mean)| (f64::from(case.n), mean[*place])).collect();
                curves.push(curve(*name, Shape::DottedLine, ours));
                let mut theirs = Vec::new();
                for (case, _) in &here {
                    theirs.push((f64::from(case.n), case.reference.number(column)?));
                }
                curves.push(Curve {
                    beside: Some(at),
                    ..curve(format!("ns-2, {name}"), Shape::DottedLine, theirs)
                });
            }
            plots.push(Plot {
                title: format!("{title} ({name})"),
                caption: caption.to_owned(),
                x: axis("flows of each kind", ""),
                y,
                y_range,
                curves,
            });
            Ok(())
        };
        let (tfrc, tcp) = (("TFRC", 0, "tfrc_norm"), ("TCP", 1, "tcp_norm"));
        plot(
            "Throughput over an equal share",
            "1 is an equal share; dashed: ns-2.",
            axis("share", ""),
            Some((0.6, 1.4)),
            &[tfrc, tcp],
        )?;
        let covs = [("TFRC", 2, "tfrc_cov_1s"), ("TCP", 3, "tcp_cov_1s")];
        plot(
            "Variation of one-second bins",
            "Lower is smoother; dashed: ns-2.",
            axis("CoV", ""),
            None,
            &covs,
        )?;
        plot(
            "Loss at the bottleneck",
            "Of TFRC's packets; dashed: ns-2.",
            axis("loss", "%"),
            None,
            &[("loss", 4, "loss_pct")],
        )?;
    }
    Ok(plots)
}
