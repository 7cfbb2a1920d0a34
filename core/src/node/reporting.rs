//! The periodic report: what was counted since the last one.

use crate::hop::HopStats;
use crate::io::Event;
use crate::node::Node;
use crate::report::{HopReport, Report, Role, SessionReport};
use crate::time::{Duration, Instant};

impl Node {
    pub(super) fn report(&mut self, now: Instant) {
        let interval = now.saturating_since(self.reported_at);
        self.reported_at = now;
        let hops = self
            .hops
            .iter_mut()
            .map(|hop| {
                let counted = difference(&hop.stats, &hop.reported);
                hop.reported = hop.stats;
                HopReport {
                    peer: hop.peer,
                    kind: hop.kind,
                    counted,
                    rtt: hop.handshake.rtt(),
                    queued_bytes: hop.feeder.as_ref().map_or(0, |feeder| feeder.backlog().bytes),
                    control: hop.control_figures(),
                }
            })
            .collect();
        let mut sessions = Vec::new();
        for entry in self.sessions.iter_mut() {
            let mut add = |role, packets, bytes, delay_mean| {
                sessions.push(SessionReport { key: entry.key, role, packets, bytes, delay_mean });
            };
            if let Some(source) = &mut entry.source {
                let (packets, bytes) = (source.stats.packets, source.stats.bytes);
                add(Role::Source, packets - source.reported.0, bytes - source.reported.1, None);
                source.reported = (packets, bytes);
            }
            let relay = &mut entry.relay;
            if relay.packets > relay.reported.0 {
                add(Role::Relay, relay.packets - relay.reported.0, relay.bytes - relay.reported.1, None);
                relay.reported = (relay.packets, relay.bytes);
            }
            if let Some(sink) = &mut entry.sink {
                let stats = &sink.stats;
                let packets = stats.delivered_packets - sink.reported.0;
                let delays = stats.delay_ns_sum - sink.reported.2;
                let mean = (packets > 0).then(|| Duration::from_nanos(delays / packets));
                add(Role::Destination, packets, stats.delivered_bytes - sink.reported.1, mean);
                sink.reported = (stats.delivered_packets, stats.delivered_bytes, stats.delay_ns_sum);
            }
        }
        sessions.sort_by_key(|session| (session.key, session.role));
        self.emit_event(Event::Report(Box::new(Report { at: now, interval, hops, sessions })));
    }
}

fn difference(now: &HopStats, before: &HopStats) -> HopStats {
    HopStats {
        sent_frames: now.sent_frames - before.sent_frames,
        sent_packets: now.sent_packets - before.sent_packets,
        sent_bytes: now.sent_bytes - before.sent_bytes,
        received_frames: now.received_frames - before.received_frames,
        received_packets: now.received_packets - before.received_packets,
        received_bytes: now.received_bytes - before.received_bytes,
        missing_frames: now.missing_frames.saturating_sub(before.missing_frames),
    }
}
