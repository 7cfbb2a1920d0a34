//! Whole months: routings, EcoFlow, hindsight and bounds.

use super::{OURS, PERCENTILES, Part, STRATEGIES, failed, mean, ratios};
use crate::cli::exit::Failure;
use crate::cli::reproduce::common::{input, row};
use crate::cli::reproduce::{Setting, parallel};
use bellini_core::rng::Seed;
use bellini_reports::reproduce::{Bars, Page, Row};
use bellini_scenarios::fluid::{Bound, Workload, WorkloadSpec, bound, run, with_hindsight};
use bellini_scenarios::policies::jetway::{Strategy, ecoflow};
use serde_json::json;

/// EcoFlow by the path that is a video's own.
pub(super) const ECOFLOW: [(&str, bool); 2] =
    [("EcoFlow, direct links", false), ("EcoFlow, cheapest paths", true)];

/// What became of one workload. By percentile where there are two.
struct Figures {
    videos: usize,
    costs: [Vec<f64>; 2],
    ecoflow: [Vec<f64>; 2],
    hindsight: [f64; 2],
    utilisation: [Vec<f64>; 2],
    missed: usize,
    late: usize,
    bound: Bound,
}

impl Figures {
    fn bound(&self, at: usize) -> f64 {
        if at == 0 { self.bound.max } else { self.bound.percentile }
    }

    fn ours(&self, at: usize) -> f64 {
        self.costs[at][OURS]
    }
}

pub(super) fn months(setting: &Setting<'_>, seeds: u64) -> Result<Part, Failure> {
    let spec = if setting.is_quick() {
        WorkloadSpec { intervals: 288, ..WorkloadSpec::default() }
    } else {
        WorkloadSpec::default()
    };
    let all: Vec<u64> = (1..=seeds).collect();
    let figures = parallel::each("jetway", &all, |seed| month(&spec, *seed))?;
    let mut rows = Vec::new();
    for (at, percentile) in PERCENTILES.iter().enumerate() {
        let of = |other: &dyn Fn(&Figures) -> f64| -> Vec<f64> {
            figures.iter().map(|it| it.ours(at) / other(it)).collect()
        };
        let about = "cost of the single program over its cost, workload by workload";
        for (strategy, (name, _)) in STRATEGIES.iter().enumerate().filter(|(strategy, _)| *strategy != OURS) {
            rows.push(ratios(
                format!("q = {percentile}: over {name}"),
                &of(&|it| it.costs[at][strategy]),
                about,
            ));
        }
        for (which, (name, _)) in ECOFLOW.iter().enumerate() {
            let about = "it may send a video late and unevenly, up to its deadline; Jetway may not";
            rows.push(ratios(
                format!("q = {percentile}: over {name}"),
                &of(&|it| it.ecoflow[at][which]),
                about,
            ));
        }
        let about = "the same program by somebody who knows the charges of earlier tries";
        rows.push(ratios(format!("q = {percentile}: over hindsight"), &of(&|it| it.hindsight[at]), about));
        let about = if at == 0 {
            "full knowledge; videos may move in every interval. Below 1 would be an error"
        } else {
            "a relaxation, see the notes. Below 1 would be an error"
        };
        rows.push(Row {
            band: Some((1.0, f64::INFINITY)),
            ..ratios(format!("q = {percentile}: over the offline bound"), &of(&|it| it.bound(at)), about)
        });
        let least = figures.iter().flat_map(|it| {
            let costs = it.costs[at].iter().chain([&it.hindsight[at]]);
            costs.map(move |cost| cost / it.bound(at))
        });
        rows.push(Row {
            quantity: format!("q = {percentile}: cheapest of all runs over its bound"),
            ours: Some(least.fold(f64::INFINITY, f64::min)),
            band: Some((1.0, f64::INFINITY)),
            remark: "EcoFlow apart: the bound is of videos that are not delayed".to_owned(),
            ..Row::default()
        });
        for (strategy, name) in [(OURS, "single program"), (0, "direct")] {
            let used: Vec<f64> = figures.iter().map(|it| it.utilisation[at][strategy] * 100.0).collect();
            rows.push(row(format!("q = {percentile}: use of what is charged, {name}"), "%", None, &used));
        }
    }
    rows.push(Row {
        quantity: "videos refused by any routing, or late by EcoFlow".to_owned(),
        ours: Some(figures.iter().map(|it| it.missed + it.late).sum::<usize>() as f64),
        band: Some((0.0, 0.0)),
        remark: "links are large enough for all of them".to_owned(),
        ..Row::default()
    });
    let bars = |at: usize, name: &str| {
        let of = |pick: &dyn Fn(&Figures) -> f64| mean(figures.iter().map(|it| pick(it) / it.costs[at][0]));
        let mut things: Vec<(String, f64)> = Vec::new();
        let mut add = |name: &str, value: f64| things.push((name.to_owned(), value));
        for (strategy, (name, _)) in STRATEGIES.iter().enumerate().take(3) {
            add(name, of(&|it| it.costs[at][strategy]));
        }
        for (which, (name, _)) in ECOFLOW.iter().enumerate() {
            add(name, of(&|it| it.ecoflow[at][which]));
        }
        for (strategy, (name, _)) in STRATEGIES.iter().enumerate().skip(3) {
            add(name, of(&|it| it.costs[at][strategy]));
        }
        add("with hindsight", of(&|it| it.hindsight[at]));
        add("offline bound", of(&|it| it.bound(at)));
        let (things, costs) = things.into_iter().unzip();
        Bars {
            title: format!("Cost charged by {name}"),
            caption: "Over that of the direct links, mean of the workloads. Nobody who does not delay videos can undercut the offline bound; somebody could have the cost with hindsight.".to_owned(),
            x: ("cost".to_owned(), "of direct".to_owned()),
            things,
            parts: vec![("cost".to_owned(), costs)],
        }
    };
    let settled = figures.iter().filter(|it| it.bound.is_settled).count();
    let videos = figures.iter().map(|it| it.videos).sum::<usize>() / figures.len().max(1);
    let page = Page {
        title: "Jetway".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "{seeds} synthetic workloads of {} days on 7 datacenters, each linked to each other: {videos} videos in the mean, \
             routed online, interval by interval, without packets. A link's charge is the given percentile of its {} five-minute \
             volumes. Prices are made up, so that only ratios mean something. Ratios are by workload, with 95 % intervals of \
             their mean. A day is played in packets by the policy `jetway`. What is too slow for a month is in `jetway-cases`.",
            spec.intervals / spec.day,
            spec.intervals
        ),
        rows,
        bars: vec![bars(0, "the maximum"), bars(1, "the 95th percentile")],
        inputs: vec![
            input("prices", "1 to 10 a link, uniform", "assumed: made up, ratios only"),
            input("arrivals", "Poisson, 100 videos a day in the mean, 0.4 to 1.6 of it over the day, each source by its own hour", "assumed: the paper says nothing of its traffic"),
            input("videos", "1 to 8 Mbit/s, 30 min to 4 h, uniform; sources and destinations by weights 1 to 4", "assumed: the same"),
            input("capacity", "100 Mbit/s a link", "assumed: no video need be refused"),
            input("paths", "at most two relays: 26 a pair", "assumed: more hardly help"),
        ],
        notes: vec![
            format!("The bound for the maximum is the offline linear program in which videos may move in every interval, by cutting planes; {settled} of {seeds} were solved to 0.1 % as far as the intervals looked at go. Any round's answer is a bound."),
            "The bound for the 95th percentile is a relaxation: among the m links that a cut weighs, any m times 432 + 1 intervals hold one in which none of them is above its charge. It lets videos move to whichever link is free, interval by interval, which nobody does; how far below the optimum it is in small cases shows in `jetway-cases`. The least cost of a month lies between it and the cost with hindsight.".to_owned(),
            "Hindsight: the month is played eight times more, each time with a part of the charges of the cheapest try counting as paid from the start.".to_owned(),
            "EcoFlow is written from its abstract: videos in order of deadlines, postponed so that the percentile of the intervals so far does not rise, those at risk split over links that are not used up. It treats a video as a file to be there in time. What it cannot place raises the charge of the video's own path: the direct link, or, kinder than the abstract, the cheapest path.".to_owned(),
            "The paper gives no figures that this could be measured by: it reports lower cost.".to_owned(),
        ],
        ..Page::default()
    };
    let detail = figures.iter().zip(&all).map(|(it, seed)| {
        json!({ "seed": seed, "videos": it.videos, "missed": it.missed, "bound_max": it.bound.max,
            "bound_percentile": it.bound.percentile, "bound_is_settled": it.bound.is_settled,
            "cost_max": it.costs[0], "cost_percentile": it.costs[1], "ecoflow_max": it.ecoflow[0],
            "ecoflow_percentile": it.ecoflow[1], "hindsight": it.hindsight })
    });
    let names: Vec<_> = STRATEGIES.iter().map(|(name, _)| *name).collect();
    let detail = json!({ "strategies": names, "months": detail.collect::<Vec<_>>() });
    Ok(Part { page, detail })
}

fn month(spec: &WorkloadSpec, seed: u64) -> Result<Figures, Failure> {
    let workload = Workload::draw(spec, Seed(seed));
    let mut figures = Figures {
        videos: workload.demands.len(),
        costs: Default::default(),
        ecoflow: Default::default(),
        hindsight: [0.0; 2],
        utilisation: Default::default(),
        missed: 0,
        late: 0,
        bound: bound(&workload, PERCENTILES[1]).map_err(failed)?,
    };
    for (at, percentile) in PERCENTILES.iter().enumerate() {
        for (_, strategy) in STRATEGIES {
            let month = run(&workload, *percentile, strategy).map_err(failed)?;
            figures.costs[at].push(month.cost);
            figures.utilisation[at].push(month.utilisation);
            figures.missed += month.missed;
        }
        for (_, is_cheapest) in ECOFLOW {
            let waited = ecoflow::run(
                &workload.market,
                workload.intervals,
                *percentile,
                is_cheapest,
                &workload.demands,
            );
            figures.ecoflow[at].push(waited.cost);
            figures.late += waited.missed;
        }
        figures.hindsight[at] =
            with_hindsight(&workload, *percentile, Strategy::Single).map_err(failed)?.cost;
    }
    Ok(figures)
}
