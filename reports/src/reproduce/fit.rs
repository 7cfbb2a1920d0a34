//! Straight lines through points.

use crate::stats::student_975;

/// A line by ordinary least squares, with 95 % intervals by Student's t distribution with n - 2 degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Change of y for one unit of x.
    pub slope: f64,
    /// Half width of its interval.
    pub slope_half: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// Half width of its interval.
    pub intercept_half: f64,
    /// Part of the variance of y that the line explains, 0 to 1.
    pub r_squared: f64,
}

impl Fit {
    /// Fits a line to points; `None` for fewer than three, or when all have the same x or the same y.
    #[must_use]
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len();
        if count < 3 {
            return None;
        }
        let n = count as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum =
            |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(px, py)| of(px - x, py - y)).sum::<f64>();
        let (xx, xy, yy) = (sum(&|dx, _| dx * dx), sum(&|dx, dy| dx * dy), sum(&|_, dy| dy * dy));
        if xx <= 0.0 || yy <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let intercept = y - slope * x;
        let rest: f64 =
            points.iter().map(|(px, py)| py - intercept - slope * px).map(|error| error * error).sum();
        let variance = rest / (n - 2.0);
        let t = student_975(count - 2);
        Some(Self {
            slope,
            slope_half: t * (variance / xx).sqrt(),
            intercept,
            intercept_half: t * (variance * (1.0 / n + x * x / xx)).sqrt(),
            r_squared: (1.0 - rest / yy).clamp(0.0, 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the textbook formulas, worked by hand: x = 1..5, y = 2, 4, 5, 4, 5 has slope 0.6, intercept 2.2,
    /// residual variance 0.8, R^2 0.6, standard errors sqrt(0.08) and sqrt(0.88).
    #[test]
    fn a_worked_example() {
        let fit = Fit::of(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]).expect("a line");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(fit.slope, 0.6) && near(fit.intercept, 2.2) && near(fit.r_squared, 0.6), "{fit:?}");
        assert!(near(fit.slope_half, 3.182 * 0.08_f64.sqrt()), "{fit:?}");
        assert!(near(fit.intercept_half, 3.182 * 0.88_f64.sqrt()), "{fit:?}");
    }

    #[test]
    fn what_has_no_line() {
        assert_eq!(Fit::of(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(Fit::of(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(Fit::of(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]), None);
    }
}
