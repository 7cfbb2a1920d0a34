//! Randomness: one root seed, and a stream of its own for every user of it.
//!
//! A stream is named after the entity and the purpose it serves (`"node:3:session:1/2:flow"`,
//! `"link:1>2:loss"`). Its generator, ChaCha8, is keyed by (root seed, name): adding an entity never shifts the
//! draws of another, and the same name gives the same draws on every machine.

use crate::time::Duration;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The root seed of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Seed(pub u64);

/// A stream of random numbers that belongs to one entity and purpose.
#[derive(Clone)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Seed {
    /// Returns the stream of that name.
    #[must_use]
    pub fn stream(self, name: &str) -> Stream {
        self.stream_of(name.as_bytes())
    }

    /// Returns the stream named by bytes, for names that are made without allocating.
    #[must_use]
    pub fn stream_of(self, name: &[u8]) -> Stream {
        // FNV-1a folds the name; SplitMix64 spreads (seed, name) over the 256-bit key. Neither is
        // cryptographic: the key only has to differ, ChaCha does the mixing.
        let folded = name.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        let mut key = [0; 32];
        let mut state = self.0;
        for (i, word) in key.chunks_exact_mut(8).enumerate() {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let salt = if i % 2 == 0 { folded } else { folded.rotate_left(32) };
            word.copy_from_slice(&splitmix(state ^ salt).to_le_bytes());
        }
        Stream { rng: ChaCha8Rng::from_seed(key) }
    }
}

const fn splitmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Stream {
    /// Draws 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Fills `out` with random bytes.
    pub fn fill_bytes(&mut self, out: &mut [u8]) {
        self.rng.fill_bytes(out);
    }

    /// Draws from [0, 1), on the grid of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Draws an integer below `bound` by multiply-shift; the bias is below `bound` / 2^64.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs at least one outcome");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Draws `true` with probability `p` (0 to 1; outside, the nearer end).
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Draws from the exponential distribution of that mean, by inversion.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        // 1 - unit() lies in (0, 1], so that the logarithm is finite.
        -mean * libm::log(1.0 - self.unit())
    }

    /// Draws an exponentially distributed span of that mean, rounded to nanoseconds.
    pub fn exponential_span(&mut self, mean: Duration) -> Duration {
        Duration::from_nanos((self.exponential(mean.as_nanos() as f64) + 0.5) as u64)
    }

    /// Draws from the standard normal distribution (Box and Muller, one value a call).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }
}

impl core::fmt::Debug for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        // A change of these values changes every result ever recorded: it needs a new major version.
        let mut stream = Seed(1).stream("link:1>2:loss");
        let drawn = [stream.next_u64(), stream.next_u64()];
        assert_eq!(drawn, [1_778_875_828_480_373_242, 7_966_650_412_979_402_601]);
    }

    #[test]
    fn names_and_seeds_separate_streams() {
        let first = |seed, name| Seed(seed).stream(name).next_u64();
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_eq!(first(7, "a"), first(7, "a"));
    }

    #[test]
    fn moments_of_the_distributions() {
        // n = 10^6 draws; z = 4.5 standard errors.
        let n = 1_000_000;
        let mut stream = Seed(3).stream("moments");
        let (mut unit, mut exponential, mut normal, mut square) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            unit += stream.unit();
            exponential += stream.exponential(2.0);
            let z = stream.normal();
            normal += z;
            square += z * z;
        }
        let n = f64::from(n);
        let within = |mean: f64, expected: f64, deviation: f64| {
            assert!((mean - expected).abs() < 4.5 * deviation / n.sqrt(), "{mean} against {expected}");
        };
        within(unit / n, 0.5, (1.0_f64 / 12.0).sqrt());
        within(exponential / n, 2.0, 2.0);
        within(normal / n, 0.0, 1.0);
        within(square / n, 1.0, 2.0_f64.sqrt());
    }
}
