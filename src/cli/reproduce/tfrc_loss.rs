//! `tfrc-loss`: one TFRC flow under independent losses, against the equation of RFC 5348 and ns-2.

use super::common::{PACKET_BYTES, SEEDS, SYMBOL_BYTES, axis, curve, greedy, input, row};
use super::reference::{self, Record};
use super::{Experiment, Findings, Setting, bins, equation, parallel};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use serde_json::{Value, json};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "tfrc-loss",
    about: "one TFRC flow under random loss: 18 cells against RFC 5348's equation and ns-2",
    run,
}];

/// Rate of the line in bit/s: far above what TFRC takes.
const LINE: f64 = 100e6;
/// Header bytes of a report's frame, which the way back carries alone.
const REPORT_BYTES: f64 = 82.0;

/// A loss probability and a round trip.
struct Cell {
    /// Loss in percent.
    loss: f64,
    /// Propagation there and back in milliseconds.
    rtt_ms: f64,
    reference: Record,
}

impl Cell {
    fn all(setting: &Setting<'_>) -> Result<Vec<Self>, Failure> {
        let mut cells = Vec::new();
        for record in reference::records(reference::LOSS).filter(|record| record.text("t_rto") == "4R") {
            let cell = Self {
                loss: record.number("loss_pct")?,
                rtt_ms: record.number("rtt_ms")?,
                reference: record,
            };
            // The short version does the middle of the grid.
            if !setting.is_quick() || ((1.0..=2.0).contains(&cell.loss) && cell.rtt_ms > 50.0) {
                cells.push(cell);
            }
        }
        Ok(cells)
    }

    fn p(&self) -> f64 {
        self.loss / 100.0
    }

    /// Returns the round trip in seconds: propagation, and the time that a packet and a report take on the line.
    fn rtt_s(&self) -> f64 {
        self.rtt_ms / 1e3 + (f64::from(PACKET_BYTES) + REPORT_BYTES) * 8.0 / LINE
    }

    fn expected(&self) -> f64 {
        equation::at_event_rate(self.p(), self.rtt_s())
    }

    /// Returns the scenario; sending is measured in `window`, in seconds.
    fn scenario(&self, (from, to): (u64, u64)) -> Value {
        json!({
            "bellini": 1, "name": "tfrc-loss", "duration": format!("{to} s"), "sample_interval": "1 s",
            "measure": { "from": format!("{from} s"), "to": format!("{to} s") },
            "nodes": [{ "id": 1 }, { "id": 2 }],
            "links": [
                { "from": 1, "to": 2, "delay": format!("{} us", self.rtt_ms * 500.0), "rate": "100 Mbit/s", "loss": self.p() },
                { "from": 2, "to": 1, "delay": format!("{} us", self.rtt_ms * 500.0), "rate": "100 Mbit/s" }
            ],
            "conferences": [{ "id": 1, "sessions": [{
                "id": 1, "source": 1, "destinations": [2], "routing": "direct", "transport": "udp",
                "symbol_bytes": format!("{SYMBOL_BYTES} B"),
                "content": greedy()
            }] }]
        })
    }
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let cells = Cell::all(setting)?;
    let seeds = setting.seeds(5, 1);
    let window = if setting.is_quick() { (20, 120) } else { (200, 1_200) };
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (cell, seed))).collect();
    let rates = parallel::each("tfrc-loss", &jobs, |(cell, seed)| {
        let run = super::simulate(setting.registry, &cell.scenario(window), *seed, &[])?;
        let link = run.link(1, 2)?;
        Ok((
            link.sent_packets as f64 / run.window_s(),
            link.sent_bytes as f64 / link.sent_packets.max(1) as f64,
        ))
    })?;
    let mut rows = Vec::new();
    let mut detail = Vec::new();
    for (cell, rates) in cells.iter().zip(rates.chunks(seeds as usize)) {
        let pps: Vec<_> = rates.iter().map(|(pps, _)| *pps).collect();
        let ratios: Vec<_> = pps.iter().map(|pps| pps / cell.expected()).collect();
        let half = if cell.loss > 5.0 { 0.15 } else { 0.1 };
        let mean = bins::mean(&pps).unwrap_or(0.0);
        rows.push(Row {
            band: Some((1.0 - half, 1.0 + half)),
            remark: format!(
                "{mean:.1} packets/s of {:.1} at p_e = {:.3} %; of {:.1} at p: {:.3}",
                cell.expected(),
                equation::event_rate(cell.p(), cell.rtt_s()) * 100.0,
                equation::packets_per_s(cell.p(), cell.rtt_s()),
                mean / equation::packets_per_s(cell.p(), cell.rtt_s()),
            ),
            ..row(
                format!("p = {} %, R = {} ms", cell.loss, cell.rtt_ms),
                "of the equation at p_e",
                Some(cell.reference.number("ns2_over_eq_at_event_rate")?),
                &ratios,
            )
        });
        detail.push(json!({
            "loss_percent": cell.loss, "rtt_ms": cell.rtt_ms, "packets_per_s": pps,
            "packet_bytes": rates.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(),
            "equation_at_p": equation::packets_per_s(cell.p(), cell.rtt_s()),
            "equation_at_p_e": cell.expected(), "ns2_packets_per_s": cell.reference.number("ns2_pps")?,
        }));
    }
    let page = Page {
        title: "TFRC under random loss".to_owned(),
        reference: "ns-2".to_owned(),
        lead: format!(
            "One TFRC hop that always has something to send, at 100 Mbit/s, each packet lost independently; packets sent \
             from {} to {} s over the equation of RFC 5348 (t_RTO = 4 R) at the rate of loss events \
             p_e = 1 / (1/p + X R). Mean of {seeds} seeds.",
            window.0, window.1
        ),
        plots: plots(&cells, &rows),
        rows,
        inputs: vec![
            input("packet on the wire", format!("{PACKET_BYTES} B, of which {SYMBOL_BYTES} B payload"), "reference: ns-2's scripts of these runs"),
            input("round trip", "propagation and the transmission of a packet and a report", "derived: from the scenario's delays and rates"),
            input("content", "a file without end, pulled by its hop", "assumed: always something to send, as ns-2's FTP source"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "An event takes in all losses of a round trip, so a flow sees fewer events than losses; a comparison with the equation at p would count that as a fault. The remark gives both.".to_owned(),
            "ns-2's rows are those with t_RTO = 4 R; its ratio takes the round trip without the transmission, 0.4 % at 20 ms.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "cells": detail }) })
}

fn plots(cells: &[Cell], rows: &[Row]) -> Vec<Plot> {
    let mut round_trips: Vec<f64> = cells.iter().map(|cell| cell.rtt_ms).collect();
    round_trips.sort_by(f64::total_cmp);
    round_trips.dedup();
    let mut curves: Vec<Curve> = Vec::new();
    for rtt in &round_trips {
        let of = |pick: fn(&Row) -> Option<f64>| -> Vec<(f64, f64)> {
            let both = cells.iter().zip(rows).filter(|(cell, _)| cell.rtt_ms == *rtt);
            both.filter_map(|(cell, row)| Some((cell.loss, pick(row)?))).collect()
        };
        let at = curves.len();
        curves.push(curve(format!("R = {rtt} ms"), Shape::DottedLine, of(|row| row.ours)));
        let theirs = curve(format!("ns-2, R = {rtt} ms"), Shape::DottedLine, of(|row| row.reference));
        curves.push(Curve { beside: Some(at), ..theirs });
    }
    let edge = |name: &str, sign: f64| {
        curve(
            name,
            Shape::Line,
            vec![
                (0.0, 1.0 + sign * 0.1),
                (5.0, 1.0 + sign * 0.1),
                (5.0, 1.0 + sign * 0.15),
                (10.0, 1.0 + sign * 0.15),
            ],
        )
    };
    let at = curves.len();
    curves.push(edge("band, upper end", 1.0));
    curves.push(Curve { beside: Some(at), ..edge("band, lower end", -1.0) });
    vec![Plot {
        title: "Sending rate over the equation at the loss event rate".to_owned(),
        caption: "1 is the equation's rate; dashed in the same colour: ns-2 at the same round trip."
            .to_owned(),
        x: axis("loss probability", "%"),
        y: axis("rate over the equation", ""),
        y_range: Some((0.8, 1.2)),
        curves,
    }]
}
