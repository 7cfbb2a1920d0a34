//! `bellini lab --idle`, and `bellini calibrate` against it: a network that is known, measured as one that is not.

use crate::harness::{BELLINI, Done, Scratch};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

/// Two nodes: what is measured must come out as these links.
const TRUTH: &str = r#"{
  "bellini": 1,
  "duration": "1 s",
  "nodes": [{"id": 1}, {"id": 2}],
  "links": [
    {"from": 1, "to": 2, "delay": "20 ms", "rate": "4 Mbit/s", "queue": "32 KB"},
    {"from": 2, "to": 1, "delay": "35 ms", "rate": "8 Mbit/s", "queue": "64 KB", "loss": 0.05}
  ]
}"#;

/// A lab that idles; killed with the test if it did not end before.
struct Idle {
    lab: Child,
    said: BufReader<ChildStdout>,
    consoles: Vec<String>,
}

impl Idle {
    /// Starts one with so many nodes; `None` where the machine has no labs, with the reason printed.
    fn start(scratch: &Scratch, test: &str, nodes: usize) -> Option<Self> {
        scratch.write("truth.json", TRUTH);
        let mut command = scratch.command(BELLINI);
        command.args(["lab", "truth.json", "--idle"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut lab = command.spawn().expect("it starts");
        let said = BufReader::new(lab.stdout.take().expect("it is piped"));
        let mut idle = Self { lab, said, consoles: Vec::new() };
        for _ in 0..nodes {
            let mut line = String::new();
            if idle.said.read_line(&mut line).expect("it is text") == 0 {
                let done = idle.end();
                assert_eq!(done.code, Some(6), "{}", done.stderr);
                println!("{test} is skipped: {}", done.stderr.trim());
                return None;
            }
            idle.consoles.push(line.trim().to_owned());
        }
        Some(idle)
    }

    /// Sends it a signal.
    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.lab.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits until it has ended.
    fn end(&mut self) -> Done {
        let mut stderr = String::new();
        let mut errors = self.lab.stderr.take().expect("it ends once");
        std::io::Read::read_to_string(&mut errors, &mut stderr).expect("it is text");
        Done { code: self.lab.wait().expect("it was ours").code(), stdout: String::new(), stderr }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

/// Returns the number in front of the unit.
fn figure(link: &Value, key: &str) -> f64 {
    let text = link[key].as_str().unwrap_or_else(|| panic!("no {key} in {link}"));
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// Aim: what calibration says of a network is what the network is, each direction by itself; afterwards everything is
/// gone. How close it comes on a quiet machine is in docs/calibrate.md; here others may take the processor.
#[test]
fn calibration_finds_what_the_lab_was_given() {
    let scratch = Scratch::new();
    let Some(mut idle) = Idle::start(&scratch, "calibration_finds_what_the_lab_was_given", 2) else { return };
    let mut arguments = vec!["calibrate", "--seconds", "2", "--max-rate", "16", "--out", "found.json"];
    for console in &idle.consoles {
        arguments.extend(["--node", console]);
    }
    scratch.run(&arguments).expect(0);
    let directory = idle.consoles[0].split_once('=').expect("ID=SOCKET").1.to_owned();
    idle.signal("-TERM");
    idle.end().expect(0);
    assert!(!std::path::Path::new(&directory).exists(), "the console is gone with the lab");

    let found = scratch.json("found.json");
    let links = found["links"].as_array().expect("links");
    assert_eq!(links.len(), 2, "{found}");
    for (link, delay_ns, rate, queue) in [(&links[0], 20e6, 4e6, 32_000.0), (&links[1], 35e6, 8e6, 64_000.0)]
    {
        let delay_error = figure(link, "delay") - delay_ns;
        assert!((0.0..10e6).contains(&delay_error), "the delay of {link}");
        assert!((figure(link, "rate") / rate - 1.0).abs() < 0.05, "the rate of {link}");
        assert!((figure(link, "queue") / queue - 1.0).abs() < 0.15, "the queue of {link}");
    }
    // About 760 packets at 5 %: 3.2 % .. 6.8 % is more than two standard deviations.
    assert_eq!(links[0]["loss"], Value::Null);
    let loss = links[1]["loss"].as_f64().expect("a share");
    assert!((0.02..0.08).contains(&loss), "{loss}");
}

/// Aim: Ctrl-C ends it as SIGTERM does, and a node that dies is said.
#[test]
fn an_idle_lab_ends_in_order() {
    let scratch = Scratch::new();
    let Some(mut idle) = Idle::start(&scratch, "an_idle_lab_ends_in_order", 2) else { return };
    assert!(idle.consoles[0].starts_with("1=") && idle.consoles[1].starts_with("2="), "{:?}", idle.consoles);
    idle.signal("-INT");
    idle.end().expect(0);
    scratch.run(&["lab", "truth.json", "--idle", "--json"]).expect(2).silent().says(&["--idle"]);
}

/// Aim: a scenario that the kernel's shaper cannot play is refused with everything that speaks against it, and nothing
/// is left of the attempt; one that it can play is run by it.
#[test]
fn the_kernels_shaper_is_a_network_too() {
    let scratch = Scratch::new();
    scratch.write("truth.json", TRUTH);
    let run = |name: &str| scratch.run(&["lab", name, "--network", "kernel", "--out", "out", "--no-report"]);
    let refused = run("truth.json");
    if refused.code == Some(6) {
        println!("the_kernels_shaper_is_a_network_too is skipped: {}", refused.stderr.trim());
        return;
    }
    refused.expect(3).silent().says(&["the link n1>n2 has a delay", "the link n2>n1 has a loss model"]);
    assert!(!scratch.join("out").exists(), "nothing was started");

    // 2 Mbit/s of payload through 1 Mbit/s: half of it is dropped, and what passes waits in a full queue.
    let scenario = r#"{
      "bellini": 1,
      "duration": "2 s",
      "measure": {"from": "500 ms", "to": "2 s"},
      "nodes": [{"id": 1}, {"id": 2}],
      "links": [{"between": [1, 2], "delay": "0 s", "rate": "1 Mbit/s", "queue": "32 KB"}],
      "conferences": [{"id": 1, "sessions": [{
        "id": 1, "source": 1, "destinations": [2], "content": {"kind": "constant", "rate": "2 Mbit/s"}, "routing": "direct"
      }]}]
    }"#;
    scratch.write("plain.json", scenario);
    let done = run("plain.json");
    if done.code == Some(6) {
        println!("the second half of the_kernels_shaper_is_a_network_too is skipped: {}", done.stderr.trim());
        return;
    }
    // On a busy machine the run may be marked invalid: that is another matter.
    assert!(matches!(done.code, Some(0 | 4)), "{}", done.stderr);
    let summary = scratch.json("out/summary.json");
    let (sink, link) = (&summary["sessions"][0]["destinations"][0], &summary["links"][0]);
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("no number in {sink}, {link}"));
    // 1,200 of 1,310 bytes are payload; 32 KB take 256 ms.
    assert!((number(&sink["goodput_mbps"]) / (1_200.0 / 1_310.0) - 1.0).abs() < 0.05, "{sink}");
    assert!((number(&sink["delay_ms"]["p50"]) / 256.0 - 1.0).abs() < 0.1, "{sink}");
    assert!(number(&link["dropped_queue"]) > 150.0, "{link}");
}
