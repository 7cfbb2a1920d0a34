//! One connection as a pipe of bytes: large reads, writes gathered in a bounded buffer.
//!
//! What lies in a send buffer can no longer be scheduled, so little does: `TCP_NOTSENT_LOWAT` bounds what the kernel
//! holds unsent, and the pipe's own buffer takes no more than [`TcpPipe::room`] says.

use super::raw;
use super::tls::Tls;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Bytes of a receive buffer, and what a read finds free in it at least.
const CHUNK_BYTES: usize = 256 * 1_024;
const READ_BYTES_MIN: usize = 64 * 1_024;
/// Which congestion controls the kernel has.
const CONGESTIONS: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
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
    #[error("TCP congestion control {asked:?} cannot be used here ({cause}); available: {available}")]
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
    /// Bytes handed to the kernel, or encrypted for it; the pipe has room for so many more.
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

/// Tries whether this system allows the congestion control `name`, before anything depends on it.
///
/// # Errors
/// When it does not: with what the kernel has.
pub fn try_congestion(name: &str) -> Result<(), TcpSetupError> {
    set_congestion(&Socket::new(Domain::IPV4, Type::STREAM, None)?, name)
}

/// Returns the segments that a connection has sent again since its beginning.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn retransmitted_segments(socket: &Socket) -> io::Result<u64> {
    raw::tcp_info(socket.as_fd()).map(|info| u64::from(info.tcpi_total_retrans))
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
    /// What crosses the socket is encrypted.
    tls: Option<Box<Tls>>,
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
        if let Some(name) = &options.congestion {
            set_congestion(&socket, name)?;
        }
        let (chunk, waiting) = (BytesMut::new(), Vec::new());
        let counters = TcpCounters::default();
        let gather_max = options.gather_max.max(1);
        Ok(Self { socket, peer, chunk, waiting, written: 0, gather_max, counters, tls: None })
    }

    /// Makes a pipe inside the TLS connection that was established over a socket.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sealed(
        stream: std::net::TcpStream,
        connection: rustls::Connection,
        options: &TcpOptions,
    ) -> Result<Self, TcpSetupError> {
        Ok(Self { tls: Some(Box::new(Tls::new(connection))), ..Self::new(stream, options)? })
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
        if let Some(tls) = &mut self.tls {
            let counted = (&mut self.counters.receive_calls, &mut self.counters.received_bytes);
            return tls.receive(&self.socket, &mut self.chunk, counted);
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

    /// Whether the kernel has everything that was queued.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.waiting_bytes() == 0 && !self.tls.as_ref().is_some_and(|tls| tls.is_waiting())
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
        if let Some(tls) = &mut self.tls {
            let counted = (&mut self.counters.send_calls, &mut self.counters.sent_bytes);
            done = tls.send(&self.socket, &self.waiting[self.written..], counted)?;
            self.written += done.bytes;
        }
        while self.tls.is_none() && self.written < self.waiting.len() {
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

/// Has a socket use the congestion control `name`.
///
/// # Errors
/// When the kernel has none of that name or does not allow it: with what it has.
pub(crate) fn set_congestion(socket: &Socket, name: &str) -> Result<(), TcpSetupError> {
    socket.set_tcp_congestion(name.as_bytes()).map_err(|cause| {
        let available = std::fs::read_to_string(CONGESTIONS)
            .map_or_else(|_| String::from("unknown"), |names| names.trim().replace(' ', ", "));
        TcpSetupError::Congestion { asked: name.to_owned(), available, cause }
    })
}

#[cfg(test)]
mod tests;
