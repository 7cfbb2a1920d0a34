//! What was counted, in a form that no longer needs what counted it: figures of nodes, links and sessions.

use super::tally::{SinkTally, SourceTally};
use super::waiting::WaitingSymbols;
use bellini_core::Node;
use bellini_core::congestion::ControlFigures;
use bellini_core::hop::{Hop, HopStats, ProbeFigures};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::HopKind;
use bellini_core::session::{SessionEntry, SinkSessionStats};
use bellini_core::stats::NodeStats;
use bellini_core::stopwatch::StepTimes;
use bellini_core::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a link carried and dropped since the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkFigures {
    /// Packets that the sending node put on it.
    pub sent_packets: u64,
    /// Their bytes on the wire.
    pub sent_bytes: u64,
    /// Packets that its queue dropped.
    pub dropped_queue: u64,
    /// Packets that its loss model lost.
    pub dropped_loss: u64,
    /// Packets dropped for other causes, by the cause's name.
    pub dropped_other: BTreeMap<String, u64>,
    /// Time in which its serialiser was busy.
    pub busy: Duration,
    /// Bytes that wait now.
    pub queue_bytes: u64,
    /// Most bytes that ever waited.
    pub queue_bytes_max: u64,
    /// Bytes of cross traffic that were admitted.
    pub cross_bytes: u64,
    /// Kinds of hops that used it: bit `1 << kind`.
    pub kinds: u8,
}

/// What one TCP connection of the cross traffic did since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossFlowFigures {
    /// Bytes that its receiver's application got.
    pub delivered_bytes: u64,
    /// Segments that its sender sent again; `None` where that is not known.
    pub retransmitted_segments: Option<u64>,
}

/// What a node counted since the start of the run, over all starts of its process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFigures {
    /// The core's counters.
    pub stats: NodeStats,
    /// Packets that died in feeders with earlier processes.
    pub crashed_packets: u64,
    /// Packets for next hops that nothing leads to.
    pub unlinked_packets: u64,
    /// Datagrams that the kernel dropped because the process did not fetch them in time: the host's fault.
    pub host_dropped_packets: u64,
    /// Its feeders now; empty while the process is down.
    pub feeders: Vec<FeederFigures>,
    /// Its hops now; likewise.
    #[serde(default)]
    pub hops: Vec<HopFigures>,
    /// Processor time of its processes in seconds; `None` where nodes have none of their own.
    pub cpu_s: Option<f64>,
    /// Largest resident memory of its processes in MiB; likewise.
    pub peak_rss_mib: Option<f64>,
}

impl NodeFigures {
    /// Reads a node: what its process counted by itself.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let feeders = node.hops().iter().filter_map(|hop| {
            let feeder = hop.feeder.as_ref()?;
            let counted = feeder.stats();
            Some(FeederFigures {
                peer: hop.peer,
                kind: hop.kind,
                queued_bytes: feeder.backlog().bytes,
                dropped_packets: counted.dropped_live_packets
                    + counted.refused_live_packets
                    + counted.refused_bulk_packets,
            })
        });
        let hops = node.hops().iter().map(|hop| HopFigures::of(hop, node.now())).collect();
        Self { stats: *node.stats(), feeders: feeders.collect(), hops, ..Self::default() }
    }
}

/// One hop of a node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopFigures {
    /// The next hop.
    pub peer: NodeId,
    /// The kind of hop.
    pub kind: HopKind,
    /// Whether the peer is known.
    pub is_open: bool,
    /// Whether hellos went unanswered since it was last open, or ever.
    pub is_unanswered: bool,
    /// Round-trip time of the last hello exchange.
    pub rtt: Option<Duration>,
    /// What its congestion control knows; `None` on hops without.
    pub control: Option<ControlFigures>,
    /// What it counted since its process started.
    pub stats: HopStats,
    /// What probes of the peer told; `None` on hops that carry packets, and without `probing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeFigures>,
}

impl HopFigures {
    /// Reads a hop; `now`: the node's time.
    #[must_use]
    pub fn of(hop: &Hop, now: Instant) -> Self {
        let is_open = hop.handshake.peer().is_some();
        Self {
            peer: hop.peer,
            kind: hop.kind,
            is_open,
            is_unanswered: hop.handshake.is_repeating(),
            rtt: hop.handshake.rtt(),
            control: hop.control_figures(),
            stats: hop.stats,
            probe: hop.probe.as_ref().map(|probe| probe.figures(now)),
        }
    }
}

/// One feeder of a node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeederFigures {
    /// The next hop.
    pub peer: NodeId,
    /// The kind of hop.
    pub kind: HopKind,
    /// Bytes that wait.
    pub queued_bytes: u64,
    /// Packets that it dropped or refused since its process started.
    pub dropped_packets: u64,
}

/// What a source counted so far, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceCounts {
    /// Payload bytes offered.
    pub bytes: u64,
    /// Symbols made in the measuring window.
    pub measured_symbols: u64,
    /// Symbols that no route was there for.
    pub unrouted_symbols: u64,
    /// Level of the ladder now; `None` for content without one.
    #[serde(default)]
    pub level: Option<usize>,
}

impl SourceCounts {
    /// Reads a session at its source.
    #[must_use]
    pub fn of(entry: &SessionEntry) -> Option<Self> {
        let source = entry.source.as_ref()?;
        let content = source.content_stats();
        Some(Self {
            bytes: content.bytes,
            measured_symbols: content.measured_symbols,
            unrouted_symbols: source.stats.unrouted_symbols,
            level: content.level,
        })
    }
}

/// A session at one node, in short, for samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCounts {
    /// The session.
    pub key: SessionKey,
    /// As its source.
    pub source: Option<SourceCounts>,
    /// As a destination that was set up as one.
    pub sink: Option<SinkSessionStats>,
}

impl SessionCounts {
    /// Reads a session at a node.
    #[must_use]
    pub fn of(entry: &SessionEntry) -> Self {
        // Only what a destination was set up for counts.
        let sink = entry.sink.as_ref().filter(|sink| sink.content_stats().is_some());
        Self { key: entry.key, source: SourceCounts::of(entry), sink: sink.map(|sink| sink.counted()) }
    }
}

/// A session at one node, with everything that results need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFigures {
    /// As its source.
    pub source: Option<SourceTally>,
    /// As a destination that was set up as one.
    pub sink: Option<SinkTally>,
}

impl SessionFigures {
    /// Reads a session at a node.
    #[must_use]
    pub fn of(entry: &SessionEntry) -> Self {
        Self { source: SourceTally::of(entry), sink: SinkTally::of(entry) }
    }
}

/// Everything that one process of a node counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessFigures {
    /// The node's own figures (of this process only; `crashed_packets` is zero).
    pub node: NodeFigures,
    /// Packets that wait in its feeders.
    pub queued_packets: u64,
    /// Its sessions in short.
    pub counts: Vec<SessionCounts>,
    /// Its sessions with everything, where that was asked for.
    pub sessions: Vec<(SessionKey, SessionFigures)>,
    /// Both sides of the packet ledger, where they differ.
    pub ledger: Option<(u64, u64)>,
    /// Times of single packets, where a stopwatch runs and everything was asked for.
    #[serde(default)]
    pub steps: Option<StepTimes>,
    /// Symbols that it still has to send, where everything was asked for: by session and destination the times at which
    /// they were offered, in nanoseconds on their source's clock, in order, each as its distance from the one before.
    #[serde(default)]
    pub waiting: Vec<(SessionKey, NodeId, Vec<u64>)>,
}

impl ProcessFigures {
    /// Reads a node; `full`: with all that results need.
    #[must_use]
    pub fn of(node: &Node, full: bool) -> Self {
        let full_figures = |entry: &SessionEntry| (entry.key, SessionFigures::of(entry));
        let mut waiting = WaitingSymbols::default();
        if full {
            waiting.add_node(node);
        }
        Self {
            node: NodeFigures::of(node),
            queued_packets: node.queued_packets(),
            counts: node.sessions().map(SessionCounts::of).collect(),
            sessions: if full { node.sessions().map(full_figures).collect() } else { Vec::new() },
            ledger: node.check_ledger().err(),
            steps: if full { node.step_times().cloned() } else { None },
            waiting: waiting.times(),
        }
    }
}
