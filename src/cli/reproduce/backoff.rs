//! `overflow-backoff`: who hears of an overflow at a relay, and what an adaptive source makes of it.

use super::simulated::{interval, simulate};
use super::{Experiment, Findings, Setting, parallel};
use crate::cli::exit::Failure;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::record::{Scope, kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCENARIO: &str = include_str!("../../../scenarios/transports/overflow-backoff.json");
/// The scenario's relay that overflows, and whose next hop that is.
const FEEDER: &str = "3>4";
const SESSION: &str = "1/1";
/// When its link gets slow, when it is mended, and the end.
const SLOW: (f64, f64, f64) = (10.0, 35.0, 95.0);
/// Drops have ended when there are none for so long.
const QUIET_S: f64 = 5.0;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "overflow-backoff",
    about: "an overflow at a relay, who hears of it, and an adaptive source that backs off (simulated)",
    run,
}];

/// What one seed gave.
struct Backoff {
    level: Vec<(f64, f64)>,
    drops: Vec<(f64, f64)>,
    queued: Vec<(f64, f64)>,
    allowed: Vec<(f64, f64)>,
    at_source: Vec<f64>,
    /// Notices by the node that heard them.
    heard: BTreeMap<u32, u64>,
    digest: Option<String>,
}

fn play(seed: &u64) -> Result<Backoff, Failure> {
    let run = simulate("overflow-backoff.json", SCENARIO, &[], *seed, None)?;
    let curve = |scope, id, metric| run.series.curve(scope, id, metric).cloned().unwrap_or_default();
    let mut heard: BTreeMap<u32, u64> = BTreeMap::new();
    let mut at_source = Vec::new();
    for notice in run.events.iter().filter(|event| event.kind == kind::OVERFLOW) {
        let node = notice.node.unwrap_or(0);
        *heard.entry(node).or_default() += 1;
        if node == 1 {
            at_source.push(notice.t_s);
        }
    }
    Ok(Backoff {
        level: curve(Scope::Session, SESSION, "level_mbps"),
        drops: curve(Scope::Feeder, FEEDER, "dropped_packets"),
        queued: curve(Scope::Feeder, FEEDER, "queued_bytes"),
        allowed: curve(Scope::Hop, FEEDER, "hop_allowed_mbps"),
        at_source,
        heard,
        digest: run.summary.digest.clone(),
    })
}

/// Plays the scenario with each seed.
fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    // Nothing in it is random: all seeds give the same.
    let seeds = setting.seeds(1, 1);
    let runs = parallel::each("overflow-backoff", &(1..=seeds).collect::<Vec<_>>(), play)?;
    let (slow, mended, end) = SLOW;
    let within = |curve: &[(f64, f64)], from: f64, to: f64| -> Vec<f64> {
        curve.iter().filter(|(t, _)| *t > from && *t <= to).map(|(_, value)| *value).collect()
    };
    let most = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    let least = |values: Vec<f64>| values.into_iter().fold(f64::INFINITY, f64::min);
    let sum = |values: Vec<f64>| values.into_iter().sum::<f64>();
    let over = |of: &dyn Fn(&Backoff) -> f64| runs.iter().map(of).collect::<Vec<f64>>();
    let row = |quantity: String, unit: &str, values: &[f64], band: Option<(f64, f64)>, remark: &str| {
        // What did not happen in a run has no value.
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let over = Interval::of(&values);
        Row {
            quantity,
            unit: unit.to_owned(),
            reference: None,
            ours: over.map(|it| it.mean),
            interval: interval(over),
            band,
            remark: remark.to_owned(),
            ..Row::default()
        }
    };
    let many = Some((1.0, 10_000.0));
    let mut rows = vec![
        row(
            "level just before the link gets slow".into(),
            "Mbit/s",
            &over(&|run| most(within(&run.level, slow - QUIET_S, slow))),
            None,
            "of the source's ladder; highest in 5 s",
        ),
        row(
            "lowest level while it is slow".into(),
            "Mbit/s",
            &over(&|run| least(within(&run.level, slow, mended))),
            Some((0.0, 2.0)),
            "the link then carries 2 Mbit/s, headers included",
        ),
        row(
            "highest level after it was mended".into(),
            "Mbit/s",
            &over(&|run| most(within(&run.level, mended, end))),
            None,
            "one level after each 20 s without a notice",
        ),
        row(
            "first notice at the source".into(),
            "s after",
            &over(&|run| run.at_source.iter().find(|t| **t >= slow).map_or(f64::NAN, |t| t - slow)),
            None,
            "the relay's feeder has to fill first",
        ),
        row(
            "dropped by the relay in the first 5 s".into(),
            "packets",
            &over(&|run| sum(within(&run.drops, slow, slow + QUIET_S))),
            many,
            "its feeder for the slow link is full",
        ),
        row(
            "dropped by the relay in the last 5 s before the mending".into(),
            "packets",
            &over(&|run| sum(within(&run.drops, mended - QUIET_S, mended))),
            Some((0.0, 0.0)),
            "the source has backed off",
        ),
    ];
    let listeners = [
        (1, "the source", many),
        (2, "relay upstream", many),
        (3, "the relay that overflows", many),
        (4, "relay downstream, no destination", Some((0.0, 0.0))),
        (5, "destination", many),
        (6, "destination", many),
    ];
    for (node, name, band) in listeners {
        let heard = over(&|run| run.heard.get(&node).map_or(0.0, |count| *count as f64));
        rows.push(row(
            format!("notices heard by node {node}, {name}"),
            "",
            &heard,
            band,
            "one in 100 ms at most",
        ));
    }
    let detail: Vec<Value> = (1..)
        .zip(&runs)
        .map(|(seed, run): (u64, &Backoff)| {
            json!({ "seed": seed, "digest": run.digest, "level_mbps": run.level, "dropped_packets": run.drops,
                "notices_at_source_s": run.at_source })
        })
        .collect();
    let page = Page {
        title: "Overflow at a relay, and a source that backs off".to_owned(),
        lead: format!(
            "The scenario scenarios/transports/overflow-backoff.json in the simulator, {seeds} seeds; plots show the \
             first. The link from Tokyo to Singapore has a tenth of its rate from {slow} s to {mended} s."
        ),
        reference: "paper".to_owned(),
        rows,
        plots: runs.first().map(draw).unwrap_or_default(),
        notes: vec![
            "The paper says that all nodes involved are notified of an overflow, and shows no figure of it: there is \
             no value to compare with."
                .to_owned(),
            "Nothing in the scenario is random: every seed gives the same figures.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "runs": detail }) })
}

type Points = [(f64, f64)];

fn draw(run: &Backoff) -> Vec<Plot> {
    let Backoff { level, drops, queued, allowed, at_source: notices, .. } = run;
    let at = |t: f64| level.iter().find(|(until, _)| *until >= t).map_or(0.0, |(_, value)| *value);
    let dots = notices.iter().map(|t| (*t, at(*t))).collect();
    let curve = |name: &str, shape, points| Curve { name: name.to_owned(), shape, points, beside: None };
    let time = || ("scenario time".to_owned(), "s".to_owned());
    let highest = level.iter().map(|point| point.1).fold(0.0, f64::max);
    let shown = |points: &Points| points.iter().map(|(t, rate)| (*t, rate.min(2.5 * highest))).collect();
    vec![
        Plot { y_range: None,
            title: "The source's level follows the overflow of a relay two hops away".to_owned(),
            caption: "Rate of the source's level; a dot for each overflow notice that the source heard; and what the \
                      congestion control of the relay's hop allowed, cut off at two and a half times the highest level."
                .to_owned(),
            x: time(),
            y: ("rate".to_owned(), "Mbit/s".to_owned()),
            curves: vec![
                curve("level of the source", Shape::Line, stairs(level)),
                curve("overflow notice at the source", Shape::Dots, dots),
                curve("allowed to the relay's hop", Shape::Line, shown(allowed)),
            ],
        },
        Plot { y_range: None,
            title: "Drops end once the source has backed off".to_owned(),
            caption: "Packets that the relay's feeder dropped in each quarter of a second, and KiB that waited in it."
                .to_owned(),
            x: time(),
            y: ("packets, KiB".to_owned(), String::new()),
            curves: vec![
                curve("packets dropped", Shape::Line, drops.clone()),
                curve(
                    "KiB waiting",
                    Shape::Line,
                    queued.iter().map(|(t, bytes)| (*t, bytes / 1024.0)).collect(),
                ),
            ],
        },
    ]
}

/// Makes steps of samples, each of which is valid until its time.
fn stairs(points: &Points) -> Vec<(f64, f64)> {
    let mut stairs = Vec::with_capacity(points.len() * 2);
    let mut from = 0.0;
    for (until, value) in points {
        stairs.extend([(from, *value), (*until, *value)]);
        from = *until;
    }
    stairs
}
