//! A histogram of delays that keeps every quantile within 0.4 %.
//!
//! Buckets are log-linear: each octave [2^k, 2^(k+1)) is cut into 128 equal ones, as in HdrHistogram. A bucket is
//! never wider than 1/128 of the values in it and answers with its middle, hence is off by at most 1/256 = 0.39 %;
//! values below 256 have a bucket each. The counts of an octave are a page of 512 bytes that comes into being with
//! the first value in it: an empty histogram is 48 bytes, one of delays between 40 and 150 ms has three pages.

mod form;

use core::fmt;
use form::HistogramForm;
use serde::{Deserialize, Serialize};

/// Buckets of an octave, as a power of two.
const SUB_BITS: u32 = 7;
const SUBS: usize = 1 << SUB_BITS;
/// One page for the values below 128, and one for each octave from 2^7 to 2^63.
const PAGES: usize = (u64::BITS - SUB_BITS + 1) as usize;
const ABSENT: u8 = u8::MAX;

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
    /// Where in `pages` the page of an octave is.
    place: [u8; PAGES],
    pages: Vec<[u32; SUBS]>,
    /// What no longer fits the 32 bits of a bucket, in units of 2^32, as (bucket, units).
    carried: Vec<(u16, u64)>,
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
        let (page, sub) = locate(value);
        if let Some(table) = &mut self.table
            && let Some(counts) = table.pages.get_mut(usize::from(table.place[page]))
        {
            match counts[sub].checked_add(1) {
                Some(count) => counts[sub] = count,
                None => table.add(page, sub, 1),
            }
            return;
        }
        self.add_first(page, sub);
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
    /// [min, max]: at most 1/256 of the value away from it. The first and the last value are exact.
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
        for (page, sub, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                let (low, high) = bounds(page, sub);
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
            for (page, sub, count) in other.buckets() {
                table.add(page, sub, count);
            }
        }
    }

    /// Iterates over the cumulative distribution: for each bucket that is not empty, in ascending order, the
    /// largest value that belongs to it (at most the maximum) and how many values are at or below that.
    pub fn cdf_points(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets().scan(0, |seen, (page, sub, count)| {
            *seen += count;
            Some((bounds(page, sub).1.min(self.max), *seen))
        })
    }

    /// The buckets with anything in them, in ascending order: page, place in the page, count.
    fn buckets(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        self.table.iter().flat_map(|table| {
            let pages = table.place.iter().enumerate().filter(|(_, place)| **place != ABSENT);
            pages.flat_map(move |(page, place)| {
                let counts = table.pages[usize::from(*place)].iter().enumerate();
                counts
                    .map(move |(sub, low)| (page, sub, u64::from(*low) + (table.carried(page, sub) << 32)))
                    .filter(|bucket| bucket.2 > 0)
            })
        })
    }

    #[cold]
    fn add_first(&mut self, page: usize, sub: usize) {
        self.table.get_or_insert_with(Table::new).add(page, sub, 1);
    }
}

impl Table {
    fn new() -> Box<Self> {
        Box::new(Self { place: [ABSENT; PAGES], pages: Vec::new(), carried: Vec::new() })
    }

    fn add(&mut self, page: usize, sub: usize, count: u64) {
        if self.place[page] == ABSENT {
            self.place[page] = u8::try_from(self.pages.len()).expect("there are 58 pages");
            // Most histograms stay at a few pages: room for the double would mostly stay unused.
            self.pages.reserve_exact(1);
            self.pages.push([0; SUBS]);
        }
        let low = &mut self.pages[usize::from(self.place[page])][sub];
        let total = u64::from(*low) + (count & u64::from(u32::MAX));
        *low = total as u32;
        let carry = (total >> 32) + (count >> 32);
        if carry > 0 {
            let name = name(page, sub);
            match self.carried.iter_mut().find(|(bucket, _)| *bucket == name) {
                Some((_, units)) => *units += carry,
                None => self.carried.push((name, carry)),
            }
        }
    }

    fn carried(&self, page: usize, sub: usize) -> u64 {
        let name = name(page, sub);
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

/// The page of a value and its place there.
#[inline]
const fn locate(value: u64) -> (usize, usize) {
    // Page 0 and page 1, the octave of 128, both have buckets one value wide.
    let octave = (value | (SUBS as u64 / 2)).ilog2() - (SUB_BITS - 1);
    let shift = octave.saturating_sub(1);
    (octave as usize, (value >> shift) as usize & (SUBS - 1))
}

/// The smallest and the largest value of a bucket.
const fn bounds(page: usize, sub: usize) -> (u64, u64) {
    if page == 0 {
        return (sub as u64, sub as u64);
    }
    let shift = page as u32 - 1;
    let low = ((SUBS + sub) as u64) << shift;
    (low, low + ((1 << shift) - 1))
}

/// One number for a bucket.
const fn name(page: usize, sub: usize) -> u16 {
    (page * SUBS + sub) as u16
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
        for page in 0..PAGES {
            for sub in 0..SUBS {
                let (low, high) = bounds(page, sub);
                assert_eq!(Some(low), next);
                assert_eq!((locate(low), locate(high)), ((page, sub), (page, sub)));
                // A bucket's middle is off by at most half its width, and that by at most 1/256.
                assert!((high - low).div_ceil(2) <= low / 256, "bucket {low}..={high}");
                next = high.checked_add(1);
            }
        }
        assert_eq!(next, None, "the last bucket ends with the largest value");
    }

    /// A million values of distributions that delays have and do not have: the exact figures are exact, and every
    /// quantile of a grid is within 1/256 of the one that sorting finds.
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
                assert!(error <= exact / 256, "{name}, quantile {step}/10000: {found} for {exact}");
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
        let delays = of(&Vec::from_iter((40..150).map(|ms| ms * 1_000_000)));
        let table = delays.table.as_ref().expect("it has values");
        let bytes = size_of::<Table>() + table.pages.capacity() * size_of::<[u32; SUBS]>();
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
