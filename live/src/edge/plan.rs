//! Which sessions of a scenario have edges, and what that changes in the commands of a run.

use super::{Edge, Place, PlaceError};
use bellini_core::content::spec::{Content, Unit};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::Command;
use bellini_scenarios::model::{Delivery, Scenario};
use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;
use thiserror::Error;

/// Bytes that may wait at a source for the network.
const OFFERED_BYTES_MAX: u32 = 1 << 20;

/// An edge as a person writes it: `CONFERENCE/SESSION@NODE=PLACE`, as in `1/1@studio=udp:127.0.0.1:5004`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeText {
    conference: u32,
    session: u32,
    node: String,
    place: Place,
}

/// Why an edge cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EdgePlanError {
    /// The text does not name session, node and place.
    #[error("{0:?} is no edge: write CONFERENCE/SESSION@NODE=PLACE, as in 1/1@studio=udp:127.0.0.1:5004")]
    Text(String),
    /// The place cannot be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A node on another host cannot reach it.
    #[error(
        "- is for the lab: a node on a host has no standard input or output; name a socket or a file there"
    )]
    NotThere,
    /// The scenario has no such session.
    #[error("the scenario has no session {0}")]
    NoSession(SessionKey),
    /// The node is no part of the session.
    #[error("{node:?} is neither source nor destination of session {key}; those are {known}")]
    NoPart {
        /// The session.
        key: SessionKey,
        /// The node, as it was written.
        node: String,
        /// Who is.
        known: String,
    },
    /// The node has such an edge already.
    #[error("{0:?} has two edges of session {1}")]
    Twice(String, SessionKey),
    /// A stream needs a session that loses nothing.
    #[error(
        "session {0}: a stream loses nothing and keeps its order, so that it needs \"delivery\": \"reliable\""
    )]
    Unreliable(SessionKey),
    /// Bytes of a stream have no borders.
    #[error("session {key}: a stream of bytes cannot be taken as datagrams at {place}")]
    NoDatagrams {
        /// The session.
        key: SessionKey,
        /// Where it would be taken.
        place: Place,
    },
}

/// The edges of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgePlan {
    /// Content of the sessions that applications bring.
    units: BTreeMap<SessionKey, Unit>,
    edges: BTreeMap<(SessionKey, NodeId), Edge>,
}

impl FromStr for EdgeText {
    type Err = EdgePlanError;

    fn from_str(text: &str) -> Result<Self, EdgePlanError> {
        let error = || EdgePlanError::Text(text.to_owned());
        let (session, rest) = text.split_once('@').ok_or_else(error)?;
        let (node, place) = rest.split_once('=').ok_or_else(error)?;
        let (conference, session) = session.split_once('/').ok_or_else(error)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| error());
        let (conference, session) = (number(conference)?, number(session)?);
        Ok(Self { conference, session, node: node.to_owned(), place: place.parse()? })
    }
}

impl EdgePlan {
    /// Plans the edges of a scenario.
    ///
    /// # Errors
    /// When one of them names what the scenario does not have, or does not fit its session.
    pub fn new(scenario: &Scenario, texts: &[EdgeText]) -> Result<Self, EdgePlanError> {
        let mut plan = Self::default();
        let mut deliveries = Vec::new();
        for text in texts {
            let key = SessionKey::new(text.conference, text.session);
            let conference = scenario.conferences.iter().find(|it| it.id == key.conference);
            let session = conference.and_then(|it| it.sessions.iter().find(|it| it.id == key.session));
            let session = session.ok_or(EdgePlanError::NoSession(key))?;
            let name_of = |id: NodeId| {
                scenario
                    .nodes
                    .iter()
                    .find(|node| node.id == id)
                    .map_or_else(|| id.to_string(), |node| node.name.clone())
            };
            let mut parts = vec![session.source];
            parts.extend(&session.destinations);
            let is_meant = |id: &&NodeId| name_of(**id) == text.node || id.to_string() == text.node;
            let Some(node) = parts.iter().find(is_meant).copied() else {
                let known = parts.iter().map(|id| name_of(*id)).collect::<Vec<_>>().join(", ");
                return Err(EdgePlanError::NoPart { key, node: text.node.clone(), known });
            };
            let place = text.place.clone();
            let edge = if node == session.source {
                let unit = place.unit();
                if unit == Unit::Stream && session.delivery != Delivery::Reliable {
                    return Err(EdgePlanError::Unreliable(key));
                }
                plan.units.insert(key, unit);
                Edge::Source(place)
            } else {
                deliveries.push((key, place.clone()));
                Edge::Delivery { place, tell: false }
            };
            if plan.edges.insert((key, node), edge).is_some() {
                return Err(EdgePlanError::Twice(text.node.clone(), key));
            }
        }
        for (key, place) in deliveries {
            if place.unit() == Unit::Datagrams && plan.units.get(&key) == Some(&Unit::Stream) {
                return Err(EdgePlanError::NoDatagrams { key, place });
            }
        }
        Ok(plan)
    }

    /// Plans the edges of a run on other hosts, where this command's standard input and output are not.
    ///
    /// # Errors
    /// As [`EdgePlan::new`], and for `-`.
    pub fn on_hosts(scenario: &Scenario, texts: &[EdgeText]) -> Result<Self, EdgePlanError> {
        if texts.iter().any(|text| text.place == Place::Standard) {
            return Err(EdgePlanError::NotThere);
        }
        Self::new(scenario, texts)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Returns the places of all edges, to be replaced where nodes cannot reach them themselves.
    pub fn places_mut(&mut self) -> impl Iterator<Item = (bool, &mut Place)> {
        self.edges.values_mut().map(|edge| match edge {
            Edge::Source(place) => (true, place),
            Edge::Delivery { place, .. } => (false, place),
        })
    }

    /// Looks whether files of this machine can be read and written that edges name.
    ///
    /// # Errors
    /// When one cannot, naming it.
    pub fn check_files(&self) -> io::Result<()> {
        for edge in self.edges.values() {
            let (place, found) = match edge {
                Edge::Source(place @ Place::File(path)) => (place, std::fs::File::open(path).map(drop)),
                Edge::Delivery { place: place @ Place::File(path), .. } => {
                    (place, std::fs::OpenOptions::new().append(true).create(true).open(path).map(drop))
                }
                _ => continue,
            };
            found.map_err(|error| io::Error::new(error.kind(), format!("{place}: {error}")))?;
        }
        Ok(())
    }

    /// Changes a command for `node` as its edges ask, and returns the edge that is to be there before.
    #[must_use]
    pub fn apply(&self, node: NodeId, command: &mut Command) -> Option<(SessionKey, Edge)> {
        let brought = |key: &SessionKey| {
            let unit = *self.units.get(key)?;
            Some(Content::Application { unit, bytes_max: OFFERED_BYTES_MAX })
        };
        let key = match command {
            Command::StartSession(spec) => {
                if let Some(content) = brought(&spec.key) {
                    spec.content = content;
                }
                spec.key
            }
            Command::JoinSession(spec) => {
                if let Some(content) = brought(&spec.key) {
                    spec.content = content;
                }
                spec.key
            }
            _ => return None,
        };
        let mut edge = self.edges.get(&(key, node))?.clone();
        if let (Edge::Delivery { tell, .. }, Command::JoinSession(spec)) = (&mut edge, command) {
            *tell = spec.deliver_events;
            spec.deliver_events = true;
        }
        Some((key, edge))
    }
}
