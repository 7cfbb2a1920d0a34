//! Ctrl-C, and what long runs say meanwhile.
#![cfg(unix)]

use crate::harness::{BELLINI, Done, Scratch};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts a run that would take hours, or many of them.
fn start(scratch: &Scratch, more: &[&str]) -> Child {
    let mut command = scratch.command(BELLINI);
    command.args(["sim", "small.json", "--out", "run"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

const LONG: [&str; 4] = ["--set", "duration=8000 h", "--set", "conferences[0].sessions[0].stop=8000 h"];

/// Waits until the run has begun to write.
fn wait_for(scratch: &Scratch, name: &str) {
    let started = Instant::now();
    while !scratch.join(name).exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no {name}");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
}

fn press(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Waits for the end, at most a minute.
fn end(mut child: Child) -> Done {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it goes on after Ctrl-C");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Aim: an interrupted run keeps what was recorded, says so and where, and has its report. Until then a run whose
/// stderr is no terminal shows plain lines.
#[test]
fn ctrl_c_keeps_what_was_recorded() {
    let scratch = Scratch::with_small();
    let mut child = start(&scratch, &LONG);
    // The first plain line comes after five seconds.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let percent = line.strip_prefix("small seed 1: ").and_then(|rest| rest.split_once(" %, "));
    let (percent, rest) = percent.unwrap_or_else(|| panic!("{line}"));
    assert!(percent.parse::<u32>().is_ok() && rest.contains(" simulated s/s, "), "{line}");
    assert!(line.ends_with(" s left\n") && !line.contains(['\u{1b}', '\r']), "{line:?}");
    press(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let done = end(child).expect(130);
    assert!(rest.contains("Interrupted: what was recorded until then is in run."), "{rest}");
    assert!(rest.contains("Report: run/report.html") && !rest.contains('\u{1b}'), "{rest}");
    assert!(done.stdout.contains("small in sim"), "{}", done.stdout);
    let wanted =
        ["delays.csv", "events.jsonl", "plots", "report.html", "scenario.json", "series.csv", "summary.json"];
    assert_eq!(scratch.list("run"), wanted);
    let summary = scratch.json("run/summary.json");
    assert_eq!(summary["status"], "interrupted");
    let destination = &summary["sessions"][0]["destinations"][0];
    assert!(destination["delivered_packets"].as_u64().unwrap() > 1_000, "{destination}");
    assert!(scratch.read("run/report.html").to_lowercase().contains("interrupted"));
    // And the records can be read again.
    scratch.run(&["report", "run"]).expect(0);
}

#[test]
fn ctrl_c_ends_a_series_of_seeds() {
    let scratch = Scratch::with_small();
    let child = start(&scratch, &["--seeds", "10000", "--no-report"]);
    wait_for(&scratch, "run/seed-1/summary.json");
    press(&child);
    let done = end(child).expect(130).says(&["Interrupted: ", "of 10000 runs", "is in run."]);
    let runs = scratch.list("run").len();
    assert!((1..10_000).contains(&runs), "{runs}");
    assert!(done.stderr.contains(&format!("({runs} of 10000 runs)")), "{}", done.stderr);
    // Each that is there has ended.
    for run in scratch.list("run") {
        assert!(scratch.join("run").join(&run).join("summary.json").is_file(), "{run}");
    }
}

/// Aim: the second Ctrl-C does not wait for the report. On a busy machine the report may be ready before the
/// second one arrives, so there are several attempts.
#[test]
fn the_second_ctrl_c_ends_at_once() {
    for _ in 0..10 {
        let scratch = Scratch::with_small();
        let child = start(&scratch, &LONG);
        wait_for(&scratch, "run/.series.csv.part");
        let twice = format!("kill -INT {0}; sleep 0.03; kill -INT {0} 2>&1", child.id());
        Command::new("sh").args(["-c", &twice]).stdout(Stdio::null()).status().unwrap();
        let done = end(child).expect(130);
        if !scratch.join("run/report.html").exists() {
            assert!(!done.stderr.contains("Report:"), "{}", done.stderr);
            return;
        }
    }
    panic!("the report was always made");
}
