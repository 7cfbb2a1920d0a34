//! Sources of cross traffic.

use bellini_core::rng::{Seed, Stream};
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::model::{CrossPattern, CrossTraffic};

/// Emits the packets of one cross traffic; the driver hands their sizes to `LinkModel::admit_cross`.
pub struct CrossSource {
    bytes: u32,
    stop: Instant,
    next: Option<Instant>,
    pattern: Pattern,
}

enum Pattern {
    Constant(Ticks),
    Poisson { mean: f64, draws: Box<Stream> },
    OnOff(Box<OnOff>),
}

/// Equal intervals of `whole + part / unit` nanoseconds, summed without error.
struct Ticks {
    whole: u64,
    part: u128,
    unit: u128,
    rem: u128,
}

/// Ticks of a clock that runs in on periods only: packets keep their distance across silent periods, and the
/// long-run rate is exact.
struct OnOff {
    ticks: Ticks,
    mean_on: Duration,
    mean_off: Duration,
    /// What is left of the on period at the last packet.
    on_left: u64,
    draws: Stream,
}

impl CrossSource {
    /// Returns a source whose scenario time 0 is the instant `zero`; its stream is named `name` (`cross:0`). `None`
    /// for TCP, whose packets come when the network lets them.
    #[must_use]
    pub fn new(spec: &CrossTraffic, zero: Instant, seed: Seed, name: &str) -> Option<Self> {
        let load = spec.pattern.load()?;
        let work = u128::from(load.packet_bytes) * 8_000_000_000;
        let rate = u128::from(load.rate.as_bps());
        let start = zero + spec.start;
        let (pattern, first) = match spec.pattern {
            CrossPattern::Constant(_) => (Pattern::Constant(Ticks::new(work, rate)), Some(start)),
            CrossPattern::Poisson(_) => {
                let mut draws = Box::new(seed.stream(name));
                let mean = work as f64 / rate as f64;
                let first = start.checked_add(span(draws.exponential(mean)));
                (Pattern::Poisson { mean, draws }, first)
            }
            CrossPattern::OnOff { mean_on, mean_off, .. } => {
                let mut draws = seed.stream(name);
                let (on, off) = (u128::from(mean_on.as_nanos().max(1)), u128::from(mean_off.as_nanos()));
                // Within on periods the rate is higher by (on + off) / on, so that the mean is what was asked for.
                let ticks = Ticks::new(work * on, rate * (on + off));
                // It starts in its stationary state; what is left of a stay is exponential like all of it.
                let silent = draws.chance(off as f64 / (on + off) as f64);
                let wait = if silent { draws.exponential_span(mean_off) } else { Duration::ZERO };
                let on_left = draws.exponential_span(mean_on).as_nanos().max(1);
                let source = OnOff { ticks, mean_on, mean_off, on_left, draws };
                (Pattern::OnOff(Box::new(source)), start.checked_add(wait))
            }
            CrossPattern::Tcp { .. } => return None,
        };
        let stop = zero + spec.stop;
        Some(Self { bytes: load.packet_bytes, stop, next: first.filter(|&at| at < stop), pattern })
    }

    /// Returns when the next packet comes; `None` when there is none before the stop.
    #[must_use]
    pub const fn next_event(&self) -> Option<Instant> {
        self.next
    }

    /// Returns the size in wire bytes of the next packet due by `now`; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<u32> {
        let at = self.next.filter(|&at| at <= now)?;
        let gap = match &mut self.pattern {
            Pattern::Constant(ticks) => ticks.next(),
            Pattern::Poisson { mean, draws } => span(draws.exponential(*mean)).as_nanos(),
            Pattern::OnOff(source) => source.next(),
        };
        self.next = at.checked_add(Duration::from_nanos(gap)).filter(|&next| next < self.stop);
        Some(self.bytes)
    }
}

impl Ticks {
    fn new(work: u128, rate: u128) -> Self {
        let whole = u64::try_from(work / rate).unwrap_or(u64::MAX);
        Self { whole, part: work % rate, unit: rate, rem: 0 }
    }

    fn next(&mut self) -> u64 {
        self.rem += self.part;
        let carry = self.rem >= self.unit;
        if carry {
            self.rem -= self.unit;
        }
        self.whole.saturating_add(u64::from(carry))
    }
}

impl OnOff {
    fn next(&mut self) -> u64 {
        let mut tick = self.ticks.next();
        let mut gap = 0_u64;
        while tick >= self.on_left {
            tick -= self.on_left;
            let off = self.draws.exponential_span(self.mean_off).as_nanos();
            gap = gap.saturating_add(self.on_left).saturating_add(off);
            self.on_left = self.draws.exponential_span(self.mean_on).as_nanos().max(1);
        }
        self.on_left -= tick;
        gap.saturating_add(tick)
    }
}

fn span(nanos: f64) -> Duration {
    Duration::from_nanos((nanos + 0.5) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::units::BitRate;
    use bellini_scenarios::model::CrossLoad;

    fn load(bps: u64) -> CrossLoad {
        CrossLoad { rate: BitRate::from_bps(bps).expect("a rate"), packet_bytes: 1_000 }
    }

    fn source(pattern: CrossPattern, start_ms: u64, stop_ms: u64) -> CrossSource {
        let spec = CrossTraffic {
            link: 0,
            pattern,
            start: Duration::from_millis(start_ms),
            stop: Duration::from_millis(stop_ms),
        };
        CrossSource::new(&spec, Instant::ZERO, Seed(9), "cross:0").expect("a source of packets")
    }

    fn times(mut source: CrossSource) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(at) = source.next_event() {
            assert_eq!(source.poll(at), Some(1_000));
            seen.push(at.as_nanos());
        }
        seen
    }

    #[test]
    fn constant_packets_come_at_exact_multiples() {
        // 3 Mbit/s, 8,000 bits: packet k at 5 ms + floor(k * 8 ms / 3), before 1005 ms.
        let seen = times(source(CrossPattern::Constant(load(3_000_000)), 5, 1_005));
        let expected: Vec<u64> = (0..375).map(|k| 5_000_000 + k * 8_000_000 / 3).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn poisson_count_and_spacing() {
        // 80 Mbit/s for 100 s: 10^6 expected. Mean of the count, and the variance of the gaps; z = 4.5.
        let seen = times(source(CrossPattern::Poisson(load(80_000_000)), 0, 100_000));
        let n = seen.len() as f64;
        assert!((n - 1e6).abs() < 4.5 * 1e3, "{n}");
        let square: f64 = seen.windows(2).map(|pair| libm::pow((pair[1] - pair[0]) as f64 / 1e5, 2.0)).sum();
        // E x^2 = 2, Var x^2 = 20 for the exponential of mean 1.
        assert!((square / n - 2.0).abs() < 4.5 * (20.0 / n).sqrt() + 1e-3, "{}", square / n);
    }

    #[test]
    fn on_off_keeps_its_mean_rate_and_is_silent_in_between() {
        // 40 Mbit/s on average, on for 10 ms, off for 30 ms: within on periods a packet each 50 us.
        let pattern = CrossPattern::OnOff {
            load: load(40_000_000),
            mean_on: Duration::from_millis(10),
            mean_off: Duration::from_millis(30),
        };
        let seen = times(source(pattern, 0, 400_000));
        // Count over T: variance of on time is 2 T (on off)^2 / (on + off)^3 for exponential stays.
        let on_variance = 2.0 * 400_000.0 * libm::pow(10.0_f64 * 30.0, 2.0) / libm::pow(40.0_f64, 3.0);
        let expected = 100_000.0 / 0.05;
        let slack = 4.5 * on_variance.sqrt() / 0.05 + 2.0;
        assert!((seen.len() as f64 - expected).abs() < slack, "{} against {expected}", seen.len());
        assert!(seen.windows(2).all(|pair| pair[1] - pair[0] >= 50_000));
        let silent = seen.windows(2).filter(|pair| pair[1] - pair[0] > 50_000).count() as f64;
        // A gap is stretched unless 50 us pass within one on period: 1 - exp(-0.005).
        let p = 1.0 - libm::exp(-0.005_f64);
        let n = seen.len() as f64;
        assert!((silent - n * p).abs() < 4.5 * (n * p).sqrt() + 1.0, "{silent} against {}", n * p);
    }
}
