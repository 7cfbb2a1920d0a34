//! The dispatcher: a packet that arrived is delivered here, handed to feeders, or both.

use crate::feeder::Lane;
use crate::flow::FlowBranch;
use crate::header::PACKET_HEADER_BYTES_MAX;
use crate::ids::{HopIndex, SessionKey};
use crate::io::Event;
use crate::node::{DroppedPacket, Node};
use crate::payload::Payload;
use crate::session::{Delivery, SinkSession};
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use crate::wire::packet::{PacketFlags, PacketHeader};
use crate::wire::routing::PathletView;

/// What a packet's copies have in common.
pub(super) struct Copies<'a> {
    /// The fixed part of the header, as bytes.
    pub(super) fixed: &'a [u8],
    /// The same, parsed.
    pub(super) header: &'a PacketHeader,
    /// The coding header.
    pub(super) coding: &'a [u8],
    /// The payload.
    pub(super) payload: &'a Payload,
    /// The hop that the packet came on; `None` at its source.
    pub(super) previous: Option<HopIndex>,
}

impl Node {
    /// Does with a checked packet what its Pathlet says.
    #[expect(clippy::too_many_arguments, reason = "the parts of a parsed packet, on the packet path")]
    #[inline]
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        hop: HopIndex,
        fixed: &[u8],
        header: &PacketHeader,
        pathlet: PathletView<'_>,
        coding: &[u8],
        payload: Payload,
    ) {
        let Some(index) = self.session_of_packet(now, hop, header, &pathlet) else { return };
        let mut copies = 0_u64;
        let kind = self.hops[hop.0 as usize].kind;
        let parts = Copies { fixed, header, coding, payload: &payload, previous: Some(hop) };
        for (nested, node) in pathlet.children() {
            copies += 1;
            // A Pathlet alone fits the header buffer, but a coding header comes on top.
            if fixed.len() + nested.len() + coding.len() > PACKET_HEADER_BYTES_MAX {
                self.stats.drop_packets(Drop::TooLarge, 1);
                continue;
            }
            match self.try_hop(node, kind) {
                Some(next) => self.push_copy(now, next, nested, &parts),
                None => self.stats.drop_packets(Drop::TableFull, 1),
            }
        }
        if copies > 0 {
            self.stats.forwarded_packets += 1;
            let relay = &mut self.sessions.get_mut(index).relay;
            relay.packets += 1;
            relay.bytes += payload.len() as u64;
        }
        if pathlet.deliver {
            self.stats.copied_packets += copies;
            self.deliver(now, index, header, payload);
        } else {
            self.stats.copied_packets += copies.saturating_sub(1);
        }
    }

    /// Returns the entry of the packet's session, made on first sight; learns the way back. `None`: the packet
    /// was dropped.
    #[inline]
    fn session_of_packet(
        &mut self,
        now: Instant,
        hop: HopIndex,
        header: &PacketHeader,
        pathlet: &PathletView<'_>,
    ) -> Option<u32> {
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
            self.note_conference_hops(index, hop, pathlet);
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
    fn note_conference_hops(&mut self, index: u32, previous: HopIndex, pathlet: &PathletView<'_>) {
        let kind = self.hops[previous.0 as usize].kind;
        let mut used = vec![previous];
        used.extend(pathlet.children().filter_map(|(_, node)| self.try_hop(node, kind)));
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
        match sink.on_packet(now, header, &payload) {
            Delivery::Delivered(_) => {
                self.stats.delivered_packets += 1;
                if sink.deliver_events {
                    let timestamp = Instant::from_nanos(header.timestamp_ns);
                    let event =
                        Event::Delivered { key: header.key, symbol: header.symbol, timestamp, payload };
                    self.emit_event(event);
                }
            }
            Delivery::Duplicate => self.stats.duplicate_packets += 1,
            Delivery::Late => self.stats.drop_packets(Drop::Late, 1),
        }
        if is_clock_idle {
            self.begin_probing(now, index);
        }
    }

    /// Hands the copies of a packet of this node to the feeders of a flow's branches.
    #[inline]
    pub(super) fn push_branches(&mut self, now: Instant, branches: &[FlowBranch], parts: &Copies<'_>) {
        self.stats.originated_packets += 1;
        self.stats.copied_packets += branches.len() as u64 - 1;
        for branch in branches {
            self.push_copy(now, branch.hop, &branch.pathlet, parts);
        }
    }

    /// Puts one copy into the feeder of `next`.
    #[inline]
    fn push_copy(&mut self, now: Instant, next: HopIndex, pathlet: &[u8], parts: &Copies<'_>) {
        let Copies { fixed, header, coding, payload, previous } = parts;
        let size = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + UDP_IP_BYTES;
        let bytes = (size + fixed.len() + pathlet.len() + coding.len() + payload.len()) as u32;
        let lane = if header.flags.contains(PacketFlags::BULK) { Lane::Bulk } else { Lane::Live };
        let dropped = &mut self.dropped;
        let hop = &mut self.hops[next.0 as usize];
        let Some(feeder) = &mut hop.feeder else { return };
        let slot = feeder.push(header.key.conference, lane, bytes, &mut |packet, bytes| {
            dropped.push(DroppedPacket {
                key: packet.key,
                flow: packet.flow,
                previous: packet.previous,
                bytes,
                header: packet.header.clone(),
            });
        });
        match slot {
            Some(slot) => {
                let emit = |out: &mut [u8]| out.copy_from_slice(fixed);
                let fits = slot.header.write(fixed.len(), emit, pathlet, coding);
                debug_assert!(fits, "routing headers and coding headers are checked when they come in");
                slot.payload.clone_from(payload);
                slot.key = header.key;
                slot.flow = header.flow;
                slot.previous = *previous;
            }
            None => self.refused(now, next, bytes, pathlet, parts),
        }
        if !self.dropped.is_empty() {
            self.on_dropped(now);
        }
        self.open_hop(now, next);
        self.mark_ready(next);
    }
}
