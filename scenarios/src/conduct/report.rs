//! The nodes' periodic reports, as conference hooks and the event log get them.

use crate::policy::{HopReport, NodeReport, Role, SessionReport};
use crate::record::{EventRow, kind};
use bellini_core::ids::NodeId;
use bellini_core::io::HopKind;
use bellini_core::report::{Report, Role as CoreRole};
use bellini_core::time::Duration;

/// Turns a node's report into the one that hooks get; data hops only.
pub(super) fn node_report(node: NodeId, at: Duration, report: &Report) -> NodeReport {
    let seconds = report.interval.as_secs_f64().max(1e-9);
    let mut hops: Vec<HopReport> = report
        .hops
        .iter()
        .filter(|hop| hop.kind != HopKind::Control)
        .map(|hop| HopReport {
            to: hop.peer,
            sent_packets: hop.counted.sent_packets,
            sent_bytes: hop.counted.sent_bytes,
            received_packets: hop.counted.received_packets,
            mbps_sent: hop.counted.sent_bytes as f64 * 8e-6 / seconds,
            rtt: hop.rtt,
            queued_bytes: hop.queued_bytes,
            control: hop.control,
        })
        .collect();
    hops.sort_by_key(|hop| hop.to);
    let sessions = report
        .sessions
        .iter()
        .map(|session| SessionReport {
            key: session.key,
            role: match session.role {
                CoreRole::Source => Role::Source,
                CoreRole::Relay => Role::Relay,
                CoreRole::Destination => Role::Destination,
            },
            packets: session.packets,
            bytes: session.bytes,
            delay_mean: session.delay_mean,
        })
        .collect();
    NodeReport { at, node, interval: report.interval, hops, sessions }
}

/// Turns a report into a line of the event log.
pub(super) fn report_row(t_s: f64, report: &NodeReport) -> EventRow {
    let sent: u64 = report.hops.iter().map(|hop| hop.sent_packets).sum();
    let mbps: f64 = report.hops.iter().map(|hop| hop.mbps_sent).sum();
    let text = format!(
        "Node {} reports for {:.0} s: {sent} packets sent at {mbps:.3} Mbit/s over {} hops, {} sessions.",
        report.node,
        report.interval.as_secs_f64(),
        report.hops.len(),
        report.sessions.len(),
    );
    let mut row = EventRow::new(t_s, kind::REPORT, text);
    row.node = Some(report.node.get());
    let hops = report.hops.iter().map(|hop| {
        serde_json::json!({
            "to": hop.to.get(),
            "sent_packets": hop.sent_packets,
            "received_packets": hop.received_packets,
            "queued_bytes": hop.queued_bytes,
            "rtt_ms": hop.rtt.map(Duration::as_millis_f64),
        })
    });
    row.data.insert("hops".into(), hops.collect());
    row
}
