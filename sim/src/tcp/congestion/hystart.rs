//! `HyStart`: slow start ends when the path is full, before it overflows (Ha and Rhee 2011, as in Linux).

use super::RttSample;
use bellini_core::time::{Duration, Instant};

/// Windows below this many segments go on.
const LOW_WINDOW: u32 = 16;
/// Acknowledgements this close to each other are one train.
const TRAIN_GAP: Duration = Duration::from_millis(2);
/// Samples of a round that the delay is judged by.
const SAMPLES: u32 = 8;
/// Bounds of the increase of the delay that ends slow start, which is an eighth of the least round trip.
const DELAY_MIN: Duration = Duration::from_millis(4);
const DELAY_MAX: Duration = Duration::from_millis(16);
/// Bytes of the largest burst that a Linux host hands to its device, for what a train is allowed beyond the path.
const BURST_BYTES: u64 = 65_536;
/// Most of that allowance.
const ALLOWANCE_MAX: Duration = Duration::from_millis(1);

/// Watches the acknowledgements of slow start, round by round.
#[derive(Clone, Debug)]
pub struct HyStart {
    mss: u32,
    has_found: bool,
    /// Where the round under way ends.
    round_end: u64,
    round_start: Instant,
    last_ack: Instant,
    rtt_min: Option<Duration>,
    samples: u32,
}

impl HyStart {
    /// Returns one before its first round, for segments of `mss` bytes.
    #[must_use]
    pub fn new(mss: u32) -> Self {
        Self {
            mss,
            has_found: false,
            round_end: 0,
            round_start: Instant::ZERO,
            last_ack: Instant::ZERO,
            rtt_min: None,
            samples: 0,
        }
    }

    pub(super) const fn mss(&self) -> u32 {
        self.mss
    }

    pub(super) fn begin_round(&mut self, now: Instant, nxt: u64) {
        self.round_start = now;
        self.last_ack = now;
        self.round_end = nxt;
        self.rtt_min = None;
        self.samples = 0;
    }

    /// Takes a round trip of slow start in; whether slow start ends. `path` is the least round trip.
    pub(super) fn on_rtt(&mut self, now: Instant, cwnd: u32, path: Duration, sample: &RttSample) -> bool {
        if self.has_found {
            return false;
        }
        if sample.una > self.round_end {
            self.begin_round(now, sample.nxt);
        }
        if cwnd < LOW_WINDOW {
            return false;
        }
        if now.saturating_since(self.last_ack) <= TRAIN_GAP {
            self.last_ack = now;
            let threshold = (path.as_nanos() + self.allowance(cwnd, sample.srtt).as_nanos()) / 2;
            self.has_found |= now.saturating_since(self.round_start).as_nanos() > threshold;
        }
        let least = self.rtt_min.map_or(sample.rtt, |min| min.min(sample.rtt));
        self.rtt_min = Some(least);
        if self.samples < SAMPLES {
            self.samples += 1;
        } else {
            let increase = (path.as_nanos() / 8).clamp(DELAY_MIN.as_nanos(), DELAY_MAX.as_nanos());
            self.has_found |= least.as_nanos() > path.as_nanos() + increase;
        }
        self.has_found
    }

    /// What the sending host's own bursts may stretch a train by: four of them at twice the current rate.
    fn allowance(&self, cwnd: u32, srtt: Duration) -> Duration {
        let bytes_a_round = 2 * u64::from(cwnd) * u64::from(self.mss);
        let nanos = 4 * BURST_BYTES * srtt.as_nanos() / bytes_a_round.max(1);
        Duration::from_nanos(nanos).min(ALLOWANCE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rtt_ms: u64, una: u64, nxt: u64) -> RttSample {
        let rtt = Duration::from_millis(rtt_ms);
        RttSample { rtt, srtt: rtt, una, nxt }
    }

    fn at(us: u64) -> Instant {
        Instant::from_nanos(us * 1_000)
    }

    /// Aim: a train of acknowledgements that lasts for half of the path's round trip ends slow start, a pause in it
    /// does not count, and neither does a small window.
    #[test]
    fn a_long_train_ends_slow_start() {
        let path = Duration::from_millis(100);
        let run = |cwnd: u32, gap_us: u64, count: u64| {
            let mut hystart = HyStart::new(1_448);
            (1..=count).position(|i| {
                hystart.on_rtt(at(1_000_000 + i * gap_us), cwnd, path, &sample(100, i, 1_000_000))
            })
        };
        let found = run(100, 500, 200).expect("the train lasts for 100 ms");
        // (100 + 1) / 2 ms at two acknowledgements a millisecond.
        assert_eq!(found, 102);
        assert_eq!(run(100, 2_001, 200), None);
        assert_eq!(run(15, 500, 200), None);
    }

    /// Aim: a delay that rose by an eighth, within 4 to 16 ms, ends slow start after eight samples of the round.
    #[test]
    fn a_delay_that_rises_ends_slow_start() {
        let path = Duration::from_millis(80);
        let run = |rtt_ms: u64| {
            let mut hystart = HyStart::new(1_448);
            (1..=20).position(|i| {
                hystart.on_rtt(at(1_000_000 + i * 2_500), 100, path, &sample(rtt_ms, i, 1_000_000))
            })
        };
        assert_eq!(run(90), None);
        assert_eq!(run(91), Some(8));
    }
}
