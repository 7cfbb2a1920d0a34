//! Randomness: one root seed, and a stream of its own for every user of it.
//!
//! A stream is named after the entity and the purpose it serves (`"node:3:session:1/2:flow"`,
//! `"link:1>2:loss"`). Its generator, ChaCha8, is keyed by (root seed, name): adding an entity never shifts the
//! draws of another, and the same name gives the same draws on every machine.

use crate::time::Duration;
use core::fmt;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The root seed of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
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
        self.stream_of(format_args!("{name}"))
    }

    /// Returns the stream of that name, which is given in parts so that nothing has to be allocated:
    /// `seed.stream_of(format_args!("session:{key}:arrivals"))`.
    #[must_use]
    pub fn stream_of(self, name: fmt::Arguments<'_>) -> Stream {
        let mut folded = Folded(0xCBF2_9CE4_8422_2325);
        fmt::write(&mut folded, name).expect("folding a name into a number cannot fail");
        // FNV-1a folds the name; SplitMix64 spreads (seed, name) over the 256-bit key. Neither is
        // cryptographic: the key only has to differ, ChaCha does the mixing.
        let mut key = [0; 32];
        let mut state = self.0;
        for (i, word) in key.chunks_exact_mut(8).enumerate() {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let salt = if i % 2 == 0 { folded.0 } else { folded.0.rotate_left(32) };
            word.copy_from_slice(&splitmix(state ^ salt).to_le_bytes());
        }
        Stream { rng: ChaCha8Rng::from_seed(key) }
    }
}

/// A name folded to 64 bits by FNV-1a as it is written.
struct Folded(u64);

impl fmt::Write for Folded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = part
            .bytes()
            .fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        Ok(())
    }
}

const fn splitmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Stream {
    /// Turns to the member `index` of the 2^64 independent streams that share this stream's name: cheap
    /// random access where every item of a long series needs draws of its own (ChaCha's stream identifier).
    #[must_use]
    pub fn member(mut self, index: u64) -> Self {
        self.rng.set_stream(index);
        self.rng.set_word_pos(0);
        self
    }

    /// Writes the `out.len()` bytes of this stream that begin at byte `offset`; what was drawn before does not
    /// matter, and the next draw follows the written bytes, rounded up to a whole 32-bit word.
    pub fn bytes_at(&mut self, offset: u64, out: &mut [u8]) {
        self.rng.set_word_pos(u128::from(offset / 4));
        let skip = (offset % 4) as usize;
        if skip == 0 {
            self.rng.fill_bytes(out);
            return;
        }
        // The generator only seeks to whole words: the first one is cut by hand.
        let word = self.rng.next_u32().to_le_bytes();
        let head = out.len().min(4 - skip);
        let (first, rest) = out.split_at_mut(head);
        first.copy_from_slice(&word[skip..skip + head]);
        self.rng.fill_bytes(rest);
    }

    /// Draws 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
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

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    fn a_name_in_parts_is_the_same_name() {
        let (a, b) = (1, "x");
        assert_eq!(
            Seed(4).stream("n:1:x").next_u64(),
            Seed(4).stream_of(format_args!("n:{a}:{b}")).next_u64()
        );
    }

    #[test]
    fn members_differ_and_can_be_read_anywhere() {
        let member = |index| Seed(4).stream("series").member(index);
        assert_ne!(member(0).next_u64(), member(1).next_u64());
        let mut whole = [0; 400];
        member(7).bytes_at(0, &mut whole);
        let mut drawn = member(7);
        assert_eq!(drawn.next_u64().to_le_bytes(), whole[..8]);
        // Any offset and length, on a stream that has been used already.
        for offset in 0..70 {
            for len in [0, 1, 2, 3, 4, 5, 63, 300] {
                let mut part = [0; 300];
                drawn.bytes_at(offset as u64, &mut part[..len]);
                assert_eq!(part[..len], whole[offset..offset + len]);
            }
        }
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
