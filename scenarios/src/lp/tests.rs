//! Hand-computed answers, errors by name, and random problems whose optimum is proved by their dual.

use super::*;
use bellini_core::rng::{Seed, Stream};

const INFINITY: f64 = f64::INFINITY;

fn stream(name: &str) -> Stream {
    Seed(7).stream(name)
}

/// Aim: values, prices and bound of a problem solved by hand, as a maximum and turned into a minimum, in units from
/// tiny to huge.
#[test]
fn a_problem_solved_by_hand() {
    for unit in [1e-9, 1.0, 1e9] {
        for sign in [1.0, -1.0] {
            let mut problem = if sign > 0.0 { Problem::maximize() } else { Problem::minimize() };
            let x = problem.column("x", sign * 3.0, 0.0, INFINITY);
            let y = problem.column("y", sign * 5.0, 0.0, INFINITY);
            let first = problem.row("first", &[(x, 1.0)], Relation::AtMost, 4.0 * unit);
            let second = problem.row("second", &[(y, 2.0)], Relation::AtMost, 12.0 * unit);
            let third = problem.row("third", &[(x, 3.0), (y, 2.0)], Relation::AtMost, 18.0 * unit);
            let solution = problem.solve().unwrap();
            let near =
                |found: f64, right: f64| assert!((found - right).abs() < 1e-9, "{found} is not {right}");
            near(solution.value(x) / unit, 2.0);
            near(solution.value(y) / unit, 6.0);
            near(solution.objective() / unit, sign * 36.0);
            near(solution.bound() / unit, sign * 36.0);
            for (row, price) in [(first, 0.0), (second, 1.5), (third, 1.0)] {
                near(solution.price(row), sign * price);
            }
        }
    }
}

/// Aim: an infeasible problem names the rows that clash and no others.
#[test]
fn an_infeasible_problem_names_what_clashes() {
    let mut problem = Problem::maximize();
    let x = problem.column("x", 1.0, 0.0, INFINITY);
    let y = problem.column("y", 1.0, 0.0, INFINITY);
    problem.row("room", &[(x, 1.0), (y, 1.0)], Relation::AtMost, 100.0);
    problem.row("demand", &[(x, 1.0)], Relation::AtLeast, 10.0);
    problem.row("capacity", &[(x, 1.0)], Relation::AtMost, 4.0);
    let Err(LpError::Infeasible { binding }) = problem.solve() else { panic!("it is feasible") };
    assert_eq!(binding, ["`demand` is missed by 6.000000"]);
}

/// Aim: numbers that make no sense, bounds that cross and an objective without limit are told apart.
#[test]
fn bad_problems_are_refused_by_name() {
    let mut problem = Problem::maximize();
    let x = problem.column("x", 1.0, 0.0, INFINITY);
    assert_eq!(problem.solve(), Err(LpError::Unbounded));
    let mut nan = problem.clone();
    nan.row("odd", &[(x, f64::NAN)], Relation::AtMost, 1.0);
    let error = nan.solve().unwrap_err().to_string();
    assert_eq!(error, "`odd`: NaN cannot be a coefficient");
    problem.column("crossed", 1.0, 2.0, 1.0);
    let error = problem.solve().unwrap_err().to_string();
    assert_eq!(error, "`crossed`: the lower bound 2 is above the upper bound 1");
}

/// Aim: the checker believes neither values that break a row nor prices that prove nothing.
#[test]
fn the_checker_refuses_wrong_answers() {
    let mut problem = Problem::maximize();
    let x = problem.column("x", 1.0, 0.0, INFINITY);
    let y = problem.column("y", 1.0, 0.0, 3.0);
    problem.row("sum", &[(x, 1.0), (y, 2.0)], Relation::AtMost, 8.0);
    assert_eq!(check::primal(&problem, &[8.0, 0.0], 1.0), Ok(8.0));
    let missed = |name: &str, by| Err(LpError::Missed { name: name.to_owned(), by });
    assert_eq!(check::primal(&problem, &[8.0, 0.5], 1.0), missed("sum", 1.0));
    assert_eq!(check::primal(&problem, &[0.0, 4.0], 1.0), missed("y", 1.0));
    assert!(check::primal(&problem, &[f64::NAN, 0.0], 1.0).is_err());
    // Any prices give a bound, good ones a tight one: at price 0 each column's own (or implied) bound counts.
    assert_eq!(check::bound(&problem, &[1.0]), 8.0);
    assert_eq!(check::bound(&problem, &[0.5]), 8.0);
    assert_eq!(check::bound(&problem, &[2.0]), 16.0);
    assert_eq!(check::bound(&problem, &[0.0]), 11.0);
    assert_eq!(check::bound(&problem, &[-5.0]), 11.0);
}

/// Draws a problem with all kinds of rows and bounds around a known feasible point, and returns what the point is worth.
pub(super) fn random(stream: &mut Stream, most: u64) -> (Problem, f64) {
    let mut problem = if stream.chance(0.5) { Problem::maximize() } else { Problem::minimize() };
    let count = 2 + stream.below(most) as usize;
    let point: Vec<f64> = (0..count).map(|_| stream.below(9) as f64 - 2.0).collect();
    let mut columns = Vec::new();
    for (at, value) in point.iter().enumerate() {
        let (lower, upper) = match stream.below(4) {
            0 => (-INFINITY, INFINITY),
            1 => (value - 1.0, INFINITY),
            2 => (-INFINITY, value + 2.0),
            _ => (value.min(0.0), value + 3.0),
        };
        let cost = stream.below(11) as f64 - 5.0;
        columns.push((problem.column(format!("x{at}"), cost, lower, upper), cost));
    }
    for row in 0..2 + stream.below(most) {
        let mut terms = Vec::new();
        let mut sum = 0.0;
        for (at, (column, _)) in columns.iter().enumerate() {
            if stream.chance(0.5) {
                let factor = stream.below(13) as f64 - 6.0;
                terms.push((*column, factor));
                sum += factor * point[at];
            }
        }
        let slack = stream.below(5) as f64;
        let (relation, right) = match stream.below(3) {
            0 => (Relation::AtMost, sum + slack),
            1 => (Relation::AtLeast, sum - slack),
            _ => (Relation::Equal, sum),
        };
        problem.row(format!("row {row}"), &terms, relation, right);
    }
    // A box keeps it from being unbounded.
    for ((column, _), value) in columns.iter().zip(&point) {
        problem.row("low", &[(*column, 1.0)], Relation::AtLeast, value - 50.0);
        problem.row("high", &[(*column, 1.0)], Relation::AtMost, value + 50.0);
    }
    let known = columns.iter().zip(&point).map(|((_, cost), value)| cost * value).sum();
    (problem, known)
}

/// Aim: on 200 random problems with all kinds of rows and bounds, built around a known feasible point, the answer is no
/// worse than the point, and proved.
#[test]
fn random_problems_are_proved() {
    let mut stream = stream("random problems");
    for round in 0..200 {
        let (problem, known) = random(&mut stream, 12);
        let solution = problem.solve().unwrap_or_else(|error| panic!("problem {round}: {error}"));
        let better =
            if problem.maximize { solution.objective() - known } else { known - solution.objective() };
        assert!(better > -1e-6, "problem {round}: {} is worse than {known}", solution.objective());
    }
}

/// Aim: values that are zero but for rounding are judged by what the problem speaks of, not by each other.
#[test]
fn traces_of_zero_miss_nothing() {
    let mut problem = Problem::minimize();
    let x = problem.column("x", 1.0, 0.0, INFINITY);
    let y = problem.column("y", 1.0, 0.0, INFINITY);
    problem.row("order", &[(x, 1.0), (y, -1.0)], Relation::AtMost, 0.0);
    problem.row("room", &[(x, 1.0), (y, 1.0)], Relation::AtMost, 10.0);
    assert!(problem.accept(vec![1e-9, 0.0]).is_ok());
    assert!(problem.accept(vec![1e-3, 0.0]).is_err());
    // In units of its own, a thousand million times smaller, the same is a miss.
    problem.rows[1].right = 1e-8;
    assert!(problem.accept(vec![1e-9, 0.0]).is_err());
}
