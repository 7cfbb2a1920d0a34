//! `bellini lab`: real processes and sockets on this machine, over emulated links.

use super::args::{LabNetwork, LabOptions};
use super::check::{ScenarioText, warn};
use super::exit::{self, Failure};
use super::runs::{self, Play, Player};
use crate::Registry;
use bellini_live::edge::{Bridge, EdgePlan, EdgeText};
use bellini_live::lab::{self, LabError, Leftover};
use bellini_scenarios::model::Scenario;
use std::path::Path;

pub(super) fn run(registry: &Registry, options: &LabOptions) -> Result<u8, Failure> {
    let cleaned = lab::clean(&std::env::temp_dir()).map_err(|error| {
        Failure::new(exit::ENVIRONMENT, format!("the directory for temporary files: {error}"))
    })?;
    for leftover in &cleaned {
        match leftover {
            Leftover::Process(pid) => {
                exit::say(format_args!("Killed process {pid}, left by an earlier lab."))
            }
            Leftover::Directory(path) => {
                exit::say(format_args!("Removed {}, left by an earlier lab.", path.display()))
            }
        }
    }
    if options.clean {
        if cleaned.is_empty() {
            exit::say("Nothing was left by earlier labs.");
        }
        return Ok(exit::DONE);
    }
    // User namespaces can be entered only while the process has one thread: before anything else is started.
    lab::Privilege::obtain().map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    if options.idle {
        return idle(registry, options);
    }
    let mut run = options.run.clone();
    if options.seal {
        // The scenario of the records says so, too, and the simulator can play the same.
        run.scenario.set.push(("seal".to_owned(), "true".to_owned()));
    }
    runs::run(
        registry,
        &run,
        &Lab { registry, record: options.record, edges: &options.edges, options: lab_options(options) },
    )
}

/// Keeps nodes and network running until a person has seen enough.
fn idle(registry: &Registry, options: &LabOptions) -> Result<u8, Failure> {
    let loaded = ScenarioText::read(registry, &options.run.scenario)?.resolve(None)?;
    warn(&loaded);
    let asked = lab_options(options);
    let mut lab = lab::IdleLab::start(&loaded.scenario, loaded.scenario.seed, &asked).map_err(failure)?;
    exit::say(format_args!("Consoles are in {}. Ctrl-C ends the lab.", lab.directory().display()));
    let lines: String = lab.consoles().map(|(id, path)| format!("{id}={}\n", path.display())).collect();
    exit::print(&lines);
    lab.wait().map_err(failure)?;
    Ok(exit::DONE)
}

fn lab_options(options: &LabOptions) -> lab::LabOptions {
    lab::LabOptions {
        kernel_shaper: options.network == LabNetwork::Kernel,
        tcp_congestion: options.tcp_congestion.clone(),
        seal: options.seal,
        measure_clocks: options.measure_clocks,
        ..lab::LabOptions::default()
    }
}

/// The lab as a player.
pub(super) struct Lab<'r> {
    pub(super) registry: &'r Registry,
    /// Nodes record below the run directory.
    pub(super) record: bool,
    /// Applications at the edges.
    pub(super) edges: &'r [EdgeText],
    /// Everything else that was asked for.
    pub(super) options: lab::LabOptions,
}

impl Player for Lab<'_> {
    const MODE: &'static str = "lab";

    fn prepare<'a>(&'a self, scenario: &'a Scenario, seed: u64, out: &Path) -> Result<Play<'a>, Failure> {
        let record = self.record.then(|| out.join("logs"));
        let mut edges = EdgePlan::new(scenario, self.edges)
            .map_err(|error| Failure::new(exit::SCENARIO, format!("--edge: {error}")))?;
        let mut bridged = None;
        if !edges.is_empty() {
            let opened = edges.check_files().and_then(|()| tempfile::tempdir()).and_then(|directory| {
                let bridge = Bridge::build(&mut edges, directory.path(), true)?;
                Ok((bridge, directory))
            });
            bridged =
                Some(opened.map_err(|error| Failure::new(exit::ENVIRONMENT, format!("--edge: {error}")))?);
        }
        let options = lab::LabOptions { record, edges, ..self.options.clone() };
        let lab = lab::Lab::new(scenario, seed, self.registry, options).map_err(failure)?;
        Ok(Box::new(move |observer| {
            let outcome = lab.run(observer).map_err(failure)?;
            if let Some((bridge, _directory)) = bridged {
                bridge.finish().map_err(|error| Failure::new(exit::FAILED, format!("--edge: {error}")))?;
            }
            Ok(outcome)
        }))
    }
}

fn failure(error: LabError) -> Failure {
    let code = match error {
        LabError::Scenario(_) => exit::SCENARIO,
        LabError::Environment(_) | LabError::Observer(_) => exit::ENVIRONMENT,
        LabError::Failed(_) => exit::FAILED,
    };
    Failure::new(code, error)
}
