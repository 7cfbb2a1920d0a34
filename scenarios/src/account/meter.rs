//! Volumes by interval, from samples of counters.

use bellini_core::time::Duration;

/// Collects a link's bytes by interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    interval: f64,
    /// Bytes by interval.
    bytes: Vec<f64>,
    /// Seconds that were looked at.
    seconds: f64,
}

/// Most intervals that are kept: beyond, bytes go into the last one.
const INTERVALS_MAX: usize = 1_000_000;

impl Meter {
    /// Returns an empty meter.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.as_secs_f64().max(1e-9), bytes: Vec::new(), seconds: 0.0 }
    }

    /// Takes in what was carried from `from` to `to`, in seconds after the meter's start. Over several intervals it is
    /// spread evenly.
    pub fn add(&mut self, (from, to): (f64, f64), bytes: f64) {
        self.seconds = self.seconds.max(to);
        let interval = |at: f64| ((at / self.interval + 1e-9).max(0.0) as usize).min(INTERVALS_MAX - 1);
        let last = interval(to - 2e-9 * self.interval).max(interval(from));
        if self.bytes.len() <= last {
            self.bytes.resize(last + 1, 0.0);
        }
        if to <= from || interval(from) == last {
            self.bytes[last] += bytes;
            return;
        }
        for index in interval(from)..=last {
            let (begin, end) = (index as f64 * self.interval, (index + 1) as f64 * self.interval);
            let part = (end.min(to) - begin.max(from)).max(0.0) / (to - from);
            self.bytes[index] += bytes * part;
        }
    }

    /// Returns the bytes of all intervals together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.bytes.iter().sum()
    }

    /// Returns the mean rate of each interval, in 10^6 bit/s. The last one's is over the part of it that was looked at; less
    /// than half of an interval is left out, unless there is no other.
    #[must_use]
    pub fn mbps(&self) -> Vec<f64> {
        let mut rates = Vec::with_capacity(self.bytes.len());
        for (index, bytes) in self.bytes.iter().enumerate() {
            let seen = (self.seconds - index as f64 * self.interval).clamp(0.0, self.interval);
            if index > 0 && seen < self.interval / 2.0 {
                break;
            }
            rates.push(if seen > 0.0 { bytes * 8e-6 / seen } else { 0.0 });
        }
        rates
    }
}
