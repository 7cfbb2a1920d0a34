//! `kill-9`: each kind of process killed in turn during a reliable transfer; what is lost, and how soon it goes on.

use super::common::{axis, curve, input, row};
use super::play;
use super::{Experiment, Findings, Setting};
use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use bellini_live::lab::{Lab, LabOptions, Privilege};
use bellini_reports::reproduce::{Page, Plot, Row, Shape};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{EventRow, Scope, Summary};
use bellini_sim::{Observer, Progress, Simulation};
use serde_json::{Value, json};

const SCENARIO: &str = include_str!("../../../scenarios/failover/kill.json");
/// Series id of the destination.
const DESTINATION: &str = "1/1@4";
const KILLED_S: f64 = 2.0;
const RESTARTED_S: f64 = 4.0;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "kill-9",
    about: "each kind of process killed during a reliable transfer: what is lost, how soon it goes on (simulator and lab)",
    run,
}];

/// A process to be killed.
struct Victim {
    what: &'static str,
    node: &'static str,
    is_restarted: bool,
}

const VICTIMS: [Victim; 4] = [
    Victim { what: "relay", node: "london", is_restarted: false },
    Victim { what: "source", node: "paris", is_restarted: true },
    Victim { what: "destination", node: "dublin", is_restarted: true },
    Victim { what: "listing server", node: "zurich", is_restarted: true },
];

impl Victim {
    fn scenario(&self) -> Result<Scenario, Failure> {
        let mut faults = vec![json!({ "at": format!("{KILLED_S} s"), "crash": self.node })];
        if self.is_restarted {
            faults.push(json!({ "at": format!("{RESTARTED_S} s"), "restart": self.node }));
        }
        play::scenario(SCENARIO, vec![("faults".to_owned(), Value::Array(faults).to_string())])
    }

    /// Whether the transfer cannot go on before the process is back.
    fn stops_all(&self) -> bool {
        matches!(self.what, "source" | "destination")
    }

    /// Since when it is counted how long it takes until the transfer goes on.
    fn counted_from(&self) -> f64 {
        if self.stops_all() { RESTARTED_S } else { KILLED_S }
    }
}

/// What a run showed.
struct Shown {
    /// Goodput in Mbit/s by the end of each sample.
    goodput: Vec<(f64, f64)>,
    complete_s: Option<f64>,
    is_whole: bool,
}

impl Shown {
    fn of(summary: &Summary, goodput: Vec<(f64, f64)>) -> Result<Self, Failure> {
        let session = summary.sessions.first();
        let found = session.and_then(|session| session.destinations.first());
        let found = found.ok_or_else(|| Failure::new(exit::FAILED, "the run has no destination"))?;
        Ok(Self {
            goodput,
            complete_s: found.complete_s,
            // The hash is that of the file which the source made.
            is_whole: found.complete == Some(true) && found.sha256.is_some(),
        })
    }

    /// Returns how long after `from` the destination got nothing any more for the last time, in a pause that began before
    /// `from` or within a second of it; 0 without a pause.
    fn went_on_after(&self, from: f64) -> f64 {
        let step = self.goodput.windows(2).map(|pair| pair[1].0 - pair[0].0).next().unwrap_or(0.0);
        let begins = |t: f64| t - step;
        let mut end = from;
        let mut is_open = false;
        for (t, rate) in self.goodput.iter().filter(|(t, _)| *t > from) {
            if *rate > 0.0 {
                is_open = false;
            } else if is_open || begins(*t) <= from + 1.0 {
                is_open = true;
                end = *t;
            }
        }
        end - from
    }
}

fn simulated(setting: &Setting<'_>, scenario: &Scenario, seed: u64) -> Result<Shown, Failure> {
    let mut kept = Kept::default();
    let simulation = Simulation::new(scenario, seed, setting.registry)
        .map_err(|error| Failure::new(exit::SCENARIO, error))?;
    let outcome = simulation.run(&mut kept).map_err(|error| Failure::new(exit::FAILED, error))?;
    Shown::of(&outcome.summary, kept.goodput)
}

fn measured(setting: &Setting<'_>, scenario: &Scenario, seed: u64) -> Result<Shown, Failure> {
    let failed = |error| Failure::new(exit::FAILED, error);
    let mut kept = Kept::default();
    let lab = Lab::new(scenario, seed, setting.registry, LabOptions::default()).map_err(failed)?;
    let outcome = lab.run(&mut kept).map_err(failed)?;
    Shown::of(&outcome.summary, kept.goodput)
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    // Before any thread is started: user namespaces are for processes of one thread.
    Privilege::obtain().map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    interrupt::catch();
    let seeds = setting.seeds(3, 1);
    let (mut rows, mut plots, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    for victim in &VICTIMS {
        let scenario = victim.scenario()?;
        let from = victim.counted_from();
        let (mut lab, mut simulator) = (Vec::new(), Vec::new());
        for seed in 1..=seeds {
            exit::say(format_args!("{} killed, seed {seed}", victim.what));
            simulator.push(simulated(setting, &scenario, seed)?);
            lab.push(measured(setting, &scenario, seed)?);
            if interrupt::was_pressed() {
                return Err(Failure::new(exit::INTERRUPTED, "stopped before all runs were done"));
            }
        }
        let over = |of: &[Shown], figure: &dyn Fn(&Shown) -> f64| of.iter().map(figure).collect::<Vec<f64>>();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let whole = |shown: &Shown| f64::from(shown.is_whole);
        let on = |shown: &Shown| shown.went_on_after(from);
        let done = |shown: &Shown| shown.complete_s.unwrap_or(f64::NAN);
        let since = if victim.stops_all() { "its restart" } else { "it was killed" };
        rows.push(Row {
            remark: format!(
                "of {} s; the simulator says {:.2}",
                scenario.sample_interval,
                mean(&over(&simulator, &on))
            ),
            ..row(
                format!("{}: transfer goes on after {since}", victim.what),
                "s",
                Some(mean(&over(&simulator, &on))),
                &over(&lab, &on),
            )
        });
        rows.push(row(
            format!("{}: file complete at", victim.what),
            "s",
            Some(mean(&over(&simulator, &done))),
            &over(&lab, &done),
        ));
        rows.push(Row {
            band: Some((1.0, 1.0)),
            remark: "every run, hash right at the destination".to_owned(),
            ..row(
                format!("{}: whole files", victim.what),
                "of 1",
                Some(mean(&over(&simulator, &whole))),
                &over(&lab, &whole),
            )
        });
        if let (Some(lab), Some(simulator)) = (lab.first(), simulator.first()) {
            plots.push(Plot {
                title: format!("Killed at {KILLED_S} s: the {}", victim.what),
                caption: format!(
                    "Payload that came at the destination, seed 1. {}",
                    if victim.is_restarted {
                        format!("The process is back at {RESTARTED_S} s.")
                    } else {
                        "It never returns.".to_owned()
                    }
                ),
                x: axis("scenario time", "s"),
                y: axis("goodput", "Mbit/s"),
                y_range: Some((0.0, 45.0)),
                curves: vec![
                    curve("lab", Shape::Line, lab.goodput.clone()),
                    curve("simulator", Shape::Line, simulator.goodput.clone()),
                ],
            });
        }
        detail.push(json!({
            "killed": victim.what,
            "lab": lab.iter().map(|shown| json!({ "goes_on_s": on(shown), "complete_s": shown.complete_s, "whole": shown.is_whole })).collect::<Vec<_>>(),
            "simulator": simulator.iter().map(|shown| json!({ "goes_on_s": on(shown), "complete_s": shown.complete_s, "whole": shown.is_whole })).collect::<Vec<_>>(),
        }));
    }
    let page = Page {
        title: "Each kind of process killed with -9".to_owned(),
        lead: format!(
            "The scenario scenarios/failover/kill.json: a reliable file of 24 MiB. One process is killed at {KILLED_S} s: the relay for good, the \
             others until {RESTARTED_S} s. {seeds} seeds, by one process a node over the lab's emulated network, and by the simulator."
        ),
        reference: "simulator".to_owned(),
        rows,
        plots,
        inputs: vec![input("kernel", play::system(), "measured: /proc/sys/kernel/osrelease of this machine"), input("scenario", "failover/kill.json", "assumed: its description says why")],
        notes: vec![
            "A source that starts again begins the file again; a destination that starts again has nothing, and gets it from its first \
             symbol. Nothing that was acknowledged is missing in the end: the hash says so."
                .to_owned(),
            "While the listing server is away nothing is decided; the transfer does not need it.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "victims": detail }) })
}

/// Keeps the destination's goodput.
#[derive(Default)]
struct Kept {
    goodput: Vec<(f64, f64)>,
}

impl Observer for Kept {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        if scope == Scope::Destination && id == DESTINATION && metric == "goodput_mbps" {
            self.goodput.push((t_s, value));
        }
        Ok(())
    }

    fn event(&mut self, _: EventRow) -> Result<(), String> {
        Ok(())
    }

    fn progress(&mut self, _: f64) -> Progress {
        if interrupt::was_pressed() { Progress::Stop } else { Progress::GoOn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a pause counts when it begins around the moment asked about, not later, and ends where something comes.
    #[test]
    fn pauses_are_measured() {
        let shown = |zeros: std::ops::Range<u32>| Shown {
            goodput: (0..100).map(|i| (f64::from(i + 1) * 0.1, f64::from(!zeros.contains(&i)))).collect(),
            complete_s: None,
            is_whole: true,
        };
        assert!((shown(21..25).went_on_after(2.0) - 0.5).abs() < 1e-9);
        assert!((shown(15..25).went_on_after(2.0) - 0.5).abs() < 1e-9);
        assert!(shown(50..60).went_on_after(2.0).abs() < 1e-9, "another pause");
        assert!(shown(0..0).went_on_after(2.0).abs() < 1e-9);
    }
}
