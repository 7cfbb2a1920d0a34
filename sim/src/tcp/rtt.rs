//! The round-trip time and the retransmission timeout.

use bellini_core::time::{Duration, Instant};

/// The timeout before the first sample (RFC 6298).
pub const RTO_INITIAL: Duration = Duration::from_secs(1);
/// Longest timeout.
pub const RTO_MAX: Duration = Duration::from_secs(120);

/// The estimator of RFC 6298 as Linux has it: the variance falls slower than it rises, is the largest of a round
/// trip, and counts for at least [`super::Options::rto_min`]. So the timeout is `srtt + max(4 rttvar, 200 ms)`.
#[derive(Clone, Debug)]
pub struct RttEstimator {
    floor: i64,
    /// Eight times the smoothed time, in nanoseconds; zero before the first sample.
    srtt8: i64,
    /// Four times the mean deviation.
    mdev4: i64,
    /// The largest of these in the current round trip.
    mdev4_max: i64,
    /// What the timeout adds.
    rttvar4: i64,
    /// The round trip ends when this is acknowledged.
    round_end: u64,
    min: Option<Duration>,
    backoff: u32,
}

impl RttEstimator {
    /// Returns one without samples, whose timeout is at least `floor` above the round-trip time.
    #[must_use]
    pub fn new(floor: Duration) -> Self {
        let floor = floor.as_nanos() as i64;
        Self { floor, srtt8: 0, mdev4: 0, mdev4_max: floor, rttvar4: 0, round_end: 0, min: None, backoff: 0 }
    }

    /// Takes a sample in: `una` is acknowledged, `nxt` is the next to be sent. Ends the back-off.
    pub fn sample(&mut self, rtt: Duration, una: u64, nxt: u64) {
        let sample = (rtt.as_nanos() as i64).max(1);
        self.backoff = 0;
        if self.srtt8 == 0 {
            self.srtt8 = sample * 8;
            self.mdev4 = sample * 2;
            self.rttvar4 = self.mdev4.max(self.floor);
            self.mdev4_max = self.rttvar4;
            self.round_end = nxt;
            return;
        }
        let error = sample - self.srtt8 / 8;
        self.srtt8 = (self.srtt8 + error).max(1);
        let mut change = error.abs() - self.mdev4 / 4;
        // A sample below the mean tells little of how late others may be.
        if error < 0 && change > 0 {
            change /= 8;
        }
        self.mdev4 += change;
        if self.mdev4 > self.mdev4_max {
            self.mdev4_max = self.mdev4;
            self.rttvar4 = self.rttvar4.max(self.mdev4_max);
        }
        if una > self.round_end {
            if self.mdev4_max < self.rttvar4 {
                self.rttvar4 -= (self.rttvar4 - self.mdev4_max) / 4;
            }
            self.round_end = nxt;
            self.mdev4_max = self.floor;
        }
    }

    /// Takes a sample of the path alone in, without what acknowledgements waited.
    pub fn note_min(&mut self, rtt: Duration) {
        self.min = Some(self.min.map_or(rtt, |min| min.min(rtt)));
    }

    /// Returns the smoothed round-trip time, once known.
    #[must_use]
    pub fn srtt(&self) -> Option<Duration> {
        (self.srtt8 > 0).then(|| Duration::from_nanos(self.srtt8 as u64 / 8))
    }

    /// Returns the least round-trip time seen.
    #[must_use]
    pub const fn min(&self) -> Option<Duration> {
        self.min
    }

    /// Returns the retransmission timeout, doubled for each time that it struck in a row.
    #[must_use]
    pub fn rto(&self) -> Duration {
        let base = match self.srtt() {
            None => RTO_INITIAL,
            Some(srtt) => Duration::from_nanos(srtt.as_nanos() + self.rttvar4 as u64),
        };
        base.saturating_mul(1 << self.backoff.min(20)).min(RTO_MAX)
    }

    /// The timeout struck: the next one is twice as long.
    pub fn back_off(&mut self) {
        self.backoff += 1;
    }

    /// Returns how often it struck in a row.
    #[must_use]
    pub const fn backoff(&self) -> u32 {
        self.backoff
    }

    /// Returns the instant at which a timeout that began at `since` strikes.
    #[must_use]
    pub fn deadline(&self, since: Instant) -> Instant {
        since + self.rto()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Aim: a steady round trip has a timeout of itself and 200 ms; before the first sample it is a second.
    #[test]
    fn the_timeout_is_the_round_trip_and_200_ms() {
        let mut rtt = RttEstimator::new(ms(200));
        assert_eq!(rtt.rto(), ms(1_000));
        for at in 1..200 {
            rtt.sample(ms(50), at * 10, at * 10 + 5);
        }
        assert_eq!((rtt.srtt(), rtt.rto()), (Some(ms(50)), ms(250)));
    }

    /// Aim: each strike doubles the timeout, up to two minutes, and a sample ends that.
    #[test]
    fn back_off_doubles_until_a_sample() {
        let mut rtt = RttEstimator::new(ms(200));
        rtt.sample(ms(50), 1, 2);
        let mut seen = Vec::new();
        for _ in 0..12 {
            seen.push(rtt.rto().as_millis_f64() as u64);
            rtt.back_off();
        }
        assert_eq!(seen[..4], [250, 500, 1_000, 2_000]);
        assert_eq!(seen[9..], [120_000, 120_000, 120_000]);
        rtt.sample(ms(50), 3, 4);
        assert_eq!(rtt.rto(), ms(250));
    }

    /// Aim: a round trip that varies has a longer timeout, which does not shrink within one round trip.
    #[test]
    fn deviation_counts_fourfold() {
        let mut rtt = RttEstimator::new(ms(200));
        rtt.sample(ms(400), 1, 2);
        // 400 + 4 * 200.
        assert_eq!(rtt.rto(), ms(1_200));
        rtt.sample(ms(400), 2, 9);
        assert_eq!(rtt.rto(), ms(1_200), "the round trip is not over");
    }
}
