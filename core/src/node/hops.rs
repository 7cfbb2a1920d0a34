//! The table of hops: they come into being on first use.

use crate::hop::{Hop, Pacer, Pacing, Room};
use crate::ids::{HopIndex, NodeId};
use crate::io::{Event, HopKind, InputError};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::time::Instant;

impl Node {
    /// Returns the index of the hop of kind `kind` to `peer`, which comes into being here unless it is there.
    pub fn hop(&mut self, peer: NodeId, kind: HopKind) -> HopIndex {
        let name = u64::from(peer.get()) << 2 | kind as u64;
        if let Some(index) = self.hop_index.get(&name) {
            return HopIndex(*index);
        }
        let index = HopIndex(self.hops.len() as u32);
        let mut hop = Hop::new(peer, kind, self.connection_id(index, 0), self.config.feeder);
        if kind == HopKind::Datagram {
            let pacing = &self.config.pacing;
            let rate = pacing.rates.get(&peer).copied().or(pacing.default_rate);
            hop.pacer = rate.map(|rate| Pacer::new(rate, pacing.quantum));
        }
        if kind == HopKind::Paced {
            let name = u64::from(self.config.id.get()) << 32 | u64::from(peer.get());
            hop.pacing = Some(Box::new(Pacing::new(&self.config.congestion, self.now, name)));
        }
        if let Some(feeder) = &mut hop.feeder {
            for (conference, (weight, priority)) in &self.conference_settings {
                feeder.configure(*conference, *weight, *priority);
            }
        }
        self.hops.push(hop);
        self.hop_index.insert(name, index.0);
        index
    }

    /// As [`Node::hop`], but makes no more hops than [`Limits::hops_max`](crate::config::Limits::hops_max): for
    /// those that bytes from the network ask for.
    #[inline]
    pub(super) fn try_hop(&mut self, peer: NodeId, kind: HopKind) -> Option<HopIndex> {
        let name = u64::from(peer.get()) << 2 | kind as u64;
        match self.hop_index.get(&name) {
            Some(index) => Some(HopIndex(*index)),
            None if self.hops.len() >= self.config.limits.hops_max => None,
            None => Some(self.hop(peer, kind)),
        }
    }

    /// Connection ids differ between starts of the node, hops, and renewals of a hop; they are never zero.
    fn connection_id(&self, index: HopIndex, renewals: u16) -> u32 {
        let incarnation = self.config.incarnation.0 & 0xFF;
        incarnation << 24 | u32::from(renewals & 0xFF) << 16 | (index.0 + 1) & 0xFFFF
    }

    #[inline]
    pub(super) fn hop_mut(&mut self, index: HopIndex) -> &mut Hop {
        &mut self.hops[index.0 as usize]
    }

    pub(super) fn known_hop(&self, index: HopIndex) -> Result<(), InputError> {
        if (index.0 as usize) < self.hops.len() { Ok(()) } else { Err(InputError::UnknownHop(index)) }
    }

    /// Puts a hop on the list of those that may have something to send.
    #[inline]
    pub(super) fn mark_ready(&mut self, index: HopIndex) {
        let hop = &mut self.hops[index.0 as usize];
        if !hop.is_ready {
            hop.is_ready = true;
            self.ready.push_back(index);
        }
    }

    /// Opens a hop unless it is open or opening.
    #[inline]
    pub(super) fn open_hop(&mut self, now: Instant, index: HopIndex) {
        let hop = &mut self.hops[index.0 as usize];
        if hop.handshake.peer().is_none() {
            hop.handshake.open(now);
            let (peer, kind) = (hop.peer, hop.kind);
            self.mark_ready(index);
            if self.config.failover.is_some() && kind != HopKind::Control {
                self.watch_peer(now, peer);
            }
        }
    }

    /// Sets the hop's timer to the earliest thing that it waits for.
    pub(super) fn arm_hop(&mut self, index: HopIndex, pace: Option<Instant>) {
        let hop = &mut self.hops[index.0 as usize];
        let control = hop.control.as_ref().and_then(|control| control.deadline());
        let pacing = hop.pacing.as_ref().and_then(|pacing| pacing.deadline());
        // While there is no room nothing can be repeated: whoever grants room wakes the hop.
        let wanted = if hop.room.allows() {
            [pace, hop.handshake.deadline(), control, pacing].into_iter().flatten().min()
        } else {
            None
        };
        if hop.timer.map(|(_, at)| at) == wanted {
            return;
        }
        if let Some((id, _)) = hop.timer.take() {
            self.timers.cancel(id);
        }
        if let Some(at) = wanted {
            let id = self.timers.set(at, Timer::Hop(index));
            self.hops[index.0 as usize].timer = Some((id, at));
        }
    }

    /// What is below a stream hop is there: begin the hello exchange on it.
    pub(super) fn handle_opened(&mut self, now: Instant, index: HopIndex) -> Result<(), InputError> {
        self.known_hop(index)?;
        self.open_hop(now, index);
        self.mark_ready(index);
        Ok(())
    }

    /// What is below a hop is gone: packets stay queued, the next hello opens it anew.
    pub(super) fn handle_closed(&mut self, now: Instant, index: HopIndex) -> Result<(), InputError> {
        self.known_hop(index)?;
        self.renew_connection(now, index);
        let hop = self.hop_mut(index);
        if hop.kind == HopKind::Stream {
            hop.room = Room::Blocked;
            hop.reassembler = Some(Box::new(crate::wire::stream::StreamReassembler::new(
                crate::hop::STREAM_FRAME_BYTES_MAX,
            )));
        }
        let (peer, kind) = (hop.peer, hop.kind);
        self.emit_event(Event::HopClosed { peer, kind });
        Ok(())
    }

    /// Starts a hop anew under another connection id.
    pub(super) fn renew_connection(&mut self, now: Instant, index: HopIndex) {
        let renewals = self.hops[index.0 as usize].renewals.wrapping_add(1);
        let connection = self.connection_id(index, renewals);
        let hop = self.hop_mut(index);
        hop.renewals = renewals;
        hop.received_number = 0;
        hop.handshake.reset(now, connection);
        if let Some(control) = &mut hop.control {
            control.reset();
        }
        self.mark_ready(index);
    }

    /// The driver granted room, or (`None`) is blocked.
    pub(super) fn handle_room(&mut self, index: HopIndex, granted: Option<u64>) -> Result<(), InputError> {
        self.known_hop(index)?;
        let hop = self.hop_mut(index);
        match granted {
            None => hop.room = Room::Blocked,
            Some(bytes) if hop.kind == HopKind::Stream => hop.room.grant(bytes),
            Some(_) => hop.room = Room::Open,
        }
        self.mark_ready(index);
        Ok(())
    }
}
