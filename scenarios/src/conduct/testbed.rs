//! What a run is played on.

use super::figures::{CrossFlowFigures, LinkFigures, NodeFigures, SessionFigures, SourceCounts};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command, CommandError};
use bellini_core::session::SinkSessionStats;
use bellini_core::time::{Duration, Instant};
use std::collections::BTreeMap;
use thiserror::Error;

/// How a link is made worse; `None` leaves that property alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Degrade {
    /// Its rate is multiplied by this.
    pub rate_factor: Option<f64>,
    /// This much delay is added.
    pub extra_delay: Option<Duration>,
    /// Packets are also lost with this probability.
    pub extra_loss: Option<f64>,
}

/// Why a testbed cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct TestbedError(pub String);

/// Nodes and the links between them, as the conductor deals with them. Nodes and links go by their index in the
/// scenario.
///
/// Calls return when they have taken effect. Figures are those of the last [`Testbed::look`]; a simulator, which
/// stands still meanwhile, may read them where they are.
pub trait Testbed {
    /// Returns true time since the nodes' start; scenario time zero is `settle` later.
    fn now(&self) -> Instant;

    /// Returns what a node's clock shows at true time `at`, as far as the testbed knows: where clocks are real, all
    /// are taken to show the same.
    fn local(&self, node: u32, at: Instant) -> Instant;

    /// Returns how many nanoseconds the clock of `source` is ahead of that of `sink` now; `None` where they show the
    /// same, or where nobody knows.
    fn clock_ahead_ns(&self, source: u32, sink: u32) -> Option<i64>;

    /// Whether time stands still while a policy thinks, so that no answer is too late for what happens.
    fn stands_still(&self) -> bool {
        false
    }

    /// Whether packets carry their bytes, and not only descriptions.
    fn has_real_bytes(&self) -> bool;

    /// Returns the secret that keys of sealed sessions are made of. `None`: they are made of the run's seed, which keeps
    /// nothing secret, but makes every run of a seed the same.
    fn secret(&self) -> Option<[u8; 32]>;

    /// Whether a node's process runs.
    fn node_is_up(&self, node: u32) -> bool;

    /// Whether a link is not cut.
    fn link_is_up(&self, link: u32) -> bool;

    /// Gives a node a command. A node that is down does not hear it.
    ///
    /// # Errors
    /// What the node answers, where the testbed waits for the answer.
    fn command(&mut self, node: u32, command: Command) -> Result<(), CommandError>;

    /// Brings the figures up to date.
    ///
    /// # Errors
    /// When packets do not add up, or a node that should run does not answer.
    fn look(&mut self) -> Result<(), TestbedError>;

    /// Returns a node's figures.
    fn node(&self, node: u32) -> NodeFigures;

    /// Returns a link's figures.
    fn link(&mut self, link: u32) -> LinkFigures;

    /// Returns the figures of the TCP connections of the cross traffic, in the order of
    /// [`Scenario::cross_flows`](crate::model::Scenario::cross_flows); what is missing at the end counts as nothing.
    fn cross_flows(&mut self) -> Vec<CrossFlowFigures>;

    /// Returns what a session's source counted; `None` when the node is down or does not know the session.
    fn source_counts(&self, node: u32, key: SessionKey) -> Option<SourceCounts>;

    /// Returns what a destination counted; `None` likewise.
    fn sink_counts(&self, node: u32, key: SessionKey) -> Option<SinkSessionStats>;

    /// Reads a session at a node with everything; `finish`: what is still open is judged first, no more is expected.
    fn harvest(&mut self, node: u32, key: SessionKey, finish: bool) -> Option<SessionFigures>;

    /// Ends the run: judges what is open everywhere and returns all sessions of all nodes, by node.
    ///
    /// # Errors
    /// When a node that should run does not answer.
    fn finish(&mut self) -> Result<Vec<Vec<(SessionKey, SessionFigures)>>, TestbedError>;

    /// Returns the symbols of the measuring window that are still under way, by session and destination, where that
    /// can be known. Called before [`Testbed::finish`].
    fn in_flight(&self) -> BTreeMap<(SessionKey, NodeId), u64>;

    /// Returns what nodes still had to send when [`Testbed::finish`] asked them, as in
    /// [`ProcessFigures::waiting`](super::ProcessFigures::waiting), where only nodes themselves know.
    fn waiting(&self) -> Vec<(SessionKey, NodeId, Vec<u64>)> {
        Vec::new()
    }

    /// Cuts a link: what is on it is lost.
    fn cut(&mut self, link: u32);

    /// Mends a link.
    fn heal(&mut self, link: u32);

    /// Makes a link worse.
    fn degrade(&mut self, link: u32, degrade: Degrade);

    /// Ends a node's process at once; returns its sessions as they were, judged. Empty when it was down already.
    fn crash(&mut self, node: u32) -> Vec<(SessionKey, SessionFigures)>;

    /// Starts a node's process again, with a higher incarnation. Does nothing when it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    fn restart(&mut self, node: u32) -> Result<(), TestbedError>;
}
