//! What a destination of a reliable session does besides: order and acknowledgements.

use super::SinkSession;
use crate::ids::{Epoch, FlowId, Incarnation, NodeId};
use crate::reliable::{AckDue, ReliableConfig};
use crate::time::Instant;
use crate::wire::acknowledgement::Ranges;
use crate::wire::coding::JoinedPacket;
use crate::wire::packet::PacketHeader;

impl SinkSession {
    /// Notes a packet for acknowledgements, and says when the next one is due.
    #[inline]
    pub(crate) fn on_reliable(
        &mut self,
        now: Instant,
        packet: &PacketHeader,
        joined: Option<JoinedPacket>,
        is_new: bool,
        config: &ReliableConfig,
    ) -> AckDue {
        let Some(receiver) = &mut self.receiver else { return AckDue::Waiting };
        if self.epoch != Some(packet.epoch) {
            return AckDue::Waiting;
        }
        if let Some(JoinedPacket { flow, number }) = joined {
            receiver.on_joined(now, flow, number);
        }
        receiver.on_packet(now, packet.flow, packet.number, is_new, config)
    }

    /// Returns the acknowledgement of what has come so far, and the flow whose way back it takes; `None`: nothing came,
    /// or nothing is promised.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        node: NodeId,
        incarnation: Incarnation,
    ) -> Option<(Epoch, FlowId, Ranges)> {
        let receiver = self.receiver.as_mut()?;
        let (epoch, flow) = (self.epoch?, receiver.newest_flow()?);
        let slots = self.coded.as_ref().and_then(|coded| coded.slots());
        Some((epoch, flow, receiver.acknowledge(now, slots.unwrap_or(&self.window), node, incarnation)))
    }
}
