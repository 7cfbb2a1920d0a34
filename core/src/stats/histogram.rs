//! Distribution of delays in bounded memory.

/// Sub-buckets an octave is cut into.
const SUB: usize = 128;
const SUB_BITS: u32 = SUB.trailing_zeros();
/// Pages: values below `SUB`, then one for each octave.
const PAGES: usize = (u64::BITS - SUB_BITS) as usize + 1;

/// A log-linear histogram of nanoseconds: each octave is cut into 128 equal buckets, so that a value is known to
/// 0.4 % (below 128 exactly). Count, sum, smallest and largest are exact. Memory comes as values do: 1 KiB for
/// each octave that holds any.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pages: Vec<Option<Box<[u64; SUB]>>>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Notes a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let (page, bucket) = place(value);
        if let Some(Some(counts)) = self.pages.get_mut(page) {
            counts[bucket] += 1;
        } else {
            self.add(page, bucket, 1);
        }
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += u128::from(value);
    }

    #[cold]
    fn add(&mut self, page: usize, bucket: usize, count: u64) {
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        self.pages[page].get_or_insert_with(|| Box::new([0; SUB]))[bucket] += count;
    }

    /// Returns how many values were noted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Returns the smallest value.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// Returns the largest value.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Returns the smallest value such that a share `q` (0 to 1) of all values is at or below it.
    ///
    /// It is the value of rank ceil(q n), at least 1, known to its bucket: the bucket's middle, or the exact
    /// smallest or largest value where that lies closer in.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (libm::ceil(q * self.count as f64) as u64).clamp(1, self.count);
        let mut passed = 0;
        for (low, width, count) in self.buckets() {
            passed += count;
            if passed >= rank {
                return Some((low + width / 2).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        for (page, counts) in other.pages.iter().enumerate() {
            for (bucket, count) in counts.iter().flat_map(|counts| counts.iter().enumerate()) {
                if *count > 0 {
                    self.add(page, bucket, *count);
                }
            }
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Returns the distribution function as steps: (upper end of a bucket, values at or below it).
    pub fn cdf_points(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets().scan(0, move |passed, (low, width, count)| {
            *passed += count;
            Some(((low + (width - 1)).min(self.max), *passed))
        })
    }

    /// Returns (lowest value, width, count) of each bucket that holds any, ascending.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.pages.iter().enumerate().flat_map(|(page, counts)| {
            let counts = counts.as_ref().map_or(&[][..], |counts| &counts[..]);
            counts.iter().enumerate().filter(|(_, count)| **count > 0).map(move |(bucket, count)| {
                let width = 1_u64 << page.saturating_sub(1);
                let low = if page == 0 { bucket as u64 } else { (SUB + bucket) as u64 * width };
                (low, width, *count)
            })
        })
    }
}

/// Returns the page and bucket of a value.
#[inline]
fn place(value: u64) -> (usize, usize) {
    if value < SUB as u64 {
        return (0, value as usize);
    }
    let shift = value.ilog2() - SUB_BITS;
    let page = shift as usize + 1;
    debug_assert!(page < PAGES);
    (page, (value >> shift) as usize & (SUB - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn quantiles_stay_within_four_tenths_of_a_percent() {
        // 10^6 exponential, uniform and constant values against exact sorting, at every hundredth.
        for kind in 0..3 {
            let mut stream = Seed(8).stream("histogram");
            let mut histogram = Histogram::default();
            let mut values: Vec<u64> = (0..1_000_000)
                .map(|_| match kind {
                    0 => stream.exponential(40e6) as u64,
                    1 => stream.below(300),
                    _ => 123_456_789,
                })
                .collect();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            for percent in 0..=100 {
                let q = f64::from(percent) / 100.0;
                let rank = ((q * 1e6).ceil() as usize).clamp(1, values.len());
                let (exact, found) = (values[rank - 1] as f64, histogram.quantile(q).unwrap() as f64);
                assert!((found - exact).abs() <= exact * 0.004, "q {q}: {found} against {exact}");
            }
            assert_eq!((histogram.min(), histogram.max()), (values.first().copied(), values.last().copied()));
            let mean = values.iter().sum::<u64>() as f64 / 1e6;
            assert!((histogram.mean().unwrap() - mean).abs() < 1e-6 * mean);
        }
    }

    #[test]
    fn merging_is_the_same_as_recording_all() {
        let (mut a, mut b, mut all) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in (0..60).map(|shift| 3_u64 << shift) {
            if value % 5 == 0 {
                a.record(value)
            } else {
                b.record(value)
            }
            all.record(value);
        }
        a.merge(&b);
        a.merge(&Histogram::default());
        assert_eq!(a.cdf_points().collect::<Vec<_>>(), all.cdf_points().collect::<Vec<_>>());
        assert_eq!((a.count(), a.min(), a.max(), a.mean()), (all.count(), all.min(), all.max(), all.mean()));
    }

    #[test]
    fn distribution_points_rise_to_the_count() {
        let mut histogram = Histogram::default();
        for value in [0, 5, 5, 1 << 40, u64::MAX] {
            histogram.record(value);
        }
        let points: Vec<_> = histogram.cdf_points().collect();
        assert_eq!(points.first(), Some(&(0, 1)));
        assert_eq!(points.last(), Some(&(u64::MAX, 5)));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
