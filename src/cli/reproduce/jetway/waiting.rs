//! Those who may wait or store, Postcard among them, on periods short enough for its program.

use super::months::ECOFLOW;
use super::{PERCENTILES, Part, failed, ratios};
use crate::cli::exit::Failure;
use crate::cli::reproduce::common::input;
use crate::cli::reproduce::{Setting, parallel};
use bellini_core::rng::Seed;
use bellini_reports::reproduce::{Page, Row};
use bellini_scenarios::fluid::{Workload, WorkloadSpec, cost, run};
use bellini_scenarios::policies::jetway::{Strategy, ecoflow, postcard};
use serde_json::json;

/// By percentile: Jetway, then the others.
struct Figures {
    ours: [f64; 2],
    others: [Vec<f64>; 2],
    missed: usize,
}

pub(super) fn waiting(setting: &Setting<'_>, seeds: u64) -> Result<Part, Failure> {
    let spec = if setting.is_quick() {
        WorkloadSpec {
            nodes: 4,
            intervals: 48,
            day: 48,
            videos_per_day: 10.0,
            length: (3, 12),
            ..WorkloadSpec::default()
        }
    } else {
        WorkloadSpec { intervals: DAYS * 288, ..WorkloadSpec::default() }
    };
    let all: Vec<u64> = (1..=seeds).collect();
    let figures = parallel::each("jetway, short periods", &all, |seed| period(&spec, *seed))?;
    let names = ["Postcard"].into_iter().chain(ECOFLOW.iter().map(|(name, _)| *name));
    let mut rows = Vec::new();
    for (which, name) in names.enumerate() {
        for (at, percentile) in PERCENTILES.iter().enumerate() {
            let of: Vec<f64> = figures.iter().map(|it| it.ours[at] / it.others[at][which]).collect();
            let about = match (which, at) {
                (0, 1) => "Postcard's plan is for the maximum; here it is billed by the percentile",
                (0, _) => "Postcard may store on the way; Jetway may not",
                _ => "EcoFlow may wait; Jetway may not",
            };
            rows.push(ratios(format!("short, q = {percentile}: over {name}"), &of, about));
        }
    }
    rows.push(Row {
        quantity: "short: videos refused or late, all together".to_owned(),
        ours: Some(figures.iter().map(|it| it.missed).sum::<usize>() as f64),
        band: Some((0.0, 0.0)),
        ..Row::default()
    });
    let page = Page {
        rows,
        inputs: vec![input(
            "short periods, for Postcard",
            format!("{} days of the same traffic, {seeds} workloads", spec.intervals / spec.day),
            "assumed: its program over the time-expanded graph takes a tenth of a second a video; a month of it was not run",
        )],
        ..Page::default()
    };
    let detail =
        figures.iter().map(|it| json!({ "single": it.ours, "others": it.others, "missed": it.missed }));
    Ok(Part { page, detail: json!(detail.collect::<Vec<_>>()) })
}

const DAYS: usize = 1;

fn period(spec: &WorkloadSpec, seed: u64) -> Result<Figures, Failure> {
    let drawn = Workload::draw(spec, Seed(100 + seed));
    let stored = postcard::run(&drawn.market, drawn.intervals, &drawn.demands).map_err(failed)?;
    let mut figures = Figures { ours: [0.0; 2], others: Default::default(), missed: stored.missed };
    for (at, percentile) in PERCENTILES.iter().enumerate() {
        let ours = run(&drawn, *percentile, Strategy::Single).map_err(failed)?;
        figures.ours[at] = ours.cost;
        figures.missed += ours.missed;
        figures.others[at].push(cost(&drawn.market, &stored.volumes, *percentile));
        for (_, is_cheapest) in ECOFLOW {
            let waited =
                ecoflow::run(&drawn.market, drawn.intervals, *percentile, is_cheapest, &drawn.demands);
            figures.others[at].push(waited.cost);
            figures.missed += waited.missed;
        }
    }
    Ok(figures)
}
