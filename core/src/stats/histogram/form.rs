//! How a histogram crosses a process boundary: its exact figures, and the buckets that are not empty.

use super::{BUCKETS, Histogram, Table};
use serde::{Deserialize, Serialize};

/// A histogram, written out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistogramForm {
    /// How many values.
    count: u64,
    /// Their sum, high and low 64 bits.
    sum: (u64, u64),
    /// The smallest.
    min: u64,
    /// The largest.
    max: u64,
    /// (number, count) of each bucket, ascending.
    buckets: Vec<(u32, u64)>,
}

impl From<Histogram> for HistogramForm {
    fn from(histogram: Histogram) -> Self {
        let buckets = histogram.buckets().map(|(bucket, count)| (bucket as u32, count)).collect();
        let sum = ((histogram.sum >> 64) as u64, histogram.sum as u64);
        Self { count: histogram.count, sum, min: histogram.min, max: histogram.max, buckets }
    }
}

impl TryFrom<HistogramForm> for Histogram {
    type Error = &'static str;

    fn try_from(form: HistogramForm) -> Result<Self, Self::Error> {
        let mut counted = 0_u64;
        let mut table = None;
        for &(bucket, count) in &form.buckets {
            let bucket = bucket as usize;
            if bucket >= BUCKETS {
                return Err("a histogram names a bucket that there is not");
            }
            counted = counted.checked_add(count).ok_or("a histogram's counts add up to too much")?;
            table.get_or_insert_with(Table::new).add(bucket, count);
        }
        if counted != form.count {
            return Err("a histogram's buckets do not hold all of its values");
        }
        let sum = u128::from(form.sum.0) << 64 | u128::from(form.sum.1);
        Ok(Self { count: form.count, sum, min: form.min, max: form.max, table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever was recorded is there again; a form that does not add up is refused.
    #[test]
    fn a_histogram_survives_the_way_and_a_broken_one_is_refused() {
        let mut histogram = Histogram::new();
        for value in [0, 1, 127, 128, 40_000_000, 40_000_001, u64::MAX, u64::MAX] {
            histogram.record(value);
        }
        let back = Histogram::try_from(HistogramForm::from(histogram.clone())).expect("adds up");
        assert!(back.cdf_points().eq(histogram.cdf_points()));
        assert_eq!((back.sum(), back.min(), back.max()), (histogram.sum(), histogram.min(), histogram.max()));
        let empty = Histogram::try_from(HistogramForm::from(Histogram::new())).expect("adds up");
        assert!(empty.is_empty() && empty.table.is_none());
        let form = HistogramForm::from(histogram);
        assert!(Histogram::try_from(HistogramForm { count: 3, ..form.clone() }).is_err());
        assert!(Histogram::try_from(HistogramForm { buckets: vec![(BUCKETS as u32, 8)], ..form }).is_err());
    }
}
