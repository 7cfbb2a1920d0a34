//! Why a node refuses an input.

use crate::ids::{ConferenceId, HopIndex, Incarnation, NodeId, SessionKey};
use thiserror::Error;

/// Why an input was refused. The node is unchanged, the cause is counted, nothing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// Bytes that no correct peer sends.
    #[error("frame refused: {0}")]
    Frame(#[from] FrameFault),
    /// Something asked for that is impossible now.
    #[error("command refused: {0}")]
    Command(#[from] CommandError),
    /// The hop index means nothing here.
    #[error("no hop {0:?} in this node")]
    UnknownHop(HopIndex),
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// It cannot be parsed.
    #[error("{0}")]
    Wire(#[from] crate::wire::WireError),
    /// It names a connection that is not open.
    #[error("unknown connection {0:#x}")]
    UnknownConnection(u32),
    /// It comes from an earlier start of the peer.
    #[error("stale incarnation {0:?}")]
    StaleIncarnation(Incarnation),
    /// The packet is on its way to another node.
    #[error("misrouted: meant for another node")]
    Misrouted,
    /// The hello names another node than the hop's peer.
    #[error("hello of another node")]
    WrongPeer,
    /// Its kind does not belong on this kind of hop.
    #[error("frame kind does not belong on this hop")]
    WrongHop,
}

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// No such session here.
    #[error("no session {0} here")]
    UnknownSession(SessionKey),
    /// The session is here already.
    #[error("session {0} is here already")]
    DuplicateSession(SessionKey),
    /// The table of sessions is full.
    #[error("more than {0} sessions")]
    TooManySessions(usize),
    /// A route breaks a rule of the wire format.
    #[error("route refused: {0:?}")]
    BadRoute(crate::wire::RouteFault),
    /// Shares are negative, not finite, or add up to zero.
    #[error("shares must be finite, not negative, and have a positive sum")]
    BadShares,
    /// No flows.
    #[error("a session needs at least one flow")]
    NoFlows,
    /// The conference has ended.
    #[error("conference {0} has ended")]
    ConferenceEnded(ConferenceId),
    /// The control hop's queue is full.
    #[error("more than {0} control messages are waiting")]
    ControlFull(usize),
    /// The control message does not fit a frame.
    #[error("a control message of {length} bytes, where {max} fit a frame")]
    ControlTooLong {
        /// Bytes of the message with its route.
        length: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// The table of hops is full.
    #[error("more than {0} hops")]
    TooManyHops(usize),
    /// Symbols are empty or do not fit a frame.
    #[error("symbols of {0} bytes: a symbol has 1 to {max} bytes", max = crate::header::SYMBOL_BYTES_MAX)]
    BadSymbolSize(u32),
    /// A reliable session keeps a word with a bit for each destination.
    #[error("{0} destinations: a reliable session has at most {max}", max = crate::reliable::DESTINATIONS_MAX)]
    TooManyDestinations(usize),
    /// A session cannot be coded so.
    #[error("coding: {0}")]
    BadCoding(&'static str),
    /// What an application brought was not taken.
    #[error("session {0}: {1}")]
    Offer(SessionKey, crate::content::OfferFault),
    /// Policies would be asked for without end.
    #[error("policy_period is 0: it must be longer than zero, or null for a session that never asks again")]
    NoPeriod,
    /// Heartbeats would be sent without end.
    #[error("heartbeats every 0 s: the distance must be longer than zero")]
    NoHeartbeat,
    /// A node has no hop to itself.
    #[error("node {0} is this node itself: hops lead to other nodes")]
    OwnHop(NodeId),
}
