//! Rounding, so that records are the same bytes everywhere.

use serde::{Serializer, ser::Error};

/// Decimals that every recorded float keeps.
const DECIMALS: f64 = 1e6;
/// From here on a float has no digit at the sixth decimal that rounding could remove.
const EXACT: f64 = 4_503_599_627.0;

/// Rounds to six decimals, halves away from zero; negative zero becomes zero.
pub(super) fn six(value: f64) -> f64 {
    if value.abs() >= EXACT {
        return value;
    }
    // IEEE multiplication, rounding and division are exact operations: the same result on every machine.
    (value * DECIMALS).round() / DECIMALS + 0.0
}

/// Serialises a float rounded to six decimals.
///
/// # Errors
/// When the value is not finite: JSON has no such number, and null would say that no value exists.
pub(super) fn float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return Err(S::Error::custom(format!("{value} is not a finite number")));
    }
    serializer.serialize_f64(six(*value))
}

/// Serialises an optional float rounded to six decimals, null when there is none.
///
/// # Errors
/// As [`float`].
pub(super) fn option<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => float(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// Serialises a pair of floats, each rounded to six decimals.
///
/// # Errors
/// As [`float`].
pub(super) fn pair<S: Serializer>(value: &[f64; 2], serializer: S) -> Result<S::Ok, S::Error> {
    if !value.iter().all(|part| part.is_finite()) {
        return Err(S::Error::custom(format!("{value:?} is not a pair of finite numbers")));
    }
    serializer.collect_seq(value.map(six))
}

/// Serialises an optional pair, null when there is none.
///
/// # Errors
/// As [`float`].
pub(super) fn option_pair<S: Serializer>(value: &Option<[f64; 2]>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => pair(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding keeps six decimals, is idempotent, and leaves no negative zero.
    #[test]
    fn six_decimals() {
        for (value, rounded) in [
            (0.1 + 0.2, "0.3"),
            (1.234_567_89, "1.234568"),
            (-1e-9, "0"),
            (12.0, "12"),
            (-2.5e-6, "-0.000003"),
        ] {
            assert_eq!(format!("{}", six(value)), rounded);
            assert_eq!(six(six(value)).to_bits(), six(value).to_bits());
        }
        assert_eq!(six(1e15 + 0.5), 1e15 + 0.5);
    }
}
