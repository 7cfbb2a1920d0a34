//! The recorder: samples of what goes on, at equal intervals.
//!
//! It acts by events only, reads counters, and draws nothing: recording more or less changes no result.

use crate::observer::Observer;
use crate::simulation::Simulation;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::HopKind;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::Scope;
use std::collections::BTreeMap;

/// Takes samples.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    interval: Duration,
    samples: u64,
    taken: u64,
    /// Whether it has seen what links carried before scenario time zero, which belongs to no sample.
    has_begun: bool,
    offered: BTreeMap<SessionKey, u64>,
    delivered: BTreeMap<(SessionKey, NodeId), (u64, u64, u64)>,
    links: Vec<LinkBefore>,
    feeders: BTreeMap<(u32, NodeId), u64>,
    nodes: Vec<(u64, u64)>,
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

impl Recorder {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let interval = scenario.sample_interval;
        // While the run drains nothing is offered: samples of it would only draw every curve down to zero.
        let span = scenario.duration;
        Self {
            interval,
            samples: span.as_nanos() / interval.as_nanos().max(1),
            links: vec![LinkBefore::default(); scenario.links.len()],
            nodes: vec![(0, 0); scenario.nodes.len()],
            ..Self::default()
        }
    }

    /// Returns a recorder that takes no samples.
    pub(crate) fn idle() -> Self {
        Self::default()
    }

    /// Returns when the next sample is due.
    pub(crate) fn next_event(&self, zero: Instant) -> Option<Instant> {
        if !self.has_begun && self.samples > 0 {
            return Some(zero.saturating_sub(Duration::from_nanos(1)));
        }
        (self.taken < self.samples).then(|| zero + self.interval.saturating_mul(self.taken + 1))
    }

    /// Takes one sample.
    pub(crate) fn sample(
        &mut self,
        simulation: &mut Simulation<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), String> {
        if !self.has_begun {
            self.has_begun = true;
            // Without a time before zero nothing was carried in it; content of time zero belongs to the first sample.
            if !simulation.zero.saturating_since(Instant::ZERO).is_zero() {
                for i in 0..self.links.len() {
                    self.links[i] = look_at_link(simulation, i);
                }
            }
            return Ok(());
        }
        self.taken += 1;
        // The end of the interval by its number, so that decimals do not depend on how time was added up.
        let t_s = self.interval.as_nanos() as f64 * self.taken as f64 * 1e-9;
        self.sessions(simulation, observer, t_s)?;
        self.sample_links(simulation, observer, t_s)?;
        self.sample_nodes(simulation, observer, t_s)
    }

    fn sessions(
        &mut self,
        simulation: &Simulation<'_>,
        observer: &mut dyn Observer,
        t_s: f64,
    ) -> Result<(), String> {
        let seconds = self.interval.as_secs_f64();
        for tally in &simulation.tallies {
            let (_, c, s) = simulation.index[&tally.key];
            let (session, key) = simulation.session(c, s);
            let world = &simulation.world;
            let source = world.session(world.index_of(session.source), key);
            let now = source
                .and_then(|entry| entry.source.as_ref())
                .map_or(0, |source| source.content_stats().bytes);
            let offered = tally.source.content.bytes + now;
            let before = self.offered.insert(key, offered).unwrap_or(0);
            if offered == before && !tally.is_known {
                continue;
            }
            let id = key.to_string();
            observer.sample(t_s, Scope::Session, &id, "offered_mbps", mbps(offered - before, seconds))?;
            let nodes = tally.all_members().chain(tally.sinks.keys());
            let mut nodes: Vec<NodeId> = nodes.copied().collect();
            nodes.sort_unstable();
            nodes.dedup();
            for node in nodes {
                let past = tally.sinks.get(&node).map(|past| past.stats).unwrap_or_default();
                let entry = world.session(world.index_of(node), key);
                // Only what a destination was set up for counts, as in the summary.
                let sink = entry.and_then(|entry| entry.sink.as_ref());
                let sink = sink.filter(|sink| sink.content_stats().is_some());
                let now = sink.map(|sink| sink.stats).unwrap_or_default();
                let total = (
                    past.delivered_bytes + now.delivered_bytes,
                    past.delivered_packets + now.delivered_packets,
                    past.delay_ns_sum + now.delay_ns_sum,
                );
                let before = self.delivered.insert((key, node), total).unwrap_or_default();
                let id = format!("{key}@{node}");
                let goodput = mbps(total.0 - before.0, seconds);
                observer.sample(t_s, Scope::Destination, &id, "goodput_mbps", goodput)?;
                if total.1 > before.1 {
                    let mean = (total.2 - before.2) as f64 / (total.1 - before.1) as f64 * 1e-6;
                    observer.sample(t_s, Scope::Destination, &id, "delay_mean_ms", mean)?;
                }
            }
        }
        Ok(())
    }

    fn sample_links(
        &mut self,
        simulation: &mut Simulation<'_>,
        observer: &mut dyn Observer,
        t_s: f64,
    ) -> Result<(), String> {
        let seconds = self.interval.as_secs_f64();
        for (i, link) in simulation.scenario.links.iter().enumerate() {
            let after = look_at_link(simulation, i);
            let queue_bytes = after.queue_bytes;
            let before = core::mem::replace(&mut self.links[i], after);
            // A link that nobody has used is left out; one that is silent for a while is at zero, which is a value.
            if after.bytes == 0 && after.busy.is_zero() && queue_bytes == 0 {
                continue;
            }
            let id = format!("{}>{}", link.from, link.to);
            let mut put = |metric, value| observer.sample(t_s, Scope::Link, &id, metric, value);
            put("throughput_mbps", mbps(after.bytes - before.bytes, seconds))?;
            if crate::view::mean_rate(&link.rate, simulation.scenario).is_some() {
                let busy = (after.busy.saturating_sub(before.busy)).as_secs_f64() / seconds;
                put("utilisation", busy.min(1.0))?;
                put("queue_bytes", queue_bytes as f64)?;
            }
            put("dropped_queue", (after.queue - before.queue) as f64)?;
            put("dropped_loss", (after.loss - before.loss) as f64)?;
            put("dropped_other", (after.other - before.other) as f64)?;
        }
        Ok(())
    }

    fn sample_nodes(
        &mut self,
        simulation: &Simulation<'_>,
        observer: &mut dyn Observer,
        t_s: f64,
    ) -> Result<(), String> {
        let seconds = self.interval.as_secs_f64();
        for (i, node) in simulation.world.nodes.iter().enumerate() {
            let mut stats = node.past;
            if let Some(process) = &node.process {
                stats.add(process.stats());
                for hop in process.hops().iter().filter(|hop| hop.kind != HopKind::Control) {
                    let Some(feeder) = &hop.feeder else { continue };
                    let counted = feeder.stats();
                    let dropped = counted.dropped_live_packets
                        + counted.refused_live_packets
                        + counted.refused_bulk_packets;
                    let before = self.feeders.insert((node.id.get(), hop.peer), dropped).unwrap_or(0);
                    let id = format!("{}>{}", node.id, hop.peer);
                    let queued = feeder.backlog().bytes;
                    observer.sample(t_s, Scope::Feeder, &id, "queued_bytes", queued as f64)?;
                    // A restarted node counts from zero again.
                    let fresh = dropped.saturating_sub(before) as f64;
                    observer.sample(t_s, Scope::Feeder, &id, "dropped_packets", fresh)?;
                }
            }
            let now = (stats.forwarded_packets, stats.delivered_packets);
            let before = core::mem::replace(&mut self.nodes[i], now);
            let id = node.id.to_string();
            observer.sample(t_s, Scope::Node, &id, "forwarded_pps", (now.0 - before.0) as f64 / seconds)?;
            observer.sample(t_s, Scope::Node, &id, "delivered_pps", (now.1 - before.1) as f64 / seconds)?;
        }
        Ok(())
    }
}

/// Returns what a link has counted up to now.
fn look_at_link(simulation: &mut Simulation<'_>, i: usize) -> LinkBefore {
    let now = simulation.world.now;
    let stats = simulation.world.network.link_stats(now, i as u32);
    let queue_bytes = simulation.world.network.queue_bytes(now, i as u32);
    let state = &simulation.world.network.links[i];
    let causes = crate::summary::causes(&state.dropped);
    LinkBefore {
        bytes: state.sent.1,
        busy: stats.busy,
        queue: causes.queue,
        loss: causes.loss,
        other: causes.other,
        queue_bytes,
    }
}

fn mbps(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 * 8e-6 / seconds
}
