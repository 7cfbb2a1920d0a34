//! `bellini calibrate` between real node processes on the loopback interface.

use crate::harness::{BELLINI, Scratch};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A node process, ended with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn node(scratch: &Scratch, id: &str) -> Node {
    let socket = scratch.join(&format!("{id}.sock"));
    let mut command: Command = scratch.command(BELLINI);
    command.args(["node", "--id", id, "--console"]).arg(&socket).stderr(Stdio::null());
    let child = command.spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "no console at {}", socket.display());
        std::thread::sleep(Duration::from_millis(10));
    }
    Node(child)
}

/// Aim: two nodes with nothing in between are a link each way, without a rate, of less than what any link takes; the
/// file is a scenario.
#[test]
fn loopback_is_two_fast_links() {
    let scratch = Scratch::new();
    let _nodes = [node(&scratch, "1"), node(&scratch, "2")];
    let arguments = ["calibrate", "--node", "1=1.sock", "--node", "2=2.sock"];
    let rest = ["--seconds", "1", "--max-rate", "2", "--out", "topology.json"];
    // A calibration that is cut short does not stand in the way of the next one.
    let mut cut: Command = scratch.command(BELLINI);
    let mut cut = Node(cut.args(arguments).args(rest).stderr(Stdio::null()).spawn().expect("it starts"));
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(cut.0.try_wait().is_ok_and(|ended| ended.is_none()), "it measures");
    drop(cut);
    scratch.run(&[&arguments[..], &rest].concat()).expect(0).says(&[
        "1 > 2: ",
        "2 > 1: ",
        "Topology: topology.json",
    ]);
    let topology = scratch.json("topology.json");
    let links = topology["links"].as_array().expect("links");
    assert_eq!(links.len(), 2);
    for link in links {
        let delay = link["delay"].as_str().and_then(|delay| delay.strip_suffix(" ns")).expect("a delay");
        assert!(delay.parse::<u64>().is_ok_and(|nanos| nanos < 1_000_000_000), "{link}");
        assert_eq!(link["source"], "bellini calibrate");
    }
    scratch.run(&["check", "topology.json"]).expect(0);
}

#[test]
fn nobody_at_the_console() {
    let scratch = Scratch::new();
    let two = ["calibrate", "--node", "1=none.sock", "--node", "2=none.sock"];
    scratch.run(&two).expect(6).silent().says(&["node 1", "none.sock"]);
    // Where the result goes is looked at before anything else, and nothing is lost there.
    scratch
        .run(&[&two[..], &["--out", "no/place.json"]].concat())
        .expect(6)
        .silent()
        .says(&["no/place.json"]);
    scratch.write("old.json", "old");
    scratch.run(&[&two[..], &["--out", "old.json"]].concat()).expect(6).says(&["none.sock"]);
    assert_eq!(std::fs::read_to_string(scratch.join("old.json")).expect("it stays"), "old");
    scratch.run(&[&two[..], &["--out", "new.json"]].concat()).expect(6).says(&["none.sock"]);
    assert!(!scratch.join("new.json").exists());
    scratch.run(&["calibrate", "--node", "1=none.sock"]).expect(2).silent().says(&["at least two"]);
    scratch.run(&["calibrate", "--node", "none.sock"]).expect(2).silent().says(&["ID=SOCKET"]);
}
