//! Control frames: numbered messages between nodes, repeated until the next hop has them.
//!
//! ```text
//!  0       1       2       3       4       5       6       7       8
//! +-------------------------------+-------------------------------+-------+
//! | sequence                      | ack                           | flags |
//! +-------------------------------+-------------------------------+-------+
//! ```
//! `sequence` and `ack` belong to the hop. Flags: 1 a message follows, 2 the sender watches the receiver and wants to be
//! watched, 4 what the receiver sends does not reach the sender as it should. A frame without a message acknowledges, and
//! serves as a keepalive. The message that follows, when flagged, belongs to its origin:
//! ```text
//! +---------------------------------------------------------------+
//! | id                                                            |
//! +-------------------------------+-------+---------------+-------+-------+
//! | origin                        | type  | body length   | route length  |
//! +-------------------------------+-------+---------------+---------------+
//! | route: the receiver's own Pathlet, or nothing
//! +-----------
//! | body
//! +-----------
//! 1 overflow        conference u32, session u32, flow u16, node u32, dropped packets u32, dropped bytes u64
//! 2 conference-end  conference u32
//! 3 join, 4 leave   conference u32, session u32, node u32
//! 5 install         conference u32, session u32, planner incarnation u32, version u32, flows u16, then for
//!                   each flow: share f64, length u16, RoutingInfo
//! 6 setup           conference u32, session u32, kind of hop u8 (0 datagram, 1 stream)
//! 7 clock-probe     conference u32, session u32, t1 u64, nodes u8, then each node passed u32
//! 8 clock-reply     t1 u64, t2 u64, t3 u64
//! 9 pressure, 10 release   conference u32, kind of hop u8
//! 11 begin          conference u32, session u32, epoch u16, symbol u64
//! 12 register       conference u32, incarnation u32, length u16, Pathlet of the way back
//! 20 hop-state      from node u32, to node u32, version u64, is down u8 (0 or 1)
//! ```

use super::routing::{RouteLimits, validate_pathlet};
use super::{WireError, read, split_fixed};
use crate::ids::{ConferenceId, Epoch, FlowId, Incarnation, NodeId, SessionId, SessionKey};
use crate::io::HopKind;
use serde::{Deserialize, Serialize};

mod body;

/// Bytes before the message of a control frame.
pub const CONTROL_HEADER_BYTES: usize = 9;
/// Bytes of a message before its route and body.
pub const MESSAGE_HEADER_BYTES: usize = 17;
/// What the route of a control message may ask for.
pub const CONTROL_ROUTE_LIMITS: RouteLimits = RouteLimits { copies_max: 64, bytes_max: 1024 };

/// Nodes that a clock probe may pass before it reaches the source: a branch has at most 16 nodes.
pub const CLOCK_PATH_MAX: usize = super::routing::DEPTH_MAX - 1;

const FLAG_MESSAGE: u8 = 1 << 0;
const FLAG_WATCHING: u8 = 1 << 1;
const FLAG_UNHEARD: u8 = 1 << 2;

/// The body of a control frame.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlFrame {
    /// Number of the message on this hop; without a message, the number that the next one will have.
    pub sequence: u32,
    /// The number that the sender expects next: it has all before.
    pub ack: u32,
    /// How the sender watches the receiver.
    pub watching: Watching,
    /// The message; a frame without one only acknowledges.
    pub message: Option<ControlMessage>,
}

/// What a node says to a neighbour of how it watches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watching {
    /// It watches the receiver, and wants to be watched.
    pub is_on: bool,
    /// What the receiver sends does not reach it as it should.
    pub is_unheard: bool,
}

/// One control message. It is idempotent: receiving it twice is receiving it once.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlMessage {
    /// Unique at the origin.
    pub id: u64,
    /// The node that made the message.
    pub origin: NodeId,
    /// The receiver's own Pathlet; empty for messages that go from hop to hop by each node's own knowledge.
    pub route: Vec<u8>,
    /// What it says.
    pub body: ControlBody,
}

/// What a control message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ControlBody {
    /// A feeder had to drop packets of a flow.
    Overflow {
        /// The session.
        key: SessionKey,
        /// The flow.
        flow: FlowId,
        /// Where the feeder is.
        node: NodeId,
        /// Packets dropped since the last notice.
        dropped_packets: u32,
        /// Bytes dropped since the last notice.
        dropped_bytes: u64,
    },
    /// A conference is over; its queues are to be dropped.
    ConferenceEnd {
        /// The conference.
        conference: ConferenceId,
    },
    /// A node becomes a destination of a session.
    Join {
        /// The session.
        key: SessionKey,
        /// The new destination.
        node: NodeId,
    },
    /// A node stops being a destination of a session.
    Leave {
        /// The session.
        key: SessionKey,
        /// The destination that leaves.
        node: NodeId,
    },
    /// A planner's decision for a session.
    Install {
        /// The session.
        key: SessionKey,
        /// Which start of the planner decided.
        planner_incarnation: Incarnation,
        /// Counts that planner's decisions for the session.
        version: u32,
        /// The session's new flow list.
        flows: Vec<InstallFlow>,
    },
    /// Packets of a session will come this way: each node opens the hops that its Pathlet needs.
    Setup {
        /// The session.
        key: SessionKey,
        /// The kind of hop that carries its packets: datagram or stream. A control hop carries none, and is
        /// written as a datagram hop.
        kind: HopKind,
    },
    /// The sender's bulk lane of a conference is half full: the receiver keeps what it has for the sender back.
    Pressure {
        /// The conference.
        conference: ConferenceId,
        /// The kind of hop that its packets come on.
        kind: HopKind,
    },
    /// The lane is down to a quarter: the receiver may go on.
    Release {
        /// The conference.
        conference: ConferenceId,
        /// The kind of hop that its packets come on.
        kind: HopKind,
    },
    /// A reliable session begins with this symbol for a destination: nothing before it will come.
    Begin {
        /// The session.
        key: SessionKey,
        /// The source's epoch.
        epoch: Epoch,
        /// The first symbol that the destination is owed.
        symbol: u64,
    },
    /// A hop does not carry packets any more, or does again. Told by the node at its sending end to those that packets
    /// came from, and on from node to node towards the sources.
    HopState {
        /// The sending end.
        from: NodeId,
        /// The receiving end.
        to: NodeId,
        /// Rises with each such message of the sending end, over its starts: an older one is passed over.
        version: u64,
        /// Whether it is down.
        is_down: bool,
    },
    /// A hop loses more of its packets than it may, or few again. Told by the node at its receiving end, and on like
    /// [`ControlBody::HopState`].
    HopLoss {
        /// The sending end.
        from: NodeId,
        /// The receiving end.
        to: NodeId,
        /// Whether it loses too much.
        is_lossy: bool,
    },
    /// A destination asks the session's source for its time. Travels against the session's packets, by what nodes
    /// learnt from those, and notes whom it passes.
    ClockProbe {
        /// The session.
        key: SessionKey,
        /// When the probe was made, on the asker's clock.
        t1_ns: u64,
        /// The nodes that it passed, at most [`CLOCK_PATH_MAX`].
        path: Vec<NodeId>,
    },
    /// The source's answer, along the way that the probe came.
    ClockReply {
        /// The probe's.
        t1_ns: u64,
        /// When the probe came, on the source's clock.
        t2_ns: u64,
        /// When the answer was made, on the source's clock.
        t3_ns: u64,
    },
    /// The origin takes part in a conference: to the node that holds the listing, again and again, as a heartbeat.
    Register {
        /// The conference.
        conference: ConferenceId,
        /// Which start of the origin.
        incarnation: Incarnation,
        /// The Pathlet that leads from the listing to the origin; checked when read.
        back: Vec<u8>,
    },
    /// A message of a later version: passed on, not understood.
    Unknown {
        /// The number of its type.
        kind: u8,
        /// Its body.
        bytes: Vec<u8>,
    },
}

/// One flow of a planner's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstallFlow {
    /// The part of the session's packets that the flow carries: finite, not negative. Whether the shares add
    /// up is for the session to judge.
    pub share: f64,
    /// The flow's RoutingInfo. Its rules need the source, so the session checks them.
    pub routing_info: Vec<u8>,
}

impl ControlFrame {
    /// Reads a control frame's body. Allocates no more than a small multiple of its length.
    ///
    /// # Errors
    /// [`WireError`] for a truncated, overlong or inconsistent body, a bad route, an illegal value.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (head, rest) = split_fixed::<CONTROL_HEADER_BYTES>(bytes)?;
        let message = if head[8] & FLAG_MESSAGE == 0 {
            if !rest.is_empty() {
                return Err(WireError::LengthMismatch { declared: 0, got: rest.len() });
            }
            None
        } else {
            Some(ControlMessage::parse(rest)?)
        };
        Ok(Self {
            sequence: read!(head, 0..4, u32),
            ack: read!(head, 4..8, u32),
            watching: Watching {
                is_on: head[8] & FLAG_WATCHING != 0,
                is_unheard: head[8] & FLAG_UNHEARD != 0,
            },
            message,
        })
    }

    /// Appends the body to `out`.
    ///
    /// # Panics
    /// As [`ControlMessage::emit_into`].
    pub fn emit_into(&self, out: &mut Vec<u8>) {
        emit_header(self.sequence, self.ack, self.watching, self.message.is_some(), out);
        if let Some(message) = &self.message {
            message.emit_into(out);
        }
    }
}

/// Appends what stands before the message of a control frame, for messages that are kept as bytes.
///
/// `sequence`, `ack`, `watching`: as in [`ControlFrame`]; `has_message`: whether the bytes of one follow.
pub fn emit_header(sequence: u32, ack: u32, watching: Watching, has_message: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&ack.to_be_bytes());
    let flags =
        [(has_message, FLAG_MESSAGE), (watching.is_on, FLAG_WATCHING), (watching.is_unheard, FLAG_UNHEARD)];
    out.push(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
}

impl ControlMessage {
    /// Reads one message, which must fill `bytes`. Allocates no more than a small multiple of their length.
    ///
    /// # Errors
    /// As [`ControlFrame::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (head, rest) = split_fixed::<MESSAGE_HEADER_BYTES>(bytes)?;
        let body_len = usize::from(read!(head, 13..15, u16));
        let route_len = usize::from(read!(head, 15..17, u16));
        if rest.len() != route_len + body_len {
            return Err(WireError::LengthMismatch { declared: route_len + body_len, got: rest.len() });
        }
        let (route, body) = rest.split_at(route_len);
        if !route.is_empty() {
            let got = validate_pathlet(route, CONTROL_ROUTE_LIMITS)?;
            if got != route_len {
                return Err(WireError::LengthMismatch { declared: route_len, got });
            }
        }
        Ok(Self {
            id: read!(head, 0..8, u64),
            origin: NodeId::new(read!(head, 8..12, u32)).ok_or(WireError::BadField("origin"))?,
            route: route.to_vec(),
            body: ControlBody::parse(head[12], body)?,
        })
    }

    /// Appends the message to `out`.
    ///
    /// # Panics
    /// If the route or the body is longer than 65,535 bytes, which [`check`](Self::check) tells before.
    pub fn emit_into(&self, out: &mut Vec<u8>) {
        self.check().expect("the caller checks messages that may be too long");
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.origin.get().to_be_bytes());
        out.push(self.body.kind());
        out.extend_from_slice(&(self.body.wire_len() as u16).to_be_bytes());
        out.extend_from_slice(&(self.route.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.route);
        self.body.emit_into(out);
    }

    /// Tells whether the message can be written.
    ///
    /// # Errors
    /// [`WireError::TooLong`] when a length does not fit its field.
    pub fn check(&self) -> Result<(), WireError> {
        if let ControlBody::ClockProbe { path, .. } = &self.body
            && path.len() > CLOCK_PATH_MAX
        {
            return Err(WireError::TooLong { length: path.len(), max: CLOCK_PATH_MAX });
        }
        let max = usize::from(u16::MAX);
        let longest = self.body.wire_len().max(self.route.len());
        if longest > max { Err(WireError::TooLong { length: longest, max }) } else { Ok(()) }
    }

    /// Returns the bytes that [`emit_into`](Self::emit_into) appends.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        MESSAGE_HEADER_BYTES + self.route.len() + self.body.wire_len()
    }
}

#[cfg(test)]
mod tests;
