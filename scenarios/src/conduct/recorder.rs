//! The recorder: samples of what goes on, at equal intervals.
//!
//! It acts by events only, reads counters, and draws nothing: recording more or less changes no result.

use super::accountant::Accountant;
use super::figures::FeederFigures;
use super::observer::Observer;
use super::planner::Planner;
use super::roster::Roster;
use super::testbed::Testbed;
use super::view::mean_rate;
use crate::model::{CrossFlow, Scenario};
use crate::record::Scope;
use bellini_core::content::Content;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::HopKind;
use bellini_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// Takes samples.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    interval: Duration,
    samples: u64,
    taken: u64,
    /// When it took the last one.
    since: Instant,
    /// Whether it has seen what links carried before scenario time zero, which belongs to no sample.
    has_begun: bool,
    offered: BTreeMap<SessionKey, u64>,
    delivered: BTreeMap<(SessionKey, NodeId), Delivered>,
    links: Vec<LinkBefore>,
    feeders: BTreeMap<(u32, NodeId), u64>,
    hops: BTreeMap<(u32, NodeId), u64>,
    nodes: Vec<(u64, u64)>,
    /// TCP connections of the cross traffic: their ids, and what they had delivered.
    cross: Vec<(String, u64)>,
    pub(super) accountant: Accountant,
}

/// What a link had counted at the last sample.
#[derive(Clone, Copy, Debug, Default)]
struct LinkBefore {
    bytes: u64,
    busy: Duration,
    queue: u64,
    loss: u64,
    other: u64,
    queue_bytes: u64,
}

/// What a destination had counted at the last sample.
#[derive(Clone, Copy, Debug, Default)]
struct Delivered {
    bytes: u64,
    packets: u64,
    delay_ns_sum: u64,
}

impl Recorder {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let interval = scenario.sample_interval;
        // While the run drains nothing is offered: samples of it would only draw every curve down to zero.
        let span = scenario.duration;
        Self {
            interval,
            samples: span.as_nanos() / interval.as_nanos().max(1),
            links: vec![LinkBefore::default(); scenario.links.len()],
            accountant: Accountant::new(scenario),
            nodes: vec![(0, 0); scenario.nodes.len()],
            cross: scenario.cross_flows().iter().map(|flow| (cross_flow_id(scenario, flow), 0)).collect(),
            ..Self::default()
        }
    }

    /// Returns when the next sample is due.
    pub(super) fn next_event(&self, zero: Instant) -> Option<Instant> {
        if !self.has_begun && self.samples > 0 {
            return Some(zero.saturating_sub(Duration::from_nanos(1)));
        }
        (self.taken < self.samples).then(|| zero + self.interval.saturating_mul(self.taken + 1))
    }

    /// Takes one sample of what the testbed's last look has seen.
    ///
    /// # Errors
    /// What the observer says.
    pub(super) fn sample(
        &mut self,
        roster: &Roster<'_>,
        planner: &Planner,
        bed: &mut dyn Testbed,
        observer: &mut dyn Observer,
    ) -> Result<(), String> {
        if !self.has_begun {
            self.has_begun = true;
            self.since = roster.zero;
            // Without a time before zero nothing was carried in it; content of time zero belongs to the first sample.
            if roster.zero > Instant::ZERO {
                for (i, before) in (0..).zip(&mut self.links) {
                    *before = look_at_link(bed, i);
                }
            }
            return Ok(());
        }
        self.taken += 1;
        // The end of the interval by its number, so that decimals do not depend on how time was added up.
        let t_s = self.interval.as_nanos() as f64 * self.taken as f64 * 1e-9;
        // A rate is over the time that truly went by: real clocks wake late. After a long sleep samples come in quick
        // succession, and no rate is made of next to no time.
        let now = bed.now();
        let span = now.saturating_since(core::mem::replace(&mut self.since, now));
        let mut sample = Sample {
            t_s,
            seconds: span.as_secs_f64().max(self.interval.as_secs_f64() / 2.0),
            observer,
            roster,
            planner,
            bed,
        };
        self.sample_sessions(&mut sample)?;
        self.sample_links(&mut sample)?;
        self.sample_nodes(&mut sample)?;
        self.sample_cross(&mut sample)
    }

    fn sample_sessions(&mut self, sample: &mut Sample<'_, '_>) -> Result<(), String> {
        let (roster, seconds) = (sample.roster, sample.seconds);
        for session in &roster.sessions {
            let (key, tally) = (session.key(), &session.tally);
            let now = sample.bed.source_counts(session.source, key);
            let level = now.and_then(|counts| level_mbps(&session.spec.content, counts.level?));
            let offered = tally.source.content.bytes + now.map_or(0, |counts| counts.bytes);
            let before = self.offered.insert(key, offered).unwrap_or(0);
            if offered == before && !tally.is_known {
                continue;
            }
            let rate = mbps(offered.saturating_sub(before), seconds);
            sample.put(Scope::Session, &key.to_string(), "offered_mbps", rate)?;
            if let Some(level) = level {
                sample.put(Scope::Session, &key.to_string(), "level_mbps", level)?;
            }
            for (flow, share) in sample.planner.changing_shares(key).iter().enumerate() {
                sample.put(Scope::Flow, &format!("{key}#{flow}"), "share", *share)?;
            }
            let mut nodes: Vec<NodeId> = tally.all_members().chain(tally.sinks.keys()).copied().collect();
            nodes.sort_unstable();
            nodes.dedup();
            for node in nodes {
                let past = tally.sinks.get(&node).map(|past| past.stats).unwrap_or_default();
                let now = sample.bed.sink_counts(roster.node_index(node), key).unwrap_or_default();
                let after = Delivered {
                    bytes: past.delivered_bytes + now.delivered_bytes,
                    packets: past.delivered_packets + now.delivered_packets,
                    delay_ns_sum: past.delay_ns_sum + now.delay_ns_sum,
                };
                let before = self.delivered.insert((key, node), after).unwrap_or_default();
                let id = format!("{key}@{node}");
                let goodput = mbps(after.bytes.saturating_sub(before.bytes), seconds);
                sample.put(Scope::Destination, &id, "goodput_mbps", goodput)?;
                if after.packets > before.packets {
                    let delay = after.delay_ns_sum.saturating_sub(before.delay_ns_sum);
                    let mean = delay as f64 / (after.packets - before.packets) as f64 * 1e-6;
                    sample.put(Scope::Destination, &id, "delay_mean_ms", mean)?;
                }
            }
        }
        Ok(())
    }

    fn sample_links(&mut self, sample: &mut Sample<'_, '_>) -> Result<(), String> {
        let (scenario, seconds) = (sample.roster.scenario, sample.seconds);
        for (i, link) in scenario.links.iter().enumerate() {
            let after = look_at_link(sample.bed, i as u32);
            let before = core::mem::replace(&mut self.links[i], after);
            let start = sample.t_s - self.interval.as_secs_f64();
            self.accountant.add(i, (start, sample.t_s), after.bytes.saturating_sub(before.bytes));
            // A link that nobody has used is left out; one that is silent for a while is at zero, which is a value.
            if after.bytes == 0 && after.busy.is_zero() && after.queue_bytes == 0 {
                continue;
            }
            let id = format!("{}>{}", link.from, link.to);
            let mut put = |metric, value| sample.put(Scope::Link, &id, metric, value);
            let fresh = |after: u64, before: u64| after.saturating_sub(before);
            put("throughput_mbps", mbps(fresh(after.bytes, before.bytes), seconds))?;
            if mean_rate(&link.rate, scenario).is_some() {
                let busy = (after.busy.saturating_sub(before.busy)).as_secs_f64() / seconds;
                put("utilisation", busy.min(1.0))?;
                put("queue_bytes", after.queue_bytes as f64)?;
            }
            put("dropped_queue", fresh(after.queue, before.queue) as f64)?;
            put("dropped_loss", fresh(after.loss, before.loss) as f64)?;
            put("dropped_other", fresh(after.other, before.other) as f64)?;
        }
        Ok(())
    }

    fn sample_nodes(&mut self, sample: &mut Sample<'_, '_>) -> Result<(), String> {
        let seconds = sample.seconds;
        for (i, node) in sample.roster.scenario.nodes.iter().enumerate() {
            let figures = sample.bed.node(i as u32);
            for feeder in data_feeders(&figures.feeders) {
                let before =
                    self.feeders.insert((i as u32, feeder.peer), feeder.dropped_packets).unwrap_or(0);
                let id = format!("{}>{}", node.id, feeder.peer);
                sample.put(Scope::Feeder, &id, "queued_bytes", feeder.queued_bytes as f64)?;
                // A restarted node counts from zero again.
                let fresh = feeder.dropped_packets.saturating_sub(before) as f64;
                sample.put(Scope::Feeder, &id, "dropped_packets", fresh)?;
            }
            for hop in &figures.hops {
                let Some(control) = hop.control else { continue };
                let sent = hop.stats.sent_bytes;
                let before = self.hops.insert((i as u32, hop.peer), sent).unwrap_or(0);
                let id = format!("{}>{}", node.id, hop.peer);
                let mut put = |metric, value| sample.put(Scope::Hop, &id, metric, value);
                // A controller may say that it knows no bound.
                if control.allowed_bytes_per_s.is_finite() {
                    put("hop_allowed_mbps", control.allowed_bytes_per_s * 8e-6)?;
                }
                // A restarted node counts from zero again.
                put("hop_sent_mbps", mbps(sent.saturating_sub(before), seconds))?;
                if let Some(rtt) = control.rtt {
                    put("hop_rtt_ms", rtt.as_millis_f64())?;
                }
                put("hop_loss_event_rate", control.loss_event_rate)?;
            }
            let now = (figures.stats.forwarded_packets, figures.stats.delivered_packets);
            let before = core::mem::replace(&mut self.nodes[i], now);
            let id = node.id.to_string();
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
            sample.put(Scope::Node, &id, "forwarded_pps", rate(now.0, before.0))?;
            sample.put(Scope::Node, &id, "delivered_pps", rate(now.1, before.1))?;
        }
        Ok(())
    }

    fn sample_cross(&mut self, sample: &mut Sample<'_, '_>) -> Result<(), String> {
        if self.cross.is_empty() {
            return Ok(());
        }
        let figures = sample.bed.cross_flows();
        for (i, (id, before)) in self.cross.iter_mut().enumerate() {
            let now = figures.get(i).map_or(*before, |flow| flow.delivered_bytes);
            let fresh = now.saturating_sub(core::mem::replace(before, now));
            sample.put(Scope::Cross, id, "cross_goodput_mbps", mbps(fresh, sample.seconds))?;
        }
        Ok(())
    }
}

/// Returns the id of a TCP connection of the cross traffic: `from>to#number`.
fn cross_flow_id(scenario: &Scenario, flow: &CrossFlow) -> String {
    let link = &scenario.links[flow.link];
    format!("{}>{}#{}", link.from, link.to, flow.number)
}

/// A sample that is being taken.
struct Sample<'a, 'r> {
    t_s: f64,
    /// The time that it is of.
    seconds: f64,
    roster: &'a Roster<'r>,
    planner: &'a Planner,
    bed: &'a mut dyn Testbed,
    observer: &'a mut dyn Observer,
}

impl Sample<'_, '_> {
    fn put(&mut self, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        self.observer.sample(self.t_s, scope, id, metric, value)
    }
}

/// Returns what a link has counted up to now.
fn look_at_link(bed: &mut dyn Testbed, link: u32) -> LinkBefore {
    let figures = bed.link(link);
    LinkBefore {
        bytes: figures.sent_bytes,
        busy: figures.busy,
        queue: figures.dropped_queue,
        loss: figures.dropped_loss,
        other: figures.dropped_other.values().sum(),
        queue_bytes: figures.queue_bytes,
    }
}

/// Returns the feeders of data hops, in order of their hops; two hops to the same node count as one.
fn data_feeders(all: &[FeederFigures]) -> Vec<FeederFigures> {
    let mut feeders: Vec<FeederFigures> = Vec::with_capacity(all.len());
    let mut places = BTreeMap::new();
    for feeder in all.iter().filter(|feeder| feeder.kind != HopKind::Control) {
        let place = *places.entry(feeder.peer).or_insert(feeders.len());
        match feeders.get_mut(place) {
            Some(known) => {
                known.queued_bytes += feeder.queued_bytes;
                known.dropped_packets += feeder.dropped_packets;
            }
            None => feeders.push(*feeder),
        }
    }
    feeders
}

/// Returns the rate of a level of adaptive content.
fn level_mbps(content: &Content, level: usize) -> Option<f64> {
    let Content::Adaptive { ladder, .. } = content else { return None };
    ladder.get(level).map(|rate| rate.as_bps() as f64 * 1e-6)
}

fn mbps(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 * 8e-6 / seconds
}
