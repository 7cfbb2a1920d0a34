//! The serialiser's clock: when the bits admitted so far have all been sent, exact to any fraction of a nanosecond.
//!
//! Work is counted in units of 10^-9 bit, so that a rate of r bit/s does r units of work in a nanosecond and every
//! quantity is an integer. The end of all work is the instant `ns` plus `rem / r` of a nanosecond, `rem < r`. A packet
//! ends at the first whole nanosecond at which its last bit is out: the exact end, rounded up. The remainder is kept
//! within a busy period, so that n packets of b bytes from instant t end at `t + ceil(n * 8 * 10^9 * b / r)`.

use bellini_core::units::BitRate;
use bellini_scenarios::model::{Rate, RateTrace};

/// Work of one byte.
const WORK_PER_BYTE: u64 = 8_000_000_000;

/// Returns the work of `bytes` bytes, in units of 10^-9 bit.
pub(super) const fn work_of(bytes: u32) -> u128 {
    bytes as u128 * WORK_PER_BYTE as u128
}

/// The clock of one serialiser.
pub(super) struct RateClock {
    ns: u64,
    rem: u64,
    pace: Pace,
}

enum Pace {
    Unlimited,
    Constant(Constant),
    Trace(Box<Trace>),
}

/// A constant rate, with the division for the last packet size kept: most packets have that size again.
struct Constant {
    bps: u64,
    bytes: u32,
    whole: u64,
    part: u64,
}

impl RateClock {
    /// Returns a clock of that rate times `factor`; a degraded rate is never below 1 bit/s.
    ///
    /// # Panics
    /// If no step of a rate trace has both a rate and a length.
    pub(super) fn new(rate: &Rate, factor: f64) -> Self {
        let pace = match rate {
            Rate::Unlimited | Rate::Shared(_) => Pace::Unlimited,
            Rate::Constant(rate) => {
                Pace::Constant(Constant { bps: scaled(*rate, factor), bytes: 0, whole: 0, part: 0 })
            }
            Rate::Trace(trace) => Pace::Trace(Box::new(Trace::new(trace, factor))),
        };
        Self { ns: 0, rem: 0, pace }
    }

    /// Returns the rate in bit/s, averaged over a trace; `None` when unlimited.
    pub(super) fn mean_bps(&self) -> Option<f64> {
        match &self.pace {
            Pace::Unlimited => None,
            Pace::Constant(constant) => Some(constant.bps as f64),
            Pace::Trace(trace) => Some(trace.cycle_work as f64 / trace.cycle_ns as f64),
        }
    }

    /// Starts a new busy period at `now`, in nanoseconds: nothing is left to send.
    pub(super) fn restart(&mut self, now: u64) {
        self.ns = now;
        self.rem = 0;
        if let Pace::Trace(trace) = &mut self.pace {
            trace.seek(now);
        }
    }

    /// Appends a packet and returns its end in nanoseconds, rounded up; `u64::MAX` stands for never.
    pub(super) fn push(&mut self, bytes: u32) -> u64 {
        if let Pace::Constant(constant) = &mut self.pace {
            if constant.bytes != bytes {
                let (whole, part) = divide(work_of(bytes), constant.bps);
                (constant.bytes, constant.whole, constant.part) = (bytes, whole, part);
            }
            self.ns = self.ns.saturating_add(constant.whole);
            // Both are below bps, but their sum may exceed 64 bits.
            let room = constant.bps - self.rem;
            if constant.part >= room {
                self.rem = constant.part - room;
                self.ns = self.ns.saturating_add(1);
            } else {
                self.rem += constant.part;
            }
            return self.rounded_up();
        }
        self.push_work(work_of(bytes))
    }

    /// Appends work and returns its end in nanoseconds, rounded up; `u64::MAX` stands for never.
    pub(super) fn push_work(&mut self, work: u128) -> u64 {
        match &mut self.pace {
            Pace::Unlimited => {}
            Pace::Constant(constant) => {
                let (whole, rem) = divide(work + u128::from(self.rem), constant.bps);
                self.ns = self.ns.saturating_add(whole);
                self.rem = rem;
            }
            Pace::Trace(trace) => (self.ns, self.rem) = trace.advance(self.ns, self.rem, work),
        }
        self.rounded_up()
    }

    /// Returns the work that is left at `now`, in nanoseconds, of all that was appended.
    pub(super) fn work_left(&self, now: u64) -> u128 {
        if self.ns < now {
            return 0;
        }
        match &self.pace {
            Pace::Unlimited => 0,
            Pace::Constant(constant) => {
                u128::from(self.ns - now) * u128::from(constant.bps) + u128::from(self.rem)
            }
            Pace::Trace(trace) => trace.work_until(self.ns) + u128::from(self.rem) - trace.work_until(now),
        }
    }

    const fn rounded_up(&self) -> u64 {
        self.ns.saturating_add((self.rem > 0) as u64)
    }
}

/// A rate that changes in steps, repeated; trace time 0 is the start of the run.
struct Trace {
    /// Steps that last, in order.
    steps: Box<[Step]>,
    cycle_ns: u64,
    cycle_work: u128,
    /// The step that the clock is in, and the instant at which it ends.
    current: usize,
    current_end: u64,
}

struct Step {
    /// Its start within the cycle.
    from: u64,
    len: u64,
    /// Bits per second; 0 in an outage.
    bps: u64,
    /// Work done in the cycle before it.
    work_before: u128,
}

impl Trace {
    fn new(trace: &RateTrace, factor: f64) -> Self {
        let (mut cycle_ns, mut cycle_work) = (0_u64, 0_u128);
        let mut steps = Vec::with_capacity(trace.steps.len());
        for &(len, rate) in &trace.steps {
            let (len, bps) = (len.as_nanos(), rate.map_or(0, |rate| scaled(rate, factor)));
            if len > 0 {
                steps.push(Step { from: cycle_ns, len, bps, work_before: cycle_work });
            }
            cycle_ns += len;
            cycle_work += u128::from(len) * u128::from(bps);
        }
        assert!(cycle_work > 0, "a rate trace has a step with a rate");
        let mut trace = Self { steps: steps.into(), cycle_ns, cycle_work, current: 0, current_end: 0 };
        trace.seek(0);
        trace
    }

    /// Moves to the step in which the instant lies.
    fn seek(&mut self, now: u64) {
        let phase = now % self.cycle_ns;
        self.current = self.step_at(phase);
        let step = &self.steps[self.current];
        self.current_end = (now - phase).saturating_add(step.from + step.len);
    }

    /// Sends `work` from the instant `ns` + `rem` and returns the end in the same form.
    fn advance(&mut self, mut ns: u64, mut rem: u64, mut work: u128) -> (u64, u64) {
        loop {
            let bps = self.steps[self.current].bps;
            let capacity = u128::from(self.current_end - ns) * u128::from(bps) - u128::from(rem);
            if work <= capacity {
                // The capacity of an outage is 0, so that only an end of no work at all lands in one.
                if bps > 0 {
                    let (whole, part) = divide(work + u128::from(rem), bps);
                    (ns, rem) = (ns + whole, part);
                }
                return (ns, rem);
            }
            work -= capacity;
            (ns, rem) = (self.current_end, 0);
            if ns == u64::MAX {
                return (ns, rem);
            }
            self.current += 1;
            if self.current == self.steps.len() {
                self.current = 0;
                // Whole cycles at once, but so that some work is left to find its step.
                let cycles = u64::try_from((work - 1) / self.cycle_work).unwrap_or(u64::MAX);
                ns = ns.saturating_add(cycles.saturating_mul(self.cycle_ns));
                work -= u128::from(cycles) * self.cycle_work;
            }
            self.current_end = ns.saturating_add(self.steps[self.current].len);
        }
    }

    /// Returns the work that could be done from the start of the run until `ns`.
    fn work_until(&self, ns: u64) -> u128 {
        let (cycles, phase) = (ns / self.cycle_ns, ns % self.cycle_ns);
        let step = &self.steps[self.step_at(phase)];
        let inside = u128::from(phase - step.from) * u128::from(step.bps);
        u128::from(cycles) * self.cycle_work + step.work_before + inside
    }

    fn step_at(&self, phase: u64) -> usize {
        self.steps.partition_point(|step| step.from <= phase) - 1
    }
}

/// Returns quotient and remainder; a quotient that does not fit stands for never.
fn divide(work: u128, bps: u64) -> (u64, u64) {
    // A 128-bit division costs several times a 64-bit one, and hardly any packet needs it.
    if let Ok(work) = u64::try_from(work) {
        return (work / bps, work % bps);
    }
    let (whole, part) = (work / u128::from(bps), work % u128::from(bps));
    (u64::try_from(whole).unwrap_or(u64::MAX), part as u64)
}

fn scaled(rate: BitRate, factor: f64) -> u64 {
    if factor == 1.0 {
        return rate.as_bps();
    }
    ((rate.as_bps() as f64 * factor + 0.5) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;
    use bellini_core::time::Duration;

    fn rate(bps: u64) -> BitRate {
        BitRate::from_bps(bps).expect("a rate")
    }

    #[test]
    fn ends_of_a_busy_period_are_exact() {
        // Sizes vary, so that the kept division is used and replaced; rates from tiny to beyond 64-bit sums.
        let mut draws = Seed(1).stream("clock");
        for bps in [1, 3, 7_777, 999_999_937, 1_000_000_000, 100_000_000_003, u64::MAX] {
            let mut clock = RateClock::new(&Rate::Constant(rate(bps)), 1.0);
            clock.restart(1_000);
            let mut work = 0_u128;
            for _ in 0..2_000 {
                let bytes = if draws.chance(0.5) { 1_000 } else { draws.below(70_000) as u32 };
                work += work_of(bytes);
                let expected = u64::try_from(1_000 + work.div_ceil(u128::from(bps))).expect("fits");
                assert_eq!(clock.push(bytes), expected, "{bps} bit/s");
                assert_eq!(clock.work_left(1_000), work, "{bps} bit/s");
            }
        }
    }

    #[test]
    fn never_is_not_an_overflow() {
        let mut clock = RateClock::new(&Rate::Constant(rate(1)), 1.0);
        clock.restart(5);
        assert_eq!(clock.push(u32::MAX), u64::MAX);
        assert_eq!(clock.push(1), u64::MAX);
        let steps = vec![(Duration::from_nanos(u64::MAX / 2), Some(rate(1)))];
        let mut trace = RateClock::new(&Rate::Trace(RateTrace { name: String::new(), steps }), 1.0);
        trace.restart(5);
        assert_eq!(trace.push(u32::MAX), u64::MAX);
        assert_eq!(trace.push(1), u64::MAX);
    }

    #[test]
    fn trace_agrees_with_integration_nanosecond_by_nanosecond() {
        // A slow second definition: work is done rate by rate in each nanosecond of a short trace.
        let steps: Vec<(u64, u64)> =
            vec![(7, 3_000_000_007), (5, 0), (0, 9), (11, 800_000_001), (3, 0), (2, 77)];
        let model = RateTrace {
            name: String::new(),
            steps: steps
                .iter()
                .map(|&(len, bps)| (Duration::from_nanos(len), BitRate::from_bps(bps)))
                .collect(),
        };
        let per_ns: Vec<u64> =
            steps.iter().flat_map(|&(len, bps)| std::iter::repeat_n(bps, len as usize)).collect();
        let mut draws = Seed(2).stream("trace");
        let mut clock = RateClock::new(&Rate::Trace(model), 1.0);
        let mut now = 0_u64;
        for _ in 0..200 {
            clock.restart(now);
            let (mut at, mut done, mut work) = (now, 0_u128, 0_u128);
            for _ in 0..1 + draws.below(5) {
                let bytes = 1 + draws.below(60) as u32;
                work += work_of(bytes);
                while done < work {
                    done += u128::from(per_ns[(at % per_ns.len() as u64) as usize]);
                    at += 1;
                }
                assert_eq!(clock.push(bytes), at);
                assert_eq!(clock.work_left(now), work);
            }
            now = at + draws.below(100);
        }
    }

    #[test]
    fn a_degraded_rate_is_scaled_and_never_zero() {
        let clock = |factor| RateClock::new(&Rate::Constant(rate(1_000)), factor).mean_bps();
        assert_eq!(clock(0.25), Some(250.0));
        assert_eq!(clock(0.0), Some(1.0));
        assert_eq!(clock(f64::NAN), Some(1.0));
    }
}
