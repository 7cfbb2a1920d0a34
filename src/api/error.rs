//! What can go wrong for a program.

use bellini_core::ids::{ConferenceId, SessionKey};
use bellini_core::io::CommandError;
use bellini_core::listing::ListingError;
use bellini_scenarios::policy::PolicyError;
use bellini_scenarios::registry::RegistryError;
use thiserror::Error;

/// Why something that a program asked for was not done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The listing server refused.
    #[error("the listing server refused: {text}")]
    Refused {
        /// Of what kind the refusal is.
        refusal: Refusal,
        /// What it says.
        text: String,
    },
    /// The listing server cannot be reached, or answers what no listing server does.
    #[error("{0}")]
    Listing(String),
    /// The node refused.
    #[error("the node refused: {0}")]
    Command(#[from] CommandError),
    /// A policy has no answer; the session keeps the flows that it has.
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    /// No policy has that name.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The topology has no such node.
    #[error("no node is called `{name}`; there are: {known}")]
    NoNode {
        /// What was asked for.
        name: String,
        /// All names, with commas.
        known: String,
    },
    /// The conference has ended, or this node has left it.
    #[error("conference {0} is over for this node: it ended, or was left")]
    NoConference(ConferenceId),
    /// The conference has no such session, or it has ended.
    #[error("session {0} is not listed, or has ended")]
    NoSession(SessionKey),
    /// Every session id of the conference has been taken.
    #[error("conference {0} has no session id left")]
    NoIds(ConferenceId),
    /// What its creator says of a session cannot be understood here.
    #[error("session {key} cannot be announced or received: {problem}")]
    Announcement {
        /// The session.
        key: SessionKey,
        /// What is wrong.
        problem: String,
    },
    /// A datagram goes into one symbol, or not at all.
    #[error("a datagram of {length} bytes, where session {key} takes {max}")]
    TooLong {
        /// The session.
        key: SessionKey,
        /// Its bytes.
        length: usize,
        /// Most bytes of a symbol.
        max: u32,
    },
    /// The session's content is made by the node: nothing can be sent.
    #[error("session {0} makes its content itself: only datagrams and streams are sent")]
    NotAnApplication(SessionKey),
    /// The program took what arrived too slowly, or the node was no destination for a while: a stream would have a hole now.
    #[error(
        "session {0}: bytes of the stream are missing: nobody received them in time, or this node's lease ended"
    )]
    Behind(SessionKey),
    /// Too many calls wait for an answer, or the node takes part in too many conferences.
    #[error("more than {0} calls at a time, or conferences of a node")]
    Busy(usize),
    /// The node does not run any more.
    #[error("the node has stopped: {0}")]
    Stopped(String),
    /// The settings of a node or a simulation cannot work.
    #[error("{0}")]
    Settings(String),
    /// The system refuses something that the node needs: an address, a port, a file.
    #[error("{0}")]
    Environment(String),
    /// A program ended with an error.
    #[error("program at {node}: {error}")]
    Program {
        /// The name of its node.
        node: String,
        /// What it ended with.
        error: Box<Error>,
    },
    /// Programs go on for ever without letting virtual time pass.
    #[error("at {at}, programs do not wait for anything: more than {polls} steps without time passing")]
    Stuck {
        /// When.
        at: String,
        /// Steps that were taken.
        polls: u64,
    },
    /// Anything else, in a program's own words.
    #[error("{0}")]
    Other(String),
}

/// Kinds of refusals of the listing server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The conference, member, session or destination is not there (any more).
    NotThere,
    /// An id is taken, or a later start of the node takes part.
    Conflict,
    /// The request cannot be meant so.
    Wrong,
    /// A bound of the listing.
    Full,
}

impl Error {
    /// Returns an error in a program's own words.
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    pub(super) fn of_listing(error: &ListingError) -> Self {
        let refusal = match error {
            ListingError::NoConference { .. }
            | ListingError::NoMember { .. }
            | ListingError::NoSession { .. }
            | ListingError::NoDestination { .. } => Refusal::NotThere,
            ListingError::OldIncarnation { .. } | ListingError::SessionTaken { .. } => Refusal::Conflict,
            ListingError::OwnDestination { .. } | ListingError::BadSession => Refusal::Wrong,
            ListingError::TooMany { .. } => Refusal::Full,
        };
        Self::Refused { refusal, text: error.to_string() }
    }

    pub(super) fn is_refused(&self, kind: Refusal) -> bool {
        matches!(self, Self::Refused { refusal, .. } if *refusal == kind)
    }
}
