//! Everything that a node process is told before it starts.

use crate::node::{ClockId, read_ns};
use crate::seal::SealSettings;
use bellini_core::config::NodeConfig;
use bellini_core::ids::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const DAY_NS: i64 = 86_400_000_000_000;

/// Settings of a node process, as a JSON file holds them: only the id is needed, `{"config":{"id":1}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// The core's configuration: id, incarnation, feeders, pacing, limits.
    pub config: NodeConfig,
    /// Root seed of the run; 1 unless given.
    #[serde(default = "seed")]
    pub seed: u64,
    /// What its clock counts from; [`Origin::today`] unless given.
    #[serde(default = "Origin::today")]
    pub origin: Origin,
    /// Its clock is ahead by so many nanoseconds: a planted error, for tests of clock estimation.
    #[serde(default)]
    pub clock_offset_ns: i64,
    /// Its clock gains so many nanoseconds a second: likewise.
    #[serde(default)]
    pub clock_drift_ppb: i64,
    /// The address that its sockets are bound to; loopback unless given.
    #[serde(default = "loopback")]
    pub bind: IpAddr,
    /// The UDP port of datagram hops and the TCP port of stream hops; 0: any.
    #[serde(default)]
    pub port: u16,
    /// The UDP port of control hops; 0: any.
    #[serde(default)]
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
    /// Keys by which its hops are sealed; `None`: they are plain, which outside loopback needs `plaintext`.
    #[serde(default)]
    pub seal: Option<SealSettings>,
    /// Says that hops outside loopback are to be plain: for networks that nobody else can reach.
    #[serde(default)]
    pub plaintext: bool,
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
            bind: loopback(),
            port: 0,
            control_port: 0,
            advertise: None,
            peers: BTreeMap::new(),
            tcp_congestion: None,
            record: None,
            stopwatch: None,
            seal: None,
            plaintext: false,
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

impl Origin {
    /// Returns the last midnight, UTC, so that nodes that are started apart count from the same time.
    #[must_use]
    pub fn today() -> Self {
        let now_ns = read_ns(ClockId::CLOCK_REALTIME);
        Self::UnixNs(now_ns - now_ns.rem_euclid(DAY_NS))
    }
}

fn seed() -> u64 {
    1
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file needs no more than the id; what it gives replaces one value each, and what nobody knows is refused.
    #[test]
    fn a_file_says_only_what_is_not_as_usual() {
        let read = |text: &str| serde_json::from_str::<NodeSettings>(text);
        let id = NodeId::new(1).expect("a legal id");
        let least = read("{\"config\": {\"id\": 1}}").expect("the id is enough");
        let usual = NodeSettings::new(NodeConfig::new(id), 1, least.origin);
        let json = |settings: &NodeSettings| serde_json::to_string(settings).expect("plain data");
        assert_eq!(json(&least), json(&usual));
        assert!(matches!(least.origin, Origin::UnixNs(at) if at % DAY_NS == 0));
        let changed = read(
            "{\"config\": {\"id\": 1, \"feeder\": {\"packets_max\": 5}, \"limits\": {\"copies_max\": 7}, \
             \"pacing\": {\"default_rate\": 1000}, \"report_interval\": null}}",
        );
        let config = changed.expect("the rest is as usual").config;
        let given = (config.feeder.packets_max, config.limits.copies_max, config.report_interval);
        assert_eq!(given, (5, 7, None));
        assert_eq!(config.limits.hops_max, usual.config.limits.hops_max);
        for text in [
            "{}",
            "{\"config\": {\"id\": 1, \"limit\": {}}}",
            "{\"config\": {\"id\": 1, \"limits\": {\"x\": 1}}}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
