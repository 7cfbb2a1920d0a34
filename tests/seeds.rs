//! Several seeds in one go.

use crate::harness::{SMALL, Scratch};
use serde_json::Value;

#[test]
fn three_seeds_leave_three_runs_and_a_common_report() {
    let scratch = Scratch::with_small();
    let done = scratch.run(&["sim", "small.json", "--seed", "4", "--seeds", "3", "--json"]).expect(0);
    let base = "runs/small-sim-4-6";
    assert_eq!(scratch.list("runs"), ["small-sim-4-6"]);
    assert_eq!(scratch.list(base), ["plots", "report.html", "seed-4", "seed-5", "seed-6"]);
    let lines: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seeds: Vec<_> = lines.iter().map(|line| line["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [4, 5, 6], "one document a line, in order");
    for line in &lines {
        let run = format!("{base}/seed-{}", line["seed"]);
        assert_eq!(line["digest"], scratch.json(&format!("{run}/summary.json"))["digest"]);
        assert_eq!(scratch.json(&format!("{run}/scenario.json"))["seed"], line["seed"]);
        assert!(scratch.join(&run).join("report.html").is_file());
    }
    assert_ne!(lines[0]["digest"], lines[1]["digest"]);
    // A seed of a series is the seed alone.
    scratch.run(&["sim", "small.json", "--seed", "5", "--no-report", "--out", "alone"]).expect(0);
    assert_eq!(scratch.json("alone/summary.json")["digest"], lines[1]["digest"]);
    assert_eq!(scratch.read("alone/series.csv"), scratch.read(&format!("{base}/seed-5/series.csv")));
}

#[test]
fn populations_are_drawn_anew_for_each_seed() {
    let scratch = Scratch::new();
    let golden = crate::harness::sources().join("tests/golden/population.scenario.json");
    scratch.run(&["sim", golden.to_str().unwrap(), "--seeds", "2", "--no-report", "--out", "o"]).expect(0);
    let (first, second) = (scratch.json("o/seed-1/scenario.json"), scratch.json("o/seed-2/scenario.json"));
    assert_ne!(first["conferences"], second["conferences"]);
    assert_eq!(first["links"], second["links"]);
}

/// Aim: the largest seed works; going past it is said before anything runs (it used to overflow).
#[test]
fn the_largest_seed() {
    let scratch = Scratch::with_small();
    let largest = u64::MAX.to_string();
    let run = |seeds: &str, out: &str| {
        scratch.run(&["sim", "small.json", "--seed", &largest, "--seeds", seeds, "--no-report", "--out", out])
    };
    run("1", "a").expect(0);
    assert_eq!(scratch.json(&format!("a/seed-{largest}/summary.json"))["seed"], u64::MAX);
    run("2", "b").expect(2).silent().says(&["--seeds 2", &largest]);
    assert!(!scratch.join("b").exists());
}

/// Aim: a scenario is read once, so that a pipe serves several seeds.
#[cfg(unix)]
#[test]
fn a_scenario_from_a_pipe_serves_all_seeds() {
    use std::io::Write;
    use std::process::Stdio;
    let scratch = Scratch::new();
    let mut child = scratch
        .command(crate::harness::BELLINI)
        .args(["sim", "/dev/stdin", "--seeds", "2", "--no-report", "--out", "o"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(SMALL.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(scratch.list("o"), ["seed-1", "seed-2"]);
}
