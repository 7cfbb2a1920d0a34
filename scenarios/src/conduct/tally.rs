//! What a session did, over all starts of its nodes: processes die and forget, the tally does not.

use bellini_core::content::{SinkStats, SourceStats};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::route::Route;
use bellini_core::session::{SessionEntry, SinkSessionStats};
use bellini_core::stats::Histogram;
use bellini_core::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything counted of one session.
#[derive(Clone, Debug)]
pub struct SessionTally {
    /// The session.
    pub key: SessionKey,
    /// Source, by earlier processes.
    pub source: SourceTally,
    /// Destinations, by earlier processes.
    pub sinks: BTreeMap<NodeId, SinkTally>,
    /// Epoch of the next start of the source.
    pub epoch: u16,
    /// Whether its nodes know of it now.
    pub is_known: bool,
    /// Current destinations, with the measured symbols that the source had made when they joined.
    pub members: BTreeMap<NodeId, u64>,
    /// When each of them joined, in true time: what was made before is not for it.
    pub joined_at: BTreeMap<NodeId, Instant>,
    /// Measured symbols made while a node was a destination, for stays that have ended; likewise objects.
    pub sent_before: BTreeMap<NodeId, u64>,
}

/// What sources counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceTally {
    /// What the content counted.
    pub content: SourceStats,
    /// Packets emitted (sibling copies count once).
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Symbols that no route was there for.
    pub unrouted: u64,
    /// Packets by route, in order of first use, with the share that the route had last.
    pub flows: Vec<(Route, f64, u64)>,
}

/// What sinks counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SinkTally {
    /// What the session counted.
    pub stats: SinkSessionStats,
    /// Delays of measured symbols, in nanoseconds.
    pub delays: Histogram,
    /// Lengths of the runs of measured symbols that were lost.
    pub loss_runs: Histogram,
    /// What the judge of the content found.
    pub content: Option<SinkStats>,
}

impl SourceTally {
    /// Adds what one process counted.
    pub fn add(&mut self, entry: &SessionEntry) {
        let Some(source) = &entry.source else { return };
        let stats = source.content_stats();
        let own = &mut self.content;
        own.symbols += stats.symbols;
        own.bytes += stats.bytes;
        own.objects += stats.objects;
        own.measured_symbols += stats.measured_symbols;
        own.measured_bytes += stats.measured_bytes;
        own.measured_objects += stats.measured_objects;
        own.level = stats.level;
        own.level_changes += stats.level_changes;
        own.file_digest = own.file_digest.or(stats.file_digest);
        self.packets += source.stats.packets;
        self.bytes += source.stats.bytes;
        self.unrouted += source.stats.unrouted_symbols;
        for (route, packets) in &source.retired {
            self.add_flow(route, None, *packets);
        }
        for flow in source.flows.iter().flat_map(|flows| flows.flows()) {
            self.add_flow(&flow.route, Some(flow.share), flow.packets);
        }
    }

    fn add_flow(&mut self, route: &Route, share: Option<f64>, packets: u64) {
        match self.flows.iter_mut().find(|(known, ..)| known == route) {
            Some((_, known_share, known_packets)) => {
                *known_share = share.unwrap_or(0.0);
                *known_packets += packets;
            }
            None => self.flows.push((route.clone(), share.unwrap_or(0.0), packets)),
        }
    }
}

impl SinkTally {
    /// Adds what one process counted.
    pub fn add(&mut self, entry: &SessionEntry) {
        let Some(sink) = &entry.sink else { return };
        // Packets that still came when the node had forgotten the session, or no longer was its destination, met a
        // sink that knows neither content nor window: they were not wanted, and nothing of them is judged.
        let Some(content) = sink.content_stats() else { return };
        let (own, more) = (&mut self.stats, &sink.stats);
        own.delivered_packets += more.delivered_packets;
        own.delivered_bytes += more.delivered_bytes;
        own.delay_ns_sum += more.delay_ns_sum;
        own.duplicate_packets += more.duplicate_packets;
        own.late_packets += more.late_packets;
        own.measured_packets += more.measured_packets;
        own.measured_bytes += more.measured_bytes;
        own.measured_duplicates += more.measured_duplicates;
        own.negative_delays += more.negative_delays;
        self.delays.merge(&sink.delays);
        self.loss_runs.merge(&sink.loss_run_lengths());
        self.content = Some(match self.content {
            None => content,
            Some(known) => known.merge(&content),
        });
    }
}

impl SessionTally {
    /// Returns the tally of a session that has not begun.
    #[must_use]
    pub fn new(key: SessionKey) -> Self {
        Self {
            key,
            source: SourceTally::default(),
            sinks: BTreeMap::new(),
            epoch: 0,
            is_known: false,
            members: BTreeMap::new(),
            joined_at: BTreeMap::new(),
            sent_before: BTreeMap::new(),
        }
    }

    /// Notes that a node becomes a destination at `now`; `made`: measured symbols that the source has made.
    pub fn join(&mut self, now: Instant, node: NodeId, made: u64) {
        self.members.entry(node).or_insert(made);
        self.joined_at.entry(node).or_insert(now);
    }

    /// Notes that a node stops being one.
    pub fn leave(&mut self, node: NodeId, made: u64) {
        if let Some(joined) = self.members.remove(&node) {
            *self.sent_before.entry(node).or_default() += made - joined;
        }
        self.joined_at.remove(&node);
    }

    /// Returns the nodes that are or were destinations, some twice.
    pub fn all_members(&self) -> impl Iterator<Item = &NodeId> {
        self.members.keys().chain(self.sent_before.keys())
    }

    /// Returns the measured symbols made while `node` was a destination.
    #[must_use]
    pub fn sent_to(&self, node: NodeId, made: u64) -> u64 {
        let now = self.members.get(&node).map_or(0, |joined| made - joined);
        self.sent_before.get(&node).copied().unwrap_or(0) + now
    }
}
