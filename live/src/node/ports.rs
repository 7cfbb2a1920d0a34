//! The two UDP ports of a node: datagram hops on one, control hops on the other.

use super::engine::Engine;
use super::peers::Slot;
use super::watch::{Watched, watch};
use crate::net::{PeerSlot, UdpCounters, UdpOptions, UdpPort};
use bellini_core::ids::HopIndex;
use bellini_core::io::{HopKind, Input, Transmit};
use bellini_core::payload::{Payload, fill};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::frame::FrameFlags;
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A UDP port and the hops that use it.
#[derive(Debug)]
pub(super) struct Port {
    kind: HopKind,
    udp: AsyncFd<Watched<UdpPort>>,
    /// Trains of peers, by slot.
    trains: Vec<PeerSlot>,
    /// Hops that frames were handed out for since the last flush.
    touched: Vec<HopIndex>,
    /// Hops that were told that the socket is full.
    blocked: Vec<HopIndex>,
    /// Whether the socket was full at the last flush.
    is_full: bool,
}

impl Port {
    /// Opens the port of hops of `kind`. Needs a runtime.
    pub(super) fn bind(kind: HopKind, at: SocketAddr) -> io::Result<Self> {
        let udp = watch(UdpPort::bind(at, UdpOptions::default())?, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { kind, udp, trains: Vec::new(), touched: Vec::new(), blocked: Vec::new(), is_full: false })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.udp.get_ref().0.local_addr()
    }

    /// Says where the queues of the kernel are smaller than they should be.
    pub(super) fn shortage(&self) -> Option<String> {
        let buffers = self.udp.get_ref().0.buffers();
        let short = |granted: crate::net::Granted, what: &str, limit: &str| {
            granted.is_short().then(|| {
                let (given, asked) = (granted.given / 1_024, granted.asked / 1_024);
                format!("{what} buffer {given} KiB instead of {asked} KiB (raise net.core.{limit})")
            })
        };
        let problems =
            [short(buffers.receive, "receive", "rmem_max"), short(buffers.send, "send", "wmem_max")];
        let problems: Vec<_> = problems.into_iter().flatten().collect();
        let port = self.local_addr();
        (!problems.is_empty())
            .then(|| format!("UDP {port}: {}; bursts may be dropped", problems.join(" and ")))
    }

    /// Says where a peer is now.
    pub(super) fn set_peer(&mut self, slot: Slot, address: SocketAddr) {
        let train = self.udp.get_mut().0.peer(address);
        match self.trains.get_mut(slot) {
            Some(known) => *known = train,
            None => {
                debug_assert_eq!(self.trains.len(), slot, "slots are given in order");
                self.trains.push(train);
            }
        }
    }

    /// Waits until datagrams came, or a full socket has room.
    pub(super) async fn ready(&self) -> io::Result<()> {
        let interest =
            if self.is_full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        // The readiness stays until a batch that was not full takes it away.
        self.udp.ready(interest).await.map(|_| ())
    }

    /// Hands one batch of datagrams to the core; whether more may wait.
    pub(super) fn receive(&mut self, now: Instant, engine: &mut Engine) -> io::Result<bool> {
        let kind = self.kind;
        let mut take = |source, bytes: Bytes| {
            // Hops with congestion control share the port of those without.
            let is_paced = kind == HopKind::Datagram && FrameFlags::peek(&bytes).is_paced();
            engine.datagram(now, if is_paced { HopKind::Paced } else { kind }, source, bytes);
        };
        let mut more = false;
        let outcome = self.udp.try_io_mut(Interest::READABLE, |udp| {
            more = udp.0.receive(&mut take)?.more;
            // The kernel's queue is empty: what comes now makes the socket ready anew.
            if more { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(more),
        }
    }

    /// Appends a frame to its peer's train.
    #[inline]
    pub(super) fn send(&mut self, slot: Slot, frame: &Transmit<'_>, seed: Seed) {
        let train = self.trains[slot];
        let udp = &mut self.udp.get_mut().0;
        // A socket that was full for long drops; the port counts it.
        match &frame.payload {
            Payload::Bytes(bytes) => udp.queue(train, frame.header, bytes),
            // Sources of a driver with real sockets code real bytes.
            Payload::Coded { head, .. } => udp.queue(train, frame.header, head),
            Payload::Synthetic(what) => {
                udp.queue_with(train, frame.header, what.len as usize, |out| fill(seed, *what, out))
            }
        };
        if self.touched.last() != Some(&frame.hop) {
            self.touched.push(frame.hop);
        }
    }

    /// Sends what was gathered. Hops whose frames found the socket full are told so, and told when that is over.
    pub(super) fn flush(&mut self, now: Instant, engine: &mut Engine) -> io::Result<()> {
        if self.is_full {
            let mut is_full = true;
            let outcome = self.udp.try_io_mut(Interest::WRITABLE, |udp| {
                is_full = udp.0.flush()?.blocked;
                // Still full: the socket becomes writable anew.
                if is_full { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match outcome {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => self.is_full = is_full,
            }
        } else if !self.touched.is_empty() {
            self.is_full = self.udp.get_mut().0.flush()?.blocked;
        }
        if self.is_full {
            for hop in self.touched.drain(..) {
                // Hops are never taken back: the index is known.
                let _ = engine.input(now, Input::Blocked { hop });
                self.blocked.push(hop);
            }
            return Ok(());
        }
        self.touched.clear();
        for hop in self.blocked.drain(..) {
            let _ = engine.input(now, Input::Room { hop, bytes: 0 });
        }
        Ok(())
    }

    /// Whether nothing waits to be sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.udp.get_ref().0.waiting_bytes() == 0
    }

    pub(super) fn counters(&self) -> UdpCounters {
        self.udp.get_ref().0.counters()
    }

    /// Returns the datagrams that the kernel dropped because they were not fetched in time.
    pub(super) fn kernel_drops(&mut self) -> u64 {
        self.udp.get_mut().0.kernel_drops()
    }
}
