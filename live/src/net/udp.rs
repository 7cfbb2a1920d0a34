//! One UDP socket: batches in, trains out.
//!
//! What a relay spends goes to system calls, so each call moves as much as it can: `recvmmsg` takes up to 64 messages,
//! each of which is up to 64 datagrams where the kernel joins them (`UDP_GRO`); what is to be sent gathers by
//! destination, equal sizes become one message (`UDP_SEGMENT`), and `sendmmsg` sends up to 64 of those.
//!
//! Errors that concern one destination or one datagram are counted and end nothing.

use super::outbox::{Outbox, Sender, is_reported};
use super::raw::{self, MESSAGES_MAX, Outgoing, ReceiveBatch, SendBatch};
use super::slots::Slots;
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Messages asked for at once while the kernel joins datagrams: some 200 datagrams make the call cheap enough, and
/// the batch stays in the processor's cache.
const JOINED_MESSAGES: usize = 4;
/// From so many datagrams in a message on, the kernel is held to join them.
const JOINED_FROM: usize = 4;
/// Datagrams and bytes that one call hands over, but for what belongs to its last message.
const PORTION_DATAGRAMS: usize = 64;
const PORTION_BYTES: usize = 64 * 1_024;
/// Errors of earlier sends that one call passes over before it gives the driver a turn.
const PENDING_ERRORS_MAX: usize = 16;

/// How a port is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpOptions {
    /// Bytes asked for as the kernel's receive queue. A queue that is too small for a burst drops it.
    pub receive_buffer: usize,
    /// Bytes asked for as the kernel's send queue.
    pub send_buffer: usize,
    /// Whether the kernel may join datagrams that it received (`UDP_GRO`).
    pub join_received: bool,
    /// Whether one send may carry a train of datagrams (`UDP_SEGMENT`).
    pub join_sent: bool,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self {
            receive_buffer: 4 * 1_024 * 1_024,
            send_buffer: 1_024 * 1_024,
            join_received: true,
            join_sent: true,
        }
    }
}

/// The kernel's queues of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// For what was received.
    pub receive: Granted,
    /// For what is to be sent.
    pub send: Granted,
}

/// What was asked of the kernel, and what it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Bytes asked for.
    pub asked: usize,
    /// Bytes given.
    pub given: usize,
}

impl Granted {
    /// Whether less was given than asked for (`net.core.rmem_max` and `wmem_max` are the limits).
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.given < self.asked
    }
}

/// A destination of a port: its place in the table of trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSlot(u32);

/// What one call of [`UdpPort::receive`] brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Datagrams handed over; 0 and no more: none was there.
    pub datagrams: usize,
    /// Whether more may be waiting.
    pub more: bool,
}

/// What one call of [`UdpPort::flush`] sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Datagrams sent by this call; [`UdpPort::queue`] sends, too, when much waits.
    pub sent: usize,
    /// Whether the socket is full: what is left waits for it to be writable.
    pub blocked: bool,
}

/// What a port counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpCounters {
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Their bytes, without UDP and IP.
    pub received_bytes: u64,
    /// System calls that received something.
    pub receive_calls: u64,
    /// Datagrams handed to the kernel.
    pub sent_datagrams: u64,
    /// Their bytes, without UDP and IP.
    pub sent_bytes: u64,
    /// System calls that sent something.
    pub send_calls: u64,
    /// Errors that hosts on the way reported (ICMP).
    pub reported_errors: u64,
    /// Datagrams that the kernel refused to send.
    pub refused_datagrams: u64,
    /// Datagrams that were larger than the way out takes.
    pub oversize_datagrams: u64,
    /// Datagrams dropped because too much was waiting for a full socket.
    pub overflow_datagrams: u64,
    /// Messages that were cut off on receiving or had no IP address, and were dropped.
    pub damaged_messages: u64,
}

/// One UDP socket.
pub struct UdpPort {
    socket: Socket,
    local: SocketAddr,
    options: UdpOptions,
    buffers: Buffers,
    incoming: ReceiveBatch,
    slots: Slots,
    /// Messages to ask for with one call, how many the last call brought, and which of them is the next to hand over.
    messages: usize,
    arrived: usize,
    next: usize,
    /// Datagrams handed over of that call.
    batch_datagrams: usize,
    outgoing: SendBatch,
    outbox: Outbox,
    by_address: BTreeMap<SocketAddr, PeerSlot>,
    counters: UdpCounters,
    kernel_drops: u64,
    kernel_drops_seen: u32,
}

impl std::fmt::Debug for UdpPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (waiting, blocked) = (self.waiting_bytes(), self.is_blocked());
        write!(f, "UdpPort({}, {waiting} B waiting, blocked: {blocked})", self.local)
    }
}

impl UdpPort {
    /// Opens a socket at `at`. The unspecified IPv6 address takes IPv4 as well, where the system has it.
    ///
    /// # Errors
    /// When the address cannot be bound. Smaller queues than asked for are no error: see [`buffers`](Self::buffers).
    pub fn bind(at: SocketAddr, options: UdpOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        forbid_fragments(&socket, at)?;
        if at.ip().is_unspecified() && at.is_ipv6() {
            // Best effort: a system without IPv4 has nothing to share.
            let _ = socket.set_only_v6(false);
        }
        if options.join_received {
            // Kernels before 5.0 do not join; everything else works the same.
            let _ = raw::set_option(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO, 1);
        }
        let buffers = size_buffers(&socket, &options)?;
        socket.bind(&at.into())?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            socket,
            local,
            options,
            buffers,
            incoming: ReceiveBatch::new(),
            slots: Slots::new(),
            messages: MESSAGES_MAX,
            arrived: 0,
            next: 0,
            batch_datagrams: 0,
            outgoing: SendBatch::new(),
            outbox: Outbox::new(),
            by_address: BTreeMap::new(),
            counters: UdpCounters::default(),
            kernel_drops: 0,
            kernel_drops_seen: 0,
        })
    }

    /// Returns the address that the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Returns the sizes of the kernel's queues.
    #[must_use]
    pub fn buffers(&self) -> Buffers {
        self.buffers
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> UdpCounters {
        let sent = self.outbox.counters();
        UdpCounters {
            sent_datagrams: sent.datagrams,
            sent_bytes: sent.bytes,
            send_calls: sent.calls,
            reported_errors: self.counters.reported_errors + sent.reported_errors,
            refused_datagrams: sent.refused_datagrams,
            oversize_datagrams: sent.oversize_datagrams,
            overflow_datagrams: sent.overflow_datagrams,
            ..self.counters
        }
    }

    /// Hands over some of the datagrams that arrived, each with its sender, without waiting.
    ///
    /// A call hands over 64 datagrams or 64 KiB, and what belongs to the last message beyond: so much may pile up in
    /// one feeder before the driver drains the node. What the same system call brought besides is for the next calls;
    /// while there is [`more`](Received::more), a driver drains, and flushes at the end of it: then trains gather
    /// over all of it.
    ///
    /// Datagrams may be changed in place. They are parts of buffers that are used again once all parts are dropped.
    ///
    /// # Errors
    /// When the socket is unusable. An empty queue and errors that the network reported are none.
    pub fn receive(&mut self, take: &mut dyn FnMut(SocketAddr, BytesMut)) -> io::Result<Received> {
        if self.next == self.arrived
            && let Refill::Nothing { more } = self.refill()?
        {
            return Ok(Received { datagrams: 0, more });
        }
        let (mut datagrams, mut bytes) = (0, 0);
        while self.next < self.arrived && datagrams < PORTION_DATAGRAMS && bytes < PORTION_BYTES {
            let at = self.next;
            self.next += 1;
            let arrival = self.incoming.arrival(at).filter(|arrival| !arrival.is_truncated);
            let Some(arrival) = arrival else {
                self.counters.damaged_messages += 1;
                continue;
            };
            let mut rest = self.slots.take(at);
            bytes += rest.len();
            let segment = arrival.segment.unwrap_or(usize::MAX);
            while rest.len() > segment {
                take(arrival.from, rest.split_to(segment));
                datagrams += 1;
            }
            take(arrival.from, rest);
            datagrams += 1;
        }
        self.counters.received_bytes += bytes as u64;
        self.counters.received_datagrams += datagrams as u64;
        self.batch_datagrams += datagrams;
        let is_batch_over = self.next == self.arrived;
        let more = !is_batch_over || self.arrived == self.messages;
        if is_batch_over {
            let is_joined = self.batch_datagrams >= JOINED_FROM * self.arrived;
            self.messages = if is_joined { JOINED_MESSAGES } else { MESSAGES_MAX };
        }
        Ok(Received { datagrams, more })
    }

    /// Returns the slot of a destination; the same address has the same slot. Slots are never taken back: ask for
    /// the addresses of known peers only.
    pub fn peer(&mut self, to: SocketAddr) -> PeerSlot {
        if let Some(slot) = self.by_address.get(&to) {
            return *slot;
        }
        let slot = PeerSlot(self.outbox.add(self.address(to), self.options.join_sent));
        self.by_address.insert(to, slot);
        slot
    }

    /// Appends a datagram to the train of a destination: `header`, then `payload`.
    ///
    /// Returns whether it was taken; a full socket takes a bounded number of bytes, and the rest is counted.
    #[inline]
    pub fn queue(&mut self, to: PeerSlot, header: &[u8], payload: &[u8]) -> bool {
        self.push(to, header.len() + payload.len(), |out| {
            out.extend_from_slice(header);
            out.extend_from_slice(payload);
        })
    }

    /// Appends a datagram to the train of a destination: `header`, then `len` bytes that `fill` writes in place.
    ///
    /// Returns whether it was taken, as [`queue`](Self::queue) does; if not, `fill` is not called.
    #[inline]
    pub fn queue_with(
        &mut self,
        to: PeerSlot,
        header: &[u8],
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> bool {
        self.push(to, header.len() + len, |out| {
            out.extend_from_slice(header);
            let start = out.len();
            out.resize(start + len, 0);
            fill(&mut out[start..]);
        })
    }

    /// Appends a datagram of `len` bytes to the train of a destination: what `write` appends to the train's buffer.
    ///
    /// Returns whether it was taken, as [`queue`](Self::queue) does; if not, `write` is not called.
    #[inline]
    pub fn queue_built(&mut self, to: PeerSlot, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.push(to, len, write)
    }

    /// Sends what waits, destination by destination, until the socket is full.
    ///
    /// # Errors
    /// When the socket is unusable. What a destination or the network refuses is counted and dropped.
    pub fn flush(&mut self) -> io::Result<Flushed> {
        let (outbox, mut calls) = self.sending();
        let sent = outbox.flush(&mut calls)?;
        Ok(Flushed { sent, blocked: outbox.is_blocked() })
    }

    /// Whether the last flush found the socket full.
    #[inline]
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.outbox.is_blocked()
    }

    /// Returns the bytes that wait to be flushed.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.waiting_bytes()
    }

    /// Returns the datagrams that the kernel dropped because nobody received them in time (`SO_MEMINFO`: it counts
    /// for this socket alone, in whatever network namespace, and without another datagram having to arrive). Ask
    /// at least once for every 2^32 drops.
    pub fn kernel_drops(&mut self) -> u64 {
        // A kernel that does not tell (before 4.12) leaves the figure at 0.
        if let Ok(now) = raw::dropped(self.socket.as_fd()) {
            self.kernel_drops += u64::from(now.wrapping_sub(self.kernel_drops_seen));
            self.kernel_drops_seen = now;
        }
        self.kernel_drops
    }

    #[inline]
    fn push(&mut self, to: PeerSlot, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let (outbox, mut calls) = self.sending();
        outbox.push(to.0, len, &mut calls, write)
    }

    /// Receives the next batch of messages.
    fn refill(&mut self) -> io::Result<Refill> {
        let buffers = self.slots.prepare(self.messages);
        (self.arrived, self.next, self.batch_datagrams) = (0, 0, 0);
        for _ in 0..PENDING_ERRORS_MAX {
            match self.incoming.receive(self.socket.as_fd(), buffers) {
                Ok(messages) => {
                    self.counters.receive_calls += 1;
                    self.arrived = messages;
                    return Ok(Refill::Messages);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Refill::Nothing { more: false });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_reported(&error) => self.counters.reported_errors += 1,
                Err(error) => return Err(error),
            }
        }
        // Nothing but errors so far: the next call goes on with them.
        Ok(Refill::Nothing { more: true })
    }

    #[inline]
    fn sending(&mut self) -> (&mut Outbox, Calls<'_>) {
        (&mut self.outbox, Calls { socket: &self.socket, batch: &mut self.outgoing })
    }

    /// Writes an address as this socket needs it: IPv6 sockets send to IPv4 hosts at mapped addresses.
    fn address(&self, to: SocketAddr) -> SockAddr {
        match to {
            SocketAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()).into()
            }
            _ => to.into(),
        }
    }
}

/// What a system call to receive brought.
enum Refill {
    Messages,
    Nothing { more: bool },
}

/// Sends through the socket.
struct Calls<'a> {
    socket: &'a Socket,
    batch: &'a mut SendBatch,
}

impl Sender for Calls<'_> {
    fn send<'a>(&mut self, outgoing: impl Iterator<Item = Outgoing<'a>>) -> io::Result<usize> {
        self.batch.send(self.socket.as_fd(), outgoing)
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UdpPort {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Datagrams are sent whole or not at all: the core knows the MTU, and a lost fragment would lose all of them.
fn forbid_fragments(socket: &Socket, at: SocketAddr) -> io::Result<()> {
    let fd = socket.as_fd();
    if at.is_ipv6() {
        raw::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
        raw::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)?;
    }
    // An IPv6 socket needs it for the IPv4 hosts that it sends to.
    raw::set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
}

/// Asks for the queues' sizes and reads what was given.
fn size_buffers(socket: &Socket, options: &UdpOptions) -> io::Result<Buffers> {
    let asked = |bytes: usize| libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let fd = socket.as_fd();
    // The kernel keeps twice of what is asked, for its own overhead, and tells that; we tell what is left.
    let granted = |asked: usize, told: usize| Granted { asked, given: told / 2 };
    socket.set_recv_buffer_size(options.receive_buffer)?;
    let mut receive = granted(options.receive_buffer, socket.recv_buffer_size()?);
    if receive.is_short()
        && raw::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, asked(options.receive_buffer)).is_ok()
    {
        // Who administers the network may go beyond the system's limit.
        receive = granted(options.receive_buffer, socket.recv_buffer_size()?);
    }
    socket.set_send_buffer_size(options.send_buffer)?;
    let mut send = granted(options.send_buffer, socket.send_buffer_size()?);
    if send.is_short()
        && raw::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, asked(options.send_buffer)).is_ok()
    {
        send = granted(options.send_buffer, socket.send_buffer_size()?);
    }
    Ok(Buffers { receive, send })
}

#[cfg(test)]
mod tests;
