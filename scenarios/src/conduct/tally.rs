//! What a session did, over all starts of its nodes: processes die and forget, the tally does not.

use super::figures::SessionFigures;
use bellini_core::content::{SinkStats, SourceStats};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::reliable::SenderStats;
use bellini_core::route::Route;
use bellini_core::session::coded::CodedSourceStats;
use bellini_core::session::{SessionEntry, SinkSessionStats};
use bellini_core::stats::Histogram;
use bellini_core::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

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
    /// What reliable delivery took.
    #[serde(default)]
    pub reliable: SenderStats,
    /// What coding took.
    #[serde(default)]
    pub coded: CodedSourceStats,
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
    /// Reads a session at its source.
    #[must_use]
    pub fn of(entry: &SessionEntry) -> Option<Self> {
        let source = entry.source.as_ref()?;
        let mut tally = Self {
            content: source.content_stats(),
            packets: source.stats.packets,
            bytes: source.stats.bytes,
            unrouted: source.stats.unrouted_symbols,
            reliable: source.counted().reliable,
            coded: source.counted().coded,
            flows: Vec::new(),
        };
        for (route, packets) in &source.retired {
            tally.add_flow(route, 0.0, *packets);
        }
        for flow in source.flows.iter().flat_map(|flows| flows.flows()) {
            tally.add_flow(&flow.route, flow.share, flow.packets);
        }
        Some(tally)
    }

    /// Adds what a later process counted.
    pub fn merge(&mut self, later: &Self) {
        let (own, more) = (&mut self.content, &later.content);
        own.symbols += more.symbols;
        own.bytes += more.bytes;
        own.objects += more.objects;
        own.measured_symbols += more.measured_symbols;
        own.measured_bytes += more.measured_bytes;
        own.measured_objects += more.measured_objects;
        own.level = more.level;
        own.level_changes += more.level_changes;
        own.file_digest = own.file_digest.or(more.file_digest);
        self.packets += later.packets;
        self.bytes += later.bytes;
        self.unrouted += later.unrouted;
        self.reliable.add(&later.reliable);
        self.coded.add(&later.coded);
        for (route, share, packets) in &later.flows {
            self.add_flow(route, *share, *packets);
        }
    }

    fn add_flow(&mut self, route: &Route, share: f64, packets: u64) {
        match self.flows.iter_mut().find(|(known, ..)| known == route) {
            Some((_, known_share, known_packets)) => {
                *known_share = share;
                *known_packets += packets;
            }
            None => self.flows.push((route.clone(), share, packets)),
        }
    }
}

impl SinkTally {
    /// Reads a session at a destination.
    ///
    /// Packets that still came when the node had forgotten the session, or no longer was its destination, met a sink
    /// that knows neither content nor window: they were not wanted, and nothing of them is judged.
    #[must_use]
    pub fn of(entry: &SessionEntry) -> Option<Self> {
        let sink = entry.sink.as_ref()?;
        let content = sink.content_stats()?;
        let loss_runs = sink.loss_run_lengths();
        Some(Self { stats: sink.counted(), delays: sink.delays.clone(), loss_runs, content: Some(content) })
    }

    /// Adds what a later process, or a later stay, counted.
    pub fn merge(&mut self, later: &Self) {
        let (own, more) = (&mut self.stats, &later.stats);
        own.delivered_packets += more.delivered_packets;
        own.delivered_bytes += more.delivered_bytes;
        own.delay_ns_sum += more.delay_ns_sum;
        own.duplicate_packets += more.duplicate_packets;
        own.late_packets += more.late_packets;
        own.measured_packets += more.measured_packets;
        own.measured_bytes += more.measured_bytes;
        own.measured_duplicates += more.measured_duplicates;
        own.negative_delays += more.negative_delays;
        own.unclocked_packets += more.unclocked_packets;
        own.acks += more.acks;
        own.wayless_acks += more.wayless_acks;
        own.unordered_packets += more.unordered_packets;
        own.unopened_symbols += more.unopened_symbols;
        own.coded.add(&more.coded);
        own.delay_error_ns_max = own.delay_error_ns_max.max(more.delay_error_ns_max);
        self.delays.merge(&later.delays);
        self.loss_runs.merge(&later.loss_runs);
        self.content = match (self.content, later.content) {
            (Some(known), Some(content)) => Some(known.merge(&content)),
            (known, content) => known.or(content),
        };
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

    /// Adds what a process of a node counted of the session.
    pub fn add(&mut self, node: NodeId, figures: SessionFigures) {
        if let Some(source) = &figures.source {
            self.source.merge(source);
        }
        if let Some(sink) = figures.sink {
            self.add_sink(node, sink);
        }
    }

    /// Adds what a process of a node counted of the session as its destination.
    pub fn add_sink(&mut self, node: NodeId, sink: SinkTally) {
        match self.sinks.entry(node) {
            Entry::Vacant(vacant) => {
                vacant.insert(sink);
            }
            Entry::Occupied(mut known) => known.get_mut().merge(&sink),
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
            *self.sent_before.entry(node).or_default() += made.saturating_sub(joined);
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
        let now = self.members.get(&node).map_or(0, |joined| made.saturating_sub(*joined));
        self.sent_before.get(&node).copied().unwrap_or(0) + now
    }
}
