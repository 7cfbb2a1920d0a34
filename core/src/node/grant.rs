//! What the first hops of a session grant its content.
//!
//! With flows of shares s_f, a session of payload rate R puts R times the load of a hop on it: the sum of s_f over its
//! flows' branches there, plus headers. What it may send is therefore the least, over its first hops, of the hop's
//! part for this session divided by that load. The hop's part is its allowed rate less what others send on it, but no
//! less than an equal part among the conferences that have packets waiting.

use crate::content::Grant;
use crate::ids::{ConferenceId, HopIndex};
use crate::io::HopKind;
use crate::node::Node;
use crate::node::dispatch::sealing_bytes;
use crate::seal::TAG_BYTES;
use crate::session::{FirstHop, SourceSession};
use crate::time::{Duration, Instant};
use crate::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use crate::wire::packet::PACKET_FIXED_BYTES;

/// Rates of hops are averaged over about this long.
const SMOOTHING: Duration = Duration::from_secs(1);

impl Node {
    /// Returns what the session's first hops grant; `None` when none of them follows the network: there is no flow,
    /// or all are datagram hops without congestion control.
    pub(super) fn grant(&mut self, now: Instant, index: u32, source: &mut SourceSession) -> Option<Grant> {
        let conference = self.sessions.get(index).key.conference;
        let flows = source.flows.as_ref()?.flows();
        let symbol_bytes = f64::from(source.content.symbol_bytes());
        let fixed = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES;
        let tag = if source.seal.is_some() { TAG_BYTES as usize } else { 0 };
        let mut grant = None;
        for (f, flow) in flows.iter().enumerate() {
            for (b, branch) in flow.branches.iter().enumerate() {
                let hop = branch.hop;
                let is_known =
                    flows[..f].iter().flat_map(|flow| &flow.branches).any(|other| other.hop == hop)
                        || flow.branches[..b].iter().any(|other| other.hop == hop);
                if is_known || self.hops[hop.0 as usize].kind == HopKind::Datagram {
                    continue;
                }
                let shares = flows.iter().map(|flow| {
                    flow.share * flow.branches.iter().filter(|branch| branch.hop == hop).count() as f64
                });
                // Frame bytes on the hop for a payload byte of the session.
                let sealing = sealing_bytes(self.hops[hop.0 as usize].kind, self.config.seal_bytes);
                let header = (fixed + branch.pathlet.len() + tag + sealing) as f64;
                let load = shares.sum::<f64>() * (symbol_bytes + header) / symbol_bytes;
                let counted = (self.hops[hop.0 as usize].stats.sent_bytes, source.stats.bytes);
                let mark = mark_of(&mut source.first_hops, hop, now, counted);
                let (rate, backlog) = self.part(now, conference, source.stats.bytes, load, mark);
                let sum = grant.get_or_insert(Grant::default());
                sum.backlog_bytes = sum.backlog_bytes.max(backlog);
                if let Some(rate) = rate.filter(|_| load > 0.0) {
                    let payload = rate * 8.0 / load;
                    sum.bits_per_s = Some(sum.bits_per_s.map_or(payload, |least| least.min(payload)));
                }
            }
        }
        grant
    }

    /// Returns a hop's part for one session in bytes of frames a second, and what waits there of its conference.
    fn part(
        &self,
        now: Instant,
        conference: ConferenceId,
        own_bytes: u64,
        load: f64,
        mark: &mut FirstHop,
    ) -> (Option<f64>, u64) {
        let hop = &self.hops[mark.hop.0 as usize];
        let Some(feeder) = &hop.feeder else { return (None, 0) };
        let backlog = feeder.conference_backlog(conference).bytes;
        mark.look(now, hop.stats.sent_bytes, own_bytes, backlog, load);
        // A hop that nothing was ever lost on, and that is not kept busy, has not met its limit: the allowed rate then
        // only says how much was sent so far.
        let known =
            hop.control_figures().filter(|known| known.loss_event_rate > 0.0 || !known.is_data_limited);
        let rate = known.map(|known| {
            let others = feeder.busy_conferences() - u32::from(backlog > 0);
            let equal = known.allowed_bytes_per_s / f64::from(others + 1);
            let left = known.allowed_bytes_per_s - (mark.rate - mark.own_rate).max(0.0);
            equal.max(left)
        });
        (rate, backlog)
    }
}

impl FirstHop {
    /// Takes in what was sent since the last look: rates are running means.
    fn look(&mut self, now: Instant, sent_bytes: u64, own_bytes: u64, backlog_bytes: u64, load: f64) {
        let seconds = now.saturating_since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let part = (seconds / SMOOTHING.as_secs_f64()).min(1.0);
        let sent = sent_bytes.saturating_sub(self.sent_bytes) as f64;
        // What the session emitted has been sent unless it waits.
        let emitted = own_bytes.saturating_sub(self.own_bytes) as f64 * load;
        let own = emitted - (backlog_bytes as f64 - self.backlog_bytes as f64);
        self.rate += (sent / seconds - self.rate) * part;
        self.own_rate += (own / seconds - self.own_rate) * part;
        (self.at, self.sent_bytes, self.own_bytes) = (now, sent_bytes, own_bytes);
        self.backlog_bytes = backlog_bytes;
    }
}

/// Finds the source's notes on a hop, or begins them.
fn mark_of(
    marks: &mut Vec<FirstHop>,
    hop: HopIndex,
    now: Instant,
    (sent_bytes, own_bytes): (u64, u64),
) -> &mut FirstHop {
    let place = marks.iter().position(|mark| mark.hop == hop).unwrap_or_else(|| {
        let fresh =
            FirstHop { hop, at: now, sent_bytes, rate: 0.0, own_bytes, backlog_bytes: 0, own_rate: 0.0 };
        marks.push(fresh);
        marks.len() - 1
    });
    &mut marks[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Aim: what a hop sends of others is told from the session's own packets, also while those wait: the hop sends
    /// 100,000 B/s, the session emits 60,000 B/s of which a third stays in the queue.
    #[test]
    fn what_others_send_is_told_from_what_waits() {
        let mut marks = Vec::new();
        for step in 0..=200 {
            let (now, sent, own) = (at(step * 40), 7_000 + step * 4_000, 500 + step * 2_000);
            let mark = mark_of(&mut marks, HopIndex(3), now, (sent, own));
            mark.look(now, sent, own, step * 800, 1.2);
        }
        assert_eq!(marks.len(), 1);
        let FirstHop { rate, own_rate, .. } = marks[0];
        // 200 looks of 4 % each leave 0.03 % of the beginning.
        assert!((rate - 100_000.0).abs() < 100.0, "{rate}");
        assert!((own_rate - 40_000.0).abs() < 100.0, "{own_rate}");
    }
}
