//! Our simplex against microlp, on random problems and on those that are known to be hard.

use super::super::problem::ColumnData;
use super::super::tests::random;
use super::*;
use bellini_core::rng::{Seed, Stream};

const INFINITY: f64 = f64::INFINITY;

fn stream(name: &str) -> Stream {
    Seed(11).stream(name)
}

/// Solves a problem by both; the optima agree to 1e-7.
fn agree(simplex: &mut Simplex, what: &str) -> f64 {
    let own = simplex.solve_alone().unwrap_or_else(|error| panic!("{what}: {error}"));
    let other = simplex.problem.solve().unwrap_or_else(|error| panic!("{what}, microlp: {error}"));
    let (a, b) = (own.objective(), other.objective());
    assert!((a - b).abs() <= 1e-7 * a.abs().max(b.abs()).max(1.0), "{what}: {a}, microlp has {b}");
    own.objective()
}

/// Aim: on 500 random problems with all kinds of rows and bounds the optimum is microlp's, and our prices prove it.
#[test]
fn random_problems_agree() {
    let mut stream = stream("random");
    for round in 0..500 {
        let (problem, _) = random(&mut stream, if round % 10 == 0 { 40 } else { 12 });
        agree(&mut Simplex::of(problem), &format!("problem {round}"));
    }
}

/// Aim: after new columns, other costs, bounds, right-hand sides and coefficients the next solution is that of a problem
/// built anew, and takes fewer steps on the whole.
#[test]
fn going_on_is_beginning_anew() {
    let mut stream = stream("going on");
    let (mut warm, mut cold) = (0, 0);
    for round in 0..60 {
        let (problem, _) = random(&mut stream, 16);
        let mut simplex = Simplex::of(problem);
        for change in 0..8 {
            let rows: Vec<Row> = simplex.problem().all_rows().collect();
            let row = rows[stream.below(rows.len() as u64) as usize];
            let column = Column(stream.below(simplex.problem().columns() as u64) as usize);
            match change % 5 {
                0 => {
                    let mut terms = Vec::new();
                    for row in rows {
                        if stream.chance(0.3) {
                            terms.push((row, stream.below(9) as f64 - 4.0));
                        }
                    }
                    simplex.column(stream.below(9) as f64 - 4.0, (0.0, 7.0), &terms);
                }
                1 => simplex.set_objective(column, stream.below(9) as f64 - 4.0),
                2 => simplex.set_right(row, simplex.problem.rows[row.0].right + stream.unit() - 0.5),
                3 => {
                    let ColumnData { lower, upper, .. } = simplex.problem.columns[column.0];
                    simplex.set_bounds(column, (lower - 1.0, upper - 0.25));
                }
                _ => simplex.set_term(row, column, stream.below(5) as f64 - 2.0),
            }
            let what = format!("problem {round}, change {change}");
            let before = simplex.pivots();
            let own = simplex.solve_alone();
            let mut anew = Simplex::of(simplex.problem.clone());
            let other = anew.solve_alone();
            match (own, other) {
                (Ok(own), Ok(other)) => {
                    let (a, b) = (own.objective(), other.objective());
                    assert!((a - b).abs() <= 1e-7 * a.abs().max(b.abs()).max(1.0), "{what}: {a} and {b}");
                    warm += simplex.pivots() - before;
                    cold += anew.pivots();
                }
                (own, other) => assert_eq!(own.is_ok(), other.is_ok(), "{what}: {own:?} and {other:?}"),
            }
        }
    }
    assert!(warm * 2 < cold, "{warm} steps going on, {cold} beginning anew");
}

/// Aim: the problem on which the simplex method with the plain rule runs in circles (Beale 1955) ends, at 1/20.
#[test]
fn beales_circle_ends() {
    let mut problem = Problem::maximize();
    let x: Vec<Column> =
        [0.75, -150.0, 0.02, -6.0].iter().map(|cost| problem.column("", *cost, 0.0, INFINITY)).collect();
    let terms = |factors: [f64; 4]| x.iter().copied().zip(factors).collect::<Vec<_>>();
    problem.row("", &terms([0.25, -60.0, -0.04, 9.0]), Relation::AtMost, 0.0);
    problem.row("", &terms([0.5, -90.0, -0.02, 3.0]), Relation::AtMost, 0.0);
    problem.row("", &terms([0.0, 0.0, 1.0, 0.0]), Relation::AtMost, 1.0);
    let best = agree(&mut Simplex::of(problem), "Beale");
    assert!((best - 0.05).abs() < 1e-12, "{best}");
}

/// Aim: cubes with slanted sides (Klee and Minty 1972), in up to 12 dimensions, are solved: 5 to the power of the dimension.
#[test]
fn slanted_cubes_are_solved() {
    for dimension in 2..=12_i32 {
        let mut problem = Problem::maximize();
        let x: Vec<Column> = (1..=dimension)
            .map(|at| problem.column("", 2.0_f64.powi(dimension - at), 0.0, INFINITY))
            .collect();
        for at in 1..=dimension {
            let mut terms: Vec<(Column, f64)> =
                (1..at).map(|before| (x[before as usize - 1], 2.0_f64.powi(at - before + 1))).collect();
            terms.push((x[at as usize - 1], 1.0));
            problem.row("", &terms, Relation::AtMost, 5.0_f64.powi(at));
        }
        let solution = Simplex::of(problem).solve_alone().unwrap();
        let right = 5.0_f64.powi(dimension);
        assert!(
            (solution.objective() - right).abs() <= 1e-9 * right,
            "{dimension}: {}",
            solution.objective()
        );
    }
}

/// Aim: transport and assignment problems, where most steps go nowhere, are solved as microlp does.
#[test]
fn degenerate_transport_agrees() {
    let mut stream = stream("transport");
    for round in 0..40 {
        let (from, to) = (2 + stream.below(9) as usize, 2 + stream.below(9) as usize);
        // Every third one is an assignment: as many as there are places, one each.
        let is_assignment = round % 3 == 0;
        let to = if is_assignment { from } else { to };
        let (supply, wanted) = if is_assignment { (1.0, 1.0) } else { (to as f64, from as f64) };
        let mut problem = Problem::minimize();
        let ways: Vec<Vec<Column>> = (0..from)
            .map(|_| (0..to).map(|_| problem.column("", stream.below(6) as f64, 0.0, INFINITY)).collect())
            .collect();
        for own in &ways {
            let terms: Vec<_> = own.iter().map(|way| (*way, 1.0)).collect();
            problem.row("", &terms, Relation::Equal, supply);
        }
        for at in 0..to {
            let terms: Vec<_> = ways.iter().map(|own| (own[at], 1.0)).collect();
            problem.row("", &terms, Relation::Equal, wanted);
        }
        agree(&mut Simplex::of(problem), &format!("transport {round}"));
    }
}

/// Aim: what has no solution, and what has no limit, is found to be so, also when going on from a good answer.
#[test]
fn no_solution_and_no_limit_are_found() {
    let mut stream = stream("none");
    for round in 0..50 {
        let (mut problem, _) = random(&mut stream, 12);
        let first = Column(0);
        let low = problem.row("", &[(first, 1.0)], Relation::AtLeast, -100.0);
        let mut simplex = Simplex::of(problem);
        assert!(simplex.solve_alone().is_ok());
        // The box ends below.
        simplex.set_right(low, 200.0);
        assert_eq!(
            simplex.solve_alone(),
            Err(LpError::Infeasible { binding: Vec::new() }),
            "problem {round}"
        );
        assert!(matches!(simplex.solve(), Err(LpError::Infeasible { binding }) if !binding.is_empty()));
        simplex.set_right(low, -100.0);
        assert!(simplex.solve_alone().is_ok(), "problem {round}");
        let cost = if simplex.problem.maximize { 1.0 } else { -1.0 };
        simplex.column(cost, (0.0, INFINITY), &[]);
        assert_eq!(simplex.solve_alone(), Err(LpError::Unbounded), "problem {round}");
    }
}

/// Aim: rates in bit/s and in Gbit/s are the same problem, and so are costs.
#[test]
fn units_do_not_matter() {
    let mut stream = stream("units");
    for round in 0..50 {
        let (problem, _) = random(&mut stream, 12);
        let right = Simplex::of(problem.clone()).solve_alone().unwrap().objective();
        for unit in [1e-9, 1e9] {
            let mut other = problem.clone();
            for row in &mut other.rows {
                row.right *= unit;
            }
            for column in &mut other.columns {
                (column.lower, column.upper) = (column.lower * unit, column.upper * unit);
            }
            let found =
                Simplex::of(other).solve_alone().unwrap_or_else(|error| panic!("{round} {unit}: {error}"));
            let found = found.objective() / unit;
            assert!(
                (found - right).abs() <= 1e-6 * right.abs().max(1.0),
                "{round}, {unit}: {found}, {right}"
            );
        }
    }
}
