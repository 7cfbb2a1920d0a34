//! What a node tells its driver, and why it asks policies.

use super::HopKind;
use crate::ids::{ConferenceId, FlowId, NodeId, SessionKey};
use crate::listing::Change;
use crate::payload::Payload;
use crate::report::Report;
use crate::route::Route;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// What a node tells its driver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A symbol was delivered, the first time (only where asked for).
    Delivered {
        /// The session.
        key: SessionKey,
        /// The symbol.
        symbol: u64,
        /// When its content was created, on the source's clock.
        timestamp: Instant,
        /// Its content.
        payload: Payload,
    },
    /// Policies should decide on a session; answer with [`Command::Install`](super::Command::Install).
    PolicyWanted {
        /// The session.
        key: SessionKey,
        /// Its destinations now.
        destinations: Vec<NodeId>,
        /// Why.
        reason: PolicyReason,
    },
    /// Flows were installed.
    Installed {
        /// The session.
        key: SessionKey,
        /// Their version.
        version: u32,
    },
    /// A queue overflowed, here or elsewhere.
    Overflow {
        /// The session that lost packets.
        key: SessionKey,
        /// The flow of the last of them.
        flow: FlowId,
        /// The node whose feeder overflowed.
        at: NodeId,
        /// Packets dropped since the last notice.
        dropped_packets: u64,
        /// Their bytes.
        dropped_bytes: u64,
    },
    /// A destination joined a session of which this node is the source.
    Joined {
        /// The session.
        key: SessionKey,
        /// The node.
        node: NodeId,
    },
    /// A destination left a session of which this node is the source.
    Left {
        /// The session.
        key: SessionKey,
        /// The node.
        node: NodeId,
    },
    /// A source has offered all its content.
    SessionFinished {
        /// The session.
        key: SessionKey,
    },
    /// Every destination of a reliable session has everything that its source offered.
    SessionCompleted {
        /// The session.
        key: SessionKey,
    },
    /// A conference ended.
    ConferenceEnded {
        /// The conference.
        conference: ConferenceId,
        /// Packets that its queues here held.
        dropped_packets: u64,
    },
    /// A hop can carry packets.
    HopOpened {
        /// The peer.
        peer: NodeId,
        /// The kind.
        kind: HopKind,
        /// Round-trip time measured while opening, where known.
        rtt: Option<Duration>,
    },
    /// A peer restarted, or the connection below is gone.
    HopClosed {
        /// The peer.
        peer: NodeId,
        /// The kind.
        kind: HopKind,
    },
    /// A neighbour that packets go to is not to be sent to any more: it is silent, or does not hear this node.
    HopDown {
        /// The peer.
        peer: NodeId,
        /// Why.
        fault: crate::hop::HopFault,
    },
    /// It may be sent to again.
    HopUp {
        /// The peer.
        peer: NodeId,
    },
    /// Hops of a session's flows are down, or up again: its source has changed the shares by itself.
    Rerouted {
        /// The session.
        key: SessionKey,
        /// The flows that carry packets now, with their shares.
        flows: Vec<(Route, f64)>,
        /// Whether a backup is among them.
        is_backup: bool,
    },
    /// The periodic report is due.
    Report(Box<Report>),
    /// What is listed has changed, in the listing that this node holds. Whoever keeps these can give them back with
    /// [`Command::HoldListing`](super::Command::HoldListing).
    Listed {
        /// The number of the change.
        revision: u64,
        /// What has changed.
        change: Box<Change>,
    },
}

/// Why policies are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyReason {
    /// The session starts.
    Start,
    /// The period has passed.
    Periodic,
    /// A destination joined.
    Joined,
    /// A destination left.
    Left,
    /// A queue on one of its routes overflowed.
    Overflow,
    /// It was asked for.
    Reload,
    /// A hop of one of its flows is down, or up again.
    Topology,
    /// A hop of one of its flows began to lose more than it may, or loses little again.
    Loss,
}
