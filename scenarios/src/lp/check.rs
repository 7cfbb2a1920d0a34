//! The check of answers, by arithmetic of our own.

use super::TOLERANCE;
use super::error::LpError;
use super::problem::{Problem, Relation};

/// What is never judged, in parts of the largest value: ten times the solver's own tolerance.
const FINEST: f64 = 1e-6;
/// What rounding may leave of a sum that is zero, in parts of its largest term.
const ROUNDING: f64 = 1e-9;
/// Rounds of tightening bounds by rows.
const ROUNDS: usize = 4;

/// Checks that values meet all rows and bounds, and returns their objective.
///
/// A row is met when it is missed by at most [`TOLERANCE`] of the largest of its terms and its right-hand side;
/// `unit` is the largest value, or [`smallest`] where that is more: differences below [`FINEST`] of it are never judged.
pub(super) fn primal(problem: &Problem, values: &[f64], unit: f64) -> Result<f64, LpError> {
    for (column, value) in problem.columns.iter().zip(values) {
        let by = (column.lower - value).max(value - column.upper);
        // A value that is no number is missed, too.
        if by.is_nan() || by > (TOLERANCE * value.abs()).max(FINEST * unit) {
            return Err(LpError::Missed { name: column.name.clone(), by });
        }
    }
    for row in &problem.rows {
        let (mut sum, mut size, mut widest) = (0.0, row.right.abs(), 0.0_f64);
        for (column, factor) in &row.terms {
            let term = factor * values[*column];
            sum += term;
            size = f64::max(size, term.abs());
            widest = widest.max(factor.abs());
        }
        let by = match row.relation {
            Relation::AtMost => sum - row.right,
            Relation::AtLeast => row.right - sum,
            Relation::Equal => (sum - row.right).abs(),
        };
        if by.is_nan() || by > (TOLERANCE * size).max(FINEST * widest * unit) {
            return Err(LpError::Missed { name: row.name.clone(), by });
        }
    }
    Ok(problem.columns.iter().zip(values).map(|(column, value)| column.objective * value).sum())
}

/// Returns the smallest value that a row or, where no row says any, a bound speaks of; 1 where none does.
///
/// Where all values are zero but for rounding, the largest of them says nothing about what is small.
pub(super) fn smallest(problem: &Problem) -> f64 {
    let of_row = |row: &super::problem::RowData| {
        let widest = row.terms.iter().fold(0.0_f64, |most, (_, factor)| most.max(factor.abs()));
        row.right.abs() / widest
    };
    let least = |sizes: &mut dyn Iterator<Item = f64>| {
        sizes.filter(|size| *size > 0.0 && size.is_finite()).fold(f64::INFINITY, f64::min)
    };
    let rows = least(&mut problem.rows.iter().map(of_row));
    if rows.is_finite() {
        return rows;
    }
    let bounds =
        least(&mut problem.columns.iter().flat_map(|column| [column.lower.abs(), column.upper.abs()]));
    if bounds.is_finite() { bounds } else { 1.0 }
}

/// Returns what no feasible values can be better than, by weak duality, for prices of the rows.
///
/// Prices of the wrong sign are taken as zero, so that the bound holds for any prices. Each column adds the best that
/// its reduced cost allows within its bounds; where it has none on that side, within those that the rows imply. Where
/// they imply none, the bound is infinite, unless the reduced cost is zero but for rounding.
pub(super) fn bound(problem: &Problem, prices: &[f64]) -> f64 {
    let sign = if problem.maximize { 1.0 } else { -1.0 };
    // All as for a maximum: rows `at most` have prices above zero.
    let mut reduced: Vec<f64> = problem.columns.iter().map(|column| sign * column.objective).collect();
    // The largest term of each reduced cost.
    let mut sizes: Vec<f64> = reduced.iter().map(|cost| cost.abs()).collect();
    let mut sum = 0.0;
    for (row, price) in problem.rows.iter().zip(prices) {
        let price = match row.relation {
            Relation::AtMost => (sign * price).max(0.0),
            Relation::AtLeast => (sign * price).min(0.0),
            Relation::Equal => sign * price,
        };
        if price == 0.0 {
            continue;
        }
        sum += price * row.right;
        for (column, factor) in &row.terms {
            reduced[*column] -= price * factor;
            sizes[*column] = sizes[*column].max((price * factor).abs());
        }
    }
    let mut implied = None;
    for (at, (column, cost)) in problem.columns.iter().zip(&reduced).enumerate() {
        let side = |(lower, upper): (f64, f64)| if *cost > 0.0 { upper } else { lower };
        let mut limit = side((column.lower, column.upper));
        if *cost == 0.0 {
            continue;
        }
        if limit.is_infinite() {
            limit = side(implied.get_or_insert_with(|| implied_bounds(problem))[at]);
        }
        if limit.is_infinite() && cost.abs() <= ROUNDING * sizes[at] {
            continue;
        }
        sum += cost * limit;
    }
    sign * sum
}

/// Returns bounds of all columns that follow from their own and from the rows.
fn implied_bounds(problem: &Problem) -> Vec<(f64, f64)> {
    let mut bounds: Vec<_> = problem.columns.iter().map(|column| (column.lower, column.upper)).collect();
    for _ in 0..ROUNDS {
        for row in &problem.rows {
            if row.relation != Relation::AtLeast {
                tighten(&mut bounds, &row.terms, row.right, 1.0);
            }
            if row.relation != Relation::AtMost {
                tighten(&mut bounds, &row.terms, -row.right, -1.0);
            }
        }
    }
    bounds
}

/// Tightens the bounds of the columns of `sign * terms <= right`.
fn tighten(bounds: &mut [(f64, f64)], terms: &[(usize, f64)], right: f64, sign: f64) {
    let least = |(lower, upper): (f64, f64), factor: f64| factor * if factor > 0.0 { lower } else { upper };
    let mut finite = 0.0;
    let mut infinite = 0;
    for (column, factor) in terms {
        let term = least(bounds[*column], sign * factor);
        if term.is_finite() { finite += term } else { infinite += 1 }
    }
    if infinite > 1 {
        return;
    }
    for (column, factor) in terms {
        let factor = sign * factor;
        let own = least(bounds[*column], factor);
        let others = match (infinite, own.is_finite()) {
            (0, _) => finite - own,
            (_, false) => finite,
            _ => continue,
        };
        let limit = (right - others) / factor;
        let (lower, upper) = &mut bounds[*column];
        if factor > 0.0 {
            *upper = upper.min(limit.max(*lower));
        } else {
            *lower = lower.max(limit.min(*upper));
        }
    }
}
