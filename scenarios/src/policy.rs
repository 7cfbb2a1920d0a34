//! The traits by which users decide: `Routing`, `FlowAssignment`, `ConferenceHook`.
//!
//! A policy sees the network as a [`NetworkView`] and answers with routes or shares. It is asked when a session
//! starts, periodically, when membership changes, after an overflow, and on reload. It runs outside the core (a
//! node asks, the driver answers), so the same policy serves the simulator, the lab and live nodes.

use bellini_core::coding::CodingSpec;
use bellini_core::congestion::ControlFigures;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::PolicyReason;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;

/// The network as policies see it: by the scenario's own figures (view `oracle`), or as far as the running protocol
/// measured it (view `measured`, see `docs/policies.md`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkView {
    /// Nodes in order of their ids.
    pub nodes: Vec<ViewNode>,
    /// Links, each in one direction, in order of (from, to). Links known to be down are left out.
    pub links: Vec<ViewLink>,
    /// All sessions that are announced and not over, in order of their keys: for policies that plan for all at once.
    pub sessions: Vec<ViewSession>,
}

/// A node as policies see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewNode {
    /// Its id.
    pub id: NodeId,
    /// Its name in the scenario.
    pub name: String,
    /// The cloud region it is in, if any.
    pub region: Option<String>,
    /// Limit on the wire bytes that it sends to all together, as configured.
    pub egress: Option<BitRate>,
    /// Limit on the wire bytes that it receives from all together, as configured.
    pub ingress: Option<BitRate>,
}

/// A session as policies see it, whoever asks.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewSession {
    /// Which.
    pub key: SessionKey,
    /// Its source.
    pub source: NodeId,
    /// Its destinations now, sorted; it may have none.
    pub destinations: Vec<NodeId>,
    /// Mean payload rate of its content, when it has one.
    pub rate: Option<BitRate>,
    /// When its source starts to offer content, in scenario time.
    pub start: Duration,
    /// When its source stops.
    pub stop: Duration,
    /// The time from source to destination after which its content is of no use (the play-out delay of live video, the
    /// deadline of messages), when it has one.
    pub delay_bound: Option<Duration>,
    /// How its packets are coded.
    pub coding: Option<CodingSpec>,
    /// Largest payload of one packet, in bytes.
    pub symbol_bytes: u32,
    /// Other bytes of such a packet on the wire, from IP on, but for its Pathlets: of a combination, where it is coded.
    pub header_bytes: u32,
    /// The name of its routing policy.
    pub policy: String,
    /// That policy's parameters.
    pub parameters: BTreeMap<String, Value>,
}

/// A link as policies see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewLink {
    /// Sending end.
    pub from: NodeId,
    /// Receiving end.
    pub to: NodeId,
    /// One-way delay without queueing; measured: half the round-trip time, or the scenario's figure while nobody has
    /// measured it.
    pub delay: Duration,
    /// Rate of wire bytes, when it is limited; measured: what congestion control allows, `None` where nobody has measured it.
    pub rate: Option<BitRate>,
    /// Mean loss probability; measured: the rate of loss events.
    pub loss: f64,
    /// Price of traffic, if known.
    pub usd_per_gb: Option<f64>,
    /// What was measured of it, each figure with its age and error; `None` in the view `oracle`.
    pub measured: Option<Measured>,
}

/// What the running protocol measured of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Round-trip time in seconds.
    pub rtt: Option<Figure>,
    /// Probability that a frame is lost, 0 to 1.
    pub loss: Option<Figure>,
    /// Rate that the link has for this sender, in bit/s.
    pub rate: Option<Figure>,
}

/// One measured figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The value, in the unit of its field.
    pub value: f64,
    /// By how much it may be off (one standard deviation, or the spread of what it was taken from); `None`: not known.
    pub error: Option<f64>,
    /// How long ago its newest sample was taken.
    pub age: Duration,
    /// What measured it.
    pub by: MeasuredBy,
}

/// What measured a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredBy {
    /// The hello exchange that opened a hop.
    Hello,
    /// Congestion control of a hop that carries packets, by the reports of its receiver.
    CongestionControl,
    /// Numbers of frames that carry packets.
    FrameNumbers,
    /// Single probes.
    Probe,
    /// Trains of probes.
    Train,
}

/// What a policy is asked about.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The session.
    pub session: SessionKey,
    /// Its source.
    pub source: NodeId,
    /// Its destinations now, sorted, never empty.
    pub destinations: &'a [NodeId],
    /// Mean payload rate of its content, when it has one.
    pub rate: Option<BitRate>,
    /// Why it is asked.
    pub reason: Reason,
    /// The network.
    pub view: &'a NetworkView,
    /// Parameters from the scenario (`"routing": {"policy": "...", "max_relays": 1}`).
    pub parameters: &'a BTreeMap<String, Value>,
}

/// Why a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
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
    /// `reload_session_policies` was called.
    Reload,
    /// A node or link on one of its routes is known to be down, or up again.
    Topology,
    /// A hop on one of its routes began to lose more than it may, or lost little again (with `probing`).
    Loss,
}

impl Reason {
    /// Returns its word in events and in questions to programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Periodic => "periodic",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Overflow => "overflow",
            Self::Reload => "reload",
            Self::Topology => "topology",
            Self::Loss => "loss",
        }
    }
}

impl From<PolicyReason> for Reason {
    fn from(reason: PolicyReason) -> Self {
        match reason {
            PolicyReason::Start => Self::Start,
            PolicyReason::Periodic => Self::Periodic,
            PolicyReason::Joined => Self::Joined,
            PolicyReason::Left => Self::Left,
            PolicyReason::Overflow => Self::Overflow,
            PolicyReason::Reload => Self::Reload,
            PolicyReason::Topology => Self::Topology,
            PolicyReason::Loss => Self::Loss,
        }
    }
}

/// One route with the rate or share that came with it, if any.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteChoice {
    /// The tree.
    pub route: Route,
    /// Share written out with it (policy `static`).
    pub share: Option<f64>,
    /// Rate written out or computed with it.
    pub rate: Option<BitRate>,
}

impl From<Route> for RouteChoice {
    fn from(route: Route) -> Self {
        Self { route, share: None, rate: None }
    }
}

/// Why a policy has no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A destination cannot be reached.
    #[error("no path from node {from} to node {to} in the network as seen")]
    Unreachable {
        /// The source.
        from: NodeId,
        /// The destination.
        to: NodeId,
    },
    /// A parameter is missing or has a wrong value.
    #[error("parameter `{name}`: {problem}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// It did not answer in time, by the clock of the machine: in words.
    #[error("{0}")]
    Late(String),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Decides the routes of a session (the paper's `IRouting`).
pub trait Routing: Send {
    /// Returns the routes of the session, at least one. Each reaches every destination, as a packet takes one of them (of a coded session:
    /// all of them together), over links that there are. Answers that do not are refused, and the session keeps the routes that it has.
    ///
    /// # Errors
    /// When it finds none: the session then keeps the routes that it has.
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError>;

    /// Returns how often it is to be asked at least, where that is more often than the scenario's `planner.period`.
    /// Wrong parameters are reported by [`Routing::routes`], not here.
    fn period(&self, parameters: &BTreeMap<String, Value>) -> Option<Duration> {
        let _ = parameters;
        None
    }

    /// Returns whether its answer depends on other sessions: it is then asked anew when any of them comes or goes, or
    /// changes its destinations.
    fn minds_others(&self) -> bool {
        false
    }
}

/// Decides the shares of a session's flows (the paper's `IFlowAssignment`).
pub trait FlowAssignment: Send {
    /// Returns one share for each route, none negative, with a positive sum; they need not add up to 1.
    ///
    /// # Errors
    /// When it finds none: the session then keeps the flows that it has.
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError>;

    /// Returns how often the session's policies are to be asked at least, where that is more often than the
    /// scenario's `planner.period`. Wrong parameters are reported by [`FlowAssignment::shares`], not here.
    fn period(&self, parameters: &BTreeMap<String, Value>) -> Option<Duration> {
        let _ = parameters;
        None
    }
}

/// What happens in conferences, told to an application as it happens (the paper's `IConference`, and the reports
/// to its `gStatistics`).
///
/// One object hears of all nodes and conferences of a run; times are scenario time. Every method does nothing
/// unless it is written.
pub trait ConferenceHook: Send {
    /// `node` became a destination of `session`.
    fn joined(&mut self, at: Duration, session: SessionKey, node: NodeId) {
        let _ = (at, session, node);
    }

    /// `node` is a destination of `session` no longer.
    fn left(&mut self, at: Duration, session: SessionKey, node: NodeId) {
        let _ = (at, session, node);
    }

    /// A notice arrived that a queue overflowed.
    fn overflow(&mut self, notice: &OverflowNotice) {
        let _ = notice;
    }

    /// A destination delivered a symbol for the first time.
    fn delivery(&mut self, notice: &DeliveryNotice) {
        let _ = notice;
    }

    /// A node reports, every `report_interval` (30 s in the paper).
    fn report(&mut self, report: &NodeReport) {
        let _ = report;
    }
}

/// A queue overflowed, as one of the nodes involved hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverflowNotice {
    /// When it was heard, in scenario time.
    pub at: Duration,
    /// Whose queue overflowed.
    pub node: NodeId,
    /// The session that lost packets.
    pub session: SessionKey,
    /// Its packets dropped since the notice before.
    pub dropped_packets: u64,
    /// Their payload bytes.
    pub dropped_bytes: u64,
    /// Who heard it: the source, a relay upstream or a destination.
    pub heard_at: NodeId,
}

/// A symbol reached a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryNotice {
    /// When, in scenario time.
    pub at: Duration,
    /// Its session.
    pub session: SessionKey,
    /// The destination.
    pub node: NodeId,
    /// Which symbol of the session.
    pub symbol: u64,
    /// Its payload bytes.
    pub bytes: u32,
    /// Time since its source offered it.
    pub delay: Duration,
}

/// What one node did since its last report.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeReport {
    /// When, in scenario time.
    pub at: Duration,
    /// The node.
    pub node: NodeId,
    /// Time since its last report.
    pub interval: Duration,
    /// Its connections, in order of the other end's id.
    pub hops: Vec<HopReport>,
    /// The sessions that it took part in, in order of their keys.
    pub sessions: Vec<SessionReport>,
}

/// What one node did on one connection since its last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HopReport {
    /// The other end.
    pub to: NodeId,
    /// Packets sent to it.
    pub sent_packets: u64,
    /// Their bytes on the wire.
    pub sent_bytes: u64,
    /// Packets received from it.
    pub received_packets: u64,
    /// Rate of the bytes sent, in 10^6 bits per second over the interval.
    pub mbps_sent: f64,
    /// Its smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Bytes in its feeder now.
    pub queued_bytes: u64,
    /// What its congestion control knows of the path; `None` on connections without.
    pub control: Option<ControlFigures>,
}

/// What one node did for one session since its last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionReport {
    /// The session.
    pub key: SessionKey,
    /// What the node is to it.
    pub role: Role,
    /// Packets sent (source), forwarded (relay) or delivered (destination).
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Mean time from source to here of the packets delivered; destinations only.
    pub delay_mean: Option<Duration>,
}

/// What a node is to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It offers the content.
    Source,
    /// It forwards packets and delivers none.
    Relay,
    /// It delivers packets, and may forward them too.
    Destination,
}
