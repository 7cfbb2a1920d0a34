//! Means and confidence intervals over runs.

/// A figure over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Mean.
    pub mean: f64,
    /// Half width of the 95 % confidence interval of the mean by Student's t distribution; `None` for one value.
    pub half: Option<f64>,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Number of values.
    pub n: usize,
}

impl Interval {
    /// Returns the figure for these values, `None` when there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Interval> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let half = (n > 1).then(|| {
            let variance =
                values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1) as f64;
            student_975(n - 1) * (variance / n as f64).sqrt()
        });
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Interval { mean, half, min, max, n })
    }
}

/// Returns the 97.5 % quantile of Student's t distribution with `freedom` >= 1 degrees of freedom: exact to three
/// decimals up to 10, then by its expansion around the normal quantile z,
/// `z + (z^3 + z)/(4 v) + (5 z^5 + 16 z^3 + 3 z)/(96 v^2) + (3 z^7 + 19 z^5 + 17 z^3 - 15 z)/(384 v^3)`, good to 0.001.
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
pub(crate) fn student_975(freedom: usize) -> f64 {
    const SMALL: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    if let Some(quantile) = SMALL.get(freedom - 1) {
        return *quantile;
    }
    let (z, v) = (1.959_964_f64, freedom as f64);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles agree with printed tables; the expansion joins the table smoothly.
    #[test]
    fn quantiles() {
        for (freedom, quantile) in
            [(1, 12.706), (10, 2.228), (11, 2.201), (20, 2.086), (30, 2.042), (120, 1.980)]
        {
            assert!((student_975(freedom) - quantile).abs() < 0.001, "{freedom}: {}", student_975(freedom));
        }
    }

    /// A worked example: 1..5 has mean 3, standard error sqrt(0.5), t(4) = 2.776.
    #[test]
    fn an_interval() {
        let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("there are values");
        assert_eq!((interval.mean, interval.min, interval.max, interval.n), (3.0, 1.0, 5.0, 5));
        assert!((interval.half.expect("several values") - 2.776 * 0.5_f64.sqrt()).abs() < 1e-9);
        assert_eq!(Interval::of(&[2.0]).expect("one value").half, None);
        assert_eq!(Interval::of(&[]), None);
    }
}
