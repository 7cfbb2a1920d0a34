//! What a run says of its links and nodes, and of the cross traffic of others.

use super::super::round;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
