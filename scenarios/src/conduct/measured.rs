//! The network as policies see it: as far as the running protocol measured it.
//!
//! Which links there might be, and what traffic on them costs, is configuration. Everything else comes from hops: the
//! round-trip time of hello exchanges and of congestion control, what the latter allows, and its loss events. A link
//! that nobody has measured keeps the scenario's delay, so that a way that nobody has tried can be found at all, and
//! has no rate and no loss. A link whose far end does not answer is left out.

use super::figures::{HopFigures, NodeFigures};
use super::testbed::Testbed;
use super::view::view_node;
use crate::model::Scenario;
use crate::policy::{NetworkView, ViewLink, ViewNode};
use bellini_core::ids::NodeId;
use bellini_core::io::HopKind;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Measurements that are no older are not taken again: many sessions ask at the same time.
const FRESH: Duration = Duration::from_millis(20);
/// A hop with so many timeouts and no frame in between goes nowhere.
const TIMEOUTS_MAX: u64 = 3;

/// The view, and what it needs to remember.
#[derive(Debug, Default)]
pub(super) struct MeasuredView {
    last: Option<(Instant, Arc<NetworkView>)>,
    /// Per hop: frames received, and timeouts when the last of them had come.
    heard: BTreeMap<(NodeId, NodeId, u8), (u64, u64)>,
}

impl MeasuredView {
    /// Returns the network as the nodes measure it now.
    pub(super) fn now(&mut self, scenario: &Scenario, bed: &dyn Testbed) -> Arc<NetworkView> {
        let now = bed.now();
        if let Some((at, view)) = &self.last
            && now.saturating_since(*at) < FRESH
        {
            return Arc::clone(view);
        }
        let figures = (0..scenario.nodes.len() as u32).map(|index| bed.node(index)).collect::<Vec<_>>();
        let view = Arc::new(self.view(scenario, &figures));
        self.last = Some((now, Arc::clone(&view)));
        view
    }

    /// Builds the view from the figures of all nodes, in the scenario's order.
    fn view(&mut self, scenario: &Scenario, figures: &[NodeFigures]) -> NetworkView {
        let nodes: Vec<ViewNode> = scenario.nodes.iter().map(view_node).collect();
        let mut ends: BTreeMap<(NodeId, NodeId), End> = BTreeMap::new();
        for (node, figures) in nodes.iter().zip(figures) {
            for hop in &figures.hops {
                let is_silent = self.is_silent(node.id, hop);
                ends.entry((node.id, hop.peer)).or_default().take(hop, is_silent);
            }
        }
        let known = |from, to| ends.get(&(from, to)).copied().unwrap_or_default();
        let links = scenario.links.iter().filter_map(|link| {
            let (near, far) = (known(link.from, link.to), known(link.to, link.from));
            let rtt = near.rtt().or(far.rtt());
            (!near.is_silent).then(|| ViewLink {
                from: link.from,
                to: link.to,
                delay: rtt.map_or(link.delay, |rtt| Duration::from_nanos(rtt.as_nanos() / 2)),
                rate: near.bits_per_s.and_then(|rate| BitRate::from_bps(rate as u64)),
                loss: near.loss,
                usd_per_gb: link.usd_per_gb,
            })
        });
        NetworkView { links: links.collect(), nodes, sessions: Vec::new() }
    }

    /// Whether the peer of a hop has stopped to answer.
    fn is_silent(&mut self, node: NodeId, hop: &HopFigures) -> bool {
        let timeouts = hop.control.map_or(0, |control| control.timeouts);
        let received = hop.stats.received_frames;
        let heard = self.heard.entry((node, hop.peer, hop.kind as u8)).or_insert((received, timeouts));
        // A hop whose process started anew counts from zero again.
        if heard.0 != received || timeouts < heard.1 {
            *heard = (received, timeouts);
        }
        hop.is_unanswered || timeouts - heard.1 >= TIMEOUTS_MAX
    }
}

/// What the sending end of a link knows of it, over all its hops there.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Round-trip time of congestion control.
    paced_rtt: Option<Duration>,
    /// Least of the hello exchanges.
    hello_rtt: Option<Duration>,
    bits_per_s: Option<f64>,
    loss: f64,
    is_silent: bool,
}

impl End {
    fn take(&mut self, hop: &HopFigures, is_silent: bool) {
        self.is_silent |= is_silent;
        self.hello_rtt = [self.hello_rtt, hop.rtt].into_iter().flatten().min();
        if let Some(control) = hop.control.filter(|_| hop.kind != HopKind::Control) {
            self.paced_rtt = control.rtt;
            self.loss = control.loss_event_rate.clamp(0.0, 1.0);
            // Before the first report the allowed rate is a beginning, not a measurement.
            self.bits_per_s = control.received_bytes_per_s.map(|_| control.allowed_bytes_per_s * 8.0);
        }
    }

    fn rtt(&self) -> Option<Duration> {
        self.paced_rtt.or(self.hello_rtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{LoadOptions, parse_str};
    use bellini_core::congestion::ControlFigures;
    use bellini_core::hop::HopStats;

    fn scenario() -> Scenario {
        let text = r#"{"bellini": 1, "duration": "1 s",
            "nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
            "links": [
                {"between": ["a", "b"], "delay": "40 ms", "rate": "20 Mbit/s"},
                {"between": ["a", "c"], "delay": "70 ms", "rate": "20 Mbit/s"}]}"#;
        parse_str("test.json", text, &LoadOptions::default())
            .unwrap_or_else(|found| panic!("{found}"))
            .scenario
    }

    fn hop(peer: u32, kind: HopKind) -> HopFigures {
        HopFigures {
            peer: NodeId::new(peer).expect("an id"),
            kind,
            is_open: true,
            is_unanswered: false,
            rtt: None,
            control: None,
            stats: HopStats::default(),
        }
    }

    fn control(mbps: f64, rtt_ms: u64) -> Option<ControlFigures> {
        Some(ControlFigures {
            allowed_bytes_per_s: mbps * 125_000.0,
            received_bytes_per_s: Some(1.0),
            rtt: Some(Duration::from_millis(rtt_ms)),
            loss_event_rate: 0.01,
            ..ControlFigures::default()
        })
    }

    fn seen(measured: &mut MeasuredView, hops: [Vec<HopFigures>; 3]) -> Vec<String> {
        let figures = hops.map(|hops| NodeFigures { hops, ..NodeFigures::default() });
        let links = measured.view(&scenario(), &figures).links;
        let line = |link: &ViewLink| {
            let rate = link.rate.map_or(0, BitRate::as_bps) as f64 * 1e-6;
            format!("{}>{} {} {rate} {}", link.from, link.to, link.delay, link.loss)
        };
        links.iter().map(line).collect()
    }

    /// Aim: measured figures replace the scenario's, each direction by its own sender, but for delays, which either
    /// end may have measured; what nobody has measured has the scenario's delay and no rate.
    #[test]
    fn what_hops_measured_replaces_what_was_configured() {
        let mut measured = MeasuredView::default();
        let nothing = seen(&mut measured, [vec![], vec![], vec![]]);
        assert_eq!(nothing, ["1>2 0.04s 0 0", "1>3 0.07s 0 0", "2>1 0.04s 0 0", "3>1 0.07s 0 0"]);
        let hello = HopFigures { rtt: Some(Duration::from_millis(90)), ..hop(2, HopKind::Control) };
        let stream = HopFigures { rtt: Some(Duration::from_millis(120)), ..hop(1, HopKind::Stream) };
        let paced = HopFigures { control: control(8.0, 100), ..hop(2, HopKind::Datagram) };
        let some = seen(&mut measured, [vec![hello, paced], vec![], vec![stream]]);
        assert_eq!(some, ["1>2 0.05s 8 0.01", "1>3 0.06s 0 0", "2>1 0.05s 0 0", "3>1 0.06s 0 0"]);
    }

    /// Aim: a peer that does not answer hellos, or lets a hop time out again and again, takes its link along; one
    /// that is heard again brings it back.
    #[test]
    fn links_to_silent_peers_are_left_out() {
        let mut measured = MeasuredView::default();
        let silent = HopFigures { is_open: false, is_unanswered: true, ..hop(2, HopKind::Datagram) };
        assert_eq!(seen(&mut measured, [vec![silent], vec![], vec![]]).len(), 3);
        let paced = |timeouts, received_frames| {
            let control = control(8.0, 100).map(|control| ControlFigures { timeouts, ..control });
            let stats = HopStats { received_frames, ..HopStats::default() };
            [vec![HopFigures { control, stats, ..hop(3, HopKind::Datagram) }], vec![], vec![]]
        };
        for (timeouts, frames, links) in
            [(5, 40, 4), (7, 41, 4), (9, 41, 4), (10, 41, 3), (12, 41, 3), (12, 42, 4), (1, 0, 4)]
        {
            let found = seen(&mut measured, paced(timeouts, frames));
            assert_eq!(found.len(), links, "{timeouts} timeouts, {frames} frames: {found:?}");
        }
    }
}
