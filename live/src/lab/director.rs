//! A run in the lab from its beginning to its end.

use super::bed::LabBed;
use super::cross::{CrossTcp, check_congestion};
use super::error::LabError;
use super::limits::{LabHealth, LabLimits};
use super::network::{self, Ground};
use super::pace::Clock;
use super::plan::{LabOptions, Plan};
use super::priority::{Raised, Wakeful};
use super::workshop::Workshop;
use crate::play::play;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{ConductError, Conductor, Observer, Outcome, Testbed};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Engine, Mode, Status};
use bellini_scenarios::registry::Registry;

/// One run of a scenario in the lab.
pub struct Lab<'a> {
    scenario: &'a Scenario,
    seed: u64,
    conductor: Conductor<'a>,
    options: LabOptions,
    limits: LabLimits,
}

impl<'a> Lab<'a> {
    /// Prepares a run. Nothing has happened yet.
    ///
    /// # Errors
    /// When a policy is not in `registry`, the scenario asks for something that the lab cannot do, or the machine lacks
    /// something that it needs.
    pub fn new(
        scenario: &'a Scenario,
        seed: u64,
        registry: &Registry,
        options: LabOptions,
    ) -> Result<Self, LabError> {
        let conductor = Conductor::new(scenario, seed, registry).map_err(failed)?;
        network::check(scenario, options.kernel_shaper)?;
        if let Some(name) = &options.tcp_congestion {
            check_congestion(name)?;
        }
        CrossTcp::check(scenario)?;
        Ok(Self { scenario, seed, conductor, options, limits: LabLimits::default() })
    }

    /// Runs to the end, or until the observer stops it. Takes as long as the scenario says.
    ///
    /// # Errors
    /// When the machine does not allow it, a process dies that nobody killed, packets do not add up, or the observer
    /// fails.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, LabError> {
        let environment = |error: &dyn std::fmt::Display| LabError::Environment(error.to_string());
        let workshop = Workshop::open(&std::env::temp_dir()).map_err(|error| environment(&error))?;
        // Before anything is started: processes and threads inherit it, and nodes are started by the threads that hold
        // their namespaces.
        let raised = Raised::raise();
        let wakeful = Wakeful::ask();
        let (namespaces, ground) = Ground::lay(self.scenario, self.options.kernel_shaper)?;
        let mut cross = CrossTcp::prepare(self.scenario, &namespaces)?;
        let now_ns = Clock::starting_now().origin_ns();
        let plan =
            Plan::new(self.scenario, self.seed, &self.options, network::address, now_ns, workshop.path());
        if let Some(logs) = &self.options.record {
            std::fs::create_dir_all(logs).map_err(|error| environment(&error))?;
        }
        let mut bed = LabBed::start(&plan, &namespaces, &workshop)?;
        let (network, clock) = ground.join(self.scenario, self.seed)?;
        cross.begin(clock, Instant::ZERO + self.scenario.settle)?;
        bed.begin(network, clock, cross);
        if raised.is_none() {
            bed.note("Nodes and network ran with ordinary priority: this user may not have a higher one.");
        }
        if wakeful.is_none() {
            bed.note("Processors were free to sleep, and packets waited while they woke: this user may not forbid it.");
        }
        let status = play(&mut self.conductor, &mut bed, observer).map_err(failed)?;
        self.close(bed, status)
    }

    /// Makes the results of a run that is over.
    fn close(self, mut bed: LabBed<'_>, status: Status) -> Result<Outcome, LabError> {
        let wall_s = bed.now().as_secs_f64();
        let mut outcome =
            self.conductor.outcome(&mut bed, status, Mode::Lab, None, Engine::default()).map_err(failed)?;
        // Of the whole run, as everything that it is judged by; summaries speak of the measuring window.
        let nodes = 0..self.scenario.nodes.len() as u32;
        let socket_drops = nodes.map(|node| bed.node(node).host_dropped_packets).sum();
        let broken = bed.cross_problems();
        let network = bed.end();
        let summary = &mut outcome.summary;
        let mut health = match network {
            Some(network) => network.stop().map_err(|error| LabError::Failed(error.to_string()))?,
            None => LabHealth::default(),
        };
        health.socket_drops = socket_drops;
        summary.engine = Some(Engine {
            wall_s,
            packet_hops: Some(health.packets),
            packet_hops_per_s: Some(health.packets as f64 / wall_s.max(1e-9)),
            ..Engine::default()
        });
        summary.lab = Some(self.limits.record(&health));
        summary.notes.extend(bed.warnings().iter().cloned());
        summary.notes.extend(broken);
        Ok(outcome)
    }
}

fn failed(error: ConductError) -> LabError {
    match error {
        ConductError::Policy { .. } | ConductError::Late { .. } => LabError::Scenario(error.to_string()),
        ConductError::Observer(text) => LabError::Observer(text),
        other => LabError::Failed(other.to_string()),
    }
}
