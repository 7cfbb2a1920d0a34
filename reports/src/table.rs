//! The result table for a terminal.

use crate::format::{bytes, count, fixed, number, percent, plural, shorten};
use bellini_scenarios::record::{DestinationSummary, SessionSummary, Status, Summary, View};
use std::fmt::Write;

/// Most rows of the table of destinations.
const DESTINATIONS_MAX: usize = 24;
/// Most rows of the table of links.
const LINKS_MAX: usize = 12;
/// Most rows of the table of others' TCP.
const CROSS_MAX: usize = 12;
/// Most rows of the table of coded sessions.
const CODED_MAX: usize = 12;

/// Returns the result table of a run: destinations, links, what to note; plain text, at most 100 columns wide.
///
/// Of many destinations those that lost the largest share are shown, of many links the busiest; a line says how many
/// more there are.
#[must_use]
pub fn table(summary: &Summary) -> String {
    let mut text = String::new();
    let [from, to] = summary.measure_s;
    line(
        &mut text,
        format_args!(
            "{} in {}, seed {}, {} s (measured from {} s to {} s)",
            shorten(&plain(&summary.scenario), 40),
            summary.mode.as_str(),
            summary.seed,
            number(summary.duration_s),
            number(from),
            number(to)
        ),
    );
    match summary.status {
        Status::Complete => {}
        Status::Partial => {
            line(&mut text, format_args!("PARTIAL: nodes failed on the way, which the notes name"))
        }
        Status::Interrupted => {
            line(&mut text, format_args!("INTERRUPTED: figures cover what was recorded until then"))
        }
        Status::Failed => line(&mut text, format_args!("FAILED: figures cover what was recorded until then")),
    }
    if let Some(lab) = summary.lab.as_ref().filter(|lab| !lab.valid) {
        line(&mut text, format_args!("NOT VALID: {}", plain(&lab.reasons.join("; "))));
    }
    destinations(&mut text, summary);
    coding(&mut text, summary);
    links(&mut text, summary);
    cross(&mut text, summary);
    notes(&mut text, summary);
    text
}

fn destinations(text: &mut String, summary: &Summary) {
    let mut rows: Vec<_> = summary
        .sessions
        .iter()
        .flat_map(|session| session.destinations.iter().map(move |d| (session, d)))
        .collect();
    let all = rows.len();
    if all > DESTINATIONS_MAX {
        rows.sort_by(|(_, a), (_, b)| lost_share(b).total_cmp(&lost_share(a)));
        rows.truncate(DESTINATIONS_MAX);
    }
    let cells = rows.iter().map(|(session, d)| {
        let delay = |of: fn(&bellini_scenarios::record::DelayMs) -> f64| {
            d.delay_ms.as_ref().map_or_else(
                || "-".to_owned(),
                |delay| format!("{:.*}", usize::from(of(delay) < 9999.95), of(delay)),
            )
        };
        vec![
            shorten(&label(session), 16),
            shorten(&plain(&summary.node_name(d.node)), 12),
            rate(session.offered_mbps),
            rate(d.goodput_mbps),
            percent(d.lost_packets, d.sent_packets),
            fixed(d.base_delay_ms, 1),
            delay(|delay| delay.p50),
            delay(|delay| delay.p95),
            delay(|delay| delay.max),
            outcome(d),
        ]
    });
    let head = ["session", "to", "offered", "goodput", "lost", "base", "p50", "p95", "max", "on time"];
    let units = ["", "", "Mbit/s", "Mbit/s", "", "ms", "ms", "ms", "ms", ""];
    grid(text, &[&head, &units], cells.collect(), &[0, 1]);
    if all > DESTINATIONS_MAX {
        line(
            text,
            format_args!(
                "  .. {DESTINATIONS_MAX}, those that lost most first; {} more in summary.json",
                count((all - DESTINATIONS_MAX) as u64)
            ),
        );
    }
}

/// Writes what decoding came to, where sessions are coded, and how much relays made anew.
fn coding(text: &mut String, summary: &Summary) {
    let coded = summary.sessions.iter().filter_map(|session| Some((session, session.coding.as_ref()?)));
    let rows = coded.flat_map(|(session, how)| session.destinations.iter().map(move |d| (session, how, d)));
    let counted = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), count);
    let all = rows.clone().count();
    let cells = rows.take(CODED_MAX).map(|(session, how, d)| {
        vec![
            shorten(&label(session), 16),
            shorten(&plain(&summary.node_name(d.node)), 12),
            shorten(&plain(how), 20),
            counted(session.repair_packets),
            counted(d.recovered_symbols),
            counted(d.dependent_packets),
            counted(d.corrupt_packets),
        ]
    });
    let head = ["coded session", "to", "coding", "repairs", "recovered", "nothing new", "damaged"];
    let units = ["", "", "", "packets", "symbols", "packets", "packets"];
    grid(text, &[&head, &units], cells.collect(), &[0, 1, 2]);
    if all > CODED_MAX {
        let more = count((all - CODED_MAX) as u64);
        line(text, format_args!("  .. the first {CODED_MAX}; {more} more in summary.json"));
    }
    let recoded: u64 = summary.nodes.iter().map(|node| node.recoded_packets).sum();
    if recoded > 0 {
        line(text, format_args!("  Relays made {} packets by recoding.", count(recoded)));
    }
}

fn links(text: &mut String, summary: &Summary) {
    let mut rows: Vec<_> =
        summary.links.iter().filter(|link| link.sent_packets > 0 || link.dropped() > 0).collect();
    let used = rows.len();
    rows.sort_by(|a, b| {
        let busy = |l: &bellini_scenarios::record::LinkSummary| (l.utilisation.unwrap_or(0.0), l.sent_bytes);
        busy(b).0.total_cmp(&busy(a).0).then(busy(b).1.cmp(&busy(a).1))
    });
    rows.truncate(LINKS_MAX);
    let cells = rows.iter().map(|link| {
        let name = |id| shorten(&plain(&summary.node_name(id)), 18);
        vec![
            format!("{} > {}", name(link.from), name(link.to)),
            count(link.sent_packets),
            fixed(link.mean_mbps, 3),
            fixed(link.utilisation.map(|share| share * 100.0), 1),
            count(link.dropped_queue),
            count(link.dropped_loss),
            count(link.dropped_other.values().sum()),
            link.queue_peak_bytes.map_or_else(|| "-".to_owned(), |peak| bytes(peak as f64)),
        ]
    });
    let head = ["link", "packets", "rate", "busy", "queue", "loss", "other", "longest"];
    let units = ["", "", "Mbit/s", "%", "drops", "drops", "drops", "queue"];
    grid(text, &[&head, &units], cells.collect(), &[0]);
    let unused = summary.links.len() - used;
    if used > LINKS_MAX {
        line(
            text,
            format_args!(
                "  .. the busiest {LINKS_MAX}; {} more in summary.json",
                count((used - LINKS_MAX) as u64)
            ),
        );
    }
    if unused > 0 {
        line(text, format_args!("  {} carried nothing", plural(unused, "link")));
    }
}

fn cross(text: &mut String, summary: &Summary) {
    let name = |id| shorten(&plain(&summary.node_name(id)), 18);
    let cells = summary.cross_flows.iter().take(CROSS_MAX).map(|flow| {
        vec![
            format!("{} > {} #{}", name(flow.from), name(flow.to), flow.flow),
            flow.controller.clone(),
            rate(flow.goodput_mbps),
            flow.retransmitted_segments.map_or_else(|| "-".to_owned(), count),
        ]
    });
    let (head, units) =
        (["TCP of others", "control", "goodput", "sent again"], ["", "", "Mbit/s", "segments"]);
    grid(text, &[&head, &units], cells.collect(), &[0, 1]);
    let more = summary.cross_flows.len().saturating_sub(CROSS_MAX);
    if more > 0 {
        line(text, format_args!("  .. the first {CROSS_MAX}; {} more in summary.json", count(more as u64)));
    }
}

fn notes(text: &mut String, summary: &Summary) {
    let mut notes = Vec::new();
    let overflow: u64 = summary.nodes.iter().map(|node| node.overflow_drops).sum();
    if overflow > 0 {
        let most = summary.nodes.iter().max_by_key(|node| node.overflow_drops);
        let at = most.map_or(String::new(), |node| {
            format!(" ({} at {})", count(node.overflow_drops), plain(&node.name))
        });
        notes.push(format!("Feeders were full and dropped {} packets{at}.", count(overflow)));
    }
    let rejected: u64 = summary.nodes.iter().map(|node| node.rejected_packets).sum();
    if rejected > 0 {
        notes.push(format!("Nodes refused {} packets as malformed, stale or not for them.", count(rejected)));
    }
    if summary.view == View::Oracle {
        notes.push("Policies saw the scenario's own figures (oracle): an upper bound.".to_owned());
    }
    notes.extend(summary.cost.as_ref().map(crate::cost::sentence));
    notes.extend(summary.notes.iter().map(|note| plain(note)));
    if let Some(engine) = &summary.engine {
        let mut cost = format!("Took {} s", number(engine.wall_s));
        if let Some(rate) = engine.packet_hops_per_s {
            write!(cost, ", {} packet-hops/s", number(rate)).expect("writing to a string cannot fail");
        }
        if let Some(memory) = engine.peak_rss_mib {
            write!(cost, ", {} MiB", number(memory)).expect("writing to a string cannot fail");
        }
        notes.push(format!("{cost}."));
    }
    if let Some(digest) = &summary.digest {
        notes.push(format!("Digest {digest}"));
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        line(text, format_args!("{note}"));
    }
}

/// Says what became of the content, where symbols alone do not tell it: the share of frames or messages on time, or
/// whether a file is complete.
fn outcome(d: &DestinationSummary) -> String {
    match (d.complete, d.frames_sent, d.messages_sent) {
        (Some(true), ..) => "complete".to_owned(),
        (Some(false), ..) => "PARTIAL".to_owned(),
        (None, Some(sent), _) => percent(d.frames_on_time.unwrap_or(0), sent),
        (None, None, Some(sent)) => percent(d.messages_on_time.unwrap_or(0), sent),
        _ => "-".to_owned(),
    }
}

/// A rate that never needs more than seven columns.
fn rate(mbps: Option<f64>) -> String {
    fixed(mbps, if mbps.is_some_and(|rate| rate >= 100.0) { 1 } else { 3 })
}

fn lost_share(d: &DestinationSummary) -> f64 {
    if d.sent_packets == 0 { 0.0 } else { d.lost_packets as f64 / d.sent_packets as f64 }
}

fn label(session: &SessionSummary) -> String {
    if session.name.is_empty() { session.id() } else { format!("{} {}", session.id(), plain(&session.name)) }
}

/// Control characters in names must not reach a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes an empty line and aligned columns below the lines of `head`, all of one width; columns in `left` start at the
/// left. Without rows it writes nothing.
///
/// # Panics
/// When a row has fewer columns than the head's first line.
pub fn grid(text: &mut String, head: &[&[&str]], rows: Vec<Vec<String>>, left: &[usize]) {
    if rows.is_empty() {
        return;
    }
    let head: Vec<Vec<String>> =
        head.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
    let columns = head[0].len();
    let width =
        |column: usize| head.iter().chain(&rows).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    text.push('\n');
    for row in head.iter().chain(&rows) {
        let mut out = String::new();
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            let (before, after) =
                if left.contains(&column) { ("", space.as_str()) } else { (space.as_str(), "") };
            out.extend([gap, before, cell, after]);
        }
        line(text, format_args!("{}", out.trim_end()));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}
