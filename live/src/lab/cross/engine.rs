//! The thread that fills and empties the connections of the cross traffic.

use super::{FlowState, Route, SENDER_PORTS};
use crate::lab::pace::Clock;
use bellini_core::time::{Duration, Instant};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use socket2::Socket;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of one write or read.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Writes or reads of one connection before the others are looked at.
const TURNS: usize = 8;
/// Events that one look returns at most; the rest comes with the next.
const READY_MAX: usize = 64;
/// Longest sleep: only a bound.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// The token under which the end is reported.
const WAKE: u64 = u64::MAX;
/// Tokens of listeners, senders and sinks: their kind in the upper half, their number in the lower.
const LISTENER: u64 = 1 << 32;
const SENDER: u64 = 2 << 32;
const SINK: u64 = 3 << 32;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Sending,
    Over,
}

/// Everything that the thread works on.
pub(super) struct Engine {
    clock: Clock,
    zero: Instant,
    routes: Vec<Route>,
    states: Arc<[FlowState]>,
    phases: Vec<Phase>,
    listeners: Vec<Socket>,
    /// The receiving end of each connection.
    sinks: Vec<Option<Socket>>,
    epoll: Epoll,
    wake: Arc<EventFd>,
    buffer: Box<[u8]>,
}

impl Engine {
    pub(super) fn new(
        clock: Clock,
        zero: Instant,
        routes: Vec<Route>,
        states: Arc<[FlowState]>,
        listeners: Vec<Socket>,
        wake: Arc<EventFd>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        for (i, listener) in (0..).zip(&listeners) {
            epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER | i))?;
        }
        Ok(Self {
            clock,
            zero,
            phases: vec![Phase::Waiting; routes.len()],
            sinks: routes.iter().map(|_| None).collect(),
            routes,
            states,
            listeners,
            epoll,
            wake,
            buffer: vec![0; CHUNK_BYTES].into(),
        })
    }

    /// Serves the connections until it is woken to end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); READY_MAX];
        loop {
            let next = self.start_and_stop();
            let sleep = next.saturating_since(self.clock.now()).min(SLEEP_MAX).as_nanos().div_ceil(1_000_000);
            let timeout = EpollTimeout::try_from(sleep as u32).unwrap_or(EpollTimeout::ZERO);
            let count = match self.epoll.wait(&mut events, timeout) {
                Err(Errno::EINTR) => 0,
                other => other?,
            };
            for event in &events[..count] {
                let number = (event.data() & u64::from(u32::MAX)) as usize;
                match event.data() & !u64::from(u32::MAX) {
                    LISTENER => self.accept(number),
                    SENDER => self.send(number),
                    SINK => self.receive(number),
                    _ => {
                        let _ = self.wake.read();
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Starts and stops what is due; returns when the next is.
    fn start_and_stop(&mut self) -> Instant {
        let now = self.clock.now();
        let mut next = now + SLEEP_MAX;
        for i in 0..self.routes.len() {
            let flow = self.routes[i].flow;
            let (start, stop) = (self.zero + flow.start, self.zero + flow.stop);
            if self.phases[i] == Phase::Waiting && start <= now {
                self.phases[i] = Phase::Sending;
                if let Err(error) = self.connect(i) {
                    self.fail(i, "cannot connect", &error);
                }
            }
            if self.phases[i] == Phase::Sending && stop <= now {
                self.phases[i] = Phase::Over;
                // Closed, it leaves the event queue by itself.
                self.states[i].stop();
            }
            match self.phases[i] {
                Phase::Waiting => next = next.min(start),
                Phase::Sending => next = next.min(stop),
                Phase::Over => {}
            }
        }
        next
    }

    fn connect(&self, i: usize) -> io::Result<()> {
        let sender = self.states[i].sender();
        let Some(socket) = sender.as_ref() else { return Ok(()) };
        match socket.connect(&self.routes[i].to.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        self.watch(socket, EpollFlags::EPOLLOUT, SENDER | i as u64)
    }

    fn watch(&self, socket: impl AsFd, flags: EpollFlags, token: u64) -> io::Result<()> {
        Ok(self.epoll.add(socket, EpollEvent::new(flags, token))?)
    }

    fn fail(&mut self, i: usize, what: &str, error: &io::Error) {
        self.phases[i] = Phase::Over;
        self.states[i].fail(format!("{what}: {error}"));
    }

    fn accept(&mut self, listener: usize) {
        // Bounded by the connections that there are: nobody else is in the namespaces.
        for _ in 0..self.routes.len() {
            let Ok((socket, peer)) = self.listeners[listener].accept() else { return };
            let port = peer.as_socket().map_or(0, |peer| peer.port());
            let i = usize::from(port.wrapping_sub(SENDER_PORTS));
            if i >= self.routes.len() || self.sinks[i].is_some() {
                continue;
            }
            let watched = socket
                .set_nonblocking(true)
                .and_then(|()| self.watch(&socket, EpollFlags::EPOLLIN, SINK | i as u64));
            match watched {
                Ok(()) => self.sinks[i] = Some(socket),
                Err(error) => self.fail(i, "cannot receive", &error),
            }
        }
    }

    /// Writes as much as the kernel takes.
    fn send(&mut self, i: usize) {
        let states = Arc::clone(&self.states);
        let result = {
            let sender = states[i].sender();
            let Some(mut socket) = sender.as_ref() else { return };
            // What was read lies in the buffer, and no receiver looks at it: all senders write zeros.
            let zeros = &self.buffer[..];
            let writes = (0..TURNS).map(|_| socket.write(zeros));
            writes.take_while(|written| !is_done_for_now(written)).find_map(Result::err)
        };
        if let Some(error) = result {
            self.fail(i, "the connection broke", &error);
        }
    }

    /// Reads and counts what has come.
    fn receive(&mut self, i: usize) {
        let Some(mut socket) = self.sinks[i].as_ref() else { return };
        for _ in 0..TURNS {
            if !self.routes[i].flow.delayed_acks {
                // The kernel falls back to delaying by itself; asked before each read it acknowledges with the read.
                let _ = socket.set_tcp_quickack(true);
            }
            match socket.read(&mut self.buffer) {
                Ok(bytes) if bytes > 0 => {
                    self.states[i].delivered_bytes.fetch_add(bytes as u64, Relaxed);
                    if bytes < CHUNK_BYTES {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The end, or the reset with which a sender stops.
                Ok(_) | Err(_) => {
                    self.sinks[i] = None;
                    return;
                }
            }
        }
    }
}

fn is_done_for_now(written: &io::Result<usize>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
