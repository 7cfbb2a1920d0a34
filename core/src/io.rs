//! What goes into a node and what comes out: plain data, no behaviour.

use crate::coding::CodingSpec;
use crate::content::spec::Content;
use crate::ids::{ConferenceId, Epoch, FlowId, HopIndex, Incarnation, NodeId, SessionKey};
use crate::listing::{Change, HeldListing};
use crate::payload::Payload;
use crate::report::Report;
use crate::route::Route;
use crate::seal::SealSpec;
use crate::time::{Duration, Instant};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a driver brings in.
#[derive(Debug)]
pub enum Input<'a> {
    /// A frame arrived on a datagram or control hop.
    Frame {
        /// The hop it came on ([`crate::Node::hop`]).
        hop: HopIndex,
        /// Its bytes.
        frame: Received<'a>,
    },
    /// Bytes arrived on a stream hop.
    Stream {
        /// The hop they came on.
        hop: HopIndex,
        /// The bytes, cut anywhere.
        chunk: Bytes,
    },
    /// The connection below a stream hop is there.
    Opened {
        /// The hop.
        hop: HopIndex,
    },
    /// The connection below a hop is gone.
    Closed {
        /// The hop.
        hop: HopIndex,
    },
    /// The hop's send buffer has room for so many bytes more.
    Room {
        /// The hop.
        hop: HopIndex,
        /// Bytes of room, added to what it had.
        bytes: u64,
    },
    /// The hop's socket is full: nothing more is handed out for it until [`Input::Room`].
    Blocked {
        /// The hop.
        hop: HopIndex,
    },
    /// The application or the planner wants something.
    Command(Command),
    /// The time of [`crate::Node::poll_timeout`] has come. Early and repeated ones do nothing.
    Timeout,
}

/// The bytes of a frame, as drivers have them.
#[derive(Debug)]
pub enum Received<'a> {
    /// Header and payload apart, as the simulator carries them.
    Split {
        /// Everything but the payload of the last packet chunk.
        header: &'a [u8],
        /// That payload.
        payload: Payload,
    },
    /// One datagram.
    Datagram(Bytes),
}

/// What the application or the planner wants of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Sets how feeders treat a conference.
    ConfigureConference {
        /// The conference.
        conference: ConferenceId,
        /// Share under the deficit-weighted scheduler, at least 1.
        weight: u32,
        /// Rank under the strict-priority scheduler.
        priority: u8,
    },
    /// Creates a session at its source. Routes are asked for at once; content starts at `spec.start`.
    StartSession(Box<SessionSpec>),
    /// The source stops; packets on their way still arrive.
    StopSession(SessionKey),
    /// Expects a session at one of its destinations.
    JoinSession(Box<SinkSpec>),
    /// Brings what an application has for a session of which this node is the source.
    Offer {
        /// The session.
        key: SessionKey,
        /// A datagram, or the next bytes of a stream.
        data: Bytes,
    },
    /// The application brings nothing more.
    EndOffers(SessionKey),
    /// Stops being a destination, and tells the source on the way that packets came.
    LeaveSession(SessionKey),
    /// Forgets a session that has ended, with its counters: nothing of it is kept here any more.
    ForgetSession(SessionKey),
    /// Ends a conference here and at every node that its packets touched.
    EndConference(ConferenceId),
    /// Installs the flows of a session at its source; stale versions are ignored.
    Install(Install),
    /// Asks for the policies of a session again.
    ReloadSessionPolicies(SessionKey),
    /// Opens a hop before it is needed.
    OpenHop {
        /// The next hop.
        peer: NodeId,
        /// What kind of hop.
        kind: HopKind,
    },
    /// Sends a control message along a route.
    SendControl {
        /// Where it goes.
        route: Route,
        /// What it says.
        body: crate::wire::control::ControlBody,
    },
    /// Says how far the source's clock is ahead of this node's, for the delays of a session. A node that estimates
    /// clocks itself ([`NodeConfig::clock_probes`](crate::config::NodeConfig::clock_probes)) takes no notice.
    ClockCorrection {
        /// The session.
        session: SessionKey,
        /// Nanoseconds to take off its source timestamps.
        ahead_ns: i64,
    },
    /// Holds a listing, in place of one that it may hold already. Its leases begin anew; what changes in it comes as
    /// [`Event::Listed`].
    HoldListing(Box<HeldListing>),
    /// Registers as a member of a conference, and sends heartbeats until the conference ends. Said again: by another way.
    Register(Registration),
    /// A node is a destination of a session of which this node is the source, as the listing says. What is so already
    /// changes nothing.
    Admit {
        /// The session.
        key: SessionKey,
        /// The destination.
        node: NodeId,
    },
    /// A node is no destination of it any more, although it may not have said so on the way of the packets.
    Dismiss {
        /// The session.
        key: SessionKey,
        /// The destination that was.
        node: NodeId,
    },
}

/// How a node registers with the node that holds the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// As a member of which conference.
    pub conference: ConferenceId,
    /// Routes of one branch, to the listing and from there back; `None`: it is held by the node itself.
    pub way: Option<(Route, Route)>,
    /// Distance of the heartbeats, a third of the lease; longer than zero.
    pub every: Duration,
}

/// What is promised of a session's symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// What is lost on the way is lost.
    #[default]
    BestEffort,
    /// Every destination gets every symbol: destinations acknowledge, and the source repeats.
    Reliable,
}

/// A session, as its source needs to know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Which session.
    pub key: SessionKey,
    /// Raised by a restarted source.
    pub epoch: Epoch,
    /// Its destinations now, sorted.
    pub destinations: Vec<NodeId>,
    /// What it carries.
    pub content: Content,
    /// Largest payload of one symbol, in bytes.
    pub symbol_bytes: u32,
    /// The kind of hop that carries it.
    pub hop_kind: HopKind,
    /// What is promised.
    #[serde(default)]
    pub delivery: Delivery,
    /// How its packets are coded; `None`: not.
    #[serde(default)]
    pub coding: Option<CodingSpec>,
    /// How its symbols are sealed from end to end; `None`: not.
    #[serde(default)]
    pub seal: Option<SealSpec>,
    /// When content starts, on this node's clock.
    pub start: Instant,
    /// When content stops.
    pub stop: Instant,
    /// Symbols created in this window are judged.
    pub measure: MeasureWindow,
    /// Whether flows are drawn at random or by stride.
    pub draw: DrawMode,
    /// How often policies are asked again; `None`: only on events.
    pub policy_period: Option<Duration>,
}

/// A session, as a destination needs to know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkSpec {
    /// Which session.
    pub key: SessionKey,
    /// Its source, whose clock its timestamps are of.
    pub source: NodeId,
    /// What it carries, to judge what arrives.
    pub content: Content,
    /// Largest payload of one symbol, in bytes.
    pub symbol_bytes: u32,
    /// What is promised: a destination of a reliable session acknowledges.
    #[serde(default)]
    pub delivery: Delivery,
    /// How its packets are coded; `None`: not.
    #[serde(default)]
    pub coding: Option<CodingSpec>,
    /// How its symbols are sealed from end to end; `None`: not.
    #[serde(default)]
    pub seal: Option<SealSpec>,
    /// When content starts, on the source's clock.
    pub start: Instant,
    /// When content stops, on the source's clock.
    pub stop: Instant,
    /// Symbols created in this window are judged (source's clock).
    pub measure: MeasureWindow,
    /// Whether each delivery is an event.
    pub deliver_events: bool,
}

/// A window of time; symbols are in it by their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureWindow {
    /// First instant.
    pub from: Instant,
    /// End (excluded).
    pub to: Instant,
}

impl MeasureWindow {
    /// Whether `at` lies in it.
    #[inline]
    #[must_use]
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.to
    }
}

/// How the flow of each packet is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrawMode {
    /// At random by the shares, as in the paper.
    Random,
    /// In a fixed pattern that follows the shares (stride scheduling).
    Stride,
}

/// Flows for a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Install {
    /// The session.
    pub key: SessionKey,
    /// Which start of the planner decided.
    pub planner: Incarnation,
    /// That planner's count of decisions for the session.
    pub version: u32,
    /// The flows: route and share (not negative, positive sum).
    pub flows: Vec<(Route, f64)>,
}

/// Kinds of hops. Each pair of nodes has at most one hop of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HopKind {
    /// Datagrams without congestion control, paced at a configured rate if any.
    Datagram,
    /// An ordered, reliable stream of bytes below (TCP).
    Stream,
    /// Control messages.
    Control,
    /// Datagrams under congestion control.
    Paced,
}

impl HopKind {
    /// How many kinds there are.
    pub const COUNT: usize = 4;
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [Self::Datagram, Self::Stream, Self::Control, Self::Paced];
}

/// One frame to send now. It counts as sent once it was handed out.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// The hop to send it on.
    pub hop: HopIndex,
    /// The next hop.
    pub peer: NodeId,
    /// The hop's kind.
    pub kind: HopKind,
    /// Everything but the payload.
    pub header: &'a [u8],
    /// The payload that follows; the driver takes it.
    pub payload: Payload,
    /// Whether the frame carries a packet of a session.
    pub is_packet: bool,
}

/// When a node wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time, on the node's clock.
    pub at: Instant,
}

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
    /// Policies should decide on a session; answer with [`Command::Install`].
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
    /// [`Command::HoldListing`].
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
