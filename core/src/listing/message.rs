//! What a listing is asked, and what it answers.

use super::list::{Conference, Member, NumberedChange, Session};
use crate::ids::{ConferenceId, Incarnation, NodeId, SessionId};
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a listing is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListingRequest {
    /// All conferences.
    List,
    /// One conference.
    Show {
        /// Which one.
        conference: ConferenceId,
    },
    /// What has changed after a revision.
    Changes {
        /// The revision that the asker has seen.
        since: u64,
    },
    /// Creates a conference; its id comes with the answer.
    Create {
        /// What people call it; may be empty, need not be unique.
        name: String,
    },
    /// Takes part in a conference. Who takes part already begins a new lease; a lower incarnation is refused.
    Join {
        /// Which conference.
        conference: ConferenceId,
        /// Who.
        member: Member,
    },
    /// A heartbeat: the member's lease begins anew.
    Renew {
        /// Which conference.
        conference: ConferenceId,
        /// Who.
        node: NodeId,
        /// Which start of the node.
        incarnation: Incarnation,
    },
    /// Takes part no more.
    Leave {
        /// Which conference.
        conference: ConferenceId,
        /// Who.
        node: NodeId,
        /// Which start of the node: a late word of an earlier one does not throw out a later one.
        incarnation: Incarnation,
    },
    /// Adds a session. Source and destinations are members.
    AddSession {
        /// To which conference.
        conference: ConferenceId,
        /// The session, with the id that its creator chose.
        session: Session,
    },
    /// A member becomes a destination of a session.
    JoinSession {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
        /// Who.
        node: NodeId,
    },
    /// A destination of a session is none any more.
    LeaveSession {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
        /// Who.
        node: NodeId,
    },
    /// Ends a session.
    EndSession {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
    },
    /// Ends a conference.
    End {
        /// Which one.
        conference: ConferenceId,
    },
}

/// What a listing answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListingAnswer {
    /// All conferences, by id.
    Conferences {
        /// The list's revision.
        revision: u64,
        /// The conferences.
        conferences: Vec<Conference>,
    },
    /// One conference.
    Conference {
        /// The list's revision.
        revision: u64,
        /// The conference.
        conference: Box<Conference>,
    },
    /// What has changed, in order; empty: nothing.
    Changes {
        /// The list's revision.
        revision: u64,
        /// The changes after the asker's.
        changes: Vec<NumberedChange>,
    },
    /// A conference was created.
    Created {
        /// The list's revision.
        revision: u64,
        /// Its id.
        conference: ConferenceId,
    },
    /// The member takes part, and does so until its lease ends.
    Leased {
        /// The list's revision.
        revision: u64,
        /// How long from now; it is renewed three times in that time.
        lease: Duration,
    },
    /// It is done.
    Done {
        /// The list's revision.
        revision: u64,
    },
}

/// Why a listing refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "kebab-case")]
pub enum ListingError {
    /// It ended, or never was.
    #[error("no conference {conference} is listed: it ended, or never was")]
    NoConference {
        /// What was asked for.
        conference: ConferenceId,
    },
    /// Not a member: it never joined, it left, or its lease ended.
    #[error("node {node} takes no part in conference {conference}: it has to join (again) first")]
    NoMember {
        /// The conference.
        conference: ConferenceId,
        /// What was asked for.
        node: NodeId,
    },
    /// No such session, or it has ended.
    #[error("conference {conference} has no session {session} that goes on")]
    NoSession {
        /// The conference.
        conference: ConferenceId,
        /// What was asked for.
        session: SessionId,
    },
    /// The node is no destination of the session.
    #[error("node {node} is no destination of session {conference}/{session}")]
    NoDestination {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
        /// The node.
        node: NodeId,
    },
    /// An earlier start of a node speaks.
    #[error("node {node} takes part with incarnation {known}; {given} is an earlier or another start of it")]
    OldIncarnation {
        /// The node.
        node: NodeId,
        /// The one that takes part.
        known: Incarnation,
        /// The one that speaks.
        given: Incarnation,
    },
    /// The id is in use, or was.
    #[error("session id {session} was given in conference {conference} already: choose another")]
    SessionTaken {
        /// The conference.
        conference: ConferenceId,
        /// The id.
        session: SessionId,
    },
    /// A source that is a destination of its own session.
    #[error("node {node} cannot be source and destination of session {session}")]
    OwnDestination {
        /// The session.
        session: SessionId,
        /// The node.
        node: NodeId,
    },
    /// A new session cannot have ended, and a destination is named once.
    #[error("a new session goes on (`ended` is false), and names each destination once")]
    BadSession,
    /// A bound of the listing.
    #[error("{what}: more than {max}")]
    TooMany {
        /// Of what.
        what: Bounded,
        /// How many there may be.
        max: usize,
    },
}

/// What a listing holds a bounded number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bounded {
    /// Conferences at one time, or ids.
    Conferences,
    /// Members of a conference.
    Members,
    /// Sessions of a conference, ended ones included.
    Sessions,
    /// Conferences, members, sessions and destinations together.
    Entries,
    /// Bytes of a name.
    NameBytes,
    /// Bytes of what is said about a session.
    AboutBytes,
    /// Addresses of a member.
    Addresses,
}

impl std::fmt::Display for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conferences => "conferences",
            Self::Members => "members of a conference",
            Self::Sessions => "sessions of a conference, ended ones included",
            Self::Entries => {
                "conferences, members, sessions, their destinations and what is said about them, together"
            }
            Self::NameBytes => "bytes of a name",
            Self::AboutBytes => "bytes of what is said about a session",
            Self::Addresses => "addresses of a member",
        })
    }
}
