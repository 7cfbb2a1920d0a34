//! `jetway`: what months of video traffic between datacenters cost, by how it is routed; `jetway-cases`: what is too slow
//! for months; `jetway-lab`: the shipped scenario by real processes.

mod forms;
mod lab;
mod months;
mod packets;
mod small;
mod waiting;

use super::common::{input, row};
use super::{Experiment, Findings, Setting};
use crate::cli::exit::{self, Failure};
use bellini_reports::reproduce::{Page, Row};
use bellini_scenarios::policies::jetway::Strategy;
use serde_json::json;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "jetway",
        about: "what 20 months of traffic between 7 datacenters cost by routing, and a day of them in packets",
        run,
    },
    Experiment {
        name: "jetway-cases",
        about: "Jetway against Postcard, EcoFlow, its own two forms and the exact optimum, in short periods",
        run: cases,
    },
    Experiment {
        name: "jetway-lab",
        about: "Jetway's split and the accountant's bill by real processes and in the simulator",
        run: lab::run,
    },
];

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

/// What a part of the experiment adds to its page.
#[derive(Default)]
struct Part {
    page: Page,
    detail: serde_json::Value,
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(20, 2);
    let Part { mut page, detail } = months::months(setting, seeds)?;
    let packets = packets::in_packets(setting)?;
    page.rows.extend(packets.rows);
    page.plots.push(packets.plot);
    page.inputs.push(input(
        "packets",
        "a day of the first workload, 10 kbit/s for each Mbit/s, symbols of 400 B",
        "assumed: small enough to play",
    ));
    Ok(Findings { page, seeds, detail: json!({ "fluid": detail, "packets": packets.detail }) })
}

fn cases(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(20, 2);
    let parts =
        [waiting::waiting(setting, seeds)?, forms::forms(setting, seeds)?, small::small(setting, seeds)?];
    let mut page = Page {
        title: "Jetway in short periods and small cases".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "What takes too long for a month, {seeds} workloads each. A day of the same traffic against those who may wait or store: \
             Postcard and EcoFlow. The single program against the two stages, as more videos start together. And small cases, \
             where online decisions are compared with the exact optimum of percentile charging. Ratios are by workload, with \
             95 % intervals of their mean; prices are made up."
        ),
        ..Page::default()
    };
    let mut details = Vec::new();
    for part in parts {
        page.rows.extend(part.page.rows);
        page.plots.extend(part.page.plots);
        page.inputs.extend(part.page.inputs);
        page.notes.extend(part.page.notes);
        details.push(part.detail);
    }
    let detail = json!({ "waiting": details[0], "forms": details[1], "small_cases": details[2] });
    Ok(Findings { page, seeds, detail })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(exit::FAILED, error)
}

/// A row of ratios by workload; what has no ratio is left out, and the remark says how many that are.
fn ratios(quantity: String, values: &[f64], remark: &str) -> Row {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let left = values.len() - finite.len();
    let without = if left > 0 {
        format!("; {left} of {} workloads left out: nothing is charged, or a video was refused", values.len())
    } else {
        String::new()
    };
    Row { remark: format!("{remark}{without}"), ..row(quantity, "", None, &finite) }
}

/// The mean of ratios by workload.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
