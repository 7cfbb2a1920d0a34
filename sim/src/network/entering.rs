//! Packets enter links, pass their sending end, or are dropped there.

use super::Network;
use crate::digest::{Happened, identity};
use crate::link::{Admit, DropCause};
use crate::tap::Place;
use crate::tcp::SEGMENT_BYTES;
use bellini_core::io::{HopKind, Transmit};
use bellini_core::payload::Payload;
use bellini_core::time::Instant;
use bytes::Bytes;

impl Network {
    /// Takes a frame from a node onto a link.
    #[inline]
    pub fn send(&mut self, now: Instant, link: u32, frame: Transmit<'_>) {
        self.take(now, link, frame.header, frame.payload, frame.kind, frame.is_packet);
    }

    /// Takes a whole IP packet from a node onto a link of a network of packets ([`Network::of_packets`]). The ledger
    /// counts every such packet.
    #[inline]
    pub fn send_packet(&mut self, now: Instant, link: u32, packet: &[u8], kind: HopKind) {
        self.take(now, link, packet, Payload::Bytes(Bytes::new()), kind, true);
    }

    /// Takes a whole IP packet of others' TCP onto a link of a network of packets: it takes up queue and rate, meets
    /// delay and loss, and comes out, but counts as cross traffic. It passes neither the cap nor the processor of a
    /// node, which are our machines'. The ledger counts it.
    #[inline]
    pub fn send_cross_packet(&mut self, now: Instant, link: u32, packet: &[u8]) {
        let state = &mut self.links[link as usize];
        let bytes = packet.len() as u32 + state.pool.around();
        self.ledger.taken += 1;
        // The kind of hop is not looked at: it is none.
        let slot = state.pool.insert(packet, Payload::Bytes(Bytes::new()), HopKind::Stream, true);
        state.pool.mark_cross(slot);
        self.enter_as_cross(now, link, slot, bytes);
    }

    /// Whether a frame on a link is a packet of cross traffic.
    #[inline]
    #[must_use]
    pub fn is_cross(&self, link: u32, frame: u32) -> bool {
        self.links[link as usize].pool.is_cross(frame)
    }

    #[inline]
    pub(super) fn take(
        &mut self,
        now: Instant,
        link: u32,
        header: &[u8],
        payload: Payload,
        kind: HopKind,
        is_packet: bool,
    ) {
        let state = &mut self.links[link as usize];
        // Everything is read from the frame itself: its slot is out of the cache, and writing it can go on by itself
        // while nothing reads it back.
        let bytes = (header.len() + payload.len()) as u32 + state.pool.around();
        state.sent.0 += 1;
        state.sent.1 += u64::from(bytes);
        state.kinds |= 1 << kind as u8;
        state.hash.add(now, Happened::Sent, identity(header), 0);
        self.ledger.taken += u64::from(is_packet);
        if let Some(tap) = &mut self.tap {
            tap.look((now, Place::Sent), link, (header, payload.len()), bytes);
        }
        let from = state.from;
        let slot = state.pool.insert(header, payload, kind, is_packet);
        if self.egress[from as usize].is_some() {
            self.enter_egress(now, from, link, slot, bytes);
        } else {
            self.enter_link(now, link, slot, bytes);
        }
    }

    /// Takes a segment of TCP, described by `bytes`, onto a link. Cross traffic comes from nobody of ours: no node's
    /// shaper holds it, and it counts apart.
    pub fn send_segment(
        &mut self,
        now: Instant,
        link: u32,
        bytes: &[u8; SEGMENT_BYTES],
        wire_bytes: u32,
        is_cross: bool,
    ) {
        let state = &mut self.links[link as usize];
        state.hash.add(now, Happened::Sent, identity(bytes), 0);
        let from = state.from;
        let slot = state.pool.insert_segment(bytes, wire_bytes, is_cross);
        if is_cross {
            self.enter_as_cross(now, link, slot, wire_bytes);
            return;
        }
        state.sent.0 += 1;
        state.sent.1 += u64::from(wire_bytes);
        state.kinds |= 1 << HopKind::Stream as u8;
        if self.egress[from as usize].is_some() {
            self.enter_egress(now, from, link, slot, wire_bytes);
        } else {
            self.enter_link(now, link, slot, wire_bytes);
        }
    }

    /// Puts a segment or packet of cross traffic onto a link and counts what was taken.
    pub(super) fn enter_as_cross(&mut self, now: Instant, link: u32, frame: u32, wire_bytes: u32) {
        let before = self.links[link as usize].dropped_cross;
        self.enter_link(now, link, frame, wire_bytes);
        let state = &mut self.links[link as usize];
        // What the wire loses took up queue and rate, too, but is known at once.
        if state.dropped_cross == before {
            state.cross_segment_bytes += u64::from(wire_bytes);
        }
    }

    /// Counts packets of sessions that were lost with a connection which led over a link.
    pub fn drop_packets_of_connection(&mut self, link: u32, packets: u64, cause: DropCause) {
        self.links[link as usize].dropped[cause.index()] += packets;
        self.ledger.dropped += packets;
    }

    pub(super) fn enter_egress(&mut self, now: Instant, node: u32, link: u32, frame: u32, bytes: u32) {
        let Some(shaper) = &mut self.egress[node as usize] else { return };
        match shaper.admit(now, bytes, (link, frame)) {
            Admit::Accepted => {}
            Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                self.drop_frame(now, link, frame, cause);
            }
        }
        self.schedule_egress(node);
    }

    /// Puts a frame into the link's own queue, or into the bottleneck that it shares.
    #[inline]
    pub(super) fn enter_link(&mut self, now: Instant, link: u32, frame: u32, bytes: u32) {
        if let Some(bottleneck) = self.links[link as usize].bottleneck {
            match self.bottlenecks[bottleneck as usize].admit(now, bytes, (link, frame)) {
                Admit::Accepted => {}
                Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                    self.drop_frame(now, link, frame, cause);
                }
            }
            self.schedule_bottleneck(bottleneck);
        } else {
            self.enter_wire(now, link, frame, bytes);
        }
    }

    #[inline]
    pub(super) fn enter_wire(&mut self, now: Instant, link: u32, frame: u32, bytes: u32) {
        match self.links[link as usize].model.admit(now, bytes, frame) {
            Admit::Accepted => {}
            Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                self.drop_frame(now, link, frame, cause);
            }
        }
        self.schedule_link(link);
    }

    pub(super) fn wire_bytes(&self, link: u32, frame: u32) -> u32 {
        self.links[link as usize].pool.wire_bytes(frame)
    }

    pub(super) fn drop_frame(&mut self, now: Instant, link: u32, frame: u32, cause: DropCause) {
        let link = &mut self.links[link as usize];
        link.hash.add(now, Happened::Dropped, identity(link.pool.header(frame)), cause as u8);
        if link.pool.is_cross(frame) {
            link.dropped_cross += u64::from(cause != DropCause::Loss);
        } else {
            link.dropped[cause.index()] += 1;
        }
        self.ledger.dropped += u64::from(link.pool.is_packet(frame));
        link.pool.remove(frame);
    }
}
