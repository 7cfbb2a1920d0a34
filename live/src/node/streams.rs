//! The stream hops of a node: one TCP connection for each pair of nodes.
//!
//! Whoever wants the hop dials. When both do, so that their connections cross, the one that the node with the lower id
//! dialled is kept ([`verdict`](verdict::verdict)). After a connection broke, the side that had dialled it dials again, with growing
//! distances; the other side gives it a second and then does the same.

mod connect;
mod sealed;
mod verdict;

use super::engine::Engine;
use super::peers::Slot;
use super::watch::{Watched, watch};
use crate::console::StreamCounters;
use crate::net::{Arrived, DialError, TcpOptions, TcpPipe, listen};
use crate::seal::gate::Gate;
use crate::seal::handshake::{Agreed, HandshakeFault, Offer};
use crate::seal::identity::Identity;
use crate::seal::thread::HandshakeThread;
use crate::seal::trust::KeyHash;
use bellini_core::ids::{HopIndex, Incarnation, NodeId};
use bellini_core::io::{FrameFault, Input, InputError, Transmit};
use bellini_core::payload::{Payload, fill};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::WireError;
use bellini_core::wire::preface::Preface;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant as HostInstant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Connections that have not said yet who they are; when there are more, the one that took longest is closed.
pub const STRANGE_CONNECTIONS_MAX: usize = 64;
/// Distance of the first attempts.
const REDIAL_FIRST: Duration = Duration::from_millis(100);
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
    /// A handshake has come so far that its keys are to be taken.
    Offered(Box<Offer>),
    /// A handshake has ended.
    Sealed(Box<Ended>),
}

/// What became of a handshake.
#[derive(Debug)]
pub(super) struct Ended {
    /// The peer that was dialled; `None`: somebody connected.
    slot: Option<Slot>,
    at: SocketAddr,
    /// Whether it was dialled for frames, and not for keys alone.
    for_frames: bool,
    outcome: Result<Agreed, HandshakeFault>,
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
    /// Seals what is dialled and accepted, and where.
    seals: Option<(Arc<Identity>, HandshakeThread)>,
    gate: Gate,
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
    keys: KeysDial,
}

/// Dialling a peer for keys alone.
#[derive(Debug)]
struct KeysDial {
    dial: Option<AbortHandle>,
    /// Not before.
    after: Option<HostInstant>,
    distance: Duration,
}

impl Default for Link {
    fn default() -> Self {
        let keys = KeysDial { dial: None, after: None, distance: REDIAL_FIRST };
        Self { open: None, dial: None, redial: REDIAL_FIRST, is_touched: false, keys }
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
    /// The key that the peer has shown, where the hop is sealed.
    shown: Option<KeyHash>,
    /// The kernel takes no more for now.
    is_full: bool,
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
            seals: None,
            gate: Gate::new(HostInstant::now()),
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

    fn link(&mut self, slot: Slot) -> &mut Link {
        if self.links.len() <= slot {
            self.links.resize_with(slot + 1, Link::default);
        }
        &mut self.links[slot]
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
            // Sources of a driver with real sockets code real bytes.
            Payload::Coded { head, .. } => open.pipe.queue(frame.header, head),
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
        self.links.iter().flat_map(|link| &link.open).all(|open| open.pipe.is_flushed())
    }

    /// Makes and lets in no connections any more.
    pub(super) fn stop_dialling(&mut self) {
        self.is_closing = true;
        let dials = self.links.iter_mut().flat_map(|link| [link.dial.take(), link.keys.dial.take()]);
        dials.flatten().for_each(|dial| dial.abort());
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
