//! A node's clock: the machine's, counted from the run's start, with errors planted where a test asks for them.

use crate::console::{NodeSettings, Origin};
use bellini_core::time::Instant;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Largest drift that can be planted, in parts per billion: 10 %.
pub const DRIFT_PPB_MAX: i64 = 100_000_000;

/// What a node process tells the time by.
///
/// Whatever the origin, time is counted by the machine's monotonic clock; the calendar is read once, at the start. A
/// step of the machine's calendar clock therefore never reaches the core, while slewing, which acts on both clocks,
/// does.
#[derive(Clone, Debug)]
pub struct NodeClock {
    /// Monotonic time of the run's start.
    base_ns: i64,
    offset_ns: i64,
    drift_ppb: i64,
    last: Instant,
}

impl NodeClock {
    /// Starts the clock that `settings` describe.
    #[must_use]
    pub fn start(settings: &NodeSettings) -> Self {
        let base_ns = match settings.origin {
            Origin::MonotonicNs(base_ns) => base_ns,
            Origin::UnixNs(origin_ns) => {
                let since_ns = read_ns(ClockId::CLOCK_REALTIME).saturating_sub(origin_ns);
                read_ns(ClockId::CLOCK_MONOTONIC).saturating_sub(since_ns)
            }
        };
        Self {
            base_ns,
            offset_ns: settings.clock_offset_ns,
            drift_ppb: settings.clock_drift_ppb.clamp(-DRIFT_PPB_MAX, DRIFT_PPB_MAX),
            last: Instant::ZERO,
        }
    }

    /// Reads the clock. It never goes back, and before the run's start it shows zero.
    pub fn now(&mut self) -> Instant {
        self.last = self.last.max(self.shown(read_ns(ClockId::CLOCK_MONOTONIC)));
        self.last
    }

    /// Returns how long it takes from now until the clock shows `deadline`; zero when it does already.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Duration {
        let shown = self.shown(read_ns(ClockId::CLOCK_MONOTONIC));
        let left = u128::from(deadline.saturating_since(shown).as_nanos());
        // While this clock passes `left`, the machine's passes a little less or more. Rounded up: a timer that rings
        // before the deadline rings for nothing.
        let pace = u128::from((1_000_000_000 + self.drift_ppb).unsigned_abs());
        Duration::from_nanos(u64::try_from((left * 1_000_000_000).div_ceil(pace)).unwrap_or(u64::MAX))
    }

    /// What it shows at a monotonic time of the machine.
    pub(crate) fn shown(&self, monotonic_ns: i64) -> Instant {
        let since = i128::from(monotonic_ns) - i128::from(self.base_ns);
        let shown = since + i128::from(self.offset_ns) + since * i128::from(self.drift_ppb) / 1_000_000_000;
        Instant::from_nanos(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }
}

/// Reads a clock of the machine in nanoseconds.
///
/// # Panics
/// When the system has no such clock; those that are asked for exist everywhere.
#[must_use]
pub fn read_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("the monotonic and the calendar clock exist");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// Reads the monotonic clock, to time single packets by.
pub(super) fn stopwatch_ns() -> u64 {
    u64::try_from(read_ns(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(base_ns: i64, offset_ns: i64, drift_ppb: i64) -> NodeClock {
        NodeClock { base_ns, offset_ns, drift_ppb, last: Instant::ZERO }
    }

    /// Offset and drift are those that were asked for, to the nanosecond, also days after the start.
    #[test]
    fn planted_errors_are_exact() {
        let day_ns = 86_400_000_000_000;
        for (offset, drift) in [(0, 0), (40_000_000, 0), (-40_000_000, 50_000), (7, -50_000)] {
            let clock = clock(1_000, offset, drift);
            let expected = day_ns + offset + day_ns / 1_000_000_000 * drift;
            assert_eq!(clock.shown(1_000 + day_ns).as_nanos(), expected as u64, "{offset} {drift}");
        }
    }

    #[test]
    fn before_the_start_it_shows_zero_and_it_never_goes_back() {
        let mut late = clock(i64::MAX, 0, 0);
        assert_eq!((late.now(), late.now()), (Instant::ZERO, Instant::ZERO));
        let mut clock = clock(0, 0, 0);
        let ahead = Instant::from_nanos(u64::MAX / 2);
        clock.last = ahead;
        assert_eq!(clock.now(), ahead);
    }

    /// A wait for a deadline ends when the clock shows it: never before, and not long after.
    #[test]
    fn waits_fit_the_clock() {
        for drift in [0, 50_000, -50_000, DRIFT_PPB_MAX] {
            let clock = clock(0, 0, drift);
            let from = read_ns(ClockId::CLOCK_MONOTONIC);
            let deadline = Instant::from_nanos(clock.shown(from).as_nanos() + 3_600_000_000_000);
            let wait = clock.until(deadline).as_nanos() as i64;
            let after = read_ns(ClockId::CLOCK_MONOTONIC);
            assert!(clock.shown(after + wait) >= deadline, "drift {drift}");
            assert!(clock.shown(from + wait - 2) < deadline, "drift {drift}");
            assert_eq!(clock.until(Instant::ZERO), Duration::ZERO);
        }
    }
}
