//! `coding-butterfly`: two flows that meet, with coding and without it.

use super::super::bins;
use super::super::common::{SEEDS, input, row};
use super::super::parallel;
use super::{Findings, Played, Setting, packet_bytes, play, shipped};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Bars, Page, Row};
use serde_json::json;

pub(super) const CODED: &str = include_str!("../../../../scenarios/coding/butterfly.json");
pub(super) const TREES: &str = include_str!("../../../../scenarios/coding/butterfly-trees.json");

/// Rate of every hop in bit/s.
const RATE: f64 = 4e6;
/// Payload of a symbol.
const SYMBOL: f64 = 1_200.0;
/// Both destinations.
const LEFT: u32 = 6;
const RIGHT: u32 = 7;

/// What one run gave: the slower destination counts.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Payload in Mbit/s.
    mbps: f64,
    /// Payload over what the fullest hop could carry in packets of the size that it carried.
    hops: f64,
    /// Part of the fullest hop that was used.
    busy: f64,
    /// Bytes of its packets.
    bytes: f64,
    /// Symbols that were sent and never came, in percent.
    lost: f64,
}

impl Figures {
    fn of(run: &Played) -> Result<Self, Failure> {
        let link = run.fullest()?;
        let mbps = run.goodput_mbps(LEFT).min(run.goodput_mbps(RIGHT));
        let bytes = packet_bytes(link);
        let there = &run.summary.sessions[0].destinations;
        let lost = there.iter().map(|it| it.lost_packets as f64 / it.sent_packets.max(1) as f64);
        Ok(Self {
            mbps,
            hops: mbps * 1e6 / (RATE * SYMBOL / bytes),
            busy: link.sent_bytes as f64 * 8.0 / run.seconds() / RATE,
            bytes,
            lost: lost.fold(0.0, f64::max) * 100.0,
        })
    }
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(10, 2);
    let files = [shipped(CODED)?, shipped(TREES)?];
    let jobs: Vec<_> = files.iter().flat_map(|file| (1..=seeds).map(move |seed| (file, seed))).collect();
    let all = parallel::each("coding-butterfly", &jobs, |(file, seed)| Figures::of(&play(file, *seed)?))?;
    let (coded, trees) = all.split_at(seeds as usize);
    let of = |runs: &[Figures], pick: fn(&Figures) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
    let mean = |runs: &[Figures], pick: fn(&Figures) -> f64| bins::mean(&of(runs, pick)).unwrap_or(0.0);
    let remark = |runs: &[Figures]| {
        format!(
            "{:.3} Mbit/s; fullest hop {:.1} % busy, {:.1} B a packet; {:.3} % lost",
            mean(runs, |it| it.mbps),
            mean(runs, |it| it.busy) * 100.0,
            mean(runs, |it| it.bytes),
            mean(runs, |it| it.lost),
        )
    };
    let gains = |pick: fn(&Figures) -> f64| {
        coded.iter().zip(trees).map(|(coded, trees)| pick(coded) / pick(trees)).collect::<Vec<_>>()
    };
    let full = |it: &Figures| it.hops / it.busy;
    let most = 4.0 / 3.0;
    let rows = vec![
        Row {
            band: Some((1.9, 2.0)),
            remark: remark(coded),
            ..row(
                "coded: payload to each destination".to_owned(),
                "hops",
                Some(2.0),
                &of(coded, |it| it.hops),
            )
        },
        Row {
            band: Some((1.46, 1.5)),
            remark: remark(trees),
            ..row(
                "best trees: payload to each destination".to_owned(),
                "hops",
                Some(1.5),
                &of(trees, |it| it.hops),
            )
        },
        Row {
            band: Some((1.27, most)),
            remark: "above 4/3 would be an error".to_owned(),
            ..row("gain, in hops".to_owned(), "", Some(most), &gains(|it| it.hops))
        },
        Row {
            band: Some((1.27, most)),
            remark: "both at full hops".to_owned(),
            ..row("gain, in hops for each full hop".to_owned(), "", Some(most), &gains(full))
        },
        Row {
            band: Some((1.15, most)),
            remark: "what is left of it behind the headers of coding".to_owned(),
            ..row("gain, in Mbit/s".to_owned(), "", None, &gains(|it| it.mbps))
        },
    ];
    let page = Page {
        title: "The butterfly".to_owned(),
        reference: "theory".to_owned(),
        lead: format!(
            "Two destinations, nine hops of 4 Mbit/s. Coded: two flows, which meet at one hop, where one packet serves both \
             destinations. Best trees: three trees that carry half a hop each, the optimal fractional packing. Payload that \
             came within ten seconds to the slower destination, over what one hop carries in packets of the size of its \
             fullest hop. Mean of {seeds} seeds."
        ),
        rows,
        bars: vec![Bars {
            title: "Butterfly: payload to each destination".to_owned(),
            caption: "In multiples of what one hop carries. Theory: 2.0 coded, 1.5 with trees.".to_owned(),
            x: ("payload".to_owned(), "hops".to_owned()),
            things: vec!["coded".to_owned(), "best trees".to_owned()],
            parts: vec![
                ("measured".to_owned(), vec![mean(coded, |it| it.hops), mean(trees, |it| it.hops)]),
                (
                    "to theory".to_owned(),
                    vec![2.0 - mean(coded, |it| it.hops), 1.5 - mean(trees, |it| it.hops)],
                ),
            ],
        }],
        inputs: vec![
            input("scenarios", "coding/butterfly.json, coding/butterfly-trees.json", "assumed: the textbook's network, hops of equal rate"),
            input("symbol", "1,200 B; generations of 64, two repairs for each", "assumed: repairs cover the dependent combinations"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "Trees share hops, so what they give is the optimum of a linear programme: three trees of a half. Two trees alone give 1.0, and a gain of 2 over those would say little of coding.".to_owned(),
            "A gain above 4/3 in hops cannot be: the row's band ends there.".to_owned(),
            "Coded packets on the fullest hop carry 116 B more: 20 of header, 64 of coefficients, 32 of the combined block. That is why the gain in Mbit/s is smaller.".to_owned(),
        ],
        ..Page::default()
    };
    let figures = |runs: &[Figures]| {
        runs.iter()
            .map(|it| json!({ "mbps": it.mbps, "hops": it.hops, "busy": it.busy, "packet_bytes": it.bytes, "lost_percent": it.lost }))
            .collect::<Vec<_>>()
    };
    Ok(Findings { page, seeds, detail: json!({ "coded": figures(coded), "trees": figures(trees) }) })
}
