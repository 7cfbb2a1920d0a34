//! What a run's counters say of why a destination did not get more.

use crate::record::{DestinationSummary, LinkSummary, Run, SessionSummary};
use bellini_core::ids::NodeId;
use std::collections::BTreeSet;

/// A destination that got this part of what was offered lacks nothing.
const FULL: f64 = 0.99;

/// Says what kept a destination from getting more, by the counters of the links that its paths cross.
pub(super) fn bound_by(
    run: &Run,
    summary: &SessionSummary,
    to: &DestinationSummary,
    taken: &[(Vec<NodeId>, f64)],
) -> String {
    if taken.is_empty() {
        return "no route: none leads there at the end of the run".to_owned();
    }
    let crossed: BTreeSet<(u32, u32)> = taken
        .iter()
        .flat_map(|(nodes, _)| nodes.windows(2).map(|pair| (pair[0].get(), pair[1].get())))
        .collect();
    let links: Vec<&LinkSummary> =
        run.summary.links.iter().filter(|link| crossed.contains(&(link.from, link.to))).collect();
    let name = |link: &LinkSummary| {
        format!("{} > {}", run.summary.node_name(link.from), run.summary.node_name(link.to))
    };
    let is_full = match (summary.offered_mbps, to.goodput_mbps) {
        (Some(offered), Some(goodput)) if offered > 0.0 => goodput >= FULL * offered,
        _ => to.lost_packets == 0,
    };
    let busy =
        links.iter().max_by(|a, b| a.utilisation.unwrap_or(0.0).total_cmp(&b.utilisation.unwrap_or(0.0)));
    let busiest =
        busy.and_then(|link| Some(format!("{} {:.0} % busy", name(link), link.utilisation? * 100.0)));
    if is_full {
        let busiest = busiest.map_or_else(String::new, |text| format!("; busiest link: {text}"));
        return format!("its content: it got what was offered{busiest}");
    }
    let node_drops =
        |id: u32| run.summary.nodes.iter().find(|node| node.id == id).map_or(0, |node| node.overflow_drops);
    let mut causes: Vec<(u64, String)> = Vec::new();
    for link in &links {
        causes.push((
            link.dropped_queue,
            format!("the queue of {} dropped {} packets of all sessions", name(link), link.dropped_queue),
        ));
        causes.push((
            link.dropped_loss,
            format!("{} lost {} packets by itself", name(link), link.dropped_loss),
        ));
        let other: u64 = link.dropped_other.values().sum();
        causes.push((
            other,
            format!("{} dropped {other} packets while it or a node was down, or for their size", name(link)),
        ));
    }
    let senders: BTreeSet<u32> = crossed.iter().map(|(from, _)| *from).collect();
    for id in senders {
        let drops = node_drops(id);
        causes.push((
            drops,
            format!(
                "{}, which may not send faster, dropped {drops} waiting packets of all sessions",
                run.summary.node_name(id)
            ),
        ));
    }
    match causes.into_iter().max_by_key(|(count, _)| *count) {
        Some((count, text)) if count > 0 => text,
        _ => busiest.map_or_else(
            || "nothing that was counted".to_owned(),
            |text| format!("nothing was dropped; {text}"),
        ),
    }
}
