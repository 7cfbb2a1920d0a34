//! What goes into a node and what comes out: plain data, no behaviour.

mod command;
mod error;
mod event;
mod session;

pub use command::{Command, Registration};
pub use error::{CommandError, FrameFault, InputError};
pub use event::{Event, PolicyReason};
pub use session::{Delivery, DrawMode, Install, MeasureWindow, SessionSpec, SinkSpec};

use crate::ids::{HopIndex, NodeId};
use crate::payload::Payload;
use crate::time::Instant;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a driver brings in.
#[derive(Debug)]
pub enum Input<'a> {
    /// A frame arrived on a datagram or control hop.
    Frame {
        /// The hop it came on ([`crate::Node::hop`]).
        hop: HopIndex,
        /// Its bytes.
        frame: Received<'a>,
    },
    /// Bytes arrived on a stream hop.
    Stream {
        /// The hop they came on.
        hop: HopIndex,
        /// The bytes, cut anywhere.
        chunk: Bytes,
    },
    /// The connection below a stream hop is there.
    Opened {
        /// The hop.
        hop: HopIndex,
    },
    /// The connection below a hop is gone.
    Closed {
        /// The hop.
        hop: HopIndex,
    },
    /// The hop's send buffer has room for so many bytes more.
    Room {
        /// The hop.
        hop: HopIndex,
        /// Bytes of room, added to what it had.
        bytes: u64,
    },
    /// The hop's socket is full: nothing more is handed out for it until [`Input::Room`].
    Blocked {
        /// The hop.
        hop: HopIndex,
    },
    /// The application or the planner wants something.
    Command(Command),
    /// The time of [`crate::Node::poll_timeout`] has come. Early and repeated ones do nothing.
    Timeout,
}

/// The bytes of a frame, as drivers have them.
#[derive(Debug)]
pub enum Received<'a> {
    /// Header and payload apart, as the simulator carries them.
    Split {
        /// Everything but the payload of the last packet chunk.
        header: &'a [u8],
        /// That payload.
        payload: Payload,
    },
    /// One datagram.
    Datagram(Bytes),
}

/// Kinds of hops. Each pair of nodes has at most one hop of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HopKind {
    /// Datagrams without congestion control, paced at a configured rate if any.
    Datagram,
    /// An ordered, reliable stream of bytes below (TCP).
    Stream,
    /// Control messages.
    Control,
    /// Datagrams under congestion control.
    Paced,
}

impl HopKind {
    /// How many kinds there are.
    pub const COUNT: usize = 4;
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [Self::Datagram, Self::Stream, Self::Control, Self::Paced];
}

/// One frame to send now. It counts as sent once it was handed out.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// The hop to send it on.
    pub hop: HopIndex,
    /// The next hop.
    pub peer: NodeId,
    /// The hop's kind.
    pub kind: HopKind,
    /// Everything but the payload.
    pub header: &'a [u8],
    /// The payload that follows; the driver takes it.
    pub payload: Payload,
    /// Whether the frame carries a packet of a session.
    pub is_packet: bool,
}

/// When a node wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time, on the node's clock.
    pub at: Instant,
}
