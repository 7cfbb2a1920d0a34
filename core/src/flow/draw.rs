//! Drawing the flow of a packet from the flows' shares.
//!
//! Random draws follow the paper ("randomly choose an entry from this session's flow list"): one 64-bit number,
//! compared with cumulative thresholds by binary search up to 16 flows, by the alias method (Walker 1977, Vose's
//! construction) above. Stride scheduling (Waldspurger and Weihl 1995) follows the same shares in a fixed pattern,
//! which converges faster and reorders less.

use crate::io::DrawMode;
use crate::rng::Stream;

/// Up to this many flows binary search beats the alias table (measured: 2.3 to 5 ns against 4 to 5).
const BINARY_SEARCH_MAX: usize = 16;

/// Draws flows by their shares.
#[derive(Clone, Debug)]
pub struct FlowDraw {
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    /// One flow: nothing is drawn.
    Only,
    /// `thresholds[i]` = share of flows 0..=i, scaled to 2^64; the last entry is left out (always reached).
    Thresholds(Box<[u64]>),
    /// Column i keeps its own flow below `keep`, else gives `alias`.
    Alias(Box<[(u64, u16)]>),
    /// Pass values and strides; the smallest pass is next, ties by index.
    Stride(Box<[(u64, u64)]>),
}

/// Shares that are negative, not finite, or add up to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadShares;

impl FlowDraw {
    /// Prepares draws by `shares`, which need not add up to 1.
    ///
    /// # Errors
    /// When there are none, one is negative or not finite, or all are zero.
    pub fn new(shares: &[f64], mode: DrawMode) -> Result<Self, BadShares> {
        let sum: f64 = shares.iter().sum();
        let legal = shares.iter().all(|share| share.is_finite() && *share >= 0.0);
        if shares.is_empty()
            || shares.len() > usize::from(u16::MAX)
            || !legal
            || sum <= 0.0
            || !sum.is_finite()
        {
            return Err(BadShares);
        }
        let method = match (shares.len(), mode) {
            (1, _) => Method::Only,
            (_, DrawMode::Stride) => Method::Stride(strides(shares, sum)),
            (n, DrawMode::Random) if n <= BINARY_SEARCH_MAX => Method::Thresholds(thresholds(shares, sum)),
            (_, DrawMode::Random) => Method::Alias(alias_table(shares, sum)),
        };
        Ok(Self { method })
    }

    /// Draws the index of a flow. With one flow, and by stride, nothing is taken from `stream`.
    #[inline]
    pub fn draw(&mut self, stream: &mut Stream) -> usize {
        match &mut self.method {
            Method::Only => 0,
            Method::Thresholds(thresholds) => {
                let drawn = stream.next_u64();
                thresholds.partition_point(|threshold| *threshold <= drawn)
            }
            Method::Alias(columns) => {
                // The product's high word picks the column, its low word is uniform within the column.
                let product = u128::from(stream.next_u64()) * columns.len() as u128;
                let (column, within) = ((product >> 64) as usize, product as u64);
                let (keep, alias) = columns[column];
                if within < keep { column } else { usize::from(alias) }
            }
            Method::Stride(flows) => {
                let mut next = 0;
                for (i, flow) in flows.iter().enumerate() {
                    if flow.0 < flows[next].0 {
                        next = i;
                    }
                }
                let passed = flows[next].0;
                flows[next].0 = passed.saturating_add(flows[next].1);
                // Passes only matter relative to each other; rebasing now and then keeps them far from the end.
                if passed > 1 << 62 {
                    for flow in flows.iter_mut() {
                        flow.0 = flow.0.saturating_sub(passed);
                    }
                }
                next
            }
        }
    }
}

fn thresholds(shares: &[f64], sum: f64) -> Box<[u64]> {
    let mut cumulative = 0.0;
    let last = shares.iter().rposition(|share| *share > 0.0).expect("the sum is positive");
    shares[..shares.len() - 1]
        .iter()
        .enumerate()
        .map(|(i, share)| {
            cumulative += share / sum;
            // From the last flow with a share on, rounding must not leave a gap for flows without one.
            if i >= last { u64::MAX } else { scale(cumulative) }
        })
        .collect()
}

/// Scales a probability to 2^64.
fn scale(p: f64) -> u64 {
    if p >= 1.0 { u64::MAX } else { (p * 18_446_744_073_709_551_616.0) as u64 }
}

fn alias_table(shares: &[f64], sum: f64) -> Box<[(u64, u16)]> {
    let n = shares.len();
    let mut scaled: Vec<f64> = shares.iter().map(|share| share / sum * n as f64).collect();
    let mut columns: Vec<(u64, u16)> = (0..n).map(|i| (u64::MAX, i as u16)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| scaled[*i] < 1.0);
    while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
        columns[low] = (scale(scaled[low]), high as u16);
        scaled[high] -= 1.0 - scaled[low];
        if scaled[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    columns.into_boxed_slice()
}

fn strides(shares: &[f64], sum: f64) -> Box<[(u64, u64)]> {
    // A stride is inversely proportional to the share; starting half a stride in spreads the first draws.
    shares
        .iter()
        .map(|share| {
            let share = share / sum;
            if share <= 0.0 {
                return (u64::MAX, u64::MAX);
            }
            let stride = ((1_u64 << 32) as f64 / share).min((1_u64 << 61) as f64) as u64;
            (stride / 2, stride)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn counts(shares: &[f64], mode: DrawMode, n: usize) -> Vec<u64> {
        let mut draw = FlowDraw::new(shares, mode).unwrap();
        let mut stream = Seed(11).stream("draw");
        let mut counts = vec![0; shares.len()];
        for _ in 0..n {
            counts[draw.draw(&mut stream)] += 1;
        }
        counts
    }

    /// Chi-square of `counts` against `shares`, compared with mean + 4.5 standard deviations of its distribution.
    fn assert_follows(shares: &[f64], counts: &[u64]) {
        let n = counts.iter().sum::<u64>() as f64;
        let sum: f64 = shares.iter().sum();
        let mut square = 0.0_f64;
        let mut degrees = -1.0_f64;
        for (share, count) in shares.iter().zip(counts) {
            if *share == 0.0 {
                assert_eq!(*count, 0, "a flow without share is never drawn");
                continue;
            }
            let expected = n * share / sum;
            let apart = *count as f64 - expected;
            square += apart * apart / expected;
            degrees += 1.0;
        }
        // A chi-square variable with d degrees has mean d and variance 2d; its right tail is heavier than the
        // normal one, so the bound gets another 4.5^2.
        assert!(square < degrees + 4.5 * (2.0 * degrees).sqrt() + 20.25, "chi-square {square}");
    }

    #[test]
    fn random_draws_follow_the_shares() {
        // A million draws each, by thresholds (2, 3 and 16 flows) and by the alias table (17 and 200 flows).
        for shares in [
            vec![0.7, 0.3],
            vec![5.0, 0.0, 1.0, 0.0],
            (1..=16).map(f64::from).collect::<Vec<_>>(),
            (1..=17).map(f64::from).collect(),
            (0..200).map(|i| f64::from(i % 7)).collect(),
        ] {
            assert_follows(&shares, &counts(&shares, DrawMode::Random, 1_000_000));
        }
    }

    #[test]
    fn a_wrong_draw_fails_the_same_test() {
        let shares = [0.7, 0.3];
        let drawn = counts(&[0.705, 0.295], DrawMode::Random, 1_000_000);
        let caught = std::panic::catch_unwind(|| assert_follows(&shares, &drawn));
        assert!(caught.is_err(), "an error of half a point in 10^6 draws must be seen");
    }

    #[test]
    fn strides_stay_within_one_packet_of_the_shares() {
        let shares = [0.5, 0.3, 0.2];
        let mut draw = FlowDraw::new(&shares, DrawMode::Stride).unwrap();
        let mut stream = Seed(1).stream("unused");
        let mut counts = [0.0; 3];
        for n in 1..=10_000 {
            counts[draw.draw(&mut stream)] += 1.0;
            for (count, share) in counts.iter().zip(shares) {
                assert!((count - share * f64::from(n)).abs() <= 1.0 + 1e-6);
            }
        }
    }

    #[test]
    fn one_flow_takes_nothing_from_the_stream() {
        let mut stream = Seed(1).stream("untouched");
        let first = stream.clone().next_u64();
        assert_eq!(FlowDraw::new(&[2.0], DrawMode::Random).unwrap().draw(&mut stream), 0);
        assert_eq!(stream.next_u64(), first);
    }

    #[test]
    fn bad_shares_are_refused() {
        for shares in [&[][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY, 1.0]] {
            assert_eq!(FlowDraw::new(shares, DrawMode::Random).err(), Some(BadShares));
        }
    }
}
