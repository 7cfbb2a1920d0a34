//! `bellini replay`: verdicts, exit codes, and what is said about logs that are not whole.

use crate::harness::Scratch;
use bellini_core::config::NodeConfig;
use bellini_core::drive::{Host, Sent};
use bellini_core::ids::NodeId;
use bellini_core::io::{Command, Event, HopKind, Input, Transmit};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_live::record::{FileSink, RecordOptions, RecordedNode};
use std::fs;

struct Nowhere;

impl Host for Nowhere {
    fn transmit(&mut self, _: Instant, _: Transmit<'_>) -> Sent {
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {}
}

/// Writes the log of a node that calls for a peer for a second and hears noise.
fn record(scratch: &Scratch, is_ended: bool) {
    let config = NodeConfig::new(NodeId::new(5).unwrap());
    let sink = Box::new(FileSink::create(&scratch.join("node.log")).unwrap());
    let mut node =
        RecordedNode::recorded(config, Seed(3), Instant::ZERO, sink, RecordOptions::default()).unwrap();
    let peer = NodeId::new(6).unwrap();
    let open = Command::OpenHop { peer, kind: HopKind::Datagram };
    node.handle_input(Instant::ZERO, Input::Command(open)).unwrap();
    for step in 0..100_u8 {
        let now = Instant::ZERO + Duration::from_millis(u64::from(step) * 10);
        let hop = node.hop(peer, HopKind::Stream);
        let _ = node.handle_input(now, Input::Stream { hop, chunk: vec![0, 0, 0, 4, step, 1, 2, 3].into() });
        node.handle_input(now, Input::Timeout).unwrap();
        let _ = node.drain(now, 10, &mut Nowhere);
    }
    if is_ended {
        assert_eq!(node.end(Instant::ZERO + Duration::from_secs(1)).unwrap().stopped, None);
    }
}

/// A whole log is byte-exact; its text and its JSON say how much was compared.
#[test]
fn a_whole_log_is_byte_exact() {
    let scratch = Scratch::new();
    record(&scratch, true);
    let done = scratch.run(&["replay", "node.log"]).expect(0);
    assert!(done.stdout.contains("node 5, start 1: 201 inputs (100 refused)"), "{}", done.stdout);
    assert!(done.stdout.contains("byte-exact up to 0.99s") && done.stderr.is_empty(), "{done:?}");
    let done = scratch.run(&["replay", "node.log", "--json"]).expect(0);
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&value["verdict"], &value["ending"]), (&"byte-exact".into(), &"complete".into()));
    assert_eq!((&value["node"], &value["inputs"]), (&5.into(), &201.into()));
}

/// A log without its end is replayed as far as it goes, and a note says so.
#[test]
fn a_log_of_a_killed_node_is_replayed_with_a_note() {
    let scratch = Scratch::new();
    record(&scratch, false);
    let bytes = fs::read(scratch.join("node.log")).unwrap();
    scratch.run(&["replay", "node.log"]).expect(0).says(&["note: the end of the log is missing (0 bytes"]);
    fs::write(scratch.join("node.log"), &bytes[..bytes.len() - 7]).unwrap();
    scratch.run(&["replay", "node.log"]).expect(0).says(&["note: the end of the log is missing"]);
}

/// A flipped byte is named with its place, and the exit code is that of damaged files.
#[test]
fn a_flipped_byte_fails() {
    let scratch = Scratch::new();
    record(&scratch, true);
    let mut bytes = fs::read(scratch.join("node.log")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(scratch.join("node.log"), &bytes).unwrap();
    scratch.run(&["replay", "node.log"]).expect(3).silent().says(&["error: node.log: at byte ", "changed"]);
    let done = scratch.run(&["replay", "node.log", "--json"]).expect(3);
    assert!(done.stdout.contains("\"verdict\": \"malformed\""), "{}", done.stdout);
}

/// Other files are no logs, and a missing one is a matter of the environment.
#[test]
fn other_files_are_refused() {
    let scratch = Scratch::with_small();
    scratch.run(&["replay", "small.json"]).expect(3).says(&["at byte 0: this is no log"]);
    scratch.run(&["replay", "nowhere.log"]).expect(6).says(&["nowhere.log: the log cannot be read"]);
}

/// A time that is none is refused before the log is read.
#[test]
fn records_print_from_a_time_only() {
    let scratch = Scratch::new();
    for from in ["--from=nan", "--from=inf", "--from=-1", "--from=soon"] {
        let run = scratch.run(&["replay", "node.log", "--dump", "4", from]);
        run.expect(2).silent().says(&["a number of seconds from 0 on"]);
    }
}

/// Records can be read as text, from a time on.
#[test]
fn records_print_as_text() {
    let scratch = Scratch::new();
    record(&scratch, true);
    let done = scratch.run(&["replay", "node.log", "--dump", "4", "--from", "0.5"]).expect(0);
    assert!(done.stdout.starts_with("0.500000000 "), "{}", done.stdout);
    assert!(done.stdout.contains("< timeout") && done.stdout.contains("drain: "), "{}", done.stdout);
}
