//! `tcp-theory`: the simulated TCP against what theory says of it: sawtooth, CUBIC's function, shares.

use super::common::{SEEDS, axis, curve, input, row};
use super::{Experiment, Findings, Setting, bins, parallel};
use crate::cli::exit::{self, Failure};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::model::{Queue, QueueDiscipline};
use bellini_sim::tcp::congestion::CubicOptions;
use bellini_sim::tcp::dumbbell::{Dumbbell, FlowSpec};
use bellini_sim::tcp::theory::{Watched, fair_shares, run_flows};
use bellini_sim::tcp::{CaState, Controller, Options};
use serde_json::json;

/// Where the settings of these flows are from.
const CHOSEN: &str = "assumed: any values would do, the closed form is evaluated at the same ones";

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "tcp-theory",
    about: "simulated TCP: sawtooth over buffers, CUBIC's window, fairness of 8 flows, unlike round trips",
    run,
}];

/// Bytes of a full packet.
const PACKET: f64 = 1_500.0;
/// Buffers of the sawtooth, in products of rate and round trip.
const BUFFERS: [f64; 5] = [0.0, 0.125, 0.25, 0.5, 1.0];
/// CUBIC's constants (RFC 9438 sections 4.2 and 4.6).
const C: f64 = 0.4;
const BETA: f64 = 0.7;

/// Lengths in seconds, and seeds.
#[derive(Clone, Copy)]
struct Scale {
    discarded: f64,
    measured: f64,
    seeds: u64,
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let scale = Scale {
        discarded: if setting.is_quick() { 10.0 } else { 60.0 },
        measured: if setting.is_quick() { 30.0 } else { 300.0 },
        seeds: setting.seeds(20, 2),
    };
    let (mut rows, saw_plot) = sawtooth(scale)?;
    let (cubic_row, cubic_plot) = cubic(scale)?;
    rows.push(cubic_row);
    let (share_rows, share_plot) = shares(scale)?;
    rows.extend(share_rows);
    rows.extend(unlike_round_trips(scale)?);
    let page = Page {
        title: "Simulated TCP against theory".to_owned(),
        reference: "theory".to_owned(),
        lead: format!(
            "The simulator's TCP through one drop-tail bottleneck: {} s are discarded, {} s measured, {} seeds.",
            scale.discarded, scale.measured, scale.seeds
        ),
        rows,
        plots: vec![saw_plot, cubic_plot, share_plot],
        inputs: vec![
            input("packets", "1,500 B, 1,448 B of them payload", CHOSEN),
            input("sawtooth", "24 Mbit/s, round trip 60 ms +-10 % by seed, each segment acknowledged", CHOSEN),
            input("CUBIC's window", "100 Mbit/s, 100 ms, buffer of half a product, no fast convergence, no HyStart", CHOSEN),
            input("fairness", "20 Mbit/s, 8 flows, round trips 50 ms +-10 % and starts within 1 s by seed, buffer of one product", CHOSEN),
            input("unlike round trips", "40 Mbit/s, a flow of 20 ms beside one of 80 ms, buffer of 50 ms", CHOSEN),
            input("seeds", format!("1 to {}", scale.seeds), SEEDS),
        ],
        notes: vec![
            "Sawtooth: a window between (1 + b)/2 and 1 + b products grows by one a round trip; below 1 it does not fill the path. Two packets of buffer are always there, for the pair that a growing window sends at once.".to_owned(),
            "CUBIC: W(t) = C (t - K)^3 + W_max with K = cbrt((W_max - W_0)/C) from the end of each recovery on; the window that it aims at is that of a round trip later.".to_owned(),
            "Fairness: the band is on each flow's mean over seeds; the table shows the least and the greatest of the eight. Each flow has another part of the range of round trips in each seed, and delays vary by up to one packet's time: without that, phase decides whole runs (Floyd and Jacobson 1992).".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds: scale.seeds, detail: json!({}) })
}

fn rate(mbps: u64) -> Result<BitRate, Failure> {
    BitRate::from_bps(mbps * 1_000_000).ok_or_else(|| Failure::new(exit::FAILED, "a rate of zero"))
}

fn at(seconds: f64) -> Instant {
    Instant::ZERO + Duration::from_secs_f64(seconds)
}

fn drop_tail(bytes: f64) -> Queue {
    Queue { bytes: bytes as u64, discipline: QueueDiscipline::DropTail }
}

/// Returns the utilisation that the sawtooth of one NewReno flow leaves with a buffer of `b` products: bytes sent over
/// time, below and above the window that fills the path. `b` at most 1.
fn sawtooth_utilisation(b: f64) -> f64 {
    let low = (1.0 + b) / 2.0;
    let above = ((1.0 + b) * (1.0 + b) - 1.0) / 2.0;
    ((1.0 - low * low) / 2.0 + above) / ((1.0 - low) + above)
}

fn sawtooth(scale: Scale) -> Result<(Vec<Row>, Plot), Failure> {
    let line = rate(24)?;
    let jobs: Vec<_> = BUFFERS.iter().flat_map(|b| (1..=scale.seeds).map(move |seed| (*b, seed))).collect();
    let used = parallel::each("tcp-theory, sawtooth", &jobs, |(b, seed)| {
        let rtt = 0.06 * (0.9 + 0.2 * Seed(*seed).stream("reproduce:sawtooth").unit());
        let product = line.as_bps() as f64 / 8.0 * rtt;
        let options = Options { controller: Controller::Reno, delayed_acks: false, ..Options::default() };
        let flow = FlowSpec::greedy(options, Duration::from_secs_f64(rtt));
        let mut bell = Dumbbell::new(line, drop_tail(b * product + 2.0 * PACKET), vec![flow], Seed(*seed));
        bell.run(at(scale.discarded));
        bell.mark();
        bell.run(at(scale.discarded + scale.measured));
        Ok(bell.utilisation() * 100.0)
    })?;
    let mut rows = Vec::new();
    let mut ours = Vec::new();
    for (b, used) in BUFFERS.iter().zip(used.chunks(scale.seeds as usize)) {
        let due = sawtooth_utilisation(*b) * 100.0;
        rows.push(Row {
            band: Some((due - 3.0, due + 3.0)),
            ..row(format!("utilisation, buffer of {b} products"), "%", Some(due), used)
        });
        ours.push((*b, bins::mean(used).unwrap_or(f64::NAN)));
    }
    let due = (0..=50).map(|i| f64::from(i) / 50.0).map(|b| (b, sawtooth_utilisation(b) * 100.0)).collect();
    let plot = Plot {
        title: "One NewReno flow: utilisation against buffer".to_owned(),
        caption: "The closed form of the sawtooth, and the mean over seeds.".to_owned(),
        x: axis("buffer", "products of rate and round trip"),
        y: axis("utilisation", "%"),
        y_range: Some((70.0, 102.0)),
        curves: vec![
            curve("simulated", Shape::Dots, ours),
            Curve { beside: Some(0), ..curve("closed form", Shape::Line, due) },
        ],
    };
    Ok((rows, plot))
}

/// A piece of a window's way between two losses.
struct Epoch {
    /// The window when the loss was found.
    w_max: f64,
    /// (time, window) from the end of the recovery on.
    points: Vec<(f64, f64)>,
}

impl Epoch {
    /// Returns the function's window at time `t` of the run; it starts at the first point.
    fn due(&self, t: f64) -> f64 {
        let (start, first) = self.points.first().copied().unwrap_or((0.0, self.w_max));
        let k = ((self.w_max - first).max(0.0) / C).cbrt();
        C * (t - start - k).powi(3) + self.w_max
    }
}

fn cubic(scale: Scale) -> Result<(Row, Plot), Failure> {
    const RTT: f64 = 0.1;
    let line = rate(100)?;
    let cubic = CubicOptions { hystart: false, fast_convergence: false, ..CubicOptions::default() };
    let options = Options { controller: Controller::Cubic, cubic, delayed_acks: false, ..Options::default() };
    let flow = FlowSpec::greedy(options, Duration::from_secs_f64(RTT));
    let product = line.as_bps() as f64 / 8.0 * RTT;
    let mut bell = Dumbbell::new(line, drop_tail(product / 2.0), vec![flow], Seed(1));
    let mut epochs: Vec<Epoch> = Vec::new();
    let (mut before, mut was_open) = (0.0, true);
    let until = (scale.discarded + scale.measured).min(150.0);
    bell.run_watched(at(until), &mut |bell| {
        let sender = bell.sender(0).sender();
        let is_open = matches!(sender.state(), CaState::Open | CaState::Disorder);
        let (t, window) = (bell.now().as_secs_f64(), f64::from(sender.window().cwnd));
        match (was_open, is_open) {
            (false, true) => epochs.push(Epoch { w_max: before, points: vec![(t, window)] }),
            (true, true) => {
                before = window;
                // A point a tenth of a second is enough to draw and to judge.
                if let Some(epoch) = epochs.last_mut()
                    && epoch.points.last().is_none_or(|last| t - last.0 >= 0.1)
                {
                    epoch.points.push((t, window));
                }
            }
            _ => {}
        }
        was_open = is_open;
    });
    // The first loss ends slow start; its overshoot is no steady state. The last epoch has no end.
    let whole = epochs.get(1..epochs.len().saturating_sub(1)).unwrap_or(&[]);
    let (mut off, mut points) = (Vec::new(), 0);
    for epoch in whole {
        let errors = epoch.points.iter().map(|(t, window)| (window / epoch.due(*t) - 1.0).abs() * 100.0);
        let errors: Vec<_> = errors.collect();
        points += errors.len();
        off.push(errors.iter().copied().fold(0.0, f64::max));
    }
    let first = whole.first();
    let beta = first.and_then(|epoch| epoch.points.first().map(|(_, window)| window / epoch.w_max));
    let row = Row {
        band: Some((0.0, 5.0)),
        remark: format!(
            "{} epochs, {points} points, mean of the greatest of each; after a loss {:.3} of the window are left ({BETA} by the RFC)",
            whole.len(),
            beta.unwrap_or(f64::NAN)
        ),
        ..row("CUBIC: greatest distance from RFC 9438's function".to_owned(), "%", Some(0.0), &off)
    };
    let shift = first.and_then(|epoch| epoch.points.first()).map_or(0.0, |point| point.0);
    let shown = whole.iter().take(3).flat_map(|epoch| epoch.points.iter().map(move |point| (epoch, *point)));
    let shown: Vec<_> = shown.collect();
    let plot = Plot {
        title: "CUBIC: the window between losses".to_owned(),
        caption: "Three epochs; dashed: W(t) of RFC 9438.".to_owned(),
        x: axis("time", "s"),
        y: axis("window", "segments"),
        y_range: Some((800.0, 1_300.0)),
        curves: vec![
            curve(
                "simulated",
                Shape::Line,
                shown.iter().map(|(_, (t, window))| (t - shift, *window)).collect(),
            ),
            Curve {
                beside: Some(0),
                ..curve(
                    "W(t)",
                    Shape::Line,
                    shown.iter().map(|(epoch, (t, _))| (t - shift, epoch.due(*t))).collect(),
                )
            },
        ],
    };
    Ok((row, plot))
}

/// Returns a drop-tail bottleneck of `mbps` with a buffer of `buffer_s` at its rate.
fn watched(scale: Scale, mbps: u64, buffer_s: f64) -> Result<Watched, Failure> {
    let rate = rate(mbps)?;
    let span = Duration::from_secs_f64;
    let (discard, measure) = (span(scale.discarded), span(scale.measured));
    Ok(Watched { rate, buffer: rate.bytes_in(span(buffer_s)), discard, measure })
}

const CONTROLLERS: [(Controller, &str); 2] = [(Controller::Reno, "NewReno"), (Controller::Cubic, "CUBIC")];

fn shares(scale: Scale) -> Result<(Vec<Row>, Plot), Failure> {
    const FLOWS: usize = 8;
    let jobs: Vec<_> =
        CONTROLLERS.iter().flat_map(|(it, _)| (1..=scale.seeds).map(move |seed| (*it, seed))).collect();
    let all = parallel::each("tcp-theory, fairness", &jobs, |(controller, seed)| {
        let options = Options { controller: *controller, ..Options::default() };
        let watched = watched(scale, 20, 0.05)?;
        Ok(fair_shares(options, FLOWS, Duration::from_millis(50), watched, Seed(*seed)))
    })?;
    let mut rows = Vec::new();
    let mut curves = Vec::new();
    for ((_, name), runs) in CONTROLLERS.iter().zip(all.chunks(scale.seeds as usize)) {
        let of = |flow: usize| runs.iter().map(|shares| shares[flow]).collect::<Vec<_>>();
        let means: Vec<_> = (0..FLOWS).map(|flow| bins::mean(&of(flow)).unwrap_or(f64::NAN)).collect();
        let by_mean = |a: &usize, b: &usize| means[*a].total_cmp(&means[*b]);
        for (word, flow) in [("least", (0..FLOWS).min_by(by_mean)), ("greatest", (0..FLOWS).max_by(by_mean))]
        {
            let values = of(flow.unwrap_or(0));
            rows.push(Row {
                band: Some((0.9, 1.1)),
                ..row(format!("{name}, 8 flows: {word} mean share"), "of a fair share", Some(1.0), &values)
            });
        }
        let jain = |shares: &Vec<f64>| {
            let (sum, square) = (shares.iter().sum::<f64>(), shares.iter().map(|it| it * it).sum::<f64>());
            sum * sum / (shares.len() as f64 * square)
        };
        let indices: Vec<_> = runs.iter().map(jain).collect();
        rows.push(row(format!("{name}, 8 flows: Jain's index of a run"), "", Some(1.0), &indices));
        let points = (1..).map(f64::from).zip(means).collect();
        curves.push(curve(*name, Shape::Dots, points));
    }
    let ends = |y: f64| vec![(0.5, y), (FLOWS as f64 + 0.5, y)];
    curves.push(curve("band, lower end", Shape::Line, ends(0.9)));
    curves.push(Curve { beside: Some(2), ..curve("band, upper end", Shape::Line, ends(1.1)) });
    let plot = Plot {
        title: "Eight flows: mean share over seeds".to_owned(),
        caption: "Each flow's goodput over the mean of the eight, mean over seeds.".to_owned(),
        x: axis("flow", ""),
        y: axis("share", ""),
        y_range: Some((0.8, 1.2)),
        curves,
    };
    Ok((rows, plot))
}

fn unlike_round_trips(scale: Scale) -> Result<Vec<Row>, Failure> {
    let jobs: Vec<_> =
        CONTROLLERS.iter().flat_map(|(it, _)| (1..=scale.seeds).map(move |seed| (*it, seed))).collect();
    let all = parallel::each("tcp-theory, unlike round trips", &jobs, |(controller, seed)| {
        let options = Options { controller: *controller, ..Options::default() };
        let round_trips = [20, 80].map(Duration::from_millis);
        let (_, flows) = run_flows(options, &round_trips, watched(scale, 40, 0.05)?, Seed(*seed));
        Ok(flows[0].bytes as f64 / flows[1].bytes.max(1) as f64)
    })?;
    let rows = CONTROLLERS.iter().zip(all.chunks(scale.seeds as usize)).map(|((_, name), ratios)| Row {
        remark: "a full queue adds 50 ms to both".to_owned(),
        ..row(format!("{name}: rate at 20 ms over rate at 80 ms"), "", None, ratios)
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: known ends of the closed form, and the function's own: it starts at the first point and is W_max at K.
    #[test]
    fn closed_forms() {
        assert!((sawtooth_utilisation(0.0) - 0.75).abs() < 1e-12);
        assert!((sawtooth_utilisation(1.0) - 1.0).abs() < 1e-12);
        let epoch = Epoch { w_max: 1_000.0, points: vec![(5.0, 700.0)] };
        assert!((epoch.due(5.0) - 700.0).abs() < 1e-9);
        assert!((epoch.due(5.0 + (300.0_f64 / 0.4).cbrt()) - 1_000.0).abs() < 1e-9);
    }
}
