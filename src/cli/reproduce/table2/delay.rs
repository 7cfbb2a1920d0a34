//! Delays predicted from round trips that others measured, with nothing to fit.

use super::super::bins;
use super::super::cities::{LAST_MILE_MS, backbone};
use super::super::common::{axis, curve};
use super::Pair;
use crate::cli::exit::Failure;
use bellini_core::rng::Seed;
use bellini_reports::reproduce::{Plot, Row, Shape};
use serde_json::{Value, json};

/// One-way delays of a pair in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Delays {
    direct: f64,
    /// By way of the fastest relay.
    fastest: f64,
    /// Mean over the relays.
    mean: f64,
}

impl Delays {
    /// Works them out from the round trips of the direct path and of the halves of each relay's.
    fn of(direct: f64, relays: &[f64]) -> Self {
        Self {
            direct: direct / 2.0,
            fastest: relays.iter().copied().fold(f64::INFINITY, f64::min) / 2.0,
            mean: relays.iter().sum::<f64>() / relays.len() as f64 / 2.0,
        }
    }

    fn over_direct(self) -> f64 {
        (self.fastest / self.direct - 1.0) * 100.0
    }
}

/// What is found for all pairs.
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    pub(super) plot: Plot,
    pub(super) detail: Value,
}

/// Returns the ends between which 95 % of the values lie.
fn middle_95(values: &[f64]) -> Option<(f64, f64)> {
    bins::quantile(values, 0.025).zip(bins::quantile(values, 0.975))
}

pub(super) fn predict(pairs: &[Pair], draws: u64) -> Result<Found, Failure> {
    let mut rows = Vec::new();
    let mut detail = Vec::new();
    let (mut direct, mut cloud) = (Vec::new(), Vec::new());
    for pair in pairs {
        let sums: Vec<_> = pair.relays.iter().map(|relay| relay.first.ms + relay.second.ms).collect();
        let ours = Delays::of(pair.direct.ms, &sums);
        let mut stream = Seed(1).stream_of(format_args!("table2:delay:{}", pair.name));
        let (mut bare, mut miles) = (Vec::new(), Vec::new());
        for _ in 0..draws {
            let at = pair.direct.drawn(&mut stream);
            let sums: Vec<_> = pair
                .relays
                .iter()
                .map(|relay| relay.first.drawn(&mut stream) + relay.second.drawn(&mut stream))
                .collect();
            bare.push(Delays::of(at, &sums));
            let mut mile = || LAST_MILE_MS.0 + (LAST_MILE_MS.1 - LAST_MILE_MS.0) * stream.unit();
            let more = mile() + mile();
            let sums: Vec<_> = sums.iter().map(|sum| sum + more).collect();
            miles.push(Delays::of(at + more, &sums));
        }
        let (via, _) = pair.fastest();
        let two = two_relays(pair)?;
        let mut put = |what: &str, unit: &str, paper: f64, pick: fn(Delays) -> f64, remark: &str| {
            let spread = |draws: &[Delays]| middle_95(&draws.iter().map(|it| pick(*it)).collect::<Vec<_>>());
            let (errors, mile) = (spread(&bare), spread(&miles).unwrap_or_default());
            let inside =
                |(low, high): (f64, f64)| if (low..=high).contains(&paper) { "inside" } else { "outside" };
            let of_paper = if unit == "%" {
                " points".to_owned()
            } else {
                format!(" ms ({:+.0} %)", (pick(ours) / paper - 1.0) * 100.0)
            };
            rows.push(Row {
                quantity: format!("{}: {what}", pair.name),
                unit: unit.to_owned(),
                reference: Some(paper),
                ours: Some(pick(ours)),
                interval: errors,
                remark: format!(
                    "{remark}; ours less the paper's {:+.1}{of_paper}; with 5 to 30 ms of last mile at both ends {:.1} to {:.1} {unit}: the paper's is {}",
                    pick(ours) - paper, mile.0, mile.1, inside(mile)
                ),
                ..Row::default()
            });
        };
        put("direct delay", "ms", pair.paper.direct_ms, |it| it.direct, pair.direct_kind());
        put(
            "delay over the fastest relay",
            "ms",
            pair.paper.cloud_ms,
            |it| it.fastest,
            &format!("{via}; the fastest over two relays takes {two:.1} ms"),
        );
        put(
            "mean delay over the relays",
            "ms",
            pair.paper.cloud_ms,
            |it| it.mean,
            &format!("{} relays, equal parts", pair.relays.len()),
        );
        let verdict = if ours.over_direct() < 0.0 {
            "round trips alone say that the relay is FASTER, the paper that it is slower"
        } else {
            "round trips alone say that the relay is slower, as the paper does"
        };
        let paper = (pair.paper.cloud_ms / pair.paper.direct_ms - 1.0) * 100.0;
        put("fastest relay over direct", "%", paper, Delays::over_direct, verdict);
        direct.push((pair.paper.direct_ms, ours.direct));
        cloud.push((pair.paper.cloud_ms, ours.fastest));
        detail.push(
            json!({ "pair": pair.name, "direct_ms": ours.direct, "relays": pair.relays.iter().zip(&sums)
            .map(|(relay, sum)| json!({ "region": relay.region, "delay_ms": sum / 2.0 })).collect::<Vec<_>>(),
            "fastest_over_two_relays_ms": two }),
        );
    }
    let plot = Plot {
        title: "Delays from round trips against the paper's".to_owned(),
        caption: "Half of round trips that others measured. On the line ours would be the paper's; all six lie below it, relays farther than direct paths.".to_owned(),
        x: axis("the paper's delay", "ms"),
        y: axis("predicted", "ms"),
        y_range: Some((0.0, 250.0)),
        curves: vec![
            curve("direct", Shape::Dots, direct),
            curve("fastest relay", Shape::Dots, cloud),
            curve("equal", Shape::Line, vec![(0.0, 0.0), (240.0, 240.0)]),
        ],
    };
    Ok(Found { rows, plot, detail: detail.into() })
}

/// Returns the one-way delay of the fastest path over two of the pair's relays.
fn two_relays(pair: &Pair) -> Result<f64, Failure> {
    let mut best = f64::INFINITY;
    for enter in &pair.relays {
        for leave in pair.relays.iter().filter(|leave| leave.region != enter.region) {
            best = best.min((enter.first.ms + backbone(enter.region, leave.region)? + leave.second.ms) / 2.0);
        }
    }
    Ok(best)
}
