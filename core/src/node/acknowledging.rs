//! Acknowledgements: a destination sends them, nodes pass them on by the ways back, and the source takes them.

use crate::hop::Hop;
use crate::ids::{Epoch, FlowId, HopIndex, NodeId, SessionKey};
use crate::io::HopKind;
use crate::node::Node;
use crate::node::dispatch::{queued_bytes, write_header};
use crate::node::receive::Packet;
use crate::node::timers::Timer;
use crate::payload::Payload;
use crate::reliable::AckTaken;
use crate::stats::Drop;
use crate::time::Instant;
use crate::wire::acknowledgement::{ACK_BYTES_MAX, Acknowledgement, Ranges};
use crate::wire::control::ControlBody;
use crate::wire::packet::{PACKET_FIXED_BYTES, PacketFlags, PacketHeader};
use crate::wire::routing::{DEPTH_MAX, PATHLET_HEADER_BYTES};

/// Acknowledgements are written into pieces of memory of this size.
const ACK_CHUNK_BYTES: usize = 16 << 10;

impl Node {
    /// Acknowledgements go from node to node by the ways back, until one of them is the source.
    pub(super) fn take_acknowledgement(&mut self, now: Instant, hop: HopIndex, packet: &Packet<'_>) {
        let key = packet.header.key;
        let Some(index) = self.sessions.find(key) else {
            self.stats.drop_packets(Drop::NoWayBack, 1);
            return;
        };
        let entry = self.sessions.get_mut(index);
        if entry.is_over {
            self.stats.drop_packets(Drop::ConferenceEnded, 1);
            return;
        }
        let Some(source) = &mut entry.source else {
            self.pass_acknowledgement(now, index, hop, packet);
            return;
        };
        self.stats.absorbed_packets += 1;
        if source.reliable.is_none() && source.coded.is_none() {
            return;
        }
        let parsed = match packet.body.share_payload() {
            Payload::Bytes(bytes) => Acknowledgement::parse(&bytes).ok(),
            Payload::Synthetic(_) | Payload::Coded { .. } => None,
        };
        let Some(sender) = &mut source.reliable else {
            source.on_rank(packet.header.epoch, parsed);
            return;
        };
        match parsed {
            Some(Acknowledgement::Ranges(ack)) if packet.header.epoch == source.epoch => {
                let taken = sender.on_ack(now, &ack, source.next_packet);
                if let AckTaken::Restarted(node) = taken {
                    source.begin_again(now, node);
                }
                if taken != AckTaken::Refused {
                    self.tell_begin(now, index, &ack);
                    self.run_source(now, index);
                }
            }
            _ => sender.stats.refused_acks += 1,
        }
    }

    fn pass_acknowledgement(&mut self, now: Instant, index: u32, from: HopIndex, packet: &Packet<'_>) {
        // The index of an acknowledgement counts the nodes that passed it on.
        let header = PacketHeader { index: packet.header.index.saturating_add(1), ..packet.header };
        let way = self.ack_way(index, header.flow, Some(from));
        let Some(way) = way.filter(|_| header.index < DEPTH_MAX as u32) else {
            self.stats.drop_packets(Drop::NoWayBack, 1);
            return;
        };
        self.stats.forwarded_packets += 1;
        self.send_ack(now, way, &header, packet.body.share_payload());
    }

    /// Returns the hop on which acknowledgements of a flow go on: the flow's own way back, or else that of another
    /// flow; never back to where one came from.
    fn ack_way(&mut self, index: u32, flow: FlowId, from: Option<HopIndex>) -> Option<HopIndex> {
        let sender = from.map(|from| self.hops[from.0 as usize].peer);
        let way = {
            let relay = &self.sessions.get(index).relay;
            let mut ways = relay.way_back(flow).into_iter().chain(relay.all_ways_back());
            ways.find(|way| Some(self.hops[way.0 as usize].peer) != sender)?
        };
        // A session that was only announced is known by its control hop.
        let Hop { peer: node, kind, .. } = &self.hops[way.0 as usize];
        let (node, kind) = (*node, *kind);
        let known = from.map(|from| self.hops[from.0 as usize].kind);
        match (kind, known) {
            (HopKind::Control, Some(kind)) => self.try_hop(node, kind),
            (HopKind::Control, None) => None,
            _ => Some(way),
        }
    }

    fn send_ack(&mut self, now: Instant, way: HopIndex, header: &PacketHeader, payload: Payload) {
        let pathlet = ack_pathlet(self.hops[way.0 as usize].peer);
        let mut fixed = [0; PACKET_FIXED_BYTES];
        header.emit(&mut fixed);
        let bytes = queued_bytes(fixed.len() + pathlet.len() + payload.len());
        let is_taken = self.put(now, way, header, bytes, |slot| {
            write_header(slot, &fixed, &pathlet, &[]);
            slot.payload = payload;
            slot.previous = None;
        });
        if !is_taken {
            self.stats.drop_packets(Drop::Refused, 1);
        }
        self.open_hop(now, way);
        self.mark_ready(way);
    }

    /// The delay of an acknowledgement is over.
    pub(super) fn on_ack_timer(&mut self, now: Instant, index: u32) {
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let Some(receiver) = &mut sink.receiver else {
            self.report_arrived(now, index);
            return;
        };
        receiver.timer = None;
        if receiver.is_due() {
            self.acknowledge(now, index);
        }
    }

    pub(super) fn arm_ack_timer(&mut self, at: Instant, index: u32) {
        let id = self.timers.set(at, Timer::Acknowledge(index));
        if let Some(sink) = &mut self.sessions.get_mut(index).sink
            && let Some(receiver) = &mut sink.receiver
        {
            receiver.timer = Some(id);
        }
    }

    /// Sends an acknowledgement of everything that has come.
    pub(super) fn acknowledge(&mut self, now: Instant, index: u32) {
        let (id, incarnation) = (self.config.id, self.config.incarnation);
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(sink) = &mut entry.sink else { return };
        let Some((epoch, flow, ack)) = sink.acknowledge(now, id, incarnation) else { return };
        self.send_own_ack(now, index, (key, epoch, flow), &Acknowledgement::Ranges(ack));
    }

    /// Sends an acknowledgement of this node along the way back of `flow`.
    pub(super) fn send_own_ack(
        &mut self,
        now: Instant,
        index: u32,
        (key, epoch, flow): (SessionKey, Epoch, FlowId),
        ack: &Acknowledgement,
    ) {
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let number = sink.stats.acks;
        sink.stats.acks += 1;
        let Some(way) = self.ack_way(index, flow, None) else {
            if let Some(sink) = &mut self.sessions.get_mut(index).sink {
                sink.stats.wayless_acks += 1;
            }
            return;
        };
        if self.ack_bytes.capacity() < ACK_BYTES_MAX {
            self.ack_bytes.reserve(ACK_CHUNK_BYTES);
        }
        ack.emit_into(&mut self.ack_bytes);
        let payload = Payload::Bytes(self.ack_bytes.split().freeze());
        let header = PacketHeader {
            key,
            epoch,
            flow,
            number,
            symbol: 0,
            timestamp_ns: now.as_nanos(),
            flags: PacketFlags::ACKNOWLEDGEMENT,
            object: 0,
            index: 0,
            count: 1,
        };
        self.stats.originated_packets += 1;
        self.send_ack(now, way, &header, payload);
    }

    /// Tells a destination with which symbol the session begins for it, if it seems not to know.
    fn tell_begin(&mut self, now: Instant, index: u32, ack: &Ranges) {
        let entry = self.sessions.get_mut(index);
        let key = entry.key;
        let Some(source) = &mut entry.source else { return };
        let epoch = source.epoch;
        let (Some(sender), Some(list)) = (&mut source.reliable, &source.flows) else { return };
        let Some((slot, symbol)) = sender.unknown_begin(now, ack) else { return };
        let Some(branch) = sender.branches_to(list, slot).first() else { return };
        let pathlet = branch.pathlet.clone();
        // What cannot go is counted as dropped; the next acknowledgement asks again.
        let _ = self.send_along(now, &pathlet, &ControlBody::Begin { key, epoch, symbol });
    }

    /// The source says with which symbol a session begins here.
    pub(super) fn begin_sink(&mut self, key: SessionKey, epoch: Epoch, symbol: u64) {
        let Some(index) = self.sessions.find(key) else { return };
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        if sink.epoch() == Some(epoch) {
            sink.begin_coded(symbol);
        }
        if sink.epoch().is_none_or(|known| known == epoch)
            && let Some(order) = &mut sink.order
        {
            order.begin_at(symbol);
            self.deliver_in_order(index, key);
        }
    }

    pub(super) fn drop_ack_timer(&mut self, index: u32) {
        let Some(sink) = &mut self.sessions.get_mut(index).sink else { return };
        let receiver = sink.receiver.as_mut().and_then(|receiver| receiver.timer.take());
        let arrived = sink.arrived.as_mut().and_then(|arrived| arrived.timer.take());
        for id in [receiver, arrived].into_iter().flatten() {
            self.timers.cancel(id);
        }
    }
}

/// Returns the Pathlet of an acknowledgement on its way to `node`.
fn ack_pathlet(node: NodeId) -> [u8; PATHLET_HEADER_BYTES] {
    let [n0, n1, n2, n3] = (node.get() | 1 << 31).to_be_bytes();
    [0, PATHLET_HEADER_BYTES as u8, n0, n1, n2, n3]
}
