//! Decimal text to scaled integers without rounding through floating point.

/// Returns `text` times 10^`places` as an integer, or `None` when it is not a plain decimal number
/// (`203`, `90.625`), has more than `places` digits after the point that count, or does not fit.
pub(super) fn scaled(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > places || !digits(whole) || !digits(fraction) {
        return None;
    }
    let padding = 10_u64.checked_pow(u32::try_from(places - fraction.len()).ok()?)?;
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let unit = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(fraction.checked_mul(padding)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_exactly_and_refuses_what_it_cannot() {
        assert_eq!(scaled("203", 6), Some(203_000_000));
        assert_eq!(scaled("90.625", 6), Some(90_625_000));
        assert_eq!(scaled("0.1", 1), Some(1));
        assert_eq!(scaled("1.50", 1), Some(15));
        for bad in ["", ".5", "-1", "1e3", "1.25x", "18446744073709551616", "1.234"] {
            assert_eq!(scaled(bad, 2), None, "{bad}");
        }
    }
}
