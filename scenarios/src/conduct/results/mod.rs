//! From what was counted to `summary.json` and `delays.csv`.

mod base_delay;
mod network;
mod sessions;

use super::conductor::Conductor;
use super::error::ConductError;
use super::figures::{CrossFlowFigures, LinkFigures, NodeFigures};
use super::testbed::{Testbed, TestbedError};
use super::waiting::waiting_within;
use crate::model::Scenario;
use crate::record::{DelayRow, Engine, Mode, SCHEMA, Status, Summary, View};
use bellini_core::ids::NodeId;
use bellini_core::time::Instant;
use network::Window;
use sessions::session_summary;

/// Policy failures that the notes show, one a session; all are in events.jsonl.
const REFUSALS_SHOWN: usize = 5;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub summary: Summary,
    /// The delay distributions.
    pub delays: Vec<DelayRow>,
}

/// Counters of links and nodes at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    at: Instant,
    links: Vec<LinkFigures>,
    nodes: Vec<NodeFigures>,
    cross_flows: Vec<CrossFlowFigures>,
}

impl Snapshot {
    /// Looks at everything now.
    pub(super) fn take(bed: &mut dyn Testbed, scenario: &Scenario) -> Result<Self, TestbedError> {
        bed.look()?;
        Ok(Self {
            at: bed.now(),
            links: (0..scenario.links.len() as u32).map(|link| bed.link(link)).collect(),
            nodes: (0..scenario.nodes.len() as u32).map(|node| bed.node(node)).collect(),
            cross_flows: bed.cross_flows(),
        })
    }
}

impl Conductor<'_> {
    /// Ends the run and makes its results. `digest` and `engine`: what the mode knows of them.
    ///
    /// # Errors
    /// When the testbed cannot say what was counted.
    pub fn outcome(
        mut self,
        bed: &mut dyn Testbed,
        status: Status,
        mode: Mode,
        digest: Option<String>,
        engine: Engine,
    ) -> Result<Outcome, ConductError> {
        let scenario = self.roster.scenario;
        let last = Snapshot::take(bed, scenario)?;
        let (from, to) = (self.window.0.take(), self.window.1.take());
        let to = to.as_ref().unwrap_or(&last);
        let window = Window { from: from.as_ref().unwrap_or(to), to };
        let mut in_flight = bed.in_flight();
        for (node, sessions) in scenario.nodes.iter().zip(bed.finish()?) {
            for (key, figures) in sessions {
                if let Some(session) = self.roster.find(key) {
                    self.roster.sessions[session].tally.add(node.id, figures);
                }
            }
        }
        for (key, node, steps) in bed.waiting() {
            let Some(session) = self.roster.find(key) else { continue };
            let source = self.roster.sessions[session].spec.source;
            let Ok(source) = scenario.nodes.binary_search_by_key(&source, |spec| spec.id) else { continue };
            let edge = |at| bed.local(source as u32, self.roster.zero + at);
            let within = waiting_within(&steps, edge(scenario.measure.from), edge(scenario.measure.to));
            *in_flight.entry((key, node)).or_default() += within;
        }
        let mut delays = Vec::new();
        let sessions = self.roster.sessions.iter().map(|session| {
            let start = self.roster.zero + session.spec.start;
            let started_at = |node: NodeId| {
                let index = scenario.nodes.binary_search_by_key(&node, |spec| spec.id);
                index.map_or(start, |index| bed.local(index as u32, start))
            };
            session_summary(&self.roster, session, &started_at, &in_flight, &mut delays)
        });
        let sessions = sessions.collect();
        let ran = bed.now().saturating_since(self.roster.zero).min(scenario.duration);
        let summary = Summary {
            schema: SCHEMA,
            scenario: scenario.name.clone(),
            mode,
            status,
            seed: self.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            digest,
            duration_s: ran.as_secs_f64(),
            measure_s: [scenario.measure.from.as_secs_f64(), scenario.measure.to.as_secs_f64()],
            view: match scenario.view {
                crate::model::View::Oracle => View::Oracle,
                crate::model::View::Measured => View::Measured,
            },
            notes: self.notes(&last),
            engine: Some(engine),
            lab: None,
            cost: self.recorder.accountant.cost(scenario, window.seconds()),
            sessions,
            links: window.links(scenario),
            nodes: window.nodes(scenario, mode),
            cross_flows: window.cross_flows(scenario),
        };
        Ok(Outcome { summary, delays })
    }

    /// Returns what a reader must know, from what was counted at the end.
    fn notes(&self, last: &Snapshot) -> Vec<String> {
        let mut notes: Vec<String> = self.refusals.values().take(REFUSALS_SHOWN).cloned().collect();
        let unrouted: u64 = self.roster.sessions.iter().map(|session| session.tally.source.unrouted).sum();
        if unrouted > 0 {
            notes.push(format!(
                "{unrouted} symbols were offered while their session had no route; they count as lost."
            ));
        }
        let unlinked: u64 = last.nodes.iter().map(|node| node.unlinked_packets).sum();
        if unlinked > 0 {
            notes.push(format!("{unlinked} packets were meant for next hops that no link leads to."));
        }
        let sources = &self.roster.scenario.provenance;
        notes.extend(
            sources.iter().map(|p| format!("{} ({}): {}, {}.", p.dataset, p.gives, p.source, p.date)),
        );
        notes
    }
}
