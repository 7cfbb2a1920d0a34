//! Dropped packets: when, where and why.

use super::{Figure, Material};
use crate::chart::{Stack, Style, across, in_time as bars_in_time};
use crate::curves::{Curves, ids};
use crate::error::ReportError;
use crate::format::{number, plural};
use bellini_scenarios::record::{Scope, Summary};
use std::collections::BTreeMap;

/// Most places that are shown by name.
const PLACES_MAX: usize = 20;
/// Causes that `series.csv` knows: scope, metric, name.
const CAUSES: [(Scope, &str, &str); 4] = [
    (Scope::Link, "dropped_queue", "link queue full"),
    (Scope::Link, "dropped_loss", "lost on the link"),
    (Scope::Feeder, "dropped_packets", "feeder full"),
    (Scope::Link, "dropped_other", "cut, crash or MTU"),
];

/// Makes the drops in time by cause; none when nothing was dropped.
pub(super) fn in_time(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let mut stacks = Vec::new();
    for (index, (scope, metric, name)) in CAUSES.into_iter().enumerate() {
        let ids = ids(material.runs, scope, metric);
        let values = Curves::sum(material.runs, scope, &ids, metric).mean;
        if values.iter().any(|point| point.1 > 0.0) {
            stacks.push(Stack { name: name.to_owned(), style: Style::nth(index), values });
        }
    }
    if stacks.is_empty() {
        return Ok(None);
    }
    let total = |stack: &Stack| stack.values.iter().map(|point| point.1).sum::<f64>();
    let all: f64 = stacks.iter().map(total).sum();
    let most = stacks.iter().max_by(|a, b| total(a).total_cmp(&total(b)));
    let (cause, share) = most.map_or(("", 0.0), |stack| (stack.name.as_str(), total(stack) / all * 100.0));
    let title =
        format!("{} packets were dropped over the whole run; {} %: {cause}", number(all), number(share));
    let caption = format!(
        "Packets dropped in each interval, over all links and nodes, stacked by cause.{}",
        if material.runs.len() > 1 { " Means over all seeds." } else { "" }
    );
    let label = ("Packets dropped", "packets");
    let svg = bars_in_time((&title, &caption), label, material.span(), &stacks, &material.marks)?;
    Ok(Some(Figure { name: "drops-time", heading: "Drops in time", title, caption, svg }))
}

/// Makes the drops of each link and node by cause; none when nothing was dropped.
pub(super) fn by_place(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let mut places: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for run in material.runs {
        for (place, cause, packets) in drops(material, &run.summary) {
            *places.entry(place).or_default().entry(cause).or_insert(0.0) +=
                packets / material.runs.len() as f64;
        }
    }
    let mut ranked: Vec<_> =
        places.into_iter().map(|(place, causes)| (causes.values().sum::<f64>(), place, causes)).collect();
    if ranked.is_empty() {
        return Ok(None);
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let all: f64 = ranked.iter().map(|place| place.0).sum();
    let title = format!(
        "{} packets were dropped in the measuring window, most of them ({}) at {}",
        number(all),
        number(ranked[0].0),
        ranked[0].1
    );
    let count = ranked.len();
    if count > PLACES_MAX + 1 {
        let mut rest = (0.0, format!("{} other places", count - PLACES_MAX), BTreeMap::new());
        for (packets, _, causes) in ranked.split_off(PLACES_MAX) {
            rest.0 += packets;
            for (cause, packets) in causes {
                *rest.2.entry(cause).or_insert(0.0) += packets;
            }
        }
        ranked.push(rest);
    }
    let mut causes: BTreeMap<&str, f64> = BTreeMap::new();
    for (cause, packets) in ranked.iter().flat_map(|place| &place.2) {
        *causes.entry(cause).or_insert(0.0) += packets;
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by(|a, b| b.1.total_cmp(&a.1));
    // The causes that the plot in time shows keep their colours here; others take the next ones.
    let mut next = CAUSES.len();
    let stacks: Vec<_> = causes
        .iter()
        .map(|(cause, _)| {
            let index = CAUSES.iter().position(|known| known.2 == *cause).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            let values = ranked.iter().map(|place| (0.0, place.2.get(*cause).copied().unwrap_or(0.0)));
            Stack { name: (*cause).to_owned(), style: Style::nth(index), values: values.collect() }
        })
        .collect();
    let things: Vec<_> = ranked.into_iter().map(|place| place.1).collect();
    let caption = format!(
        "Packets dropped in the measuring window at {}, by cause. Each packet of a multicast tree counts where it was \
         dropped.{}",
        plural(count, "place"),
        if material.runs.len() > 1 { " Means over all seeds." } else { "" }
    );
    let svg = across((&title, &caption), ("Packets dropped", "packets"), &things, &stacks)?;
    Ok(Some(Figure { name: "drops-place", heading: "Drops by place and cause", title, caption, svg }))
}

/// Returns place, cause and number of all drops of a run.
fn drops(material: &Material<'_>, summary: &Summary) -> Vec<(String, String, f64)> {
    let mut all = Vec::new();
    for link in &summary.links {
        let place = material.pair(&link.id());
        all.push((place.clone(), CAUSES[0].2.to_owned(), link.dropped_queue));
        all.push((place.clone(), CAUSES[1].2.to_owned(), link.dropped_loss));
        for (cause, packets) in &link.dropped_other {
            all.push((place.clone(), format!("link: {cause}"), *packets));
        }
    }
    for node in &summary.nodes {
        let place = format!("node {}", node.name);
        let overflow = node.drops.get("overflow").copied().unwrap_or(node.overflow_drops);
        all.push((place.clone(), CAUSES[2].2.to_owned(), overflow));
        for (cause, packets) in node.drops.iter().filter(|(cause, _)| *cause != "overflow") {
            all.push((place.clone(), format!("node: {cause}"), *packets));
        }
    }
    let some = all.into_iter().filter(|(_, _, packets)| *packets > 0);
    some.map(|(place, cause, packets)| (place, cause, packets as f64)).collect()
}
