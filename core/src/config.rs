//! What a node is told before it starts.

use crate::coding::CodingConfig;
use crate::congestion::CongestionConfig;
use crate::feeder::FeederConfig;
use crate::ids::{Incarnation, NodeId};
use crate::reliable::ReliableConfig;
use crate::time::Duration;
use crate::units::BitRate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Distance of reports in the paper.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// Everything that a node needs to know of itself.
///
/// Where it is read from a file, only the id is needed; whatever else is missing is as in [`NodeConfig::new`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "GivenConfig")]
pub struct NodeConfig {
    /// Its id.
    pub id: NodeId,
    /// Which start of it this is; higher at each start.
    pub incarnation: Incarnation,
    /// Limits and scheduler of its feeders.
    pub feeder: FeederConfig,
    /// Pacing of its hops without congestion control.
    pub pacing: PacingConfig,
    /// Congestion control of its paced hops.
    pub congestion: CongestionConfig,
    /// Bounds of tables and histories.
    pub limits: Limits,
    /// Distance of the reports to the driver; `None`: none. The paper reports every 30 s.
    pub report_interval: Option<Duration>,
    /// Largest IP packet that its links take, told to peers in the hello. Default 1,500 bytes.
    pub mtu: u16,
    /// Bytes that the driver puts around each datagram to seal it: pacers, congestion control and feeders count them as
    /// bytes on the wire. 0: hops are plain. Frames leave [`SEAL_BYTES`](crate::wire::frame::SEAL_BYTES) free in any case.
    pub seal_bytes: u16,
    /// Distance of the probes by which a destination estimates how far its sources' clocks are ahead (after a quick
    /// start of eight in the first second); `None`: delays are corrected by what
    /// [`ClockCorrection`](crate::io::Command::ClockCorrection) says. All nodes of a run should have the same.
    pub clock_probes: Option<Duration>,
    /// Bounds and times of reliable sessions.
    pub reliable: ReliableConfig,
    /// What it spends on coding.
    pub coding: CodingConfig,
    /// How it watches its neighbours, so that flows can leave hops that have failed; `None`: it does not. All nodes of a
    /// run should have the same.
    pub failover: Option<FailoverConfig>,
    /// How it probes its neighbours; `None`: it does not. All nodes of a run should have the same, but for the peers.
    pub probing: Option<ProbingConfig>,
}

/// How a node probes its neighbours ([`crate::hop::Probe`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbingConfig {
    /// Whom it probes; others are once they probe it.
    pub peers: Vec<NodeId>,
    /// Distance of single probes. Default 12 s, as all of the following after RON.
    pub interval: Duration,
    /// Part of the interval that is added at random, at most. Default 1/3.
    pub jitter: f64,
    /// A probe is lost after so long without an answer; it is also the distance of those that follow it. Default 3 s.
    pub timeout: Duration,
    /// So many lost probes in a row are an outage. Default 4.
    pub outage: u32,
    /// Part of the bytes of packets sent that probes may cost; single ones go in any case. Default 0.02.
    pub share: f64,
    /// Frames of a train, which measures the rate; 0: there are none. Default 4: longer ones measure no better on links that
    /// are nearly full, and make what comes after them late.
    pub train: u8,
    /// Trains that each neighbour gets at the beginning, before there are packets that could pay for them: an advance, which
    /// the share pays back. Default 3.
    pub setup: u8,
    /// Part of a hop's packets above which policies are asked again because of its losses; below half of it they are,
    /// too. Default 0.02.
    pub loss: f64,
}

impl Default for ProbingConfig {
    fn default() -> Self {
        Self {
            peers: Vec::new(),
            interval: Duration::from_secs(12),
            jitter: 1.0 / 3.0,
            timeout: Duration::from_secs(3),
            outage: 4,
            share: 0.02,
            train: 4,
            setup: 3,
            loss: 0.02,
        }
    }
}

/// How a node watches its neighbours ([`crate::hop::Watch`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailoverConfig {
    /// Distance of keepalives. Default 75 ms.
    pub keepalive: Duration,
    /// A hop is down once so many keepalives in a row have not come. Default 3.
    pub lost: u32,
}

impl Default for FailoverConfig {
    /// Three keepalives of 75 ms: with the fourth part of one as a margin, and 150 ms one way, a failure is known within
    /// 394 ms, wherever between two keepalives it falls.
    fn default() -> Self {
        Self { keepalive: Duration::from_millis(75), lost: 3 }
    }
}

impl FailoverConfig {
    /// Returns how long a neighbour may say nothing: so many keepalives, and a quarter of one as a margin for those that
    /// come late.
    #[must_use]
    pub fn silence_max(&self) -> Duration {
        let keepalive = self.keepalive.as_nanos();
        Duration::from_nanos(keepalive.saturating_mul(u64::from(self.lost)).saturating_add(keepalive / 4))
    }
}

/// A [`NodeConfig`] as it is written down: an id, and whatever is not as usual.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenConfig {
    id: NodeId,
    incarnation: Option<Incarnation>,
    #[serde(default)]
    feeder: FeederConfig,
    #[serde(default)]
    pacing: PacingConfig,
    #[serde(default)]
    congestion: CongestionConfig,
    #[serde(default)]
    limits: Limits,
    #[serde(default = "report_interval")]
    report_interval: Option<Duration>,
    mtu: Option<u16>,
    #[serde(default)]
    seal_bytes: u16,
    #[serde(default)]
    clock_probes: Option<Duration>,
    #[serde(default)]
    reliable: ReliableConfig,
    #[serde(default)]
    coding: CodingConfig,
    #[serde(default)]
    failover: Option<FailoverConfig>,
    #[serde(default)]
    probing: Option<ProbingConfig>,
}

impl From<GivenConfig> for NodeConfig {
    fn from(given: GivenConfig) -> Self {
        let GivenConfig {
            id,
            incarnation,
            feeder,
            pacing,
            congestion,
            limits,
            report_interval,
            mtu,
            seal_bytes,
            clock_probes,
            reliable,
            coding,
            failover,
            probing,
        } = given;
        let usual = Self::new(id);
        Self {
            id,
            incarnation: incarnation.unwrap_or(usual.incarnation),
            feeder,
            pacing,
            congestion,
            limits,
            report_interval,
            mtu: mtu.unwrap_or(usual.mtu),
            seal_bytes,
            clock_probes,
            reliable,
            coding,
            failover,
            probing,
        }
    }
}

/// Here `null` means none, so that a missing interval must be told from it.
fn report_interval() -> Option<Duration> {
    Some(REPORT_INTERVAL)
}

/// Pacing of datagram hops.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PacingConfig {
    /// Rate of wire bytes per next hop; hops that are not listed have `default_rate`.
    pub rates: BTreeMap<NodeId, BitRate>,
    /// Rate of the other hops; `None`: as fast as the socket takes it.
    pub default_rate: Option<BitRate>,
    /// Paced hops send bursts of this much time, so that bursts are the same in every mode. Default 200 us.
    pub quantum: Duration,
}

/// Bounds of what a node keeps. Each has a counter for what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Hops that packets and messages of others may bring into being (about 1 KiB each, without queues). Hops that
    /// the driver asks for are made beyond it.
    pub hops_max: usize,
    /// Sessions known at a time (as source, destination or relay). About 200 bytes each as a relay.
    pub sessions_max: usize,
    /// Copies that one RoutingInfo may ask for.
    pub copies_max: usize,
    /// Bytes of one RoutingInfo at its source; the Pathlet of a packet has at most
    /// [`PATHLET_BYTES_MAX`](crate::header::PATHLET_BYTES_MAX) of them.
    pub routing_bytes_max: usize,
    /// Symbols behind the newest whose arrival a sink still tells from a duplicate. One bit each.
    pub dedup_symbols_max: usize,
    /// Flows of a session for which a relay remembers the way back.
    pub relay_flows_max: usize,
    /// A relay forgets a session that it has not seen for so long.
    pub relay_idle: Duration,
    /// Control messages waiting for one peer.
    pub control_messages_max: usize,
    /// Least distance of overflow notices about one session.
    pub overflow_notice_interval: Duration,
    /// Events waiting for the driver; it must drain before this many pile up.
    pub events_max: usize,
    /// Ended conferences that are remembered so that late packets of theirs are refused.
    pub ended_conferences_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hops_max: 16_384,
            sessions_max: 65_536,
            copies_max: 64,
            routing_bytes_max: 4_096,
            dedup_symbols_max: 16_384,
            relay_flows_max: 16,
            relay_idle: Duration::from_secs(30),
            control_messages_max: 1_024,
            overflow_notice_interval: Duration::from_millis(100),
            events_max: 65_536,
            ended_conferences_max: 1_024,
        }
    }
}

impl Default for PacingConfig {
    fn default() -> Self {
        Self { rates: BTreeMap::new(), default_rate: None, quantum: Duration::from_micros(200) }
    }
}

impl NodeConfig {
    /// Returns the configuration of node `id` with every default.
    #[must_use]
    pub fn new(id: NodeId) -> Self {
        Self {
            id,
            incarnation: Incarnation(1),
            feeder: FeederConfig::default(),
            pacing: PacingConfig::default(),
            congestion: CongestionConfig::default(),
            limits: Limits::default(),
            report_interval: Some(REPORT_INTERVAL),
            mtu: 1_500,
            seal_bytes: 0,
            clock_probes: None,
            reliable: ReliableConfig::default(),
            coding: CodingConfig::default(),
            failover: None,
            probing: None,
        }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first field whose value breaks its rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let probes = self.clock_probes.map_or(u64::MAX, Duration::as_nanos);
        let failover = self.failover.unwrap_or_default();
        let probing = self.probing.clone().unwrap_or_default();
        let fractions = [
            ("probing.jitter", probing.jitter, "must be from 0 to 1"),
            ("probing.share", probing.share, "must be from 0 to 1"),
            ("probing.loss", probing.loss, "must be from 0 to 1"),
        ];
        for (field, value, rule) in fractions {
            if !(0.0..=1.0).contains(&value) {
                return Err(ConfigError { field, value: value as u64, rule });
            }
        }
        let rules = [
            ("incarnation", u64::from(self.incarnation.0), 1, "must be at least 1"),
            ("pacing.quantum", self.pacing.quantum.as_nanos(), 1, "must be longer than zero"),
            (
                "congestion.feedbacks_per_rtt",
                u64::from(self.congestion.feedbacks_per_rtt),
                1,
                "must be at least 1",
            ),
            ("limits.sessions_max", self.limits.sessions_max as u64, 1, "must be at least 1"),
            ("limits.copies_max", self.limits.copies_max as u64, 1, "must be at least 1"),
            ("limits.dedup_symbols_max", self.limits.dedup_symbols_max as u64, 64, "must be at least 64"),
            ("limits.relay_flows_max", self.limits.relay_flows_max as u64, 1, "must be at least 1"),
            ("limits.events_max", self.limits.events_max as u64, 16, "must be at least 16"),
            ("reliable.ack_packets", u64::from(self.reliable.ack_packets), 1, "must be at least 1"),
            ("reliable.ack_delay", self.reliable.ack_delay.as_nanos(), 1, "must be longer than zero"),
            (
                "reliable.timeout_min",
                self.reliable.timeout_min.as_nanos(),
                1_000_000,
                "must be at least 1,000,000 ns",
            ),
            (
                "reliable.window_packets_min",
                u64::from(self.reliable.window_packets_min),
                1,
                "must be at least 1",
            ),
            (
                "reliable.window_packets_max",
                u64::from(self.reliable.window_packets_max),
                u64::from(self.reliable.window_packets_min),
                "must not be below window_packets_min",
            ),
            ("clock_probes", probes, 1_000_000, "must be at least 1,000,000 ns"),
            ("failover.keepalive", failover.keepalive.as_nanos(), 1_000_000, "must be at least 1,000,000 ns"),
            ("failover.lost", u64::from(failover.lost), 1, "must be at least 1"),
            ("probing.interval", probing.interval.as_nanos(), 1_000_000, "must be at least 1,000,000 ns"),
            ("probing.timeout", probing.timeout.as_nanos(), 1_000_000, "must be at least 1,000,000 ns"),
            ("probing.outage", u64::from(probing.outage), 1, "must be at least 1"),
            ("mtu", u64::from(self.mtu), 576, "must be at least 576 bytes"),
        ];
        for (field, value, least, rule) in rules {
            if value < least {
                return Err(ConfigError { field, value, rule });
            }
        }
        Ok(())
    }
}

/// A configuration that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} is {value}: it {rule}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: u64,
    /// The rule that it breaks.
    pub rule: &'static str,
}
