//! Links and nodes over the measuring window.

use super::Snapshot;
use crate::conduct::figures::{LinkFigures, NodeFigures};
use crate::conduct::view::mean_rate;
use crate::model::{self, CrossFlow, CrossPattern, CrossTraffic, Scenario};
use crate::record::{CrossFlowSummary, LinkSummary, Mode, NodeSummary};
use bellini_core::io::HopKind;
use bellini_core::stats::Drop;
use std::collections::BTreeMap;

/// The window in which links and nodes are judged: what had been counted at both its ends.
pub(super) struct Window<'a> {
    pub(super) from: &'a Snapshot,
    pub(super) to: &'a Snapshot,
}

impl Window<'_> {
    pub(super) fn seconds(&self) -> f64 {
        self.to.at.saturating_since(self.from.at).as_secs_f64()
    }

    /// Returns the figures of all links.
    pub(super) fn links(&self, scenario: &Scenario) -> Vec<LinkSummary> {
        let ends = self.from.links.iter().zip(&self.to.links);
        ends.enumerate().map(|(i, (from, to))| link_summary(scenario, i, from, to, self.seconds())).collect()
    }

    /// Returns the figures of all nodes.
    pub(super) fn nodes(&self, scenario: &Scenario, mode: Mode) -> Vec<NodeSummary> {
        let ends = self.from.nodes.iter().zip(&self.to.nodes);
        let nodes = scenario.nodes.iter().zip(ends);
        nodes.map(|(node, (from, to))| node_summary(node, from, to, mode)).collect()
    }

    /// Returns the figures of the TCP connections of the cross traffic.
    pub(super) fn cross_flows(&self, scenario: &Scenario) -> Vec<CrossFlowSummary> {
        let seconds = self.seconds();
        let summary = |(i, flow): (usize, &CrossFlow)| {
            let [from, to] =
                [self.from, self.to].map(|end| end.cross_flows.get(i).copied().unwrap_or_default());
            let link = &scenario.links[flow.link];
            let bytes = to.delivered_bytes.saturating_sub(from.delivered_bytes);
            let again = |to: u64| to.saturating_sub(from.retransmitted_segments.unwrap_or(0));
            CrossFlowSummary {
                from: link.from.get(),
                to: link.to.get(),
                flow: flow.number,
                controller: flow.controller.as_str().to_owned(),
                goodput_mbps: (seconds > 0.0).then(|| bytes as f64 * 8e-6 / seconds),
                retransmitted_segments: to.retransmitted_segments.map(again),
            }
        };
        scenario.cross_flows().iter().enumerate().map(summary).collect()
    }
}

fn link_summary(
    scenario: &Scenario,
    i: usize,
    from: &LinkFigures,
    to: &LinkFigures,
    seconds: f64,
) -> LinkSummary {
    let link = &scenario.links[i];
    let capacity = mean_rate(&link.rate, scenario);
    let busy = to.busy.saturating_sub(from.busy).as_secs_f64();
    let sent_bytes = to.sent_bytes.saturating_sub(from.sent_bytes);
    // The acknowledgements of TCP are cross traffic of the way back.
    let is_way_back = |cross: &CrossTraffic| {
        let there = &scenario.links[cross.link];
        matches!(cross.pattern, CrossPattern::Tcp { .. }) && (there.from, there.to) == (link.to, link.from)
    };
    let has_cross = scenario.cross_traffic.iter().any(|cross| cross.link == i || is_way_back(cross));
    let mut dropped_other = to.dropped_other.clone();
    for (cause, count) in &mut dropped_other {
        *count = count.saturating_sub(from.dropped_other.get(cause).copied().unwrap_or(0));
    }
    dropped_other.retain(|_, count| *count > 0);
    LinkSummary {
        from: link.from.get(),
        to: link.to.get(),
        transport: transports(to.kinds),
        sent_packets: to.sent_packets.saturating_sub(from.sent_packets),
        sent_bytes,
        dropped_queue: to.dropped_queue.saturating_sub(from.dropped_queue),
        dropped_loss: to.dropped_loss.saturating_sub(from.dropped_loss),
        dropped_other,
        utilisation: (capacity.is_some() && seconds > 0.0).then(|| (busy / seconds).min(1.0)),
        mean_mbps: (seconds > 0.0).then(|| sent_bytes as f64 * 8e-6 / seconds),
        cost_usd: link.usd_per_gb.map(|price| price * sent_bytes as f64 * 1e-9),
        queue_peak_bytes: capacity.map(|_| to.queue_bytes_max),
        cross_bytes: has_cross.then(|| to.cross_bytes.saturating_sub(from.cross_bytes)),
        capacity_mbps: capacity.map(|rate| rate.as_mbps()),
        base_delay_ms: Some(link.delay.as_millis_f64()),
    }
}

/// Names the hops that used a link by their transports.
fn transports(kinds: u8) -> String {
    let words = [
        (HopKind::Datagram, "udp-unpaced"),
        (HopKind::Paced, "udp"),
        (HopKind::Stream, "tcp"),
        (HopKind::Control, "control"),
    ];
    let used = words.iter().filter(|(kind, _)| kinds & (1 << *kind as u8) != 0).map(|(_, word)| *word);
    used.collect::<Vec<_>>().join("+")
}

fn node_summary(node: &model::Node, from: &NodeFigures, to: &NodeFigures, mode: Mode) -> NodeSummary {
    let fresh = |figure: fn(&NodeFigures) -> u64| figure(to).saturating_sub(figure(from));
    let dropped = |cause: Drop| {
        let [from, to] = [from, to].map(|end| end.stats.dropped_packets[cause as usize]);
        to.saturating_sub(from)
    };
    let mut drops: BTreeMap<String, u64> =
        Drop::ALL.into_iter().map(|cause| (cause.name().to_owned(), dropped(cause))).collect();
    let overflow = dropped(Drop::LiveOverflow) + dropped(Drop::Refused);
    drops.remove(Drop::LiveOverflow.name());
    drops.remove(Drop::Refused.name());
    drops.insert("overflow".to_owned(), overflow);
    drops.insert("crash".to_owned(), fresh(|end| end.crashed_packets));
    drops.insert("no_link".to_owned(), fresh(|end| end.unlinked_packets));
    drops.retain(|_, count| *count > 0);
    NodeSummary {
        id: node.id.get(),
        name: node.name.clone(),
        forwarded_packets: fresh(|end| end.stats.forwarded_packets),
        delivered_packets: fresh(|end| end.stats.delivered_packets),
        recoded_packets: fresh(|end| end.stats.recoded_packets),
        overflow_drops: overflow,
        rejected_packets: dropped(Drop::Rejected),
        drops,
        host_dropped_packets: (mode != Mode::Sim).then(|| fresh(|end| end.host_dropped_packets)),
        cpu_s: to.cpu_s.map(|cpu| (cpu - from.cpu_s.unwrap_or(0.0)).max(0.0)),
        peak_rss_mib: to.peak_rss_mib,
        region: node.region.clone(),
        position: node.position.map(|(latitude, longitude)| [latitude, longitude]),
    }
}
