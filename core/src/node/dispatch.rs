//! The dispatcher: a packet that arrived is delivered here, handed to feeders, or both.

use crate::feeder::Lane;
use crate::flow::FlowBranch;
use crate::header::PACKET_HEADER_BYTES_MAX;
use crate::hop::QueuedPacket;
use crate::ids::{HopIndex, SessionKey};
use crate::io::{Event, HopKind};
use crate::node::receive::Packet;
use crate::node::{DroppedPacket, Node};
use crate::payload::Payload;
use crate::reliable::AckDue;
use crate::session::{SinkOutcome, SinkSession};
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use crate::wire::packet::{PacketFlags, PacketHeader};
use crate::wire::routing::first_sibling;
use core::ops::Range;

/// What the headers of a packet's copies have in common.
pub(super) struct Copies<'a> {
    /// The fixed part of the header, as bytes.
    pub(super) fixed: &'a [u8],
    /// The same, parsed.
    pub(super) header: &'a PacketHeader,
    /// The coding header.
    pub(super) coding: &'a [u8],
    /// The hop that the packet came on; `None` at its source.
    pub(super) previous: Option<HopIndex>,
}

impl Node {
    /// Does with a checked packet what its Pathlet says.
    #[inline]
    pub(super) fn dispatch(&mut self, now: Instant, hop: HopIndex, mut packet: Packet<'_>) {
        if packet.header.flags.contains(PacketFlags::ACKNOWLEDGEMENT) {
            self.take_acknowledgement(now, hop, &packet);
            return;
        }
        let Some(index) = self.session_of_packet(now, hop, &packet) else { return };
        if packet.header.flags.contains(PacketFlags::CODED) {
            self.dispatch_coded(now, hop, index, packet);
            return;
        }
        let kind = self.hops[hop.0 as usize].kind;
        let payload_bytes = packet.body.payload_len() as u64;
        let mut copies = 0_u64;
        let mut left = packet.nested.clone();
        while !left.is_empty()
            && let Some((length, node)) = first_sibling(&packet.body.bytes()[left.clone()])
        {
            let pathlet = left.start..left.start + length;
            left.start = pathlet.end;
            copies += 1;
            // A Pathlet alone fits the header buffer, but a coding header comes on top.
            if packet.fixed.len() + length + packet.coding.len() > PACKET_HEADER_BYTES_MAX {
                self.stats.drop_packets(Drop::TooLarge, 1);
                continue;
            }
            match self.try_hop(node, kind) {
                Some(next) => self.pass_on(now, [hop, next], &mut packet, pathlet, left.is_empty()),
                None => self.stats.drop_packets(Drop::TableFull, 1),
            }
        }
        if copies > 0 {
            self.stats.forwarded_packets += 1;
            let relay = &mut self.sessions.get_mut(index).relay;
            relay.packets += 1;
            relay.bytes += payload_bytes;
        }
        if packet.deliver {
            self.stats.copied_packets += copies;
            let payload = packet.body.take_payload();
            self.deliver(now, index, &packet.header, payload);
        } else {
            self.stats.copied_packets += copies.saturating_sub(1);
        }
    }

    /// Puts the copy of a packet that carries the Pathlet at `pathlet` into the feeder of the second of `hops`; it
    /// came on the first. The last copy takes the payload, unless it is delivered here, too.
    #[inline]
    fn pass_on(
        &mut self,
        now: Instant,
        [previous, next]: [HopIndex; 2],
        packet: &mut Packet<'_>,
        pathlet: Range<usize>,
        is_last: bool,
    ) {
        let Packet { body, header, fixed, coding, deliver, .. } = packet;
        let header = &*header;
        let takes = is_last && !*deliver;
        let bytes = queued_bytes(fixed.len() + pathlet.len() + coding.len() + body.payload_len());
        let is_taken = self.put(now, next, header, bytes, |slot| {
            let from = body.bytes();
            write_header(slot, &from[fixed.clone()], &from[pathlet.clone()], &from[coding.clone()]);
            slot.payload = if takes { body.take_payload() } else { body.share_payload() };
            slot.previous = Some(previous);
        });
        if !is_taken {
            let from = body.bytes();
            let (fixed, coding) = (&from[fixed.clone()], &from[coding.clone()]);
            let parts = Copies { fixed, header, coding, previous: Some(previous) };
            self.refused(now, bytes, &from[pathlet], &parts);
        }
        self.open_hop(now, next);
        self.mark_ready(next);
    }

    /// Returns the entry of the packet's session, made on first sight; learns the way back. `None`: the packet
    /// was dropped.
    #[inline]
    fn session_of_packet(&mut self, now: Instant, hop: HopIndex, packet: &Packet<'_>) -> Option<u32> {
        let header = &packet.header;
        let index = match self.sessions.find(header.key) {
            Some(index) => index,
            None => self.meet_session(header.key)?,
        };
        let flows_max = self.config.limits.relay_flows_max;
        let entry = self.sessions.get_mut(index);
        if entry.is_over {
            self.stats.drop_packets(Drop::ConferenceEnded, 1);
            return None;
        }
        if entry.relay.learn(now, header.flow, hop, flows_max) == crate::session::Learnt::New {
            self.note_conference_hops(index, hop, &packet.body.bytes()[packet.nested.clone()]);
        }
        Some(index)
    }

    #[cold]
    fn meet_session(&mut self, key: SessionKey) -> Option<u32> {
        if self.ended.contains(key.conference) {
            self.stats.drop_packets(Drop::ConferenceEnded, 1);
            return None;
        }
        if self.sessions.len() >= self.config.limits.sessions_max {
            self.stats.drop_packets(Drop::TableFull, 1);
            return None;
        }
        Some(self.sessions.insert(key))
    }

    /// Remembers which hops a conference uses, to tell them when it ends.
    #[cold]
    fn note_conference_hops(&mut self, index: u32, previous: HopIndex, mut siblings: &[u8]) {
        let kind = self.hops[previous.0 as usize].kind;
        let mut used = vec![previous];
        while let Some((length, node)) = first_sibling(siblings) {
            used.extend(self.try_hop(node, kind));
            siblings = &siblings[length..];
        }
        self.add_conference_hops(index, &used);
    }

    pub(super) fn add_conference_hops(&mut self, index: u32, used: &[HopIndex]) {
        let conference = self.sessions.get(index).conference;
        let known = &mut self.sessions.conference_mut(conference).hops;
        for hop in used {
            if !known.contains(hop) {
                known.push(*hop);
            }
        }
    }

    fn deliver(&mut self, now: Instant, index: u32, header: &PacketHeader, payload: Payload) {
        let payload = match &mut self.sessions.get_mut(index).sink {
            Some(sink) => sink.open(header, payload),
            None => Some(payload),
        };
        // It was not acknowledged: a reliable session sends it again.
        let Some(payload) = payload else {
            self.stats.drop_packets(Drop::Rejected, 1);
            return;
        };
        let outcome = self.deliver_symbol(now, index, header, payload);
        match outcome {
            SinkOutcome::Delivered(_) => self.stats.delivered_packets += 1,
            SinkOutcome::Duplicate => self.stats.duplicate_packets += 1,
            SinkOutcome::Late => self.stats.drop_packets(Drop::Late, 1),
        }
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let is_new = matches!(outcome, SinkOutcome::Delivered(_));
        let due = sink.on_reliable(now, header, None, is_new, &self.config.reliable);
        self.acknowledge_when(now, index, due);
    }

    /// Hands a symbol to its session's sink, and tells the application of it.
    #[inline]
    pub(super) fn deliver_symbol(
        &mut self,
        now: Instant,
        index: u32,
        header: &PacketHeader,
        payload: Payload,
    ) -> SinkOutcome {
        let dedup_symbols_max = self.config.limits.dedup_symbols_max;
        let sink = self
            .sessions
            .get_mut(index)
            .sink
            .get_or_insert_with(|| Box::new(SinkSession::unannounced(dedup_symbols_max)));
        let mut is_clock_idle = false;
        if let Some(peer) = sink.clock {
            let peer = self.clocks.get(peer);
            is_clock_idle = !peer.is_probing;
            sink.set_clock(peer.estimator.offset_at(now));
        }
        let outcome = sink.on_packet(now, header, &payload);
        if let SinkOutcome::Delivered(_) = outcome {
            if let Some(order) = &mut sink.order
                && order.push(header.symbol, Instant::from_nanos(header.timestamp_ns), &payload)
            {
                self.deliver_in_order(index, header.key);
            } else if sink.deliver_events {
                let timestamp = Instant::from_nanos(header.timestamp_ns);
                let event = Event::Delivered { key: header.key, symbol: header.symbol, timestamp, payload };
                self.emit_event(event);
            }
        }
        if is_clock_idle {
            self.begin_probing(now, index);
        }
        outcome
    }

    #[inline]
    pub(super) fn acknowledge_when(&mut self, now: Instant, index: u32, due: AckDue) {
        match due {
            AckDue::Waiting => {}
            AckDue::Now => self.acknowledge(now, index),
            AckDue::After(delay) => self.arm_ack_timer(now + delay, index),
        }
    }

    /// Hands the copies of a packet of this node to the feeders of a flow's branches.
    #[inline]
    pub(super) fn push_branches(
        &mut self,
        now: Instant,
        branches: &[FlowBranch],
        parts: &Copies<'_>,
        payload: Payload,
    ) {
        self.stats.originated_packets += 1;
        self.stats.copied_packets += branches.len() as u64 - 1;
        for branch in branches {
            let Copies { fixed, header, coding, previous } = parts;
            let pathlet = branch.pathlet.as_ref();
            let bytes = queued_bytes(fixed.len() + pathlet.len() + coding.len() + payload.len());
            let is_taken = self.put(now, branch.hop, header, bytes, |slot| {
                write_header(slot, fixed, pathlet, coding);
                slot.payload.clone_from(&payload);
                slot.previous = *previous;
            });
            if !is_taken {
                self.refused(now, bytes, pathlet, parts);
            }
            self.open_hop(now, branch.hop);
            self.mark_ready(branch.hop);
        }
    }

    /// Has the feeder of `next` queue a packet of `bytes` bytes, whose header and payload `write` puts into its slot;
    /// whether it was taken, or else refused.
    #[inline]
    pub(super) fn put(
        &mut self,
        now: Instant,
        next: HopIndex,
        header: &PacketHeader,
        bytes: u32,
        write: impl FnOnce(&mut QueuedPacket),
    ) -> bool {
        let lane = if header.flags.contains(PacketFlags::BULK) { Lane::Bulk } else { Lane::Live };
        let dropped = &mut self.dropped;
        let hop = &mut self.hops[next.0 as usize];
        let bytes = bytes + sealing_bytes(hop.kind, self.config.seal_bytes) as u32;
        // A control hop has no feeder, and takes no packets.
        let Some(feeder) = &mut hop.feeder else { return false };
        let slot = feeder.push(header.key.conference, lane, bytes, &mut |packet, bytes| {
            dropped.push(DroppedPacket {
                key: packet.key,
                flow: packet.flow,
                previous: packet.previous,
                bytes,
                header: packet.header.clone(),
            });
        });
        let Some(slot) = slot else { return false };
        write(slot);
        slot.key = header.key;
        slot.flow = header.flow;
        if lane == Lane::Bulk
            && let Some(previous) = slot.previous
        {
            let (used, limit) = feeder.lane_use(header.key.conference, lane);
            if used >= limit / 2 {
                self.tell_pressure(now, next, header.key.conference, previous);
            }
        }
        if !self.dropped.is_empty() {
            self.on_dropped(now);
        }
        true
    }
}

/// Returns what sealing adds to a packet on a hop of a kind: `seal_bytes` where frames are datagrams.
#[inline]
pub(super) const fn sealing_bytes(kind: HopKind, seal_bytes: u16) -> usize {
    match kind {
        HopKind::Datagram | HopKind::Paced => seal_bytes as usize,
        HopKind::Stream | HopKind::Control => 0,
    }
}

/// Returns what a packet of `bytes` bytes counts for in a feeder: all that it takes on the link, unless that is sealed.
#[inline]
pub(super) fn queued_bytes(bytes: usize) -> u32 {
    (FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + UDP_IP_BYTES + bytes) as u32
}

#[inline]
pub(super) fn write_header(slot: &mut QueuedPacket, fixed: &[u8], pathlet: &[u8], coding: &[u8]) {
    let fits = slot.header.write(fixed.len(), |out| out.copy_from_slice(fixed), pathlet, coding);
    debug_assert!(fits, "routing headers and coding headers are checked when they come in");
}
