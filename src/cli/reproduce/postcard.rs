//! `postcard`: what store-and-forward saves or costs, over the capacity of links.

use super::common::{curve, input, row};
use super::{Experiment, Findings, Setting, bins, parallel};
use crate::cli::exit::{self, Failure};
use bellini_core::rng::Seed;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::fluid::{Workload, WorkloadSpec, run};
use bellini_scenarios::policies::jetway::{Strategy, postcard};
use serde_json::json;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "postcard",
    about: "cost of store-and-forward over that of flows, as links get smaller",
    run: sweep,
}];

/// What one workload at one capacity gave.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Cost with storing over that of flows; `None`: not all files fitted in both.
    ratio: Option<f64>,
    /// The same for each volume carried, in all workloads.
    each: f64,
    /// Files refused: with storing, by flows.
    missed: (usize, usize),
    files: usize,
    held: f64,
}

fn sweep(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(30, 2);
    let (capacities, slots): (&[f64], usize) = if setting.is_quick() {
        (&[4.0, 60.0], 12)
    } else {
        (&[3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0, 60.0], 40)
    };
    let jobs: Vec<(f64, u64)> =
        capacities.iter().flat_map(|capacity| (1..=seeds).map(move |seed| (*capacity, seed))).collect();
    let all = parallel::each("postcard", &jobs, |(capacity, seed)| one(*capacity, *seed, slots))?;
    let mut rows = Vec::new();
    let (mut each, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut stored, mut flows, mut held) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut detail = Vec::new();
    for (capacity, figures) in capacities.iter().zip(all.chunks(seeds as usize)) {
        let of: Vec<f64> = figures.iter().filter_map(|it| it.ratio).collect();
        let files: usize = figures.iter().map(|it| it.files).sum();
        let missed = |pick: fn(&Figures) -> usize| {
            figures.iter().map(pick).sum::<usize>() as f64 / files.max(1) as f64 * 100.0
        };
        let (with, without) = (missed(|it| it.missed.0), missed(|it| it.missed.1));
        let waits = bins::mean(&figures.iter().map(|it| it.held * 100.0).collect::<Vec<_>>()).unwrap_or(0.0);
        rows.push(Row {
            remark: format!("{} of {seeds} workloads fit both; refused: {with:.2} % with storing, {without:.2} % without; {waits:.1} % held a slot on the way", of.len()),
            ..row(format!("capacity {capacity}: cost with storing over without"), "", None, &of)
        });
        let all: Vec<f64> = figures.iter().map(|it| it.each).collect();
        rows.push(Row {
            remark: "all workloads; what is refused is not carried".to_owned(),
            ..row(format!("capacity {capacity}: the same for each volume carried"), "", None, &all)
        });
        if let Some(over) = Interval::of(&all) {
            let half = over.half.unwrap_or(0.0);
            each.push((*capacity, over.mean));
            low.push((*capacity, over.mean - half));
            high.push((*capacity, over.mean + half));
        }
        ratios.extend(bins::mean(&of).map(|mean| (*capacity, mean)));
        stored.push((*capacity, with));
        flows.push((*capacity, without));
        held.push((*capacity, waits));
        detail.push(
            json!({ "capacity": capacity, "ratios": figures.iter().map(|it| it.ratio).collect::<Vec<_>>(),
            "refused_percent_stored": with, "refused_percent_flows": without, "held_percent": waits }),
        );
    }
    let ends = (each.first().map(|it| it.1), each.last().map(|it| it.1));
    rows.push(Row {
        quantity: "ample links: cost for each volume, with storing over without".to_owned(),
        ours: ends.1,
        band: Some((1.0, f64::INFINITY)),
        remark: "the published shape: flows are as cheap or cheaper".to_owned(),
        ..Row::default()
    });
    rows.push(Row {
        quantity: "tight links: cost for each volume, with storing over without".to_owned(),
        ours: ends.0,
        band: Some((0.0, 1.0)),
        remark: "the published shape: storing wins".to_owned(),
        ..Row::default()
    });
    let cross = each.windows(2).find(|pair| pair[0].1 < 1.0 && pair[1].1 >= 1.0);
    let cross = cross.map(|pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        x0 + (x1 - x0) * (1.0 - y0) / (y1 - y0)
    });
    rows.push(Row {
        quantity: "capacity where the ratio crosses 1".to_owned(),
        ours: cross,
        remark: "between the points drawn".to_owned(),
        ..Row::default()
    });
    rows.push(Row {
        quantity: "storing is clearly cheaper up to capacity".to_owned(),
        ours: high.iter().take_while(|(_, edge)| *edge < 1.0).last().map(|it| it.0),
        remark: "of each volume carried: the 95 % interval is below 1 here and for all smaller links"
            .to_owned(),
        ..Row::default()
    });
    rows.push(Row {
        quantity: "storing is clearly dearer from capacity".to_owned(),
        ours: low.iter().rev().take_while(|(_, edge)| *edge > 1.0).last().map(|it| it.0),
        remark: "the 95 % interval is above 1 here and for all larger links".to_owned(),
        ..Row::default()
    });
    let least = capacities.first().copied().unwrap_or(0.0);
    let most = capacities.last().copied().unwrap_or(1.0);
    let plots = vec![
        Plot {
            title: "Cost with storing over cost without".to_owned(),
            caption: "Mean over the workloads: cost for each volume carried, of all of them, and whole cost, of those in which both carry every file; dashed: 95 % intervals. Below 1 storing is cheaper. On tight links flows refuse more files, and what they charge is for less."
                .to_owned(),
            x: ("capacity of a link".to_owned(), "volume a slot".to_owned()),
            y: ("cost ratio".to_owned(), String::new()),
            y_range: Some((0.8, 1.15)),
            curves: vec![
                curve("for each volume carried", Shape::DottedLine, each),
                curve("whole, both carry all", Shape::DottedLine, ratios),
                curve("equal", Shape::Line, vec![(least, 1.0), (most, 1.0)]),
                Curve { beside: Some(0), ..curve("each volume, lowest", Shape::Line, low) },
                Curve { beside: Some(0), ..curve("each volume, highest", Shape::Line, high) },
            ],
        },
        Plot {
            title: "Files refused".to_owned(),
            caption: "Files that would miss their deadline, and what is held in datacenters on the way."
                .to_owned(),
            x: ("capacity of a link".to_owned(), "volume a slot".to_owned()),
            y: ("part".to_owned(), "%".to_owned()),
            curves: vec![
                curve("refused with storing", Shape::DottedLine, stored),
                curve("refused without", Shape::DottedLine, flows),
                curve("volume held a slot", Shape::DottedLine, held),
            ],
            ..Plot::default()
        },
    ];
    let page = Page {
        title: "Postcard".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "Files between 6 datacenters, each linked to each other, over {slots} slots; {seeds} workloads at each capacity, the same \
             but for it. With storing, a file crosses a link in one slot and goes on, or waits, in the next; without, it flows \
             at one rate until its deadline, over several paths at once. Both decide online by linear programs; the maximum is charged."
        ),
        rows,
        plots,
        inputs: vec![
            input("prices", "1 to 10 a link, uniform", "assumed: made up, ratios only"),
            input("files", "3 a slot in the mean, deadlines of 3 to 8 slots, 1 to 6 a slot", "assumed: as far as known the paper's deadlines"),
            input("scale", "6 datacenters; the paper's about 20", "assumed: small enough for many workloads"),
        ],
        notes: vec![
            "Where a file is refused, whole costs cannot be compared: such workloads count only in the cost for each volume carried. Capacity matters as much for what fits as for what it costs.".to_owned(),
            "Storing needs a slot for each hop: a file over two hops in four slots has three for each, and charges a third more than a flow.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "capacities": detail }) })
}

fn one(capacity: f64, seed: u64, slots: usize) -> Result<Figures, Failure> {
    let spec = WorkloadSpec {
        nodes: 6,
        intervals: slots,
        day: slots,
        videos_per_day: 3.0 * slots as f64,
        together: 1,
        length: (3, 8),
        rate: (1.0, 6.0),
        capacity,
        max_relays: 2,
    };
    let drawn = Workload::draw(&spec, Seed(seed));
    let failed = |error| Failure::new(exit::FAILED, error);
    let flows = run(&drawn, 100.0, Strategy::Single).map_err(failed)?;
    let stored = postcard::run(&drawn.market, slots, &drawn.demands).map_err(failed)?;
    let is_fair = flows.missed == 0 && stored.missed == 0 && flows.cost > 0.0;
    let carried: f64 = drawn
        .demands
        .iter()
        .zip(&flows.plans)
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(file, _)| file.rate * file.count as f64)
        .sum();
    Ok(Figures {
        each: (stored.cost / stored.carried) / (flows.cost / carried),
        ratio: is_fair.then(|| stored.cost / flows.cost),
        missed: (stored.missed, flows.missed),
        files: drawn.demands.len(),
        held: stored.held,
    })
}
