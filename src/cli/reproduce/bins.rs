//! What is read out of series of equal intervals: variation, settling, quantiles.

/// Returns the mean, `None` without values.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the `q`-quantile (0 to 1), interpolated between the nearest values; `None` without values.
pub(super) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// Returns the coefficient of variation: standard deviation (of these values as a whole population) over mean; `None`
/// without values or with mean 0.
pub(super) fn variation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|mean| *mean > 0.0)?;
    let square =
        values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / values.len() as f64;
    Some(square.sqrt() / mean)
}

/// Returns how many intervals it takes until a value is within `part` of `target`, that one included: 1 when the
/// first one is. `None`: none is.
pub(super) fn settling(values: &[f64], target: f64, part: f64) -> Option<usize> {
    values.iter().position(|value| (value - target).abs() <= part * target).map(|index| index + 1)
}

/// Returns the mean of several series, interval by interval, as far as all of them reach.
pub(super) fn mean_series(all: &[Vec<f64>]) -> Vec<f64> {
    let length = all.iter().map(Vec::len).min().unwrap_or(0);
    (0..length).map(|i| all.iter().map(|series| series[i]).sum::<f64>() / all.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: definitions, on series made up for it.
    #[test]
    fn made_up_series() {
        assert_eq!((mean(&[1.0, 2.0, 6.0]), mean(&[])), (Some(3.0), None));
        assert_eq!((quantile(&[9.0, 1.0, 2.0], 0.5), quantile(&[4.0, 1.0], 0.5)), (Some(2.0), Some(2.5)));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[0.0, 10.0, 20.0, 30.0, 40.0], 0.25), Some(10.0));
        // 5 and 15 in turn: mean 10, deviation 5.
        assert_eq!(variation(&[5.0, 15.0, 5.0, 15.0]), Some(0.5));
        assert_eq!((variation(&[]), variation(&[0.0, 0.0])), (None, None));
        assert_eq!(mean_series(&[vec![1.0, 3.0, 9.0], vec![3.0, 5.0]]), [2.0, 4.0]);
    }

    /// Aim: the periodic columns of the reference settle after the seconds that it says: 3 down, 7 up.
    #[test]
    fn settling_as_the_reference_counts_it() {
        assert_eq!(settling(&[98.0, 65.0, 48.0, 45.0], 44.4, 0.1), Some(3));
        assert_eq!(settling(&[46.0, 62.0, 72.0, 85.0, 93.0, 100.0, 106.0], 112.3, 0.1), Some(7));
        assert_eq!(settling(&[10.0, 20.0], 44.4, 0.1), None);
    }
}
