//! Curves over one or several runs: means, bands, sums, and fewer points.

use crate::stats::Interval;
use bellini_scenarios::record::{Run, Scope};
use std::collections::BTreeMap;

/// One metric of one thing in time, over all runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curves {
    /// Mean over the runs that have a value at that time.
    pub(crate) mean: Vec<(f64, f64)>,
    /// 95 % interval of the mean: t, low, high; empty for one run.
    pub(crate) interval: Vec<(f64, f64, f64)>,
    /// Least and greatest run: t, low, high; empty for one run.
    pub(crate) range: Vec<(f64, f64, f64)>,
}

impl Curves {
    /// Returns the curve of one metric of one thing; empty when no run recorded it.
    pub(crate) fn of(runs: &[Run], scope: Scope, id: &str, metric: &str) -> Curves {
        Curves::over(runs.iter().filter_map(|run| run.series.curve(scope, id, metric).map(Vec::as_slice)))
    }

    /// Returns the curve of the sum of one metric over the things with these ids.
    pub(crate) fn sum(runs: &[Run], scope: Scope, ids: &[String], metric: &str) -> Curves {
        let sums: Vec<_> = runs
            .iter()
            .map(|run| {
                let mut sum = BTreeMap::new();
                for (t, value) in ids.iter().filter_map(|id| run.series.curve(scope, id, metric)).flatten() {
                    *sum.entry(key(*t)).or_insert(0.0) += value;
                }
                sum.into_iter().map(|(t, value)| (t as f64 / 1e6, value)).collect::<Vec<_>>()
            })
            .collect();
        Curves::over(sums.iter().map(Vec::as_slice))
    }

    /// Returns mean and bands over curves.
    pub(crate) fn over<'a>(curves: impl Iterator<Item = &'a [(f64, f64)]>) -> Curves {
        let mut at: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        let mut several = false;
        for (index, curve) in curves.enumerate() {
            several |= index > 0;
            for (t, value) in curve {
                at.entry(key(*t)).or_default().push(*value);
            }
        }
        let mut out = Curves::default();
        for (t, values) in at {
            let (t, Some(figure)) = (t as f64 / 1e6, Interval::of(&values)) else { continue };
            out.mean.push((t, figure.mean));
            if several {
                let half = figure.half.unwrap_or(0.0);
                out.interval.push((t, (figure.mean - half).max(0.0), figure.mean + half));
                out.range.push((t, figure.min, figure.max));
            }
        }
        out
    }

    /// Returns the greatest mean.
    pub(crate) fn peak(&self) -> f64 {
        self.mean.iter().map(|point| point.1).fold(0.0, f64::max)
    }

    /// Returns the mean over time.
    pub(crate) fn average(&self) -> f64 {
        if self.mean.is_empty() {
            return 0.0;
        }
        self.mean.iter().map(|point| point.1).sum::<f64>() / self.mean.len() as f64
    }
}

/// Returns the ids of a scope that have a metric, in any run, in the order of their numbers.
pub(crate) fn ids(runs: &[Run], scope: Scope, metric: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        runs.iter().flat_map(|run| run.series.of(scope, metric).map(|(id, _)| id.to_owned())).collect();
    ids.sort_by_cached_key(|id| (numbers(id), id.clone()));
    ids.dedup();
    ids
}

/// Keeps at most about `most` points of a curve: the least and the greatest of each stretch, so that no peak is lost.
pub(crate) fn thin(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let mut out = Vec::with_capacity(most + 2);
    for stretch in points.chunks(points.len().div_ceil(most / 2)) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (stretch.iter().min_by(by_value), stretch.iter().max_by(by_value))
        else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        out.push(*first);
        if first != second {
            out.push(*second);
        }
    }
    // The ends stay, so that lines begin and end where the data does.
    for (end, at) in [(points.first(), 0), (points.last(), out.len())] {
        if let Some(end) = end
            && !out.contains(end)
        {
            out.insert(at.min(out.len()), *end);
        }
    }
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

/// Times as whole microseconds, as exact as records are: runs are joined on them.
fn key(t_s: f64) -> i64 {
    (t_s * 1e6).round() as i64
}

/// The numbers in an id, for an order in which 2 comes before 10.
fn numbers(id: &str) -> Vec<u64> {
    id.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bands hold the mean and every run; a time that one run lacks counts the others only.
    #[test]
    fn bands_over_runs() {
        let runs = [vec![(1.0, 1.0), (2.0, 4.0)], vec![(1.0, 3.0)], vec![(1.0, 2.0), (2.0, 2.0)]];
        let curves = Curves::over(runs.iter().map(Vec::as_slice));
        assert_eq!(curves.mean, [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(curves.range, [(1.0, 1.0, 3.0), (2.0, 2.0, 4.0)]);
        for ((_, mean), (_, low, high)) in curves.mean.iter().zip(&curves.interval) {
            assert!(low < mean && mean < high);
        }
        let one = Curves::over(runs[..1].iter().map(Vec::as_slice));
        assert!(one.interval.is_empty() && one.range.is_empty());
    }

    /// Thinning keeps ends, order and the single peak of a long curve.
    #[test]
    fn thinning_keeps_peaks() {
        let mut points: Vec<_> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 9.0;
        let thinned = thin(&points, 400);
        assert!(thinned.len() <= 402, "{}", thinned.len());
        assert!(thinned.contains(&(54_321.0, 9.0)));
        assert_eq!((thinned.first(), thinned.last()), (points.first(), points.last()));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
