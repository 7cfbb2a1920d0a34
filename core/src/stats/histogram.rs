//! A histogram of delays that keeps every quantile within 0.05 %.
//!
//! Buckets are log-linear: each octave [2^k, 2^(k+1)) is cut into 1,024 equal ones, as in HdrHistogram. A bucket is
//! never wider than 1/1024 of the values in it and answers with its middle, hence is off by at most 1/2048 = 0.05 %
//! (0.05 ms at 100 ms: queueing delays are judged to half a millisecond behind much longer paths); values below 2,048
//! have a bucket each. Counts lie in pages of 128 buckets, 512 bytes, that come into being with the first value in them:
//! an empty histogram is 48 bytes, one of delays between 40 and 44 ms has one page.

mod form;

use core::fmt;
use form::HistogramForm;
use serde::{Deserialize, Serialize};

/// Buckets of an octave, as a power of two.
const SUB_BITS: u32 = 10;
const SUBS: usize = 1 << SUB_BITS;
/// As many for the values below 1,024, and for each octave from 2^10 to 2^63.
const BUCKETS: usize = (u64::BITS - SUB_BITS + 1) as usize * SUBS;
/// Buckets of a page.
const PAGE: usize = 128;

/// Counts values of 64 bits, usually nanoseconds. Count, sum, mean, minimum and maximum are exact.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "HistogramForm", into = "HistogramForm")]
pub struct Histogram {
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
    table: Option<Box<Table>>,
}

#[derive(Clone)]
struct Table {
    /// Where the page is that was used last.
    recent: u16,
    /// Pages in ascending order of their numbers, which are kept apart so that a search stays in the cache.
    numbers: Vec<u16>,
    pages: Vec<[u32; PAGE]>,
    /// What no longer fits the 32 bits of a bucket, in units of 2^32, as (bucket, units).
    carried: Vec<(u32, u64)>,
}

impl Histogram {
    /// Returns an empty histogram; it allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, sum: 0, min: u64::MAX, max: 0, table: None }
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let bucket = locate(value);
        if let Some(table) = &mut self.table {
            let recent = usize::from(table.recent);
            if table.numbers.get(recent).is_some_and(|number| usize::from(*number) == bucket / PAGE) {
                let count = &mut table.pages[recent][bucket % PAGE];
                if let Some(more) = count.checked_add(1) {
                    *count = more;
                    return;
                }
            }
        }
        self.add_elsewhere(bucket);
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how many values were recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of all values.
    #[must_use]
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// Returns the mean (of the values, not of the buckets), or `None` when empty.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Returns the smallest value, or `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// Returns the largest value, or `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Returns the `q`-quantile, or `None` when empty.
    ///
    /// By the nearest-rank rule it stands for the *r*-th smallest of the *n* values, *r* = max(1, ceil(*q* *n*)),
    /// where *q* *n* is first lowered by the two roundings that it went through (a relative 2^-51), so that the
    /// 0.07-quantile of 100 values is the seventh. The answer is the middle of that value's bucket, moved into
    /// [min, max]: at most 1/2048 of the value away from it. The first and the last value are exact.
    ///
    /// # Panics
    /// If `q` is not within [0, 1].
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        assert!((0.0..=1.0).contains(&q), "{q} is not a quantile");
        if self.count == 0 {
            return None;
        }
        let rank = libm::ceil(q * self.count as f64 * (1.0 - f64::EPSILON * 2.0)) as u64;
        if rank <= 1 {
            return Some(self.min);
        }
        if rank >= self.count {
            return Some(self.max);
        }
        let mut seen = 0;
        for (bucket, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                let (low, high) = bounds(bucket);
                return Some((low + (high - low) / 2).clamp(self.min, self.max));
            }
        }
        unreachable!("the buckets hold all {} values", self.count)
    }

    /// Adds all that `other` has recorded, as if it had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.table.is_some() {
            let table = self.table.get_or_insert_with(Table::new);
            for (bucket, count) in other.buckets() {
                table.add(bucket, count);
            }
        }
    }

    /// Iterates over the cumulative distribution: for each bucket that is not empty, in ascending order, the
    /// largest value that belongs to it (at most the maximum) and how many values are at or below that.
    pub fn cdf_points(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets().scan(0, |seen, (bucket, count)| {
            *seen += count;
            Some((bounds(bucket).1.min(self.max), *seen))
        })
    }

    /// The buckets with anything in them, in ascending order, with their counts.
    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.table.iter().flat_map(|table| {
            table.numbers.iter().zip(&table.pages).flat_map(move |(number, counts)| {
                let first = usize::from(*number) * PAGE;
                counts
                    .iter()
                    .enumerate()
                    .map(move |(i, low)| (first + i, u64::from(*low) + (table.carried(first + i) << 32)))
                    .filter(|(_, count)| *count > 0)
            })
        })
    }

    #[inline(never)]
    fn add_elsewhere(&mut self, bucket: usize) {
        self.table.get_or_insert_with(Table::new).add(bucket, 1);
    }
}

impl Table {
    fn new() -> Box<Self> {
        Box::new(Self { recent: 0, numbers: Vec::new(), pages: Vec::new(), carried: Vec::new() })
    }

    fn add(&mut self, bucket: usize, count: u64) {
        let number = (bucket / PAGE) as u16;
        let place = match self.numbers.binary_search(&number) {
            Ok(place) => place,
            Err(place) => {
                // Most histograms stay at a few pages: room for the double would mostly stay unused.
                self.numbers.reserve_exact(1);
                self.pages.reserve_exact(1);
                self.numbers.insert(place, number);
                self.pages.insert(place, [0; PAGE]);
                place
            }
        };
        self.recent = place as u16;
        let low = &mut self.pages[place][bucket % PAGE];
        let total = u64::from(*low) + (count & u64::from(u32::MAX));
        *low = total as u32;
        let carry = (total >> 32) + (count >> 32);
        if carry > 0 {
            let name = bucket as u32;
            match self.carried.iter_mut().find(|(bucket, _)| *bucket == name) {
                Some((_, units)) => *units += carry,
                None => self.carried.push((name, carry)),
            }
        }
    }

    fn carried(&self, bucket: usize) -> u64 {
        let name = bucket as u32;
        self.carried.iter().find(|(bucket, _)| *bucket == name).map_or(0, |(_, units)| *units)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Histogram");
        fields.field("count", &self.count).field("min", &self.min()).field("mean", &self.mean());
        fields.field("max", &self.max()).finish_non_exhaustive()
    }
}

/// The bucket of a value.
#[inline]
const fn locate(value: u64) -> usize {
    // The values below 1,024 and the octave of 1,024 both have buckets one value wide.
    let octave = (value | (SUBS as u64 / 2)).ilog2() - (SUB_BITS - 1);
    let shift = octave.saturating_sub(1);
    octave as usize * SUBS + ((value >> shift) as usize & (SUBS - 1))
}

/// The smallest and the largest value of a bucket.
const fn bounds(bucket: usize) -> (u64, u64) {
    let (octave, sub) = (bucket / SUBS, bucket % SUBS);
    if octave == 0 {
        return (sub as u64, sub as u64);
    }
    let shift = octave as u32 - 1;
    let low = ((SUBS + sub) as u64) << shift;
    (low, low + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, Stream};

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&value| histogram.record(value));
        histogram
    }

    /// Every bucket begins where the one before it ends, from 0 to the largest value, and both of its ends are
    /// found in it again.
    #[test]
    fn buckets_cover_all_values_without_gap() {
        let mut next = Some(0);
        for bucket in 0..BUCKETS {
            let (low, high) = bounds(bucket);
            assert_eq!(Some(low), next);
            assert_eq!((locate(low), locate(high)), (bucket, bucket));
            // A bucket's middle is off by at most half its width, and that by at most 1/2048.
            assert!((high - low).div_ceil(2) <= low / 2_048, "bucket {low}..={high}");
            next = high.checked_add(1);
        }
        assert_eq!(next, None, "the last bucket ends with the largest value");
    }

    /// A million values of distributions that delays have and do not have: the exact figures are exact, and every
    /// quantile of a grid is within 1/2048 of the one that sorting finds.
    #[test]
    fn quantiles_agree_with_sorting() {
        type Draw = fn(&mut Stream) -> u64;
        let distributions: [(&str, Draw); 5] = [
            ("uniform", |s| 40_000_000 + s.below(110_000_000)),
            ("exponential", |s| s.exponential(3e6) as u64),
            ("log-normal", |s| libm::exp(17.0 + 2.0 * s.normal()) as u64),
            ("two delays", |s| if s.chance(0.5) { 7 } else { 250_000_000 + s.below(3) }),
            ("all scales", |s| s.next_u64() >> s.below(64)),
        ];
        for (name, draw) in distributions {
            let mut stream = Seed(11).stream(name);
            let mut values: Vec<u64> = (0..1_000_000).map(|_| draw(&mut stream)).collect();
            let histogram = of(&values);
            values.sort_unstable();
            let sum: u128 = values.iter().map(|&v| u128::from(v)).sum();
            assert_eq!((histogram.count(), histogram.sum()), (1_000_000, sum));
            assert_eq!((histogram.min(), histogram.max()), (values.first().copied(), values.last().copied()));
            assert_eq!(histogram.mean(), Some(sum as f64 / 1e6));
            for step in 0..=10_000_u64 {
                let exact = values[(step * 100).saturating_sub(1) as usize];
                let found = histogram.quantile(step as f64 / 10_000.0).expect("it is not empty");
                let error = found.abs_diff(exact);
                assert!(error <= exact / 2_048, "{name}, quantile {step}/10000: {found} for {exact}");
            }
            for (upper, below) in histogram.cdf_points() {
                assert_eq!(below, values.partition_point(|&v| v <= upper) as u64, "{name}, up to {upper}");
            }
        }
    }

    /// Merging parts, in whatever order their pages came into being, gives what recording all would have.
    #[test]
    fn merging_is_recording_all() {
        let mut stream = Seed(12).stream("merge");
        let values: Vec<u64> = (0..100_000).map(|_| stream.next_u64() >> stream.below(64)).collect();
        let whole = of(&values);
        let mut merged = Histogram::new();
        merged.merge(&Histogram::new());
        assert!(merged.is_empty());
        for part in values.chunks(7_001) {
            merged.merge(&of(part));
        }
        merged.merge(&Histogram::new());
        assert!(merged.cdf_points().eq(whole.cdf_points()));
        assert_eq!((merged.count(), merged.sum()), (whole.count(), whole.sum()));
        assert_eq!((merged.min(), merged.max()), (whole.min(), whole.max()));
    }

    #[test]
    fn ranks_are_nearest_ranks() {
        assert_eq!(Histogram::new().quantile(0.5), None);
        assert_eq!(Histogram::new().mean(), None);
        let hundred = of(&Vec::from_iter(1..=100));
        for percent in 1..=100 {
            assert_eq!(hundred.quantile(percent as f64 / 100.0), Some(percent));
        }
        assert_eq!(hundred.quantile(0.0), Some(1));
        assert_eq!(hundred.quantile(0.071), Some(8));
        // The ends are exact even where buckets are wide.
        let wide = of(&[1_000_001, 1_000_003, u64::MAX]);
        assert_eq!((wide.quantile(0.1), wide.quantile(1.0)), (Some(1_000_001), Some(u64::MAX)));
    }

    #[test]
    #[should_panic(expected = "is not a quantile")]
    fn a_quantile_is_no_percentage() {
        let _ = Histogram::new().quantile(95.0);
    }

    /// A bucket that outgrows its 32 bits, by recording and by merging, loses nothing.
    #[test]
    fn counts_beyond_32_bits_are_kept() {
        let mut histogram = of(&[5, 5, 9]);
        // Doubling 31 times brings the bucket of 5 to 2^32, where the low half wraps.
        for _ in 0..31 {
            let half = histogram.clone();
            histogram.merge(&half);
        }
        let mut full = of(&[5]);
        full.table.as_mut().expect("it has a value").pages[0][5] = u32::MAX;
        full.count = u64::from(u32::MAX);
        full.record(5);
        assert!(full.cdf_points().eq([(5, 1 << 32)]));
        histogram.merge(&full);
        assert!(histogram.cdf_points().eq([(5, 2 << 32), (9, (2 << 32) + (1 << 31))]));
        assert_eq!(histogram.quantile(0.79), Some(5));
        assert_eq!(histogram.quantile(0.81), Some(9));
    }

    #[test]
    fn memory_follows_use() {
        assert!(size_of::<Histogram>() <= 64);
        let bytes = |millis: std::ops::Range<u64>| {
            let delays = of(&Vec::from_iter(millis.map(|ms| ms * 1_000_000)));
            let table = delays.table.as_ref().expect("it has values");
            let lists = table.pages.capacity() * size_of::<[u32; PAGE]>() + table.numbers.capacity() * 2;
            size_of::<Table>() + lists
        };
        assert!(bytes(40..41) <= 640, "{} bytes", bytes(40..41));
        assert!(bytes(40..150) <= 10_240, "{} bytes", bytes(40..150));
    }
}
