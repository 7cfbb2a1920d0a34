//! `summary.json`: the figures of one run.

use super::cost::Cost;
use super::error::RecordError;
use super::lab::Lab;
use super::loss_runs::LossRuns;
use super::round;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// The figures of one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSummary {
    /// Its conference's id.
    pub conference: u32,
    /// Its id within the conference.
    pub session: u32,
    /// Its name.
    pub name: String,
    /// The node that offers the content.
    pub source: u32,
    /// Kind of content: `constant`, `video`, `adaptive`, `messages`, `file`, `on-off`.
    pub content: String,
    /// How hops carry it: `udp-unpaced`, ..
    pub transport: String,
    /// Its coding, `None` without.
    pub coding: Option<String>,
    /// What it promises: `best-effort`, `reliable`.
    pub delivery: String,
    /// Packets with symbols that had been sent before, of the whole run; `None` when nothing is repeated.
    #[serde(default)]
    pub repeated_packets: Option<u64>,
    /// Combinations that the source sent, of the whole run; `None` when nothing is coded.
    #[serde(default)]
    pub repair_packets: Option<u64>,
    /// Rate of the payload that the source offered in the measuring window.
    #[serde(serialize_with = "round::option")]
    pub offered_mbps: Option<f64>,
    /// Destinations in order of their ids.
    pub destinations: Vec<DestinationSummary>,
    /// The flow list at the end of the run, in order of the flows' numbers.
    pub flows: Vec<FlowSummary>,
}

impl SessionSummary {
    /// Returns the session's id in `series.csv` and `delays.csv`: `conference/session`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.conference, self.session)
    }
}

/// The figures of one destination of a session. Packets here are symbols offered in the measuring window, wherever
/// and however often they travelled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationSummary {
    /// The destination.
    pub node: u32,
    /// Symbols offered while this node was a destination.
    pub sent_packets: u64,
    /// Of them: delivered.
    pub delivered_packets: u64,
    /// Further copies of delivered symbols.
    pub duplicate_packets: u64,
    /// Symbols of which no copy came, nor can come any more.
    pub lost_packets: u64,
    /// Symbols that were still under way when the run ended.
    pub in_flight_packets: u64,
    /// Symbols that came out of combinations, of the whole run; `None` here and below when nothing is coded.
    #[serde(default)]
    pub recovered_symbols: Option<u64>,
    /// Coded packets that told nothing new.
    #[serde(default)]
    pub dependent_packets: Option<u64>,
    /// Coded packets and symbols that were damaged, or spoilt by damaged ones; nothing of them was delivered.
    #[serde(default)]
    pub corrupt_packets: Option<u64>,
    /// Generations that had to make room before they could be decoded; `None` without generations.
    #[serde(default)]
    pub given_up_generations: Option<u64>,
    /// Symbols that were too late to be waited for any more; `None` without a sliding window.
    #[serde(default)]
    pub given_up_symbols: Option<u64>,
    /// Symbols that did not open; `None` when the session is not sealed from end to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unopened_symbols: Option<u64>,
    /// Rate of delivered payload, each symbol once.
    #[serde(serialize_with = "round::option")]
    pub goodput_mbps: Option<f64>,
    /// Delay of delivered symbols; `None` when there are none.
    pub delay_ms: Option<DelayMs>,
    /// Least delay that the session's routes allow to this node without queueing.
    #[serde(serialize_with = "round::option")]
    pub base_delay_ms: Option<f64>,
    /// What queueing added: `delay_ms` less `base_delay_ms`; `None` where one of them is.
    #[serde(default)]
    pub queueing_ms: Option<QueueingMs>,
    /// Runs of consecutive lost symbols; `None` when nothing was delivered.
    #[serde(default)]
    pub loss_runs: Option<LossRuns>,
    /// How wrong each of the delays may be, by the clocks; `None` where clocks are known and not estimated.
    #[serde(default, serialize_with = "round::option")]
    pub delay_error_ms: Option<f64>,
    /// Frames offered; `None` when the content has no frames.
    pub frames_sent: Option<u64>,
    /// Frames that came completely, however late.
    pub frames_complete: Option<u64>,
    /// Frames that were complete at their playout time.
    pub frames_on_time: Option<u64>,
    /// Playback stops, or freezes, in seconds together.
    #[serde(serialize_with = "round::option")]
    pub stall_s: Option<f64>,
    /// From the session's start to the first frame shown.
    #[serde(serialize_with = "round::option")]
    pub startup_ms: Option<f64>,
    /// Messages offered; `None` when the content has no messages.
    pub messages_sent: Option<u64>,
    /// Messages that came completely, however late.
    pub messages_complete: Option<u64>,
    /// Messages that were complete before their deadline.
    pub messages_on_time: Option<u64>,
    /// Bytes of the file that came; `None` when the content is no file.
    pub bytes_complete: Option<u64>,
    /// SHA-256 of the file as received, in hex; `None` while bytes are missing.
    pub sha256: Option<String>,
    /// Time from the session's start to the last byte of the file.
    #[serde(serialize_with = "round::option")]
    pub complete_s: Option<f64>,
    /// Whether all of a file came and its hash is right; `None` when the content is no file.
    pub complete: Option<bool>,
}

/// A delay distribution in figures, in milliseconds from the source's offer to delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelayMs {
    /// Arithmetic mean.
    #[serde(serialize_with = "round::float")]
    pub mean: f64,
    /// Least.
    #[serde(serialize_with = "round::float", default)]
    pub min: f64,
    /// Median.
    #[serde(serialize_with = "round::float")]
    pub p50: f64,
    /// 95th percentile.
    #[serde(serialize_with = "round::float")]
    pub p95: f64,
    /// 99th percentile.
    #[serde(serialize_with = "round::float")]
    pub p99: f64,
    /// Largest.
    #[serde(serialize_with = "round::float")]
    pub max: f64,
}

/// Quantiles of the delay that queueing added, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueingMs {
    /// Median.
    #[serde(serialize_with = "round::float")]
    pub p50: f64,
    /// 95th percentile.
    #[serde(serialize_with = "round::float")]
    pub p95: f64,
    /// 99th percentile.
    #[serde(serialize_with = "round::float")]
    pub p99: f64,
}

impl QueueingMs {
    /// Returns what is left of a delay without the base delay of the route. A symbol shorter than a full one may come a
    /// little below zero, because the base is that of a full symbol.
    #[must_use]
    pub fn of(delay_ms: Option<DelayMs>, base_delay_ms: Option<f64>) -> Option<Self> {
        let (delay, base) = (delay_ms?, base_delay_ms?);
        Some(Self { p50: delay.p50 - base, p95: delay.p95 - base, p99: delay.p99 - base })
    }
}

/// One flow of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSummary {
    /// Its route, such as `1>3>{2,4}`.
    pub route: String,
    /// The share of packets that it was assigned.
    #[serde(serialize_with = "round::float")]
    pub share: f64,
    /// Packets that drew it in the measuring window.
    pub packets: u64,
}

/// The figures of one link, over the measuring window. Packets and bytes here are those on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSummary {
    /// Sending end.
    pub from: u32,
    /// Receiving end.
    pub to: u32,
    /// Transports of the hops on it, joined by `+`; empty when none was opened.
    pub transport: String,
    /// Packets that left the sending end.
    pub sent_packets: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets that the queue dropped.
    pub dropped_queue: u64,
    /// Packets that the loss model lost.
    pub dropped_loss: u64,
    /// Packets lost for other causes (`cut`, `mtu`, `crash`, ..), by cause.
    #[serde(default)]
    pub dropped_other: BTreeMap<String, u64>,
    /// Time share in which the serialiser was busy; `None` for links without a rate.
    #[serde(serialize_with = "round::option")]
    pub utilisation: Option<f64>,
    /// `sent_bytes` as a rate.
    #[serde(serialize_with = "round::option")]
    pub mean_mbps: Option<f64>,
    /// Price of the bytes sent; `None` where the price is not known.
    #[serde(serialize_with = "round::option")]
    pub cost_usd: Option<f64>,
    /// Most bytes that waited in the queue; `None` without a queue.
    pub queue_peak_bytes: Option<u64>,
    /// Bytes of cross traffic; `None` without any.
    pub cross_bytes: Option<u64>,
    /// The configured (mean) rate; `None` when unlimited.
    #[serde(serialize_with = "round::option")]
    pub capacity_mbps: Option<f64>,
    /// Propagation delay.
    #[serde(serialize_with = "round::option")]
    pub base_delay_ms: Option<f64>,
}

impl LinkSummary {
    /// Returns the link's id in `series.csv`: `from>to`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}>{}", self.from, self.to)
    }

    /// Returns the packets dropped for any cause.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_queue + self.dropped_loss + self.dropped_other.values().sum::<u64>()
    }
}

/// The figures of one node, over the measuring window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSummary {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Packets received for others and handed to a feeder.
    pub forwarded_packets: u64,
    /// Symbols handed to local sinks, each once.
    pub delivered_packets: u64,
    /// Packets made by recoding; those taken up for it are not among those forwarded.
    #[serde(default)]
    pub recoded_packets: u64,
    /// Packets that feeders dropped because a queue was full.
    pub overflow_drops: u64,
    /// Received packets refused because they are malformed, stale or not for this node.
    pub rejected_packets: u64,
    /// All packets dropped in this node, by cause (`overflow` among them).
    #[serde(default)]
    pub drops: BTreeMap<String, u64>,
    /// Datagrams that the kernel dropped because the process did not fetch them in time: the host's fault, not the
    /// network's. `None` in the simulator.
    #[serde(default)]
    pub host_dropped_packets: Option<u64>,
    /// Processor time in seconds; `None` in the simulator.
    #[serde(serialize_with = "round::option")]
    pub cpu_s: Option<f64>,
    /// Largest resident memory in MiB; `None` in the simulator.
    #[serde(serialize_with = "round::option")]
    pub peak_rss_mib: Option<f64>,
    /// Cloud region, if any.
    pub region: Option<String>,
    /// Latitude and longitude in degrees, if known.
    #[serde(serialize_with = "round::option_pair")]
    pub position: Option<[f64; 2]>,
}

/// The figures of one TCP connection of the cross traffic, over the measuring window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossFlowSummary {
    /// Sending end of the link that carries its data.
    pub from: u32,
    /// Receiving end.
    pub to: u32,
    /// Its number, from 1 and over all entries of its link.
    pub flow: u32,
    /// Its congestion control: `cubic`, `reno`.
    pub controller: String,
    /// Rate of what its receiver's application got.
    #[serde(serialize_with = "round::option")]
    pub goodput_mbps: Option<f64>,
    /// Segments that its sender sent again; `None` where that is not known.
    pub retransmitted_segments: Option<u64>,
}

impl CrossFlowSummary {
    /// Returns the connection's id in `series.csv`: `from>to#flow`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}>{}#{}", self.from, self.to, self.flow)
    }
}
