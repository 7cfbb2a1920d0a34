//! Everything that a node process is told before it starts.

use bellini_core::config::NodeConfig;
use bellini_core::ids::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Settings of a node process, as a JSON file holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// The core's configuration: id, incarnation, feeders, pacing, limits.
    pub config: NodeConfig,
    /// Root seed of the run.
    pub seed: u64,
    /// What its clock counts from.
    pub origin: Origin,
    /// Its clock is ahead by so many nanoseconds: a planted error, for tests of clock estimation.
    #[serde(default)]
    pub clock_offset_ns: i64,
    /// Its clock gains so many nanoseconds a second: likewise.
    #[serde(default)]
    pub clock_drift_ppb: i64,
    /// The address that its sockets are bound to.
    pub bind: IpAddr,
    /// The UDP port of datagram hops and the TCP port of stream hops; 0: any.
    pub port: u16,
    /// The UDP port of control hops; 0: any.
    pub control_port: u16,
    /// What it tells others of where it is, where that differs from `bind` (address translation); `None`: the same.
    #[serde(default)]
    pub advertise: Option<IpAddr>,
    /// Where other nodes are.
    #[serde(default)]
    pub peers: BTreeMap<NodeId, Addresses>,
    /// Congestion control of the kernel's TCP for stream hops (`cubic`, `reno`, ..); `None`: the system's.
    #[serde(default)]
    pub tcp_congestion: Option<String>,
    /// Where all inputs of the core are recorded.
    #[serde(default)]
    pub record: Option<PathBuf>,
    /// One packet in so many is timed in the core, for [`ProcessFigures::steps`]; `None`: none.
    ///
    /// [`ProcessFigures::steps`]: bellini_scenarios::conduct::ProcessFigures::steps
    #[serde(default)]
    pub stopwatch: Option<u32>,
}

impl NodeSettings {
    /// Returns settings with every default: bound to loopback at any port, an exact clock, no peers.
    #[must_use]
    pub fn new(config: NodeConfig, seed: u64, origin: Origin) -> Self {
        Self {
            config,
            seed,
            origin,
            clock_offset_ns: 0,
            clock_drift_ppb: 0,
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            control_port: 0,
            advertise: None,
            peers: BTreeMap::new(),
            tcp_congestion: None,
            record: None,
            stopwatch: None,
        }
    }
}

/// What a node's clock counts from. The clock is the machine's, read once a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Nanoseconds of the machine's monotonic clock: for nodes on one machine, whose clocks then agree exactly.
    MonotonicNs(i64),
    /// Nanoseconds since 1970, UTC: for nodes on several machines.
    UnixNs(i64),
}

/// Where a node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// UDP, of datagram hops, and TCP, of stream hops.
    pub data: SocketAddr,
    /// UDP, of control hops.
    pub control: SocketAddr,
}
