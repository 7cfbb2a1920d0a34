//! The core of a running node, and the only places where something goes into it.
//!
//! Whatever changes the core's state passes one of the functions here, in order, with the time that it was given:
//! [`Engine::input`], [`Engine::hop`], [`Engine::finish`], [`Engine::finish_session`] and [`Engine::drain`]. Whatever
//! comes out of it passes the [`Host`] of the drain.

use super::peers::{Peers, Slot};
use crate::record::{FileSink, RecordError, RecordOptions, RecordedNode};
use bellini_core::Node;
use bellini_core::coding::Workers;
use bellini_core::config::NodeConfig;
use bellini_core::drive::{Drained, Host};
use bellini_core::ids::{HopIndex, SessionKey};
use bellini_core::io::{Command, HopKind, Input, InputError, Received, Transmit};
use bellini_core::rng::Seed;
use bellini_core::stopwatch::Stopwatch;
use bellini_core::time::Instant;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// The core, and who is behind each of its hops.
#[derive(Debug)]
pub(super) struct Engine {
    node: RecordedNode,
    pub(super) peers: Peers,
    /// The peer behind each hop, by hop index; `None`: nobody knows where it is.
    slots: Vec<Option<Slot>>,
    /// Datagrams from addresses of no peer, which were dropped.
    pub(super) stranger_datagrams: u64,
}

/// Who is behind each hop, while the core is drained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind<'a> {
    peers: &'a Peers,
    slots: &'a [Option<Slot>],
}

impl Behind<'_> {
    /// Returns the peer that a frame goes to, if anybody told where it is.
    #[inline]
    pub(super) fn slot(&self, frame: &Transmit<'_>) -> Option<Slot> {
        match self.slots.get(frame.hop.0 as usize) {
            Some(slot) => *slot,
            // The hop came into being in this turn.
            None => self.peers.of_node(frame.peer),
        }
    }
}

impl Engine {
    /// Starts the core, recorded to `log` if that is given.
    pub(super) fn new(
        config: NodeConfig,
        seed: Seed,
        now: Instant,
        log: Option<FileSink>,
    ) -> Result<Self, RecordError> {
        let node = match log {
            Some(sink) => {
                RecordedNode::recorded(config, seed, now, Box::new(sink), RecordOptions::default())?
            }
            None => RecordedNode::unrecorded(config, seed, now)?,
        };
        Ok(Self { node, peers: Peers::default(), slots: Vec::new(), stranger_datagrams: 0 })
    }

    /// Lets the core time single packets. No input: nothing that comes out depends on it.
    pub(super) fn set_stopwatch(&mut self, stopwatch: Stopwatch) {
        self.node.set_stopwatch(Some(stopwatch));
    }

    /// Lends the core threads. No input either.
    pub(super) fn set_workers(&mut self, workers: Arc<dyn Workers>) {
        self.node.set_workers(Some(workers));
    }

    /// The core, to be read.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Returns, once, why recording stopped.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.node.take_warning()
    }

    /// Ends the recording: the log is whole then.
    pub(super) fn end(self, now: Instant) {
        // What could not be written was said when it happened.
        let _ = self.node.end(now);
    }

    /// Gives the core an input: the only way in.
    #[inline]
    pub(super) fn input(&mut self, now: Instant, input: Input<'_>) -> Result<(), InputError> {
        self.node.handle_input(now, input)
    }

    /// Has the core hand out what it wants to send and to say: the only way out. `outlet` makes the host, which is
    /// told who is behind each hop.
    pub(super) fn drain<'a, H: Host>(
        &'a mut self,
        now: Instant,
        frames: usize,
        outlet: impl FnOnce(Behind<'a>) -> H,
    ) -> Drained {
        let behind = Behind { peers: &self.peers, slots: &self.slots };
        self.node.drain(now, frames, &mut outlet(behind))
    }

    /// Returns a peer's hop of a kind, which comes into being here unless it is there.
    #[inline]
    pub(super) fn hop(&mut self, slot: Slot, kind: HopKind) -> HopIndex {
        match self.peers.get(slot).hops[kind as usize] {
            Some(hop) => hop,
            None => self.new_hop(slot, kind),
        }
    }

    #[cold]
    fn new_hop(&mut self, slot: Slot, kind: HopKind) -> HopIndex {
        let peer = self.peers.get_mut(slot);
        let hop = self.node.hop(peer.node, kind);
        peer.hops[kind as usize] = Some(hop);
        hop
    }

    /// Judges what sinks still have open.
    pub(super) fn finish(&mut self, now: Instant) {
        self.node.finish(now);
    }

    /// Judges what the sink of one session still has open.
    pub(super) fn finish_session(&mut self, now: Instant, key: SessionKey) {
        self.node.finish_session(now, key);
    }

    /// Returns the peer that a datagram comes from. One from a stranger costs a look into the table of peers.
    #[inline]
    pub(super) fn sender(&mut self, kind: HopKind, source: SocketAddr) -> Option<Slot> {
        let slot = self.peers.of_source(kind, source);
        self.stranger_datagrams += u64::from(slot.is_none());
        slot
    }

    /// Takes a datagram of a peer in.
    #[inline]
    pub(super) fn datagram(&mut self, now: Instant, kind: HopKind, slot: Slot, bytes: Bytes) {
        let hop = self.hop(slot, kind);
        // What is wrong with a frame is counted by the core.
        let _ = self.input(now, Input::Frame { hop, frame: Received::Datagram(bytes) });
    }

    /// Gives the core a command of the node's own.
    pub(super) fn command(&mut self, now: Instant, command: Command) -> Result<(), InputError> {
        self.input(now, Input::Command(command))
    }

    /// Finds the peers behind hops that came into being since the last call, and calls `found` for each.
    #[inline]
    pub(super) fn find_new_hops(&mut self, found: impl FnMut(Slot, HopKind)) {
        if self.slots.len() < self.node.hops().len() {
            self.find_hops_from(self.slots.len(), found);
        }
    }

    /// Finds the peers behind all hops anew: others are known now.
    pub(super) fn find_all_hops(&mut self, found: impl FnMut(Slot, HopKind)) {
        self.find_hops_from(0, found);
    }

    #[cold]
    fn find_hops_from(&mut self, first: usize, mut found: impl FnMut(Slot, HopKind)) {
        self.slots.truncate(first);
        for (index, hop) in self.node.hops().iter().enumerate().skip(first) {
            let slot = self.peers.of_node(hop.peer);
            if let Some(slot) = slot {
                self.peers.get_mut(slot).hops[hop.kind as usize] = Some(HopIndex(index as u32));
                found(slot, hop.kind);
            }
            self.slots.push(slot);
        }
    }
}
