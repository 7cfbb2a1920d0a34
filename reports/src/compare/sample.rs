//! Two samples of runs, and what their means say about one another.

use super::student::upper_quantile;

/// Probability with which an error of the size called smallest would have been seen.
const POWER: f64 = 0.9;

/// Values of one figure over the runs of one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// How many runs have a value.
    pub(super) n: usize,
    /// Their mean.
    pub(super) mean: f64,
    /// Their median.
    pub(super) median: f64,
    /// Their variance (with n - 1); zero for one run.
    pub(super) variance: f64,
}

impl Sample {
    /// Reads values; `None` when there are none.
    pub(super) fn of(values: &[f64]) -> Option<Sample> {
        let n = values.len();
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = 0.5 * (sorted.get(n.checked_sub(1)? / 2)? + sorted.get(n / 2)?);
        // Equal values have no spread: their mean must not differ from them by a rounding.
        if sorted.first() == sorted.last() {
            return Some(Sample { n, mean: median, median, variance: 0.0 });
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some(Sample { n, mean, median, variance: squares / (n - 1) as f64 })
    }

    /// Variance of the mean.
    fn error(&self) -> f64 {
        self.variance / self.n as f64
    }

    /// Returns the half width of the range in which one more run lies with probability 1 - `level`: t s sqrt(1 + 1/n),
    /// the prediction interval of a normal distribution. `None` for one run.
    pub(super) fn range(&self, level: f64) -> Option<f64> {
        (self.n > 1).then(|| {
            let n = self.n as f64;
            upper_quantile(0.5 * level, n - 1.0) * (self.variance * (1.0 + 1.0 / n)).sqrt()
        })
    }

    /// Returns how much the median must be off to lie outside a range of this half width with the probability that
    /// "smallest error" means.
    pub(super) fn seen_beyond(&self, half: f64) -> f64 {
        // The median of a normal sample has pi/2 times the variance of its mean (in large samples).
        half + upper_quantile(1.0 - POWER, f64::INFINITY)
            * (self.error() * core::f64::consts::FRAC_PI_2).sqrt()
    }
}

/// A difference of means (or of their logarithms) with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Effect {
    /// B less A.
    pub(super) value: f64,
    /// Its standard error and degrees of freedom; `None` where a side has one run only.
    pub(super) spread: Option<(f64, f64)>,
}

impl Effect {
    /// The difference of two means. Source: B. L. Welch, "The generalization of 'Student's' problem when several
    /// different population variances are involved", Biometrika 34 (1947).
    pub(super) fn difference(a: &Sample, b: &Sample) -> Effect {
        Effect { value: b.mean - a.mean, spread: welch((a.error(), a.n), (b.error(), b.n)) }
    }

    /// The logarithm of the ratio of two means above zero, with variances by first order.
    pub(super) fn log_ratio(a: &Sample, b: &Sample) -> Effect {
        let relative = |side: &Sample| (side.error() / (side.mean * side.mean), side.n);
        Effect { value: libm::log(b.mean / a.mean), spread: welch(relative(a), relative(b)) }
    }

    /// The mean of differences of runs that belong together.
    pub(super) fn paired(differences: &[f64]) -> Option<Effect> {
        let sample = Sample::of(differences)?;
        let spread = (sample.n > 1).then(|| (sample.error().sqrt(), sample.n as f64 - 1.0));
        Some(Effect { value: sample.mean, spread })
    }

    /// Returns the half width of the interval that holds the true difference with probability 1 - `level`.
    pub(super) fn half(&self, level: f64) -> Option<f64> {
        self.spread.map(|(error, freedom)| match error {
            0.0 => 0.0,
            _ => upper_quantile(0.5 * level, freedom) * error,
        })
    }

    /// Returns by how much the difference falls short of (or passes) its true value in one of ten cases: what must be
    /// added for a power of 0.9. Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), 2.
    pub(super) fn power_margin(&self) -> Option<f64> {
        self.spread.map(|(error, freedom)| match error {
            0.0 => 0.0,
            _ => upper_quantile(1.0 - POWER, freedom) * error,
        })
    }
}

/// Standard error of a difference and its degrees of freedom (Satterthwaite), from the variances of both means.
fn welch((a, n): (f64, usize), (b, m): (f64, usize)) -> Option<(f64, f64)> {
    if n < 2 || m < 2 {
        return None;
    }
    let sum = a + b;
    let freedom = sum * sum / (a * a / (n - 1) as f64 + b * b / (m - 1) as f64);
    Some((sum.sqrt(), if sum > 0.0 { freedom } else { f64::INFINITY }))
}

/// Returns the level of each of `lines` tests so that all of them together err with probability `level` if they are
/// independent. Source: Z. Sidak, "Rectangular confidence regions for the means of multivariate normal
/// distributions", JASA 62 (1967).
pub(super) fn each_of(lines: usize, level: f64) -> f64 {
    -libm::expm1(libm::log1p(-level) / lines.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a worked example. {1..5} against {4, 6, 8}: means 3 and 6, variances 2.5 and 4, so the variance of the
    /// difference is 0.5 + 4/3 and its degrees of freedom are (11/6)^2 / (0.25/4 + (16/9)/2) = 3.5325.
    #[test]
    fn welch_by_hand() {
        let a = Sample::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("values");
        let b = Sample::of(&[4.0, 6.0, 8.0]).expect("values");
        let effect = Effect::difference(&a, &b);
        let (error, freedom) = effect.spread.expect("several runs");
        assert!((effect.value - 3.0).abs() < 1e-12 && (error * error - 11.0 / 6.0).abs() < 1e-12);
        assert!((freedom - 3.532_5).abs() < 1e-3, "{freedom}");
        assert_eq!((a.median, b.median), (3.0, 6.0));
    }

    /// Aim: equal runs have no spread at all, one run has none that is known.
    #[test]
    fn equal_runs_and_single_runs() {
        let same = Sample::of(&[0.1, 0.1, 0.1]).expect("values");
        assert_eq!((same.mean, same.variance, same.range(0.05)), (0.1, 0.0, Some(0.0)));
        assert_eq!(Effect::difference(&same, &same).half(0.05), Some(0.0));
        let one = Sample::of(&[2.0]).expect("a value");
        assert_eq!((Effect::log_ratio(&one, &same).spread, one.range(0.05)), (None, None));
        assert_eq!(Sample::of(&[]), None);
    }

    /// Aim: twenty tests of the level that is given out err together in 5 % of the cases.
    #[test]
    fn the_family_keeps_its_level() {
        assert!((1.0 - (1.0 - each_of(20, 0.05)).powi(20) - 0.05).abs() < 1e-12);
        assert!((each_of(1, 0.05) - 0.05).abs() < 1e-15);
    }
}
