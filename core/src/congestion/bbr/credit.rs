//! Pacing by credit: what may be sent at once grows at the rate allowed, up to a depth.

use crate::congestion::Allowance;
use crate::time::{Duration, Instant};

/// Credit in bytes. A frame may go while it is not negative; a frame that was sent is taken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    bytes: f64,
    counted_at: Instant,
}

impl Credit {
    /// Returns no credit and no debt.
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: 0.0, counted_at: now }
    }

    /// Adds what came since the last call at `rate` bytes a second, up to `depth`, and returns what came.
    pub(super) fn grow(&mut self, now: Instant, rate: f64, depth: Duration) -> f64 {
        let grown = rate * now.saturating_since(self.counted_at).as_secs_f64();
        self.counted_at = self.counted_at.max(now);
        self.bytes = (self.bytes + grown).min(rate * depth.as_secs_f64());
        grown
    }

    /// Takes a frame off.
    pub(super) fn spend(&mut self, bytes: u32) {
        self.bytes -= f64::from(bytes);
    }

    /// Says when a frame may go at `rate` bytes a second, after [`Credit::grow`].
    pub(super) fn allowance(&self, now: Instant, rate: f64) -> Allowance {
        // A thousandth of a byte is the rounding of many sums; it stays in the account.
        if self.bytes >= -1e-3 {
            return Allowance::Now;
        }
        let wait = Duration::from_secs_f64(-self.bytes / rate) + Duration::from_nanos(1);
        now.checked_add(wait).map_or(Allowance::Blocked, Allowance::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the long-run rate is exact, and a pause is made up for by the depth and no more.
    #[test]
    fn the_rate_is_kept_and_a_pause_is_worth_the_depth() {
        let (rate, depth) = (1_000_003.0, Duration::from_millis(10));
        let mut credit = Credit::new(Instant::ZERO);
        let mut now = Instant::ZERO;
        let mut sent = 0;
        while now.as_nanos() < 10_000_000_000 {
            credit.grow(now, rate, depth);
            match credit.allowance(now, rate) {
                Allowance::Now => {
                    credit.spend(1_400);
                    sent += 1_400;
                }
                Allowance::At(at) => {
                    assert!(at > now);
                    now = at;
                }
                Allowance::Blocked => panic!("nothing blocks"),
            }
        }
        assert!((f64::from(sent) / 10.0 / rate - 1.0).abs() < 2e-4, "{sent}");
        now += Duration::from_secs(5);
        credit.grow(now, rate, depth);
        assert_eq!(credit.bytes, rate * 0.01);
    }
}
