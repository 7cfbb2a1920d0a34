//! What a driver orders a node to do.

use super::{HopKind, Install, SessionSpec, SinkSpec};
use crate::ids::{ConferenceId, NodeId, SessionKey};
use crate::listing::HeldListing;
use crate::route::Route;
use crate::time::Duration;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
    /// [`Event::Listed`](super::Event::Listed).
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
