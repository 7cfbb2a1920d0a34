//! Comparisons of made-up runs: verdicts, the page, what is on one side only.

use super::*;
use crate::testdata::{Shape, run};

/// Runs of one made-up scenario that differ a little in goodput, delay and losses; `shift`: factor on goodput.
fn runs(seeds: std::ops::Range<u64>, shift: f64) -> Vec<Run> {
    seeds
        .map(|seed| {
            let mut one = run(1, Shape { sessions: 2, destinations: 2, positions: false });
            one.path = format!("runs/x/seed-{seed}").into();
            one.summary.seed = seed;
            one.summary.digest = Some(format!("{seed}-{shift}"));
            let wobble = (seed % 5) as f64 - 2.0;
            for d in one.summary.sessions.iter_mut().flat_map(|session| &mut session.destinations) {
                d.goodput_mbps = d.goodput_mbps.map(|goodput| goodput * shift * (1.0 + 1e-3 * wobble));
                if let Some(delay) = &mut d.delay_ms {
                    delay.p50 += 0.05 * wobble;
                    delay.p95 += 0.2 * wobble;
                }
                d.lost_packets = d.lost_packets.saturating_add_signed(wobble as i64);
            }
            one
        })
        .collect()
}

/// Aim: equal systems hold, and say how small an error they would have found; an error of 5 % does not hold, and is
/// found in goodput.
#[test]
fn equal_runs_hold_and_a_rate_error_does_not() {
    let (a, b) = (runs(1..11, 1.0), runs(11..16, 1.0));
    let same = compare(&a, &b, Tolerances::default()).expect("there are runs");
    assert!(same.holds(), "{}", same.table());
    let smallest = same.smallest();
    let goodput = smallest.iter().find(|of| of.kind == Kind::Goodput).expect("goodput is judged");
    assert!(goodput.best > 0.0 && goodput.worst < 0.04, "{goodput:?}");
    let slow = runs(11..16, 0.95);
    let apart = compare(&a, &slow, Tolerances::default()).expect("there are runs");
    assert!(!apart.holds());
    let exceeded: Vec<_> = apart.lines.iter().filter(|line| line.verdict == Verdict::Exceeded).collect();
    assert!(
        exceeded.iter().all(|line| line.kind == Kind::Goodput) && exceeded.len() == 4,
        "{}",
        apart.table()
    );
    let mut wide = Tolerances::default();
    wide.set("goodput", "10 %").expect("valid");
    assert!(compare(&a, &slow, wide).expect("there are runs").holds());
}

/// Aim: what is on one side only is an exceeded line of its own, whatever else agrees.
#[test]
fn what_one_side_lacks_is_said() {
    let (a, mut b) = (runs(1..4, 1.0), runs(4..7, 1.0));
    for run in &mut b {
        run.summary.sessions[0].destinations.pop();
        run.summary.links.remove(0);
    }
    let comparison = compare(&a, &b, Tolerances::default()).expect("there are runs");
    let missing: Vec<_> = comparison.lines.iter().filter(|line| line.kind == Kind::Presence).collect();
    assert_eq!(missing.len(), 2, "{}", comparison.table());
    assert!(missing.iter().all(|line| line.verdict == Verdict::Exceeded && line.why.contains("A only")));
    for run in &mut b {
        run.summary.sessions.pop();
    }
    let comparison = compare(&a, &b, Tolerances::default()).expect("there are runs");
    let missing: Vec<_> = comparison.lines.iter().filter(|line| line.kind == Kind::Presence).collect();
    assert_eq!(missing.len(), 3, "a session counts once, not with each of its destinations");
}

/// Aim: one run a side is judged by its values, and everything that needs a spread says that there is none.
#[test]
fn single_runs_are_judged_by_value() {
    let (a, b) = (runs(1..2, 1.0), runs(2..3, 1.02));
    let comparison = compare(&a, &b, Tolerances::default()).expect("there are runs");
    assert!(comparison.holds(), "{}", comparison.table());
    // The draw of flows is binomial: its spread is known from one run.
    assert!(comparison.smallest().iter().all(|of| of.kind == Kind::Shares));
    assert!(comparison.notes.iter().any(|note| note.contains("one run only")));
    let nothing = compare(&a, &[], Tolerances::default()).expect_err("B is empty");
    assert_eq!(nothing.to_string(), "side B has no run");
}

/// Aim: broken, repeated and different runs are named before anything is compared.
#[test]
fn obstacles_are_named() {
    let (a, mut b) = (runs(1..3, 1.0), runs(3..5, 1.0));
    assert_eq!(obstacles(&a, &b), []);
    b[0].summary.lab = Some(bellini_scenarios::record::Lab {
        reasons: vec!["The emulator was late.".into()],
        ..Default::default()
    });
    b[1].summary.seed = b[0].summary.seed;
    b[1].scenario["name"] = "other".into();
    let found = obstacles(&a, &b);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].text().contains("not a valid run") && found[0].text().contains("late"));
    assert!(found[1].text().contains("same run"));
    assert!(matches!(&found[2], Obstacle::Scenario(text) if text.contains("`name`")), "{found:?}");
}

/// Aim: names from a file reach neither the page as markup nor a terminal as control characters; JSON holds every line.
#[test]
fn the_page_is_safe_and_the_file_complete() {
    let (mut a, mut b) = (runs(1..4, 1.0), runs(4..7, 1.3));
    for run in a.iter_mut().chain(&mut b) {
        run.summary.sessions[0].name = "<script>alert(1)</script>\u{1b}[31m".into();
    }
    let comparison = compare(&a, &b, Tolerances::default()).expect("there are runs");
    assert!(!comparison.table().contains('\u{1b}'));
    let figures = figure::all(&comparison).expect("it draws");
    assert_eq!(
        figures.iter().map(|figure| figure.name).collect::<Vec<_>>(),
        ["forest", "delay-cdf", "goodput-time"]
    );
    let html = page::page(&[(&comparison, figures)]).expect("it renders");
    assert!(!html.contains("<script>alert") && html.contains("does not hold"));
    let json = comparison.to_json();
    assert_eq!(json["lines"].as_array().map(Vec::len), Some(comparison.lines.len()));
    assert_eq!(json["holds"], false);
}

/// Aim: the scale of tolerances puts each edge at 1, also where the edges are not equally far.
#[test]
fn edges_are_one_tolerance_away() {
    let (a, b) = (runs(1..4, 1.0), runs(4..7, 1.0));
    let comparison = compare(&a, &b, Tolerances::default()).expect("there are runs");
    for line in &comparison.lines {
        let Some([low, high]) = line.allowed.filter(|[low, high]| low < high) else { continue };
        for (edge, expected) in [(low, -1.0), (high, 1.0)] {
            let found = line.in_tolerances(edge).expect("allowed");
            assert!((found - expected).abs() < 1e-9, "{line:?}: {found}");
        }
    }
}
