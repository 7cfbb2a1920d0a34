//! One connection as a pipe of bytes: large reads, writes gathered in a bounded buffer.
//!
//! What lies in a send buffer can no longer be scheduled, so little does: `TCP_NOTSENT_LOWAT` bounds what the kernel
//! holds unsent, and the pipe's own buffer takes no more than [`TcpPipe::room`] says.

use super::raw;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Bytes of a receive buffer, and what a read finds free in it at least.
const CHUNK_BYTES: usize = 256 * 1_024;
const READ_BYTES_MIN: usize = 64 * 1_024;
/// A frame may take this much beyond the room: the largest one, with its length.
const BEYOND_ROOM_BYTES: usize =
    bellini_core::hop::STREAM_FRAME_BYTES_MAX + bellini_core::wire::stream::STREAM_PREFIX_BYTES;

/// How a pipe is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpOptions {
    /// Bytes that the kernel may hold unsent (`TCP_NOTSENT_LOWAT`).
    ///
    /// The default of 128 KiB is two of the largest segments that the kernel hands to a device at once, so that it
    /// has one while the pipe fills the next (the socket is writable again at half of it). At 100 Mbit/s it is 10 ms
    /// of what a feeder can no longer put in another order; less costs more wake-ups.
    pub unsent_max: u32,
    /// Bytes that the pipe itself gathers for one write.
    pub gather_max: usize,
    /// The kernel's congestion control; `None`: its default.
    pub congestion: Option<String>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { unsent_max: 128 * 1_024, gather_max: 128 * 1_024, congestion: None }
    }
}

/// Why a socket cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TcpSetupError {
    /// The kernel has no such congestion control, or does not allow it to this user.
    #[error("congestion control {asked:?} cannot be used here ({cause}); available: {available}")]
    Congestion {
        /// The name asked for.
        asked: String,
        /// What the kernel has loaded.
        available: String,
        /// What the kernel says.
        cause: io::Error,
    },
    /// Another option was refused.
    #[error("the socket cannot be set up: {0}")]
    Socket(#[from] io::Error),
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Bytes, cut anywhere.
    Bytes(Bytes),
    /// Nothing now.
    Nothing,
    /// The peer sends no more.
    End,
}

/// What a flush wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes handed to the kernel; the pipe has room for so many more.
    pub bytes: usize,
    /// Whether the kernel takes no more: what is left waits for the socket to be writable.
    pub blocked: bool,
}

/// What a pipe counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCounters {
    /// Bytes received.
    pub received_bytes: u64,
    /// System calls that received something.
    pub receive_calls: u64,
    /// Bytes handed to the kernel.
    pub sent_bytes: u64,
    /// System calls that sent something.
    pub send_calls: u64,
}

/// One connection.
#[derive(Debug)]
pub struct TcpPipe {
    socket: Socket,
    peer: SocketAddr,
    chunk: BytesMut,
    /// What waits, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    gather_max: usize,
    counters: TcpCounters,
}

impl TcpPipe {
    /// Makes a pipe of a connected socket.
    ///
    /// # Errors
    /// When the socket is not connected, or an option is refused.
    pub fn new(stream: std::net::TcpStream, options: &TcpOptions) -> Result<Self, TcpSetupError> {
        let peer = stream.peer_addr()?;
        let socket = Socket::from(stream);
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(options.unsent_max)?;
        set_congestion(&socket, options)?;
        let (chunk, waiting) = (BytesMut::new(), Vec::new());
        let counters = TcpCounters::default();
        Ok(Self { socket, peer, chunk, waiting, written: 0, gather_max: options.gather_max.max(1), counters })
    }

    /// Returns the address of the other end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> TcpCounters {
        self.counters
    }

    /// Reads what has arrived, at most some 256 KiB, without waiting.
    ///
    /// The bytes are a part of a buffer that is used again once all its parts are dropped.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn receive(&mut self) -> io::Result<Arrived> {
        if self.chunk.capacity() < READ_BYTES_MIN && !self.chunk.try_reclaim(CHUNK_BYTES) {
            self.chunk = BytesMut::with_capacity(CHUNK_BYTES);
        }
        loop {
            return match raw::receive_stream(&self.socket, &mut self.chunk) {
                Ok(0) => Ok(Arrived::End),
                Ok(bytes) => {
                    self.counters.received_bytes += bytes as u64;
                    self.counters.receive_calls += 1;
                    Ok(Arrived::Bytes(self.chunk.split().freeze()))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Arrived::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Returns the bytes that may be queued now.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.gather_max.saturating_sub(self.waiting_bytes())
    }

    /// Returns the bytes that wait to be flushed.
    #[inline]
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Appends `header`, then `payload`, and returns whether they were taken.
    ///
    /// As long as there is any room, a whole frame is taken, so that large ones pass; nothing is taken beyond that.
    #[inline]
    pub fn queue(&mut self, header: &[u8], payload: &[u8]) -> bool {
        if !self.takes(header.len() + payload.len()) {
            return false;
        }
        self.waiting.extend_from_slice(header);
        self.waiting.extend_from_slice(payload);
        true
    }

    /// Appends `header`, then `len` bytes that `fill` writes in place, and returns whether they were taken, as
    /// [`queue`](Self::queue) does; if not, `fill` is not called.
    #[inline]
    pub fn queue_with(&mut self, header: &[u8], len: usize, fill: impl FnOnce(&mut [u8])) -> bool {
        if !self.takes(header.len() + len) {
            return false;
        }
        self.waiting.extend_from_slice(header);
        let start = self.waiting.len();
        self.waiting.resize(start + len, 0);
        fill(&mut self.waiting[start..]);
        true
    }

    /// Writes what waits, until the kernel takes no more.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn flush(&mut self) -> io::Result<Written> {
        let mut done = Written::default();
        while self.written < self.waiting.len() {
            match self.socket.send_with_flags(&self.waiting[self.written..], libc::MSG_NOSIGNAL) {
                Ok(bytes) => {
                    self.counters.send_calls += 1;
                    self.counters.sent_bytes += bytes as u64;
                    self.written += bytes;
                    done.bytes += bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    done.blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What is left moves to the front once it is the smaller part, so that each byte moves at most once.
        if self.written * 2 >= self.waiting.len() {
            self.waiting.drain(..self.written);
            self.written = 0;
        }
        Ok(done)
    }

    /// Says that nothing more is sent. What waits is not written any more, what the kernel has still arrives.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn shut_down(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    #[inline]
    fn takes(&self, len: usize) -> bool {
        self.room() > 0 && len <= self.room() + BEYOND_ROOM_BYTES
    }
}

impl AsFd for TcpPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpPipe {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn set_congestion(socket: &Socket, options: &TcpOptions) -> Result<(), TcpSetupError> {
    let Some(name) = &options.congestion else { return Ok(()) };
    socket.set_tcp_congestion(name.as_bytes()).map_err(|cause| {
        let available = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")
            .map_or_else(|_| String::from("unknown"), |names| names.trim().replace(' ', ", "));
        TcpSetupError::Congestion { asked: name.clone(), available, cause }
    })
}
