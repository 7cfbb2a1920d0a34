//! Objects of which some symbols came, and some not yet.

use super::sink::Arrival;
use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Most objects that are open at once; beyond it the oldest one is given up.
const OPEN_MAX: usize = 256;

/// An object that got no symbol for this long is given up once a newer one opens: it would only take up room.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Tells when objects are complete, with a bounded memory and nothing kept for those that are.
///
/// An object is complete when as many symbols came as it has, and their places have the sum of
/// 0 to `count - 1`. The caller has removed duplicates, so the sum is a guard against contradictory peers
/// only, in 8 bytes instead of a bitmap.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// In the order in which they were opened.
    open: VecDeque<Open>,
    given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    object: u32,
    count: u32,
    received: u32,
    index_sum: u64,
    timestamp: Instant,
    touched: Instant,
}

/// What a symbol did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracked {
    /// More symbols are missing.
    Partial,
    /// It was the last one; with the object's timestamp.
    Complete(Instant),
    /// It contradicts itself or what came before.
    Corrupt,
}

impl Tracker {
    /// Takes note of one symbol; each must be given once.
    pub(super) fn on_symbol(&mut self, now: Instant, arrival: &Arrival) -> Tracked {
        let &Arrival { object, index, count, timestamp, .. } = arrival;
        if index >= count {
            return Tracked::Corrupt;
        }
        // Newer objects are at the back, where nearly all symbols belong.
        let Some(position) = self.open.iter().rposition(|open| open.object == object) else {
            if count == 1 {
                return Tracked::Complete(timestamp);
            }
            self.make_room(now);
            let index_sum = u64::from(index);
            self.open.push_back(Open { object, count, received: 1, index_sum, timestamp, touched: now });
            return Tracked::Partial;
        };
        let open = &mut self.open[position];
        if open.count != count {
            return Tracked::Corrupt;
        }
        open.received += 1;
        open.index_sum += u64::from(index);
        open.touched = now;
        if open.received < count {
            return Tracked::Partial;
        }
        let right = open.index_sum == u64::from(count) * (u64::from(count) - 1) / 2;
        let timestamp = open.timestamp;
        self.open.remove(position);
        if right { Tracked::Complete(timestamp) } else { Tracked::Corrupt }
    }

    /// Gives up all objects that are still open.
    pub(super) fn finish(&mut self) {
        self.given_up += self.open.len() as u64;
        self.open.clear();
    }

    /// How many objects of which something came were given up.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up
    }

    fn make_room(&mut self, now: Instant) {
        while let Some(oldest) = self.open.front() {
            if self.open.len() < OPEN_MAX && now.saturating_since(oldest.touched) < SILENCE_MAX {
                break;
            }
            self.open.pop_front();
            self.given_up += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(object: u32, index: u32, count: u32) -> Arrival {
        let timestamp = Instant::from_nanos(u64::from(object));
        Arrival { symbol: 0, object, index, count, len: 1, timestamp }
    }

    fn feed(tracker: &mut Tracker, object: u32, index: u32, count: u32) -> Tracked {
        tracker.on_symbol(Instant::ZERO, &symbol(object, index, count))
    }

    #[test]
    fn objects_complete_in_any_order_and_interleaving() {
        let mut tracker = Tracker::default();
        for index in [2, 0, 3] {
            assert_eq!(feed(&mut tracker, 5, index, 4), Tracked::Partial);
            assert_eq!(feed(&mut tracker, 6, index, 5), Tracked::Partial);
        }
        assert_eq!(feed(&mut tracker, 7, 0, 1), Tracked::Complete(Instant::from_nanos(7)));
        assert_eq!(feed(&mut tracker, 5, 1, 4), Tracked::Complete(Instant::from_nanos(5)));
        assert_eq!(feed(&mut tracker, 6, 4, 5), Tracked::Partial);
        assert_eq!(feed(&mut tracker, 6, 1, 5), Tracked::Complete(Instant::from_nanos(6)));
        assert!(tracker.open.is_empty());
    }

    #[test]
    fn contradictions_are_corrupt() {
        let mut tracker = Tracker::default();
        assert_eq!(feed(&mut tracker, 1, 4, 4), Tracked::Corrupt, "a place beyond the end");
        assert_eq!(feed(&mut tracker, 1, 0, 0), Tracked::Corrupt, "an object of nothing");
        assert_eq!(feed(&mut tracker, 1, u32::MAX - 1, u32::MAX), Tracked::Partial);
        assert_eq!(feed(&mut tracker, 1, 0, 3), Tracked::Corrupt, "another count");
        assert_eq!(feed(&mut tracker, 1, 0, 1), Tracked::Corrupt, "another count");
        assert_eq!(feed(&mut tracker, 2, 1, 2), Tracked::Partial);
        assert_eq!(feed(&mut tracker, 2, 1, 2), Tracked::Corrupt, "the same place twice");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut tracker = Tracker::default();
        for object in 0..10_000 {
            feed(&mut tracker, object, 0, 2);
        }
        assert_eq!(tracker.open.len(), OPEN_MAX);
        assert_eq!(tracker.given_up(), 10_000 - OPEN_MAX as u64);
        assert!(matches!(feed(&mut tracker, 9_999, 1, 2), Tracked::Complete(_)));
        assert_eq!(feed(&mut tracker, 0, 1, 2), Tracked::Partial, "its first half is forgotten");
        tracker.finish();
        assert_eq!(tracker.given_up(), 10_000, "9,999 of them half, one of them twice");
    }

    #[test]
    fn silent_objects_make_room() {
        let mut tracker = Tracker::default();
        feed(&mut tracker, 0, 0, 2);
        let later = Instant::ZERO + SILENCE_MAX;
        tracker.on_symbol(later, &symbol(1, 0, 2));
        assert_eq!((tracker.open.len(), tracker.given_up()), (1, 1));
    }
}
