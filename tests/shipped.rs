//! The shipped scenarios run.

use crate::harness::{Scratch, shipped};

/// Aim: each one loads and runs briefly without a word of warning, and something arrives.
#[test]
fn every_shipped_scenario_runs() {
    let scratch = Scratch::new();
    for path in shipped() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let path = path.to_str().unwrap();
        // Long enough for what the scenario has on its timeline.
        let duration = match name {
            "fig3" => "duration=5 s",
            "outage" => "duration=10 s",
            "ron" => "duration=100 s",
            _ => "duration=2 s",
        };
        let done = scratch.run(&["sim", path, "--set", duration, "--no-report", "--out", name]).expect(0);
        // Slow machines see lines of progress, too.
        let said: Vec<_> = done.stderr.lines().filter(|line| !line.ends_with(" s left")).collect();
        assert_eq!(said, [format!("Records: {name}")]);
        let summary = scratch.json(&format!("{name}/summary.json"));
        assert_eq!(summary["scenario"], name);
        let sessions = summary["sessions"].as_array().unwrap();
        let destinations = sessions.iter().flat_map(|session| session["destinations"].as_array().unwrap());
        let delivered: u64 =
            destinations.map(|destination| destination["delivered_packets"].as_u64().unwrap()).sum();
        assert!(delivered > 100, "{name} delivered {delivered} packets");
    }
}

#[test]
fn every_shipped_scenario_is_valid_as_it_is() {
    let scratch = Scratch::new();
    for path in shipped() {
        let done = scratch.run(&["check", path.to_str().unwrap()]).expect(0);
        assert!(done.stdout.contains(": valid. "), "{}", done.stdout);
        assert_eq!(done.stderr, "", "{path:?}");
    }
}
