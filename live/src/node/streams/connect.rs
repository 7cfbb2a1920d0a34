//! Connections come and go: dialling, letting in, replacing, losing.

use super::verdict::{Claim, Verdict, verdict};
use super::{Open, REDIAL_FIRST, STRANGE_CONNECTIONS_MAX, StreamNews, Streams};
use crate::net::{TcpPipe, accept, connect};
use crate::node::engine::Engine;
use crate::node::peers::Slot;
use crate::seal::Sealing;
use crate::seal::trust::KeyHash;
use bellini_core::io::{HopKind, Input};
use bellini_core::time::Instant;
use bellini_core::wire::preface::Preface;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant as HostInstant};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// How long a connection may take to be made, or to say who it is.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Most distance of attempts.
pub(super) const REDIAL_MAX: Duration = Duration::from_secs(5);
/// What the side that had dialled is given before the other one does.
const YIELD_TO_DIALLER: Duration = Duration::from_secs(1);
/// A connection whose bytes are not acknowledged for so long is broken.
const SILENCE_MAX: Duration = Duration::from_secs(10);

impl Streams {
    /// Makes sure that a connection to the peer is there or on its way.
    pub(in crate::node) fn want(&mut self, engine: &Engine, slot: Slot) {
        let link = self.link(slot);
        if link.open.is_none() && link.dial.is_none() {
            self.dial(engine, slot, Duration::ZERO);
        }
    }

    /// The peer is somewhere else now: an attempt to reach it where it was is given up.
    pub(in crate::node) fn moved(&mut self, engine: &Engine, slot: Slot) {
        let link = self.link(slot);
        link.redial = REDIAL_FIRST;
        if let Some(dial) = link.dial.take() {
            dial.abort();
            self.dial(engine, slot, Duration::ZERO);
        }
    }

    fn dial(&mut self, engine: &Engine, slot: Slot, after: Duration) {
        if self.is_closing {
            return;
        }
        if self.seals.is_some() {
            self.link(slot).dial = self.dial_sealed(engine, slot, after, true);
            return;
        }
        let to = engine.peers.get(slot).addresses.data;
        let (from, own, options) = (self.bind, self.own, self.options.clone());
        let reporter = self.reporter.clone();
        let attempt = tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let dialled = connect(to, Some(from), DIAL_TIMEOUT, own, &options).await;
            // The node may have ended.
            let _ = reporter.send(StreamNews::Dialled(slot, Box::new(dialled)));
        });
        self.link(slot).dial = Some(attempt.abort_handle());
    }

    /// Acts on what [`Self::next`] returned.
    pub(in crate::node) fn act(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        sealing: Option<&mut Sealing>,
        news: StreamNews,
    ) -> io::Result<()> {
        match news {
            StreamNews::Ready => {}
            StreamNews::Coming(stream, from) => self.welcome(engine, sealing, stream, from),
            StreamNews::Offered(offer) => {
                if let Some(sealing) = sealing {
                    self.offered(now, engine, sealing, *offer);
                }
            }
            StreamNews::Sealed(ended) => {
                if let Some(sealing) = sealing {
                    self.sealed(now, engine, sealing, *ended)?;
                }
            }
            StreamNews::Accepted(accepted) => match *accepted {
                Ok((preface, pipe)) => self.accepted(now, engine, preface, pipe)?,
                Err(_) => self.counters.refused_unreadable += 1,
            },
            StreamNews::Dialled(slot, dialled) => {
                self.link(slot).dial = None;
                match *dialled {
                    Ok(pipe) => {
                        let own = Claim { incarnation: None, dialled_by: self.own.node };
                        self.take(now, engine, slot, pipe, own, None)?;
                    }
                    Err(_) => self.failed(engine, slot),
                }
            }
        }
        Ok(())
    }

    /// An attempt has failed: the next one comes later.
    pub(super) fn failed(&mut self, engine: &Engine, slot: Slot) {
        self.counters.failed_dials += 1;
        let link = self.link(slot);
        let after = link.redial;
        link.redial = (after * 2).min(REDIAL_MAX);
        if link.open.is_none() {
            self.dial(engine, slot, after);
        }
    }

    /// Lets a connection say who it is, if it comes from where a peer is.
    fn welcome(
        &mut self,
        engine: &Engine,
        sealing: Option<&mut Sealing>,
        stream: TcpStream,
        from: SocketAddr,
    ) {
        if self.is_closing || !engine.peers.is_home(from.ip()) {
            self.counters.refused_strangers += 1;
            return;
        }
        if let Some(sealing) = sealing
            && !self.gate.admits(HostInstant::now(), from.ip())
        {
            sealing.limited(from);
            return;
        }
        self.strange.retain(|waiting| !waiting.is_finished());
        if self.strange.len() >= STRANGE_CONNECTIONS_MAX {
            self.counters.refused_slow += 1;
            self.strange.pop_front().inspect(AbortHandle::abort);
        }
        if self.seals.is_some() {
            self.welcome_sealed(stream, from);
            return;
        }
        let (options, reporter) = (self.options.clone(), self.reporter.clone());
        let reading = tokio::spawn(async move {
            let accepted = accept(stream, DIAL_TIMEOUT, &options).await;
            let _ = reporter.send(StreamNews::Accepted(Box::new(accepted)));
        });
        self.strange.push_back(reading.abort_handle());
    }

    fn accepted(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        preface: Preface,
        pipe: TcpPipe,
    ) -> io::Result<()> {
        let from = pipe.peer_addr().ip();
        let slot = engine.peers.of_node(preface.node);
        match slot.filter(|slot| engine.peers.may_come_from(*slot, from)) {
            Some(slot) if !self.is_closing => {
                let claim = Claim { incarnation: Some(preface.incarnation), dialled_by: preface.node };
                self.take(now, engine, slot, pipe, claim, None)
            }
            _ => {
                self.counters.refused_strangers += 1;
                Ok(())
            }
        }
    }

    /// Uses a connection for the hop, unless the one that is there is better.
    pub(super) fn take(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        slot: Slot,
        pipe: TcpPipe,
        claim: Claim,
        shown: Option<KeyHash>,
    ) -> io::Result<()> {
        if let Some(open) = &self.link(slot).open {
            // The peer that we connected to told who it is in its hello.
            let heard = engine.node().hops()[open.hop.0 as usize].handshake.peer();
            let known = heard.map(|peer| peer.incarnation).max(open.incarnation);
            let old = Claim { incarnation: known, dialled_by: open.dialled_by };
            match verdict(old, open.since.elapsed(), claim) {
                Verdict::Stale => {
                    self.counters.refused_stale += 1;
                    return Ok(());
                }
                Verdict::Crossed => {
                    self.counters.crossed += 1;
                    return Ok(());
                }
                Verdict::Replace => {
                    self.close(now, engine, slot)?;
                }
            }
        }
        let by_us = claim.dialled_by == self.own.node;
        if !by_us && let Some(dial) = self.link(slot).dial.take() {
            dial.abort();
        }
        watch_silence(&pipe);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
        self.ready.get_ref().0.add(&pipe, event)?;
        let hop = engine.hop(slot, HopKind::Stream);
        let room = pipe.room() as u64;
        self.link(slot).open = Some(Open {
            pipe,
            hop,
            incarnation: claim.incarnation,
            dialled_by: claim.dialled_by,
            since: HostInstant::now(),
            shown,
            is_full: false,
        });
        self.counters.opened += 1;
        self.counters.open += 1;
        // The hop exists.
        let _ = engine.input(now, Input::Opened { hop });
        let _ = engine.input(now, Input::Room { hop, bytes: room });
        // Inside TLS frames may have come with the end of the handshake: the socket does not show them.
        if shown.is_some() { self.read_one(now, engine, slot) } else { Ok(()) }
    }

    /// Closes the connection of a hop.
    fn close(&mut self, now: Instant, engine: &mut Engine, slot: Slot) -> io::Result<Option<Open>> {
        let Some(open) = self.link(slot).open.take() else { return Ok(None) };
        self.ready.get_ref().0.delete(&open.pipe)?;
        self.counters.open -= 1;
        let _ = engine.input(now, Input::Closed { hop: open.hop });
        Ok(Some(open))
    }

    /// A connection broke: close it, and see to another.
    pub(super) fn lost(&mut self, now: Instant, engine: &mut Engine, slot: Slot) -> io::Result<()> {
        let Some(open) = self.close(now, engine, slot)? else { return Ok(()) };
        let link = self.link(slot);
        let after = link.redial;
        link.redial = (after * 2).min(REDIAL_MAX);
        let by_us = open.dialled_by == self.own.node;
        if self.link(slot).dial.is_none() {
            self.dial(engine, slot, if by_us { after } else { after + YIELD_TO_DIALLER });
        }
        Ok(())
    }
}

/// Has the kernel give up on a peer that says nothing any more: it may be gone without a word.
fn watch_silence(pipe: &TcpPipe) {
    let socket = SockRef::from(pipe);
    let keepalive =
        TcpKeepalive::new().with_time(SILENCE_MAX / 2).with_interval(SILENCE_MAX / 8).with_retries(4);
    // Without it the connection works all the same.
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(SILENCE_MAX));
}
