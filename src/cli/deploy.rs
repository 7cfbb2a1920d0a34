//! `bellini deploy`: the steps of a run on real hosts one by one, and batches.

use super::args::{
    DeployCollectOptions, DeployOptions, DeployRunOptions, DeployStartOptions, DeployStep, HostOptions,
    LiveOptions, RunOptions, ScenarioOptions,
};
use super::check::{ScenarioText, warn};
use super::exit::{self, Failure};
use super::interrupt;
use super::live::{failure, open, play, read, sweep, up};
use crate::Registry;
use bellini_live::hosts::{Deployment, LiveRun, RunOptions as HostRunOptions, start_nodes};
use std::path::Path;

pub(super) fn run(registry: &Registry, options: &DeployOptions) -> Result<u8, Failure> {
    sweep();
    match &options.step {
        DeployStep::Up(options) => {
            let deployment = all_hosts(&options.hosts)?;
            up(&deployment)?;
            show(&deployment)
        }
        DeployStep::Start(options) => start(registry, options),
        DeployStep::Run(options) => batch(registry, options),
        DeployStep::Collect(options) => collect(options),
        DeployStep::Down(options) => {
            all_hosts(&options.hosts)?.down().map_err(failure)?;
            exit::say("Nothing of Bellini is left on the hosts.");
            Ok(exit::DONE)
        }
    }
}

fn all_hosts(options: &HostOptions) -> Result<Deployment, Failure> {
    open(options, read(options)?, None)
}

/// Says what is on the hosts.
fn show(deployment: &Deployment) -> Result<u8, Failure> {
    for state in deployment.state().map_err(failure)? {
        let binary = if state.has_binary { "has the binary" } else { "has no binary" };
        let others = match state.other_binaries {
            0 => String::new(),
            n => format!(", {n} of other versions"),
        };
        let nodes: String = state
            .nodes
            .iter()
            .map(|(node, runs)| format!(", {node} {}", if *runs { "runs" } else { "has ended" }))
            .collect();
        exit::print(&format!("{}: {binary}{others}{nodes}\n", state.host));
    }
    Ok(exit::DONE)
}

fn start(registry: &Registry, options: &DeployStartOptions) -> Result<u8, Failure> {
    let hosts = read(&options.hosts)?;
    let loaded = ScenarioText::read(registry, &options.scenario)?.resolve(None)?;
    warn(&loaded);
    let scenario = loaded.scenario;
    let deployment = open(&options.hosts, hosts, Some(&scenario))?;
    up(&deployment)?;
    let asked = HostRunOptions { plaintext: options.hosts.plaintext, ..HostRunOptions::default() };
    start_nodes(&deployment, &scenario, scenario.seed, &asked).map_err(failure)?;
    show(&deployment)
}

fn collect(options: &DeployCollectOptions) -> Result<u8, Failure> {
    let deployment = all_hosts(&options.hosts)?;
    let (nodes, problems) = deployment.collect_all(&options.out);
    exit::say(format_args!("What {nodes} nodes wrote is in {}.", options.out.display()));
    for problem in &problems {
        exit::say(format_args!("error: {problem}"));
    }
    Ok(if problems.is_empty() { exit::DONE } else { exit::PARTIAL })
}

/// Runs scenarios one after the other; the code is that of the worst.
fn batch(registry: &Registry, options: &DeployRunOptions) -> Result<u8, Failure> {
    let hosts = read(&options.hosts)?;
    // Everything that can be refused is, before the first one starts.
    let mut runs = Vec::new();
    for path in &options.scenarios {
        let run = run_options(options, path);
        let scenario = ScenarioText::read(registry, &run.scenario)?.resolve(None)?.scenario;
        LiveRun::check(&scenario).map_err(failure)?;
        let out = options.out.join(format!("{}-live-{}", scenario.name, scenario.seed));
        runs.push((scenario, RunOptions { out: Some(out), ..run }));
    }
    let deployment = open(&options.hosts, hosts, None)?;
    up(&deployment)?;
    let mut worst = exit::DONE;
    for (scenario, run) in runs {
        let live = LiveOptions {
            edges: Vec::new(),
            run: run.clone(),
            hosts: options.hosts.clone(),
            record: options.record,
            tcp_congestion: None,
            keep: true,
        };
        let code = play(registry, &live, &deployment, &run).unwrap_or_else(|failure| {
            exit::say(&failure.message);
            failure.code
        });
        exit::say(format_args!("{}: exit code {code}", scenario.name));
        if code != exit::DONE && worst != exit::FAILED {
            worst = code;
        }
        if interrupt::was_pressed() {
            return Ok(exit::INTERRUPTED);
        }
    }
    Ok(worst)
}

fn run_options(options: &DeployRunOptions, scenario: &Path) -> RunOptions {
    RunOptions {
        scenario: ScenarioOptions { scenario: scenario.to_owned(), set: options.set.clone(), seed: None },
        seeds: options.seeds,
        out: None,
        force: options.force,
        json: false,
        no_report: options.no_report,
    }
}
