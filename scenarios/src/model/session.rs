//! Conferences and their sessions.

use bellini_core::coding::CodingSpec;
use bellini_core::content::spec::Content;
use bellini_core::ids::{ConferenceId, NodeId, SessionId};
use bellini_core::io::HopKind;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::collections::BTreeMap;

/// A conference: nodes that take part in one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Conference {
    /// Its id.
    pub id: ConferenceId,
    /// Its name in reports.
    pub name: String,
    /// Share under the deficit-weighted scheduler.
    pub weight: u32,
    /// Rank under the strict-priority scheduler; higher goes first.
    pub priority: u8,
    /// When it is created.
    pub start: Duration,
    /// When it ends; its queues are then removed everywhere. `None`: at the end of the run.
    pub end: Option<Duration>,
    /// Joins and leaves of destinations during the run, in order of time.
    pub churn: Vec<Churn>,
    /// Its sessions, in order of their ids.
    pub sessions: Vec<Session>,
}

impl Conference {
    /// Returns every node that takes part at some time, as source or destination; sorted, each once.
    #[must_use]
    pub fn members(&self) -> Vec<NodeId> {
        let sessions = self.sessions.iter();
        let mut members: Vec<NodeId> = sessions
            .flat_map(|session| session.destinations.iter().chain([&session.source]))
            .copied()
            .collect();
        members.extend(self.churn.iter().map(|churn| churn.node));
        members.sort_unstable();
        members.dedup();
        members
    }
}

/// A node joins or leaves a session as a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Churn {
    /// When.
    pub at: Duration,
    /// Who.
    pub node: NodeId,
    /// Which session.
    pub session: SessionId,
    /// Joins or leaves.
    pub membership: Membership,
}

/// The direction of a change in membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The node becomes a destination.
    Join,
    /// The node stops being one.
    Leave,
}

/// A session: one source, a set of destinations, one kind of content.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id within the conference.
    pub id: SessionId,
    /// Its name in reports.
    pub name: String,
    /// The node that offers the content.
    pub source: NodeId,
    /// Destinations at the start, sorted.
    pub destinations: Vec<NodeId>,
    /// How hops carry it.
    pub transport: Transport,
    /// What is promised.
    pub delivery: Delivery,
    /// How its packets are coded; `None`: not.
    pub coding: Option<CodingSpec>,
    /// Whether its source seals its symbols, so that only its destinations can read them.
    pub sealed: bool,
    /// What it carries.
    pub content: Content,
    /// Largest payload of one symbol, in bytes.
    pub symbol_bytes: u32,
    /// When its source starts to offer content.
    pub start: Duration,
    /// When its source stops.
    pub stop: Duration,
    /// How its routes are chosen.
    pub routing: Routing,
    /// How its packets are spread over the routes.
    pub assignment: Assignment,
    /// How the flow of each packet is drawn from the shares.
    pub draw: FlowDraw,
}

/// How hops carry a session's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// UDP under congestion control.
    Udp,
    /// UDP without congestion control.
    UdpUnpaced,
    /// TCP, with length-prefixed frames.
    Tcp,
}

impl Transport {
    /// Every transport of this version.
    pub const ALL: [Self; 3] = [Self::Udp, Self::UdpUnpaced, Self::Tcp];

    /// Returns its word in scenario files and records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::UdpUnpaced => "udp-unpaced",
            Self::Tcp => "tcp",
        }
    }

    /// Returns the kind of hops that carry it.
    #[must_use]
    pub const fn hop_kind(self) -> HopKind {
        match self {
            Self::Udp => HopKind::Paced,
            Self::UdpUnpaced => HopKind::Datagram,
            Self::Tcp => HopKind::Stream,
        }
    }
}

/// What a session promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Symbols may be lost.
    BestEffort,
    /// Every destination gets every symbol.
    Reliable,
}

impl Delivery {
    /// What scenarios can ask for.
    pub const ALL: [Self; 2] = [Self::BestEffort, Self::Reliable];

    /// Returns the word in scenarios and results.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BestEffort => "best-effort",
            Self::Reliable => "reliable",
        }
    }

    /// Returns what nodes are told.
    #[must_use]
    pub const fn of_session(self) -> bellini_core::io::Delivery {
        match self {
            Self::BestEffort => bellini_core::io::Delivery::BestEffort,
            Self::Reliable => bellini_core::io::Delivery::Reliable,
        }
    }
}

/// How the routes of a session are chosen: the policy's name and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// `static`, `direct`, `shortest-delay`, `k-shortest`, `multicast-tree`, or one of the user's own.
    pub policy: String,
    /// Flows written out (policy `static`), otherwise empty.
    pub flows: Vec<StaticFlow>,
    /// Further parameters by name, as in the file (numbers, strings), for policies to read.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// One flow of a session as written in the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticFlow {
    /// Where its packets go.
    pub route: Route,
    /// Its share of the session's packets, when given.
    pub share: Option<f64>,
    /// Its rate, when given instead of a share.
    pub rate: Option<BitRate>,
}

/// How packets are spread over the routes: the policy's name and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// `static`, `equal`, `rate-proportional`, or one of the user's own.
    pub policy: String,
    /// Parameters by name, as in the file.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// How the flow of each packet is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowDraw {
    /// At random by the shares, as in the paper.
    Random,
    /// In a fixed pattern that follows the shares as closely as whole packets allow (stride scheduling).
    Stride,
}
