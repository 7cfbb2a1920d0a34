//! From totals in reports to samples of the delivery rate, round trips, and bytes under way.

use super::rounds::{Delivered, Mark, Marks, Rounds};
use crate::congestion::{Feedback, SentFrame};
use crate::time::{Duration, Instant};

/// What one report taught.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learnt {
    /// Round trip of the newest frame, when the echo makes sense.
    pub(super) rtt: Option<Duration>,
    /// Delivery rate over about a round trip.
    pub(super) sample: Option<Sample>,
    /// Bytes under way before the report came.
    pub(super) inflight_before: u64,
    /// Frames that newly arrived, and were newly found lost.
    pub(super) frames: u64,
    pub(super) lost: u64,
    /// Whether a round ended.
    pub(super) is_round_end: bool,
    /// Whether nothing had been under way when the newest mark was sent: there was no queue of ours.
    pub(super) is_after_idle: bool,
}

/// A sample of the delivery rate (draft-ietf-ccwg-bbr, delivery rate samples): what arrived between the report that was
/// the newest when a frame was sent, and the report of that frame, over the larger of the times in which it was sent
/// and arrived. A rate above what was sent is thereby impossible, and reports that come in bunches do no harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Bytes a second, finite.
    pub(super) rate: f64,
    /// Bytes that arrived.
    pub(super) bytes: u64,
    /// Whether the application limited what was sent: the path may be able to carry more.
    pub(super) is_app_limited: bool,
}

/// The accounts of a connection.
#[derive(Debug)]
pub(super) struct Delivery {
    opened_at: Instant,
    /// Newest frame and all bytes handed out.
    newest: Option<u64>,
    sent_bytes: u64,
    /// Everything up to this frame has left the path, in these bytes.
    left: (u64, u64),
    delivered: Delivered,
    marks: Marks,
    /// The newest mark that has left.
    base: Option<Mark>,
    rounds: Rounds,
    last: Option<Feedback>,
    /// The application had nothing to send when this was the newest frame.
    app_limited_through: Option<u64>,
    is_after_idle: bool,
    largest_frame: u32,
}

impl Default for Delivery {
    /// Without memory for marks.
    fn default() -> Self {
        Self::empty(Instant::ZERO)
    }
}

impl Delivery {
    pub(super) fn new() -> Self {
        Self { marks: Marks::new(), ..Self::empty(Instant::ZERO) }
    }

    fn empty(now: Instant) -> Self {
        Self {
            opened_at: now,
            newest: None,
            sent_bytes: 0,
            left: (0, 0),
            delivered: Delivered { bytes: 0, arrived_at: now, sent_at: now },
            marks: Marks::default(),
            base: None,
            rounds: Rounds::default(),
            last: None,
            app_limited_through: None,
            is_after_idle: true,
            largest_frame: 0,
        }
    }

    /// Forgets everything, and keeps the memory.
    pub(super) fn reset(&mut self, now: Instant) {
        let mut marks = core::mem::take(&mut self.marks);
        marks.clear();
        *self = Self { marks, ..Self::empty(now) };
    }

    /// Bytes under way: handed out, above the highest frame that arrived.
    pub(super) fn inflight(&self) -> u64 {
        self.sent_bytes - self.left.1
    }

    /// Bytes of the largest frame so far.
    pub(super) fn largest_frame(&self) -> u32 {
        self.largest_frame
    }

    /// The last report that was believed.
    pub(super) fn last(&self) -> Option<&Feedback> {
        self.last.as_ref()
    }

    /// Begins a round with the next frame.
    pub(super) fn begin_round(&mut self) {
        self.rounds.begin(self.newest.unwrap_or(0));
    }

    /// The application had nothing to send, though it might have.
    pub(super) fn on_app_limited(&mut self) {
        self.app_limited_through = Some(self.newest.unwrap_or(0));
    }

    /// Whether a frame that is sent now says nothing about the path's limit.
    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited_through.is_some()
    }

    pub(super) fn on_sent(&mut self, now: Instant, frame: SentFrame, rtt: Option<Duration>) {
        let Some(newest) = self.newest else {
            self.left = (frame.number.saturating_sub(1), 0);
            self.newest = Some(frame.number);
            self.rounds.begin(frame.number);
            self.note(now, frame, rtt);
            return;
        };
        self.newest = Some(newest.max(frame.number));
        self.note(now, frame, rtt);
    }

    fn note(&mut self, now: Instant, frame: SentFrame, rtt: Option<Duration>) {
        if self.inflight() == 0 {
            // Time in which nothing was under way belongs to no sample.
            self.delivered = Delivered { arrived_at: now, sent_at: now, ..self.delivered };
            self.is_after_idle = true;
        }
        self.sent_bytes = self.sent_bytes.saturating_add(u64::from(frame.bytes));
        self.largest_frame = self.largest_frame.max(frame.bytes);
        if self.marks.is_due(now, rtt) {
            self.marks.push(Mark {
                number: self.newest.unwrap_or(frame.number),
                sent_bytes: self.sent_bytes,
                sent_at: now,
                delivered: self.delivered,
                is_app_limited: self.is_app_limited(),
            });
        }
    }

    /// Nothing that is under way will be heard of any more.
    pub(super) fn forget_inflight(&mut self) {
        self.left = (self.newest.unwrap_or(0), self.sent_bytes);
        self.marks.clear();
    }

    /// Takes a report in. `None` when it is older than the last one, repeats it, or speaks of frames that were never
    /// sent. Totals that run backwards or jump change no more than what was handed out allows.
    pub(super) fn on_feedback(&mut self, now: Instant, report: &Feedback) -> Option<Learnt> {
        let newest = self.newest?;
        if report.highest > newest {
            return None;
        }
        let (mut frames, mut bytes, mut lost) = (report.frames, report.bytes, report.lost);
        if let Some(last) = &self.last {
            let is_stale = report.highest < last.highest
                || (report.highest == last.highest
                    && report.frames == last.frames
                    && report.bytes == last.bytes);
            if is_stale {
                return None;
            }
            frames = frames.saturating_sub(last.frames);
            bytes = bytes.saturating_sub(last.bytes);
            lost = lost.saturating_sub(last.lost);
        }
        self.last = Some(*report);
        let inflight_before = self.inflight();

        let times = self.times(now, report);
        if let Some(mark) = self.marks.take_through(report.highest) {
            self.base = Some(mark);
            self.leave(mark.number, mark.sent_bytes);
        }
        self.leave(report.highest, self.sent_through(report.highest, newest));

        let arrived = bytes.min(self.sent_bytes.saturating_sub(self.delivered.bytes));
        self.delivered.bytes += arrived;
        if let Some((_, arrived_at, sent_at)) = times {
            self.delivered.arrived_at = self.delivered.arrived_at.max(arrived_at);
            self.delivered.sent_at = self.delivered.sent_at.max(sent_at);
        }
        let sample = times.and_then(|_| self.sample());
        if self.app_limited_through.is_some_and(|through| report.highest > through) {
            self.app_limited_through = None;
        }
        Some(Learnt {
            rtt: times.map(|(rtt, ..)| rtt),
            sample,
            inflight_before,
            frames,
            lost,
            is_round_end: self.rounds.is_over(report.highest, newest),
            is_after_idle: core::mem::take(&mut self.is_after_idle),
        })
    }

    /// Returns the round trip, the arrival of the newest frame as seen from here, and its sending. `None` when the
    /// echo lies before the connection, or was held for longer than it is old.
    fn times(&self, now: Instant, report: &Feedback) -> Option<(Duration, Instant, Instant)> {
        let micros = |at: Instant| at.as_nanos() / 1_000;
        let age = u64::from((micros(now) as u32).wrapping_sub(report.echo_us));
        let held = u64::from(report.held_us);
        if age > micros(now) - micros(self.opened_at.min(now)) || held > age {
            return None;
        }
        let rtt = Duration::from_micros((age - held).max(1));
        let before = |us| now.saturating_sub(Duration::from_micros(us));
        Some((rtt, before(held), before(age)))
    }

    fn leave(&mut self, number: u64, bytes: u64) {
        self.left = (self.left.0.max(number), self.left.1.max(bytes.min(self.sent_bytes)));
    }

    /// Bytes handed out up to frame `number`, between what has left and the oldest mark: all frames there count alike.
    fn sent_through(&self, number: u64, newest: u64) -> u64 {
        let (low, low_bytes) = self.left;
        let (high, high_bytes) = self.marks.oldest().unwrap_or((newest, self.sent_bytes));
        if number >= high {
            return high_bytes;
        }
        if number <= low {
            return low_bytes;
        }
        let share = u128::from(high_bytes.saturating_sub(low_bytes)) * u128::from(number - low);
        low_bytes + (share / u128::from(high - low)) as u64
    }

    fn sample(&self) -> Option<Sample> {
        let base = self.base?;
        let bytes = self.delivered.bytes.saturating_sub(base.delivered.bytes);
        let arriving = self.delivered.arrived_at.saturating_since(base.delivered.arrived_at);
        let sending = self.delivered.sent_at.saturating_since(base.delivered.sent_at);
        let span = arriving.max(sending);
        if bytes == 0 || span < Duration::from_micros(1) {
            return None;
        }
        Some(Sample { rate: bytes as f64 / span.as_secs_f64(), bytes, is_app_limited: base.is_app_limited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(n)
    }

    fn report(echo: u64, held: u32, highest: u64, frames: u64) -> Feedback {
        Feedback {
            echo_us: (echo * 1_000) as u32,
            held_us: held * 1_000,
            received_bytes_per_s: 0,
            loss_event_rate: 0.0,
            highest,
            frames,
            bytes: frames * 1_000,
            lost: highest + 1 - frames,
        }
    }

    /// Sends frames `from..to`, one every millisecond of their number.
    fn send(delivery: &mut Delivery, from: u64, to: u64) {
        for number in from..to {
            delivery.on_sent(ms(number), SentFrame { number, bytes: 1_000 }, Some(Duration::from_millis(80)));
        }
    }

    /// Aim: by hand: a frame every millisecond at 100 ms, reports held for 5 ms. The rate is that of arrival, the round
    /// trip is without the hold, and what is under way is interpolated between marks, which lie 10 ms apart.
    #[test]
    fn rates_round_trips_and_bytes_under_way() {
        let mut delivery = Delivery::new();
        delivery.reset(ms(0));
        send(&mut delivery, 0, 105);
        // Frame 4 arrived, was echoed and held.
        let first = delivery.on_feedback(ms(109), &report(4, 5, 4, 5)).unwrap();
        assert_eq!(first.rtt, Some(Duration::from_millis(100)));
        assert_eq!((first.inflight_before, delivery.inflight()), (105_000, 100_000));
        // Five frames in 104 ms since the first was sent.
        assert_eq!(first.sample.map(|sample| (sample.bytes, sample.rate.round())), Some((5_000, 48_077.0)));
        send(&mut delivery, 105, 205);
        let second = delivery.on_feedback(ms(259), &report(154, 5, 154, 150)).unwrap();
        assert_eq!((second.frames, second.lost, second.is_round_end), (145, 5, true));
        assert_eq!(delivery.inflight(), 50_000);
        // The mark is frame 150, or one of the nine before it: sent when the first report was the newest.
        let sample = second.sample.unwrap();
        assert_eq!((sample.bytes, sample.is_app_limited), (145_000, false));
        assert_eq!(sample.rate.round(), 966_667.0, "145 of 150 frames in 150 ms");
    }

    /// Aim: a pause belongs to no sample, and samples after it are marked until a round trip has passed.
    #[test]
    fn pauses_are_left_out() {
        let mut delivery = Delivery::new();
        delivery.reset(ms(0));
        send(&mut delivery, 0, 10);
        delivery.on_feedback(ms(109), &report(9, 0, 9, 10)).unwrap();
        assert_eq!(delivery.inflight(), 0);
        delivery.on_app_limited();
        send(&mut delivery, 5_000, 5_010);
        let learnt = delivery.on_feedback(ms(5_109), &report(5_009, 0, 5_009, 20)).unwrap();
        let sample = learnt.sample.unwrap();
        assert!(sample.is_app_limited && learnt.is_after_idle && !delivery.is_app_limited());
        assert_eq!(sample.rate.round(), (10_000.0_f64 / 0.109).round());
    }

    /// Aim: an echo from before the opening, or one held for longer than it is old, is no round trip.
    #[test]
    fn echoes_that_make_no_sense_are_left_out() {
        let mut delivery = Delivery::new();
        delivery.reset(ms(1_000));
        delivery.on_sent(ms(1_000), SentFrame { number: 0, bytes: 10 }, None);
        delivery.on_sent(ms(1_000), SentFrame { number: 1, bytes: 10 }, None);
        let learnt = delivery.on_feedback(ms(1_100), &report(999, 0, 0, 1)).unwrap();
        assert_eq!((learnt.rtt, learnt.sample), (None, None));
        assert_eq!(delivery.inflight(), 10);
        let learnt = delivery.on_feedback(ms(1_100), &report(1_050, 51, 1, 2)).unwrap();
        assert_eq!((learnt.rtt, delivery.inflight()), (None, 0));
    }
}
