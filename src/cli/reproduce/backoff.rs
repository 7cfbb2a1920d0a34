//! `overflow-backoff`: who hears of an overflow at a relay, and what an adaptive source makes of it.

use super::simulated::simulate;
use super::{Bench, Failure, exit, interval};
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::record::{EventRow, Scope, kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCENARIO: &str = include_str!("../../../scenarios/transports/overflow-backoff.json");
/// The scenario's relay that overflows, and whose next hop that is.
const FEEDER: &str = "3>4";
const SESSION: &str = "1/1";
/// When its link gets slow, when it is mended, and the end.
const SLOW: (f64, f64, f64) = (10.0, 40.0, 70.0);
/// Drops have ended when there are none for so long.
const QUIET_S: f64 = 5.0;

/// Plays the scenario with each seed.
pub(super) fn run(bench: &Bench<'_>) -> Result<(Page, Value), Failure> {
    let mut plots = None;
    let mut figures: [Vec<f64>; 6] = Default::default();
    let mut listeners: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut runs = Vec::new();
    for seed in 1..=bench.options.runs {
        let run = simulate("overflow-backoff.json", SCENARIO, &[], seed, None)?;
        let curve = |scope, id, metric| run.series.curve(scope, id, metric).cloned().unwrap_or_default();
        let level = curve(Scope::Session, SESSION, "level_mbps");
        let drops = curve(Scope::Feeder, FEEDER, "dropped_packets");
        let notices: Vec<&EventRow> =
            run.events.iter().filter(|event| event.kind == kind::OVERFLOW).collect();
        for notice in &notices {
            let all =
                listeners.entry(notice.node.unwrap_or(0)).or_insert_with(|| vec![0.0; seed as usize - 1]);
            all.resize(seed as usize, 0.0);
            all[seed as usize - 1] += 1.0;
        }
        let at_source: Vec<f64> =
            notices.iter().filter(|event| event.node == Some(1)).map(|event| event.t_s).collect();
        let (slow, mended, end) = SLOW;
        let between = |curve: &[(f64, f64)], from: f64, to: f64| -> Vec<f64> {
            curve.iter().filter(|(t, _)| *t > from && *t <= to).map(|(_, value)| *value).collect()
        };
        let least = between(&level, slow, mended).into_iter().fold(f64::INFINITY, f64::min);
        let before = between(&level, slow - QUIET_S, slow).into_iter().fold(0.0, f64::max);
        let after = between(&level, mended, end).into_iter().fold(0.0, f64::max);
        let first = at_source.first().map_or(f64::NAN, |t| t - slow);
        let early: f64 = between(&drops, slow, slow + QUIET_S).iter().sum();
        let late: f64 = between(&drops, mended - QUIET_S, mended).iter().sum();
        let values = [before, least, after, first, early, late];
        figures.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
        runs.push(json!({
            "seed": seed, "digest": run.summary.digest, "level_mbps": level, "dropped_packets": drops,
            "notices_at_source_s": at_source,
        }));
        if plots.is_none() {
            let queued = curve(Scope::Feeder, FEEDER, "queued_bytes");
            let allowed = curve(Scope::Hop, FEEDER, "hop_allowed_mbps");
            plots = Some(draw(&level, &at_source, &drops, &queued, &allowed));
        }
    }
    for all in listeners.values_mut() {
        all.resize(bench.options.runs as usize, 0.0);
    }
    let row = |quantity: String, unit: &str, values: &[f64], remark: &str| {
        // What did not happen in a run has no value.
        let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let over = Interval::of(&values);
        let ours = over.map(|it| it.mean);
        Row {
            quantity,
            unit: unit.to_owned(),
            paper: None,
            ours,
            interval: interval(over),
            remark: remark.to_owned(),
        }
    };
    let [before, least, after, first, early, late] = &figures;
    let mut rows = vec![
        row(
            "highest level in the 5 s before the link gets slow".into(),
            "Mbit/s",
            before,
            "of the source's ladder",
        ),
        row(
            "lowest level while it is slow".into(),
            "Mbit/s",
            least,
            "the link then carries 2 Mbit/s with headers",
        ),
        row(
            "highest level after it was mended".into(),
            "Mbit/s",
            after,
            "one level after each 6 s without a notice",
        ),
        row("first notice at the source after".into(), "s", first, "the relay's feeder has to fill first"),
        row(
            "dropped by the relay in the first 5 s".into(),
            "packets",
            early,
            "its feeder for the slow link is full",
        ),
        row(
            "dropped by the relay in the last 5 s before the mending".into(),
            "packets",
            late,
            "the source has backed off",
        ),
    ];
    for (node, name) in
        [(1, "source"), (2, "relay upstream"), (3, "the relay"), (5, "destination"), (6, "destination")]
    {
        let none = vec![0.0; bench.options.runs as usize];
        let heard = listeners.get(&node).unwrap_or(&none);
        rows.push(row(format!("notices heard by node {node} ({name})"), "", heard, "one in 100 ms at most"));
    }
    let other: Vec<u32> = listeners.keys().copied().filter(|node| ![1, 2, 3, 5, 6].contains(node)).collect();
    if !other.is_empty() {
        return Err(Failure::new(
            exit::FAILED,
            format!("nodes {other:?} heard notices that are not for them"),
        ));
    }
    let page = Page {
        title: "Overflow at a relay, and a source that backs off".to_owned(),
        lead: format!(
            "The scenario scenarios/transports/overflow-backoff.json in the simulator, {} seeds; plots show the first. \
             The link from Tokyo to Singapore has a fifth of its rate from 10 s to 40 s.",
            bench.options.runs
        ),
        rows,
        plots: plots.unwrap_or_default(),
        bars: Vec::new(),
        inputs: Vec::new(),
        notes: vec![
            "The paper says that all nodes involved are notified of an overflow, and shows no figure of it: there is \
             no value to compare with."
                .to_owned(),
        ],
    };
    Ok((page, json!({ "runs": runs })))
}

type Points = [(f64, f64)];

fn draw(level: &Points, notices: &[f64], drops: &Points, queued: &Points, allowed: &Points) -> Vec<Plot> {
    let at = |t: f64| level.iter().find(|(until, _)| *until >= t).map_or(0.0, |(_, value)| *value);
    let dots = notices.iter().map(|t| (*t, at(*t))).collect();
    let curve = |name: &str, shape, points| Curve { name: name.to_owned(), shape, points };
    let time = || ("scenario time".to_owned(), "s".to_owned());
    let highest = level.iter().map(|point| point.1).fold(0.0, f64::max);
    let shown = |points: &Points| points.iter().map(|(t, rate)| (*t, rate.min(2.5 * highest))).collect();
    vec![
        Plot {
            title: "The source's level follows the overflow of a relay three hops away".to_owned(),
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
        Plot {
            title: "Drops end once the source has backed off".to_owned(),
            caption: "Packets that the relay's feeder dropped in each quarter of a second, and KiB that waited in it."
                .to_owned(),
            x: time(),
            y: ("packets, KiB".to_owned(), String::new()),
            curves: vec![
                curve("packets dropped", Shape::Line, drops.to_vec()),
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
