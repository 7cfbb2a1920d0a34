//! A run on hosts from its beginning to its end.

use super::HostsError;
use super::bed::HostsBed;
use super::deployment::Deployment;
use super::place::{self, Place};
use super::plan::RunOptions;
use crate::play::play;
use bellini_scenarios::conduct::{ConductError, Conductor, Observer, Outcome, Testbed};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{DestinationSummary, Engine, Mode, Status};
use bellini_scenarios::registry::Registry;
use std::path::Path;

/// A console's round trip times this should fit into the settling time.
const TRIPS_TO_SETTLE: u32 = 4;
/// Clocks that differ by more than this are named in the notes.
const CLOCKS_APART: std::time::Duration = std::time::Duration::from_millis(1);

/// One run of a scenario on the hosts of a deployment, which have the binary ([`Deployment::up`]).
pub struct LiveRun<'a> {
    scenario: &'a Scenario,
    seed: u64,
    conductor: Conductor<'a>,
    deployment: &'a Deployment,
    places: Vec<Place>,
    options: RunOptions,
}

impl<'a> LiveRun<'a> {
    /// Prepares a run. Nothing has happened yet.
    ///
    /// # Errors
    /// When a policy is not in `registry`, the scenario asks for something that real hosts cannot do, or a node has no
    /// host.
    pub fn new(
        scenario: &'a Scenario,
        seed: u64,
        registry: &Registry,
        deployment: &'a Deployment,
        options: RunOptions,
    ) -> Result<Self, HostsError> {
        place::check(scenario)?;
        if options.plaintext && scenario.seal {
            let text = "--plaintext: the scenario asks for sealed hops; leave the option out, or use --set seal=false";
            return Err(HostsError::Scenario(text.to_owned()));
        }
        let conductor = Conductor::new(scenario, seed, registry).map_err(failed)?;
        let places = deployment.places(scenario)?;
        Ok(Self { scenario, seed, conductor, deployment, places, options })
    }

    /// Checks a scenario by itself, before anything is connected.
    ///
    /// # Errors
    /// [`HostsError::Scenario`] with everything that real hosts cannot do.
    pub fn check(scenario: &Scenario) -> Result<(), HostsError> {
        place::check(scenario)
    }

    /// Runs to the end, or until the observer stops it, and brings home what the nodes wrote, each node's to a directory
    /// of its name in `home`. Nodes that fail on the way are named in the results, whose status is then
    /// [`Status::Partial`]; in the end no process runs.
    ///
    /// # Errors
    /// When nodes cannot be started, or the observer fails.
    pub fn run(mut self, observer: &mut dyn Observer, home: &Path) -> Result<Outcome, HostsError> {
        let places = std::mem::take(&mut self.places);
        let deployment = self.deployment;
        let result = self.conduct(&places, observer);
        // Whatever happened: nothing runs on, and what was written comes home.
        let stopped = deployment.stop(&places);
        let missing = deployment.collect(&places, home);
        let mut outcome = result?;
        let notes = &mut outcome.summary.notes;
        notes.extend(missing.iter().map(|error| format!("Logs did not come home: {error}.")));
        if let Err(error) = &stopped {
            notes.push(format!("It is not known whether every process has ended: {error}."));
        }
        if outcome.summary.status == Status::Complete && (!missing.is_empty() || stopped.is_err()) {
            outcome.summary.status = Status::Partial;
        }
        Ok(outcome)
    }

    fn conduct(mut self, places: &[Place], observer: &mut dyn Observer) -> Result<Outcome, HostsError> {
        let (scenario, deployment) = (self.scenario, self.deployment);
        let mut bed = HostsBed::start(scenario, self.seed, deployment, places, &self.options)?;
        let (round_trip, apart) = bed.distances();
        bed.begin();
        let mut status = play(&mut self.conductor, &mut bed, observer).map_err(failed)?;
        let wall_s = bed.now().as_secs_f64();
        let mut outcome =
            self.conductor.outcome(&mut bed, status, Mode::Live, None, Engine::default()).map_err(failed)?;
        let mut notes = Vec::new();
        let lost: Vec<u32> = bed.failed().map(|(node, _)| places[node as usize].id.get()).collect();
        for session in outcome.summary.sessions.iter_mut().filter(|session| lost.contains(&session.source)) {
            session.destinations.iter_mut().for_each(at_least_what_came);
        }
        for (node, why) in bed.failed() {
            let (place, host) = (&places[node as usize], deployment.host_name(&places[node as usize]));
            notes.push(format!(
                "Node {} ({host}) failed: {why}. Its figures are those of the last look at it, about a second before.",
                place.name
            ));
            if status == Status::Complete {
                status = Status::Partial;
            }
        }
        bed.end();
        notes.push(match bed.is_sealed() {
            true => "Hops were sealed, under keys made for this run.".to_owned(),
            false => "Hops were not sealed.".to_owned(),
        });
        notes.extend(bed.warnings().iter().cloned());
        notes.push(
            "Links are the hosts' own network: what they carried is counted at their ends, what was lost is what the \
             next node missed, and the scenario's delays, rates and losses are only what policies may have assumed."
                .to_owned(),
        );
        if scenario.nodes.iter().any(|node| (node.clock_offset_ns, node.clock_drift_ppb) != (0, 0)) {
            notes.push("The scenario's clock errors were not planted: hosts have their own.".to_owned());
        }
        if !deployment.is_all_here() && apart > CLOCKS_APART {
            notes.push(format!(
                "Clocks of hosts are up to {:.1} ms from the conductor's; sessions start by each node's own, corrected \
                 by that.",
                apart.as_secs_f64() * 1e3
            ));
        }
        let settle = std::time::Duration::from_nanos(scenario.settle.as_nanos());
        if round_trip * TRIPS_TO_SETTLE > settle {
            notes.push(format!(
                "A console is {:.0} ms away: `settle` of {:.1} s may be too short for sessions to be known in time.",
                round_trip.as_secs_f64() * 1e3,
                settle.as_secs_f64()
            ));
        }
        let unused = deployment.unused(scenario);
        if !unused.is_empty() {
            notes.push(format!("Hosts of no node of this scenario were left alone: {}.", unused.join(", ")));
        }
        let summary = &mut outcome.summary;
        summary.status = status;
        summary.notes.splice(0..0, notes);
        // Of rates, queues and delays that are not ours, nothing is known.
        for destination in summary.sessions.iter_mut().flat_map(|session| &mut session.destinations) {
            (destination.base_delay_ms, destination.queueing_ms) = (None, None);
        }
        for link in &mut summary.links {
            (link.utilisation, link.queue_peak_bytes) = (None, None);
        }
        let hops: u64 = summary.links.iter().map(|link| link.sent_packets).sum();
        summary.engine = Some(Engine { wall_s, packet_hops: Some(hops), ..Engine::default() });
        Ok(outcome)
    }
}

/// A source that was lost sent more than it was last seen to have sent: at least what arrived.
fn at_least_what_came(destination: &mut DestinationSummary) {
    destination.sent_packets = destination.sent_packets.max(destination.delivered_packets);
    destination.frames_sent = destination.frames_sent.max(destination.frames_complete);
    destination.messages_sent = destination.messages_sent.max(destination.messages_complete);
}

fn failed(error: ConductError) -> HostsError {
    match error {
        ConductError::Policy { .. } | ConductError::Late { .. } => HostsError::Scenario(error.to_string()),
        ConductError::Observer(text) => HostsError::Observer(text),
        other => HostsError::Failed(other.to_string()),
    }
}

/// Starts the nodes of a scenario on their hosts, and no sessions: they wait at their consoles.
///
/// # Errors
/// [`HostsError`] with every node that cannot be started.
pub fn start_nodes(
    deployment: &Deployment,
    scenario: &Scenario,
    seed: u64,
    options: &RunOptions,
) -> Result<(), HostsError> {
    let places = deployment.places(scenario)?;
    // The consoles are left at once; the nodes go on.
    HostsBed::start(scenario, seed, deployment, &places, options).map(|_| ())
}
