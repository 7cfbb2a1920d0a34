//! Cases small enough for the mixed-integer optimum of percentile charging.

use super::{PERCENTILES, Part, STRATEGIES, failed, ratios};
use crate::cli::exit::Failure;
use crate::cli::reproduce::common::input;
use crate::cli::reproduce::{Setting, parallel};
use bellini_core::rng::Seed;
use bellini_reports::reproduce::{Page, Row};
use bellini_scenarios::fluid::{Exact, Workload, WorkloadSpec, bound, exact_lasting, run};
use bellini_scenarios::policies::jetway::Strategy;
use serde_json::json;

/// Datacenters and videos.
const CASES: [(usize, f64); 2] = [(3, 20.0), (4, 12.0)];
const INTERVALS: usize = 40;
/// Most programs of a search.
const PROGRAMS: usize = 2_000;

struct Figures {
    exact: Exact,
    relaxed: f64,
    /// By strategy.
    costs: Vec<f64>,
    missed: usize,
}

pub(super) fn small(setting: &Setting<'_>, seeds: u64) -> Result<Part, Failure> {
    let cases = if setting.is_quick() { &CASES[..1] } else { &CASES };
    let (mut rows, mut detail) = (Vec::new(), Vec::new());
    for (nodes, videos) in cases {
        let all: Vec<u64> = (1..=seeds).collect();
        let label = format!("jetway, {nodes} datacenters exactly");
        let figures = parallel::each(&label, &all, |seed| one(*nodes, *videos, *seed))?;
        let proved = figures.iter().filter(|it| it.exact.is_proved()).count();
        let solved = format!(
            "{INTERVALS} intervals, two of them free for each link; {proved} of {seeds} searches came to their end, of the others what nobody can undercut counts"
        );
        for (at, (name, _)) in compared().enumerate() {
            let of: Vec<f64> = figures.iter().map(|it| it.costs[at] / it.exact.bound).collect();
            rows.push(Row {
                band: Some((1.0 - 1e-3, f64::INFINITY)),
                ..ratios(format!("{nodes} datacenters, q = 95: {name} over the optimum"), &of, &solved)
            });
        }
        let of: Vec<f64> = figures.iter().map(|it| it.relaxed / it.exact.bound).collect();
        rows.push(Row {
            band: Some((0.0, 1.0 + 1e-3)),
            ..ratios(
                format!("{nodes} datacenters, q = 95: the months' relaxation over the optimum"),
                &of,
                "what is lacking to 1 is what the relaxation gives away; for months it is not known",
            )
        });
        let missed: usize = figures.iter().map(|it| it.missed).sum();
        rows.push(Row {
            quantity: format!("{nodes} datacenters: videos refused"),
            ours: Some(missed as f64),
            band: Some((0.0, 0.0)),
            ..Row::default()
        });
        detail.extend(figures.iter().zip(&all).map(|(it, seed)| {
            json!({ "nodes": nodes, "seed": seed, "cost": it.exact.cost, "bound": it.exact.bound,
                "programs": it.exact.programs, "relaxed": it.relaxed, "costs": it.costs, "missed": it.missed })
        }));
    }
    let page = Page {
        rows,
        inputs: vec![input(
            "small cases",
            format!("{INTERVALS} intervals; 20 videos on 3 datacenters, 12 on 4, 2 to 8 intervals each"),
            "assumed: what the search can finish",
        )],
        notes: vec!["The optimum of the small cases keeps each video on its paths for as long as it lasts, as Jetway does, and knows all that comes: the mixed-integer program, by branch and bound over which intervals of a link are free.".to_owned()],
        ..Page::default()
    };
    Ok(Part { page, detail: json!(detail) })
}

fn one(nodes: usize, videos: f64, seed: u64) -> Result<Figures, Failure> {
    let spec = WorkloadSpec {
        nodes,
        intervals: INTERVALS,
        day: INTERVALS,
        videos_per_day: videos,
        length: (2, 8),
        ..WorkloadSpec::default()
    };
    let drawn = Workload::draw(&spec, Seed(1_000 + seed));
    let percentile = PERCENTILES[1];
    let mut figures = Figures {
        exact: exact_lasting(&drawn, percentile, PROGRAMS).map_err(failed)?,
        relaxed: bound(&drawn, percentile).map_err(failed)?.percentile,
        costs: Vec::new(),
        missed: 0,
    };
    for (_, strategy) in compared() {
        let run = run(&drawn, percentile, strategy).map_err(failed)?;
        figures.costs.push(run.cost);
        figures.missed += run.missed;
    }
    Ok(figures)
}

/// Those that every pair has paths enough for: of three datacenters a pair has two.
fn compared() -> impl Iterator<Item = (&'static str, Strategy)> {
    STRATEGIES.into_iter().filter(|(_, strategy)| !matches!(strategy, Strategy::Even(_)))
}
