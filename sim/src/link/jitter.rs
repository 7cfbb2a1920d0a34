//! Jitter: additional delay that varies from packet to packet.

use super::LinkStreams;
use bellini_core::rng::Stream;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Jitter, JitterModel};

/// A link's jitter and the stream that it draws from.
pub(super) struct JitterDraws {
    model: JitterModel,
    draws: Stream,
}

impl JitterDraws {
    pub(super) fn new(jitter: &Jitter, streams: &LinkStreams) -> Self {
        Self { model: jitter.model, draws: streams.stream("jitter") }
    }

    /// Draws the additional delay of one packet, in whole nanoseconds.
    pub(super) fn draw(&mut self) -> Duration {
        match self.model {
            // Both ends included.
            JitterModel::Uniform(most) => {
                Duration::from_nanos(self.draws.below(most.as_nanos().saturating_add(1)))
            }
            JitterModel::Exponential(mean) => self.draws.exponential_span(mean),
            JitterModel::HalfNormal(deviation) => {
                let draw = self.draws.normal().abs() * deviation.as_nanos() as f64;
                Duration::from_nanos((draw + 0.5) as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;

    #[test]
    fn means_are_those_of_the_distributions() {
        // n = 10^6, z = 4.5; (mean, standard deviation) in milliseconds.
        let span = Duration::from_millis(6);
        let half_normal = (2.0 / std::f64::consts::PI).sqrt();
        let cases = [
            (JitterModel::Uniform(span), 3.0, 6.0 / 12.0_f64.sqrt()),
            (JitterModel::Exponential(span), 6.0, 6.0),
            (
                JitterModel::HalfNormal(span),
                6.0 * half_normal,
                6.0 * (1.0 - libm::pow(half_normal, 2.0)).sqrt(),
            ),
        ];
        for (model, mean, deviation) in cases {
            let jitter = Jitter { model, reorder: false };
            let mut draws = JitterDraws::new(&jitter, &LinkStreams::named(Seed(5), "test"));
            let n = 1_000_000;
            let sum: f64 = (0..n).map(|_| draws.draw().as_millis_f64()).sum();
            let seen = sum / f64::from(n);
            assert!((seen - mean).abs() < 4.5 * deviation / f64::from(n).sqrt(), "{model:?}: {seen}");
        }
    }
}
