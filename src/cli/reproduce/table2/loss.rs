//! The cloud column predicted from the P2P column and priors of what nobody measured.

use super::super::cities::Rtt;
use super::super::common::{axis, curve};
use super::super::{Setting, bins, parallel};
use super::network::{DESTINATION, Hop, Measured, Network, Window, loss_for};
use super::{ACCESS_MBPS, AT_ENDS, Pair, SPREAD};
use crate::cli::exit::Failure;
use bellini_core::rng::{Seed, Stream};
use bellini_reports::reproduce::{Curve, Plot, Row, Shape};
use serde_json::{Value, json};

/// Not identifiable: the upper end of the 90 % interval is more than so many times its lower end, or the median changes
/// by more than the second factor when the assumed capacities are halved. Stated before anything was drawn.
pub(super) const WIDE: f64 = 3.0;
pub(super) const MOVED: f64 = 1.5;
/// Standard normal deviate of the 95th percentile.
const NORMAL_95: f64 = 1.644_853_6;

/// What was drawn for one pair.
struct Draw {
    network: Network,
    /// Predicted payload in Mbit/s, and with half the capacity.
    mbps: f64,
    halved_mbps: f64,
}

impl Draw {
    fn of(pair: &Pair, stream: &mut Stream) -> Self {
        let whole = pair.rtt_ms();
        let loss = loss_for(pair.paper.direct_mbps, whole);
        // An end that is slower than what the paper got through it directly is not possible.
        let least = ACCESS_MBPS.0.max(pair.paper.direct_mbps);
        let mut access = || least * (ACCESS_MBPS.1 / least).powf(stream.unit());
        let cap = access().min(access());
        let at_ends = AT_ENDS.0 + (AT_ENDS.1 - AT_ENDS.0) * stream.unit();
        let excess = pair.excess_ms() / 2.0;
        let mut ways = Vec::new();
        for (relay, id) in pair.relays.iter().zip(11..) {
            let mut hop = |to: u32, rtt: Rtt| {
                let rtt_ms = rtt.drawn(stream) + excess;
                let spread = (SPREAD.ln() / NORMAL_95 * stream.normal()).exp();
                let between = loss * (1.0 - at_ends) * (rtt_ms / whole) * spread;
                Hop { to, rtt_ms, loss: (loss * at_ends / 2.0 + between).min(0.5) }
            };
            ways.push(vec![hop(id, relay.first), hop(DESTINATION, relay.second)]);
        }
        let network = Network { ways, cap_mbps: Some(cap) };
        let half = Network { cap_mbps: Some(cap / 2.0), ..network.clone() };
        Self { mbps: network.expected_mbps(), halved_mbps: half.expected_mbps(), network }
    }
}

/// What is found for all pairs.
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    pub(super) plots: Vec<Plot>,
    pub(super) detail: Value,
}

/// Returns the 5, 50 and 95 % quantiles.
fn quantiles(values: &[f64]) -> [f64; 3] {
    [0.05, 0.5, 0.95].map(|q| bins::quantile(values, q).unwrap_or(f64::NAN))
}

fn verdict(paper: f64, [low, middle, high]: [f64; 3], halved: [f64; 3]) -> String {
    let place = if (low..=high).contains(&paper) { "inside" } else { "outside" };
    let (wide, moved) = (high / low, middle / halved[1]);
    let judged = if wide > WIDE || moved > MOVED { "not identifiable" } else { "identifiable" };
    format!(
        "the paper's is {place} the 90 % interval, which is {wide:.1} times wide; halved capacity divides the median by {moved:.2}: {judged}"
    )
}

pub(super) fn predict(
    setting: &Setting<'_>,
    pairs: &[Pair],
    draws: u64,
    checks: usize,
    window: Window,
) -> Result<Found, Failure> {
    let drawn: Vec<Vec<Draw>> = pairs
        .iter()
        .map(|pair| {
            let mut stream = Seed(1).stream_of(format_args!("table2:loss:{}", pair.name));
            let mut all: Vec<_> = (0..draws).map(|_| Draw::of(pair, &mut stream)).collect();
            all.sort_by(|a, b| a.mbps.total_cmp(&b.mbps));
            all
        })
        .collect();
    // Draws to check stand evenly over the predictions, from low to high.
    let place = |check: usize| ((check as f64 + 0.5) / checks as f64 * draws as f64) as usize;
    let jobs: Vec<_> = drawn.iter().flat_map(|all| (0..checks).map(|check| &all[place(check)])).collect();
    let simulated = parallel::each("table2 draws", &jobs, |draw| draw.network.measure(setting, 1, window))?;
    let (mut rows, mut curves, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    for ((pair, all), checked) in pairs.iter().zip(&drawn).zip(simulated.chunks(checks)) {
        let paper = pair.paper.cloud_mbps;
        let [values, halves] = [|it: &Draw| it.mbps, |it: &Draw| it.halved_mbps]
            .map(|pick: fn(&Draw) -> f64| all.iter().map(pick).collect::<Vec<_>>());
        let (all_90, half_90) = (quantiles(&values), quantiles(&halves));
        let below = values.iter().filter(|value| **value < paper).count() as f64 / draws as f64 * 100.0;
        let predicted = |what: &str, of: [f64; 3], remark: String| Row {
            quantity: format!("{}: cloud predicted, {what}", pair.name),
            unit: "Mbit/s".to_owned(),
            reference: Some(paper),
            ours: Some(of[1]),
            interval: Some((of[0], of[2])),
            remark,
            ..Row::default()
        };
        rows.push(predicted(
            "median and 90 %",
            all_90,
            format!("{}; {below:.0} % of the draws are below the paper's", verdict(paper, all_90, half_90)),
        ));
        rows.push(predicted(
            "capacities halved",
            half_90,
            "the same draws, each with half the capacity".to_owned(),
        ));
        let (plain, halved) = (cumulative(&values, paper), cumulative(&halves, paper));
        let at = curves.len();
        curves.push(curve(&*pair.name, Shape::Line, plain));
        curves
            .push(Curve { beside: Some(at), ..curve(format!("{}, halved", pair.name), Shape::Line, halved) });
        let mut pieces = Vec::new();
        for (check, run) in checked.iter().enumerate() {
            let draw = &all[place(check)];
            rows.push(check_row(pair, place(check), draw, run));
            pieces.push(
                json!({ "rank": place(check), "closed_form_mbps": draw.mbps, "simulated": run.json() }),
            );
        }
        detail.push(json!({ "pair": pair.name, "loss": loss_for(pair.paper.direct_mbps, pair.rtt_ms()), "draws": draws,
            "quantiles_5_50_95_mbps": all_90, "halved_quantiles_5_50_95_mbps": half_90, "below_paper_percent": below,
            "checked": pieces }));
    }
    curves.push(curve("the paper's", Shape::Line, vec![(1.0, 0.0), (1.0, 100.0)]));
    let plots = vec![Plot {
        title: "Predicted cloud throughput over the paper's".to_owned(),
        caption:
            "Part of the draws that lie below. Dashed: the same draws with half the capacity at the ends."
                .to_owned(),
        x: axis("predicted over the paper's", ""),
        y: axis("draws below", "%"),
        y_range: Some((0.0, 100.0)),
        curves,
    }];
    Ok(Found { rows, plots, detail: detail.into() })
}

/// Returns the curve of the parts that lie below, in percent, over multiples of the paper's value.
fn cumulative(values: &[f64], paper: f64) -> Vec<(f64, f64)> {
    (0..=50)
        .map(|i| f64::from(i) * 2.0)
        .filter_map(|q| Some((bins::quantile(values, q / 100.0)? / paper, q)))
        .collect()
}

fn check_row(pair: &Pair, rank: usize, draw: &Draw, run: &Measured) -> Row {
    Row {
        quantity: format!("{}: draw {rank} simulated", pair.name),
        unit: "Mbit/s".to_owned(),
        ours: Some(run.mbps),
        remark: format!(
            "{:.2} in closed form, {:+.0} % of it; capacity {:.1} Mbit/s",
            draw.mbps,
            (draw.mbps / run.mbps - 1.0) * 100.0,
            draw.network.cap_mbps.unwrap_or(f64::INFINITY)
        ),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: what is called identifiable is narrow and hardly moves, and being inside is said apart from that.
    #[test]
    fn verdicts_are_as_stated() {
        let narrow = verdict(10.0, [8.0, 10.0, 12.0], [7.0, 9.0, 11.0]);
        assert!(narrow.contains("inside") && narrow.ends_with(": identifiable"), "{narrow}");
        let wide = verdict(10.0, [3.0, 9.0, 12.0], [3.0, 9.0, 12.0]);
        assert!(wide.contains("inside") && wide.ends_with("not identifiable"), "{wide}");
        let moved = verdict(20.0, [8.0, 10.0, 12.0], [4.0, 6.0, 8.0]);
        assert!(moved.contains("outside") && moved.ends_with("not identifiable"), "{moved}");
    }
}
