//! The two estimates of the model, each the extreme of a window: the largest delivery rate, the smallest round trip.

use crate::time::{Duration, Instant};

/// Span of the window of [`MinRtt`] (draft-ietf-ccwg-bbr, `BBR.MinRTTFilterLen`).
pub(super) const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);

/// The largest of the rates in this probing cycle and the one before (draft-ietf-ccwg-bbr, `BBR.MaxBwFilterLen`).
///
/// Cycles rather than round trips: between two probes a sender cannot see more than it sends, so that only a cycle
/// with a probe in it may replace what an earlier probe found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxRate {
    /// Bytes a second: the cycle before, this cycle.
    cycles: [f64; 2],
}

impl MaxRate {
    /// Forgets everything but `rate`, which counts as found in this cycle.
    pub(super) fn reset(&mut self, rate: f64) {
        self.cycles = [0.0, rate];
    }

    /// Notes a sample in bytes a second.
    pub(super) fn update(&mut self, rate: f64) {
        self.cycles[1] = self.cycles[1].max(rate);
    }

    /// Begins a cycle. One without any sample would forget the path: it is continued instead.
    pub(super) fn advance(&mut self) {
        if self.cycles[1] > 0.0 {
            self.cycles = [self.cycles[1], 0.0];
        }
    }

    /// Returns the estimate in bytes a second; 0 before the first sample.
    pub(super) fn get(&self) -> f64 {
        self.cycles[0].max(self.cycles[1])
    }
}

/// The smallest round trip of the last ten seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    best: Option<(Duration, Instant)>,
}

impl MinRtt {
    /// Returns the estimate.
    pub(super) fn get(&self) -> Option<Duration> {
        self.best.map(|(rtt, _)| rtt)
    }

    /// Notes a sample. One within 1/32 of the smallest confirms it: to drain a queue that short would gain nothing.
    pub(super) fn update(&mut self, now: Instant, sample: Duration) {
        self.best = Some(match self.best {
            Some((rtt, _)) if sample > rtt && sample.as_nanos() - rtt.as_nanos() <= rtt.as_nanos() / 32 => {
                (rtt, now)
            }
            Some((rtt, at)) if sample > rtt => (rtt, at),
            _ => (sample, now),
        });
    }

    /// Replaces the estimate.
    pub(super) fn replace(&mut self, now: Instant, rtt: Duration) {
        self.best = Some((rtt, now));
    }

    /// Whether nothing confirmed the estimate for the length of the window.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.best.is_some_and(|(_, at)| now.saturating_since(at) > MIN_RTT_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a rate is remembered for two cycles and no longer; cycles without samples do not count.
    #[test]
    fn a_rate_lives_for_two_cycles() {
        let mut max = MaxRate::default();
        max.update(5.0);
        max.update(3.0);
        max.advance();
        assert_eq!(max.get(), 5.0);
        max.advance();
        max.advance();
        assert_eq!(max.get(), 5.0, "nothing was seen since");
        max.update(2.0);
        max.advance();
        assert_eq!(max.get(), 2.0);
    }

    /// Aim: larger samples neither replace the estimate nor keep it alive, nearly equal ones keep it alive.
    #[test]
    fn a_round_trip_expires_unless_it_is_confirmed() {
        let (second, ms) = (|s| Instant::ZERO + Duration::from_secs(s), Duration::from_millis);
        let mut min = MinRtt::default();
        min.update(second(0), ms(100));
        min.update(second(9), ms(104));
        assert!(min.is_expired(second(11)));
        min.update(second(9), ms(103));
        assert!(!min.is_expired(second(19)));
        assert_eq!(min.get(), Some(ms(100)));
        min.update(second(10), ms(99));
        assert_eq!(min.get(), Some(ms(99)));
    }
}
