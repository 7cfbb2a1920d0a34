//! `bellini lab`: real processes and sockets over an emulated network, from the scenario to the run directory.
//!
//! Where the machine or the user allows no lab, each test says why and is skipped. Labs take turns, so that they do
//! not disturb each other. A machine that is too slow makes a run invalid: the test says so, and where it was far too
//! slow, looks only at what holds all the same.

mod ending;
mod records;
mod refused;

use crate::harness::{BELLINI, Done, Scratch};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Two ways from source to sink, one of them through a relay; neither loses anything.
const SHORT: &str = r#"{
  "bellini": 1,
  "name": "short",
  "duration": "2 s", "settle": "500 ms", "drain": "300 ms",
  "nodes": [{"id": 1, "name": "source"}, {"id": 2, "name": "relay"}, {"id": 3, "name": "sink"}],
  "links": [
    {"between": ["source", "relay"], "delay": "4 ms", "rate": "20 Mbit/s"},
    {"between": ["relay", "sink"], "delay": "6 ms", "rate": "20 Mbit/s"},
    {"between": ["source", "sink"], "delay": "20 ms", "rate": "20 Mbit/s"}
  ],
  "conferences": [{"id": 1, "sessions": [{
    "id": 1, "source": "source", "destinations": ["sink"],
    "content": {"kind": "constant", "rate": "2 Mbit/s"},
    "routing": {"policy": "static", "flows": [
      {"route": "source>relay>sink", "share": 0.5}, {"route": "source>sink", "share": 0.5}
    ]}
  }]}]
}
"#;

/// A directory for labs, and the turn to use the machine.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// Makes one that holds [`SHORT`] as `short.json`; `None` where there can be no lab, with the reason printed.
    pub(crate) fn open(test: &str) -> Option<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
        // A test that failed does not keep the others from running.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let bench = Self { scratch: Scratch::new(), _turn: turn };
        bench.scratch.write("short.json", SHORT);
        fs::create_dir(bench.temporary()).unwrap();
        let refusal = REFUSAL.get_or_init(|| {
            let sets = ["--set", "duration=10 ms", "--set", "settle=10 ms", "--set", "drain=10 ms"];
            let done = bench.lab(&[&["short.json", "--out", "probe", "--no-report"], &sets[..]].concat());
            (done.code == Some(6)).then(|| done.stderr.trim().to_owned())
        });
        if let Some(reason) = refusal {
            eprintln!("{test}: skipped ({reason})");
            return None;
        }
        Some(bench)
    }

    /// Where labs of this bench keep their working directories.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.scratch.join("tmp")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(BELLINI);
        command.arg("lab").args(arguments).env("TMPDIR", self.temporary());
        command
    }

    pub(crate) fn lab(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.command(arguments))
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a lab whose records go to `out`, and gives its summary; `None`: the machine was so slow that nothing can be
    /// said of packets, which is printed. Tests allow for more than comparisons do: an invalid run may be good enough.
    pub(crate) fn measure(&self, out: &str, arguments: &[&str]) -> Option<Value> {
        let done = self.lab(&[&["--out", out], arguments].concat());
        let valid = match done.code {
            Some(4) => false,
            _ => done.clone().expect(0).code == Some(0),
        };
        self.nothing_is_left();
        let summary = self.scratch.json(&format!("{out}/summary.json"));
        assert_eq!(summary["mode"], "lab");
        assert_eq!(summary["status"], "complete");
        assert_eq!(summary["lab"]["valid"], valid, "{}", done.stderr);
        let lab = &summary["lab"];
        if valid {
            return Some(summary);
        }
        let dropped = number(&lab["host_drops"]) + number(&lab["tun_drops"]);
        let is_usable = dropped == 0.0 && number(&lab["emulator_late_p99_us"]) < 10_000.0;
        let verdict = if is_usable { "slow" } else { "too slow to look at packets" };
        eprintln!("{out}: the machine was {verdict}: {}", lab["reasons"]);
        is_usable.then_some(summary)
    }

    /// Node processes of this bench's labs that run.
    fn nodes(&self) -> Vec<u32> {
        let mark = self.temporary().display().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            // What has ended and waits to be fetched has no command line any more.
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains(" node ") && line.contains(&mark)).then_some(pid)
        });
        processes.collect()
    }

    fn wait_for_nodes(&self, count: usize, within: Duration) {
        let started = Instant::now();
        while self.nodes().len() != count {
            assert!(started.elapsed() < within, "{:?} run, not {count}", self.nodes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn nothing_is_left(&self) {
        assert_eq!(self.nodes(), Vec::<u32>::new());
        assert_eq!(self.scratch.list("tmp"), Vec::<String>::new());
    }

    /// Replays every log of a run, and returns their names with what the replay said.
    fn replay_all(&self, out: &str) -> Vec<(String, Done)> {
        let names = self.scratch.list(&format!("{out}/logs"));
        let replayed = names.into_iter().map(|name| {
            let done = self.scratch.run(&["replay", &format!("{out}/logs/{name}"), "--json"]).expect(0);
            let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
            assert_eq!(verdict["verdict"], "byte-exact", "{name}");
            assert!(verdict["frames"].as_u64().unwrap() > 0, "{name} is of a node that did nothing");
            (name, done)
        });
        replayed.collect()
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
