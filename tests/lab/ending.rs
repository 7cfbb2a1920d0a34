//! Labs that are killed, interrupted or slow, and the processes they start.

use super::{Bench, number, signal};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Aim: nodes have the priority that the lab has, where it may have one: they are started by threads that inherit it.
#[test]
fn nodes_have_the_labs_priority() {
    let Some(bench) = Bench::open("priority of nodes") else { return };
    let mut lab = bench.start(&["short.json", "--out", "run", "--no-report"]);
    bench.wait_for_nodes(3, Duration::from_secs(20));
    // The scheduling policy is the 41st field; the second is the program's name and may hold anything.
    let policy = |pid: u32| -> u32 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().parse().unwrap()
    };
    let own = policy(lab.id());
    let nodes: Vec<u32> = bench.nodes().into_iter().map(policy).collect();
    signal(&lab, "-INT");
    lab.wait().unwrap();
    assert!(
        nodes.len() == 3 && nodes.iter().all(|node| *node == own),
        "{own} of the lab, {nodes:?} of nodes"
    );
}

/// Aim: kill -9 leaves no process, and of files only what the next lab or `--clean` removes.
#[test]
fn nothing_is_left_of_a_killed_lab() {
    let Some(bench) = Bench::open("a killed lab") else { return };
    let mut lab = bench.start(&["short.json", "--set", "duration=60 s", "--out", "run"]);
    bench.wait_for_nodes(3, Duration::from_secs(10));
    std::thread::sleep(Duration::from_millis(300));
    signal(&lab, "-KILL");
    lab.wait().unwrap();
    bench.wait_for_nodes(0, Duration::from_secs(5));
    let left = bench.scratch.list("tmp");
    assert!(left.len() == 1 && left[0].starts_with("bellini-lab-"), "{left:?}");
    bench.lab(&["--clean"]).expect(0).says(&["Removed ", &left[0], ", left by an earlier lab."]);
    bench.nothing_is_left();
    bench.lab(&["--clean"]).expect(0).silent().says(&["Nothing was left by earlier labs."]);
}

/// Aim: Ctrl-C, which a terminal tells the node processes too, ends a lab with what was recorded until then.
#[test]
fn ctrl_c_keeps_what_was_recorded() {
    let Some(bench) = Bench::open("an interrupted lab") else { return };
    let mut command = bench.command(&["short.json", "--set", "duration=60 s", "--out", "run", "--no-report"]);
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let lab = command.spawn().unwrap();
    bench.wait_for_nodes(3, Duration::from_secs(10));
    std::thread::sleep(Duration::from_millis(1_200));
    let group = format!("-{}", lab.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let output = lab.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("Interrupted: what was recorded until then is in run."), "{stderr}");
    let summary = bench.scratch.json("run/summary.json");
    assert_eq!(summary["status"], "interrupted");
    assert!(number(&summary["sessions"][0]["destinations"][0]["delivered_packets"]) > 0.0, "{summary}");
    bench.nothing_is_left();
}

/// Aim: a machine that stands still now and then is noticed, and the run with its figures is not passed off as sound.
#[test]
fn a_run_on_a_slow_machine_is_declared_invalid() {
    let Some(bench) = Bench::open("a slow machine") else { return };
    let lab = bench.start(&["short.json", "--out", "run", "--no-report"]);
    bench.wait_for_nodes(3, Duration::from_secs(10));
    std::thread::sleep(Duration::from_millis(800));
    // Whatever is on the way when the emulator stops is late by up to as long as it stands.
    for _ in 0..5 {
        signal(&lab, "-STOP");
        std::thread::sleep(Duration::from_millis(100));
        signal(&lab, "-CONT");
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = lab.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("This run is not valid: "), "{stderr}");
    let summary = bench.scratch.json("run/summary.json");
    assert_eq!(summary["lab"]["valid"], false);
    assert!(summary["lab"]["reasons"].to_string().contains("lateness of the emulator"), "{summary}");
    bench.scratch.run(&["compare", "run", "run"]).expect(6).says(&["run is not a valid run: "]);
    bench.nothing_is_left();
}
