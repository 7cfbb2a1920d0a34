//! From what was counted to `summary.json` and `delays.csv`.

use crate::digest::combine;
use crate::link::{DropCause, LinkStats};
use crate::simulation::Simulation;
use crate::view::mean_rate;
use crate::world::World;
use bellini_core::content::spec::Content;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::HopKind;
use bellini_core::route::Branch;
use bellini_core::stats::{Drop, NodeStats};
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use bellini_core::wire::packet::{PACKET_FIXED_BYTES, PacketHeader};
use bellini_core::wire::routing;
use bellini_scenarios::conduct::{SinkTally, SourceTally};
use bellini_scenarios::model::{Delivery, Rate, Scenario, Session, Transport};
use bellini_scenarios::record::{
    DelayMs, DelayRow, DestinationSummary, Engine, FlowSummary, LinkSummary, LossRuns, Mode, NodeSummary,
    QueueingMs, SCHEMA, SessionSummary, Status, Summary, View,
};
use std::collections::{BTreeMap, BTreeSet};

/// Policy failures that the notes show, one a session; all are in events.jsonl.
const REFUSALS_SHOWN: usize = 5;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures. `engine` holds events and packet hops; times are the driver's to add.
    pub summary: Summary,
    /// The delay distributions.
    pub delays: Vec<DelayRow>,
}

/// Counters of links and nodes at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    at: Instant,
    links: Vec<(LinkStats, (u64, u64), [u64; DropCause::ALL.len()])>,
    nodes: Vec<(NodeStats, u64, u64)>,
}

impl Snapshot {
    pub(crate) fn take(world: &mut World) -> Self {
        let at = world.now;
        let links = (0..world.network.links.len())
            .map(|i| {
                let stats = world.network.link_stats(at, i as u32);
                let link = &world.network.links[i];
                (stats, link.sent, link.dropped)
            })
            .collect();
        let nodes = world
            .nodes
            .iter()
            .map(|node| {
                let mut stats = node.past;
                if let Some(process) = &node.process {
                    stats.add(process.stats());
                }
                (stats, node.crashed_packets, node.unlinked_packets)
            })
            .collect();
        Self { at, links, nodes }
    }
}

/// Drops of a link, as results tell them apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Causes {
    pub(crate) queue: u64,
    pub(crate) loss: u64,
    pub(crate) other: u64,
}

/// Sorts a link's drops.
pub(crate) fn causes(dropped: &[u64; DropCause::ALL.len()]) -> Causes {
    let mut causes = Causes::default();
    for cause in DropCause::ALL {
        let count = dropped[cause.index()];
        match cause {
            DropCause::Queue | DropCause::Red | DropCause::CoDel => causes.queue += count,
            DropCause::Loss => causes.loss += count,
            _ => causes.other += count,
        }
    }
    causes
}

/// Returns the measured symbols that a session's source has made, over all its starts.
pub(crate) fn measured_symbols(simulation: &Simulation<'_>, tally: usize) -> u64 {
    let tally = &simulation.tallies[tally];
    let (_, c, s) = simulation.index[&tally.key];
    let (session, key) = simulation.session(c, s);
    let world = &simulation.world;
    let source = world.session(world.index_of(session.source), key).and_then(|entry| entry.source.as_ref());
    tally.source.content.measured_symbols + source.map_or(0, |source| source.content_stats().measured_symbols)
}

/// Makes the results of a run that is over.
pub(crate) fn outcome(simulation: &mut Simulation<'_>, status: Status) -> Outcome {
    let last = Snapshot::take(&mut simulation.world);
    let to = simulation.measured.1.take().unwrap_or_else(|| last.clone());
    let from = simulation.measured.0.take().unwrap_or_else(|| to.clone());
    for node in &mut simulation.world.nodes {
        let local = node.clock.local(simulation.world.now);
        if let Some(process) = &mut node.process {
            process.finish(local);
        }
    }
    let in_flight = in_flight(simulation);
    let mut sessions = Vec::new();
    let mut delays = Vec::new();
    for tally in 0..simulation.tallies.len() {
        sessions.push(session_summary(simulation, tally, &in_flight, &mut delays));
    }
    let scenario = simulation.scenario;
    let seconds = to.at.saturating_since(from.at).as_secs_f64();
    let world = &simulation.world;
    let packet_hops = world.network.links.iter().map(|link| link.sent.0).sum();
    let mut node_hashes = Vec::new();
    for node in &world.nodes {
        let mut hash = node.hash;
        let mut stats = node.past;
        if let Some(process) = &node.process {
            stats.add(process.stats());
        }
        for number in
            [stats.delivered_packets, stats.duplicate_packets, stats.forwarded_packets, stats.dropped_total()]
        {
            hash.add_number(number);
        }
        node_hashes.push(hash);
    }
    let digest = combine(node_hashes, world.network.links.iter().map(|link| link.hash));
    let summary = Summary {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        mode: Mode::Sim,
        status,
        seed: simulation.seed.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: Some(digest),
        duration_s: simulation.duration_of_run().min(scenario.duration).as_secs_f64(),
        measure_s: [scenario.measure.from.as_secs_f64(), scenario.measure.to.as_secs_f64()],
        view: View::Oracle,
        notes: notes(simulation),
        engine: Some(Engine {
            events: Some(world.event_count),
            packet_hops: Some(packet_hops),
            ..Engine::default()
        }),
        lab: None,
        sessions,
        links: (0..scenario.links.len())
            .map(|i| link_summary(scenario, world, i, &from, &to, seconds))
            .collect(),
        nodes: (0..scenario.nodes.len()).map(|i| node_summary(scenario, i, &from, &to)).collect(),
    };
    Outcome { summary, delays }
}

fn notes(simulation: &Simulation<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if simulation.world.nodes.iter().any(|node| !node.clock.is_true()) {
        notes.push(
            "Clocks are off; delays are true one-way times all the same, as only a simulator knows them."
                .to_owned(),
        );
    }
    let unrouted: u64 = simulation
        .tallies
        .iter()
        .map(|tally| {
            let (_, c, s) = simulation.index[&tally.key];
            let (session, key) = simulation.session(c, s);
            let entry = simulation.world.session(simulation.world.index_of(session.source), key);
            let now = entry
                .and_then(|entry| entry.source.as_ref())
                .map_or(0, |source| source.stats.unrouted_symbols);
            tally.source.unrouted + now
        })
        .sum();
    notes.extend(simulation.refusals.values().take(REFUSALS_SHOWN).cloned());
    if unrouted > 0 {
        notes.push(format!(
            "{unrouted} symbols were offered while their session had no route; they count as lost."
        ));
    }
    let unlinked: u64 = simulation.world.nodes.iter().map(|node| node.unlinked_packets).sum();
    if unlinked > 0 {
        notes.push(format!("{unlinked} packets were meant for next hops that no link leads to."));
    }
    let sources = &simulation.scenario.provenance;
    notes.extend(sources.iter().map(|p| format!("{} ({}): {}, {}.", p.dataset, p.gives, p.source, p.date)));
    notes
}

/// Returns the symbols of the measuring window that are still under way: to which destination, of which session.
fn in_flight(simulation: &Simulation<'_>) -> BTreeMap<(SessionKey, NodeId), u64> {
    let mut symbols = BTreeSet::new();
    let mut note = |header: &[u8]| {
        let Ok((packet, routing)) = PacketHeader::parse(header) else { return };
        let length = routing.first_chunk::<2>().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        let Some(route) = routing.get(..length).and_then(|info| routing::decode(info).ok()) else { return };
        for node in route.destinations() {
            symbols.insert((packet.key, node, packet.epoch, packet.symbol, packet.timestamp_ns));
        }
    };
    let world = &simulation.world;
    world.network.for_each_packet(&mut |header| note(&header[FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES..]));
    for process in world.nodes.iter().filter_map(|node| node.process.as_ref()) {
        for feeder in process.hops().iter().filter_map(|hop| hop.feeder.as_ref()) {
            feeder.for_each_queued(&mut |packet| note(packet.header.packet()));
        }
    }
    let mut counts = BTreeMap::new();
    for (key, node, epoch, symbol, timestamp) in symbols {
        let Some(entry) = world.session(world.index_of(node), key) else { continue };
        // Who is no destination (any more) has a sink that nobody set up, if one: nothing is on its way to it.
        let Some(sink) = entry.sink.as_ref().filter(|sink| sink.content_stats().is_some()) else { continue };
        if sink.measure().contains(Instant::from_nanos(timestamp)) && !sink.has(epoch, symbol) {
            *counts.entry((key, node)).or_default() += 1;
        }
    }
    counts
}

fn session_summary(
    simulation: &Simulation<'_>,
    tally_index: usize,
    in_flight: &BTreeMap<(SessionKey, NodeId), u64>,
    delays: &mut Vec<DelayRow>,
) -> SessionSummary {
    let tally = &simulation.tallies[tally_index];
    let (_, c, s) = simulation.index[&tally.key];
    let (session, key) = simulation.session(c, s);
    let world = &simulation.world;
    let mut source = tally.source.clone();
    if let Some(entry) = world.session(world.index_of(session.source), key) {
        source.add(entry);
    }
    let scenario = simulation.scenario;
    let window = offered_window(scenario, session);
    let mut nodes: Vec<NodeId> =
        tally.all_members().chain(tally.sinks.keys()).chain(&session.destinations).copied().collect();
    nodes.sort_unstable();
    nodes.dedup();
    let made = source.content.measured_symbols;
    let destinations = nodes
        .into_iter()
        .map(|node| {
            let mut sink = tally.sinks.get(&node).cloned().unwrap_or_default();
            if let Some(entry) = world.session(world.index_of(node), key) {
                sink.add(entry);
            }
            push_delays(key, node, &sink, delays);
            let sent = tally.sent_to(node, made);
            let flying = in_flight.get(&(key, node)).copied().unwrap_or(0);
            destination_summary(simulation, session, node, &source, &sink, sent, flying, window)
        })
        .collect();
    let packets: u64 = source.flows.iter().map(|(.., packets)| packets).sum();
    debug_assert_eq!(packets, source.packets, "every packet was sent on a flow");
    SessionSummary {
        conference: key.conference.0,
        session: key.session.0,
        name: session.name.clone(),
        source: session.source.get(),
        content: content_word(&session.content).to_owned(),
        transport: match session.transport {
            Transport::UdpUnpaced => "udp-unpaced".to_owned(),
        },
        coding: None,
        delivery: match session.delivery {
            Delivery::BestEffort => "best-effort".to_owned(),
        },
        offered_mbps: rate(source.content.measured_bytes, window),
        destinations,
        flows: source
            .flows
            .iter()
            .map(|(route, share, packets)| FlowSummary {
                route: format!("{}>{route}", session.source),
                share: *share,
                packets: *packets,
            })
            .collect(),
    }
}

/// Returns the part of the measuring window in which the session offers content.
fn offered_window(scenario: &Scenario, session: &Session) -> Duration {
    let from = scenario.measure.from.max(session.start);
    scenario.measure.to.min(session.stop).saturating_sub(from)
}

fn push_delays(key: SessionKey, node: NodeId, sink: &SinkTally, delays: &mut Vec<DelayRow>) {
    let total = sink.delays.count() as f64;
    for (nanos, below) in sink.delays.cdf_points() {
        delays.push(DelayRow {
            session: key.to_string(),
            destination: node.get(),
            delay_ms: nanos as f64 * 1e-6,
            cumulative: below as f64 / total,
        });
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one place that puts the parts of a destination's figures together"
)]
fn destination_summary(
    simulation: &Simulation<'_>,
    session: &Session,
    node: NodeId,
    source: &SourceTally,
    sink: &SinkTally,
    sent: u64,
    in_flight: u64,
    window: Duration,
) -> DestinationSummary {
    let content = sink.content.unwrap_or_default();
    let stats = &sink.stats;
    let objects = source.content.measured_objects;
    let is_frames = matches!(session.content, Content::Video { .. } | Content::Adaptive { .. });
    let is_messages = matches!(session.content, Content::Messages { .. });
    // A file is there when every symbol came as it should be, and both ends have the same bytes.
    let is_same_file = content.file_digest.is_some() && content.file_digest == source.content.file_digest;
    let zero = simulation.zero + session.start;
    let delay_ms = delay_figures(sink);
    let base_delay_ms = base_delay(simulation.scenario, session, node, source).map(Duration::as_millis_f64);
    DestinationSummary {
        node: node.get(),
        sent_packets: sent,
        delivered_packets: stats.measured_packets,
        duplicate_packets: stats.measured_duplicates,
        lost_packets: sent.saturating_sub(stats.measured_packets + in_flight),
        in_flight_packets: in_flight,
        goodput_mbps: rate(stats.measured_bytes, window),
        delay_ms,
        base_delay_ms,
        queueing_ms: QueueingMs::of(delay_ms, base_delay_ms),
        loss_runs: delay_ms.map(|_| LossRuns::of(&sink.loss_runs)),
        frames_sent: is_frames.then_some(objects),
        frames_complete: is_frames.then_some(content.frames_complete),
        frames_on_time: is_frames.then_some(content.frames_on_time),
        stall_s: is_frames.then(|| content.stall.as_secs_f64()),
        startup_ms: content.startup.map(Duration::as_millis_f64),
        messages_sent: is_messages.then_some(objects),
        messages_complete: is_messages.then_some(content.messages_complete),
        messages_on_time: is_messages.then_some(content.messages_on_time),
        bytes_complete: content.file_complete.map(|_| stats.delivered_bytes),
        sha256: content.file_digest.map(|digest| digest.to_string()),
        complete_s: content.file_completed_at.map(|at| at.saturating_since(zero).as_secs_f64()),
        complete: content.file_complete.map(|is_complete| is_complete && is_same_file),
    }
}

fn delay_figures(sink: &SinkTally) -> Option<DelayMs> {
    let ms = |nanos: u64| nanos as f64 * 1e-6;
    let quantile = |q| sink.delays.quantile(q).map(ms);
    Some(DelayMs {
        mean: sink.delays.mean()? * 1e-6,
        min: sink.delays.min().map(ms)?,
        p50: quantile(0.5)?,
        p95: quantile(0.95)?,
        p99: quantile(0.99)?,
        max: sink.delays.max().map(ms)?,
    })
}

/// Returns the least delay of a full symbol on any of the session's routes, without queueing: serialisation at
/// constant rates, propagation, processing.
fn base_delay(
    scenario: &Scenario,
    session: &Session,
    node: NodeId,
    source: &SourceTally,
) -> Option<Duration> {
    let mut least: Option<Duration> = None;
    for (route, ..) in &source.flows {
        visit(scenario, session, session.source, &route.branches, Duration::ZERO, node, &mut least);
    }
    least
}

fn visit(
    scenario: &Scenario,
    session: &Session,
    from: NodeId,
    branches: &[Branch],
    so_far: Duration,
    wanted: NodeId,
    least: &mut Option<Duration>,
) {
    for branch in branches {
        let single = bellini_core::route::Route { branches: vec![branch.clone()] };
        let routing_bytes = routing::encode(&single).map_or(0, |info| info.len());
        let headers = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES + UDP_IP_BYTES;
        let bytes = (headers + routing_bytes) as u64 + u64::from(session.symbol_bytes);
        let link = scenario.links.iter().find(|link| link.from == from && link.to == branch.node);
        let Some(link) = link else { continue };
        let serialiser = match &link.rate {
            Rate::Shared(index) => &scenario.bottlenecks[*index].rate,
            own => own,
        };
        let serialisation = match serialiser {
            Rate::Constant(rate) => rate.transmit_time(bytes),
            _ => Duration::ZERO,
        };
        let processing = scenario
            .nodes
            .binary_search_by_key(&branch.node, |node| node.id)
            .map_or(Duration::ZERO, |index| scenario.nodes[index].processing);
        let delay = so_far + serialisation + link.delay + processing;
        if branch.deliver && branch.node == wanted {
            *least = Some(least.map_or(delay, |known| known.min(delay)));
        }
        visit(scenario, session, branch.node, &branch.next, delay, wanted, least);
    }
}

fn link_summary(
    scenario: &Scenario,
    world: &World,
    i: usize,
    from: &Snapshot,
    to: &Snapshot,
    seconds: f64,
) -> LinkSummary {
    let link = &scenario.links[i];
    let ((stats_a, sent_a, dropped_a), (stats_b, sent_b, dropped_b)) = (&from.links[i], &to.links[i]);
    let mut dropped = *dropped_b;
    for (own, before) in dropped.iter_mut().zip(dropped_a) {
        *own -= before;
    }
    let sorted = causes(&dropped);
    let named = [DropCause::Queue, DropCause::Red, DropCause::CoDel, DropCause::Loss];
    let others = DropCause::ALL.into_iter().filter(|cause| !named.contains(cause));
    let capacity = mean_rate(&link.rate, scenario);
    let busy = stats_b.busy.saturating_sub(stats_a.busy).as_secs_f64();
    let sent_bytes = sent_b.1 - sent_a.1;
    let cross = stats_b.cross.admitted_bytes - stats_a.cross.admitted_bytes;
    let has_cross = scenario.cross_traffic.iter().any(|cross| cross.link == i);
    LinkSummary {
        from: link.from.get(),
        to: link.to.get(),
        transport: transports(world.network.links[i].kinds),
        sent_packets: sent_b.0 - sent_a.0,
        sent_bytes,
        dropped_queue: sorted.queue,
        dropped_loss: sorted.loss,
        dropped_other: others
            .filter(|cause| dropped[cause.index()] > 0)
            .map(|cause| (cause.name().to_owned(), dropped[cause.index()]))
            .collect(),
        utilisation: (capacity.is_some() && seconds > 0.0).then(|| (busy / seconds).min(1.0)),
        mean_mbps: (seconds > 0.0).then(|| sent_bytes as f64 * 8e-6 / seconds),
        cost_usd: link.usd_per_gb.map(|price| price * sent_bytes as f64 * 1e-9),
        queue_peak_bytes: capacity.map(|_| stats_b.queue_bytes_max),
        cross_bytes: has_cross.then_some(cross),
        capacity_mbps: capacity.map(|rate| rate.as_mbps()),
        base_delay_ms: Some(link.delay.as_millis_f64()),
    }
}

fn transports(kinds: u8) -> String {
    let words = [(HopKind::Datagram, "udp-unpaced"), (HopKind::Stream, "tcp"), (HopKind::Control, "control")];
    let used = words.iter().filter(|(kind, _)| kinds & (1 << *kind as u8) != 0).map(|(_, word)| *word);
    used.collect::<Vec<_>>().join("+")
}

fn node_summary(scenario: &Scenario, i: usize, from: &Snapshot, to: &Snapshot) -> NodeSummary {
    let node = &scenario.nodes[i];
    let ((a, crashed_a, unlinked_a), (b, crashed_b, unlinked_b)) = (&from.nodes[i], &to.nodes[i]);
    let dropped = |cause: Drop| b.dropped_packets[cause as usize] - a.dropped_packets[cause as usize];
    let mut drops: BTreeMap<String, u64> =
        Drop::ALL.into_iter().map(|cause| (cause.name().to_owned(), dropped(cause))).collect();
    let overflow = dropped(Drop::LiveOverflow) + dropped(Drop::Refused);
    drops.remove(Drop::LiveOverflow.name());
    drops.remove(Drop::Refused.name());
    drops.insert("overflow".to_owned(), overflow);
    drops.insert("crash".to_owned(), crashed_b - crashed_a);
    drops.insert("no_link".to_owned(), unlinked_b - unlinked_a);
    drops.retain(|_, count| *count > 0);
    NodeSummary {
        id: node.id.get(),
        name: node.name.clone(),
        forwarded_packets: b.forwarded_packets - a.forwarded_packets,
        delivered_packets: b.delivered_packets - a.delivered_packets,
        overflow_drops: overflow,
        rejected_packets: dropped(Drop::Rejected),
        drops,
        cpu_s: None,
        peak_rss_mib: None,
        region: node.region.clone(),
        position: node.position.map(|(latitude, longitude)| [latitude, longitude]),
    }
}

fn content_word(content: &Content) -> &'static str {
    match content {
        Content::Constant { .. } => "constant",
        Content::Video { .. } => "video",
        Content::Adaptive { .. } => "adaptive",
        Content::Messages { .. } => "messages",
        Content::File { .. } => "file",
        Content::OnOff { .. } => "on-off",
    }
}

fn rate(bytes: u64, window: Duration) -> Option<f64> {
    (!window.is_zero()).then(|| bytes as f64 * 8e-6 / window.as_secs_f64())
}
