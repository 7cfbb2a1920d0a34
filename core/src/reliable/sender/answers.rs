//! What destinations and time tell a reliable source: acknowledgements, losses, timeouts, leases.

use super::super::destination::Destination;
use super::super::flow::slots;
use super::{Sender, usable_span};
use crate::ids::NodeId;
use crate::time::{Duration, Instant};
use crate::wire::acknowledgement::Ranges;

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckTaken {
    /// It was taken.
    Taken,
    /// It was taken; the destination has started again, and forgotten everything.
    Restarted(NodeId),
    /// No destination can have meant it: nothing changed but a count.
    Refused,
}

impl Sender {
    /// Takes an acknowledgement; `next_packet`: the first packet number that was never used.
    pub fn on_ack(&mut self, now: Instant, ack: &Ranges, next_packet: u64) -> AckTaken {
        self.stats.acks += 1;
        let (next, top) = (self.next_symbol(), self.top);
        let is_possible = ack.cumulative <= top
            && ack.arrived_to() <= top
            && ack.flows().iter().all(|count| count.highest < next_packet);
        let Some(slot) = self.slot_of(ack.node).filter(|_| is_possible) else {
            self.stats.refused_acks += 1;
            return AckTaken::Refused;
        };
        let Some(destination) = &mut self.destinations[slot] else { return AckTaken::Refused };
        let mut taken = AckTaken::Taken;
        match destination.incarnation {
            Some(known) if ack.incarnation < known => {
                self.stats.refused_acks += 1;
                return AckTaken::Refused;
            }
            Some(known) if ack.incarnation > known => {
                // It started again and has nothing; it is owed what is still held.
                let node = destination.node;
                *destination = Destination::new(now, node, self.base, self.span);
                (self.base..next).for_each(|symbol| destination.want(symbol));
                self.flows.iter_mut().for_each(|flow| flow.forget(slot));
                self.set_slots();
                taken = AckTaken::Restarted(node);
            }
            _ => {}
        }
        let Some(destination) = &mut self.destinations[slot] else { return AckTaken::Refused };
        destination.incarnation = Some(ack.incarnation);
        destination.heard_at = now;
        destination.span = usable_span(u64::from(ack.span)).min(self.span);
        for (first, end) in ack.runs() {
            destination.on_range(first, end);
        }
        destination.advance(ack.cumulative);
        let mut lost = core::mem::take(&mut self.lost);
        for count in ack.flows() {
            let Some(flow) = self.flows.iter_mut().find(|flow| flow.id == count.flow) else { continue };
            let sound = flow.on_highest(now, slot, *count, destination, ack, &mut lost);
            self.stats.refused_acks += u64::from(!sound);
        }
        self.stats.lost_packets += lost.len() as u64;
        // What is no longer held is taken from the content once more.
        for symbol in lost.drain(..).filter(|symbol| (self.base..next).contains(symbol)) {
            destination.want(symbol);
        }
        self.lost = lost;
        self.find_suspects();
        self.drop_flows();
        self.release();
        taken
    }

    /// Does what is due by time. Returns the destinations whose lease is over; they are still here.
    pub fn on_timer(&mut self, now: Instant) -> Vec<NodeId> {
        let mut expired = Vec::new();
        let next = self.next_symbol();
        let mut lost = core::mem::take(&mut self.lost);
        for slot in slots(self.present) {
            let Some(destination) = &mut self.destinations[slot] else { continue };
            for flow in &mut self.flows {
                if flow.deadline(slot, &self.config).is_some_and(|at| at <= now) {
                    self.stats.timeouts += 1;
                    flow.on_timeout(now, slot, destination, &self.config, &mut lost);
                }
            }
            self.stats.lost_packets += lost.len() as u64;
            for symbol in lost.drain(..).filter(|symbol| (self.base..next).contains(symbol)) {
                destination.want(symbol);
            }
            let lacks = destination.first_missing() < next;
            if lacks && now.saturating_since(destination.heard_at) >= self.config.lease {
                self.stats.expired += 1;
                expired.push(destination.node);
            }
        }
        self.lost = lost;
        self.find_suspects();
        self.drop_flows();
        expired
    }

    /// Hops of the flow at `place` of the flow list are down, and it reaches only `reached` (sorted): what is under way on it
    /// to others is sent again.
    pub fn give_up(&mut self, now: Instant, place: usize, reached: &[NodeId]) {
        let Some(at) = self.by_place.get(place).copied() else { return };
        let next = self.next_symbol();
        let mut lost = core::mem::take(&mut self.lost);
        for slot in slots(self.present & self.flows[at].reach) {
            let Some(destination) = &mut self.destinations[slot] else { continue };
            if reached.binary_search(&destination.node).is_ok() {
                continue;
            }
            self.flows[at].give_up(now, slot, destination, &mut lost);
            self.stats.lost_packets += lost.len() as u64;
            for symbol in lost.drain(..).filter(|symbol| (self.base..next).contains(symbol)) {
                destination.want(symbol);
            }
        }
        self.lost = lost;
        self.find_suspects();
    }

    /// The hops of the flow at `place` are up again: it is tried at once.
    pub fn revive(&mut self, place: usize) {
        let Some(at) = self.by_place.get(place).copied() else { return };
        let present = self.present;
        slots(present).for_each(|slot| self.flows[at].give_up_probes(slot));
    }

    /// Returns when [`Self::on_timer`] is to be called; `is_waiting`: a new symbol waits to be sent. `None`: nothing is
    /// owed, nor waits for what is under way to be given up.
    pub fn deadline(&mut self, now: Instant, is_waiting: bool) -> Option<Instant> {
        if self.held.is_empty() && !is_waiting {
            return None;
        }
        // Also where nothing is under way, because queues are full: they may never empty, and leases end.
        let mut next = now + Duration::from_millis(200).max(self.config.timeout_min);
        for slot in slots(self.present) {
            for flow in &mut self.flows {
                if let Some(at) = flow.deadline(slot, &self.config) {
                    next = next.min(at);
                }
            }
        }
        Some(next.max(now + Duration::from_millis(1)))
    }
}
