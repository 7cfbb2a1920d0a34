//! The single program against the two stages, over how many videos start together.

use super::{Part, failed, ratios};
use crate::cli::exit::Failure;
use crate::cli::reproduce::common::{curve, input};
use crate::cli::reproduce::{Setting, parallel};
use bellini_core::rng::Seed;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Page, Plot, Shape};
use bellini_scenarios::fluid::{Month, Workload, WorkloadSpec, run};
use bellini_scenarios::policies::jetway::{Ledger, Strategy, paid_share};
use serde_json::json;

/// Name, capacity of links and percentile.
const CASES: [(&str, f64, f64); 3] = [
    ("ample links, max", 100.0, 100.0),
    ("tight links, max", 25.0, 100.0),
    ("ample links, q = 95", 100.0, 95.0),
];

#[derive(Default)]
struct Figures {
    /// By case: cost of the single program over that of the two stages; `None`: one of them refused a video.
    ratios: Vec<Option<f64>>,
    /// Decisions of the first case in which what is paid for carries nothing, a part, and all.
    carries: [usize; 3],
}

pub(super) fn forms(setting: &Setting<'_>, seeds: u64) -> Result<Part, Failure> {
    let together: &[usize] = if setting.is_quick() { &[1, 16] } else { &[1, 4, 8, 16, 32, 64] };
    let days = if setting.is_quick() { 1 } else { 2 };
    let jobs: Vec<(usize, u64)> =
        together.iter().flat_map(|it| (1..=seeds).map(move |seed| (*it, seed))).collect();
    let all = parallel::each("jetway, two forms", &jobs, |(together, seed)| one(*together, days, *seed))?;
    let (mut rows, mut detail) = (Vec::new(), Vec::new());
    let (mut curves, mut edges): (Vec<Curve>, Vec<Curve>) = Default::default();
    let mut carries = vec![Vec::new(); 3];
    for (case, (name, ..)) in CASES.iter().enumerate() {
        let (mut middle, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for (together, figures) in together.iter().zip(all.chunks(seeds as usize)) {
            let of: Vec<f64> = figures.iter().map(|it| it.ratios[case].unwrap_or(f64::NAN)).collect();
            let remark = "cost of the single program over that of the two stages, workload by workload";
            rows.push(ratios(format!("{name}, {together} start together: over two-stage"), &of, remark));
            let finite: Vec<f64> = of.into_iter().filter(|it| it.is_finite()).collect();
            if let Some(over) = Interval::of(&finite) {
                let (x, half) = (*together as f64, over.half.unwrap_or(0.0));
                middle.push((x, over.mean));
                low.push((x, over.mean - half));
                high.push((x, over.mean + half));
            }
            detail.push(json!({ "case": name, "together": together, "ratios": finite }));
        }
        curves.push(curve(*name, Shape::DottedLine, middle));
        // The percentile's would hide the others'.
        for (edge, points) in
            [("lowest", low), ("highest", high)].into_iter().take(if case < 2 { 2 } else { 0 })
        {
            let name = format!("{} links, {edge}", if case == 0 { "ample" } else { "tight" });
            edges.push(Curve { beside: Some(case), ..curve(name, Shape::Line, points) });
        }
    }
    for (together, figures) in together.iter().zip(all.chunks(seeds as usize)) {
        let sums = [0, 1, 2].map(|kind| figures.iter().map(|it| it.carries[kind]).sum::<usize>() as f64);
        let total = sums.iter().sum::<f64>().max(1.0);
        for (points, sum) in carries.iter_mut().zip(sums) {
            points.push((*together as f64, sum / total * 100.0));
        }
    }
    let last = together.last().map_or(1.0, |it| *it as f64);
    curves.push(curve("equal", Shape::Line, vec![(0.0, 1.0), (last, 1.0)]));
    curves.extend(edges);
    let x = || ("videos that start together".to_owned(), String::new());
    let plots = vec![
        Plot {
            title: "Single program over two stages".to_owned(),
            caption: "Cost ratio, mean of the workloads; dashed: ends of 95 % intervals. Below 1 the single program is cheaper.".to_owned(),
            x: x(),
            y: ("cost ratio".to_owned(), String::new()),
            y_range: Some((0.9, 1.02)),
            curves,
        },
        Plot {
            title: "What the first stage carries".to_owned(),
            caption: "Decisions in which what is paid for carries none of the demands, a part of each, or all. Only in the second kind do the two forms differ at all.".to_owned(),
            x: x(),
            y: ("decisions".to_owned(), "%".to_owned()),
            y_range: Some((0.0, 100.0)),
            curves: ["none", "a part", "all"]
                .iter()
                .zip(carries)
                .map(|(name, points)| curve(*name, Shape::DottedLine, points))
                .collect(),
        },
    ];
    let page = Page {
        rows,
        plots,
        inputs: vec![input(
            "two forms",
            format!("{days} days, 100 videos a day that start in groups; links of 100 and of 25 Mbit/s"),
            "assumed: groups are where the forms can differ",
        )],
        notes: vec!["Why the two forms hardly differ: the first stage carries the same share of every video that starts, so one that finds nothing paid for makes it carry nothing, and what follows is the single program; where everything fits into what is paid for, both charge nothing more. They differ where it carries a part, and there by how well the part leaves links to the rest. With one video at a time that is one decision in seven or so, and what one form gains now the other gains later.".to_owned()],
        ..Page::default()
    };
    Ok(Part { page, detail: json!(detail) })
}

fn one(together: usize, days: usize, seed: u64) -> Result<Figures, Failure> {
    let mut figures = Figures::default();
    for (case, (_, capacity, percentile)) in CASES.iter().enumerate() {
        let spec =
            WorkloadSpec { intervals: days * 288, together, capacity: *capacity, ..WorkloadSpec::default() };
        let drawn = Workload::draw(&spec, Seed(200 + seed));
        let play = |strategy| run(&drawn, *percentile, strategy).map_err(failed);
        let (single, two) = (play(Strategy::Single)?, play(Strategy::TwoStage)?);
        figures.ratios.push((single.missed + two.missed == 0).then(|| single.cost / two.cost));
        if case == 0 {
            figures.carries = carries(&drawn, *percentile, &single)?;
        }
    }
    Ok(figures)
}

/// Counts decisions on the way of a run by what the first stage would carry.
fn carries(drawn: &Workload, percentile: f64, run: &Month) -> Result<[usize; 3], Failure> {
    let mut ledger = Ledger::new(drawn.market.links.len(), drawn.intervals, percentile);
    let mut plans = run.plans.iter();
    let mut counts = [0; 3];
    for batch in drawn.batches() {
        let share = paid_share(&drawn.market, &ledger, batch).map_err(failed)?;
        let kind = if share < 1e-6 { 0 } else { 1 + usize::from(share > 1.0 - 1e-6) };
        counts[kind] += 1;
        for (demand, parts) in batch.iter().zip(plans.by_ref()) {
            parts.iter().for_each(|(path, rate)| ledger.commit(path, demand, *rate));
        }
    }
    Ok(counts)
}
