//! The one table of all metrics: it makes the keys of `summary.json`, the column `metric` of `series.csv`, the table in
//! `docs/results.md` and the definitions in the report.

use super::Scope;
use std::fmt::Write;

/// Where a metric is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// In `summary.json`, over the measuring window.
    Summary,
    /// In `series.csv`, once per sampling interval.
    Series,
    /// In both.
    Both,
}

/// What a recorded figure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Key in `summary.json` (a dot leads into an object) and word in `series.csv`.
    pub name: &'static str,
    /// What kind of thing it belongs to.
    pub scope: Scope,
    /// Where it is recorded.
    pub recorded: Recorded,
    /// Its unit; `1` for a plain number.
    pub unit: &'static str,
    /// What it counts, and what not.
    pub definition: &'static str,
    /// In which case there is no value (null, or no row); empty: there always is one.
    pub when_null: &'static str,
}

/// Returns the metric of this name and scope.
#[must_use]
pub fn metric(scope: Scope, name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.scope == scope && metric.name == name)
}

/// Returns the table of all metrics in Markdown, as `docs/results.md` holds it.
#[must_use]
pub fn metrics_markdown() -> String {
    let mut text = String::from(
        "| scope | metric | file | unit | definition | no value when |\n|---|---|---|---|---|---|\n",
    );
    for Metric { name, scope, recorded, unit, definition, when_null } in METRICS {
        let file = match recorded {
            Recorded::Summary => "summary",
            Recorded::Series => "series",
            Recorded::Both => "both",
        };
        let scope = scope.as_str();
        let null = if when_null.is_empty() { "-" } else { when_null };
        writeln!(text, "| {scope} | `{name}` | {file} | {unit} | {definition} | {null} |")
            .expect("writing to a string cannot fail");
    }
    text
}

const fn entry(
    scope: Scope,
    name: &'static str,
    recorded: Recorded,
    unit: &'static str,
    definition: &'static str,
    when_null: &'static str,
) -> Metric {
    Metric { name, scope, recorded, unit, definition, when_null }
}

/// All metrics, grouped by scope.
pub const METRICS: &[Metric] = &[
    entry(
        Scope::Run,
        "wall_s",
        Recorded::Summary,
        "s",
        "Real time that the run took, as part of `engine`",
        "`engine` is not recorded",
    ),
    entry(
        Scope::Run,
        "cpu_s",
        Recorded::Summary,
        "s",
        "Processor time of the run, as part of `engine`",
        "the system does not tell",
    ),
    entry(
        Scope::Run,
        "events",
        Recorded::Summary,
        "1",
        "Events that the simulator worked off",
        "in lab and live",
    ),
    entry(
        Scope::Run,
        "packet_hops",
        Recorded::Summary,
        "packets",
        "Packets times the links that they were sent on",
        "in lab and live",
    ),
    entry(
        Scope::Run,
        "packet_hops_per_s",
        Recorded::Summary,
        "packets/s",
        "`packet_hops` divided by `wall_s`",
        "in lab and live",
    ),
    entry(
        Scope::Run,
        "peak_rss_mib",
        Recorded::Summary,
        "MiB",
        "Largest resident memory of the run, as part of `engine`",
        "the system does not tell",
    ),
    entry(
        Scope::Run,
        "lab.valid",
        Recorded::Summary,
        "bool",
        "Whether the machine kept all limits, fixed beforehand; figures of other runs speak of the machine",
        "in the simulator",
    ),
    entry(
        Scope::Run,
        "lab.reasons",
        Recorded::Summary,
        "text",
        "Which limits were passed, one sentence each",
        "in the simulator",
    ),
    entry(
        Scope::Run,
        "lab.emulator_late_p50_us",
        Recorded::Summary,
        "us",
        "Median time between the due time of a packet and its release by the emulator",
        "there is no emulator",
    ),
    entry(
        Scope::Run,
        "lab.emulator_late_p95_us",
        Recorded::Summary,
        "us",
        "95th percentile of the same lateness",
        "there is no emulator",
    ),
    entry(
        Scope::Run,
        "lab.emulator_late_p99_us",
        Recorded::Summary,
        "us",
        "99th percentile of the same lateness",
        "there is no emulator",
    ),
    entry(
        Scope::Run,
        "lab.emulator_busy_share",
        Recorded::Summary,
        "1",
        "Share of the time in which the emulator did not sleep, spinning and waiting for a processor included",
        "there is no emulator",
    ),
    entry(
        Scope::Run,
        "lab.emulator_cpu_s",
        Recorded::Summary,
        "s",
        "Processor time of the emulator",
        "there is no emulator",
    ),
    entry(
        Scope::Run,
        "lab.host_drops",
        Recorded::Summary,
        "packets",
        "Packets that sockets dropped because their process did not fetch them in time",
        "in the simulator",
    ),
    entry(
        Scope::Run,
        "lab.tun_drops",
        Recorded::Summary,
        "packets",
        "Packets that the devices between nodes and emulator dropped",
        "in the simulator",
    ),
    entry(
        Scope::Run,
        "lab.limits",
        Recorded::Summary,
        "-",
        "The limits: of lateness, of the share of packets that sockets and devices dropped, of the busy share",
        "in the simulator",
    ),
    entry(
        Scope::Session,
        "offered_mbps",
        Recorded::Both,
        "Mbit/s",
        "Payload that the source offered, each symbol once; in the summary over the measuring window",
        "the session was not active in the window",
    ),
    entry(
        Scope::Session,
        "level_mbps",
        Recorded::Series,
        "Mbit/s",
        "Rate of the ladder's level that the source is at, at the end of the interval",
        "the content is not adaptive",
    ),
    entry(
        Scope::Session,
        "repeated_packets",
        Recorded::Summary,
        "packets",
        "Packets of the whole run whose symbol had been sent before: repeats of lost ones, and tries of flows that seemed dead",
        "the session is best-effort",
    ),
    entry(
        Scope::Session,
        "repair_packets",
        Recorded::Summary,
        "packets",
        "Combinations that the source sent in the whole run",
        "the session is not coded",
    ),
    entry(
        Scope::Destination,
        "sent_packets",
        Recorded::Summary,
        "symbols",
        "Symbols that the source offered in the measuring window while the node was a destination",
        "",
    ),
    entry(
        Scope::Destination,
        "delivered_packets",
        Recorded::Summary,
        "symbols",
        "Of `sent_packets`: those delivered, each once",
        "",
    ),
    entry(
        Scope::Destination,
        "duplicate_packets",
        Recorded::Summary,
        "symbols",
        "Further copies of symbols that had been delivered; they are not delivered again",
        "",
    ),
    entry(
        Scope::Destination,
        "lost_packets",
        Recorded::Summary,
        "symbols",
        "Of `sent_packets`: those of which no copy came, nor can come any more",
        "",
    ),
    entry(
        Scope::Destination,
        "in_flight_packets",
        Recorded::Summary,
        "symbols",
        "Of `sent_packets`: those still under way when the run ended; sent = delivered + lost + in flight",
        "",
    ),
    entry(
        Scope::Destination,
        "recovered_symbols",
        Recorded::Summary,
        "symbols",
        "Symbols of the whole run that came out of combinations",
        "the session is not coded",
    ),
    entry(
        Scope::Destination,
        "dependent_packets",
        Recorded::Summary,
        "packets",
        "Coded packets of the whole run that told nothing new",
        "the session is not coded",
    ),
    entry(
        Scope::Destination,
        "corrupt_packets",
        Recorded::Summary,
        "packets",
        "Coded packets and symbols of the whole run that were damaged, or spoilt by damaged ones; nothing of them was delivered",
        "the session is not coded",
    ),
    entry(
        Scope::Destination,
        "given_up_generations",
        Recorded::Summary,
        "generations",
        "Generations of the whole run that had to make room before they could be decoded",
        "the session is not coded by generations",
    ),
    entry(
        Scope::Destination,
        "given_up_symbols",
        Recorded::Summary,
        "symbols",
        "Symbols of the whole run that were too late to be waited for any more",
        "the session is not coded by a sliding window",
    ),
    entry(
        Scope::Destination,
        "goodput_mbps",
        Recorded::Both,
        "Mbit/s",
        "Delivered payload, each symbol once, without headers; in the summary over the measuring window",
        "the window is empty",
    ),
    entry(
        Scope::Destination,
        "delay_mean_ms",
        Recorded::Series,
        "ms",
        "Mean delay of the symbols delivered in the interval",
        "no row when none was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.mean",
        Recorded::Summary,
        "ms",
        "Mean time from the source's offer to delivery at the destination: queueing, serialisation, propagation and processing, of delivered symbols only",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.min",
        Recorded::Summary,
        "ms",
        "Least of the same delay",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.p50",
        Recorded::Summary,
        "ms",
        "Median of the same delay",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.p95",
        Recorded::Summary,
        "ms",
        "95th percentile of the same delay",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.p99",
        Recorded::Summary,
        "ms",
        "99th percentile of the same delay",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_ms.max",
        Recorded::Summary,
        "ms",
        "Largest of the same delay",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "base_delay_ms",
        Recorded::Summary,
        "ms",
        "Least delay that the session's routes allow to this node: propagation, serialisation and processing, no queueing",
        "no route leads there",
    ),
    entry(
        Scope::Destination,
        "queueing_ms.p50",
        Recorded::Summary,
        "ms",
        "Median of what queueing added: `delay_ms.p50` less `base_delay_ms`",
        "nothing was delivered, or no route leads there",
    ),
    entry(
        Scope::Destination,
        "queueing_ms.p95",
        Recorded::Summary,
        "ms",
        "`delay_ms.p95` less `base_delay_ms`",
        "nothing was delivered, or no route leads there",
    ),
    entry(
        Scope::Destination,
        "queueing_ms.p99",
        Recorded::Summary,
        "ms",
        "`delay_ms.p99` less `base_delay_ms`",
        "nothing was delivered, or no route leads there",
    ),
    entry(
        Scope::Destination,
        "loss_runs.count",
        Recorded::Summary,
        "runs",
        "Runs of consecutive symbols that were lost, in order of symbols, with a delivered symbol of the measuring window on either side",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "loss_runs.mean",
        Recorded::Summary,
        "symbols",
        "Mean length of these runs",
        "there are none",
    ),
    entry(
        Scope::Destination,
        "loss_runs.lengths",
        Recorded::Summary,
        "symbols, runs",
        "How many runs of each length: pairs of length and count",
        "nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "delay_error_ms",
        Recorded::Summary,
        "ms",
        "Largest bound of the error of a delay, by the estimate of the source's clock (docs/clocks.md)",
        "clocks are known and not estimated, or nothing was delivered",
    ),
    entry(
        Scope::Destination,
        "frames_sent",
        Recorded::Summary,
        "frames",
        "Video frames offered in the measuring window",
        "the content has no frames",
    ),
    entry(
        Scope::Destination,
        "frames_complete",
        Recorded::Summary,
        "frames",
        "Of `frames_sent`: those that came completely, however late",
        "the content has no frames",
    ),
    entry(
        Scope::Destination,
        "frames_on_time",
        Recorded::Summary,
        "frames",
        "Of `frames_sent`: those complete at their playout time",
        "the content has no frames",
    ),
    entry(
        Scope::Destination,
        "stall_s",
        Recorded::Summary,
        "s",
        "Time that playback stood still (stream) or showed an old picture (live)",
        "the content has no frames",
    ),
    entry(
        Scope::Destination,
        "startup_ms",
        Recorded::Summary,
        "ms",
        "From the session's start to the first frame shown",
        "no frame was shown",
    ),
    entry(
        Scope::Destination,
        "messages_sent",
        Recorded::Summary,
        "messages",
        "Messages offered in the measuring window",
        "the content has no messages",
    ),
    entry(
        Scope::Destination,
        "messages_complete",
        Recorded::Summary,
        "messages",
        "Of `messages_sent`: those that came completely, however late",
        "the content has no messages",
    ),
    entry(
        Scope::Destination,
        "messages_on_time",
        Recorded::Summary,
        "messages",
        "Of `messages_sent`: those complete before their deadline",
        "the content has no messages",
    ),
    entry(
        Scope::Destination,
        "bytes_complete",
        Recorded::Summary,
        "bytes",
        "Bytes of the file that came",
        "the content is no file",
    ),
    entry(
        Scope::Destination,
        "complete_s",
        Recorded::Summary,
        "s",
        "From the session's start to the last byte of the file",
        "the file is not complete",
    ),
    entry(
        Scope::Destination,
        "complete",
        Recorded::Summary,
        "bool",
        "Whether all of the file came with the right hash",
        "the content is no file",
    ),
    entry(
        Scope::Flow,
        "share",
        Recorded::Both,
        "1",
        "Share of the session's packets that the flow was assigned; the shares of a session add up to 1; in the series as decided last",
        "no rows before the session's policy has changed its mind",
    ),
    entry(
        Scope::Flow,
        "packets",
        Recorded::Both,
        "packets",
        "Packets that drew the flow; in the summary over the measuring window",
        "",
    ),
    entry(
        Scope::Link,
        "sent_packets",
        Recorded::Summary,
        "packets",
        "Packets that left the sending end, lost ones included, those refused by the queue not",
        "",
    ),
    entry(
        Scope::Link,
        "sent_bytes",
        Recorded::Summary,
        "bytes",
        "Wire bytes of `sent_packets`, IP headers included",
        "",
    ),
    entry(
        Scope::Link,
        "dropped_queue",
        Recorded::Both,
        "packets",
        "Packets that the link's queue refused or dropped",
        "",
    ),
    entry(Scope::Link, "dropped_loss", Recorded::Both, "packets", "Packets that the loss model lost", ""),
    entry(
        Scope::Link,
        "dropped_other",
        Recorded::Both,
        "packets",
        "Packets lost on the link for other causes (cut, MTU, crash, ..); in the summary by cause",
        "",
    ),
    entry(
        Scope::Link,
        "throughput_mbps",
        Recorded::Series,
        "Mbit/s",
        "Wire bytes that left the sending end in the interval, as a rate",
        "",
    ),
    entry(
        Scope::Link,
        "utilisation",
        Recorded::Both,
        "1",
        "Share of the time in which the serialiser was busy, cross traffic included",
        "the link has no rate limit",
    ),
    entry(
        Scope::Link,
        "mean_mbps",
        Recorded::Summary,
        "Mbit/s",
        "`sent_bytes` divided by the measuring window",
        "the window is empty",
    ),
    entry(
        Scope::Link,
        "queue_bytes",
        Recorded::Series,
        "bytes",
        "Bytes waiting in the link's queue at the end of the interval",
        "no row without a queue",
    ),
    entry(
        Scope::Link,
        "queue_peak_bytes",
        Recorded::Summary,
        "bytes",
        "Most bytes that waited in the queue",
        "the link has no queue",
    ),
    entry(
        Scope::Link,
        "cross_bytes",
        Recorded::Summary,
        "bytes",
        "Wire bytes of cross traffic, not part of `sent_bytes`; acknowledgements of TCP count on the way back",
        "no cross traffic",
    ),
    entry(
        Scope::Link,
        "capacity_mbps",
        Recorded::Summary,
        "Mbit/s",
        "Configured rate; of a trace its mean",
        "the link has no rate limit",
    ),
    entry(
        Scope::Link,
        "base_delay_ms",
        Recorded::Summary,
        "ms",
        "Propagation delay without jitter",
        "not known",
    ),
    entry(
        Scope::Link,
        "cost_usd",
        Recorded::Summary,
        "USD",
        "Price of `sent_bytes`",
        "the price is not known",
    ),
    entry(
        Scope::Feeder,
        "queued_bytes",
        Recorded::Series,
        "bytes",
        "Bytes waiting in the feeder at the end of the interval, all conferences together",
        "",
    ),
    entry(
        Scope::Feeder,
        "dropped_packets",
        Recorded::Series,
        "packets",
        "Packets that the feeder dropped in the interval because a queue was full",
        "",
    ),
    entry(
        Scope::Hop,
        "hop_allowed_mbps",
        Recorded::Series,
        "Mbit/s",
        "Rate of frames that the hop's congestion control allows, at the end of the interval",
        "no row for hops without congestion control",
    ),
    entry(
        Scope::Hop,
        "hop_sent_mbps",
        Recorded::Series,
        "Mbit/s",
        "Bytes of frames that the hop sent in the interval, as a rate",
        "no row for hops without congestion control",
    ),
    entry(
        Scope::Hop,
        "hop_rtt_ms",
        Recorded::Series,
        "ms",
        "Round-trip time as the hop's congestion control smooths it",
        "no row before there is a sample",
    ),
    entry(
        Scope::Hop,
        "hop_loss_event_rate",
        Recorded::Series,
        "1",
        "Loss event rate by the last report of the hop's receiver",
        "no row for hops without congestion control",
    ),
    entry(
        Scope::Node,
        "forwarded_packets",
        Recorded::Summary,
        "packets",
        "Packets received for others and handed to a feeder, one count for each copy",
        "",
    ),
    entry(
        Scope::Node,
        "delivered_packets",
        Recorded::Summary,
        "symbols",
        "Symbols handed to local sinks, each once",
        "",
    ),
    entry(
        Scope::Node,
        "recoded_packets",
        Recorded::Summary,
        "packets",
        "Packets made by recoding; those taken up for it are not among the forwarded ones",
        "",
    ),
    entry(
        Scope::Node,
        "overflow_drops",
        Recorded::Summary,
        "packets",
        "Packets that the node's feeders dropped because a queue was full",
        "",
    ),
    entry(
        Scope::Node,
        "rejected_packets",
        Recorded::Summary,
        "packets",
        "Received packets refused because they are malformed, stale or not for this node",
        "",
    ),
    entry(
        Scope::Node,
        "drops",
        Recorded::Summary,
        "packets",
        "All packets dropped in the node, by cause",
        "",
    ),
    entry(
        Scope::Node,
        "forwarded_pps",
        Recorded::Series,
        "packets/s",
        "Forwarded packets in the interval, as a rate",
        "",
    ),
    entry(
        Scope::Node,
        "delivered_pps",
        Recorded::Series,
        "symbols/s",
        "Delivered symbols in the interval, as a rate",
        "",
    ),
    entry(
        Scope::Node,
        "host_dropped_packets",
        Recorded::Summary,
        "packets",
        "Datagrams that the kernel dropped because the node's process did not fetch them in time: the host's fault",
        "in the simulator",
    ),
    entry(
        Scope::Node,
        "cpu_s",
        Recorded::Summary,
        "s",
        "Processor time of the node's process in the measuring window",
        "in the simulator",
    ),
    entry(
        Scope::Node,
        "peak_rss_mib",
        Recorded::Summary,
        "MiB",
        "Largest resident memory of the node's process",
        "in the simulator",
    ),
    entry(
        Scope::Cross,
        "flow",
        Recorded::Summary,
        "1",
        "Number of the TCP connection of the cross traffic, from 1 and over all entries of its link",
        "",
    ),
    entry(
        Scope::Cross,
        "goodput_mbps",
        Recorded::Summary,
        "Mbit/s",
        "What the receiver's application got of a TCP connection of the cross traffic, in order and without headers",
        "the window is empty",
    ),
    entry(Scope::Cross, "cross_goodput_mbps", Recorded::Series, "Mbit/s", "The same in the interval", ""),
    entry(
        Scope::Cross,
        "retransmitted_segments",
        Recorded::Summary,
        "segments",
        "Segments that the connection's sender sent again",
        "the system does not tell",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCS: &str = include_str!("../../../docs/results.md");

    /// Names are unique within a scope, and the table in the documentation is this one.
    #[test]
    fn the_table_is_sound_and_documented() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| (metric.scope, metric.name)).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(METRICS.iter().all(|metric| !metric.unit.is_empty() && !metric.definition.contains('|')));
        assert!(
            DOCS.contains(&metrics_markdown()),
            "docs/results.md is not current; its table must be:\n{}",
            metrics_markdown()
        );
    }
}
