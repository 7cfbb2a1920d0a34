//! Runs of one scenario in the simulator and in the lab. What the lab measured is kept, so that the simulator's side can
//! be done again without it.

use super::Setting;
use crate::Registry;
use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use bellini_live::lab::{Lab, LabError, LabOptions};
use bellini_scenarios::emit;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::record::{Status, Summary};
use bellini_sim::{Observer, Progress, Simulation};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// Tries of a lab run: one that is not valid is done again, for the machine may have been busy. Of runs none of which is
/// valid the one that was least late counts, and the page says so.
const TRIES: u64 = 3;

/// What the lab measured is kept in this file.
const KEPT: &str = "lab.jsonl";

/// Reads a scenario that comes with the program, with values changed.
///
/// # Errors
/// When it is refused, which is a defect of the experiment.
pub(super) fn scenario(text: &str, set: Vec<(String, String)>) -> Result<Scenario, Failure> {
    let options = LoadOptions { set, ..LoadOptions::default() };
    let loaded = parse_str("experiment.json", text, &options).map_err(|refused| {
        Failure::new(exit::SCENARIO, format!("the experiment's scenario is refused:\n{refused}"))
    })?;
    Ok(loaded.scenario)
}

/// Runs a scenario in the simulator.
///
/// # Errors
/// When the simulator refuses it or the run fails.
pub(super) fn simulate(registry: &Registry, scenario: &Scenario, seed: u64) -> Result<Summary, Failure> {
    let simulation =
        Simulation::new(scenario, seed, registry).map_err(|error| Failure::new(exit::SCENARIO, error))?;
    let outcome = simulation.run(&mut Quiet).map_err(|error| Failure::new(exit::FAILED, error))?;
    complete(outcome.summary)
}

/// A run of the lab that was done before.
struct Kept {
    scenario: Scenario,
    seed: u64,
    summary: Summary,
}

impl Kept {
    /// Reads a line; what other versions wrote and this one cannot read is as if it was never run.
    fn of(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(Self {
            scenario: scenario(line["scenario"].as_str()?, Vec::new()).ok()?,
            seed: line["seed"].as_u64()?,
            summary: serde_json::from_value(line["summary"].clone()).ok()?,
        })
    }
}

/// The lab, and what it measured before.
pub(super) struct Measured<'s> {
    setting: &'s Setting<'s>,
    path: PathBuf,
    kept: Vec<Kept>,
    /// Runs that were taken from [`KEPT`], and those that were not valid.
    pub(super) reused: u64,
    pub(super) invalid: u64,
}

impl<'s> Measured<'s> {
    /// Opens the place of an experiment's measurements.
    ///
    /// # Errors
    /// When this user may make no namespaces.
    pub(super) fn open(setting: &'s Setting<'s>) -> Result<Self, Failure> {
        // Before any thread is started: user namespaces are for processes of one thread.
        bellini_live::lab::Privilege::obtain().map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
        interrupt::catch();
        let path = setting.out.join(KEPT);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let kept = text.lines().filter_map(Kept::of).collect();
        Ok(Self { setting, path, kept, reused: 0, invalid: 0 })
    }

    /// Runs a scenario in the lab, unless it was run with this seed before.
    ///
    /// # Errors
    /// When the lab cannot be had, fails, or is stopped.
    pub(super) fn run(&mut self, scenario: &Scenario, seed: u64, label: &str) -> Result<Summary, Failure> {
        if let Some(summary) = self.kept.iter().find(|kept| kept.seed == seed && kept.scenario == *scenario) {
            let summary = summary.summary.clone();
            self.reused += 1;
            return Ok(self.note(summary));
        }
        let mut best: Option<Summary> = None;
        for attempt in 1..=TRIES {
            exit::say(format_args!("lab: {label}, seed {seed}, attempt {attempt}"));
            let summary = self.once(scenario, seed)?;
            let is_better = best.as_ref().is_none_or(|best| lateness(&summary) < lateness(best));
            let valid = is_valid(&summary);
            if !valid && let Some(lab) = &summary.lab {
                exit::say(format_args!("  not valid: {}", lab.reasons.join("; ")));
            }
            if is_better || valid {
                best = Some(summary);
            }
            if valid {
                break;
            }
        }
        let Some(summary) = best else { return Err(Failure::new(exit::FAILED, "the lab was not run")) };
        self.keep(&emit::to_text(scenario), seed, &summary)?;
        Ok(self.note(summary))
    }

    fn note(&mut self, summary: Summary) -> Summary {
        self.invalid += u64::from(!is_valid(&summary));
        summary
    }

    fn once(&self, scenario: &Scenario, seed: u64) -> Result<Summary, Failure> {
        if interrupt::was_pressed() {
            return Err(interrupted());
        }
        let lab = Lab::new(scenario, seed, self.setting.registry, LabOptions::default()).map_err(failure)?;
        complete(lab.run(&mut Quiet).map_err(failure)?.summary)
    }

    fn keep(&self, scenario: &str, seed: u64, summary: &Summary) -> Result<(), Failure> {
        let line = json!({ "scenario": scenario, "seed": seed, "system": system(), "summary": summary });
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("{}: {error}", self.path.display())))
    }

    /// Returns what a reader should know of the lab's runs.
    pub(super) fn notes(&self, runs: u64) -> Vec<String> {
        let mut notes = Vec::new();
        if self.invalid > 0 {
            notes.push(format!(
                "{} of {runs} lab runs passed a limit of validity in all of {TRIES} tries: the machine was busy. The \
                 least late try counts.",
                self.invalid
            ));
        }
        if self.reused > 0 {
            notes.push(format!(
                "{} lab runs are those of an earlier reproduction ({KEPT}); remove the file to measure anew.",
                self.reused
            ));
        }
        notes
    }
}

/// Whether the machine kept all limits in a run.
pub(super) fn is_valid(summary: &Summary) -> bool {
    summary.lab.as_ref().is_none_or(|lab| lab.valid)
}

/// Returns the 99th percentile of the emulator's lateness in microseconds.
pub(super) fn lateness(summary: &Summary) -> f64 {
    summary.lab.as_ref().and_then(|lab| lab.emulator_late_p99_us).unwrap_or(0.0)
}

/// Returns the kernel's release.
pub(super) fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(|_| "unknown".to_owned(), |text| format!("Linux {}", text.trim()))
}

fn complete(summary: Summary) -> Result<Summary, Failure> {
    if summary.status == Status::Complete { Ok(summary) } else { Err(interrupted()) }
}

fn interrupted() -> Failure {
    Failure::new(exit::INTERRUPTED, "stopped before all runs were done; what the lab measured is kept")
}

/// Gives a failure of the lab its exit code.
pub(super) fn failure(error: LabError) -> Failure {
    let code = match error {
        LabError::Scenario(_) => exit::SCENARIO,
        LabError::Environment(_) | LabError::Observer(_) => exit::ENVIRONMENT,
        LabError::Failed(_) => exit::FAILED,
    };
    Failure::new(code, error)
}

/// Looks at nothing but whether a person wants to stop.
pub(super) struct Quiet;

impl Observer for Quiet {
    fn progress(&mut self, _: f64) -> Progress {
        if interrupt::was_pressed() { Progress::Stop } else { Progress::GoOn }
    }
}
