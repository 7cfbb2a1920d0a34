//! Sources: from content to packets in feeders.

use crate::content::{SourcePoll, Symbol};
use crate::feeder::Lane;
use crate::ids::FlowId;
use crate::io::{Event, PolicyReason};
use crate::node::Node;
use crate::node::dispatch::{Copies, sealing_bytes};
use crate::node::timers::Timer;
use crate::seal::sealed;
use crate::session::SourceSession;
use crate::stopwatch::Step;
use crate::time::Instant;
use crate::wire::coding::CODING_HEADER_BYTES;
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};

/// Symbols that one call takes from a source that is far behind; the rest follows at once by a timer.
const SYMBOLS_PER_CALL: usize = 1_024;

/// What became of a repair.
enum RepairStep {
    /// None is owed.
    None,
    /// One was sent.
    Sent,
    /// Its flow has no room, or there is none: the session goes on when that changes.
    Blocked,
}

impl Node {
    /// Emits what is due of a session, and sets the timer for what is not.
    pub(super) fn run_source(&mut self, now: Instant, index: u32) {
        let Some(mut source) = self.sessions.get_mut(index).source.take() else { return };
        if source.reliable.is_some() {
            self.run_reliable(now, index, &mut source);
            self.sessions.get_mut(index).source = Some(source);
            return;
        }
        if source.finished {
            // It was stopped while it waited for room or a route.
            self.sessions.get_mut(index).source = Some(source);
            return;
        }
        let mut wake = Some(now);
        for _ in 0..SYMBOLS_PER_CALL {
            match self.step_repair(now, index, &mut source) {
                RepairStep::None => {}
                RepairStep::Sent => continue,
                RepairStep::Blocked => {
                    wake = None;
                    break;
                }
            }
            let (symbol, flow) = match source.pending.take() {
                Some((symbol, flow)) => (symbol, Some(flow)),
                None => {
                    if source.content.wants_grant(now)
                        && let Some(grant) = self.grant(now, index, &mut source)
                    {
                        source.content.on_grant(now, grant);
                    }
                    match source.content.poll(now) {
                        SourcePoll::Symbol(symbol) => {
                            (sealed(source.seal.as_deref(), source.epoch, symbol), None)
                        }
                        SourcePoll::WaitUntil(at) => {
                            wake = Some(at);
                            break;
                        }
                        // The last generation is owed its repairs.
                        SourcePoll::Finished if source.coded.as_mut().is_some_and(|coded| coded.close()) => {
                            continue;
                        }
                        SourcePoll::Finished => {
                            wake = None;
                            self.finish_source(index, &mut source);
                            break;
                        }
                    }
                }
            };
            let is_greedy = source.content.is_greedy();
            let lap = self.start_lap(Step::Routing);
            let Some(flows) = &mut source.flows else {
                if is_greedy {
                    // Nothing is lost by waiting for a route: installing one wakes the source.
                    source.pending = Some((symbol, 0));
                    wake = None;
                    break;
                }
                source.stats.unrouted_symbols += 1;
                continue;
            };
            let flow = match flow {
                Some(flow) if flow < flows.flows().len() => flow,
                _ => flows.draw(&mut source.stream),
            };
            if is_greedy && !self.has_room(index, symbol.len as usize, flow, &source) {
                source.pending = Some((symbol, flow));
                wake = None;
                break;
            }
            if source.coded.is_some() {
                self.emit_coded(now, index, &mut source, symbol, flow);
            } else {
                self.emit(now, index, &mut source, symbol, flow);
            }
            self.stop_lap(Step::Routing, lap);
        }
        if let Some(deadline) = source.coded.as_ref().and_then(|coded| coded.deadline())
            && !source.finished
        {
            // A generation may end before there is another symbol.
            wake = Some(wake.map_or(deadline, |at| at.min(deadline)));
            if let Some(id) = source.timer.take() {
                self.timers.cancel(id);
            }
        }
        if let (Some(at), None, false) = (wake, source.timer, source.finished) {
            source.timer = Some(self.timers.set(at, Timer::Symbol(index)));
        }
        self.sessions.get_mut(index).source = Some(source);
    }

    /// Sends a repair, if the session owes one.
    fn step_repair(&mut self, now: Instant, index: u32, source: &mut SourceSession) -> RepairStep {
        let Some(coded) = &mut source.coded else { return RepairStep::None };
        coded.close_if_due(now);
        let Some(bytes) = coded.owed_bytes() else { return RepairStep::None };
        let Some(flows) = &mut source.flows else {
            // As with symbols: what comes by time is lost without a route.
            if !source.content.is_greedy() {
                coded.next_owed(now);
                return RepairStep::Sent;
            }
            return RepairStep::Blocked;
        };
        let flow = flows.draw(&mut source.stream);
        if source.content.is_greedy() && !self.has_room(index, bytes, flow, source) {
            return RepairStep::Blocked;
        }
        self.emit_repair(now, index, source, flow);
        RepairStep::Sent
    }

    /// Stamps a symbol with the header of its flow and hands it to the feeders.
    #[inline]
    fn emit(&mut self, now: Instant, index: u32, source: &mut SourceSession, symbol: Symbol, flow: usize) {
        let key = self.sessions.get(index).key;
        let flags = match source.content.lane() {
            Lane::Live => PacketFlags::default(),
            Lane::Bulk => PacketFlags::BULK,
        };
        let header = PacketHeader {
            key,
            epoch: source.epoch,
            flow: FlowId(flow as u16),
            number: source.next_packet,
            symbol: symbol.id,
            timestamp_ns: symbol.timestamp.as_nanos(),
            flags,
            object: symbol.object,
            index: symbol.index,
            count: symbol.count,
        };
        source.next_packet += 1;
        source.stats.packets += 1;
        source.stats.bytes += u64::from(symbol.len);
        let mut fixed = [0; PACKET_FIXED_BYTES];
        header.emit(&mut fixed);
        let Some(flows) = &mut source.flows else { return };
        let chosen = flows.flow_mut(flow);
        chosen.packets += 1;
        let parts = Copies { fixed: &fixed, header: &header, coding: &[], previous: None };
        self.push_branches(now, &chosen.branches, &parts, symbol.payload);
    }

    /// Whether all feeders of a flow take the symbol without dropping; if not, the source waits at the first that
    /// does not.
    fn has_room(&mut self, index: u32, payload: usize, flow: usize, source: &SourceSession) -> bool {
        let Some(flows) = &source.flows else { return false };
        let conference = self.sessions.get(index).key.conference;
        let coding = if source.coded.is_some() { CODING_HEADER_BYTES } else { 0 };
        let fixed = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + UDP_IP_BYTES + PACKET_FIXED_BYTES + coding;
        for branch in &flows.flows()[flow].branches {
            let hop = &mut self.hops[branch.hop.0 as usize];
            let sealing = sealing_bytes(hop.kind, self.config.seal_bytes);
            let bytes = fixed + branch.pathlet.len() + payload + sealing;
            let Some(feeder) = &hop.feeder else { continue };
            if feeder.lane_room(conference, source.content.lane()) < bytes as u64 {
                if !hop.waiting.contains(&index) {
                    hop.waiting.push(index);
                }
                return false;
            }
        }
        true
    }

    /// Runs the sources whose feeders have room again.
    #[cold]
    pub(super) fn run_kicked(&mut self, now: Instant) {
        let mut kicked = core::mem::take(&mut self.kicked);
        for index in kicked.drain(..) {
            if self.sessions.contains(index) {
                self.run_source(now, index);
            }
        }
        // What the runs kicked anew meanwhile must not be lost.
        kicked.append(&mut self.kicked);
        self.kicked = kicked;
    }

    pub(super) fn finish_source(&mut self, index: u32, source: &mut SourceSession) {
        if !source.finished {
            source.finished = true;
            let key = self.sessions.get(index).key;
            self.emit_event(Event::SessionFinished { key });
        }
    }

    /// Asks for the policies of a session of which this node is the source.
    pub(super) fn ask_policy(&mut self, now: Instant, index: u32, reason: PolicyReason) {
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(source) = &mut entry.source else { return };
        if source.is_done() {
            return;
        }
        if let Some(id) = source.policy_timer.take() {
            self.timers.cancel(id);
        }
        source.policy_timer =
            source.policy_period.map(|period| self.timers.set(now + period, Timer::Policy(index)));
        let destinations = source.destinations.clone();
        if !destinations.is_empty() {
            self.emit_event(Event::PolicyWanted { key, destinations, reason });
        }
    }

    /// Stops a source for good.
    pub(super) fn stop_source(&mut self, index: u32) {
        let Some(mut source) = self.sessions.get_mut(index).source.take() else { return };
        // A reliable session still repeats, over whatever routes there are.
        let policy_timer = if source.reliable.is_none() { source.policy_timer.take() } else { None };
        for id in [source.timer.take(), policy_timer].into_iter().flatten() {
            self.timers.cancel(id);
        }
        source.pending = None;
        self.finish_source(index, &mut source);
        self.sessions.get_mut(index).source = Some(source);
    }
}
