//! The round trip (RFC 5348 section 4.3, steps 1 and 2; section 4.5).

use super::limited::Micros;
use crate::congestion::Feedback;
use crate::time::Instant;

/// Weight of the past in the smoothed round trip (`q`, and `q2` of its square root).
const PAST: f64 = 0.9;
/// A round trip that is longer is an error of clocks, or a lie.
const RTT_MAX: f64 = 64.0;

/// Round-trip times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Path {
    /// Smoothed (`R`).
    pub(super) rtt: f64,
    /// Mean of the square roots (`R_sqmean`).
    root: f64,
    /// Square root of the newest sample.
    root_sample: f64,
}

impl Path {
    pub(super) fn first(sample: f64) -> Self {
        let root = libm::sqrt(sample);
        Self { rtt: sample, root, root_sample: root }
    }

    pub(super) fn next(self, sample: f64) -> Self {
        let root = libm::sqrt(sample);
        Self {
            rtt: PAST * self.rtt + (1.0 - PAST) * sample,
            root: PAST * self.root + (1.0 - PAST) * root,
            root_sample: root,
        }
    }

    /// Returns what damping leaves of the rate: less than 1 while the round trip is above its mean, and never more.
    pub(super) fn damping(&self) -> f64 {
        (self.root / self.root_sample).min(1.0)
    }
}

/// Returns `rtt` in seconds if it can be a round trip.
pub(super) fn plausible(rtt: f64) -> Option<f64> {
    (rtt > 0.0 && rtt <= RTT_MAX).then_some(rtt)
}

/// Returns now in microseconds.
pub(super) fn micros_of(now: Instant) -> Micros {
    Micros::try_from(now.as_nanos() / 1_000).unwrap_or(Micros::MAX)
}

/// Returns when the newest frame that a report covers was sent, and the round trip in seconds that it shows, if any.
pub(super) fn sample(now: Instant, feedback: &Feedback) -> (Micros, Option<f64>) {
    let now = micros_of(now);
    // Timestamps are modulo 2^32.
    let elapsed = (now as u32).wrapping_sub(feedback.echo_us);
    let rtt = i64::from(elapsed) - i64::from(feedback.held_us);
    (now.saturating_sub(i64::from(elapsed)), plausible(rtt as f64 / 1e6))
}
