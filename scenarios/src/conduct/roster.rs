//! The sessions of a run, with what has been counted of them, and the nodes by index.

use super::tally::SessionTally;
use super::testbed::Testbed;
use crate::model::{Scenario, Session};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::MeasureWindow;
use bellini_core::time::Instant;
use std::collections::BTreeMap;

/// All sessions of a run.
pub(super) struct Roster<'a> {
    pub(super) scenario: &'a Scenario,
    /// The instant of scenario time zero.
    pub(super) zero: Instant,
    /// In order of (conference, session).
    pub(super) sessions: Vec<RunSession<'a>>,
    by_key: BTreeMap<SessionKey, usize>,
    /// How often sessions came and went, or destinations of theirs.
    pub(super) changes: u64,
}

/// A session of the scenario, as the run goes.
pub(super) struct RunSession<'a> {
    pub(super) spec: &'a Session,
    /// The index of its source's node.
    pub(super) source: u32,
    pub(super) tally: SessionTally,
}

impl RunSession<'_> {
    pub(super) fn key(&self) -> SessionKey {
        self.tally.key
    }
}

impl<'a> Roster<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let mut sessions = Vec::new();
        let mut by_key = BTreeMap::new();
        for conference in &scenario.conferences {
            for spec in &conference.sessions {
                let key = SessionKey::new(conference.id.0, spec.id.0);
                by_key.insert(key, sessions.len());
                let source = node_index(scenario, spec.source);
                sessions.push(RunSession { spec, source, tally: SessionTally::new(key) });
            }
        }
        Self { scenario, zero: Instant::ZERO + scenario.settle, sessions, by_key, changes: 0 }
    }

    /// Returns where a session stands in `sessions`; `None`: not of this scenario.
    pub(super) fn find(&self, key: SessionKey) -> Option<usize> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn node_index(&self, id: NodeId) -> u32 {
        node_index(self.scenario, id)
    }

    /// Returns the measuring window on a node's clock.
    pub(super) fn measure(&self, bed: &dyn Testbed, node: u32) -> MeasureWindow {
        let measure = &self.scenario.measure;
        MeasureWindow {
            from: bed.local(node, self.zero + measure.from),
            to: bed.local(node, self.zero + measure.to),
        }
    }

    /// Returns the measured symbols that a session's source has made up to now, over all its starts.
    pub(super) fn made(&self, bed: &mut dyn Testbed, session: usize) -> u64 {
        let session = &self.sessions[session];
        let source = bed.harvest(session.source, session.key(), false).and_then(|figures| figures.source);
        session.tally.source.content.measured_symbols
            + source.map_or(0, |source| source.content.measured_symbols)
    }
}

fn node_index(scenario: &Scenario, id: NodeId) -> u32 {
    let index = scenario.nodes.binary_search_by_key(&id, |node| node.id);
    index.expect("a checked scenario names its own nodes only") as u32
}
