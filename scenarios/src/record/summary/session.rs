//! What a run says of its sessions, their destinations and their flows.

use super::super::loss_runs::LossRuns;
use super::super::round;
use serde::{Deserialize, Serialize};

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
