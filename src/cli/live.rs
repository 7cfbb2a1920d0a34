//! `bellini live`: a scenario on real hosts, from the push of the binary to the last file removed.

use super::args::{HostOptions, LiveOptions, RunOptions};
use super::check::{ScenarioText, demand};
use super::exit::{self, Failure};
use super::runs::{self, Play, Player};
use crate::Registry;
use bellini_live::edge::{EdgePlan, EdgeText};
use bellini_live::hosts::{self, Deployment, Hosts, HostsError, LiveRun};
use bellini_scenarios::model::Scenario;
use std::path::Path;

/// Where nodes' own files go, in the run directory.
pub(super) const HOME: &str = "hosts";

pub(super) fn run(registry: &Registry, options: &LiveOptions) -> Result<u8, Failure> {
    sweep();
    let deployment = connect(registry, &options.hosts, &options.run)?;
    let result = up(&deployment).and_then(|()| play(registry, options, &deployment, &options.run));
    if options.keep {
        exit::say("Hosts keep what they were given; `bellini deploy down` removes it.");
        return result;
    }
    let cleaned = deployment.down().map_err(failure);
    match (result, cleaned) {
        (Ok(code), Ok(())) => Ok(code),
        // A host that was lost cannot be cleaned: the results count, and say so.
        (Ok(exit::PARTIAL), Err(failure)) => {
            exit::say(&failure.message);
            exit::say("`bellini deploy down` removes what is left there once the host can be reached.");
            Ok(exit::PARTIAL)
        }
        (Ok(_), Err(failure)) | (Err(failure), Ok(())) => Err(failure),
        (Err(mut failure), Err(other)) => {
            failure.message += &format!("\n{}", other.message);
            Err(failure)
        }
    }
}

/// Removes what a killed process of this kind has left on this machine.
pub(super) fn sweep() {
    // What cannot be removed is no reason not to go on.
    let _ = bellini_live::lab::clean(&std::env::temp_dir());
}

/// Reads hosts and scenario, sees whether they fit, and connects to the hosts that are needed.
pub(super) fn connect(
    registry: &Registry,
    options: &HostOptions,
    run: &RunOptions,
) -> Result<Deployment, Failure> {
    let hosts = read(options)?;
    let mut loaded = ScenarioText::read(registry, &run.scenario)?.resolve(None)?;
    // Before any host is touched; the run says the warnings.
    demand(&mut loaded)?;
    let scenario = loaded.scenario;
    LiveRun::check(&scenario).map_err(failure)?;
    open(options, hosts, Some(&scenario))
}

/// Reads the hosts file.
pub(super) fn read(options: &HostOptions) -> Result<Hosts, Failure> {
    let mut hosts = Hosts::load(&options.hosts).map_err(failure)?;
    if let Some(config) = &options.ssh_config {
        hosts.ssh_config = Some(std::path::absolute(config).unwrap_or_else(|_| config.clone()));
    }
    Ok(hosts)
}

/// Connects.
pub(super) fn open(
    options: &HostOptions,
    hosts: Hosts,
    scenario: Option<&Scenario>,
) -> Result<Deployment, Failure> {
    Deployment::open(hosts, scenario, options.program.as_deref()).map_err(failure)
}

/// Pushes the binary where it is not.
pub(super) fn up(deployment: &Deployment) -> Result<(), Failure> {
    let (pushed, all) = deployment.up().map_err(failure)?;
    let short = &deployment.checksum()[..12];
    exit::say(format_args!("Binary {short} pushed to {pushed} of {all} hosts; the others had it."));
    Ok(())
}

/// Runs the scenario, with as many seeds as asked for.
pub(super) fn play(
    registry: &Registry,
    options: &LiveOptions,
    deployment: &Deployment,
    run: &RunOptions,
) -> Result<u8, Failure> {
    let asked = hosts::RunOptions {
        record: options.record,
        tcp_congestion: options.tcp_congestion.clone(),
        plaintext: options.hosts.plaintext,
        ..hosts::RunOptions::default()
    };
    runs::run(registry, run, &Live { registry, deployment, edges: &options.edges, options: asked })
}

/// Hosts as a player.
struct Live<'r> {
    registry: &'r Registry,
    deployment: &'r Deployment,
    edges: &'r [EdgeText],
    options: hosts::RunOptions,
}

impl Player for Live<'_> {
    const MODE: &'static str = "live";

    fn prepare<'a>(&'a self, scenario: &'a Scenario, seed: u64, out: &Path) -> Result<Play<'a>, Failure> {
        let edges = EdgePlan::on_hosts(scenario, self.edges)
            .map_err(|error| Failure::new(exit::SCENARIO, format!("--edge: {error}")))?;
        let options = hosts::RunOptions { edges, ..self.options.clone() };
        let run = LiveRun::new(scenario, seed, self.registry, self.deployment, options);
        let (run, home) = (run.map_err(failure)?, out.join(HOME));
        Ok(Box::new(move |observer| run.run(observer, &home).map_err(failure)))
    }
}

pub(super) fn failure(error: HostsError) -> Failure {
    let code = match error {
        HostsError::File(_) => exit::USAGE,
        HostsError::Scenario(_) => exit::SCENARIO,
        HostsError::Environment(_) | HostsError::Observer(_) => exit::ENVIRONMENT,
        HostsError::Failed(_) => exit::FAILED,
    };
    Failure::new(code, error)
}
