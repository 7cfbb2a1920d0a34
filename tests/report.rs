//! `bellini report` and `bellini check --resolved`: records in, nothing else needed.

use crate::harness::{SMALL, Scratch};

fn two_runs() -> Scratch {
    let scratch = Scratch::with_small();
    for seed in ["1", "2"] {
        scratch.run(&["sim", "small.json", "--seed", seed, "--no-report", "--out", seed]).expect(0);
    }
    scratch
}

#[test]
fn a_report_is_made_from_records_alone() {
    let scratch = two_runs();
    std::fs::remove_file(scratch.join("small.json")).unwrap();
    let done = scratch.run(&["report", "1"]).expect(0).says(&["Report: 1/report.html"]);
    assert!(done.stdout.starts_with("small in sim, seed 1"), "{}", done.stdout);
    let first = scratch.read("1/report.html");
    // Once more: the same page.
    scratch.run(&["report", "1"]).expect(0);
    assert_eq!(scratch.read("1/report.html"), first);
}

#[test]
fn several_runs_make_one_report() {
    let scratch = two_runs();
    let before = scratch.list("1");
    let done = scratch.run(&["report", "1", "2", "--out", "both"]).expect(0);
    assert_eq!(scratch.list("both"), ["plots", "report.html"]);
    assert_eq!(scratch.list("1"), before, "the runs are only read");
    assert!(done.stdout.contains("seed 1") && done.stdout.contains("seed 2"), "{}", done.stdout);
    assert!(scratch.read("both/report.html").contains("95"), "intervals");
}

#[test]
fn runs_that_do_not_belong_together() {
    let scratch = two_runs();
    let twice = scratch.run(&["report", "1", "./1", "--out", "o"]).expect(2).silent();
    twice.says(&["runs of the same seed"]);
    scratch.write("other.json", SMALL);
    scratch.run(&["sim", "other.json", "--seed", "3", "--no-report", "--out", "3"]).expect(0);
    scratch.run(&["report", "1", "3", "--out", "o"]).expect(2).silent().says(&["differ in seed only"]);
    assert!(!scratch.join("o").exists());
}

#[test]
fn what_is_no_run() {
    let scratch = two_runs();
    scratch.run(&["report", "none"]).expect(6).silent().says(&["none is not a directory"]);
    scratch.run(&["report", "."]).expect(6).silent().says(&["summary.json is missing"]);
    scratch.run(&["report", "1", "--out", "small.json"]).expect(6).silent().says(&["small.json"]);
    scratch.write("2/summary.json", &scratch.read("2/summary.json")[..200]);
    scratch.run(&["report", "2"]).expect(6).silent().says(&["2/summary.json"]);
}

/// Aim: what `check --resolved` prints is a scenario that resolves to the same text.
#[test]
fn resolved_scenarios_resolve_to_themselves() {
    let scratch = Scratch::with_small();
    let mut paths: Vec<_> = crate::harness::shipped();
    paths.push(scratch.join("small.json"));
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let first = scratch.run(&["check", path.to_str().unwrap(), "--resolved"]).expect(0);
        std::fs::create_dir_all(scratch.join("r")).unwrap();
        scratch.write(&format!("r/{name}"), &first.stdout);
        let second = scratch.run(&["check", &format!("r/{name}"), "--resolved"]).expect(0);
        assert_eq!(first.stdout, second.stdout, "{name}");
        assert_eq!(second.stderr, "", "{name}");
    }
}
