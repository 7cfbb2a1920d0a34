//! Simulated runs of scenarios that an experiment writes itself, and the figures that it takes from them.

use crate::Registry;
use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::record::{LinkSummary, Scope, Status, Summary};
use bellini_sim::{Observer, Progress, Simulation};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a run left.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Figures of the measuring window.
    pub(super) summary: Summary,
    /// Samples by metric and id, in order of time.
    series: BTreeMap<(&'static str, String), Vec<(f64, f64)>>,
}

/// Runs `scenario` once and keeps the samples of `metrics`.
///
/// # Errors
/// When the scenario is refused, which is a defect of the experiment, the run fails, or a person stops it.
pub(super) fn simulate(
    registry: &Registry,
    scenario: &Value,
    seed: u64,
    metrics: &[(Scope, &'static str)],
) -> Result<Run, Failure> {
    let options = LoadOptions { seed: Some(seed), ..LoadOptions::default() };
    let loaded = parse_str("experiment.json", &format!("{scenario:#}"), &options).map_err(|refused| {
        Failure::new(exit::SCENARIO, format!("the experiment's scenario is refused:\n{refused}"))
    })?;
    let simulation = Simulation::new(&loaded.scenario, seed, registry)
        .map_err(|error| Failure::new(exit::SCENARIO, error))?;
    let mut watch = Watch { metrics, series: BTreeMap::new() };
    let outcome = simulation.run(&mut watch).map_err(|error| Failure::new(exit::FAILED, error))?;
    if outcome.summary.status != Status::Complete {
        return Err(Failure::new(exit::INTERRUPTED, "stopped before all runs were done"));
    }
    Ok(Run { summary: outcome.summary, series: watch.series })
}

impl Run {
    /// Returns the samples of a metric at the ends of intervals in `(from, to]`, in seconds of scenario time.
    pub(super) fn bins(&self, metric: &'static str, id: &str, (from, to): (f64, f64)) -> Vec<f64> {
        let all = self.series.get(&(metric, id.to_owned())).map_or(&[][..], Vec::as_slice);
        let inside = |t: &f64| *t > from + 1e-9 && *t <= to + 1e-9;
        all.iter().filter(|(t, _)| inside(t)).map(|(_, value)| *value).collect()
    }

    /// Returns all samples of a metric, (time, value).
    pub(super) fn series(&self, metric: &'static str, id: &str) -> &[(f64, f64)] {
        self.series.get(&(metric, id.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Returns the figures of a link.
    ///
    /// # Errors
    /// There is none: a defect of the experiment.
    pub(super) fn link(&self, from: u32, to: u32) -> Result<&LinkSummary, Failure> {
        let link = self.summary.links.iter().find(|link| (link.from, link.to) == (from, to));
        link.ok_or_else(|| Failure::new(exit::FAILED, format!("the run has no link {from}>{to}")))
    }

    /// Returns the length of the measuring window.
    pub(super) fn window_s(&self) -> f64 {
        let [from, to] = self.summary.measure_s;
        to - from
    }
}

struct Watch<'m> {
    metrics: &'m [(Scope, &'static str)],
    series: BTreeMap<(&'static str, String), Vec<(f64, f64)>>,
}

impl Observer for Watch<'_> {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        let wanted = self.metrics.iter().find(|wanted| (wanted.0, wanted.1) == (scope, metric));
        if let Some((_, name)) = wanted {
            self.series.entry((name, id.to_owned())).or_default().push((t_s, value));
        }
        Ok(())
    }

    fn progress(&mut self, _: f64) -> Progress {
        if interrupt::was_pressed() { Progress::Stop } else { Progress::GoOn }
    }
}
