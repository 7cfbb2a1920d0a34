//! The dual of a problem, as a problem.

use super::problem::{Column, Problem, Relation};

/// Builds the dual; its first columns are the prices of the rows, in their order and with the signs of
/// [`Solution::price`](super::Solution::price).
///
/// Every bound but a lower bound of zero counts as a row: each is one column more here.
pub(super) fn dual(problem: &Problem) -> Problem {
    // As for a maximum; for a minimum everything changes its sign.
    let mut dual = if problem.maximize { Problem::minimize() } else { Problem::maximize() };
    let (at_most, at_least) = if problem.maximize {
        (Relation::AtMost, Relation::AtLeast)
    } else {
        (Relation::AtLeast, Relation::AtMost)
    };
    let mut terms: Vec<Vec<(Column, f64)>> = vec![Vec::new(); problem.columns.len()];
    for row in &problem.rows {
        let (lower, upper) = match row.relation {
            Relation::Equal => (f64::NEG_INFINITY, f64::INFINITY),
            relation if relation == at_most => (0.0, f64::INFINITY),
            _ => (f64::NEG_INFINITY, 0.0),
        };
        let price = dual.column("", row.right, lower, upper);
        for (column, factor) in &row.terms {
            terms[*column].push((price, *factor));
        }
    }
    for (column, mut terms) in problem.columns.iter().zip(terms) {
        let positive = (0.0, f64::INFINITY);
        let negative = (f64::NEG_INFINITY, 0.0);
        let (of_upper, of_lower) = if problem.maximize { (positive, negative) } else { (negative, positive) };
        if column.upper.is_finite() {
            terms.push((dual.column("", column.upper, of_upper.0, of_upper.1), 1.0));
        }
        if column.lower.is_finite() && column.lower != 0.0 {
            terms.push((dual.column("", column.lower, of_lower.0, of_lower.1), 1.0));
        }
        let relation = if column.lower == 0.0 { at_least } else { Relation::Equal };
        dual.row("", &terms, relation, column.objective);
    }
    dual
}
