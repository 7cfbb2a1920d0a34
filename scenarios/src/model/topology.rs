//! Nodes and the links between them.

use bellini_core::congestion::CongestionConfig;
use bellini_core::feeder::FeederConfig;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;

/// A node: a relay in a datacenter or an instance at a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its id on the wire.
    pub id: NodeId,
    /// Its name in the scenario and in reports.
    pub name: String,
    /// The cloud region it is in (`aws:us-east-1`), if any.
    pub region: Option<String>,
    /// Latitude and longitude in degrees, for the map.
    pub position: Option<(f64, f64)>,
    /// Limit on all it sends together (a virtual machine's egress cap).
    pub egress: Option<Shaper>,
    /// Limit on all it receives together.
    pub ingress: Option<Shaper>,
    /// Processor time that each received packet costs.
    pub processing: Duration,
    /// Received packets that may wait for the processor, in packets.
    pub receive_queue_packets: u32,
    /// Its clock is ahead of true time by this many nanoseconds at the start.
    pub clock_offset_ns: i64,
    /// Its clock gains this many parts in 10^9 (nanoseconds a second).
    pub clock_drift_ppb: i64,
    /// Queue limits and scheduler of its feeders.
    pub feeder: FeederConfig,
    /// Congestion control of its `udp` hops.
    pub congestion: CongestionConfig,
    /// Whether it combines packets of coded sessions anew; otherwise it passes them on as they are.
    pub recoding: bool,
    /// Token buckets of its `udp-unpaced` hops: (next hop, rate); absent: not limited.
    pub hop_rates: Vec<(NodeId, BitRate)>,
    /// Price of its machine for an hour, if known.
    pub vm_usd_per_hour: Option<f64>,
}

impl Node {
    /// Returns whether it is a machine that somebody pays for by the hour: it is in a region, or has a price.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.region.is_some() || self.vm_usd_per_hour.is_some()
    }
}

/// A rate limit with a queue before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shaper {
    /// Rate of wire bytes.
    pub rate: BitRate,
    /// Bytes that may wait (drop-tail).
    pub queue_bytes: u64,
}

/// A link, in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Sending end.
    pub from: NodeId,
    /// Receiving end.
    pub to: NodeId,
    /// Propagation delay.
    pub delay: Duration,
    /// Serialisation rate; `Rate::Shared` when a bottleneck does it.
    pub rate: Rate,
    /// The queue before serialisation; unused with `Rate::Shared`.
    pub queue: Queue,
    /// Additional delay that varies.
    pub jitter: Option<Jitter>,
    /// Loss after propagation.
    pub loss: Loss,
    /// Largest IP packet in bytes; larger ones are dropped (cause `mtu`).
    pub mtu: u32,
    /// Price of traffic, if known.
    pub usd_per_gb: Option<f64>,
    /// Index into `Scenario::provenance` of what filled in delay, rate and price.
    pub provenance: Vec<usize>,
}

/// Rate of a serialiser.
#[derive(Clone, Debug, PartialEq)]
pub enum Rate {
    /// No serialisation delay at all.
    Unlimited,
    /// Always this rate.
    Constant(BitRate),
    /// A rate that changes in time.
    Trace(RateTrace),
    /// The link's packets pass `Scenario::bottlenecks[i]`, which queues and serialises them.
    Shared(usize),
}

/// A rate that changes in time, repeated from its start when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateTrace {
    /// Name for reports.
    pub name: String,
    /// Steps in order: how long, and the rate (`None`: nothing passes). At least one has a rate.
    pub steps: Vec<(Duration, Option<BitRate>)>,
}

/// A queue before a serialiser, limited in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    /// Bytes that may wait, without the packet being serialised.
    pub bytes: u64,
    /// Which packet is dropped, and when.
    pub discipline: QueueDiscipline,
}

/// Queue disciplines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QueueDiscipline {
    /// Drops what does not fit.
    DropTail,
    /// Random Early Detection (Floyd and Jacobson 1993), gentle variant.
    Red {
        /// Below this average occupancy, in bytes, nothing is dropped.
        min_bytes: u64,
        /// At this average occupancy the drop probability is `max_probability`; at twice it, 1.
        max_bytes: u64,
        /// Drop probability at `max_bytes`.
        max_probability: f64,
        /// Weight of the moving average.
        weight: f64,
        /// Whether drops are at least 1/p packets apart (p: drop probability), as in ns-2, and at most twice that;
        /// otherwise at most 1/p.
        wait: bool,
    },
    /// Controlled delay (RFC 8289).
    CoDel {
        /// Acceptable standing delay.
        target: Duration,
        /// Sliding minimum window.
        interval: Duration,
    },
}

/// Varying additional delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Its distribution.
    pub model: JitterModel,
    /// Whether packets may overtake each other.
    pub reorder: bool,
}

/// Distributions of jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JitterModel {
    /// Uniform between zero and this.
    Uniform(Duration),
    /// Exponential with this mean.
    Exponential(Duration),
    /// Normal with this standard deviation, negative draws folded to positive.
    HalfNormal(Duration),
}

/// Loss models.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Nothing is lost.
    None,
    /// Each packet is lost with this probability, independently.
    Bernoulli(f64),
    /// Gilbert-Elliott: two states that change with each packet.
    GilbertElliott {
        /// Probability of going from good to bad at a packet.
        good_to_bad: f64,
        /// Probability of going from bad to good at a packet.
        bad_to_good: f64,
        /// Loss probability in the good state.
        loss_good: f64,
        /// Loss probability in the bad state.
        loss_bad: f64,
    },
    /// Gilbert-Elliott in time: exponential stays in two states.
    GilbertElliottTime {
        /// Mean stay in the good state.
        mean_good: Duration,
        /// Mean stay in the bad state.
        mean_bad: Duration,
        /// Loss probability in the good state.
        loss_good: f64,
        /// Loss probability in the bad state.
        loss_bad: f64,
    },
    /// Packet by packet from a recorded pattern (`true`: lost), repeated from its start.
    Trace(Vec<bool>),
}

/// A serialiser with a queue that several links share.
#[derive(Clone, Debug, PartialEq)]
pub struct Bottleneck {
    /// Its name in the scenario and in reports.
    pub name: String,
    /// Its rate (never `Shared`).
    pub rate: Rate,
    /// The queue before it.
    pub queue: Queue,
}

/// Traffic of others that takes up a link's queue and rate and comes to nobody of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossTraffic {
    /// Index into `Scenario::links`.
    pub link: usize,
    /// When its packets come.
    pub pattern: CrossPattern,
    /// Scenario time at which it starts.
    pub start: Duration,
    /// Scenario time at which it stops.
    pub stop: Duration,
}

/// When packets of cross traffic come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CrossPattern {
    /// At equal intervals.
    Constant(CrossLoad),
    /// As a Poisson process.
    Poisson(CrossLoad),
    /// At equal intervals within exponential on periods, silent in exponential off periods.
    OnOff {
        /// Rate, over on and off periods together, and size of the packets.
        load: CrossLoad,
        /// Mean on period.
        mean_on: Duration,
        /// Mean off period.
        mean_off: Duration,
    },
    /// When TCP sends them: connections that always have something to send, whose acknowledgements come back on the
    /// link of the other direction.
    Tcp {
        /// Number of connections.
        flows: u32,
        /// Their congestion control.
        controller: TcpController,
        /// Whether receivers acknowledge every second segment only (RFC 9293 section 3.8.6.3) or each.
        delayed_acks: bool,
        /// How senders find losses.
        recovery: TcpRecovery,
    },
}

impl CrossPattern {
    /// Returns rate and size of the packets; `None` for TCP, which finds its rate by itself.
    #[must_use]
    pub fn load(&self) -> Option<CrossLoad> {
        match *self {
            Self::Constant(load) | Self::Poisson(load) | Self::OnOff { load, .. } => Some(load),
            Self::Tcp { .. } => None,
        }
    }
}

/// How much cross traffic comes, where that does not depend on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossLoad {
    /// Mean rate of wire bytes.
    pub rate: BitRate,
    /// Size of each IP packet in bytes.
    pub packet_bytes: u32,
}

/// Congestion controls of TCP as cross traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TcpController {
    /// CUBIC (RFC 9438).
    Cubic,
    /// NewReno's additive increase and halving (RFC 5681, RFC 6582).
    Reno,
}

impl TcpController {
    /// Returns its name, as scenarios and kernels write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::Reno => "reno",
        }
    }
}

/// How TCP as cross traffic finds losses. Selective acknowledgements (RFC 2018) are used in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TcpRecovery {
    /// By time, with probes for lost tails (RACK-TLP, RFC 8985), as Linux.
    Rack,
    /// By three segments that came behind a hole (RFC 6675), as ns-2's Sack1.
    DupAck,
}

impl TcpRecovery {
    /// Returns its name, as scenarios write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rack => "rack",
            Self::DupAck => "dupack",
        }
    }
}

/// One TCP connection of the cross traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossFlow {
    /// Index into `Scenario::cross_traffic` of the entry that it belongs to.
    pub entry: usize,
    /// Index into `Scenario::links` of the link that carries its data.
    pub link: usize,
    /// Its number, from 1 and over all entries of its link in order.
    pub number: u32,
    /// Its congestion control.
    pub controller: TcpController,
    /// Whether its receiver acknowledges every second segment only.
    pub delayed_acks: bool,
    /// How its sender finds losses.
    pub recovery: TcpRecovery,
    /// Scenario time at which it starts.
    pub start: Duration,
    /// Scenario time at which it stops.
    pub stop: Duration,
}

/// Most TCP connections of the cross traffic in one scenario.
pub const CROSS_FLOWS_MAX: u32 = 256;

/// Where measured numbers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Data set name, such as `aws-2013`.
    pub dataset: String,
    /// What it gives: delays, rates or prices.
    pub gives: String,
    /// Who measured it, and where it is published.
    pub source: String,
    /// When it was measured.
    pub date: String,
}
