//! What is listed, and the changes that it is made of.

use crate::ids::{ConferenceId, Incarnation, NodeId, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use thiserror::Error;

/// Bytes of what is said about a session that count as an entry.
const ENTRY_BYTES: usize = 256;

/// A node that takes part in a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Which node.
    pub node: NodeId,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Where it can be reached: data first, control second, where it has both.
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
    /// Which start of the node; a higher one replaces a lower one.
    #[serde(default)]
    pub incarnation: Incarnation,
}

/// A session of a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its id, chosen by its creator.
    pub session: SessionId,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Its source.
    pub source: NodeId,
    /// Its destinations, sorted; those that left or whose lease ended are not among them.
    #[serde(default)]
    pub destinations: Vec<NodeId>,
    /// What its creator says of it to those who join, in a form of their own.
    #[serde(default)]
    pub about: String,
    /// Whether it has ended. It stays listed, so that its id is not given again.
    #[serde(default)]
    pub ended: bool,
}

/// A conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// Its id, never given again.
    pub conference: ConferenceId,
    /// What people call it.
    pub name: String,
    /// Who takes part, by node.
    #[serde(with = "by_id")]
    pub members: BTreeMap<NodeId, Member>,
    /// Its sessions, by id.
    #[serde(with = "by_id")]
    pub sessions: BTreeMap<SessionId, Session>,
}

/// Why a member is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parting {
    /// It said so.
    Left,
    /// Its lease ended.
    Expired,
}

/// One change of what is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A conference was created.
    ConferenceCreated {
        /// Its id.
        conference: ConferenceId,
        /// Its name.
        name: String,
    },
    /// A conference ended, with everything in it.
    ConferenceEnded {
        /// Which one.
        conference: ConferenceId,
    },
    /// A node takes part, or takes part again with a higher incarnation or other addresses.
    MemberJoined {
        /// In which conference.
        conference: ConferenceId,
        /// Who.
        member: Member,
    },
    /// A node takes no part any more. It is no destination of the conference's sessions any more, either.
    MemberGone {
        /// In which conference.
        conference: ConferenceId,
        /// Who.
        node: NodeId,
        /// Why.
        parting: Parting,
    },
    /// A session was added.
    SessionAdded {
        /// To which conference.
        conference: ConferenceId,
        /// The session.
        session: Session,
    },
    /// A member is a destination of a session from now on.
    DestinationJoined {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
        /// The destination.
        node: NodeId,
    },
    /// A member is no destination of a session any more.
    DestinationLeft {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
        /// The destination.
        node: NodeId,
    },
    /// A session ended.
    SessionEnded {
        /// The conference.
        conference: ConferenceId,
        /// The session.
        session: SessionId,
    },
}

/// A change and its number; the first one is 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedChange {
    /// The list's revision after it.
    pub revision: u64,
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
}

/// Why a record of changes cannot be what happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// A change is missing or comes twice.
    #[error("change {found} comes where change {expected} is due")]
    OutOfOrder {
        /// The number that is due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A change speaks of something that is not there, or creates what is or was there.
    #[error("change {revision} does not fit what is listed before it")]
    Impossible {
        /// Its number.
        revision: u64,
    },
}

/// Everything that outlives the server's process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Changes so far.
    pub revision: u64,
    /// The highest conference id that was given; ids rise by one.
    pub last_conference: ConferenceId,
    /// Conferences by id.
    #[serde(with = "by_id")]
    pub conferences: BTreeMap<ConferenceId, Conference>,
}

impl List {
    /// Takes the next change in.
    ///
    /// # Errors
    /// When it is not the next one, or cannot follow what is listed; nothing has changed then.
    pub fn apply(&mut self, numbered: &NumberedChange) -> Result<(), ReplayError> {
        let expected = self.revision + 1;
        if numbered.revision != expected {
            return Err(ReplayError::OutOfOrder { expected, found: numbered.revision });
        }
        self.take(&numbered.change).ok_or(ReplayError::Impossible { revision: expected })?;
        self.revision = expected;
        Ok(())
    }

    fn take(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::ConferenceCreated { conference, name } => {
                if conference.0 != self.last_conference.0.checked_add(1)? {
                    return None;
                }
                self.last_conference = *conference;
                let created = Conference {
                    conference: *conference,
                    name: name.clone(),
                    members: BTreeMap::new(),
                    sessions: BTreeMap::new(),
                };
                self.conferences.insert(*conference, created);
                Some(())
            }
            Change::ConferenceEnded { conference } => self.conferences.remove(conference).map(|_| ()),
            change => self.conferences.get_mut(&change.conference())?.apply(change),
        }
    }
}

impl Change {
    /// Returns the conference that it is about.
    #[must_use]
    pub const fn conference(&self) -> ConferenceId {
        match self {
            Self::ConferenceCreated { conference, .. }
            | Self::ConferenceEnded { conference }
            | Self::MemberJoined { conference, .. }
            | Self::MemberGone { conference, .. }
            | Self::SessionAdded { conference, .. }
            | Self::DestinationJoined { conference, .. }
            | Self::DestinationLeft { conference, .. }
            | Self::SessionEnded { conference, .. } => *conference,
        }
    }
}

impl Session {
    /// Returns what it counts for in the bound of the whole list: itself, its destinations, and what is said about it.
    #[must_use]
    pub fn entries(&self) -> usize {
        1 + self.destinations.len() + self.about.len().div_ceil(ENTRY_BYTES)
    }
}

impl Conference {
    /// Returns what it counts for in the bound of the whole list: itself, members, and sessions with all they have.
    #[must_use]
    pub fn entries(&self) -> usize {
        1 + self.members.len() + self.sessions.values().map(Session::entries).sum::<usize>()
    }

    /// Takes a change of this conference in, its beginning and end aside; `None`: it does not fit what is listed, and
    /// nothing has changed.
    pub fn apply(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::ConferenceCreated { .. } | Change::ConferenceEnded { .. } => return None,
            Change::MemberJoined { member, .. } => {
                self.members.insert(member.node, member.clone());
            }
            Change::MemberGone { node, .. } => {
                self.members.remove(node)?;
                for session in self.sessions.values_mut() {
                    session.destinations.retain(|destination| destination != node);
                }
            }
            Change::SessionAdded { session, .. } => {
                if self.sessions.contains_key(&session.session) {
                    return None;
                }
                self.sessions.insert(session.session, session.clone());
            }
            Change::DestinationJoined { session, node, .. } => {
                let session = self.sessions.get_mut(session)?;
                let place = session.destinations.binary_search(node).err()?;
                session.destinations.insert(place, *node);
            }
            Change::DestinationLeft { session, node, .. } => {
                let session = self.sessions.get_mut(session)?;
                let place = session.destinations.binary_search(node).ok()?;
                session.destinations.remove(place);
            }
            Change::SessionEnded { session, .. } => {
                let session = self.sessions.get_mut(session)?;
                if session.ended {
                    return None;
                }
                session.ended = true;
            }
        }
        Some(())
    }
}

/// Maps whose values name their own key are lists outside: shorter, and easier to read for people.
mod by_id {
    use super::{Conference, ConferenceId, Member, NodeId, Session, SessionId};
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) trait Named {
        type Id: Ord;
        fn id(&self) -> Self::Id;
    }

    impl Named for Conference {
        type Id = ConferenceId;
        fn id(&self) -> ConferenceId {
            self.conference
        }
    }

    impl Named for Member {
        type Id = NodeId;
        fn id(&self) -> NodeId {
            self.node
        }
    }

    impl Named for Session {
        type Id = SessionId;
        fn id(&self) -> SessionId {
            self.session
        }
    }

    pub(super) fn serialize<T, S>(map: &BTreeMap<T::Id, T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Named + Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map.values())
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<BTreeMap<T::Id, T>, D::Error>
    where
        T: Named + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let mut map = BTreeMap::new();
        for value in Vec::<T>::deserialize(deserializer)? {
            if map.insert(value.id(), value).is_some() {
                return Err(D::Error::custom("an id is listed twice"));
            }
        }
        Ok(map)
    }
}
