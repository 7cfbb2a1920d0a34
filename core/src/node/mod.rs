//! The node: owner of everything. It routes inputs to its parts and their results to the outputs.
//!
//! The contract, for every driver:
//! 1. `now` never goes back for one node; equal values are fine. Going back is the driver's bug and panics.
//! 2. After every batch of inputs of one `now`: [`Node::poll_transmit`] until `None`, [`Node::poll_event`] until
//!    `None`, then read [`Node::poll_timeout`]. [`crate::drive::drain`] does this, so that the order exists once.
//! 3. A frame that was handed out counts as sent. A driver whose socket is full keeps that one frame, says
//!    [`Input::Blocked`], and goes on with the other hops.
//! 4. Early and repeated timeouts do nothing. After a full drain the deadline lies after `now`, or there is none.
//! 5. A call does bounded work, and every queue has a limit in the config and a counter for what it dropped.

mod acknowledging;
mod clocks;
mod coded;
mod commands;
mod conference;
mod control;
mod dispatch;
mod emit;
mod failover;
mod grant;
mod hops;
mod listing;
mod overflow;
mod passed;
mod pressure;
mod probing;
mod receive;
mod registering;
mod reliable;
mod reporting;
mod timers;
mod transmit;

use crate::clock::ClockPeers;
use crate::coding::{Body, Meta, Workers};
use crate::config::{ConfigError, NodeConfig};
use crate::header::HeaderBuf;
use crate::hop::Hop;
use crate::ids::{ConferenceId, FlowId, HopIndex, NodeId, SessionKey};
use crate::io::{Deadline, Event, Input, InputError};
use crate::rng::Seed;
use crate::session::{SessionEntry, SessionTable};
use crate::stats::NodeStats;
use crate::stopwatch::Running;
use crate::time::Instant;
use crate::timer::TimerWheel;
use crate::wire::routing::RouteLimits;
use conference::EndedConferences;
pub(crate) use probing::LossLook;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use timers::Timer;

/// One running instance of the protocol.
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
    seed: Seed,
    now: Instant,
    /// Bounds of the RoutingInfo of a flow.
    route_limits: RouteLimits,
    /// Bounds of the one Pathlet of a packet.
    pathlet_limits: RouteLimits,
    hops: Vec<Hop>,
    hop_index: FxHashMap<u64, u32>,
    /// Hops that may have something to send.
    ready: VecDeque<HopIndex>,
    sessions: SessionTable,
    /// Weight and priority of configured conferences.
    conference_settings: BTreeMap<ConferenceId, (u32, u8)>,
    ended: EndedConferences,
    /// Hops of this node and of others that are down.
    down: failover::DownHops,
    /// What probes may cost, and whose turn it is.
    probing: probing::ProbingState,
    timers: TimerWheel<Timer>,
    /// Clocks of the sources that this node listens to.
    clocks: ClockPeers,
    events: VecDeque<Event>,
    /// Sources whose feeders have room again.
    kicked: Vec<u32>,
    stats: NodeStats,
    next_control_id: u64,
    /// What was passed on over ways back.
    passed: passed::Passed,
    /// The listing, where this node holds it.
    listing: Option<Box<listing::NodeListing>>,
    /// Conferences that it registers for.
    registered: BTreeMap<ConferenceId, registering::Registered>,
    reported_at: Instant,
    /// Frames without packets are built here.
    scratch: Vec<u8>,
    /// Acknowledgements are written here: one allocation serves many.
    ack_bytes: bytes::BytesMut,
    /// Bytes that are held for coding.
    coding_bytes: usize,
    /// Share large decodings, where the driver lends threads.
    workers: Option<Arc<dyn Workers>>,
    /// Symbols that have come out of combinations, on their way to delivery.
    recovered: Vec<(u64, Meta, Body)>,
    /// Lanes under pressure that a packet has left.
    relieved: Vec<(HopIndex, ConferenceId)>,
    /// Packets that feeders dropped in the call under way.
    dropped: Vec<DroppedPacket>,
    /// Times single packets, where the driver lends a clock.
    pub(crate) stopwatch: Option<Box<Running>>,
}

/// A packet that a feeder dropped, for the notices.
#[derive(Debug)]
struct DroppedPacket {
    key: SessionKey,
    flow: FlowId,
    previous: Option<HopIndex>,
    bytes: u32,
    header: HeaderBuf,
}

impl Node {
    /// Starts a node. Random streams are named after `config.id`.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(config: NodeConfig, seed: Seed, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        let route_limits =
            RouteLimits { copies_max: config.limits.copies_max, bytes_max: config.limits.routing_bytes_max };
        let bytes_max = route_limits.bytes_max.min(crate::header::PATHLET_BYTES_MAX);
        let pathlet_limits = RouteLimits { bytes_max, ..route_limits };
        let mut node = Self {
            seed,
            now,
            route_limits,
            pathlet_limits,
            hops: Vec::new(),
            hop_index: FxHashMap::default(),
            ready: VecDeque::new(),
            sessions: SessionTable::default(),
            conference_settings: BTreeMap::new(),
            ended: EndedConferences::new(config.limits.ended_conferences_max),
            down: failover::DownHops::default(),
            probing: probing::ProbingState::default(),
            timers: TimerWheel::new(now),
            clocks: ClockPeers::default(),
            events: VecDeque::new(),
            kicked: Vec::new(),
            stats: NodeStats::default(),
            // Never used by an earlier start of the node.
            next_control_id: u64::from(config.incarnation.0) << 32,
            passed: passed::Passed::default(),
            listing: None,
            registered: BTreeMap::new(),
            reported_at: now,
            scratch: Vec::new(),
            ack_bytes: bytes::BytesMut::new(),
            coding_bytes: 0,
            workers: None,
            recovered: Vec::new(),
            relieved: Vec::new(),
            dropped: Vec::new(),
            stopwatch: None,
            config,
        };
        if let Some(interval) = node.config.report_interval {
            node.timers.set(now + interval, Timer::Report);
        }
        node.timers.set(now + node.config.limits.relay_idle, Timer::Sweep);
        if node.config.failover.is_some() {
            node.timers.set(now + failover::setup_interval(), Timer::Setup);
        }
        if node.config.probing.is_some() {
            node.timers.set(now, Timer::Probing);
        }
        Ok(node)
    }

    /// Takes one input in.
    ///
    /// # Errors
    /// When bytes or a command are refused. The node is then unchanged but for the counters, and nothing ends.
    ///
    /// # Panics
    /// If `now` lies before that of an earlier call.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) -> Result<(), InputError> {
        self.advance(now);
        match input {
            Input::Frame { hop, frame } => self.handle_frame(now, hop, frame),
            Input::Stream { hop, chunk } => self.handle_stream(now, hop, chunk),
            Input::Opened { hop } => self.handle_opened(now, hop),
            Input::Closed { hop } => self.handle_closed(now, hop),
            Input::Room { hop, bytes } => self.handle_room(hop, Some(bytes)),
            Input::Blocked { hop } => self.handle_room(hop, None),
            Input::Command(command) => self.handle_command(now, command).map_err(InputError::Command),
            Input::Timeout => {
                self.handle_timeout(now);
                Ok(())
            }
        }
    }

    /// Lends the node threads for large decodings (`None`: takes them away). Nothing that comes out depends on them.
    pub fn set_workers(&mut self, workers: Option<Arc<dyn Workers>>) {
        self.workers = workers;
    }

    /// Returns the next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns when the node wants [`Input::Timeout`].
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.next().map(|at| Deadline { at })
    }

    /// Returns the time of the last call.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Returns the counters.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.stats
    }

    /// Returns the hops, by index.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Returns a session, if the node knows it.
    #[must_use]
    pub fn session(&self, key: SessionKey) -> Option<&SessionEntry> {
        self.sessions.find(key).map(|index| self.sessions.get(index))
    }

    /// Returns all sessions that the node knows.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionEntry> {
        self.sessions.iter().map(|(_, entry)| entry)
    }

    /// Returns the listing, where this node holds it.
    #[must_use]
    pub fn listing(&self) -> Option<&crate::listing::Listing> {
        self.listing.as_ref().map(|held| &held.listing)
    }

    /// Returns the packets that wait in feeders.
    #[must_use]
    pub fn queued_packets(&self) -> u64 {
        self.hops.iter().filter_map(|hop| hop.feeder.as_ref()).map(|feeder| feeder.backlog().packets).sum()
    }

    /// Returns the bytes of symbols and combinations that are held for coding.
    #[must_use]
    pub const fn coding_bytes(&self) -> usize {
        self.coding_bytes
    }

    /// Checks the packet ledger: what came in or was made is accounted for.
    ///
    /// # Errors
    /// Both sides of the equation, where they differ.
    pub fn check_ledger(&self) -> Result<(), (u64, u64)> {
        let stats = &self.stats;
        let made =
            stats.received_packets + stats.originated_packets + stats.copied_packets + stats.recoded_packets;
        let ended = stats.delivered_packets
            + stats.duplicate_packets
            + stats.absorbed_packets
            + stats.dropped_total()
            + stats.sent_packets
            + self.queued_packets();
        if made == ended { Ok(()) } else { Err((made, ended)) }
    }

    /// Judges what sinks still have open; the run is over.
    pub fn finish(&mut self, now: Instant) {
        self.advance(now);
        for entry in self.sessions.iter_mut() {
            if let Some(sink) = &mut entry.sink {
                sink.finish(now);
            }
        }
    }

    /// Judges what the sink of one session still has open; no more of it is expected.
    pub fn finish_session(&mut self, now: Instant, key: SessionKey) {
        self.advance(now);
        if let Some(index) = self.sessions.find(key)
            && let Some(sink) = &mut self.sessions.get_mut(index).sink
        {
            sink.finish(now);
        }
    }

    /// Notes that the driver kept a frame of this hop because it cannot send: nothing more is handed out for it.
    pub(crate) fn block(&mut self, hop: HopIndex) {
        self.hops[hop.0 as usize].room = crate::hop::Room::Blocked;
    }

    /// Fires the timers that have expired.
    pub(crate) fn fire(&mut self, now: Instant) {
        self.advance(now);
        self.handle_timeout(now);
    }

    #[inline]
    fn advance(&mut self, now: Instant) {
        assert!(self.now <= now, "time runs forwards: {} after {}", now, self.now);
        self.now = now;
    }

    fn emit_event(&mut self, event: Event) {
        if self.events.len() >= self.config.limits.events_max {
            self.stats.dropped_events += 1;
            return;
        }
        self.events.push_back(event);
    }
}
