//! Nodes.

use super::links::default_queue_bytes;
use super::names::Names;
use super::values::{flag_or, integer_or, rate, signed, size_or, text, time_or};
use crate::data;
use crate::model::{Node, Shaper};
use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::Tree;
use crate::units::Quantity;
use bellini_core::congestion::{CongestionConfig, Controller};
use bellini_core::feeder::{FeederConfig, Scheduler};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// Reads the nodes, in order of their ids; hop rates come later, when links are known.
pub(crate) fn nodes(root: &Tree, names: &Names, sink: &mut Sink) -> Vec<Node> {
    let trees = root.get("nodes").map_or(&[][..], Tree::items);
    let mut nodes: Vec<Node> = trees.iter().filter_map(|tree| node(tree, names, sink)).collect();
    nodes.sort_by_key(|node| node.id);
    nodes.dedup_by_key(|node| node.id);
    nodes
}

fn node(tree: &Tree, names: &Names, sink: &mut Sink) -> Option<Node> {
    let id = NodeId::new(u32::try_from(tree.get("id")?.integer()?).ok()?)?;
    let region = tree.get("region").and_then(|tree| region(tree, sink));
    let written = |items: &[Tree]| Some((items.first()?.number()?, items.get(1)?.number()?));
    let from_region = || region.as_ref().map(|region| (region.latitude, region.longitude));
    let position = tree.get("position").map_or_else(from_region, |tree| written(tree.items()));
    let clock = tree.get("clock");
    let defaults = FeederConfig::default();
    let feeder = tree.get("feeder").map_or(Some(defaults), |tree| feeder(tree, defaults))?;
    let congestion = tree.get("congestion").map_or(Some(CongestionConfig::default()), congestion)?;
    Some(Node {
        id,
        name: names.name(id).to_owned(),
        region: region.map(|region| region.id.clone()),
        position,
        egress: tree.get("egress").and_then(shaper),
        ingress: tree.get("ingress").and_then(shaper),
        processing: time_or(tree, "processing", Duration::ZERO)?,
        receive_queue_packets: u32::try_from(integer_or(tree, "receive_queue", 10_000)).ok()?,
        clock_offset_ns: clock.map_or(0, |tree| signed(tree, "offset", Quantity::Time)),
        clock_drift_ppb: clock.map_or(0, |tree| signed(tree, "drift", Quantity::Drift)),
        feeder,
        congestion,
        recoding: flag_or(tree, "recoding", true),
        hop_rates: Vec::new(),
        vm_usd_per_hour: tree.get("vm_usd_per_hour").and_then(Tree::number),
    })
}

fn region(tree: &Tree, sink: &mut Sink) -> Option<&'static data::Region> {
    let name = tree.text()?;
    let found = data::region(name);
    if found.is_none() {
        let known = data::region_names();
        let error =
            sink.error("E0302", tree.span, format!("there is no region \"{name}\""), "unknown region");
        let like = known.iter().copied().find(|region| region.split(':').nth(1) == Some(name));
        if let Some(meant) = like.or_else(|| nearest(name, known.iter().copied())) {
            error.help(format!("did you mean \"{meant}\"?"));
        }
        let provider = name.split_once(':').map_or("aws:", |(provider, _)| provider);
        let listing = known.iter().copied().filter(|region| region.starts_with(provider));
        error.help(format!("regions: {}", listed(listing)));
    }
    found
}

fn shaper(tree: &Tree) -> Option<Shaper> {
    let rate = rate(tree, "rate")?;
    Some(Shaper { rate, queue_bytes: size_or(tree, "queue", default_queue_bytes(Some(rate)))? })
}

fn congestion(tree: &Tree) -> Option<CongestionConfig> {
    let controller = if text(tree, "controller") == Some("bbr") { Controller::Bbr } else { Controller::Tfrc };
    let defaults = CongestionConfig::of(controller);
    Some(CongestionConfig {
        controller,
        credit_max: time_or(tree, "credit", defaults.credit_max)?,
        discounting: flag_or(tree, "discounting", defaults.discounting),
        damping: flag_or(tree, "damping", defaults.damping),
        feedbacks_per_rtt: u8::try_from(integer_or(tree, "reports", u64::from(defaults.feedbacks_per_rtt)))
            .ok()?,
    })
}

fn feeder(tree: &Tree, defaults: FeederConfig) -> Option<FeederConfig> {
    Some(FeederConfig {
        live_bytes_max: size_or(tree, "live", defaults.live_bytes_max)?,
        bulk_bytes_max: size_or(tree, "bulk", defaults.bulk_bytes_max)?,
        scheduler: match text(tree, "scheduler") {
            Some("deficit-weighted") => Scheduler::DeficitWeighted,
            Some("strict-priority") => Scheduler::StrictPriority,
            Some("fifo") => Scheduler::Fifo,
            _ => defaults.scheduler,
        },
        quantum_bytes: u32::try_from(size_or(tree, "quantum", u64::from(defaults.quantum_bytes))?).ok()?,
        packets_max: u32::try_from(integer_or(tree, "packets", u64::from(defaults.packets_max))).ok()?,
        conferences_max: usize::try_from(integer_or(tree, "conferences", defaults.conferences_max as u64))
            .ok()?,
    })
}

/// Fills in the token buckets of hops: each key names a next hop, `*` all that no other key names.
pub(crate) fn hop_rates(
    root: &Tree,
    nodes: &mut [Node],
    names: &Names,
    neighbours: &dyn Fn(NodeId) -> Vec<NodeId>,
    sink: &mut Sink,
) {
    for tree in root.get("nodes").map_or(&[][..], Tree::items) {
        let (Some(rates), Some(id)) = (tree.get("rates"), tree.get("id").and_then(Tree::integer)) else {
            continue;
        };
        let Some(node) = nodes.iter_mut().find(|node| u64::from(node.id.get()) == id) else { continue };
        let hops = neighbours(node.id);
        let mut rest = None;
        for member in rates.members() {
            let Some(rate) = super::values::as_rate(&member.value) else { continue };
            if member.key == "*" {
                rest = Some(rate);
                continue;
            }
            let Some(hop) = names.find_text(&member.key, member.key_span, sink) else { continue };
            if !hops.contains(&hop) {
                let message = format!("there is no link from {} to {}", node.name, names.name(hop));
                sink.error("E0402", member.key_span, message, "a rate for a hop that does not exist");
            } else if node.hop_rates.iter().any(|(known, _)| *known == hop) {
                sink.error(
                    "E0306",
                    member.key_span,
                    format!("two rates for the hop to {}", names.name(hop)),
                    "",
                );
            } else {
                node.hop_rates.push((hop, rate));
            }
        }
        if let Some(rate) = rest {
            let others = hops.into_iter().filter(|hop| !node.hop_rates.iter().any(|known| known.0 == *hop));
            let others: Vec<_> = others.map(|hop| (hop, rate)).collect();
            node.hop_rates.extend(others);
        }
        node.hop_rates.sort_unstable_by_key(|(hop, _)| *hop);
    }
}
