//! What a node of a run is given to hold: a listing with what was kept of it.

use super::limits::ListingLimits;
use super::list::List;
use crate::ids::{ConferenceId, NodeId, SessionId};
use serde::{Deserialize, Serialize};

/// A listing for a node to hold, new or as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldListing {
    /// Its bounds, and the lease of its members.
    pub limits: ListingLimits,
    /// What is listed.
    pub list: List,
    /// Members whose lease had ended, and who are not back.
    pub lost: Vec<LostMember>,
}

/// A member whose lease has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostMember {
    /// Of which conference.
    pub conference: ConferenceId,
    /// Who.
    pub node: NodeId,
    /// Of which sessions it was a destination, and will be again when it is back.
    pub sessions: Vec<SessionId>,
}
