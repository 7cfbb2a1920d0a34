//! Conferences and their sessions.

use super::churn::{SessionNames, check_churn, churn, session_id};
use super::coding::{added_bytes, coding};
use super::content::content;
use super::flows::{assignment, flows};
use super::policies::{Policies, PolicyText};
use super::reach::Reach;
use super::routes::Setting;
use super::values::{flag_or, integer_or, size_or, text, time, time_or};
use super::{Network, times};
use crate::model::{
    Churn, Conference, Delivery, FlowDraw, Membership, Routing, Session, StaticFlow, Transport,
};
use crate::parse::sink::{Sink, nearest};
use crate::parse::tree::{Json, Span, Tree};
use crate::units::format_time;
use bellini_core::coding::CodingSpec;
use bellini_core::content::spec::Content;
use bellini_core::ids::{ConferenceId, NodeId};
use bellini_core::reliable::DESTINATIONS_MAX;
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// Payload of a symbol that gives no size: with the worst header it fits 1,500 B (DESIGN 4.2).
const SYMBOL_BYTES_DEFAULT: u64 = 1_200;

/// What sessions and populations have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) transport: Transport,
    pub(crate) delivery: Delivery,
    pub(crate) coding: Option<CodingSpec>,
    pub(crate) sealed: bool,
    pub(crate) content: Content,
    pub(crate) symbol_bytes: u32,
    pub(crate) routing: PolicyText,
    pub(crate) assignment: Option<PolicyText>,
    pub(crate) draw: FlowDraw,
}

/// The same as far as it is right, so that one error does not hide others.
pub(crate) struct Draft {
    transport: Option<Transport>,
    delivery: Option<Delivery>,
    coding: Option<Option<CodingSpec>>,
    sealed: bool,
    content: Option<Content>,
    symbol_bytes: Option<u32>,
    routing: Option<PolicyText>,
    assignment: Option<Option<PolicyText>>,
    draw: FlowDraw,
}

impl Draft {
    /// Reads the keys that sessions and populations share; every one is looked at.
    pub(crate) fn read(tree: &Tree, policies: &Policies, sink: &mut Sink) -> Self {
        let symbol_bytes = size_or(tree, "symbol_bytes", SYMBOL_BYTES_DEFAULT);
        let delivery = delivery(tree, sink);
        Self {
            transport: transport(tree, sink),
            delivery,
            coding: coding(tree, delivery, sink),
            sealed: flag_or(tree, "sealed", false),
            content: tree.get("content").and_then(|tree| content(tree, sink)),
            symbol_bytes: symbol_bytes.and_then(|bytes| u32::try_from(bytes).ok()),
            routing: tree.get("routing").and_then(|tree| policies.routing(tree, sink)),
            assignment: match tree.get("assignment") {
                Some(tree) => policies.assignment(tree, sink).map(Some),
                None => Some(None),
            },
            draw: if text(tree, "draw") == Some("stride") { FlowDraw::Stride } else { FlowDraw::Random },
        }
    }

    /// Returns it when all of it is right.
    pub(crate) fn complete(self) -> Option<Common> {
        Some(Common {
            transport: self.transport?,
            delivery: self.delivery?,
            coding: self.coding?,
            sealed: self.sealed,
            content: self.content?,
            symbol_bytes: self.symbol_bytes?,
            routing: self.routing?,
            assignment: self.assignment?,
            draw: self.draw,
        })
    }
}

impl Common {
    /// Notes a file that nothing would slow down: without congestion control it needs a rate.
    pub(crate) fn check_rate(&self, tree: &Tree, source: NodeId, network: &Network<'_>, sink: &mut Sink) {
        let node = network.nodes.iter().find(|node| node.id == source);
        let limited = node.is_some_and(|node| !node.hop_rates.is_empty());
        // What a reliable session has under way is bounded by its windows.
        let is_bounded = limited || self.delivery == Delivery::Reliable;
        if let (Content::File { rate: None, .. }, Transport::UdpUnpaced, false) =
            (&self.content, self.transport, is_bounded)
        {
            let place = tree.get("content").map_or(tree.span, |tree| tree.span);
            sink.error("E0605", place, "a file over `udp-unpaced` needs a rate", "no rate anywhere")
                .help("udp-unpaced has no congestion control: without a rate the whole file is sent at once and dropped")
                .help("add \"rate\": \"20 Mbit/s\" to the content, or \"rates\" to the source node");
        }
    }
}

fn transport(tree: &Tree, sink: &mut Sink) -> Option<Transport> {
    let Some(written) = tree.get("transport") else { return Some(Transport::UdpUnpaced) };
    let word = written.text()?;
    let words = Transport::ALL.map(Transport::word);
    let known = Transport::ALL.into_iter().find(|transport| transport.word() == word);
    match word {
        _ if known.is_some() => {}
        other => {
            let error = sink.error("E0208", written.span, format!("`transport` cannot be \"{other}\""), "");
            if let Some(meant) = nearest(other, words) {
                error.help(format!("did you mean \"{meant}\"?"));
            }
            error.help(format!("one of: {}", words.join(", ")));
        }
    }
    known
}

fn delivery(tree: &Tree, sink: &mut Sink) -> Option<Delivery> {
    let Some(written) = tree.get("delivery") else { return Some(Delivery::BestEffort) };
    let word = written.text()?;
    let known = Delivery::ALL.into_iter().find(|delivery| delivery.word() == word);
    if known.is_none() {
        let words = Delivery::ALL.map(Delivery::word);
        let error = sink.error("E0208", written.span, format!("`delivery` cannot be \"{word}\""), "");
        if let Some(meant) = nearest(word, words) {
            error.help(format!("did you mean \"{meant}\"?"));
        }
        error.help(format!("one of: {}", words.join(", ")));
    }
    known
}

/// Reads the conferences that are written out.
pub(crate) fn conferences(
    root: &Tree,
    network: &Network<'_>,
    policies: &Policies,
    reach: &mut Reach,
    sink: &mut Sink,
) -> Vec<Conference> {
    let mut all = Vec::new();
    let mut spans: BTreeMap<ConferenceId, Span> = BTreeMap::new();
    let mut named: BTreeMap<String, Span> = BTreeMap::new();
    for tree in root.get("conferences").map_or(&[][..], Tree::items) {
        let read = conference(tree, network, policies, reach, sink);
        let (Some(written), Some(conference)) = (tree.get("id"), read) else { continue };
        if let Some(first) = spans.insert(conference.id, written.span) {
            let message = format!("two conferences have the id {}", conference.id);
            sink.error("E0306", written.span, message, "again here").also(first, "first here");
        }
        let span = tree.get("name").map_or(written.span, |tree| tree.span);
        if let Some(first) = named.insert(conference.name.clone(), span) {
            let message = format!("two conferences have the name \"{}\"", conference.name);
            sink.error("E0307", span, message, "again here").also(first, "first here");
        }
        all.push(conference);
    }
    all
}

fn conference(
    tree: &Tree,
    network: &Network<'_>,
    policies: &Policies,
    reach: &mut Reach,
    sink: &mut Sink,
) -> Option<Conference> {
    let start = time_or(tree, "start", Duration::ZERO)?;
    let end = end(tree, "end", network.duration, sink);
    times::check_window(tree, (start, end.unwrap_or(network.duration)), network.duration, "conference", sink);
    let session_names = SessionNames::read(tree, sink);
    let churn = churn(tree, &session_names, network, (start, end.unwrap_or(network.duration)), sink);
    let window = (start, end.unwrap_or(network.duration));
    let mut sessions = Vec::new();
    for session_tree in tree.get("sessions").map_or(&[][..], Tree::items) {
        let id = session_id(session_tree);
        let joins = churn.iter().filter(|churn| Some(churn.session) == id);
        let joins: Vec<&Churn> = joins.collect();
        let place = tree.get("churn").map_or(session_tree.span, |tree| tree.span);
        let read = Reader { network, policies, reach, sink, window, joins: &joins };
        let session = read.session(session_tree);
        if let Some(session) = &session {
            check_churn(session, &joins, place, network, sink);
        }
        sessions.extend(session);
    }
    sessions.sort_by_key(|session| session.id);
    let id = u32::try_from(tree.get("id")?.integer()?).ok()?;
    Some(Conference {
        id: ConferenceId(id),
        name: text(tree, "name").map_or_else(|| format!("c{id}"), str::to_owned),
        weight: u32::try_from(integer_or(tree, "weight", 1)).ok()?,
        priority: u8::try_from(integer_or(tree, "priority", 0)).ok()?,
        start,
        end,
        churn,
        sessions,
    })
}

/// Reads an end; one beyond the run is odd, and cut off.
fn end(tree: &Tree, key: &str, duration: Duration, sink: &mut Sink) -> Option<Duration> {
    let written = tree.get(key)?;
    let end = time(tree, key)?;
    if end > duration {
        let message =
            format!("`{key}` at {} is after the run's end at {}", format_time(end), format_time(duration));
        sink.warning("W0505", written.span, message, "the run ends before");
        return None;
    }
    Some(end)
}

/// Everything that reading one session needs.
struct Reader<'a, 'r> {
    network: &'a Network<'a>,
    policies: &'a Policies,
    reach: &'r mut Reach,
    sink: &'r mut Sink,
    window: (Duration, Duration),
    joins: &'a [&'a Churn],
}

impl Reader<'_, '_> {
    fn session(mut self, tree: &Tree) -> Option<Session> {
        let names = self.network.names;
        let source = names.find_at(tree, "source", self.sink);
        let destinations = self.destinations(tree, source);
        let draft = Draft::read(tree, self.policies, self.sink);
        let times = self.times(tree);
        let (source, destinations, id) = (source?, destinations?, session_id(tree)?);
        let joining = self.joins.iter().filter(|churn| churn.membership == Membership::Join);
        let members: BTreeSet<NodeId> =
            destinations.iter().copied().chain(joining.map(|churn| churn.node)).collect();
        let name = text(tree, "name").map_or_else(|| format!("s{id}"), str::to_owned);
        if draft.delivery == Some(Delivery::Reliable) && members.len() > DESTINATIONS_MAX {
            let text = format!("a reliable session has {} destinations", members.len());
            let place = tree.get("destinations").map_or(tree.span, |tree| tree.span);
            self.sink
                .error("E0606", place, text, format!("at most {DESTINATIONS_MAX}"))
                .help("a reliable source keeps a word with a bit for each destination")
                .help("split them over several sessions, or use \"best-effort\"");
        }
        let flows = self.routes(tree, &draft, (source, &destinations, &members), &name);
        let common = draft.complete()?;
        common.check_rate(tree, source, self.network, self.sink);
        let ((start, stop), flows) = (times?, flows?);
        let assignment = assignment(tree, &common, &flows, self.sink)?;
        Some(Session {
            id,
            name,
            source,
            destinations,
            transport: common.transport,
            delivery: common.delivery,
            coding: common.coding,
            sealed: common.sealed,
            content: common.content,
            symbol_bytes: common.symbol_bytes,
            start,
            stop,
            routing: Routing { policy: common.routing.policy, flows, parameters: common.routing.parameters },
            assignment,
            draw: common.draw,
        })
    }

    /// Returns the flows that are written out; for other policies, none, after a look at whether there are any.
    fn routes(
        &mut self,
        tree: &Tree,
        draft: &Draft,
        (source, destinations, members): (NodeId, &[NodeId], &BTreeSet<NodeId>),
        session: &str,
    ) -> Option<Vec<StaticFlow>> {
        let (routing, written) = (draft.routing.as_ref()?, tree.get("routing")?);
        let symbol_bytes = draft.symbol_bytes.unwrap_or(1);
        let added_bytes = added_bytes(draft.coding.as_ref().and_then(Option::as_ref), draft.sealed);
        if routing.policy != "static" {
            let wanted: Vec<NodeId> = members.iter().copied().collect();
            let wanted = (source, &wanted[..], (symbol_bytes, added_bytes));
            self.reach.check(routing, wanted, written.span, self.network, self.sink);
            return Some(Vec::new());
        }
        let names = self.network.names;
        let links = self.network.links;
        let setting = Setting { names, links, source, destinations, members, symbol_bytes, added_bytes };
        flows(written, session, &setting, self.sink)
    }

    fn destinations(&mut self, tree: &Tree, source: Option<NodeId>) -> Option<Vec<NodeId>> {
        let written = tree.get("destinations")?;
        let names = self.network.names;
        let mut found: Vec<NodeId> = Vec::new();
        let mut complete = matches!(written.value, Json::List(_));
        for item in written.items() {
            let Some(node) = names.find(item, self.sink) else {
                complete = false;
                continue;
            };
            if Some(node) == source {
                let message = format!("{} is the source, and cannot be a destination too", names.name(node));
                let error = self.sink.error("E0409", item.span, message, "the source");
                if let Some(source) = tree.get("source") {
                    error.also(source.span, "source");
                }
            } else if found.contains(&node) {
                let message = format!("{} is given twice", names.name(node));
                self.sink.error("E0306", item.span, message, "again here");
            } else {
                found.push(node);
            }
        }
        for join in self.joins.iter().filter(|join| Some(join.node) == source) {
            let message =
                format!("{} is the source, and cannot join as a destination", names.name(join.node));
            self.sink.error("E0409", tree.get("source")?.span, message, "source");
        }
        if matches!(&written.value, Json::List(items) if items.is_empty()) && self.joins.is_empty() {
            self.sink.error("E0206", written.span, "a session needs at least one destination", "");
            return None;
        }
        found.sort_unstable();
        complete.then_some(found)
    }

    fn times(&mut self, tree: &Tree) -> Option<(Duration, Duration)> {
        let duration = self.network.duration;
        let (earliest, latest) = self.window;
        let start = time_or(tree, "start", earliest)?;
        let stop = match tree.get("stop") {
            Some(_) => {
                time(tree, "stop")?;
                end(tree, "stop", duration, self.sink).unwrap_or(duration)
            }
            None => latest,
        };
        let before = self.sink.count();
        times::check_window(tree, (start, stop), duration, "session", self.sink);
        let outside = |time: Duration| time < earliest || time > latest;
        for (key, time) in [("start", start), ("stop", stop)] {
            let written = tree.get(key).filter(|_| outside(time) && self.sink.count() == before);
            if let Some(written) = written {
                let message = format!(
                    "`{key}` at {} lies outside its conference, {} to {}",
                    format_time(time),
                    format_time(earliest),
                    format_time(latest)
                );
                self.sink.error("E0504", written.span, message, "");
            }
        }
        Some((start, stop))
    }
}
