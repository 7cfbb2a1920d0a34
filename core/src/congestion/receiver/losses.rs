//! Which frames were lost (RFC 5348 section 5.1), in bounded memory whatever numbers the peer names.

use super::events::{Events, Gap};
use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Frames with higher numbers that must arrive before one is lost (`NDUPACK`).
const LATER_ARRIVALS: usize = 3;
/// Gaps that late frames may still fill. Older losses stand.
const GAPS_MAX: usize = 128;

/// What an arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A frame in front of those that are certain.
    New,
    /// A frame that had been found lost.
    Late,
    /// A duplicate, or older than the gaps that are remembered.
    Known,
}

/// The arrivals that decide on losses, and the losses that may yet be taken back.
///
/// A frame is lost once three with higher numbers have arrived, which is when its number lies below the third highest.
/// So the three highest are all that has to be known: whenever the lowest of them gives way to the next, nothing but
/// losses lies between the two.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    /// The highest numbers that arrived, descending, and when.
    top: [(u64, Instant); LATER_ARRIVALS],
    top_count: usize,
    /// Number of the peer's first frame, where it is known.
    start: Option<u64>,
    gaps: VecDeque<Gap>,
    /// Events before the first of `gaps`, and with all of them.
    settled: Events,
    current: Events,
    /// Length of the interval before the first event, in frames (section 6.3.1).
    first_interval: f64,
    lost: u64,
}

impl Losses {
    pub(super) fn new(discounting: bool) -> Self {
        let events = Events::new(discounting);
        Self {
            top: [(0, Instant::ZERO); LATER_ARRIVALS],
            top_count: 0,
            start: None,
            gaps: VecDeque::new(),
            settled: events,
            current: events,
            first_interval: 1.0,
            lost: 0,
        }
    }

    pub(super) fn starts_at(&mut self, number: u64) {
        self.start = Some(number);
    }

    /// Forgets everything but the memory that it has.
    pub(super) fn reset(&mut self, discounting: bool) {
        let mut gaps = core::mem::take(&mut self.gaps);
        gaps.clear();
        *self = Self { gaps, ..Self::new(discounting) };
    }

    /// Returns the highest number that arrived.
    pub(super) fn highest(&self) -> Option<u64> {
        (self.top_count > 0).then_some(self.top[0].0)
    }

    /// Returns when the frame with the highest number arrived.
    pub(super) fn highest_at(&self) -> Instant {
        self.top[0].1
    }

    /// Returns how many frames are lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the loss event rate.
    pub(super) fn loss_event_rate(&self) -> f64 {
        self.current.loss_event_rate(self.open_end())
    }

    /// Returns the last frame of the open interval: the highest, or the one before a frame that is missing and may
    /// turn out to close the interval. (The RFC counts to the highest in any case, so that an interval would look up
    /// to three frames longer just before it closes.)
    fn open_end(&self) -> u64 {
        let mut end = self.top[self.top_count.saturating_sub(1)].0;
        for (number, _) in self.top[..self.top_count].iter().rev() {
            if *number > end.saturating_add(1) {
                break;
            }
            end = *number;
        }
        end
    }

    /// Takes frame `number` in. `first_interval` is asked for the interval before the first loss event of all, and is
    /// told whether that is the loss of the peer's very first frame. Returns what the frame was, and whether a loss
    /// event began, or was taken back.
    pub(super) fn on_frame(
        &mut self,
        now: Instant,
        number: u64,
        rtt: Duration,
        first_interval: impl FnOnce(bool) -> f64,
    ) -> (Arrival, bool) {
        let top = &self.top[..self.top_count];
        if top.iter().any(|(known, _)| *known == number) {
            return (Arrival::Known, false);
        }
        let place = top.iter().position(|(known, _)| *known < number).unwrap_or(self.top_count);
        if place == LATER_ARRIVALS {
            let before = self.current.start();
            let arrival = if self.fill(number) { Arrival::Late } else { Arrival::Known };
            return (arrival, self.current.start() != before);
        }
        let was_full = self.top_count == LATER_ARRIVALS;
        let out = self.top[LATER_ARRIVALS - 1];
        self.top.copy_within(place..LATER_ARRIVALS - 1, place + 1);
        self.top[place] = (number, now);
        self.top_count = (self.top_count + 1).min(LATER_ARRIVALS);
        if self.top_count < LATER_ARRIVALS {
            return (Arrival::New, false);
        }
        let after = self.top[LATER_ARRIVALS - 1];
        let (first, before) = match self.start {
            _ if was_full => (out.0 + 1, out),
            Some(start) => (start, after),
            None => (after.0, after),
        };
        if first >= after.0 {
            return (Arrival::New, false);
        }
        let gap = Gap { first, last: after.0 - 1, before, after, rtt };
        if self.current.is_empty() {
            self.first_interval = first_interval(!was_full);
        }
        (Arrival::New, self.on_gap(gap))
    }

    fn on_gap(&mut self, gap: Gap) -> bool {
        self.lost = self.lost.saturating_add(gap.count());
        if self.gaps.len() == GAPS_MAX
            && let Some(oldest) = self.gaps.pop_front()
        {
            self.settled.on_gap(&oldest, self.first_interval);
        }
        if self.gaps.is_empty() {
            // Once for all: nothing until there is a loss, and no growth in between.
            self.gaps.reserve_exact(GAPS_MAX);
        }
        self.gaps.push_back(gap);
        self.current.on_gap(&gap, self.first_interval)
    }

    /// Takes the loss of `number` back. Returns whether it was one.
    fn fill(&mut self, number: u64) -> bool {
        let index = self.gaps.partition_point(|gap| gap.last < number);
        let Some(gap) = self.gaps.get(index).filter(|gap| gap.first <= number) else { return false };
        let (first, last) = (gap.first, gap.last);
        match (first == number, last == number) {
            (true, true) => drop(self.gaps.remove(index)),
            (true, false) => self.gaps[index].first = number + 1,
            (false, true) => self.gaps[index].last = number - 1,
            (false, false) => {
                // Its times stay as they were: the late frame says nothing on when its neighbours would have come.
                let upper = Gap { first: number + 1, ..self.gaps[index] };
                self.gaps[index].last = number - 1;
                if self.gaps.len() == GAPS_MAX {
                    self.settle_for(index + 1, upper);
                } else {
                    self.gaps.insert(index + 1, upper);
                }
            }
        }
        self.lost = self.lost.saturating_sub(1);
        self.current = self.settled;
        for gap in &self.gaps {
            self.current.on_gap(gap, self.first_interval);
        }
        true
    }

    /// Makes room for `gap` at `index`, by settling the oldest one.
    fn settle_for(&mut self, index: usize, gap: Gap) {
        if let Some(oldest) = self.gaps.pop_front() {
            self.settled.on_gap(&oldest, self.first_interval);
        }
        self.gaps.insert(index.saturating_sub(1), gap);
    }
}
