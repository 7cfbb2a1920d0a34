//! `"routing": {"exec": [...]}`: the shipped example in Python decides the routes of a shipped scenario.

use crate::harness::{Done, Scratch, sources};
use std::process::Command;

/// Aim: the scenario runs from the project's root as its description says; what the program decides is a tree that leaves
/// Singapore once, and the same each time.
#[test]
fn a_program_in_python_decides_routes() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("a_program_in_python_decides_routes: skipped (no python3)");
        return;
    }
    let scratch = Scratch::new();
    let mut digests = Vec::new();
    for out in ["one", "two"] {
        let mut command = scratch.command(crate::harness::BELLINI);
        command.current_dir(sources()).args(["sim", "scenarios/policies/exec.json", "--no-report", "--out"]);
        Done::of(command.arg(scratch.join(out))).expect(0);
        let summary = scratch.json(&format!("{out}/summary.json"));
        assert_eq!(summary["sessions"][0]["flows"][0]["route"], "5>1d>{2d,3d}", "{}", summary["sessions"][0]);
        digests.push(summary["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
}
