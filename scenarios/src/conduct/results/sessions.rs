//! Sessions and their destinations.

use super::base_delay::base_delay;
use crate::conduct::roster::{Roster, RunSession};
use crate::conduct::tally::SinkTally;
use crate::model::{Delivery, Scenario, Session};
use crate::record::{
    DelayMs, DelayRow, DestinationSummary, FlowSummary, LossRuns, QueueingMs, SessionSummary,
};
use bellini_core::coding::{CodingSpec, Scheme};
use bellini_core::content::spec::Content;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// Returns the figures of a session, all of whose nodes have been read into its tally; the points of its delay
/// distributions are appended to `delays`. `started_at`: what a node's clock showed when the session's content started.
pub(super) fn session_summary(
    roster: &Roster<'_>,
    session: &RunSession<'_>,
    started_at: &dyn Fn(NodeId) -> Instant,
    in_flight: &BTreeMap<(SessionKey, NodeId), u64>,
    delays: &mut Vec<DelayRow>,
) -> SessionSummary {
    let (key, spec, tally) = (session.key(), session.spec, &session.tally);
    let source = &tally.source;
    let window = offered_window(roster.scenario, spec);
    let mut nodes: Vec<NodeId> =
        tally.all_members().chain(tally.sinks.keys()).chain(&spec.destinations).copied().collect();
    nodes.sort_unstable();
    nodes.dedup();
    let nothing = SinkTally::default();
    let destinations = nodes
        .into_iter()
        .map(|node| {
            let sink = tally.sinks.get(&node).unwrap_or(&nothing);
            push_delays(key, node, sink, delays);
            let flying = in_flight.get(&(key, node)).copied().unwrap_or(0);
            destination_summary(roster, session, node, sink, started_at(node), flying)
        })
        .collect();
    let packets: u64 = source.flows.iter().map(|(.., packets)| packets).sum();
    debug_assert_eq!(packets, source.packets, "every packet was sent on a flow");
    SessionSummary {
        conference: key.conference.0,
        session: key.session.0,
        name: spec.name.clone(),
        source: spec.source.get(),
        content: content_word(&spec.content).to_owned(),
        transport: spec.transport.word().to_owned(),
        coding: spec.coding.as_ref().map(coding_words),
        delivery: spec.delivery.word().to_owned(),
        repeated_packets: (spec.delivery == Delivery::Reliable).then_some(source.reliable.repeated_packets),
        repair_packets: spec.coding.map(|_| source.coded.repairs),
        offered_mbps: rate(source.content.measured_bytes, window),
        destinations,
        flows: source
            .flows
            .iter()
            .map(|(route, share, packets)| FlowSummary {
                route: format!("{}>{route}", spec.source),
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

/// Two points of a distribution are no closer than this part of the delay (but for its ends): curves need no more.
const POINTS_APART: u64 = 512;

fn push_delays(key: SessionKey, node: NodeId, sink: &SinkTally, delays: &mut Vec<DelayRow>) {
    let total = sink.delays.count() as f64;
    let mut last = None;
    for (nanos, below) in sink.delays.cdf_points() {
        if last.is_some_and(|last| nanos - last < nanos / POINTS_APART) && below < sink.delays.count() {
            continue;
        }
        last = Some(nanos);
        delays.push(DelayRow {
            session: key.to_string(),
            destination: node.get(),
            delay_ms: nanos as f64 * 1e-6,
            cumulative: below as f64 / total,
        });
    }
}

fn destination_summary(
    roster: &Roster<'_>,
    session: &RunSession<'_>,
    node: NodeId,
    sink: &SinkTally,
    started_at: Instant,
    in_flight: u64,
) -> DestinationSummary {
    let (spec, source) = (session.spec, &session.tally.source);
    let sent = session.tally.sent_to(node, source.content.measured_symbols);
    let window = offered_window(roster.scenario, spec);
    let content = sink.content.unwrap_or_default();
    let stats = &sink.stats;
    // Nodes are not asked in the same moment: what waited at one may have come to another meanwhile.
    let in_flight = in_flight.min(sent.saturating_sub(stats.measured_packets));
    let objects = source.content.measured_objects;
    let is_frames = matches!(spec.content, Content::Video { .. } | Content::Adaptive { .. });
    let is_messages = matches!(spec.content, Content::Messages { .. });
    // A file is there when every symbol came as it should be, and both ends have the same bytes.
    let is_same_file = content.file_digest.is_some() && content.file_digest == source.content.file_digest;
    let delay_ms = delay_figures(sink);
    let base_delay_ms = base_delay(roster.scenario, spec, node, source).map(Duration::as_millis_f64);
    DestinationSummary {
        node: node.get(),
        sent_packets: sent,
        delivered_packets: stats.measured_packets,
        duplicate_packets: stats.measured_duplicates,
        lost_packets: sent.saturating_sub(stats.measured_packets + in_flight),
        in_flight_packets: in_flight,
        recovered_symbols: spec.coding.map(|_| stats.coded.recovered_symbols),
        dependent_packets: spec.coding.map(|_| stats.coded.dependent),
        corrupt_packets: spec.coding.map(|_| stats.coded.corrupt_symbols),
        given_up_generations: spec
            .coding
            .filter(|of| !is_window(of))
            .map(|_| stats.coded.given_up_generations),
        given_up_symbols: spec.coding.filter(is_window).map(|_| stats.coded.given_up_symbols),
        unopened_symbols: spec.sealed.then_some(stats.unopened_symbols),
        goodput_mbps: rate(stats.measured_bytes, window),
        delay_ms,
        base_delay_ms,
        queueing_ms: QueueingMs::of(delay_ms, base_delay_ms),
        loss_runs: (stats.measured_packets > 0).then(|| LossRuns::of(&sink.loss_runs)),
        delay_error_ms: (stats.delay_error_ns_max > 0).then_some(stats.delay_error_ns_max as f64 * 1e-6),
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
        complete_s: content.file_completed_at.map(|at| at.saturating_since(started_at).as_secs_f64()),
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

fn is_window(coding: &CodingSpec) -> bool {
    matches!(coding.scheme, Scheme::Window { .. })
}

/// Returns how a session is coded, in words.
fn coding_words(coding: &CodingSpec) -> String {
    let mut words = match coding.scheme {
        Scheme::Generation { size, systematic: true, .. } => format!("rlnc {size}"),
        Scheme::Generation { size, systematic: false, .. } => format!("rlnc {size} non-systematic"),
        Scheme::Window { latency, size } => format!("window {size}, {latency}"),
    };
    if matches!(coding.scheme, Scheme::Generation { .. }) && !coding.recode {
        words.push_str(", end to end");
    }
    words
}

fn content_word(content: &Content) -> &'static str {
    match content {
        Content::Constant { .. } => "constant",
        Content::Video { .. } => "video",
        Content::Adaptive { .. } => "adaptive",
        Content::Messages { .. } => "messages",
        Content::File { .. } => "file",
        Content::OnOff { .. } => "on-off",
        Content::Application { .. } => "application",
    }
}

fn rate(bytes: u64, window: Duration) -> Option<f64> {
    (!window.is_zero()).then(|| bytes as f64 * 8e-6 / window.as_secs_f64())
}
