//! Pacing of a datagram hop by a token bucket, written as a virtual clock.

use crate::time::{Duration, Instant};
use crate::units::BitRate;

/// Spaces frames so that a hop sends at a rate, in bursts of at most one quantum.
///
/// The state is the time at which all that was sent would have left at the rate (the generic cell rate algorithm,
/// ITU-T I.371): while it lies less than a quantum ahead of now, a frame may go. Once it does not, nothing goes
/// until it has come, so that the hop wakes once a quantum and sends a burst, the same in every mode.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    rate: BitRate,
    quantum: Duration,
    /// When everything sent so far would have left at the rate.
    due: Instant,
    /// Bits below a nanosecond's worth that `due` leaves out, times `rate`.
    remainder: u64,
    /// Set between the end of a burst and `due`.
    resting: bool,
    /// When a rest ended later than it should have: what the driver was late by is made up for at that instant.
    woken_late: Option<Instant>,
}

/// Most lateness that is made up for; beyond it the machine is too slow for the rate.
const MAKE_UP_MAX: Duration = Duration::from_millis(5);

impl Pacer {
    /// Returns a pacer of `rate` with bursts of `quantum`.
    #[must_use]
    pub fn new(rate: BitRate, quantum: Duration) -> Self {
        Self { rate, quantum, due: Instant::ZERO, remainder: 0, resting: false, woken_late: None }
    }

    /// Returns when the next frame may go: `None` means now.
    pub fn wait_until(&mut self, now: Instant) -> Option<Instant> {
        if self.resting && self.due > now {
            return Some(self.due);
        }
        if self.resting && self.due < now {
            // Timers of real machines are late. Without this each burst would begin that much later than the one
            // before it allows, and the hop would stay below its rate.
            self.due = self.due.max(now.saturating_sub(MAKE_UP_MAX));
            self.woken_late = Some(now);
        }
        self.resting = false;
        if self.due > now && self.due - now >= self.quantum {
            self.resting = true;
            return Some(self.due);
        }
        None
    }

    /// Notes that `bytes` wire bytes were sent.
    pub fn on_sent(&mut self, now: Instant, bytes: u64) {
        if self.due < now && self.woken_late != Some(now) {
            self.due = now;
            self.remainder = 0;
        }
        let units = u128::from(bytes) * 8_000_000_000 + u128::from(self.remainder);
        let rate = u128::from(self.rate.as_bps());
        self.due += Duration::from_nanos((units / rate) as u64);
        self.remainder = (units % rate) as u64;
    }

    /// Returns the rate.
    #[must_use]
    pub fn rate(&self) -> BitRate {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_keep_the_rate_exactly() {
        // 10,000 frames of 1,000 bytes at 7 Mbit/s, sent whenever allowed: the last leaves with the closed form.
        let mut pacer = Pacer::new(BitRate::from_bps(7_000_000).unwrap(), Duration::from_micros(200));
        let mut now = Instant::from_nanos(5);
        let mut sent = 0;
        while sent < 10_000 {
            match pacer.wait_until(now) {
                Some(at) => now = at,
                None => {
                    pacer.on_sent(now, 1_000);
                    sent += 1;
                }
            }
        }
        let expected = 5 + (10_000_u64 * 8_000 * 1_000) / 7;
        assert_eq!(pacer.due.as_nanos(), expected);
    }

    #[test]
    fn bursts_are_one_quantum_long() {
        // 100 Mbit/s and 1,250 bytes: 100 us a frame, so two frames fill a quantum of 200 us.
        let mut pacer = Pacer::new(BitRate::from_bps(100_000_000).unwrap(), Duration::from_micros(200));
        let now = Instant::from_nanos(1_000);
        let mut burst = 0;
        while pacer.wait_until(now).is_none() {
            pacer.on_sent(now, 1_250);
            burst += 1;
        }
        assert_eq!(burst, 2);
        assert_eq!(pacer.wait_until(now), Some(now + Duration::from_micros(200)));
        assert_eq!(pacer.wait_until(now + Duration::from_micros(200)), None);
    }

    #[test]
    fn a_late_timer_costs_no_rate() {
        // As above, but each timer is 70 us late, as on a real machine; one of 50 ms is made up for in part only.
        let rate = BitRate::from_bps(7_000_000).unwrap();
        let mut pacer = Pacer::new(rate, Duration::from_micros(200));
        let mut now = Instant::from_nanos(5);
        let mut sent = 0;
        while sent < 10_000 {
            match pacer.wait_until(now) {
                Some(at) => now = at + Duration::from_micros(70),
                None => {
                    pacer.on_sent(now, 1_000);
                    sent += 1;
                }
            }
        }
        assert_eq!(pacer.due.as_nanos(), 5 + (10_000_u64 * 8_000 * 1_000) / 7);
        let due = pacer.due;
        assert_eq!(pacer.wait_until(now), Some(due));
        let late = due + Duration::from_millis(50);
        let mut burst = 0;
        while pacer.wait_until(late).is_none() {
            pacer.on_sent(late, 1_000);
            burst += 1;
        }
        assert_eq!(burst, 5, "5 ms and a quantum at 1.14 ms a frame");
    }

    #[test]
    fn an_idle_hop_saves_up_nothing() {
        let mut pacer = Pacer::new(BitRate::from_bps(8_000_000).unwrap(), Duration::from_micros(200));
        pacer.on_sent(Instant::ZERO, 1_000);
        let later = Instant::ZERO + Duration::from_secs(100);
        pacer.on_sent(later, 1_000);
        assert_eq!(pacer.wait_until(later), Some(later + Duration::from_millis(1)));
    }
}
