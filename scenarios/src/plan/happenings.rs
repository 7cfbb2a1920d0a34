//! What happened to a session's routes, from a run's events.

use crate::model::Session;
use crate::record::{EventRow, SessionSummary, kind};
use bellini_core::route::Route;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Something that happened to a session's routes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When, in seconds of scenario time.
    pub t_s: f64,
    /// Until when the same went on, and how often it happened.
    pub until_s: f64,
    /// How often.
    pub times: u64,
    /// Kind of event.
    pub kind: String,
    /// A sentence.
    pub text: String,
}

/// Returns what happened to a session's routes: what names it, and failures of nodes on its routes.
pub(super) fn events(
    all: &[EventRow],
    summary: &SessionSummary,
    session: &Session,
    flows: &[(Route, f64)],
) -> Vec<Happening> {
    const OWN: [&str; 7] = [
        kind::POLICY,
        kind::REROUTED,
        kind::OVERFLOW,
        kind::JOINED,
        kind::LEFT,
        kind::SESSION_STARTED,
        kind::SESSION_STOPPED,
    ];
    const SHARED: [&str; 7] = [
        kind::HOP_DOWN,
        kind::HOP_UP,
        kind::HOP_CLOSED,
        kind::FAULT,
        kind::NODE_CRASHED,
        kind::NODE_RESTARTED,
        kind::NODE_FAILED,
    ];
    let mut nodes = BTreeSet::from([session.source.get()]);
    let mut note = |route: &str| {
        nodes.extend(route.split(|c: char| !c.is_ascii_digit()).filter_map(|id| id.parse::<u32>().ok()))
    };
    flows.iter().for_each(|(route, _)| note(&route.to_string()));
    let is_own =
        |row: &EventRow| row.conference == Some(summary.conference) && row.session == Some(summary.session);
    // Routes that were taken in between count as well.
    for row in all.iter().filter(|row| is_own(row)) {
        for flow in row.data.get("flows").and_then(Value::as_array).into_iter().flatten() {
            note(flow.get("route").and_then(Value::as_str).unwrap_or_default());
        }
    }
    let concerns = |row: &EventRow| {
        let kind = row.kind.as_str();
        if OWN.contains(&kind) {
            return is_own(row);
        }
        let peer = row.data.get("peer").and_then(Value::as_u64).and_then(|peer| u32::try_from(peer).ok());
        let here = row.node.is_none_or(|node| nodes.contains(&node));
        SHARED.contains(&kind) && here && peer.is_none_or(|peer| nodes.contains(&peer))
    };
    let mut found: Vec<Happening> = Vec::new();
    for row in all.iter().filter(|row| concerns(row)) {
        let text = sentence(row);
        let is_same = |last: &Happening| {
            last.kind == row.kind && (last.text == text || row.kind == kind::OVERFLOW || is_unchanged(row))
        };
        match found.last_mut().filter(|last| is_same(last)) {
            Some(last) => (last.until_s, last.times) = (row.t_s, last.times + 1),
            None => found.push(Happening {
                t_s: row.t_s,
                until_s: row.t_s,
                times: 1,
                kind: row.kind.clone(),
                text,
            }),
        }
    }
    found
}

/// Whether an event is a decision that changed nothing.
fn is_unchanged(row: &EventRow) -> bool {
    row.kind == kind::POLICY && row.data.contains_key("reason") && !row.data.contains_key("flows")
}

/// Returns an event's sentence; decisions say why and what.
fn sentence(row: &EventRow) -> String {
    let Some(reason) = row.data.get("reason").and_then(Value::as_str).filter(|_| row.kind == kind::POLICY)
    else {
        return row.text.clone();
    };
    let Some(flows) = row.data.get("flows").and_then(Value::as_array) else {
        return format!("asked ({reason}): the routes that it has");
    };
    let text = |flow: &Value| {
        let flow: &Map<String, Value> = flow.as_object()?;
        let share = flow.get("share")?.as_f64()?;
        Some(format!("{:.1} % by {}", share * 100.0, flow.get("route")?.as_str()?))
    };
    let used = flows.iter().filter(|flow| flow.get("share").and_then(Value::as_f64) != Some(0.0));
    format!("asked ({reason}): {}", used.filter_map(text).collect::<Vec<_>>().join(", "))
}
