//! `"routing": {"exec": [...]}`: the shipped example in Python decides the routes of a shipped scenario.

use crate::harness::{Done, Scratch, sources};
use std::io::Write;
use std::process::{Command, Stdio};

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

/// Aim: the example keeps its bound also where the cheap way that is in the tree already is too slow for another destination:
/// that one gets a branch of its own. Links that are too narrow are not used.
#[test]
fn the_program_keeps_its_bound() {
    let link = |from: u32, to: u32, delay_ms: u32, usd: f64, rate: Option<u32>| serde_json::json!({"from": from, "to": to, "delay_ms": delay_ms, "usd_per_gb": usd, "rate_bps": rate});
    let links = [
        link(1, 2, 15, 0.0, None),
        link(1, 5, 1, 0.1, None),
        link(5, 2, 1, 0.1, None),
        link(2, 3, 4, 0.1, None),
        link(2, 4, 15, 0.1, None),
        link(1, 4, 1, 0.0, Some(500)),
    ];
    let question = serde_json::json!({
        "ask": "routes", "id": 1, "source": 1, "destinations": [3, 4], "rate_bps": 1000,
        "parameters": {"max_delay_ms": 20}, "view": {"links": links}
    });
    let mut command = Command::new("python3");
    command.arg(sources().join("examples/policy.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut program) = command.spawn() else {
        eprintln!("the_program_keeps_its_bound: skipped (no python3)");
        return;
    };
    writeln!(program.stdin.take().unwrap(), "{question}").unwrap();
    let output = program.wait_with_output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["routes"][0]["route"], "{2>3d,5>2>4d}", "{answer}");
}
