//! Clocks of nodes: ahead or behind, and drifting.

use bellini_core::time::Instant;

/// What a clock that is off shows beyond its offset: far enough from zero that no offset of use goes below it.
const BASE_NS: i128 = 86_400_000_000_000;

/// A node's clock, relative to true time. One that is off in any way counts from a day before, so that it can be
/// behind at the start; only differences of clocks mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeClock {
    offset_ns: i64,
    drift_ppb: i64,
}

impl NodeClock {
    /// Returns a clock that is `offset_ns` ahead at time zero and gains `drift_ppb` nanoseconds a second.
    #[must_use]
    pub fn new(offset_ns: i64, drift_ppb: i64) -> Self {
        Self { offset_ns, drift_ppb }
    }

    /// Whether it shows true time.
    #[must_use]
    pub fn is_true(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what the clock shows at true time `at`; one that is more than a day behind stands at zero.
    #[inline]
    #[must_use]
    pub fn local(&self, at: Instant) -> Instant {
        if self.is_true() {
            return at;
        }
        let nanos = i128::from(at.as_nanos());
        let gained = nanos * i128::from(self.drift_ppb) / 1_000_000_000;
        Instant::from_nanos((nanos + gained + i128::from(self.offset_ns) + BASE_NS).max(0) as u64)
    }

    /// Returns the earliest true time at which the clock shows `local` or more.
    #[must_use]
    pub fn true_time(&self, local: Instant) -> Instant {
        if self.is_true() || local == Instant::ZERO {
            return local;
        }
        let target = i128::from(local.as_nanos()) - i128::from(self.offset_ns) - BASE_NS;
        let rate = 1_000_000_000 + i128::from(self.drift_ppb);
        let guess = (target * 1_000_000_000 / rate).max(0) as u64;
        let mut at = guess.saturating_sub(2);
        while self.local(Instant::from_nanos(at)) < local {
            at += 1;
        }
        Instant::from_nanos(at)
    }

    /// Returns how far the clock is ahead of `other` at true time `at`, in nanoseconds.
    #[must_use]
    pub fn ahead_of(&self, other: &Self, at: Instant) -> i64 {
        self.local(at).as_nanos() as i64 - other.local(at).as_nanos() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_time_is_the_inverse() {
        for (offset, drift) in
            [(0, 0), (40_000_000, 0), (-40_000_000, 50_000), (-2_000_000_000, 0), (17, -50_000), (0, 1)]
        {
            let clock = NodeClock::new(offset, drift);
            for nanos in [0, 1, 50_000_000, 999_999_999, 123_456_789_012] {
                let local = clock.local(Instant::from_nanos(nanos));
                let back = clock.true_time(local);
                assert_eq!(clock.local(back), local);
                assert!(back <= Instant::from_nanos(nanos));
            }
        }
    }
}
