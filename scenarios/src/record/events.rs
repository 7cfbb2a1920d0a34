//! `events.jsonl`: what happened, one JSON object a line, in order of time.

use super::error::RecordError;
use super::round;
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::path::Path;

/// Kinds of events that Bellini writes. Readers keep kinds that they do not know.
pub mod kind {
    /// A fault of the scenario's timeline took effect (`data`: `fault`, `links`, `nodes`).
    pub const FAULT: &str = "fault";
    /// A feeder's queue overflowed.
    pub const OVERFLOW: &str = "overflow";
    /// A node became a destination.
    pub const JOINED: &str = "joined";
    /// A node stopped being a destination.
    pub const LEFT: &str = "left";
    /// A session's source started.
    pub const SESSION_STARTED: &str = "session_started";
    /// A session's source stopped.
    pub const SESSION_STOPPED: &str = "session_stopped";
    /// Every destination of a reliable session has everything that its source offered.
    pub const SESSION_COMPLETED: &str = "session_completed";
    /// A conference ended.
    pub const CONFERENCE_ENDED: &str = "conference_ended";
    /// A policy had no answer, or its decision was installed (`data`: `reason`, and where they changed `flows`, each with
    /// `route` and `share`).
    pub const POLICY: &str = "policy";
    /// A hop is open.
    pub const HOP_OPENED: &str = "hop_opened";
    /// A hop closed.
    pub const HOP_CLOSED: &str = "hop_closed";
    /// A node was found not to be sent to any more (`data`: `peer`).
    pub const HOP_DOWN: &str = "hop_down";
    /// It may be sent to again (`data`: `peer`).
    pub const HOP_UP: &str = "hop_up";
    /// A source changed the shares of a session by itself, because hops were down, or up again.
    pub const REROUTED: &str = "rerouted";
    /// A node died.
    pub const NODE_CRASHED: &str = "node_crashed";
    /// A node of a run on real hosts was lost, which nobody had planned.
    pub const NODE_FAILED: &str = "node_failed";
    /// A node came back.
    pub const NODE_RESTARTED: &str = "node_restarted";
    /// A member of a conference was silent for its lease (`data`: `sessions`, of which it is a destination no more).
    pub const MEMBER_EXPIRED: &str = "member_expired";
    /// A member that had expired registered again.
    pub const MEMBER_BACK: &str = "member_back";
    /// The periodic report to a conference's hook.
    pub const REPORT: &str = "report";
    /// The run was stopped before its end.
    pub const INTERRUPTED: &str = "interrupted";
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// When, in seconds of scenario time.
    #[serde(serialize_with = "round::float")]
    pub t_s: f64,
    /// What kind of event, see [`kind`].
    pub kind: String,
    /// The node it happened at, if one.
    pub node: Option<u32>,
    /// The conference concerned, if one.
    pub conference: Option<u32>,
    /// The session concerned, if one.
    pub session: Option<u32>,
    /// One sentence for people.
    pub text: String,
    /// Further values by name; an empty object when there are none.
    #[serde(default)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

impl EventRow {
    /// Makes an event that concerns no node, conference or session yet: set these fields as needed.
    #[must_use]
    pub fn new(t_s: f64, kind: &str, text: impl Into<String>) -> EventRow {
        EventRow {
            t_s,
            kind: kind.to_owned(),
            node: None,
            conference: None,
            session: None,
            text: text.into(),
            data: serde_json::Map::new(),
        }
    }

    /// Reads `events.jsonl`.
    ///
    /// # Errors
    /// [`RecordError::Io`], or [`RecordError::Malformed`] with the first bad line.
    pub(super) fn read_all(path: &Path) -> Result<Vec<EventRow>, RecordError> {
        let file = std::fs::File::open(path).map_err(RecordError::io("read", path))?;
        let mut rows = Vec::new();
        for (number, line) in (1..).zip(std::io::BufReader::new(file).lines()) {
            let line = line.map_err(RecordError::io("read", path))?;
            let row = serde_json::from_str(&line).map_err(|error| RecordError::Malformed {
                path: path.into(),
                line: Some(number),
                problem: error.to_string(),
            })?;
            rows.push(row);
        }
        Ok(rows)
    }
}
