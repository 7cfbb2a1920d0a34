//! Losses become loss events, and events close intervals (RFC 5348 sections 5.2, 5.3 and 6.3.1).

use super::intervals::Intervals;
use crate::time::{Duration, Instant};

/// Neighbouring frames that were lost, with what tells when each of them would have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// First number that is missing.
    pub(super) first: u64,
    /// Last number that is missing.
    pub(super) last: u64,
    /// The frame before and when it came.
    pub(super) before: (u64, Instant),
    /// The frame after and when it came.
    pub(super) after: (u64, Instant),
    /// Round-trip time by the frames, zero while they tell none.
    pub(super) rtt: Duration,
}

impl Gap {
    /// Returns how many frames are missing.
    pub(super) fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Returns when frame `number` would have come, by linear interpolation (`T_loss`).
    pub(super) fn time_of(&self, number: u64) -> Instant {
        let ((low, from), (high, to)) = (self.before, self.after);
        if to <= from || high <= low {
            return to;
        }
        let part = u128::from((to - from).as_nanos()) * u128::from(number - low) / u128::from(high - low);
        from + Duration::from_nanos(part as u64)
    }

    /// Returns the first missing number from `number` on that would have come after `time`.
    fn first_after(&self, number: u64, time: u64) -> Option<u64> {
        let number = number.max(self.first);
        if number > self.last {
            return None;
        }
        if self.time_of(number).as_nanos() > time {
            return Some(number);
        }
        let ((low, from), (high, to)) = (self.before, self.after);
        if to.as_nanos() <= time || to <= from {
            return None;
        }
        // Here from <= time < to. The time of a number is rounded down, so this is the first that is later.
        let (since, span) = (u128::from(time - from.as_nanos()) + 1, u128::from((to - from).as_nanos()));
        let steps = (since * u128::from(high - low)).div_ceil(span);
        let found = u128::from(low) + steps;
        (found <= u128::from(self.last)).then_some(found as u64)
    }
}

/// The start of the latest loss event, and the intervals before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Events {
    intervals: Intervals,
    /// Number of the loss that started the latest event, and when it would have come.
    start: Option<(u64, Instant)>,
}

/// Events of one gap that are looked at one by one. Older ones would have left the history of eight again.
const EVENTS_KEPT: u64 = 10;

impl Events {
    pub(super) const fn new(discounting: bool) -> Self {
        Self { intervals: Intervals::new(discounting), start: None }
    }

    /// Whether there was a loss event yet.
    pub(super) fn is_empty(&self) -> bool {
        self.start.is_none()
    }

    /// Returns the loss that started the latest event, and when it would have come.
    pub(super) fn start(&self) -> Option<(u64, Instant)> {
        self.start
    }

    /// Takes a gap in, which lies above all that came before. The first event of all closes an interval of
    /// `first_interval` frames. Returns whether an event began.
    pub(super) fn on_gap(&mut self, gap: &Gap, first_interval: f64) -> bool {
        let Some(first) = self.next_event(gap, gap.first) else { return false };
        self.begin(first, gap, first_interval);
        let Some(second) = self.next_event(gap, first.saturating_add(1)) else { return true };
        // A long outage holds any number of events, equally far apart. Only the last of them stay in the history, so
        // those before can be one.
        let step = second - first;
        let skipped = ((gap.last - first) / step).saturating_sub(EVENTS_KEPT);
        let mut next = self.next_event(gap, first + step * skipped.max(1));
        while let Some(number) = next {
            self.begin(number, gap, first_interval);
            next = number.checked_add(1).and_then(|from| self.next_event(gap, from));
        }
        true
    }

    fn begin(&mut self, number: u64, gap: &Gap, first_interval: f64) {
        let length = self.start.map_or(first_interval, |(start, _)| number.saturating_sub(start) as f64);
        self.intervals.close(length.max(1.0));
        self.start = Some((number, gap.time_of(number)));
    }

    /// Returns the first loss of `gap` from `from` on that begins a new event: later than the one that began the
    /// latest by more than a round trip.
    fn next_event(&self, gap: &Gap, from: u64) -> Option<u64> {
        match self.start {
            Some((_, time)) if !gap.rtt.is_zero() => {
                gap.first_after(from, time.as_nanos().saturating_add(gap.rtt.as_nanos()))
            }
            // Where frames tell no round trip yet, each loss counts: the sender sends one a second.
            _ => (from <= gap.last).then_some(from),
        }
    }

    /// Returns the loss event rate when `highest` is the highest frame that arrived.
    pub(super) fn loss_event_rate(&self, highest: u64) -> f64 {
        let open = self.start.map_or(1.0, |(start, _)| highest.saturating_sub(start) as f64 + 1.0);
        self.intervals.loss_event_rate(open)
    }
}
