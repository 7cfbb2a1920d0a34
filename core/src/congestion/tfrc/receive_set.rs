//! The receive rates of the last two round trips (`X_recv_set`, RFC 5348 section 4.3).

use crate::time::{Duration, Instant};

/// Most entries that are ever kept.
const CAPACITY: usize = 9;

/// Receive rates with when they were reported, oldest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ReceiveSet {
    entries: [(f64, Instant); CAPACITY],
    count: usize,
    kept: usize,
}

impl ReceiveSet {
    /// Returns the set of a sender that starts: one entry without bound. `per_rtt` is the reports in a round trip; at
    /// one, the newest three entries are kept.
    pub(super) fn new(now: Instant, per_rtt: u8) -> Self {
        let kept = (2 * usize::from(per_rtt.max(1)) + 1).min(CAPACITY);
        Self { entries: [(f64::INFINITY, now); CAPACITY], count: 1, kept }
    }

    /// Returns the largest entry.
    pub(super) fn max(&self) -> f64 {
        self.entries[..self.count].iter().fold(0.0, |max, (rate, _)| rate.max(max))
    }

    /// Adds `rate` and keeps the largest entry alone, as of now; no bound is not an entry any more.
    pub(super) fn maximize(&mut self, now: Instant, rate: f64) {
        let known = self.entries[..self.count].iter().map(|(rate, _)| *rate).filter(|rate| rate.is_finite());
        let max = known.fold(rate, f64::max);
        self.replace(now, max);
    }

    /// Adds `rate` and forgets what is older than two round trips.
    pub(super) fn update(&mut self, now: Instant, rate: f64, rtt: Duration) {
        let old = now.saturating_sub(rtt.saturating_mul(2));
        let mut kept = 0;
        for index in 0..self.count {
            if self.entries[index].1 >= old {
                self.entries[kept] = self.entries[index];
                kept += 1;
            }
        }
        if kept == self.kept {
            self.entries.copy_within(1..kept, 0);
            kept -= 1;
        }
        self.entries[kept] = (rate, now);
        self.count = kept + 1;
    }

    /// Halves all entries.
    pub(super) fn halve(&mut self) {
        for (rate, _) in &mut self.entries[..self.count] {
            *rate /= 2.0;
        }
    }

    /// Leaves `rate` alone.
    pub(super) fn replace(&mut self, now: Instant, rate: f64) {
        self.entries[0] = (rate, now);
        self.count = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    /// The set starts without bound, and has none for two round trips of reports.
    #[test]
    fn section_4_3_update() {
        let mut set = ReceiveSet::new(at(0), 1);
        set.update(at(100), 0.0, RTT);
        assert_eq!(set.max(), f64::INFINITY);
        set.update(at(200), 5.0, RTT);
        assert_eq!(set.max(), f64::INFINITY);
        set.update(at(300), 4.0, RTT);
        assert_eq!(set.max(), 5.0, "older than two round trips");
        set.update(at(400), 3.0, RTT);
        assert_eq!(set.max(), 5.0);
        set.update(at(401), 2.0, RTT);
        assert_eq!(set.max(), 4.0);
    }

    /// The newest three are kept, however fast reports come.
    #[test]
    fn section_4_3_three_entries() {
        let mut set = ReceiveSet::new(at(0), 1);
        for (ms, rate) in [(10, 9.0), (11, 3.0), (12, 2.0), (13, 1.0)] {
            set.update(at(ms), rate, RTT);
        }
        assert_eq!((set.count, set.max()), (3, 3.0));
    }

    /// The largest stays, stamped now; the start without bound does not.
    #[test]
    fn section_4_3_maximize() {
        let mut set = ReceiveSet::new(at(0), 1);
        set.maximize(at(100), 5.0);
        assert_eq!((set.count, set.max()), (1, 5.0));
        set.maximize(at(1_000), 3.0);
        set.update(at(1_200), 1.0, RTT);
        assert_eq!(set.max(), 5.0, "stamped at 1 s, kept for two round trips");
        set.halve();
        assert_eq!(set.max(), 2.5);
    }
}
