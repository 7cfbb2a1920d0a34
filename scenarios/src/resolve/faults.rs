//! The fault timeline.

use super::names::Names;
use super::values::time;
use crate::model::{Fault, FaultKind, LinkSelector};
use crate::parse::sink::Sink;
use crate::parse::tree::{Span, Tree};
use crate::units::format_time;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use std::collections::BTreeSet;

/// What faults name.
pub(crate) struct Parts<'a> {
    pub(crate) names: &'a Names,
    /// Finds links by their ends.
    pub(crate) position: &'a dyn Fn(NodeId, NodeId) -> Option<usize>,
    /// End of the run, drain included.
    pub(crate) end: Duration,
}

/// Reads the faults in order of time, and notes those that make no sense in that order.
pub(crate) fn faults(root: &Tree, parts: &Parts<'_>, sink: &mut Sink) -> Vec<Fault> {
    let trees = root.get("faults").map_or(&[][..], Tree::items);
    let mut all: Vec<(Fault, Span)> = Vec::new();
    for tree in trees {
        let kind = kind(tree, parts, sink);
        let Some(at) = time(tree, "at") else { continue };
        let place = tree.get("at").map_or(tree.span, |tree| tree.span);
        if at > parts.end {
            let message = format!("this fault at {} comes after the end of the run", format_time(at));
            sink.warning("W0505", place, message, format!("the run ends at {}", format_time(parts.end)));
        }
        let verb = tree.members().iter().find(|member| member.key != "at");
        all.extend(kind.map(|kind| (Fault { at, kind }, verb.map_or(tree.span, |member| member.key_span))));
    }
    all.sort_by_key(|(fault, _)| fault.at);
    check_order(&all, parts, sink);
    all.into_iter().map(|(fault, _)| fault).collect()
}

fn kind(tree: &Tree, parts: &Parts<'_>, sink: &mut Sink) -> Option<FaultKind> {
    if let Some(links) = tree.get("cut") {
        return selector(links, parts, sink).map(FaultKind::Cut);
    }
    if let Some(links) = tree.get("heal") {
        return selector(links, parts, sink).map(FaultKind::Heal);
    }
    if let Some(node) = tree.get("crash") {
        return parts.names.find(node, sink).map(FaultKind::Crash);
    }
    if let Some(node) = tree.get("restart") {
        return parts.names.find(node, sink).map(FaultKind::Restart);
    }
    if let Some(degrade) = tree.get("degrade") {
        let links = degrade.get("links").and_then(|tree| selector(tree, parts, sink));
        let keys = ["rate_factor", "extra_delay", "extra_loss"];
        if keys.iter().all(|key| degrade.get(key).is_none()) {
            sink.error("E0202", degrade.span, format!("`degrade` needs one of {}", keys.join(", ")), "");
        }
        let number = |key| degrade.get(key).and_then(Tree::number);
        return Some(FaultKind::Degrade {
            links: links?,
            rate_factor: number("rate_factor"),
            extra_delay: time(degrade, "extra_delay"),
            extra_loss: number("extra_loss"),
        });
    }
    let [left, right] = tree.get("partition")?.items() else { return None };
    let (left_ids, right_ids) = (group(left, parts, sink), group(right, parts, sink));
    let (left_ids, right_ids) = (left_ids?, right_ids?);
    for item in right.items() {
        if let Some(node) = parts.names.find(item, sink).filter(|node| left_ids.contains(node)) {
            let message = format!("{} is on both sides of the partition", parts.names.name(node));
            sink.error("E0704", item.span, message, "");
        }
    }
    Some(FaultKind::Partition(left_ids, right_ids))
}

fn group(tree: &Tree, parts: &Parts<'_>, sink: &mut Sink) -> Option<Vec<NodeId>> {
    let found: Vec<_> = tree.items().iter().map(|item| parts.names.find(item, sink)).collect();
    let mut found: Vec<NodeId> = found.into_iter().collect::<Option<_>>()?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// Reads links: `[a, b]` is both directions, `"a>b"` that one.
fn selector(tree: &Tree, parts: &Parts<'_>, sink: &mut Sink) -> Option<LinkSelector> {
    let mut links = BTreeSet::new();
    let mut complete = true;
    for item in tree.items() {
        let (ends, both) = match item.text() {
            Some(text) => {
                let Some((from, to)) = text.split_once('>') else {
                    sink.error("E0401", item.span, format!("\"{text}\" is no link"), "")
                        .help("write \"1>2\" for one direction, or [1, 2] for both");
                    complete = false;
                    continue;
                };
                let mut find = |text: &str| parts.names.find_text(text.trim(), item.span, sink);
                ((find(from), find(to)), false)
            }
            None => {
                let [a, b] = item.items() else { return None };
                ((parts.names.find(a, sink), parts.names.find(b, sink)), true)
            }
        };
        let (Some(from), Some(to)) = ends else {
            complete = false;
            continue;
        };
        let back = (parts.position)(to, from).filter(|_| both);
        let found: Vec<usize> = (parts.position)(from, to).into_iter().chain(back).collect();
        if found.is_empty() {
            let (from, to) = (parts.names.name(from), parts.names.name(to));
            let message =
                format!("there is no link {} {from} and {to}", if both { "between" } else { "that joins" });
            sink.error("E0402", item.span, message, "unknown link");
            complete = false;
        }
        links.extend(found);
    }
    complete.then(|| LinkSelector::Links(links.into_iter().collect()))
}

fn check_order(faults: &[(Fault, Span)], parts: &Parts<'_>, sink: &mut Sink) {
    let mut down: BTreeSet<NodeId> = BTreeSet::new();
    let mut hurt: BTreeSet<usize> = BTreeSet::new();
    let mut parted = false;
    for (fault, span) in faults {
        let at = format_time(fault.at);
        match &fault.kind {
            FaultKind::Crash(node) if !down.insert(*node) => {
                let message = format!("{} crashes at {at}, but is down already", parts.names.name(*node));
                sink.error("E0702", *span, message, "").help("restart it before");
            }
            FaultKind::Restart(node) if !down.remove(node) => {
                let message = format!("{} restarts at {at}, but is not down then", parts.names.name(*node));
                sink.error("E0701", *span, message, "").help("let it crash before");
            }
            FaultKind::Cut(LinkSelector::Links(links))
            | FaultKind::Degrade { links: LinkSelector::Links(links), .. } => hurt.extend(links),
            FaultKind::Partition(..) => parted = true,
            FaultKind::Heal(LinkSelector::Links(links)) => {
                if !parted && links.iter().all(|link| !hurt.contains(link)) {
                    let message =
                        format!("nothing is to heal at {at}: none of these links was cut or degraded");
                    sink.warning("W0703", *span, message, "");
                }
                hurt.retain(|link| !links.contains(link));
            }
            FaultKind::Crash(_) | FaultKind::Restart(_) => {}
        }
    }
}
