//! Reliable delivery, end to end: every destination gets every symbol, whatever happens on the way.
//!
//! - [`Receiver`]: at a destination. What has arrived, by symbols and by flows, and when to say so.
//! - [`Order`]: puts deliveries back into the order of the symbols, in bounded memory.
//! - [`Sender`]: at the source. Keeps a description of each symbol until all destinations have it, tells what was
//!   lost, and says what is to be sent again, to whom, and on which flow. What content is can be made again at any
//!   time, so that no payload is kept.
//! - [`Path`]: one flow to one destination: round-trip time, delivery rate, the window that follows from both, and
//!   whether anything still arrives there.
//!
//! The machines do not send: the node asks them, and carries their packets (`node/reliable.rs`).

mod bits;
mod destination;
mod flow;
mod order;
mod path;
mod receiver;
mod sender;

pub use bits::SymbolBits;
pub use destination::Destination;
pub use flow::{ReliableFlow, SentPacket};
pub use order::Order;
pub use path::{Path, Rate, RoundTrip};
pub use receiver::{AckDue, Receiver};
pub use sender::{AckTaken, DESTINATIONS_MAX, Held, Sender, SenderStats, Sending};

use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// Bounds and times of reliable sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReliableConfig {
    /// Payload bytes of symbols that some destination has not acknowledged, at most; a source takes nothing from its
    /// content beyond it.
    pub buffer_bytes_max: u64,
    /// Packets of one flow under way to one destination, at most.
    pub window_packets_max: u32,
    /// Packets of one flow that may always be under way to one destination that answers.
    pub window_packets_min: u32,
    /// A destination acknowledges a packet after so much time at the latest.
    pub ack_delay: Duration,
    /// Or after so many packets.
    pub ack_packets: u32,
    /// Shortest retransmission timeout (RFC 6298 has 1 s; Linux 200 ms).
    pub timeout_min: Duration,
    /// Longest one, which is also how often a flow that seems dead is tried.
    pub timeout_max: Duration,
    /// A destination that has said nothing for so long no longer holds a session back.
    pub lease: Duration,
}

impl Default for ReliableConfig {
    /// 16 MiB; 32 to 16,384 packets a flow; acknowledgements after 4 ms or 16 packets; timeouts of 200 to 300 ms; a
    /// lease of 60 s.
    fn default() -> Self {
        Self {
            buffer_bytes_max: 16 << 20,
            window_packets_max: 16_384,
            window_packets_min: 32,
            ack_delay: Duration::from_millis(4),
            ack_packets: 16,
            timeout_min: Duration::from_millis(200),
            timeout_max: Duration::from_millis(300),
            lease: Duration::from_secs(60),
        }
    }
}
