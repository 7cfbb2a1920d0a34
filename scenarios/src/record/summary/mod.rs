//! `summary.json`: the figures of one run.

mod network;
mod session;

pub use network::{CrossFlowSummary, LinkSummary, NodeSummary};
pub use session::{DelayMs, DestinationSummary, FlowSummary, QueueingMs, SessionSummary};

use super::cost::Cost;
use super::error::RecordError;
use super::lab::Lab;
use super::round;
use serde::{Deserialize, Serialize};

/// Version of the record format that this code writes and reads.
pub const SCHEMA: u32 = 1;

/// The figures of one run. Its keys are defined in [`METRICS`](super::METRICS); absent values are `None` (null in
/// the file), never 0 or -1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// How it was run.
    pub mode: Mode,
    /// Whether it came to its end.
    pub status: Status,
    /// Root seed of all random streams.
    pub seed: u64,
    /// Version of Bellini that ran it.
    pub version: String,
    /// Hash over what every node and link did; `None` where the mode has none.
    pub digest: Option<String>,
    /// Scenario time that was run, without settling and draining, in seconds.
    #[serde(serialize_with = "round::float")]
    pub duration_s: f64,
    /// The measuring window, from and to, in seconds of scenario time.
    #[serde(serialize_with = "round::pair")]
    pub measure_s: [f64; 2],
    /// What policies saw.
    pub view: View,
    /// What a reader must know to judge the figures, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the run cost the machine; the only part that differs from one execution to the next.
    pub engine: Option<Engine>,
    /// How well the machine kept up; `None` in the simulator, which has all the time it needs.
    #[serde(default)]
    pub lab: Option<Lab>,
    /// What it cost, where a link has a price or the scenario says how to bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Sessions in order of (conference, session).
    pub sessions: Vec<SessionSummary>,
    /// Links in order of (from, to).
    pub links: Vec<LinkSummary>,
    /// Nodes in order of their ids.
    pub nodes: Vec<NodeSummary>,
    /// TCP connections of the cross traffic, in order of the entries that they belong to.
    #[serde(default)]
    pub cross_flows: Vec<CrossFlowSummary>,
}

impl Summary {
    /// Returns the summary as `summary.json` holds it: indented JSON with a final newline.
    ///
    /// # Errors
    /// [`RecordError::Value`] when a float is not finite.
    pub fn to_json_pretty(&self) -> Result<String, RecordError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| RecordError::Value { what: "the summary".into(), problem: error.to_string() })?;
        text.push('\n');
        Ok(text)
    }

    /// Returns the summary without [`Engine`]: the same bytes for the same scenario, seed and version.
    #[must_use]
    pub fn without_engine(&self) -> Summary {
        Summary { engine: None, ..self.clone() }
    }

    /// Returns the name of node `id`, or its number when the summary does not list it.
    #[must_use]
    pub fn node_name(&self, id: u32) -> String {
        // Nodes are in order of ids when Bellini wrote the file; a hand-made one may not be.
        self.nodes.iter().find(|node| node.id == id).map_or_else(|| id.to_string(), |node| node.name.clone())
    }
}

/// How a scenario was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the deterministic simulator.
    Sim,
    /// With real processes and sockets on one machine, over emulated links.
    Lab,
    /// On real hosts.
    Live,
}

impl Mode {
    /// Returns the mode's word, as in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Sim => "sim",
            Mode::Lab => "lab",
            Mode::Live => "live",
        }
    }
}

/// Whether a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did.
    Complete,
    /// It did, but nodes were lost on the way, or their logs did not come home: the notes say which.
    Partial,
    /// A person stopped it; the figures cover what was recorded until then.
    Interrupted,
    /// It failed; the figures cover what was recorded until then.
    Failed,
}

/// What policies saw of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The scenario's own figures: an upper bound.
    Oracle,
    /// What the running protocol measured.
    Measured,
}

impl View {
    /// Returns the view's word, as in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            View::Oracle => "oracle",
            View::Measured => "measured",
        }
    }
}

/// What a run cost the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Elapsed real time in seconds.
    #[serde(serialize_with = "round::float")]
    pub wall_s: f64,
    /// Processor time in seconds.
    #[serde(serialize_with = "round::option")]
    pub cpu_s: Option<f64>,
    /// Events that the simulator worked off.
    pub events: Option<u64>,
    /// Packets times the links that they were sent on.
    pub packet_hops: Option<u64>,
    /// `packet_hops / wall_s`.
    #[serde(serialize_with = "round::option")]
    pub packet_hops_per_s: Option<f64>,
    /// Largest resident memory in MiB.
    #[serde(serialize_with = "round::option")]
    pub peak_rss_mib: Option<f64>,
}
