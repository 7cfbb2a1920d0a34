//! The two UDP ports of a node: datagram hops on one, control hops on the other.

use super::engine::Engine;
use super::peers::Slot;
use super::watch::{Watched, watch};
use crate::net::{PeerSlot, UdpCounters, UdpOptions, UdpPort};
use crate::seal::aead::Purpose;
use crate::seal::{SEALING_BYTES, Sealing};
use bellini_core::ids::HopIndex;
use bellini_core::io::{HopKind, Input, Transmit};
use bellini_core::payload::{Payload, fill};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::frame::FrameFlags;
use bytes::BytesMut;
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

    /// Hands one batch of datagrams to the core, opened where hops are sealed; whether more may wait.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        mut sealing: Option<&mut Sealing>,
    ) -> io::Result<bool> {
        let (kind, purpose) = (self.kind, self.purpose());
        let mut take = |source, mut bytes: BytesMut| {
            let Some(slot) = engine.sender(kind, source) else { return };
            if let Some(sealing) = &mut sealing
                && !sealing.open(now, slot, purpose, &mut bytes)
            {
                return;
            }
            // Hops with congestion control share the port of those without.
            let is_paced = kind == HopKind::Datagram && FrameFlags::peek(&bytes).is_paced();
            engine.datagram(now, if is_paced { HopKind::Paced } else { kind }, slot, bytes.freeze());
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

    fn purpose(&self) -> Purpose {
        if self.kind == HopKind::Control { Purpose::Control } else { Purpose::Data }
    }

    /// Appends a frame to its peer's train, and seals it there.
    #[inline]
    pub(super) fn send_sealed(
        &mut self,
        now: Instant,
        slot: Slot,
        frame: &Transmit<'_>,
        seed: Seed,
        sealing: &mut Sealing,
    ) {
        let purpose = self.purpose();
        let length = frame.header.len() + frame.payload.len();
        match sealing.sender(slot, purpose) {
            Some(key) => {
                let (train, udp) = (self.trains[slot], &mut self.udp.get_mut().0);
                udp.queue_built(train, length + SEALING_BYTES, |out| {
                    key.seal(now, out, |out| write_frame(frame, seed, out));
                });
            }
            None => {
                let mut kept = Vec::with_capacity(length);
                write_frame(frame, seed, &mut kept);
                sealing.wait(now, slot, purpose, kept);
            }
        }
        if self.touched.last() != Some(&frame.hop) {
            self.touched.push(frame.hop);
        }
    }

    /// Seals and appends a frame that waited for keys.
    pub(super) fn send_kept(&mut self, now: Instant, slot: Slot, frame: &[u8], sealing: &mut Sealing) {
        let Some(key) = sealing.sender(slot, self.purpose()) else { return };
        let (train, udp) = (self.trains[slot], &mut self.udp.get_mut().0);
        udp.queue_built(train, frame.len() + SEALING_BYTES, |out| {
            key.seal(now, out, |out| out.extend_from_slice(frame));
        });
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
        } else if !self.touched.is_empty() || !self.is_flushed() {
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

/// Appends a whole frame.
#[inline]
fn write_frame(frame: &Transmit<'_>, seed: Seed, out: &mut Vec<u8>) {
    out.extend_from_slice(frame.header);
    match &frame.payload {
        Payload::Bytes(bytes) => out.extend_from_slice(bytes),
        // Sources of a driver with real sockets code real bytes.
        Payload::Coded { head, .. } => out.extend_from_slice(head),
        Payload::Synthetic(what) => {
            let start = out.len();
            out.resize(start + what.len as usize, 0);
            fill(seed, *what, &mut out[start..]);
        }
    }
}
