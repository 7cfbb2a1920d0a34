//! Sealed connections: handshakes for frames, and for keys of datagrams alone.

use super::connect::REDIAL_MAX;
use super::verdict::Claim;
use super::{Ended, REDIAL_FIRST, StreamNews, Streams};
use crate::node::engine::Engine;
use crate::node::peers::Slot;
use crate::seal::Sealing;
use crate::seal::handshake::{self, Dial, HandshakeFault, Offer};
use crate::seal::identity::Identity;
use crate::seal::thread::HandshakeThread;
use bellini_core::time::Instant;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as HostInstant};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

impl Streams {
    /// From now on every connection is sealed.
    ///
    /// # Errors
    /// When there is no thread for handshakes.
    pub(in crate::node) fn seal(&mut self, identity: Arc<Identity>) -> io::Result<()> {
        self.seals = Some((identity, HandshakeThread::start()?));
        Ok(())
    }

    /// Makes sure that a handshake with the peer is under way, for the keys of datagrams.
    pub(in crate::node) fn want_keys(&mut self, engine: &Engine, slot: Slot) {
        let is_closing = self.is_closing;
        let keys = &self.link(slot).keys;
        // Where the one before failed, the next one comes when keys are wanted still.
        let is_early = keys.after.is_some_and(|after| HostInstant::now() < after);
        if is_closing || is_early || keys.dial.is_some() {
            return;
        }
        self.link(slot).keys.dial = self.dial_sealed(engine, slot, Duration::ZERO, false);
    }

    /// Begins a handshake with a peer.
    pub(super) fn dial_sealed(
        &mut self,
        engine: &Engine,
        slot: Slot,
        after: Duration,
        for_frames: bool,
    ) -> Option<AbortHandle> {
        let (identity, thread) = self.seals.as_ref()?;
        let identity = Arc::clone(identity);
        let peer = engine.peers.get(slot);
        let to = peer.addresses.data;
        let dial = Dial { to, from: self.bind, peer: peer.node, own: self.own, for_frames };
        let (options, reporter) = (self.options.clone(), self.reporter.clone());
        let attempt = thread.spawn(async move {
            tokio::time::sleep(after).await;
            let offer = |offer| drop(reporter.send(StreamNews::Offered(Box::new(offer))));
            let outcome = handshake::dial(&dial, &identity, &options, offer).await;
            // The node may have ended.
            let ended = Ended { slot: Some(slot), at: to, for_frames, outcome };
            let _ = reporter.send(StreamNews::Sealed(Box::new(ended)));
        });
        Some(attempt)
    }

    /// Lets a connection prove who it is.
    pub(super) fn welcome_sealed(&mut self, stream: TcpStream, from: SocketAddr) {
        let Some((identity, thread)) = &self.seals else { return };
        let identity = Arc::clone(identity);
        let (own, options, reporter) = (self.own, self.options.clone(), self.reporter.clone());
        // It moves from the runtime that accepted it to that of the other thread.
        let stream = stream.into_std();
        let proving = thread.spawn(async move {
            let offer = |offer| drop(reporter.send(StreamNews::Offered(Box::new(offer))));
            let outcome = match stream.and_then(TcpStream::from_std) {
                Ok(stream) => handshake::accept(stream, own, &identity, &options, offer).await,
                Err(error) => Err(HandshakeFault::Network(error)),
            };
            let ended = Ended { slot: None, at: from, for_frames: true, outcome };
            let _ = reporter.send(StreamNews::Sealed(Box::new(ended)));
        });
        self.strange.push_back(proving);
    }

    /// Takes the keys of a handshake, if the other end is a peer. Who is not hears nothing more.
    pub(super) fn offered(&mut self, now: Instant, engine: &Engine, sealing: &mut Sealing, offer: Offer) {
        let slot = engine.peers.of_node(offer.preface.node);
        let is_there = |slot: &Slot| offer.is_dialler || engine.peers.may_come_from(*slot, offer.from.ip());
        match slot.filter(is_there) {
            Some(slot) if !self.is_closing => sealing.take(now, slot, offer),
            _ => self.counters.refused_strangers += 1,
        }
    }

    /// A handshake has ended.
    pub(super) fn sealed(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        sealing: &mut Sealing,
        ended: Ended,
    ) -> io::Result<()> {
        let Ended { slot, at, for_frames, outcome } = ended;
        if let Some(slot) = slot {
            let link = self.link(slot);
            if for_frames {
                link.dial = None;
            } else {
                link.keys.dial = None;
                let distance = if outcome.is_ok() { REDIAL_FIRST } else { link.keys.distance };
                link.keys.distance = (distance * 2).min(REDIAL_MAX);
                link.keys.after = Some(HostInstant::now() + distance);
            }
        }
        let agreed = match outcome {
            Ok(agreed) => agreed,
            Err(fault) => {
                sealing.failed(slot.map(|slot| engine.peers.get(slot).node), at, &fault);
                match slot {
                    Some(slot) if for_frames => self.failed(engine, slot),
                    Some(slot) if !self.is_closing && sealing.is_missing(slot) => {
                        let after = self.link(slot).keys.distance / 2;
                        self.link(slot).keys.dial = self.dial_sealed(engine, slot, after, false);
                    }
                    Some(_) => {}
                    None if matches!(fault, HandshakeFault::NotPeer) => {}
                    None => self.counters.refused_unreadable += 1,
                }
                return Ok(());
            }
        };
        let Some(of) = engine.peers.of_node(agreed.preface.node) else { return Ok(()) };
        sealing.agree(of, agreed.keys);
        let Some(pipe) = agreed.pipe else { return Ok(()) };
        if self.is_closing {
            return Ok(());
        }
        let claim = match slot {
            Some(_) => Claim { incarnation: None, dialled_by: self.own.node },
            None => {
                let preface = agreed.preface;
                Claim { incarnation: Some(preface.incarnation), dialled_by: preface.node }
            }
        };
        self.take(now, engine, of, pipe, claim, Some(agreed.shown))
    }

    /// Closes connections of peers whose keys do not count any more.
    pub(in crate::node) fn close_refused(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        sealing: &Sealing,
    ) -> io::Result<()> {
        for slot in 0..self.links.len() {
            let shown = self.links[slot].open.as_ref().and_then(|open| open.shown);
            if shown.is_some_and(|shown| !sealing.counts(engine.peers.get(slot).node, shown)) {
                self.lost(now, engine, slot)?;
            }
        }
        Ok(())
    }
}
