//! Symbols at exact intervals.

use super::source::Due;
use crate::time::{Duration, Instant};
use crate::units::BitRate;

/// Due times without drift: the i-th item is due at `origin + floor(i * bits * 10^9 / rate)` nanoseconds.
///
/// The interval is kept as whole nanoseconds and a remainder, so that one item costs an addition instead of a
/// 128-bit division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    /// When the next item is due; `None` past the end of representable time.
    next: Option<Instant>,
    interval: Duration,
    /// Numerator of the fraction of a nanosecond that the interval has beyond its whole ones, over `rate`.
    fraction: u64,
    /// Numerator of the fraction that was cut from `next`.
    carried: u64,
    rate: u64,
}

impl Pacer {
    /// Creates a pacer for items of `bytes` bytes at `rate`; the first is due at the start of the run.
    pub(super) fn new(rate: BitRate, bytes: u32) -> Self {
        let rate = rate.as_bps();
        let numerator = u128::from(bytes) * 8 * 1_000_000_000;
        let divisor = u128::from(rate);
        // The longest item at the slowest rate exceeds 2^64 ns: then there is no second one.
        let whole = u64::try_from(numerator / divisor).unwrap_or(u64::MAX);
        Self {
            next: Some(Instant::ZERO),
            interval: Duration::from_nanos(whole),
            fraction: (numerator % divisor) as u64,
            carried: 0,
            rate,
        }
    }

    /// Moves all due times by `start`.
    pub(super) fn after(self, start: Instant) -> Self {
        self.after_span(Duration::from_nanos(start.as_nanos()))
    }

    /// Moves all due times by `span`.
    pub(super) fn after_span(self, span: Duration) -> Self {
        Self { next: self.next.and_then(|at| at.checked_add(span)), ..self }
    }

    /// When the next item is due.
    pub(super) fn due(&self) -> Due {
        self.next.map_or(Due::Never, Due::At)
    }

    /// Moves on to the item after the next one.
    pub(super) fn advance(&mut self) {
        self.next = self.next.and_then(|at| at.checked_add(self.interval));
        // carried + fraction may exceed 64 bits; the comparison and the subtraction do not.
        if self.carried >= self.rate - self.fraction {
            self.carried -= self.rate - self.fraction;
            self.next = self.next.and_then(|at| at.checked_add(Duration::from_nanos(1)));
        } else {
            self.carried += self.fraction;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_due_times_are_exact() {
        // Against the closed form in 128-bit arithmetic, for rates that divide and rates that do not.
        for (rate, bytes) in
            [(20_000_000, 1_200), (3, 1), (7_777_777_777, 1_199), (u64::MAX, 9_000), (999_983, 64)]
        {
            let mut pacer = Pacer::new(BitRate::from_bps(rate).unwrap(), bytes);
            for i in 0..1_000_000_u128 {
                let expected = i * u128::from(bytes) * 8_000_000_000 / u128::from(rate);
                assert_eq!(pacer.due(), Due::At(Instant::from_nanos(expected as u64)), "item {i} at {rate}");
                pacer.advance();
            }
        }
    }

    #[test]
    fn time_ends_without_a_panic() {
        let mut pacer = Pacer::new(BitRate::from_bps(1).unwrap(), u32::MAX);
        pacer.advance();
        pacer.advance();
        assert_eq!(pacer.due(), Due::Never);
    }
}
