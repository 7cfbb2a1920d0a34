//! `coding-loss`: three hops in a row that all lose packets, and who makes up for it.

use super::super::bins;
use super::super::common::{SEEDS, axis, curve, input, row};
use super::super::parallel;
use super::model::Chain;
use super::{Findings, Setting, packet_bytes, play, session, shipped};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use serde_json::{Value, json};

const CHAIN: &str = include_str!("../../../../scenarios/coding/chain.json");

/// Rate of every hop in bit/s.
const RATE: f64 = 4e6;
/// Part of it that content by time asks for.
const OFFERED: f64 = 0.97;
/// Payload of a symbol.
const SYMBOL: f64 = 1_200.0;
/// Symbols of a generation.
pub(super) const SIZE: u32 = 64;
/// The last node.
pub(super) const SINK: u32 = 4;
pub(super) const HOPS: usize = 3;
/// Bytes of the largest packet around the symbol without coding; with header and combined block; with coefficients.
const PLAIN: f64 = 122.0;
const SEEDED: f64 = PLAIN + 20.0 + 32.0;
const VECTOR: f64 = SEEDED - 6.0 + SIZE as f64;

pub(super) const LOSSES: [f64; 4] = [0.01, 0.05, 0.1, 0.2];

/// How the content is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Plain,
    /// Content by time; so many repairs as the model finds best.
    Fixed {
        recode: bool,
    },
    /// A reliable file; coded: `Some`, whether relays recode.
    Reliable(Option<bool>),
}

pub(super) const SCHEMES: [Scheme; 6] = [
    Scheme::Plain,
    Scheme::Reliable(None),
    Scheme::Fixed { recode: false },
    Scheme::Fixed { recode: true },
    Scheme::Reliable(Some(false)),
    Scheme::Reliable(Some(true)),
];

impl Scheme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Scheme::Plain => "plain",
            Scheme::Fixed { recode: false } => "end-to-end, fixed repairs",
            Scheme::Fixed { recode: true } => "recoding, fixed repairs",
            Scheme::Reliable(None) => "retransmission",
            Scheme::Reliable(Some(false)) => "end-to-end, reliable",
            Scheme::Reliable(Some(true)) => "recoding, reliable",
        }
    }

    fn recodes(self) -> bool {
        matches!(self, Scheme::Fixed { recode: true } | Scheme::Reliable(Some(true)))
    }

    /// Returns the symbols for each packet that large generations would near.
    pub(super) fn closed_form(self, loss: f64) -> f64 {
        if self.recodes() { 1.0 - loss } else { (1.0 - loss).powi(HOPS as i32) }
    }

    pub(super) fn repairs(self, loss: f64, trials: u32) -> u32 {
        match self {
            Scheme::Fixed { recode } => {
                Chain { loss, hops: HOPS, size: SIZE, repairs: 0, recode }.best_repairs(trials)
            }
            Scheme::Plain | Scheme::Reliable(_) => 0,
        }
    }

    /// Returns the scenario at a loss of each hop. `tfrc`: hops under rate control, and the content waits for them.
    pub(super) fn scenario(
        self,
        loss: f64,
        repairs: u32,
        tfrc: bool,
        until_s: u64,
    ) -> Result<Value, Failure> {
        let mut scenario = shipped(CHAIN)?;
        scenario["duration"] = json!(format!("{until_s} s"));
        scenario["measure"]["to"] = scenario["duration"].clone();
        scenario["defaults"]["link"]["loss"] = json!(loss);
        let common = &mut scenario["defaults"]["session"];
        let coding = |recode: bool, repair: f64| json!({ "scheme": "generation", "generation": SIZE, "recode": recode, "repair": repair });
        let share = f64::from(repairs) / f64::from(SIZE);
        (common["delivery"], common["coding"]) = match self {
            Scheme::Plain => (json!("best-effort"), json!("none")),
            Scheme::Fixed { recode } => (json!("best-effort"), coding(recode, share)),
            Scheme::Reliable(None) => (json!("reliable"), json!("none")),
            Scheme::Reliable(Some(recode)) => (json!("reliable"), coding(recode, 0.0)),
        };
        if let Scheme::Fixed { recode } = self {
            let bytes = SYMBOL + if recode { VECTOR } else { SEEDED };
            let bps = OFFERED * RATE * SYMBOL / bytes / (1.0 + share);
            session(&mut scenario)["content"] =
                json!({ "kind": "constant", "rate": format!("{} kbit/s", (bps / 1e3).floor()) });
        }
        if tfrc {
            scenario["defaults"]["session"]["transport"] = json!("udp");
            for node in scenario["nodes"].as_array_mut().into_iter().flatten() {
                if let Some(node) = node.as_object_mut() {
                    node.remove("rates");
                }
            }
        }
        Ok(scenario)
    }
}

/// What one run gave.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Payload in Mbit/s.
    mbps: f64,
    /// Symbols for each packet of the first hop.
    each: f64,
    /// Part of the fullest hop that was used.
    busy: f64,
    /// Bytes on the wire for each byte that came, the first hop's.
    wire: f64,
}

/// Under rate control only what can wait for the hop makes sense.
const UNDER_TFRC: [Scheme; 3] =
    [Scheme::Reliable(None), Scheme::Reliable(Some(false)), Scheme::Reliable(Some(true))];

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(10, 1);
    let (until, trials) = if setting.is_quick() { (12, 40) } else { (44, 400) };
    let cells: Vec<(f64, Scheme, bool)> = LOSSES
        .iter()
        .flat_map(|loss| {
            let unpaced = SCHEMES.iter().map(move |scheme| (*loss, *scheme, false));
            unpaced.chain(UNDER_TFRC.iter().map(move |scheme| (*loss, *scheme, true)))
        })
        .collect();
    let repairs = parallel::each("coding-loss, model", &cells, |(loss, scheme, _)| {
        let repairs = scheme.repairs(*loss, trials);
        let chain = Chain { loss: *loss, hops: HOPS, size: SIZE, repairs, recode: scheme.recodes() };
        let expected = match scheme {
            Scheme::Plain | Scheme::Reliable(None) => scheme.closed_form(*loss),
            Scheme::Fixed { .. } => chain.symbols_per_packet(50 * trials),
            Scheme::Reliable(Some(_)) => chain.rateless(10 * trials),
        };
        Ok((repairs, expected))
    })?;
    let jobs: Vec<_> = cells
        .iter()
        .zip(&repairs)
        .flat_map(|((loss, scheme, tfrc), (repairs, _))| {
            (1..=seeds).map(move |seed| (*loss, *scheme, *tfrc, *repairs, seed))
        })
        .collect();
    let all = parallel::each("coding-loss", &jobs, |(loss, scheme, tfrc, repairs, seed)| {
        let run = play(&scheme.scenario(*loss, *repairs, *tfrc, until)?, *seed)?;
        let (first, fullest, mbps) = (run.link(1, 2)?, run.fullest()?, run.goodput_mbps(SINK));
        Ok(Figures {
            mbps,
            each: run.arrived(SINK).count() as f64 / first.sent_packets.max(1) as f64,
            busy: fullest.sent_bytes as f64 * 8.0 / run.seconds() / RATE,
            wire: packet_bytes(first) * first.sent_packets as f64 * 8e-6 / run.seconds() / mbps,
        })
    })?;
    let mut rows = Vec::new();
    let mut detail = Vec::new();
    let (mut ours, mut closed, mut tfrc_curves) =
        (vec![Vec::new(); 6], vec![Vec::new(); 6], vec![Vec::new(); 3]);
    for (((loss, scheme, tfrc), (repairs, expected)), runs) in
        cells.iter().zip(&repairs).zip(all.chunks(seeds.max(1) as usize))
    {
        let of = |pick: fn(&Figures) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
        let mean = |pick: fn(&Figures) -> f64| bins::mean(&of(pick)).unwrap_or(0.0);
        let percent = loss * 100.0;
        let mbps = mean(|it| it.mbps);
        detail.push(json!({
            "loss_percent": percent, "scheme": scheme.name(), "tfrc": tfrc, "repairs": repairs,
            "symbols_per_packet": of(|it| it.each), "mbps": of(|it| it.mbps), "busy": of(|it| it.busy),
            "model": expected, "closed_form": scheme.closed_form(*loss),
        }));
        if *tfrc {
            rows.push(Row {
                remark: "the hops' rate falls with the loss, which coding does not change".to_owned(),
                ..row(format!("TFRC, {percent} %, {}", scheme.name()), "Mbit/s", None, &of(|it| it.mbps))
            });
            let at = UNDER_TFRC.iter().position(|it| it == scheme).unwrap_or(0);
            tfrc_curves[at].push((percent, mbps));
            continue;
        }
        // How soon a reliable source repeats is not in the model.
        let half = if matches!(scheme, Scheme::Reliable(Some(_))) { 0.05 } else { 0.03 };
        let added =
            if *repairs > 0 { format!("{repairs} repairs for {SIZE} symbols; ") } else { String::new() };
        rows.push(Row {
            band: Some(((1.0 - half) * expected, (1.0 + half) * expected)),
            remark: format!(
                "{added}large generations: {:.3}; {mbps:.3} Mbit/s, fullest hop {:.1} % busy, {:.3} wire bytes a byte",
                scheme.closed_form(*loss),
                mean(|it| it.busy) * 100.0,
                mean(|it| it.wire),
            ),
            ..row(
                format!("{percent} %, {}", scheme.name()),
                "symbols a packet",
                Some(*expected),
                &of(|it| it.each),
            )
        });
        let at = SCHEMES.iter().position(|it| it == scheme).unwrap_or(0);
        ours[at].push((percent, mean(|it| it.each)));
        closed[at].push((percent, scheme.closed_form(*loss)));
    }
    let mut curves: Vec<_> = SCHEMES
        .iter()
        .zip(ours)
        .map(|(scheme, points)| curve(scheme.name(), Shape::DottedLine, points))
        .collect();
    curves.push(Curve { beside: Some(0), ..curve("(1 - p)^3", Shape::Line, closed[0].clone()) });
    curves.push(Curve { beside: Some(3), ..curve("1 - p", Shape::Line, closed[3].clone()) });
    let tfrc_curves = UNDER_TFRC
        .iter()
        .zip(tfrc_curves)
        .map(|(scheme, points)| curve(scheme.name(), Shape::DottedLine, points))
        .collect();
    let page = Page {
        title: "Losses on three hops in a row".to_owned(),
        reference: "model or closed form".to_owned(),
        lead: format!(
            "scenarios/coding/chain.json: three hops of 4 Mbit/s, each losing the same part of all packets. Symbols that came \
             for each packet that the source sent, 4 to {until} s, mean of {seeds} seeds. With fixed repairs the source adds \
             as many combinations as the model finds best; the reference is then the model, which counts ranks by the rules of \
             source and relays. Beside it the same over TFRC hops."
        ),
        rows,
        plots: vec![
            Plot {
                title: "Symbols for each packet, by loss of each hop".to_owned(),
                caption: "Dashed: what large generations near, (1 - p)^3 from end to end and 1 - p where relays recode.".to_owned(),
                x: axis("loss of each hop", "%"),
                y: axis("symbols a packet", ""),
                y_range: Some((0.4, 1.0)),
                curves,
            },
            Plot {
                title: "The same over TFRC hops".to_owned(),
                caption: "Payload in Mbit/s: the equation turns wire loss into a lower rate, whatever the coding.".to_owned(),
                x: axis("loss of each hop", "%"),
                y: axis("payload", "Mbit/s"),
                y_range: None,
                curves: tfrc_curves,
            },
        ],
        inputs: vec![
            input("generation", format!("{SIZE} symbols of 1,200 B"), "assumed: a size at which dependent combinations are rare"),
            input("repairs", "the best by the model, for each loss", "derived: from the model of a generation at that loss"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "A fixed number of repairs must cover the losses of an unlucky generation, not only the mean: with 64 symbols that costs more than the dependent combinations, which are one in 255. The model has both.".to_owned(),
            "Reliable and coded: the model's source sends, round after round, as many combinations as the destination lacks. A real one must guess from acknowledgements which losses relays will not make up for, hence a wider band.".to_owned(),
            "TFRC takes every loss on the wire for congestion. Repairs bring symbols back, but not the rate.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "cells": detail }) })
}
