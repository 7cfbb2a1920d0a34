//! Marks of what had been delivered when frames were sent, a bounded ring of them, and rounds by frame numbers.
//!
//! A mark every eighth of a round trip rather than one a frame: memory stays small at any rate, and what lies between
//! two marks is interpolated.

use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Marks kept: eight round trips' worth.
const MARKS: usize = 64;
/// Marks in a round trip.
const MARKS_PER_RTT: u64 = 8;

/// What was known to be delivered at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    /// Bytes in total.
    pub(super) bytes: u64,
    /// When the peer's newest frame came in, as seen from here: a fixed way back later.
    pub(super) arrived_at: Instant,
    /// When that frame was sent.
    pub(super) sent_at: Instant,
}

/// The state of the connection when a frame was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The frame.
    pub(super) number: u64,
    /// Bytes handed out, this frame with them.
    pub(super) sent_bytes: u64,
    pub(super) sent_at: Instant,
    /// What was known to be delivered then.
    pub(super) delivered: Delivered,
    /// Whether the application, not the controller, limited what was sent about then.
    pub(super) is_app_limited: bool,
}

/// Marks of frames that are under way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Marks {
    ring: VecDeque<Mark>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { ring: VecDeque::with_capacity(MARKS) }
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
    }

    /// Whether a frame sent now should be marked, given the round trip.
    pub(super) fn is_due(&self, now: Instant, rtt: Option<Duration>) -> bool {
        let spacing = rtt.map_or(0, |rtt| rtt.as_nanos() / MARKS_PER_RTT);
        self.ring.back().is_none_or(|newest| now.saturating_since(newest.sent_at).as_nanos() >= spacing)
    }

    /// Adds the newest mark; the oldest makes room for it, and interpolation becomes coarser there.
    pub(super) fn push(&mut self, mark: Mark) {
        if self.ring.len() == MARKS {
            self.ring.pop_front();
        }
        self.ring.push_back(mark);
    }

    /// Takes the marks up to frame `number` off and returns the newest of them.
    pub(super) fn take_through(&mut self, number: u64) -> Option<Mark> {
        let mut newest = None;
        while self.ring.front().is_some_and(|mark| mark.number <= number) {
            newest = self.ring.pop_front();
        }
        newest
    }

    /// Returns the number and the bytes sent of the oldest mark.
    pub(super) fn oldest(&self) -> Option<(u64, u64)> {
        self.ring.front().map(|mark| (mark.number, mark.sent_bytes))
    }
}

/// Counts round trips: one has passed when a frame arrived that was sent after the last one ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    /// The newest frame when this round began.
    began_after: u64,
}

impl Rounds {
    /// Begins a round with the frame after `newest`.
    pub(super) fn begin(&mut self, newest: u64) {
        self.began_after = newest;
    }

    /// Returns whether the round is over, now that frame `highest` arrived, and begins the next one after `newest`.
    pub(super) fn is_over(&mut self, highest: u64, newest: u64) -> bool {
        let is_over = highest > self.began_after;
        if is_over {
            self.began_after = newest;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        let delivered = Delivered { bytes: 0, arrived_at: Instant::ZERO, sent_at: Instant::ZERO };
        Mark { number, sent_bytes: number * 10, sent_at: Instant::ZERO, delivered, is_app_limited: false }
    }

    /// Aim: the ring never grows, whatever is pushed, and gives marks back in order.
    #[test]
    fn the_ring_is_bounded() {
        let mut marks = Marks::new();
        let capacity = marks.ring.capacity();
        for number in 0..1_000 {
            marks.push(mark(number));
        }
        assert_eq!((marks.ring.len(), marks.ring.capacity()), (MARKS, capacity));
        assert_eq!(marks.oldest(), Some((1_000 - MARKS as u64, 10_000 - 10 * MARKS as u64)));
        assert_eq!(marks.take_through(970).map(|mark| mark.number), Some(970));
        assert_eq!(marks.oldest(), Some((971, 9_710)));
        assert!(marks.take_through(970).is_none());
    }

    /// Aim: a round takes from one frame's sending to its arrival.
    #[test]
    fn a_round_ends_with_a_frame_sent_in_it() {
        let mut rounds = Rounds::default();
        rounds.begin(5);
        assert!(!rounds.is_over(5, 9));
        assert!(rounds.is_over(6, 9));
        assert!(!rounds.is_over(9, 12));
        assert!(rounds.is_over(12, 20));
    }
}
