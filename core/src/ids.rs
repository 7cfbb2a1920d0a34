//! Identifiers as types of their own, so that they cannot be mixed up.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Identifies a node: 1 to 2^31 - 1. The top bit belongs to the routing header (destination flag).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct NodeId(u32);

impl TryFrom<u32> for NodeId {
    type Error = &'static str;

    fn try_from(id: u32) -> Result<Self, Self::Error> {
        Self::new(id).ok_or("a node id is 1 to 2147483647")
    }
}

impl From<NodeId> for u32 {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

impl NodeId {
    /// The largest node id: the top bit of the field marks a destination in the routing header.
    pub const MAX: u32 = 0x7FFF_FFFF;

    /// Returns the id, or `None` when it is 0 or needs the top bit.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        if id == 0 || id > Self::MAX { None } else { Some(Self(id)) }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

id!(
    /// Identifies a conference; given by the listing server, never reused.
    ConferenceId(u32), "c");
id!(
    /// Identifies a session inside its conference; chosen by the session's creator.
    SessionId(u32), "s");
id!(
    /// Position of a flow in its session's flow list.
    FlowId(u16), "f");
id!(
    /// Dense index of a hop inside one node; it means nothing outside that node.
    HopIndex(u32), "h");
id!(
    /// Counts the starts of a node; given by the driver, higher at each start.
    Incarnation(u32), "i");
id!(
    /// Raised by a session's source when it restarts; sinks then open a new window.
    Epoch(u16), "e");

/// Names a session everywhere: its conference and its id within.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey {
    /// The conference the session belongs to.
    pub conference: ConferenceId,
    /// The session inside that conference.
    pub session: SessionId,
}

impl SessionKey {
    /// Returns the key of session `session` of conference `conference`.
    #[must_use]
    pub const fn new(conference: u32, session: u32) -> Self {
        Self { conference: ConferenceId(conference), session: SessionId(session) }
    }
}

impl fmt::Display for SessionKey {
    /// Prints `conference/session`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.conference, self.session)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_leave_the_destination_bit_free() {
        assert_eq!(NodeId::new(0), None);
        assert_eq!(NodeId::new(0x8000_0000), None);
        assert_eq!(NodeId::new(NodeId::MAX).map(NodeId::get), Some(0x7FFF_FFFF));
    }
}
