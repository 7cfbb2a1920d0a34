//! `coding-lab`: what the other experiments simulate, by real processes, run by run beside the simulator.

use super::super::common::{SEEDS, axis, curve, input, row};
use super::super::play::{self, Measured};
use super::loss::{LOSSES, SCHEMES, Scheme};
use super::{Findings, Setting, butterfly, delay, session, shipped};
use crate::cli::exit::{self, Failure};
use bellini_reports::reproduce::{Page, Plot, Row, Shape};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{DestinationSummary, Summary};
use serde_json::{Value, json};

/// Payload of a symbol in bits.
const SYMBOL_BITS: f64 = 1_200.0 * 8.0;
/// Trials of the model that picks the number of repairs.
const TRIALS: u32 = 400;

/// What a run is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    /// Payload in Mbit/s to the slower destination.
    Goodput,
    /// Symbols that came for each packet of the first hop.
    SymbolsPerPacket,
    /// 99 % of the delays in milliseconds.
    DelayP99,
}

impl Figure {
    fn unit(self) -> &'static str {
        match self {
            Figure::Goodput => "Mbit/s",
            Figure::SymbolsPerPacket => "symbols a packet",
            Figure::DelayP99 => "ms",
        }
    }

    /// Returns how far the lab may be from the simulator with one seed.
    fn band(self, simulated: f64) -> (f64, f64) {
        let half = match self {
            // What a source repeats depends on when acknowledgements come, and whether a generation is had on a packet.
            Figure::SymbolsPerPacket => 0.05 * simulated,
            Figure::Goodput => 0.015 * simulated,
            Figure::DelayP99 => (0.1 * simulated).max(0.5),
        };
        (simulated - half, simulated + half)
    }

    fn of(self, summary: &Summary) -> Result<f64, Failure> {
        let missing = || Failure::new(exit::FAILED, "the run has not measured what it is for");
        let session = summary.sessions.first().ok_or_else(missing)?;
        let least = |of: fn(&DestinationSummary) -> Option<f64>| {
            session.destinations.iter().filter_map(of).reduce(f64::min).ok_or_else(missing)
        };
        match self {
            Figure::Goodput => least(|it| it.goodput_mbps),
            Figure::SymbolsPerPacket => {
                let symbols = least(|it| it.goodput_mbps)? * 1e6 / SYMBOL_BITS
                    * (summary.measure_s[1] - summary.measure_s[0]);
                let first =
                    summary.links.iter().find(|link| link.from == session.source).ok_or_else(missing)?;
                Ok(symbols / first.sent_packets.max(1) as f64)
            }
            Figure::DelayP99 => least(|it| it.delay_ms.map(|delay| delay.p99)),
        }
    }
}

/// A scenario and what it is measured by.
struct Cell {
    name: String,
    scenario: Scenario,
    figure: Figure,
    /// Of three lossy hops: loss of a hop and the scheme's place.
    chain: Option<(f64, usize)>,
}

impl Cell {
    fn new(name: impl Into<String>, scenario: &Value, figure: Figure) -> Result<Self, Failure> {
        let scenario = play::scenario(&scenario.to_string(), Vec::new())?;
        Ok(Self { name: name.into(), scenario, figure, chain: None })
    }
}

fn cells(setting: &Setting<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cells = vec![
        Cell::new("butterfly, coded", &shipped(butterfly::CODED)?, Figure::Goodput)?,
        Cell::new("butterfly, best trees", &shipped(butterfly::TREES)?, Figure::Goodput)?,
    ];
    let until_s = if setting.is_quick() { 8 } else { 16 };
    let losses = if setting.is_quick() { &LOSSES[1..2] } else { &LOSSES };
    for loss in losses {
        for (place, scheme) in SCHEMES.iter().enumerate() {
            let mut scenario = scheme.scenario(*loss, scheme.repairs(*loss, TRIALS), false, until_s)?;
            if *scheme == Scheme::Plain {
                // A file without acknowledgements would end the window with a full queue.
                session(&mut scenario)["content"] = json!({ "kind": "constant", "rate": "3.5 Mbit/s" });
            }
            let name = format!("three hops, {} %, {}", loss * 100.0, scheme.name());
            cells.push(Cell {
                chain: Some((*loss, place)),
                ..Cell::new(name, &scenario, Figure::SymbolsPerPacket)?
            });
        }
    }
    for (name, text) in delay::WAYS {
        cells.push(Cell::new(format!("99 % of delays, {name}"), &shipped(text)?, Figure::DelayP99)?);
    }
    Ok(cells)
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let mut lab = Measured::open(setting)?;
    let seeds = setting.seeds(3, 1);
    let cells = cells(setting)?;
    let (mut rows, mut detail) = (Vec::new(), Vec::new());
    let mut curves = vec![[Vec::new(), Vec::new()]; SCHEMES.len()];
    for cell in &cells {
        let (mut simulated, mut measured) = (Vec::new(), Vec::new());
        for seed in 1..=seeds {
            simulated.push(cell.figure.of(&play::simulate(setting.registry, &cell.scenario, seed)?)?);
            measured.push(cell.figure.of(&lab.run(&cell.scenario, seed, &cell.name)?)?);
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let expected = mean(&simulated);
        rows.push(Row {
            band: Some(cell.figure.band(expected)),
            ..row(cell.name.clone(), cell.figure.unit(), Some(expected), &measured)
        });
        if let Some((loss, scheme)) = cell.chain {
            curves[scheme][0].push((loss * 100.0, mean(&measured)));
            curves[scheme][1].push((loss * 100.0, expected));
        }
        detail.push(
            json!({ "cell": cell.name, "unit": cell.figure.unit(), "simulated": simulated, "lab": measured }),
        );
    }
    let curves = SCHEMES
        .iter()
        .zip(curves)
        .enumerate()
        .flat_map(|(at, (scheme, [lab, simulated]))| {
            let beside = bellini_reports::reproduce::Curve {
                beside: Some(2 * at),
                ..curve(format!("{}, simulated", scheme.name()), Shape::Line, simulated)
            };
            [curve(format!("{}, lab", scheme.name()), Shape::Dots, lab), beside]
        })
        .collect();
    let runs = cells.len() as u64 * seeds;
    let page = Page {
        title: "Network coding by real processes".to_owned(),
        reference: "simulator".to_owned(),
        lead: format!(
            "The scenarios of coding-butterfly, coding-loss and coding-delay, played by one process a node over the lab's \
             emulated network, and by the simulator with the same {seeds} seeds. Figures are those of the summaries, over \
             each scenario's measuring window."
        ),
        rows,
        plots: vec![Plot {
            title: "Three lossy hops: symbols for each packet".to_owned(),
            caption: "Dots: the lab. Lines: the simulator.".to_owned(),
            x: axis("loss of each hop", "%"),
            y: axis("symbols a packet", ""),
            y_range: Some((0.4, 1.0)),
            curves,
        }],
        inputs: vec![
            input("kernel", play::system(), "measured: /proc/sys/kernel/osrelease of this machine"),
            input(
                "scenarios",
                "coding/*.json; repairs as in coding-loss",
                "assumed: those that the simulator plays",
            ),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: lab.notes(runs),
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "cells": detail }) })
}
