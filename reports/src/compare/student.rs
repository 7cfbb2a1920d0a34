//! Quantiles of Student's t distribution at any level and any degrees of freedom.

/// Most terms of the continued fraction; it converges in about the square root of its larger argument.
const TERMS_MAX: u32 = 10_000;

/// Returns the t for which a variable with `freedom` > 0 degrees of freedom lies above it with probability `tail`
/// (0 < `tail` < 0.5). An infinite `freedom` gives the normal distribution.
///
/// The upper tail is half of the regularised incomplete beta function, I_x(v/2, 1/2) at x = v/(v + t^2). Source:
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.27; solved by bisection to full precision.
pub(super) fn upper_quantile(tail: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while upper_tail(high, freedom) > tail && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if upper_tail(middle, freedom) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

fn upper_tail(t: f64, freedom: f64) -> f64 {
    // From here on the two distributions agree to more digits than the continued fraction gives.
    if freedom > 1e7 {
        return 0.5 * libm::erfc(t / core::f64::consts::SQRT_2);
    }
    0.5 * beta(freedom / (freedom + t * t), 0.5 * freedom, 0.5)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction on the side where that converges
/// fast. Source: Abramowitz and Stegun, 26.5.8 and 26.5.2.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let log =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    libm::exp(log) / (a * fraction(x, a, b))
}

/// 1 + d1/(1 + d2/(1 + ..)), evaluated from the front (the method of Lentz).
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for term in 1..TERMS_MAX {
        let m = f64::from(term / 2);
        let coefficient = if term.is_multiple_of(2) {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 + coefficient * d;
        c = 1.0 + coefficient / c;
        d = 1.0 / if d.abs() < TINY { TINY } else { d };
        if c.abs() < TINY {
            c = TINY;
        }
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: printed tables, from one degree of freedom to the normal distribution, and far tails.
    #[test]
    fn agrees_with_printed_tables() {
        for (tail, freedom, expected) in [
            (0.025, 1.0, 12.706_2),
            (0.025, 4.0, 2.776_4),
            (0.1, 4.0, 1.533_2),
            (0.025, 30.0, 2.042_3),
            (0.0005, 10.0, 4.586_9),
            (0.005, 120.0, 2.617_4),
            (0.025, f64::INFINITY, 1.959_96),
            (0.025, 1e6, 1.959_97),
            (0.000_05, 1.0, 6_366.2),
        ] {
            let found = upper_quantile(tail, freedom);
            assert!((found / expected - 1.0).abs() < 3e-5, "{tail} {freedom}: {found}, not {expected}");
        }
    }
}
