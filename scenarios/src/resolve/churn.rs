//! Joins and leaves of destinations.

use super::Network;
use super::values::{text, time};
use crate::model::{Churn, Membership, Session};
use crate::parse::sink::{Sink, listed};
use crate::parse::tree::{Json, Span, Tree};
use crate::units::format_time;
use bellini_core::ids::{NodeId, SessionId};
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// Returns the id of a session.
pub(crate) fn session_id(tree: &Tree) -> Option<SessionId> {
    tree.get("id").and_then(Tree::integer).and_then(|id| u32::try_from(id).ok()).map(SessionId)
}

/// The sessions of a conference by id and name.
pub(crate) struct SessionNames {
    ids: BTreeMap<SessionId, Span>,
    names: BTreeMap<String, (SessionId, Span)>,
}

impl SessionNames {
    /// Reads ids and names, and notes those that are given twice.
    pub(crate) fn read(conference: &Tree, sink: &mut Sink) -> Self {
        let mut all = Self { ids: BTreeMap::new(), names: BTreeMap::new() };
        for tree in conference.get("sessions").map_or(&[][..], Tree::items) {
            let (Some(id), Some(written)) = (session_id(tree), tree.get("id")) else { continue };
            if let Some(first) = all.ids.get(&id) {
                sink.error("E0306", written.span, format!("two sessions have the id {id}"), "again here")
                    .also(*first, "first here");
                continue;
            }
            all.ids.insert(id, written.span);
            let name = text(tree, "name").map_or_else(|| format!("s{id}"), str::to_owned);
            let span = tree.get("name").map_or(written.span, |tree| tree.span);
            if let Some((_, first)) = all.names.get(&name) {
                sink.error("E0307", span, format!("two sessions have the name \"{name}\""), "again here")
                    .also(*first, "first here");
            } else {
                all.names.insert(name, (id, span));
            }
        }
        all
    }

    fn find(&self, tree: &Tree, sink: &mut Sink) -> Option<SessionId> {
        let (Json::Text(written) | Json::Number(written)) = &tree.value else { return None };
        if let Some((id, _)) = self.names.get(written) {
            return Some(*id);
        }
        let id = written.parse().ok().map(SessionId).filter(|id| self.ids.contains_key(id));
        if id.is_none() {
            let message = format!("this conference has no session {written}");
            sink.error("E0310", tree.span, message, "unknown session")
                .help(format!("sessions: {}", listed(self.names.keys().map(String::as_str))));
        }
        id
    }
}

/// Reads the joins and leaves of a conference, in order of time.
pub(crate) fn churn(
    tree: &Tree,
    names: &SessionNames,
    network: &Network<'_>,
    (start, end): (Duration, Duration),
    sink: &mut Sink,
) -> Vec<Churn> {
    let mut all = Vec::new();
    for entry in tree.get("churn").map_or(&[][..], Tree::items) {
        let at = time(entry, "at");
        let node = network.names.find_at(entry, "node", sink);
        let session = entry.get("session").and_then(|tree| names.find(tree, sink));
        let change = text(entry, "change");
        let (Some(at), Some(node), Some(session), Some(change)) = (at, node, session, change) else {
            continue;
        };
        if at < start || at >= end {
            let place = entry.get("at").map_or(entry.span, |tree| tree.span);
            let message = format!(
                "this change at {} lies outside its conference, {} to {}",
                format_time(at),
                format_time(start),
                format_time(end)
            );
            sink.error("E0504", place, message, "");
        }
        let membership = if change == "join" { Membership::Join } else { Membership::Leave };
        all.push(Churn { at, node, session, membership });
    }
    all.sort_by_key(|churn| churn.at);
    all
}

/// Follows who is a destination, and notes joins of members and leaves of others.
pub(crate) fn check_churn(
    session: &Session,
    churn: &[&Churn],
    place: Span,
    network: &Network<'_>,
    sink: &mut Sink,
) {
    let mut members: BTreeSet<NodeId> = session.destinations.iter().copied().collect();
    for change in churn {
        let name = network.names.name(change.node);
        let at = format_time(change.at);
        let session = &session.name;
        match change.membership {
            Membership::Join if !members.insert(change.node) => {
                let message = format!("{name} joins session {session} at {at}, but is a destination already");
                sink.error("E0311", place, message, "");
            }
            Membership::Leave if !members.remove(&change.node) => {
                let message = format!("{name} leaves session {session} at {at}, but is no destination then");
                sink.error("E0311", place, message, "");
            }
            _ => {}
        }
    }
}
