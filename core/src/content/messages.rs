//! Messages: Poisson arrivals, sizes from a distribution.

use super::source::{Due, SourceContext};
use super::spec::SizeDistribution;
use crate::ids::SessionKey;
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};

/// Yields messages with exponentially distributed gaps.
#[derive(Debug)]
pub(super) struct Messages {
    /// Draws the gaps. A stream is some 300 bytes: boxed, so that other kinds of source stay small.
    arrivals: Box<Stream>,
    mean_interval: Duration,
    size: SizeDistribution,
    next: Option<Instant>,
    taken: u64,
    seed: Seed,
    key: SessionKey,
    epoch: u16,
}

impl Messages {
    pub(super) fn new(mean_interval: Duration, size: SizeDistribution, context: &SourceContext) -> Self {
        let &SourceContext { key, epoch, seed, start, .. } = context;
        let mut arrivals = Box::new(seed.stream_of(format_args!("session:{key}:{epoch}:arrivals")));
        let next = start.checked_add(arrivals.exponential_span(mean_interval));
        Self { arrivals, mean_interval, size, next, taken: 0, seed, key, epoch }
    }

    /// When the next message is created.
    pub(super) fn due(&self) -> Due {
        // Messages without a mean interval would all come at once, without end.
        if self.mean_interval.is_zero() { Due::Never } else { self.next.map_or(Due::Never, Due::At) }
    }

    /// Moves past the next message and returns its size in bytes.
    pub(super) fn take(&mut self, symbol_bytes: u64) -> u64 {
        let gap = self.arrivals.exponential_span(self.mean_interval);
        self.next = self.next.and_then(|at| at.checked_add(gap));
        // Sizes have draws of their own per message: another distribution does not move the arrivals.
        let &mut Self { seed, key, epoch, taken, .. } = self;
        let mut sizes = seed.stream_of(format_args!("session:{key}:{epoch}:sizes")).member(taken);
        self.taken += 1;
        // An object has at most 2^32 - 1 symbols.
        self.size.draw(&mut sizes).min(symbol_bytes * u64::from(u32::MAX))
    }
}

impl SizeDistribution {
    /// Draws a size in bytes, rounded to the nearest and at least 1.
    pub(super) fn draw(&self, stream: &mut Stream) -> u64 {
        let size = match *self {
            Self::Fixed(size) => size,
            Self::Uniform { min, max } => {
                let choices = max.saturating_sub(min).saturating_add(1);
                min + stream.below(choices)
            }
            Self::Exponential { mean, max } => round(stream.exponential(mean as f64)).min(max),
            Self::LogNormal { median, sigma, max } => {
                round(median as f64 * libm::exp(sigma * stream.normal())).min(max)
            }
        };
        size.max(1)
    }
}

/// Rounds to the nearest; what is negative or no number is 0, what is too large the largest number.
fn round(size: f64) -> u64 {
    (size + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u32 = 1_000_000;

    /// Asserts that the mean of N draws is the expected one, within 4.5 standard errors (from the draws) and
    /// `slack` bytes for the rounding.
    fn mean_is(size: SizeDistribution, expected: f64, slack: f64) {
        let mut stream = Seed(11).stream("sizes");
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..N {
            let drawn = size.draw(&mut stream) as f64;
            sum += drawn;
            square += drawn * drawn;
        }
        let n = f64::from(N);
        let mean = sum / n;
        let error = 4.5 * ((square / n - mean * mean) / n).sqrt() + slack;
        assert!((mean - expected).abs() <= error, "{size:?}: {mean} against {expected} +- {error}");
    }

    /// Distribution function of the standard normal.
    fn phi(x: f64) -> f64 {
        0.5 * libm::erfc(-x / 2.0_f64.sqrt())
    }

    #[test]
    fn sizes_have_the_means_of_their_distributions() {
        mean_is(SizeDistribution::Fixed(777), 777.0, 0.0);
        mean_is(SizeDistribution::Uniform { min: 100, max: 500 }, 300.0, 0.0);
        mean_is(SizeDistribution::Exponential { mean: 10_000, max: u64::MAX }, 10_000.0, 0.01);
        // E[min(X, c)] of the exponential: m (1 - e^(-c/m)).
        let (m, c) = (10_000.0, 15_000.0);
        let cut = m * (1.0 - libm::exp(-c / m));
        mean_is(SizeDistribution::Exponential { mean: 10_000, max: 15_000 }, cut, 0.01);
        // E[min(X, c)] of the log-normal, mu = ln(median).
        let (mu, sigma, c) = (libm::log(20_000.0), 1.2, 100_000.0);
        let z = (libm::log(c) - mu) / sigma;
        let cut = libm::exp(mu + sigma * sigma / 2.0) * phi(z - sigma) + c * (1.0 - phi(z));
        mean_is(SizeDistribution::LogNormal { median: 20_000, sigma: 1.2, max: 100_000 }, cut, 0.01);
    }

    #[test]
    fn sizes_stay_within_their_bounds() {
        let mut stream = Seed(12).stream("sizes");
        for _ in 0..10_000 {
            assert!((1..=9).contains(&SizeDistribution::Exponential { mean: 5, max: 9 }.draw(&mut stream)));
            assert!((3..=4).contains(&SizeDistribution::Uniform { min: 3, max: 4 }.draw(&mut stream)));
        }
        // What a scenario refuses must still not panic here.
        for odd in [
            SizeDistribution::Uniform { min: 9, max: 3 },
            SizeDistribution::Uniform { min: 0, max: u64::MAX },
            SizeDistribution::LogNormal { median: u64::MAX, sigma: f64::NAN, max: u64::MAX },
            SizeDistribution::Fixed(0),
        ] {
            assert!(odd.draw(&mut stream) >= 1);
        }
    }

    #[test]
    fn gaps_are_exponential() {
        // Mean, and variance (equal to the squared mean; standard error of the sample variance: sqrt(8/n)
        // m^2).
        let mean = 3_000_000.0;
        let context = super::super::source::tests::context();
        let mut messages = Messages::new(Duration::from_millis(3), SizeDistribution::Fixed(1), &context);
        let (mut last, mut sum, mut square) = (context.start, 0.0, 0.0);
        for _ in 0..N {
            let Due::At(at) = messages.due() else { panic!("messages do not end") };
            messages.take(1_200);
            let gap = (at - last).as_nanos() as f64;
            last = at;
            sum += gap;
            square += gap * gap;
        }
        let n = f64::from(N);
        let (seen, variance) = (sum / n, square / n - (sum / n) * (sum / n));
        assert!((seen - mean).abs() < 4.5 * mean / n.sqrt(), "mean {seen}");
        assert!((variance / (mean * mean) - 1.0).abs() < 4.5 * (8.0 / n).sqrt(), "variance {variance}");
    }

    #[test]
    fn counts_over_equal_windows_are_poisson() {
        // Fano factor of the counts of 10^5 windows of ten mean gaps: variance / mean = 1, with a standard
        // error of sqrt(2 / windows).
        let context = super::super::source::tests::context();
        let mut messages = Messages::new(Duration::from_micros(100), SizeDistribution::Fixed(1), &context);
        let windows = 100_000_usize;
        let mut counts = vec![0_u32; windows];
        while let Due::At(at) = messages.due() {
            let window = ((at - context.start).as_nanos() / 1_000_000) as usize;
            if window >= windows {
                break;
            }
            counts[window] += 1;
            messages.take(1_200);
        }
        let n = windows as f64;
        let mean = counts.iter().map(|&c| f64::from(c)).sum::<f64>() / n;
        let variance =
            counts.iter().map(|&c| (f64::from(c) - mean) * (f64::from(c) - mean)).sum::<f64>() / (n - 1.0);
        assert!((mean - 10.0).abs() < 4.5 * (10.0 / n).sqrt(), "mean {mean}");
        assert!((variance / mean - 1.0).abs() < 4.5 * (2.1 / n).sqrt(), "Fano factor {}", variance / mean);
    }

    #[test]
    fn another_size_distribution_does_not_move_the_arrivals() {
        let context = super::super::source::tests::context();
        let times = |size| {
            let mut messages = Messages::new(Duration::from_millis(1), size, &context);
            (0..100).map(|_| (messages.due(), messages.take(1_200)).0).collect::<Vec<_>>()
        };
        let log_normal = SizeDistribution::LogNormal { median: 100, sigma: 1.0, max: 1_000 };
        assert_eq!(times(SizeDistribution::Fixed(1)), times(log_normal));
    }
}
