//! What a node process counted around its core: sockets, connections, strangers.

use crate::net::UdpCounters;
use crate::seal::SealFigures;
use serde::{Deserialize, Serialize};

/// What happened at a node's sockets since its process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFigures {
    /// The UDP port of datagram hops.
    pub data: UdpCounters,
    /// The UDP port of control hops.
    pub control: UdpCounters,
    /// The connections of stream hops.
    pub streams: StreamCounters,
    /// What was sealed, opened and refused.
    #[serde(default)]
    pub seal: SealFigures,
    /// Datagrams that the kernel dropped because the process did not fetch them in time.
    pub host_dropped_packets: u64,
    /// Datagrams from addresses of no peer, which were dropped unread.
    pub stranger_datagrams: u64,
    /// Frames for nodes whose address nobody told.
    pub unlinked_frames: u64,
    /// Events that clients of the console did not get because they read too slowly.
    pub dropped_event_lines: u64,
    /// Warnings that clients did not get because they read too slowly.
    pub dropped_warning_lines: u64,
    /// Turns of the data path.
    pub turns: u64,
}

/// What happened at the connections of stream hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounters {
    /// Connections open now.
    pub open: u64,
    /// Connections that were in use so far.
    pub opened: u64,
    /// Attempts to connect that failed.
    pub failed_dials: u64,
    /// Connections from where no peer is, or that named a node which is not there.
    pub refused_strangers: u64,
    /// Connections that did not begin as a node does, or said nothing for too long.
    pub refused_unreadable: u64,
    /// Connections closed while they had not said who they are, because too many others had not either.
    pub refused_slow: u64,
    /// Connections of an earlier start of the peer.
    pub refused_stale: u64,
    /// Connections given up for another one to the same peer that crossed them.
    pub crossed: u64,
    /// Connections closed because their bytes could not be cut into frames any more.
    pub closed_unreadable: u64,
}
