//! The periodic report of a node (every 30 s in the paper), and the counters that it is made of.

use crate::congestion::ControlFigures;
use crate::hop::HopStats;
use crate::ids::{NodeId, SessionKey};
use crate::io::HopKind;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// What happened at a node since the last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When, on the node's clock.
    pub at: Instant,
    /// Since when.
    pub interval: Duration,
    /// One entry for each hop.
    pub hops: Vec<HopReport>,
    /// One entry for each session that the node knows.
    pub sessions: Vec<SessionReport>,
}

/// A hop in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HopReport {
    /// The neighbour.
    pub peer: NodeId,
    /// The kind of hop.
    pub kind: HopKind,
    /// What it counted in the interval.
    pub counted: HopStats,
    /// Round-trip time, where measured.
    pub rtt: Option<Duration>,
    /// Bytes waiting in its feeder now.
    pub queued_bytes: u64,
    /// What its congestion control knows of the path; `None` on hops without.
    pub control: Option<ControlFigures>,
}

/// A session in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionReport {
    /// The session.
    pub key: SessionKey,
    /// The node's part in it.
    pub role: Role,
    /// Packets offered, forwarded or delivered in the interval.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Mean delay of what was delivered.
    pub delay_mean: Option<Duration>,
}

/// A node's part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// It offers the content.
    Source,
    /// It passes packets on.
    Relay,
    /// It wants the content.
    Destination,
}
