//! Sockets of a node: batched datagrams and stream pipes, without a protocol rule in them.
//!
//! - [`udp`] is one UDP socket: batches in, trains of equal-sized datagrams out, one copy on the way.
//! - [`tcp`] is one connection: large reads, vectored writes, a send buffer that is kept shallow.
//!   Where hops are sealed it goes on inside an established TLS connection.
//! - [`dial`] opens connections and listens for them; a preface tells the acceptor who connects.
//!
//! All sockets are non-blocking and implement [`AsFd`](std::os::fd::AsFd), so that a driver can wait for them with
//! tokio's `AsyncFd` or with `poll`. Nothing here waits by itself, but for the two functions of [`dial`].

pub mod dial;
mod outbox;
mod raw;
mod slots;
pub mod tcp;
mod tls;
mod train;
pub mod udp;

pub use dial::{DialError, accept, connect, listen};
pub use tcp::{Arrived, TcpCounters, TcpOptions, TcpPipe, TcpSetupError, Written, try_congestion};
pub(crate) use tcp::{retransmitted_segments, set_congestion};
pub use udp::{Buffers, Flushed, Granted, PeerSlot, Received, UdpCounters, UdpOptions, UdpPort};
