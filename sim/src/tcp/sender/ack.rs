//! What an acknowledgement tells.

use super::{CaState, Rack, Sender};
use crate::tcp::congestion::RttSample;
use crate::tcp::scoreboard::Sent;
use crate::tcp::segment::Segment;
use bellini_core::time::{Duration, Instant};

/// What came out of one acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// More is acknowledged in order.
    pub(super) is_forward: bool,
    /// More came behind a hole.
    pub(super) is_sacked: bool,
    /// A segment came that was never sent again, of what was out when the state was entered.
    pub(super) is_original: bool,
    /// The receiver had a segment twice.
    pub(super) is_duplicate: bool,
    /// Nothing but the same acknowledgement again.
    pub(super) is_repeated: bool,
    /// A repeat was lost, too.
    pub(super) lost_resend: bool,
    /// Segments newly known to have come.
    pub(super) delivered: u32,
    /// Segments newly taken for lost.
    pub(super) lost: u32,
    /// What the segment answered was sent then.
    pub(super) echo: Instant,
}

/// Times at which segments that came were sent.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    first_acked: Option<Instant>,
    last_acked: Option<Instant>,
    first_sacked: Option<Instant>,
}

impl Sender {
    /// Takes a segment's acknowledgement in.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) {
        if segment.ack > self.nxt {
            return;
        }
        let mut told = Told { echo: segment.echo, ..Told::default() };
        let (delivered, lost, una, out) = (self.delivered, self.marked_lost, self.una, self.board.len());
        if segment.ack > self.una {
            self.una = segment.ack;
            told.is_forward = true;
            self.struck_since = None;
        }
        let window_end = segment.ack + segment.window;
        let is_window = window_end > self.window_end;
        self.window_end = self.window_end.max(window_end);
        told.is_repeated = segment.ack == una && segment.len == 0 && !is_window && out > 0;

        let mut times = Times::default();
        self.take_sacks(now, segment, una, &mut told, &mut times);
        self.take_ack(now, &mut told, &mut times);
        self.measure(now, &told, times);
        if out == 0 {
            return;
        }
        self.end_probe(&told, segment.ack);
        let mut rearms = told.is_forward;
        let is_dubious =
            told.is_repeated || told.is_sacked || told.is_duplicate || self.state != CaState::Open;
        if is_dubious && self.judge(now, &mut told) {
            rearms = false;
        }
        if rearms {
            self.rearm(now);
        }
        told.delivered = (self.delivered - delivered) as u32;
        told.lost = (self.marked_lost - lost) as u32;
        if self.is_reducing() {
            self.reduce(told.delivered, told.lost, told.is_forward);
        } else if (told.is_forward || self.has_reordered) && told.delivered > 0 && self.is_window_limited() {
            self.congestion.on_ack(now, &mut self.window, told.delivered);
        }
    }

    fn take_sacks(&mut self, now: Instant, segment: &Segment, una: u64, told: &mut Told, times: &mut Times) {
        if !self.options.sack {
            return;
        }
        let mut sacks = segment.sacks();
        if let Some((first, rest)) = sacks.split_first()
            && (first.end <= segment.ack || rest.first().is_some_and(|second| second.contains(*first)))
        {
            // RFC 2883: the first range tells of a duplicate.
            told.is_duplicate = true;
            sacks = rest;
            if self.undo.is_possible && first.start >= una.saturating_sub(u64::from(u32::MAX)) {
                self.undo.resent = (self.undo.resent - 1).max(0);
            }
            self.allow_reordering();
        }
        let highest = self.board.highest_sacked();
        let (high, mut rack, min) = (self.high, self.rack, self.rtt.min());
        let (mut count, mut lowest) = (0_u32, u64::MAX);
        for range in sacks.iter().filter(|range| range.end <= self.nxt) {
            self.board.sack(*range, &mut |sent| {
                count += 1;
                advance(&mut rack, now, sent, min);
                if !sent.is_repeated {
                    lowest = lowest.min(sent.range.start);
                    times.first_sacked =
                        Some(times.first_sacked.map_or(sent.sent_at, |at| at.min(sent.sent_at)));
                    told.is_original |= sent.range.end <= high;
                }
            });
        }
        self.rack = rack;
        self.delivered += u64::from(count);
        told.is_sacked = count > 0;
        if lowest < highest && (self.state != CaState::Loss || self.undo.is_possible) {
            self.note_reordering(lowest, highest);
        }
    }

    fn take_ack(&mut self, now: Instant, told: &mut Told, times: &mut Times) {
        let highest = self.board.highest_sacked();
        let (high, mut rack, min) = (self.high, self.rack, self.rtt.min());
        let (mut count, mut all, mut lowest) = (0_u32, 0_u32, u64::MAX);
        self.board.acknowledge(self.una, &mut |sent| {
            all += 1;
            if sent.is_sacked {
                return;
            }
            count += 1;
            advance(&mut rack, now, sent, min);
            if !sent.is_repeated {
                times.first_acked.get_or_insert(sent.sent_at);
                times.last_acked = Some(sent.sent_at);
                lowest = lowest.min(sent.range.start);
                told.is_original |= sent.range.end <= high;
            }
        });
        self.rack = rack;
        if lowest < highest {
            self.note_reordering(lowest, highest);
        }
        if !self.options.sack {
            // What stood for segments behind the hole is not counted again.
            let known = self.duplicates.min(all.saturating_sub(1));
            self.duplicates = if all > 0 { self.duplicates - known } else { self.duplicates };
            count -= known.min(count);
        }
        self.delivered += u64::from(count);
    }

    /// Measures the round trip by the first segment that came, or, where all were sent again, by its timestamp.
    fn measure(&mut self, now: Instant, told: &Told, times: Times) {
        let first = times.first_acked.or(times.first_sacked);
        let last = times.last_acked.or(times.first_sacked);
        let stamped = (told.is_forward && told.echo > Instant::ZERO).then_some(told.echo);
        let Some(first) = first.or(stamped) else { return };
        let rtt = now.saturating_since(first);
        let path = now.saturating_since(last.or(stamped).unwrap_or(first));
        self.rtt.note_min(path);
        self.rtt.sample(rtt, self.una, self.nxt);
        if times.last_acked.is_some() {
            let srtt = self.rtt.srtt().unwrap_or(rtt);
            let sample = RttSample { rtt: path, srtt, una: self.una, nxt: self.nxt };
            self.congestion.on_rtt(now, &mut self.window, &sample);
        }
    }

    fn note_reordering(&mut self, lowest: u64, highest: u64) {
        if !self.finds_by_time() {
            // RFC 6675's threshold is fixed.
            return;
        }
        self.has_reordered = true;
        let segments = (highest - lowest).div_ceil(u64::from(self.options.mss)).min(300) as u32;
        self.reordering = self.reordering.max(segments);
    }

    /// A repeat was for nothing: reordering is given a quarter of a round trip more.
    fn allow_reordering(&mut self) {
        if self.una >= self.rack.steps_until {
            self.rack.steps = (self.rack.steps + 1).min(255);
            self.rack.steps_until = self.nxt;
        }
    }
}

/// Remembers the segment that was sent latest among those that came.
fn advance(rack: &mut Rack, now: Instant, sent: &Sent, min: Option<Duration>) {
    let rtt = now.saturating_since(sent.sent_at);
    if sent.is_repeated && min.is_some_and(|min| rtt < min) {
        // The first sending came, not the repeat.
        return;
    }
    rack.rtt = rtt;
    if (sent.sent_at, sent.range.end) > (rack.sent_at, rack.end) {
        (rack.sent_at, rack.end) = (sent.sent_at, sent.range.end);
    }
}
