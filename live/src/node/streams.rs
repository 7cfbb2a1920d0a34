//! The stream hops of a node: one TCP connection for each pair of nodes.
//!
//! Whoever wants the hop dials. When both do, so that their connections cross, the one that the node with the lower id
//! dialled is kept ([`verdict`]). After a connection broke, the side that had dialled it dials again, with growing
//! distances; the other side gives it a second and then does the same.

use super::engine::Engine;
use super::peers::Slot;
use super::watch::{Watched, watch};
use crate::console::StreamCounters;
use crate::net::{Arrived, DialError, TcpOptions, TcpPipe, accept, connect, listen};
use bellini_core::ids::{HopIndex, Incarnation, NodeId};
use bellini_core::io::{FrameFault, HopKind, Input, InputError, Transmit};
use bellini_core::payload::{Payload, fill};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::WireError;
use bellini_core::wire::preface::Preface;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant as HostInstant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Connections that have not said yet who they are; when there are more, the one that took longest is closed.
pub const STRANGE_CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to be made, or to say who it is.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Distances of attempts.
const REDIAL_FIRST: Duration = Duration::from_millis(100);
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// What the side that had dialled is given before the other one does.
const YIELD_TO_DIALLER: Duration = Duration::from_secs(1);
/// Connections that cross are made within so much time.
const CROSSING: Duration = Duration::from_secs(2);
/// A connection whose bytes are not acknowledged for so long is broken.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Connections served in one turn.
const READY_MAX: usize = 32;

/// Something that the stream hops wait for.
#[derive(Debug)]
pub(super) enum StreamNews {
    /// Connections have bytes, or room.
    Ready,
    /// Someone connects.
    Coming(TcpStream, SocketAddr),
    /// An attempt has ended.
    Dialled(Slot, Box<Result<TcpPipe, DialError>>),
    /// A connection said who it is.
    Accepted(Box<Result<(Preface, TcpPipe), DialError>>),
}

/// All stream hops.
#[derive(Debug)]
pub(super) struct Streams {
    own: Preface,
    bind: IpAddr,
    options: TcpOptions,
    listener: TcpListener,
    /// Ready when a connection in it is.
    ready: AsyncFd<Watched<Epoll>>,
    links: Vec<Link>,
    news: mpsc::UnboundedReceiver<StreamNews>,
    reporter: mpsc::UnboundedSender<StreamNews>,
    strange: VecDeque<AbortHandle>,
    /// Links that frames were handed out for since the last flush.
    touched: Vec<Slot>,
    is_closing: bool,
    pub(super) counters: StreamCounters,
}

/// The stream hop to one peer.
#[derive(Debug)]
struct Link {
    open: Option<Open>,
    dial: Option<AbortHandle>,
    redial: Duration,
    is_touched: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self { open: None, dial: None, redial: REDIAL_FIRST, is_touched: false }
    }
}

/// A connection in use.
#[derive(Debug)]
struct Open {
    pipe: TcpPipe,
    hop: HopIndex,
    /// What the peer said when it connected.
    incarnation: Option<Incarnation>,
    dialled_by: NodeId,
    since: HostInstant,
    /// The kernel takes no more for now.
    is_full: bool,
}

/// What is to be done with a connection when there is one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It takes the place of the other.
    Replace,
    /// It is of an earlier start of the peer.
    Stale,
    /// It crossed the other one, which stays.
    Crossed,
}

/// What counts about a connection for the choice between two.
#[derive(Clone, Copy, Debug)]
struct Claim {
    incarnation: Option<Incarnation>,
    dialled_by: NodeId,
}

/// Decides between two connections of the same pair of nodes; both sides come to the same result.
fn verdict(old: Claim, age: Duration, new: Claim) -> Verdict {
    if let (Some(old), Some(new)) = (old.incarnation, new.incarnation) {
        if new < old {
            return Verdict::Stale;
        }
        if new > old {
            return Verdict::Replace;
        }
    }
    // Later on, a peer that connects has lost the old connection, whatever we think of it.
    if old.dialled_by < new.dialled_by && age < CROSSING { Verdict::Crossed } else { Verdict::Replace }
}

impl Streams {
    /// Listens. Needs a runtime.
    pub(super) fn listen(at: SocketAddr, own: Preface, options: TcpOptions) -> io::Result<Self> {
        let (reporter, news) = mpsc::unbounded_channel();
        Ok(Self {
            own,
            bind: at.ip(),
            options,
            listener: listen(at)?,
            ready: watch(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, Interest::READABLE)?,
            links: Vec::new(),
            news,
            reporter,
            strange: VecDeque::new(),
            touched: Vec::new(),
            is_closing: false,
            counters: StreamCounters::default(),
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits until something happens.
    pub(super) async fn next(&mut self) -> io::Result<StreamNews> {
        let coming = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, from)) => return StreamNews::Coming(stream, from),
                    // A connection that was gone before it was taken, or no descriptors left: there is no more to do
                    // than to go on with those that are there.
                    Err(_) => tokio::time::sleep(REDIAL_FIRST).await,
                }
            }
        };
        tokio::select! {
            Some(news) = self.news.recv() => Ok(news),
            ready = self.ready.readable() => ready.map(|_| StreamNews::Ready),
            coming = coming => Ok(coming),
        }
    }

    /// Makes sure that a connection to the peer is there or on its way.
    pub(super) fn want(&mut self, engine: &Engine, slot: Slot) {
        let link = self.link(slot);
        if link.open.is_none() && link.dial.is_none() {
            self.dial(engine, slot, Duration::ZERO);
        }
    }

    /// The peer is somewhere else now: an attempt to reach it where it was is given up.
    pub(super) fn moved(&mut self, engine: &Engine, slot: Slot) {
        let link = self.link(slot);
        link.redial = REDIAL_FIRST;
        if let Some(dial) = link.dial.take() {
            dial.abort();
            self.dial(engine, slot, Duration::ZERO);
        }
    }

    fn link(&mut self, slot: Slot) -> &mut Link {
        if self.links.len() <= slot {
            self.links.resize_with(slot + 1, Link::default);
        }
        &mut self.links[slot]
    }

    fn dial(&mut self, engine: &Engine, slot: Slot, after: Duration) {
        if self.is_closing {
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
    pub(super) fn act(&mut self, now: Instant, engine: &mut Engine, news: StreamNews) -> io::Result<()> {
        match news {
            StreamNews::Ready => {}
            StreamNews::Coming(stream, from) => self.welcome(engine, stream, from),
            StreamNews::Accepted(accepted) => match *accepted {
                Ok((preface, pipe)) => self.accepted(now, engine, preface, pipe)?,
                Err(_) => self.counters.refused_unreadable += 1,
            },
            StreamNews::Dialled(slot, dialled) => {
                self.link(slot).dial = None;
                match *dialled {
                    Ok(pipe) => {
                        let own = Claim { incarnation: None, dialled_by: self.own.node };
                        self.take(now, engine, slot, pipe, own)?;
                    }
                    Err(_) => {
                        self.counters.failed_dials += 1;
                        let link = self.link(slot);
                        let after = link.redial;
                        link.redial = (after * 2).min(REDIAL_MAX);
                        if link.open.is_none() {
                            self.dial(engine, slot, after);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets a connection say who it is, if it comes from where a peer is.
    fn welcome(&mut self, engine: &Engine, stream: TcpStream, from: SocketAddr) {
        if self.is_closing || !engine.peers.is_home(from.ip()) {
            self.counters.refused_strangers += 1;
            return;
        }
        self.strange.retain(|waiting| !waiting.is_finished());
        if self.strange.len() >= STRANGE_CONNECTIONS_MAX {
            self.counters.refused_slow += 1;
            self.strange.pop_front().inspect(AbortHandle::abort);
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
                self.take(now, engine, slot, pipe, claim)
            }
            _ => {
                self.counters.refused_strangers += 1;
                Ok(())
            }
        }
    }

    /// Uses a connection for the hop, unless the one that is there is better.
    fn take(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        slot: Slot,
        pipe: TcpPipe,
        claim: Claim,
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
            is_full: false,
        });
        self.counters.opened += 1;
        self.counters.open += 1;
        // The hop exists.
        let _ = engine.input(now, Input::Opened { hop });
        let _ = engine.input(now, Input::Room { hop, bytes: room });
        Ok(())
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
    fn lost(&mut self, now: Instant, engine: &mut Engine, slot: Slot) -> io::Result<()> {
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

    /// Serves connections that have bytes or room: one read each; whether more may wait.
    pub(super) fn serve(&mut self, now: Instant, engine: &mut Engine) -> io::Result<bool> {
        let mut events = [EpollEvent::empty(); READY_MAX];
        let mut count = 0;
        let outcome = self.ready.try_io(Interest::READABLE, |watched| {
            count = watched.0.wait(&mut events, EpollTimeout::ZERO)?;
            if count > 0 { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        for event in &events[..count] {
            let slot = event.data() as Slot;
            let flags = event.events();
            if flags.contains(EpollFlags::EPOLLOUT) {
                self.flush_one(now, engine, slot)?;
            }
            if flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
                self.read_one(now, engine, slot)?;
            }
        }
        Ok(count > 0)
    }

    fn read_one(&mut self, now: Instant, engine: &mut Engine, slot: Slot) -> io::Result<()> {
        let link = self.link(slot);
        let Some(open) = &mut link.open else { return Ok(()) };
        match open.pipe.receive() {
            Ok(Arrived::Nothing) => Ok(()),
            Ok(Arrived::Bytes(chunk)) => {
                link.redial = REDIAL_FIRST;
                let outcome = engine.input(now, Input::Stream { hop: open.hop, chunk });
                // Where the next frame begins is lost; every other fault is of one frame.
                if let Err(InputError::Frame(FrameFault::Wire(WireError::TooLong { .. }))) = outcome {
                    self.counters.closed_unreadable += 1;
                    return self.lost(now, engine, slot);
                }
                Ok(())
            }
            Ok(Arrived::End) | Err(_) => self.lost(now, engine, slot),
        }
    }

    /// Appends a frame to its peer's connection.
    #[inline]
    pub(super) fn send(&mut self, slot: Slot, frame: &Transmit<'_>, seed: Seed) {
        let Some(link) = self.links.get_mut(slot) else { return };
        // The core has no room for a hop without a connection.
        let Some(open) = &mut link.open else { return };
        match &frame.payload {
            Payload::Bytes(bytes) => open.pipe.queue(frame.header, bytes),
            Payload::Synthetic(what) => {
                open.pipe.queue_with(frame.header, what.len as usize, |out| fill(seed, *what, out))
            }
        };
        if !link.is_touched {
            link.is_touched = true;
            self.touched.push(slot);
        }
    }

    /// Writes what was gathered, and grants the core room for what went; whether there is room that it did not have.
    pub(super) fn flush(&mut self, now: Instant, engine: &mut Engine) -> io::Result<bool> {
        let mut has_granted = false;
        let mut touched = std::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            self.links[slot].is_touched = false;
            // A full one waits for its event.
            if self.links[slot].open.as_ref().is_some_and(|open| !open.is_full) {
                has_granted |= self.flush_one(now, engine, slot)?;
            }
        }
        self.touched = touched;
        Ok(has_granted)
    }

    fn flush_one(&mut self, now: Instant, engine: &mut Engine, slot: Slot) -> io::Result<bool> {
        let Some(open) = &mut self.links[slot].open else { return Ok(false) };
        let Ok(written) = open.pipe.flush() else {
            self.lost(now, engine, slot)?;
            return Ok(false);
        };
        if written.blocked != open.is_full {
            open.is_full = written.blocked;
            let also = if written.blocked { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN | also, slot as u64);
            self.ready.get_ref().0.modify(&open.pipe, &mut event)?;
        }
        if written.bytes > 0 {
            let _ = engine.input(now, Input::Room { hop: open.hop, bytes: written.bytes as u64 });
        }
        Ok(written.bytes > 0)
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_flushed(&self) -> bool {
        self.links.iter().flat_map(|link| &link.open).all(|open| open.pipe.waiting_bytes() == 0)
    }

    /// Makes and lets in no connections any more.
    pub(super) fn stop_dialling(&mut self) {
        self.is_closing = true;
        self.links.iter_mut().filter_map(|link| link.dial.take()).for_each(|dial| dial.abort());
        self.strange.drain(..).for_each(|waiting| waiting.abort());
    }

    /// Says on every connection that nothing more is sent. A peer then closes it, having read everything; to close it
    /// first could take from it what is still on the way.
    pub(super) fn shut_down(&self) {
        for open in self.links.iter().flat_map(|link| &link.open) {
            // One that is gone already has nothing to say.
            let _ = open.pipe.shut_down();
        }
    }

    /// Whether no connection is open.
    pub(super) fn is_closed(&self) -> bool {
        self.counters.open == 0
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop_dialling();
    }
}

/// Tries whether this system allows a congestion control, before anything depends on it.
pub(super) fn try_congestion(name: &str) -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::STREAM, None)?.set_tcp_congestion(name.as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(incarnation: Option<u32>, dialled_by: u32) -> Claim {
        let dialled_by = NodeId::new(dialled_by).expect("a legal id");
        Claim { incarnation: incarnation.map(Incarnation), dialled_by }
    }

    /// Two connections that cross: whichever a node sees first, both keep the lower id's.
    #[test]
    fn connections_that_cross_leave_the_same_one_at_both_ends() {
        let (low, high) = (claim(Some(1), 1), claim(Some(1), 2));
        assert_eq!(verdict(low, Duration::ZERO, high), Verdict::Crossed);
        assert_eq!(verdict(high, Duration::ZERO, low), Verdict::Replace);
        let (low, high) = (claim(None, 1), claim(None, 2));
        assert_eq!(verdict(low, Duration::ZERO, high), Verdict::Crossed);
    }

    #[test]
    fn a_peer_that_connects_again_has_lost_the_old_connection() {
        for dialler in [1, 2] {
            let old = claim(Some(3), 1);
            assert_eq!(verdict(old, CROSSING, claim(Some(3), dialler)), Verdict::Replace);
        }
    }

    /// The start of the peer decides before anything else.
    #[test]
    fn a_later_start_replaces_and_an_earlier_one_is_refused() {
        assert_eq!(verdict(claim(Some(3), 1), Duration::ZERO, claim(Some(4), 2)), Verdict::Replace);
        assert_eq!(verdict(claim(Some(3), 2), CROSSING, claim(Some(2), 1)), Verdict::Stale);
    }
}
