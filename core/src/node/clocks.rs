//! Clocks of sources: probes against the way of their sessions' packets, the answers, and what follows from them.
//!
//! A destination knows its source, and from the session's setup and packets the neighbour behind which it lies. So a
//! probe goes back hop by hop, notes whom it passes, and the source answers along those nodes.

use crate::clock::{Estimate, Exchange};
use crate::ids::{HopIndex, NodeId, SessionKey};
use crate::io::CommandError;
use crate::node::Node;
use crate::node::timers::Timer;
use crate::route::Route;
use crate::time::Instant;
use crate::wire::control::{CLOCK_PATH_MAX, ControlBody, ControlMessage};
use crate::wire::routing;

/// Sources whose clocks are followed at a time; about 2 KiB each.
const CLOCK_PEERS_MAX: usize = 1_024;

impl Node {
    /// Returns what is known now of the clock of a source that this node listens to.
    #[must_use]
    pub fn clock_of(&self, source: NodeId) -> Option<Estimate> {
        self.clocks.iter().find(|peer| peer.source == source)?.estimator.offset_at(self.now)
    }

    /// A destination was set up: from now on it follows its source's clock, if this node does that at all.
    pub(super) fn watch_clock(&mut self, now: Instant, index: u32, source: NodeId) {
        if self.config.clock_probes.is_none() || source == self.config.id {
            return;
        }
        let sessions = &self.sessions;
        let is_used = |peer| {
            sessions.iter().any(|(_, entry)| entry.sink.as_ref().is_some_and(|sink| sink.clock == Some(peer)))
        };
        let key = sessions.get(index).key;
        let peer = self.clocks.enter(source, key, CLOCK_PEERS_MAX, is_used);
        if let Some(sink) = &mut self.sessions.get_mut(index).sink {
            sink.follow_clock(peer);
        }
        self.begin_probing(now, index);
    }

    /// Learns from a setup message where a session's packets will come from, so that probes can go before them.
    pub(super) fn learn_setup(&mut self, now: Instant, from: HopIndex, key: SessionKey) {
        let is_kept = self.config.clock_probes.is_some() || self.config.failover.is_some();
        if !is_kept || self.ended.contains(key.conference) {
            return;
        }
        let index = match self.sessions.find(key) {
            Some(index) => index,
            None if self.sessions.len() < self.config.limits.sessions_max => self.sessions.insert(key),
            None => return,
        };
        self.sessions.get_mut(index).relay.learn_setup(now, from);
        self.begin_probing(now, index);
    }

    /// Begins to probe the clock of a session's source, unless that goes on already.
    pub(super) fn begin_probing(&mut self, now: Instant, index: u32) {
        let Some(interval) = self.config.clock_probes else { return };
        let entry = self.sessions.get(index);
        let Some(peer) = entry.sink.as_ref().and_then(|sink| sink.clock) else { return };
        let key = entry.key;
        let state = self.clocks.get_mut(peer);
        if !state.is_probing {
            state.session = key;
            state.begin(now, interval);
            self.probe_clock(now, peer);
        }
    }

    /// Sends the next probe of a source's clock; without a way to it, probing pauses until a packet shows one.
    pub(super) fn probe_clock(&mut self, now: Instant, peer: u32) {
        let Some(interval) = self.config.clock_probes else { return };
        let way = self.way_to_source(now, peer);
        let state = self.clocks.get_mut(peer);
        let Some((key, next)) = way else {
            state.is_probing = false;
            return;
        };
        state.session = key;
        let (t1_ns, wait) = state.probe(now, interval);
        self.timers.set(now + wait, Timer::Clock(peer));
        // One that cannot go is counted as dropped, and is a lost probe.
        let _ = self.send_control(
            now,
            next,
            Vec::new(),
            ControlBody::ClockProbe { key, t1_ns, path: Vec::new() },
        );
    }

    /// Returns a session of the source that is alive, and the neighbour behind which the source lies.
    fn way_to_source(&self, now: Instant, peer: u32) -> Option<(SessionKey, NodeId)> {
        let idle = self.config.limits.relay_idle;
        let way_of = |index: u32| {
            let entry = self.sessions.get(index);
            let is_of_peer = entry.sink.as_ref().is_some_and(|sink| sink.clock == Some(peer));
            // Relays forget the way of a session that is silent for so long.
            let is_alive = now.saturating_since(entry.relay.seen_at) < idle;
            let way = entry.relay.all_ways_back().next().filter(|_| is_of_peer && is_alive)?;
            Some((entry.key, self.hops[way.0 as usize].peer))
        };
        let last = self.sessions.find(self.clocks.get(peer).session).and_then(way_of);
        last.or_else(|| self.sessions.iter().find_map(|(index, _)| way_of(index)))
    }

    /// Passes a probe on towards the session's source, or answers it there.
    pub(super) fn take_clock_probe(&mut self, now: Instant, from: HopIndex, message: ControlMessage) {
        let ControlMessage { id, origin, route, body } = message;
        let ControlBody::ClockProbe { key, t1_ns, mut path } = body else { return };
        let own = self.config.id;
        let last = path.last().copied().unwrap_or(origin);
        let is_honest = last == self.hops[from.0 as usize].peer && origin != own && !path.contains(&own);
        let index = self.sessions.find(key).filter(|_| is_honest);
        let Some(entry) = index.map(|index| self.sessions.get(index)) else {
            self.stats.dropped_control += 1;
            return;
        };
        if entry.source.is_some() {
            self.answer_clock_probe(now, origin, &path, t1_ns);
            return;
        }
        // Flows may pass nodes in opposite order: it goes where it has not been.
        let next = {
            let mut ways = entry.relay.all_ways_back().map(|way| self.hops[way.0 as usize].peer);
            ways.find(|next| *next != origin && !path.contains(next)).filter(|_| path.len() < CLOCK_PATH_MAX)
        };
        let Some(next) = next else {
            self.stats.dropped_control += 1;
            return;
        };
        path.push(own);
        let body = ControlBody::ClockProbe { key, t1_ns, path };
        // What cannot go on is counted there.
        let _ = self.push_control(now, next, &ControlMessage { id, origin, route, body });
    }

    /// Says what time it is here, along the nodes that the probe passed.
    fn answer_clock_probe(&mut self, now: Instant, asker: NodeId, path: &[NodeId], t1_ns: u64) {
        let back: Vec<NodeId> = path.iter().rev().copied().chain([asker]).collect();
        let Ok(pathlet) = routing::encode(&Route::path(&back)) else {
            self.stats.dropped_control += 1;
            return;
        };
        let body = ControlBody::ClockReply { t1_ns, t2_ns: now.as_nanos(), t3_ns: now.as_nanos() };
        if let Err(CommandError::BadRoute(_)) = self.send_along(now, &pathlet, &body) {
            self.stats.dropped_control += 1;
        }
    }

    /// Takes an answer of `source` in. One that nobody asked for changes nothing.
    pub(super) fn take_clock_reply(&mut self, now: Instant, source: NodeId, timestamps: [u64; 3]) {
        let [t1, t2, t3] = timestamps;
        if let Some(peer) = self.clocks.of_source(source) {
            peer.on_reply(now, &Exchange { t1, t2, t3, t4: now.as_nanos() });
        }
    }
}
