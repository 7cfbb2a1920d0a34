//! Overflow of feeders: counting, and telling all nodes involved.
//!
//! The source hears of it over the way on which the packets came, hop by hop, relays on the way take note, and the
//! destinations hear of it along the route that the dropped packet still had before it. Notices about one session
//! keep a least distance; what is dropped in between is told with the next.

use crate::header::HeaderBuf;
use crate::ids::SessionKey;
use crate::io::{Event, PolicyReason};
use crate::node::dispatch::Copies;
use crate::node::timers::Timer;
use crate::node::{DroppedPacket, Node};
use crate::session::OverflowState;
use crate::stats::Drop;
use crate::time::{Duration, Instant};
use crate::wire::control::ControlBody;
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};

/// Least distance of policy questions because of overflow, for one session.
const POLICY_INTERVAL: Duration = Duration::from_secs(5);

impl Node {
    /// A feeder refused a packet.
    #[cold]
    pub(super) fn refused(&mut self, now: Instant, bytes: u32, pathlet: &[u8], parts: &Copies<'_>) {
        self.stats.drop_packets(Drop::Refused, 1);
        let mut header = HeaderBuf::default();
        if parts.header.flags.contains(PacketFlags::ACKNOWLEDGEMENT) {
            return;
        }
        if header.write(parts.fixed.len(), |out| out.copy_from_slice(parts.fixed), pathlet, &[]) {
            let (key, flow) = (parts.header.key, parts.header.flow);
            self.note_overflow(now, &DroppedPacket { key, flow, previous: parts.previous, bytes, header });
        }
    }

    /// Feeders dropped packets in favour of newer ones.
    #[cold]
    pub(super) fn on_dropped(&mut self, now: Instant) {
        let mut dropped = core::mem::take(&mut self.dropped);
        self.stats.drop_packets(Drop::LiveOverflow, dropped.len() as u64);
        for packet in dropped.drain(..).filter(|packet| !is_acknowledgement(&packet.header)) {
            self.note_overflow(now, &packet);
        }
        self.dropped = dropped;
    }

    fn note_overflow(&mut self, now: Instant, packet: &DroppedPacket) {
        let Some(index) = self.sessions.find(packet.key) else { return };
        let interval = self.config.limits.overflow_notice_interval;
        let entry = self.sessions.get_mut(index);
        let state = entry.overflow.get_or_insert_with(Box::default);
        state.packets += 1;
        state.bytes += u64::from(packet.bytes);
        state.flow = packet.flow;
        state.previous = packet.previous;
        state.route.clear();
        state.route.extend_from_slice(pathlet_of(&packet.header));
        match state.told_at {
            Some(told_at) if now.saturating_since(told_at) < interval => {
                if !state.is_scheduled {
                    state.is_scheduled = true;
                    self.timers.set(told_at + interval, Timer::Overflow(packet.key));
                }
            }
            _ => self.tell_overflow(now, index),
        }
    }

    /// Tells what was held back, if there is something.
    pub(super) fn tell_held_back(&mut self, now: Instant, key: SessionKey) {
        let Some(index) = self.sessions.find(key) else { return };
        if let Some(state) = &mut self.sessions.get_mut(index).overflow {
            state.is_scheduled = false;
            if state.packets > 0 {
                self.tell_overflow(now, index);
            }
        }
    }

    fn tell_overflow(&mut self, now: Instant, index: u32) {
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(state) = &mut entry.overflow else { return };
        let OverflowState { packets, bytes, flow, previous, .. } = **state;
        let route = core::mem::take(&mut state.route);
        (state.packets, state.bytes, state.told_at) = (0, 0, Some(now));
        self.stats.overflow_notices += 1;
        let node = self.config.id;
        let dropped_packets = u32::try_from(packets).unwrap_or(u32::MAX);
        let body = ControlBody::Overflow { key, flow, node, dropped_packets, dropped_bytes: bytes };
        self.emit_event(Event::Overflow {
            key,
            flow,
            at: node,
            dropped_packets: packets,
            dropped_bytes: bytes,
        });
        if let Some(previous) = previous {
            let peer = self.hops[previous.0 as usize].peer;
            // A notice that cannot go is counted as dropped: the next one tells about later packets.
            let _ = self.send_control(now, peer, Vec::new(), body.clone());
        } else {
            self.overflow_at_source(now, index);
        }
        let _ = self.send_along(now, &route, &body);
    }

    /// The source of a session hears of an overflow.
    pub(super) fn overflow_at_source(&mut self, now: Instant, index: u32) {
        let Some(source) = &mut self.sessions.get_mut(index).source else { return };
        source.content.on_overflow(now);
        let asked = source.overflow_asked_at;
        if asked.is_none_or(|at| now.saturating_since(at) >= POLICY_INTERVAL) {
            source.overflow_asked_at = Some(now);
            self.ask_policy(now, index, PolicyReason::Overflow);
        }
    }
}

/// Whether the packet is an acknowledgement: it is no content, nobody is told that it overflowed.
fn is_acknowledgement(header: &HeaderBuf) -> bool {
    PacketHeader::parse(header.packet())
        .is_ok_and(|(header, _)| header.flags.contains(PacketFlags::ACKNOWLEDGEMENT))
}

/// Returns the routing part of a packet's header.
fn pathlet_of(header: &HeaderBuf) -> &[u8] {
    let routing = &header.packet()[PACKET_FIXED_BYTES..];
    let length = routing.first_chunk::<2>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    &routing[..length.min(routing.len())]
}
