//! `coding-delay`: how long symbols take over a long lossy path, at equal bytes on the wire.

use super::super::bins;
use super::super::common::{SEEDS, axis, curve, input, row};
use super::super::parallel;
use super::super::simulated::quantile;
use super::{Findings, Played, Setting, play, shipped};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Page, Plot, Row, Shape};
use bellini_scenarios::record::DelayRow;
use serde_json::json;

/// The ways, each with its scenario.
pub(super) const WAYS: [(&str, &str); 3] = [
    ("generations", include_str!("../../../../scenarios/coding/delay-generation.json")),
    ("sliding window", include_str!("../../../../scenarios/coding/delay-window.json")),
    ("retransmission", include_str!("../../../../scenarios/coding/delay-retransmission.json")),
];

/// Propagation in milliseconds.
const PATH_MS: f64 = 150.0;
const SINK: u32 = 2;

/// What one run gave.
struct Figures {
    /// Delays of the symbols made within the measuring window that came, in milliseconds, rising.
    delays: Vec<f64>,
    /// The same until everything before them has come, too.
    in_order: Vec<f64>,
    /// Symbols made in it.
    sent: u64,
    /// On the wire, both directions, in Mbit/s.
    wire_mbps: f64,
    /// The way there alone.
    there_mbps: f64,
}

impl Figures {
    /// Returns the delay within which the part `q` of all symbols came that were made; infinite: fewer came at all.
    fn within(&self, q: f64) -> f64 {
        let missing = self.sent.saturating_sub(self.delays.len() as u64) as usize;
        let mut all = self.delays.clone();
        all.extend(core::iter::repeat_n(f64::INFINITY, missing));
        quantile(&all, q).unwrap_or(f64::INFINITY)
    }

    fn lost_percent(&self) -> f64 {
        self.sent.saturating_sub(self.delays.len() as u64) as f64 * 100.0 / self.sent.max(1) as f64
    }
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(20, 2);
    let files = WAYS.map(|(_, text)| shipped(text)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let jobs: Vec<_> = files.iter().flat_map(|file| (1..=seeds).map(move |seed| (file, seed))).collect();
    let all = parallel::each("coding-delay", &jobs, |(file, seed)| {
        let run = play(file, *seed)?;
        let there = &run.summary.sessions[0].destinations[0];
        let mbps = |bytes: u64| bytes as f64 * 8e-6 / run.seconds();
        Ok(Figures {
            delays: spread(&run.delays, there.delivered_packets),
            in_order: in_order(&run),
            sent: there.sent_packets,
            wire_mbps: mbps(run.summary.links.iter().map(|link| link.sent_bytes).sum()),
            there_mbps: mbps(run.link(1, SINK)?.sent_bytes),
        })
    })?;
    let (mut rows, mut curves, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    let mut wires = Vec::new();
    for ((name, _), runs) in WAYS.iter().zip(all.chunks(seeds.max(1) as usize)) {
        let pooled = pool(runs);
        let figures: [(&str, f64); 3] = [("half", 0.5), ("99 %", 0.99), ("99.9 %", 0.999)];
        for (what, q) in figures {
            let within = pooled.within(q);
            rows.push(Row {
                quantity: format!("{name}: {what} of all symbols within"),
                unit: "ms".to_owned(),
                ours: within.is_finite().then_some(within),
                remark: format!("{} symbols of {seeds} seeds", pooled.sent),
                ..Row::default()
            });
        }
        rows.push(Row {
            quantity: format!("{name}: 99 % in order within"),
            unit: "ms".to_owned(),
            ours: quantile(&pooled.in_order, 0.99),
            remark: "of those that came; what lies behind a missing symbol waits for it".to_owned(),
            ..Row::default()
        });
        let lost: Vec<_> = runs.iter().map(Figures::lost_percent).collect();
        rows.push(row(format!("{name}: never came"), "%", None, &lost));
        let wire: Vec<_> = runs.iter().map(|run| run.there_mbps).collect();
        wires.push(bins::mean(&wire).unwrap_or(0.0));
        rows.push(Row {
            remark: format!(
                "with the way back {:.3} Mbit/s",
                runs.iter().map(|run| run.wire_mbps).sum::<f64>() / runs.len().max(1) as f64
            ),
            band: Some((0.99 * wires[0], 1.01 * wires[0])),
            ..row(format!("{name}: on the wire"), "Mbit/s", None, &wire)
        });
        curves.push(curve(*name, Shape::Line, distribution(&pooled)));
        detail.push(json!({
            "way": name, "sent": pooled.sent, "came": pooled.delays.len(), "p50_ms": pooled.within(0.5),
            "p99_ms": finite(pooled.within(0.99)), "p999_ms": finite(pooled.within(0.999)), "there_mbps": wire,
        }));
    }
    let page = Page {
        title: "Delays over a long lossy path".to_owned(),
        reference: "none".to_owned(),
        lead: format!(
            "scenarios/coding/delay-*.json: a path of {PATH_MS} ms there and as much back, 2 % loss in both directions, the same \
             bytes on the wire: generations of 32 with four repairs, a sliding window with one repair after every eight \
             symbols, and retransmission, which spends what the others spend on repairs on more content. Delay of symbols \
             from their creation to their arrival, of all that were made. {seeds} seeds together."
        ),
        rows,
        plots: vec![Plot {
            title: "Part of all symbols that came within a time".to_owned(),
            caption: "The lowest 3 % of the axis are the losses: a generation's repairs come at its end, a window's soon, a repeat after a round trip of 300 ms more.".to_owned(),
            x: axis("delay", "ms"),
            y: axis("part of all symbols", ""),
            y_range: Some((0.97, 1.0)),
            curves,
        }],
        inputs: vec![
            input("repairs", "1 for 8 symbols", "assumed: equal bytes for all three"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "Delays are of symbols as they come. The reliable session hands them over in order, where everything behind a lost symbol waits for it, too: a row says what that costs, for the others as if their application waited likewise.".to_owned(),
            "Bytes are those of the way there; the way back carries acknowledgements of the reliable session alone.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "ways": detail }) })
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn pool(runs: &[Figures]) -> Figures {
    let all = |pick: fn(&Figures) -> &Vec<f64>| {
        let mut all: Vec<f64> = runs.iter().flat_map(|run| pick(run).iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let sent = runs.iter().map(|run| run.sent).sum();
    Figures {
        delays: all(|run| &run.delays),
        in_order: all(|run| &run.in_order),
        sent,
        wire_mbps: 0.0,
        there_mbps: 0.0,
    }
}

/// Returns the delays that a distribution stands for, rising.
fn spread(distribution: &[DelayRow], delivered: u64) -> Vec<f64> {
    let mut delays = Vec::new();
    for row in distribution.iter().filter(|row| row.destination == SINK) {
        let until = (row.cumulative * delivered as f64).round() as usize;
        delays.resize(until.max(delays.len()), row.delay_ms);
    }
    delays
}

/// Returns delays until a symbol and all before it that come at all have come, for symbols of the measuring window.
fn in_order(run: &Played) -> Vec<f64> {
    let [from, to] = run.window();
    let mut came = run.came.get(&SINK).cloned().unwrap_or_default();
    came.sort_by_key(|came| came.symbol);
    let mut latest = 0.0;
    let mut delays = Vec::new();
    for came in came {
        latest = came.at_s.max(latest);
        let made_s = came.at_s - came.delay_ms / 1e3;
        if (from..to).contains(&made_s) {
            delays.push((latest - made_s) * 1e3);
        }
    }
    delays
}

/// Returns points of the distribution, for each millisecond from the path's delay on.
fn distribution(pooled: &Figures) -> Vec<(f64, f64)> {
    let most = pooled.delays.last().copied().unwrap_or(PATH_MS).max(500.0);
    let part = |ms: f64| {
        let within = pooled.delays.partition_point(|delay| *delay <= ms);
        (ms, within as f64 / pooled.sent.max(1) as f64)
    };
    let at = (0..).map(|ms| PATH_MS + f64::from(ms)).take_while(|ms| *ms <= most.min(1_200.0));
    // Below the window of the plot nothing is drawn.
    at.map(part).filter(|(_, part)| *part >= 0.97).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: what never came counts as later than everything.
    #[test]
    fn losses_are_late() {
        let run = Figures {
            delays: vec![1.0, 2.0, 3.0],
            in_order: Vec::new(),
            sent: 5,
            wire_mbps: 0.0,
            there_mbps: 0.0,
        };
        assert_eq!((run.within(0.5), run.within(0.9)), (3.0, f64::INFINITY));
        assert!((run.lost_percent() - 40.0).abs() < 1e-9);
    }
}
