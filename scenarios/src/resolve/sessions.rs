//! Conferences and their sessions.

use super::content::content;
use super::policies::{Policies, PolicyText};
use super::reach::Reach;
use super::routes::{Setting, route};
use super::values::{as_rate, integer_or, size_or, text, time, time_or};
use super::{Network, times};
use crate::model::{
    Assignment, Churn, Conference, Delivery, FlowDraw, Membership, Routing, Session, StaticFlow, Transport,
};
use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::{Json, Span, Tree};
use crate::units::format_time;
use bellini_core::content::spec::Content;
use bellini_core::ids::{ConferenceId, NodeId, SessionId};
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// Shares may miss 1 by this much: they are written in decimal.
const SHARES_TOLERANCE: f64 = 1e-6;
/// Transports that other versions have.
const LATER_TRANSPORTS: [&str; 2] = ["udp", "tcp"];

/// What sessions and populations have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) transport: Transport,
    pub(crate) delivery: Delivery,
    pub(crate) content: Content,
    pub(crate) symbol_bytes: u32,
    pub(crate) routing: PolicyText,
    pub(crate) assignment: Option<PolicyText>,
    pub(crate) draw: FlowDraw,
}

impl Common {
    /// Reads the keys that sessions and populations share; every one is looked at.
    pub(crate) fn read(tree: &Tree, policies: &Policies, sink: &mut Sink) -> Option<Self> {
        let transport = transport(tree, sink);
        let delivery = delivery(tree, sink);
        let content = tree.get("content").and_then(|tree| content(tree, sink));
        let routing = tree.get("routing").and_then(|tree| policies.routing(tree, sink));
        let assignment = tree.get("assignment").map(|tree| policies.assignment(tree, sink));
        let assignment = match assignment {
            Some(read) => Some(read?),
            None => None,
        };
        Some(Self {
            transport: transport?,
            delivery: delivery?,
            content: content?,
            symbol_bytes: u32::try_from(size_or(tree, "symbol_bytes", 1_200)?).ok()?,
            routing: routing?,
            assignment,
            draw: if text(tree, "draw") == Some("stride") { FlowDraw::Stride } else { FlowDraw::Random },
        })
    }

    /// Notes a file that nothing would slow down: without congestion control it needs a rate.
    pub(crate) fn check_rate(&self, tree: &Tree, source: NodeId, network: &Network<'_>, sink: &mut Sink) {
        let node = network.nodes.iter().find(|node| node.id == source);
        let limited = node.is_some_and(|node| !node.hop_rates.is_empty());
        if let (Content::File { rate: None, .. }, Transport::UdpUnpaced, false) =
            (&self.content, self.transport, limited)
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
    match written.text()? {
        "udp-unpaced" => return Some(Transport::UdpUnpaced),
        later if LATER_TRANSPORTS.contains(&later) => {
            sink.error("E0801", written.span, format!("transport `{later}` is not in this version"), "")
                .help("this version has \"udp-unpaced\", UDP without congestion control");
        }
        other => {
            let error = sink.error("E0208", written.span, format!("`transport` cannot be \"{other}\""), "");
            if let Some(meant) = nearest(other, ["udp-unpaced"]) {
                error.help(format!("did you mean \"{meant}\"?"));
            }
            error.help("one of: udp-unpaced");
        }
    }
    None
}

fn delivery(tree: &Tree, sink: &mut Sink) -> Option<Delivery> {
    let Some(written) = tree.get("delivery") else { return Some(Delivery::BestEffort) };
    match written.text()? {
        "best-effort" => return Some(Delivery::BestEffort),
        "reliable" => {
            sink.error("E0801", written.span, "delivery `reliable` is not in this version", "")
                .help("this version has \"best-effort\": symbols may be lost");
        }
        other => {
            sink.error("E0208", written.span, format!("`delivery` cannot be \"{other}\""), "")
                .help("one of: best-effort");
        }
    }
    None
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

fn session_id(tree: &Tree) -> Option<SessionId> {
    tree.get("id").and_then(Tree::integer).and_then(|id| u32::try_from(id).ok()).map(SessionId)
}

/// The sessions of a conference by id and name.
struct SessionNames {
    ids: BTreeMap<SessionId, Span>,
    names: BTreeMap<String, (SessionId, Span)>,
}

impl SessionNames {
    fn read(conference: &Tree, sink: &mut Sink) -> Self {
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

fn churn(
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
fn check_churn(session: &Session, churn: &[&Churn], place: Span, network: &Network<'_>, sink: &mut Sink) {
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
        let common = Common::read(tree, self.policies, self.sink);
        let times = self.times(tree);
        let (source, destinations, common) = (source?, destinations?, common?);
        common.check_rate(tree, source, self.network, self.sink);
        let joining = self.joins.iter().filter(|churn| churn.membership == Membership::Join);
        let members: BTreeSet<NodeId> =
            destinations.iter().copied().chain(joining.map(|churn| churn.node)).collect();
        let id = session_id(tree)?;
        let name = text(tree, "name").map_or_else(|| format!("s{id}"), str::to_owned);
        let flows = if common.routing.policy == "static" {
            let setting = Setting {
                names,
                links: self.network.links,
                source,
                destinations: &destinations,
                members: &members,
                symbol_bytes: common.symbol_bytes,
            };
            flows(tree.get("routing")?, &name, &setting, self.sink)?
        } else {
            let place = tree.get("routing").map_or(tree.span, |tree| tree.span);
            let wanted: Vec<NodeId> = members.iter().copied().collect();
            let session = (source, &wanted[..], common.symbol_bytes);
            self.reach.check(&common.routing, session, place, self.network, self.sink);
            Vec::new()
        };
        let (start, stop) = times?;
        let assignment = assignment(tree, &common, &flows, self.sink)?;
        Some(Session {
            id,
            name,
            source,
            destinations,
            transport: common.transport,
            delivery: common.delivery,
            content: common.content,
            symbol_bytes: common.symbol_bytes,
            start,
            stop,
            routing: Routing { policy: common.routing.policy, flows, parameters: common.routing.parameters },
            assignment,
            draw: common.draw,
        })
    }

    fn destinations(&mut self, tree: &Tree, source: Option<NodeId>) -> Option<Vec<NodeId>> {
        let written = tree.get("destinations")?;
        let names = self.network.names;
        let mut found: Vec<NodeId> = Vec::new();
        let mut complete = true;
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
        if written.items().is_empty() && self.joins.is_empty() {
            self.sink.error("E0206", written.span, "a session needs at least one destination", "");
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

fn flows(routing: &Tree, session: &str, setting: &Setting<'_>, sink: &mut Sink) -> Option<Vec<StaticFlow>> {
    let trees = routing.get("flows")?.items();
    let routes: Vec<_> =
        trees.iter().map(|tree| tree.get("route").and_then(|tree| route(tree, setting, sink))).collect();
    let shares = shares(trees, session, sink);
    let rates: Vec<_> = trees.iter().map(|tree| tree.get("rate").and_then(as_rate)).collect();
    for (key, other) in [("share", "rate"), ("rate", "share")] {
        let with = trees.iter().position(|tree| tree.get(key).is_some());
        let Some(first) = with else { continue };
        for tree in trees {
            if let (Some(other_tree), Some(_)) = (tree.get(other), tree.get(key)) {
                sink.error("E0211", other_tree.span, "a flow has either a share or a rate", "");
            }
            if tree.get(key).is_none() {
                let message = format!("all flows of session \"{session}\" give a {key}, or none does");
                let opening = Span { end: tree.span.start + 1, ..tree.span };
                sink.error("E0413", opening, message, format!("no `{key}` here"))
                    .also(trees[first].get(key).map_or(trees[first].span, |tree| tree.span), "given here");
            }
        }
        break;
    }
    let flow = |((route, share), rate)| Some(StaticFlow { route: route?, share, rate });
    routes.into_iter().zip(shares?).zip(rates).map(flow).collect()
}

/// Reads the shares of the flows, `rest` worked out, and notes those that do not add up.
fn shares(trees: &[Tree], session: &str, sink: &mut Sink) -> Option<Vec<Option<f64>>> {
    let written: Vec<Option<&Tree>> = trees.iter().map(|tree| tree.get("share")).collect();
    let is_rest = |tree: &Tree| tree.text() == Some("rest");
    let numbers: Vec<f64> = written.iter().flatten().filter_map(|tree| tree.number()).collect();
    let rests: Vec<&Tree> = written.iter().flatten().copied().filter(|tree| is_rest(tree)).collect();
    let given = written.iter().flatten().count();
    if numbers.len() + rests.len() < given || given < trees.len() {
        // Something is not a share, or missing: that is noted elsewhere, and sums mean nothing.
        return (given == 0).then(|| vec![None; trees.len()]);
    }
    let sum: f64 = numbers.iter().sum();
    let text = numbers.iter().map(|share| short(*share)).collect::<Vec<_>>().join(" + ");
    if let [first, second, ..] = rests[..] {
        sink.error("E0207", second.span, "only one flow may take the rest", "again here")
            .also(first.span, "first here");
        return None;
    }
    let fits = if rests.is_empty() { (sum - 1.0).abs() <= SHARES_TOLERANCE } else { sum < 1.0 };
    if !fits {
        let last = written.iter().flatten().last()?;
        let others = sum - last.number().unwrap_or(0.0);
        let rule = if rests.is_empty() { "they must add up to 1" } else { "nothing is left for `rest`" };
        let message = format!("flow shares of session \"{session}\" add up to {}, {rule}", short(sum));
        let error = sink.error("E0207", last.span, message, format!("shares: {text}"));
        if rests.is_empty() && others < 1.0 {
            error.help(format!("use {}, or \"share\": \"rest\"", short(1.0 - others)));
        }
        return None;
    }
    let value = |tree: &&Tree| if is_rest(tree) { Some(1.0 - sum) } else { tree.number() };
    Some(written.iter().map(|tree| tree.as_ref().and_then(value)).collect())
}

/// Writes a share with two to six decimals.
fn short(share: f64) -> String {
    let text = format!("{share:.6}");
    let kept = text.trim_end_matches('0').len().max(text.find('.').map_or(0, |dot| dot + 3));
    text[..kept].to_owned()
}

/// Returns how packets are spread: as written, or by what the flows say.
fn assignment(tree: &Tree, common: &Common, flows: &[StaticFlow], sink: &mut Sink) -> Option<Assignment> {
    let spread = !flows.is_empty() && flows.iter().all(|flow| flow.share.is_some() || flow.rate.is_some());
    let Some(written) = &common.assignment else {
        let policy = if spread { "static" } else { "equal" };
        return Some(Assignment { policy: policy.to_owned(), parameters: BTreeMap::new() });
    };
    if written.policy == "static" && !spread {
        let place = tree.get("assignment").map_or(tree.span, |tree| tree.span);
        sink.error("E0413", place, "assignment `static` needs flows with shares or rates", "").help(
            "write them with the flows of \"routing\": {\"policy\": \"static\", ...}, or use \"equal\"",
        );
        return None;
    }
    Some(Assignment { policy: written.policy.clone(), parameters: written.parameters.clone() })
}
