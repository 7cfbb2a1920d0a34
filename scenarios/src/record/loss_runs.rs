//! Whether losses came alone or in bursts.

use super::round;
use bellini_core::stats::Histogram;
use serde::{Deserialize, Serialize};

/// Runs of consecutive symbols that were lost at a destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRuns {
    /// How many runs.
    pub count: u64,
    /// Mean length in symbols; `None` without runs.
    #[serde(serialize_with = "round::option")]
    pub mean: Option<f64>,
    /// (length in symbols, how many runs), rising; lengths above 255 stand for those up to 0.8 % shorter, too.
    pub lengths: Vec<[u64; 2]>,
}

impl LossRuns {
    /// Reads a histogram of lengths.
    #[must_use]
    pub fn of(lengths: &Histogram) -> Self {
        let mut before = 0;
        let counts = lengths.cdf_points().map(|(length, cumulative)| {
            let count = cumulative - before;
            before = cumulative;
            [length, count]
        });
        Self { count: lengths.count(), mean: lengths.mean(), lengths: counts.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_one_by_one() {
        let mut lengths = Histogram::new();
        for length in [1, 1, 1, 4, 200] {
            lengths.record(length);
        }
        let runs = LossRuns::of(&lengths);
        assert_eq!((runs.count, runs.mean), (5, Some(41.4)));
        assert_eq!(runs.lengths, [[1, 3], [4, 1], [200, 1]]);
        assert_eq!(LossRuns::of(&Histogram::new()), LossRuns::default());
    }
}
