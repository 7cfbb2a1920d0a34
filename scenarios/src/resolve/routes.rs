//! Routes written as text (`1>3>{2,4}`): reading them, and everything that can be wrong with one.

use super::links::Links;
use super::names::Names;
use crate::parse::sink::{Sink, listed};
use crate::parse::tree::{Span, Tree};
use bellini_core::header::PACKET_HEADER_BYTES_MAX;
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, SEAL_BYTES, UDP_IP_BYTES};
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use std::collections::BTreeSet;

pub(crate) use bellini_core::wire::routing::{DEPTH_MAX, PATHLET_HEADER_BYTES as PATHLET_BYTES};

/// Most bytes of one branch's RoutingInfo: 29 nodes.
pub(crate) const ROUTING_INFO_BYTES_MAX: usize = PACKET_HEADER_BYTES_MAX - PACKET_FIXED_BYTES;
/// Bytes that the worst packet has besides symbol and RoutingInfo: frame 24, chunk 3, packet 49, seal 24, UDP
/// and IP 28.
pub(crate) const OVERHEAD_BYTES: usize =
    FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES + SEAL_BYTES + UDP_IP_BYTES;

/// What a route is checked against.
pub(crate) struct Setting<'a> {
    pub(crate) names: &'a Names,
    pub(crate) links: &'a Links,
    pub(crate) source: NodeId,
    /// Destinations at the start.
    pub(crate) destinations: &'a [NodeId],
    /// Those and the nodes that join later.
    pub(crate) members: &'a BTreeSet<NodeId>,
    pub(crate) symbol_bytes: u32,
    /// What coding and sealing add to a packet, in bytes.
    pub(crate) added_bytes: usize,
}

/// A node of the text.
struct Stop {
    node: NodeId,
    flagged: bool,
    span: Span,
    next: Vec<Stop>,
}

/// Reads and checks the route that `tree` holds; `None` when anything is wrong with it, which is then noted.
pub(crate) fn route(tree: &Tree, setting: &Setting<'_>, sink: &mut Sink) -> Option<Route> {
    let before = sink.count();
    let text = tree.text()?;
    let mut parser = Parser { text, at: 0, depth: 0, tree, names: setting.names, sink };
    let root = parser.whole()?;
    let route = Route { branches: root.next.iter().map(|stop| branch(stop, setting)).collect() };
    check(&root, tree, setting, sink);
    (sink.count() == before).then_some(route)
}

fn branch(stop: &Stop, setting: &Setting<'_>) -> Branch {
    Branch {
        node: stop.node,
        deliver: stop.flagged || setting.members.contains(&stop.node),
        next: stop.next.iter().map(|next| branch(next, setting)).collect(),
    }
}

fn check(root: &Stop, tree: &Tree, setting: &Setting<'_>, sink: &mut Sink) {
    let name = |node| setting.names.name(node);
    if root.node != setting.source {
        let message = format!(
            "this route starts at {}, but the session's source is {}",
            name(root.node),
            name(setting.source)
        );
        sink.error("E0403", root.span, message, "not the source");
        return;
    }
    if root.flagged {
        sink.error("E0408", root.span, "the source is no destination of its own session", "flag `d`");
    }
    if root.next.is_empty() {
        sink.error("E0406", root.span, "this route goes nowhere", "").help(format!(
            "for instance \"{}>{}\"",
            name(root.node),
            setting.destinations.first().map_or("...", |d| name(*d))
        ));
        return;
    }
    let mut walk = Walk { setting, above: vec![root.node], reached: BTreeSet::new(), cut_short: false };
    for stop in &root.next {
        let size = walk.down(root.node, stop, sink);
        if size > ROUTING_INFO_BYTES_MAX {
            let message = format!(
                "this branch needs {size} bytes of RoutingInfo, {ROUTING_INFO_BYTES_MAX} are the most"
            );
            let from_here = format!("{} nodes from here on", size / PATHLET_BYTES);
            sink.error("E0410", stop.span, message, from_here)
                .help("29 nodes fit on one branch; split the session into several");
        }
    }
    let missed = setting.destinations.iter().filter(|destination| !walk.reached.contains(*destination));
    let missed: Vec<&str> = missed.map(|destination| name(*destination)).collect();
    if !missed.is_empty() && !walk.cut_short {
        let message = format!("this flow does not reach {}", listed(missed.iter().copied()));
        sink.error("E0407", tree.span, message, "every flow reaches every destination")
            .help("each packet takes one flow, so that its symbol would never get there");
    }
}

/// A walk down the tree of a route.
struct Walk<'a> {
    setting: &'a Setting<'a>,
    /// Nodes from the source to here.
    above: Vec<NodeId>,
    /// Destinations passed so far.
    reached: BTreeSet<NodeId>,
    /// Whether a branch was left because it goes on in circles or too deep.
    cut_short: bool,
}

impl Walk<'_> {
    /// Checks the tree from `stop` on, and returns its RoutingInfo's bytes.
    fn down(&mut self, from: NodeId, stop: &Stop, sink: &mut Sink) -> usize {
        let setting = self.setting;
        let name = |node| setting.names.name(node);
        if self.above.contains(&stop.node) {
            let path: Vec<&str> = self.above.iter().chain([&stop.node]).map(|node| name(*node)).collect();
            let message = format!("this route comes back to {}", name(stop.node));
            sink.error("E0404", stop.span, message, path.join(" > "));
            self.cut_short = true;
            return 0;
        }
        if self.above.len() > DEPTH_MAX {
            let message = format!("this route is more than {DEPTH_MAX} hops deep");
            sink.error("E0405", stop.span, message, format!("hop {}", self.above.len()))
                .help("the routing header nests Pathlets at most 16 deep");
            self.cut_short = true;
            return 0;
        }
        self.check_stop(from, stop, sink);
        self.above.push(stop.node);
        let nested: usize = stop.next.iter().map(|next| self.down(stop.node, next, sink)).sum();
        self.above.pop();
        let size = PATHLET_BYTES + nested;
        let packet = setting.symbol_bytes as usize + setting.added_bytes + OVERHEAD_BYTES + size;
        if let Some(link) = setting.links.links.get(&(from, stop.node))
            && size <= ROUTING_INFO_BYTES_MAX
            && packet > link.mtu as usize
        {
            let ends = format!("{} to {}", name(from), name(stop.node));
            too_large(stop.span, packet, link.mtu, setting.symbol_bytes, &ends, sink);
        }
        size
    }

    fn check_stop(&mut self, from: NodeId, stop: &Stop, sink: &mut Sink) {
        let setting = self.setting;
        let name = |node| setting.names.name(node);
        if !setting.links.links.contains_key(&(from, stop.node)) {
            let message = format!("there is no link from {} to {}", name(from), name(stop.node));
            let hops = setting.links.neighbours(from);
            let hops = listed(hops.iter().map(|hop| name(*hop)));
            sink.error("E0402", stop.span, message, "over a missing link")
                .help(format!("links from {} go to: {hops}", name(from)));
        }
        if setting.members.contains(&stop.node) {
            self.reached.insert(stop.node);
        } else if stop.flagged {
            let message = format!("{} is marked `d`, but is no destination of this session", name(stop.node));
            sink.error("E0408", stop.span, message, "no destination");
        } else if stop.next.is_empty() {
            let message = format!("this branch ends at {}, which is no destination", name(stop.node));
            sink.error("E0406", stop.span, message, "no destination");
        }
    }
}

/// Notes packets that are larger than the MTU of a link.
pub(crate) fn too_large(span: Span, packet: usize, mtu: u32, symbol_bytes: u32, ends: &str, sink: &mut Sink) {
    let message = format!("packets of up to {packet} bytes do not fit the MTU of {mtu} from {ends}");
    let error = sink.error("E0412", span, message, "");
    let room = (symbol_bytes as usize + mtu as usize).saturating_sub(packet);
    if room > 0 {
        error.help(format!("use \"symbol_bytes\": \"{room} B\" or less"));
    }
}

struct Parser<'a, 's> {
    text: &'a str,
    at: usize,
    depth: usize,
    tree: &'a Tree,
    names: &'a Names,
    sink: &'s mut Sink,
}

impl Parser<'_, '_> {
    /// How deep braces and hops may nest while reading; far beyond what a route may, far below what a stack can.
    const NESTING_MAX: usize = 200;

    fn whole(&mut self) -> Option<Stop> {
        let root = self.stop()?;
        match self.peek() {
            None => Some(root),
            Some(found) => self.unexpected(&format!("`{found}`"), "the end of the route"),
        }
    }

    fn stop(&mut self) -> Option<Stop> {
        self.depth += 1;
        if self.depth > Self::NESTING_MAX {
            let span = self.span(self.at, self.text.len());
            let message = format!("this route is more than {DEPTH_MAX} hops deep");
            self.sink.error("E0405", span, message, "");
            return None;
        }
        self.peek();
        let start = self.at;
        let end =
            self.text[start..].find(['>', '{', '}', ',', ' ', '\t']).map_or(self.text.len(), |n| start + n);
        let word = &self.text[start..end];
        if word.is_empty() {
            let found = self.peek().map_or("the end".to_owned(), |found| format!("`{found}`"));
            return self.unexpected(&found, "a node");
        }
        self.at = end;
        let span = self.span(start, end);
        let unflagged = word.strip_suffix('d').filter(|_| self.names.look_up(word).is_none());
        let (flagged, node) = match unflagged.and_then(|word| self.names.look_up(word)) {
            Some(node) => (true, Some(node)),
            None => (false, self.names.find_text(word, span, self.sink)),
        };
        let next = if self.peek() == Some('>') { self.after_arrow()? } else { Vec::new() };
        self.depth -= 1;
        Some(Stop { node: node?, flagged, span, next })
    }

    fn after_arrow(&mut self) -> Option<Vec<Stop>> {
        self.at += 1;
        if self.peek() != Some('{') {
            return Some(vec![self.stop()?]);
        }
        let mut branches = Vec::new();
        loop {
            self.at += 1;
            branches.push(self.stop()?);
            match self.peek() {
                Some(',') => {}
                Some('}') => break,
                found => {
                    let found = found.map_or("the end".to_owned(), |found| format!("`{found}`"));
                    return self.unexpected(&found, "`,` or `}`");
                }
            }
        }
        self.at += 1;
        Some(branches)
    }

    /// Skips blanks and returns the next letter.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn unexpected<T>(&mut self, found: &str, wanted: &str) -> Option<T> {
        let end = self.text[self.at..].chars().next().map_or(self.at, |letter| self.at + letter.len_utf8());
        let span = self.span(self.at, end);
        let message = format!("a route cannot have {found} here");
        self.sink
            .error("E0401", span, message, format!("expected {wanted}"))
            .help("routes look like 1>3>{2,4}");
        None
    }

    /// Returns the place of a piece of the text. With escapes in the string it is the whole string.
    fn span(&self, start: usize, end: usize) -> Span {
        let whole = self.tree.span;
        if whole.end - whole.start == self.text.len() + 2 {
            Span { start: whole.start + 1 + start, end: whole.start + 1 + end, ..whole }
        } else if whole.end - whole.start == self.text.len() {
            Span { start: whole.start + start, end: whole.start + end, ..whole }
        } else {
            whole
        }
    }
}
