//! Quantities with their unit in the type: rates and byte counts cannot be mixed up.

use crate::time::Duration;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A rate in bits per second; never zero (an unlimited rate is `Option::None`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct BitRate(u64);

impl TryFrom<u64> for BitRate {
    type Error = &'static str;

    fn try_from(bits: u64) -> Result<Self, Self::Error> {
        Self::from_bps(bits).ok_or("a rate is at least 1 bit/s")
    }
}

impl From<BitRate> for u64 {
    fn from(rate: BitRate) -> Self {
        rate.0
    }
}

impl BitRate {
    /// Returns a rate of `bits` bits per second, or `None` for zero.
    #[must_use]
    pub const fn from_bps(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// Returns the rate in bits per second.
    #[must_use]
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// Returns the rate in 10^6 bits per second, for reports.
    #[must_use]
    pub fn as_mbps(self) -> f64 {
        self.0 as f64 * 1e-6
    }

    /// Returns the time that `bytes` bytes take at this rate, rounded up to a whole nanosecond.
    ///
    /// A serialiser that must not drift keeps the remainder itself: see the simulator's link.
    #[must_use]
    pub const fn transmit_time(self, bytes: u64) -> Duration {
        let bits = bytes as u128 * 8 * 1_000_000_000;
        Duration::from_nanos(bits.div_ceil(self.0 as u128) as u64)
    }

    /// Returns the whole bytes that pass in `span`, rounded down.
    #[must_use]
    pub const fn bytes_in(self, span: Duration) -> u64 {
        (self.0 as u128 * span.as_nanos() as u128 / 8_000_000_000) as u64
    }
}

impl fmt::Debug for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BitRate {
    /// Prints the rate in the largest decimal unit that needs no rounding: `20 Mbit/s`, `1500 bit/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s")];
        for (factor, unit) in units {
            if self.0.is_multiple_of(factor) {
                return write!(f, "{} {unit}", self.0 / factor);
            }
        }
        write!(f, "{} bit/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transmit_time_rounds_up() {
        let gigabit = BitRate::from_bps(1_000_000_000).unwrap();
        assert_eq!(gigabit.transmit_time(1_000), Duration::from_micros(8));
        let odd = BitRate::from_bps(3).unwrap();
        assert_eq!(odd.transmit_time(1), Duration::from_nanos(2_666_666_667));
        assert_eq!(odd.bytes_in(Duration::from_secs(8)), 3);
    }

    #[test]
    fn zero_is_no_rate() {
        assert_eq!(BitRate::from_bps(0), None);
        assert_eq!(BitRate::from_bps(1_500_000).unwrap().to_string(), "1500 kbit/s");
    }
}
