//! The network as policies see it: as far as the running protocol measured it.
//!
//! Which links there might be, and what traffic on them costs, is configuration. Everything else comes from hops: the
//! round-trip time of hello exchanges and of congestion control, what the latter allows, and its loss events; the numbers of
//! frames that carry packets; and probes, where the scenario has them. A link that nobody has measured keeps the
//! scenario's delay, so that a way that nobody has tried can be found at all, and has no rate and no loss. A link whose far
//! end does not answer is left out.

mod seen;

use super::figures::{HopFigures, NodeFigures};
use super::testbed::Testbed;
use super::view::view_node;
use crate::model::Scenario;
use crate::policy::{Figure, Measured, MeasuredBy, NetworkView, ViewLink, ViewNode};
use bellini_core::congestion::{ControlFigures, equation};
use bellini_core::hop::{ProbeFigures, TRAINS_LOST};
use bellini_core::ids::NodeId;
use bellini_core::io::HopKind;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_core::wire::frame::UDP_IP_BYTES;
use seen::Seen;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Measurements that are no older are not taken again: many sessions ask at the same time.
const FRESH: Duration = Duration::from_millis(20);
/// A hop with so many timeouts and no frame in between goes nowhere.
const TIMEOUTS_MAX: u64 = 3;
/// Passive figures that are older give way to those of probes.
const PASSIVE_MAX: Duration = Duration::from_secs(30);
/// Trains that are older say nothing.
const TRAIN_MAX: Duration = Duration::from_secs(300);
/// Outcomes of probes that a loss is taken from, at least.
const OUTCOMES_MIN: u64 = 10;

/// The view, and what it needs to remember.
#[derive(Debug, Default)]
pub(super) struct MeasuredView {
    last: Option<(Instant, Arc<NetworkView>)>,
    /// Per hop: frames received, and timeouts when the last of them had come.
    heard: BTreeMap<(NodeId, NodeId, u8), (u64, u64)>,
    /// What nodes said last of their hops, whether they are down: processes that are only looked at now and then would
    /// tell later.
    said: BTreeMap<(NodeId, NodeId), bool>,
    /// Per pair of nodes: what was seen when.
    seen: BTreeMap<(NodeId, NodeId), Seen>,
}

impl MeasuredView {
    /// A node said that a hop of its is down, or up again.
    pub(super) fn hear(&mut self, from: NodeId, to: NodeId, is_down: bool) {
        self.said.insert((from, to), is_down);
        self.last = None;
    }

    /// A node's process has started anew: it knows of no hop that is down.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.said.retain(|(from, _), _| *from != node);
    }

    /// Returns the network as the nodes measure it now.
    pub(super) fn now(&mut self, scenario: &Scenario, bed: &dyn Testbed) -> Arc<NetworkView> {
        let now = bed.now();
        if let Some((at, view)) = &self.last
            && now.saturating_since(*at) < FRESH
        {
            return Arc::clone(view);
        }
        let figures = (0..scenario.nodes.len() as u32).map(|index| bed.node(index)).collect::<Vec<_>>();
        let view = Arc::new(self.view(now, scenario, &figures));
        self.last = Some((now, Arc::clone(&view)));
        view
    }

    /// Builds the view from the figures of all nodes, in the scenario's order.
    fn view(&mut self, now: Instant, scenario: &Scenario, figures: &[NodeFigures]) -> NetworkView {
        let nodes: Vec<ViewNode> = scenario.nodes.iter().map(view_node).collect();
        let mut ends: BTreeMap<(NodeId, NodeId), End> = BTreeMap::new();
        for (node, figures) in nodes.iter().zip(figures) {
            for hop in &figures.hops {
                let is_silent = self.is_silent(node.id, hop);
                ends.entry((node.id, hop.peer)).or_default().take(hop, is_silent);
            }
        }
        for (pair, end) in &mut ends {
            let seen = self.seen.entry(*pair).or_default();
            end.ages = seen.look(now, end.control, end.hello_rtt, (end.numbers, end.missing), end.bytes);
        }
        let known = |from, to| ends.get(&(from, to)).copied().unwrap_or_default();
        let links = scenario.links.iter().filter_map(|link| {
            let (near, far) = (known(link.from, link.to), known(link.to, link.from));
            if near.is_silent || self.said.get(&(link.from, link.to)) == Some(&true) {
                return None;
            }
            let measured = near.measured(&far);
            // What queues there now are mostly the sessions' own: a policy that ran from them would run in circles.
            let least = measured
                .rtt
                .map(|rtt| self.seen.entry((link.from, link.to)).or_default().least_rtt(now, rtt.value));
            let rtt = least.map(|rtt| Duration::from_secs_f64(rtt / 2.0));
            // The loss events that congestion control goes by, which are fewer than the losses.
            let events = near.control.map(|control| control.loss_event_rate.clamp(0.0, 1.0));
            Some(ViewLink {
                from: link.from,
                to: link.to,
                delay: rtt.unwrap_or(link.delay),
                rate: measured.rate.and_then(|rate| BitRate::from_bps(rate.value as u64)),
                loss: events.or(measured.loss.map(|loss| loss.value)).unwrap_or(0.0),
                usd_per_gb: link.usd_per_gb,
                measured: Some(measured),
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
        let is_dead =
            hop.probe.is_some_and(|probe| probe.is_dead) && !self.said.contains_key(&(node, hop.peer));
        is_dead || hop.is_unanswered || timeouts - heard.1 >= TIMEOUTS_MAX
    }
}

/// How old what one end knows is, and the losses that its numbers tell of.
#[derive(Clone, Copy, Debug, Default)]
struct Ages {
    control: Duration,
    hello: Duration,
    /// Losses on the way here.
    loss: Option<Figure>,
    /// Rate at which frames came here while others were lost, with UDP and IP.
    jam: Option<Figure>,
}

/// What one end of a link knows of it, over all its hops there.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Congestion control of what is sent.
    control: Option<ControlFigures>,
    /// Mean bytes of the frames that it sent.
    segment: f64,
    /// Least of the hello exchanges.
    hello_rtt: Option<Duration>,
    probe: Option<ProbeFigures>,
    /// Frames with packets on the way here, those that did not come included; and these.
    numbers: u64,
    missing: u64,
    /// Bytes that came, with UDP and IP.
    bytes: u64,
    is_silent: bool,
    ages: Ages,
}

impl End {
    fn take(&mut self, hop: &HopFigures, is_silent: bool) {
        self.is_silent |= is_silent;
        self.hello_rtt = [self.hello_rtt, hop.rtt].into_iter().flatten().min();
        self.probe = self.probe.or(hop.probe);
        if matches!(hop.kind, HopKind::Datagram | HopKind::Paced) {
            // A peer may name any number.
            let numbers = hop.stats.received_packets.saturating_add(hop.stats.missing_frames);
            self.numbers = self.numbers.saturating_add(numbers);
            self.missing = self.missing.saturating_add(hop.stats.missing_frames);
            let headers = hop.stats.received_frames.saturating_mul(UDP_IP_BYTES as u64);
            self.bytes = self.bytes.saturating_add(hop.stats.received_bytes).saturating_add(headers);
        }
        if let Some(control) = hop.control.filter(|_| hop.kind != HopKind::Control) {
            self.control = Some(control);
            self.segment = hop.stats.sent_bytes as f64 / hop.stats.sent_frames.max(1) as f64;
        }
    }

    /// Returns what is known of the way from here to the end `far`.
    fn measured(&self, far: &Self) -> Measured {
        let probe_loss = self.probe.filter(|probe| probe.outcomes >= OUTCOMES_MIN).map(|probe| {
            let count = probe.outcomes.min(100) as f64;
            // Both ways were lost on alike, as far as anybody knows.
            let one_way = 1.0 - (1.0 - probe.loss).sqrt();
            let error = (one_way * (1.0 - one_way) / count).sqrt().max(0.5 / count);
            Figure { value: one_way, error: Some(error), age: probe.age, by: MeasuredBy::Probe }
        });
        let passive = far.ages.loss.filter(|loss| loss.age <= PASSIVE_MAX);
        Measured {
            rtt: self.rtt().or(far.rtt()),
            loss: passive.or(probe_loss).or(far.ages.loss),
            rate: self.jammed(far).or(self.rate()),
        }
    }

    fn rtt(&self) -> Option<Figure> {
        let control = self.control.and_then(|control| control.rtt).map(|rtt| Figure {
            value: rtt.as_secs_f64(),
            error: None,
            age: self.ages.control,
            by: MeasuredBy::CongestionControl,
        });
        let probe = self.probe.and_then(|probe| {
            Some(Figure {
                value: probe.rtt?.as_secs_f64(),
                error: Some(probe.rtt_deviation.as_secs_f64()),
                age: probe.age,
                by: MeasuredBy::Probe,
            })
        });
        let hello = self.hello_rtt.map(|rtt| Figure {
            value: rtt.as_secs_f64(),
            error: None,
            age: self.ages.hello,
            by: MeasuredBy::Hello,
        });
        control.filter(|rtt| rtt.age <= PASSIVE_MAX).or(probe).or(control).or(hello)
    }

    /// The rate of a link whose queue lets no train through, but packets: what of them comes is what it carries. Where
    /// losses have other causes trains get through.
    fn jammed(&self, far: &Self) -> Option<Figure> {
        let is_full = self.probe.is_some_and(|probe| probe.unanswered >= TRAINS_LOST);
        far.ages.jam.filter(|jam| is_full && jam.age <= PASSIVE_MAX)
    }

    /// A train has met the link's limit; congestion control only where there were losses. Then its equation says what the
    /// hop may send in the long run, if that is less.
    fn rate(&self) -> Option<Figure> {
        let train = self.probe.filter(|probe| probe.rate_age <= TRAIN_MAX).and_then(|probe| {
            Some(Figure {
                value: probe.rate_bps?,
                error: Some(probe.rate_deviation_bps),
                age: probe.rate_age,
                by: MeasuredBy::Train,
            })
        });
        // Before the first report the allowed rate is a beginning, not a measurement.
        let control = self.control.filter(|control| control.received_bytes_per_s.is_some());
        let Some(control) = control else { return train };
        // Frame bytes to bytes of the link, which is what trains measure and what plans are made in.
        let headers = if self.segment > 0.0 { UDP_IP_BYTES as f64 / self.segment } else { 0.0 };
        let wire = 8.0 * (1.0 + headers);
        let allowed = Figure {
            value: control.allowed_bytes_per_s * wire,
            error: None,
            age: self.ages.control,
            by: MeasuredBy::CongestionControl,
        };
        // Without losses a sender has met no limit but its own beginning, or its data.
        let Some(train) = train else { return Some(allowed) };
        let equation = match control.rtt {
            Some(rtt) if control.loss_event_rate > 0.0 && allowed.age <= PASSIVE_MAX => {
                wire * equation::rate(self.segment, rtt.as_secs_f64(), control.loss_event_rate)
            }
            _ => f64::INFINITY,
        };
        if equation < train.value { Some(Figure { value: equation, ..allowed }) } else { Some(train) }
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
            probe: None,
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
        let links = measured.view(Instant::ZERO, &scenario(), &figures).links;
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

    /// Aim: delays are of the least round trip of about ten seconds, so that queues that come and go do not move routes;
    /// one that stays counts. The round trip itself is told as it is.
    #[test]
    fn delays_are_without_queues() {
        let mut measured = MeasuredView::default();
        let mut at = |second: u64, rtt_ms| {
            let hop = HopFigures { control: control(8.0, rtt_ms), ..hop(2, HopKind::Datagram) };
            let figures = [vec![hop], vec![], vec![]];
            let figures = figures.map(|hops| NodeFigures { hops, ..NodeFigures::default() });
            let now = Instant::ZERO + Duration::from_secs(second);
            let link = measured.view(now, &scenario(), &figures).links[0];
            let rtt = link.measured.and_then(|it| it.rtt).expect("an RTT");
            (link.delay.as_millis_f64().round(), (rtt.value * 1e3).round())
        };
        assert_eq!(at(1, 100), (50.0, 100.0));
        assert_eq!(at(5, 160), (50.0, 160.0));
        assert_eq!(at(11, 140), (50.0, 140.0));
        assert_eq!(at(12, 150), (70.0, 150.0), "eleven seconds later");
        assert_eq!(at(13, 80), (40.0, 80.0));
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

    fn probed(mbps: f64, rtt_ms: u64) -> Option<ProbeFigures> {
        Some(ProbeFigures {
            outcomes: 200,
            loss: 0.19,
            rtt: Some(Duration::from_millis(rtt_ms)),
            rtt_deviation: Duration::from_millis(2),
            age: Duration::from_secs(5),
            rate_bps: Some(mbps * 1e6),
            rate_deviation_bps: 1e5,
            rate_age: Duration::from_secs(7),
            ..ProbeFigures::default()
        })
    }

    /// Aim: a hop has the rate of its trains, but no more than the equation allows at its losses, whether data limits it or
    /// not: in slow start what is allowed says nothing of the link. Without packets everything comes from probes, each figure
    /// with its age and error; a dead end takes the link along.
    #[test]
    fn probes_fill_in_what_packets_do_not_tell() {
        let mut measured = MeasuredView::default();
        let mut rate = |is_data_limited, loss_event_rate| {
            let known =
                control(2.0, 100).map(|known| ControlFigures { is_data_limited, loss_event_rate, ..known });
            let stats = HopStats { sent_bytes: 1_000_000, sent_frames: 1_000, ..HopStats::default() };
            let probe = HopFigures { probe: probed(20.0, 90), ..hop(2, HopKind::Control) };
            let hops = vec![HopFigures { control: known, stats, ..hop(2, HopKind::Paced) }, probe];
            let figures = [hops, vec![], vec![]].map(|hops| NodeFigures { hops, ..NodeFigures::default() });
            let view = measured.view(Instant::ZERO, &scenario(), &figures);
            let rate = view.links[0].measured.expect("it is measured").rate.expect("a rate");
            (rate.by, (rate.value * 1e-5).round() / 10.0)
        };
        assert_eq!(rate(true, 0.0), (MeasuredBy::Train, 20.0));
        assert_eq!(rate(false, 0.0), (MeasuredBy::Train, 20.0), "2 Mbit/s are where it has got to");
        // 1.2 * 8 * 1,000 B / (0.1 s sqrt(0.01)) and a bit less for timeouts: about 0.9 Mbit/s.
        for is_data_limited in [true, false] {
            assert_eq!(rate(is_data_limited, 0.01), (MeasuredBy::CongestionControl, 0.9));
        }
        let probe = HopFigures { probe: probed(20.0, 90), ..hop(2, HopKind::Control) };
        let figures = |hop: HopFigures| {
            [vec![hop], vec![], vec![]].map(|hops| NodeFigures { hops, ..NodeFigures::default() })
        };
        let mut measured = MeasuredView::default();
        let link = measured.view(Instant::ZERO, &scenario(), &figures(probe)).links[0];
        let found = link.measured.expect("it is measured");
        assert_eq!(link.delay, Duration::from_millis(45));
        let (rtt, loss) = (found.rtt.expect("an RTT"), found.loss.expect("a loss"));
        assert_eq!((rtt.by, rtt.error, rtt.age), (MeasuredBy::Probe, Some(0.002), Duration::from_secs(5)));
        // 1 - sqrt(0.81), of a hundred outcomes.
        assert!((loss.value - 0.1).abs() < 1e-9 && (loss.error.expect("an error") - 0.03).abs() < 1e-9);
        let dead =
            HopFigures { probe: probed(20.0, 90).map(|it| ProbeFigures { is_dead: true, ..it }), ..probe };
        assert_eq!(measured.view(Instant::ZERO, &scenario(), &figures(dead)).links.len(), 3);
    }

    /// Aim: what a node says of its hop counts at once, also against figures of before, until it says otherwise or is
    /// another process.
    #[test]
    fn hops_are_left_out_as_soon_as_their_nodes_say_so() {
        let mut measured = MeasuredView::default();
        let [one, two] = [1, 2].map(|id| NodeId::new(id).expect("an id"));
        let count = |measured: &mut MeasuredView| seen(measured, [vec![], vec![], vec![]]).len();
        measured.hear(one, two, true);
        assert_eq!(count(&mut measured), 3);
        measured.hear(one, two, false);
        assert_eq!(count(&mut measured), 4);
        measured.hear(one, two, true);
        measured.forget(two);
        assert_eq!(count(&mut measured), 3);
        measured.forget(one);
        assert_eq!(count(&mut measured), 4);
    }

    /// Aim: losses come from the numbers of what arrived since the looks before, at the receiving end, for the sender's
    /// link; with a binomial error, and an age once nothing comes any more.
    #[test]
    fn numbers_tell_losses_with_age_and_error() {
        let mut measured = MeasuredView::default();
        let mut at = |second: u64, received_packets, missing_frames| {
            let stats = HopStats { received_packets, missing_frames, ..HopStats::default() };
            let hops = [vec![], vec![HopFigures { stats, ..hop(1, HopKind::Datagram) }], vec![]];
            let figures = hops.map(|hops| NodeFigures { hops, ..NodeFigures::default() });
            let now = Instant::ZERO + Duration::from_secs(second);
            let view = measured.view(now, &scenario(), &figures);
            assert_eq!(view.links[2].measured.and_then(|found| found.loss), None, "the other direction");
            view.links[0].measured.and_then(|found| found.loss)
        };
        assert_eq!(at(1, 1_000, 900), None, "one look is no span");
        let loss = at(2, 1_960, 940).expect("a loss");
        assert!((loss.value - 0.04).abs() < 1e-9, "{loss:?}");
        assert!((loss.error.expect("an error") - (0.04_f64 * 0.96 / 1_000.0).sqrt()).abs() < 1e-9);
        let loss = at(3, 2_960, 940).expect("a loss");
        assert!((loss.value - 0.02).abs() < 1e-9 && loss.age == Duration::ZERO, "{loss:?}");
        assert_eq!(at(8, 2_960, 940).expect("a loss").age, Duration::from_secs(5));
    }
}
