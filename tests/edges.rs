//! Applications at the edges of a session: files, standard input, sockets, and ffmpeg's video through two relays.

use crate::harness::BELLINI;
use crate::lab::Bench;
use bellini_core::rng::Seed;
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// Two relays in a row, each hop losing 2 %; reliable.
const LOSSY: &str = r#"{
  "bellini": 1, "name": "edges", "duration": "4 s", "settle": "500 ms", "drain": "500 ms",
  "defaults": {"link": {"delay": "5 ms", "rate": "20 Mbit/s", "loss": 0.02}},
  "nodes": [{"id": 1, "name": "studio"}, {"id": 2, "name": "near"}, {"id": 3, "name": "viewer"}, {"id": 4, "name": "archive"}],
  "links": [{"between": ["studio", "near"]}, {"between": ["near", "viewer"]}, {"between": ["near", "archive"]}],
  "conferences": [{"id": 1, "sessions": [{
    "id": 1, "source": "studio", "destinations": ["viewer", "archive"], "delivery": "reliable",
    "content": {"kind": "constant", "rate": "2 Mbit/s"},
    "routing": {"policy": "static", "flows": [{"route": "studio>near>{viewer,archive}", "share": 1.0}]}
  }]}]
}
"#;

fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Seed(4).stream("file").bytes_at(0, &mut bytes);
    bytes
}

/// Aim: bytes of standard input come out at two destinations behind lossy hops, as a file and at a Unix socket, each byte
/// as it was; the reader of the socket sees the end while the run goes on.
#[test]
fn a_stream_crosses_the_lab() {
    let Some(bench) = Bench::open("a_stream_crosses_the_lab") else { return };
    bench.scratch.write("edges.json", LOSSY);
    let sent = content(700_000);
    fs::write(bench.scratch.join("sent.bin"), &sent).unwrap();
    let socket = bench.scratch.join("viewer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let viewer = std::thread::spawn(move || {
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        received
    });
    let archive = bench.scratch.join("archive.bin");
    let edges = [
        "1/1@studio=-".to_owned(),
        format!("1/1@viewer=unix:{}", socket.display()),
        format!("1/1@archive=file:{}", archive.display()),
    ];
    let mut arguments = vec!["edges.json", "--out", "run", "--no-report"];
    edges.iter().for_each(|edge| arguments.extend(["--edge", edge]));
    let mut command = bench.command(&arguments);
    command.stdin(fs::File::open(bench.scratch.join("sent.bin")).unwrap());
    let done = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    // 4: the machine was slow, which changes no byte.
    assert!(matches!(done.status.code(), Some(0 | 4)), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(viewer.join().unwrap() == sent, "what the socket's reader got");
    assert!(fs::read(archive).unwrap() == sent, "the file");
    let summary = bench.scratch.json("run/summary.json");
    let to = &summary["sessions"][0]["destinations"];
    assert!(to.as_array().unwrap().iter().all(|it| it["lost_packets"] == 0), "{to}");
}

/// Aim: edges that cannot be are refused before anything starts, and say what would be right.
#[test]
fn impossible_edges_are_refused() {
    let Some(bench) = Bench::open("impossible_edges_are_refused") else { return };
    bench.scratch.write("edges.json", LOSSY);
    bench.scratch.write("loose.json", LOSSY.replace(r#""delivery": "reliable","#, ""));
    for (scenario, edges, code, expected) in [
        ("edges.json", &["1/1@studio"][..], 2, "CONFERENCE/SESSION@NODE=PLACE"),
        ("edges.json", &["1/1@studio=udp:5004"], 2, "127.0.0.1:5004"),
        ("edges.json", &["1/1@studio=pipe:x"], 2, "unixgram:"),
        ("edges.json", &["1/2@studio=-"], 3, "no session 1/2"),
        ("edges.json", &["1/1@near=-"], 3, "studio, viewer, archive"),
        ("edges.json", &["1/1@studio=-", "1/1@viewer=udp:127.0.0.1:9"], 3, "as datagrams"),
        ("edges.json", &["1/1@viewer=-", "1/1@viewer=unix:/tmp/x"], 3, "two edges"),
        ("loose.json", &["1/1@studio=-"], 3, "\"delivery\": \"reliable\""),
        ("edges.json", &["1/1@studio=file:/nowhere/at/all"], 6, "file:/nowhere/at/all"),
        ("edges.json", &["1/1@viewer=file:/nowhere/at/all"], 6, "file:/nowhere/at/all"),
    ] {
        let mut arguments = vec![scenario, "--out", "run"];
        edges.iter().for_each(|edge| arguments.extend(["--edge", edge]));
        let done = bench.lab(&arguments);
        assert_eq!(done.code, Some(code), "{edges:?}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{edges:?}: {}", done.stderr);
    }
    bench.nothing_is_left();
}

/// Aim: the shipped example: a test video by RTP through two relays, each of its 250 frames received as it was sent.
#[test]
fn ffmpeg_sends_a_video_through_two_relays() {
    let test = "ffmpeg_sends_a_video_through_two_relays";
    let Some(bench) = Bench::open(test) else { return };
    if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
        eprintln!("{test}: skipped (there is no ffmpeg)");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rtp-video/run.sh");
    let mut command = bench.scratch.command("sh");
    command.args([script, "video"]).env("BELLINI", BELLINI).env("SENT", "5104").env("RECEIVED", "6104");
    let done = command.env("TMPDIR", bench.temporary()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("frames sent: 250, received: 250, as they were sent: 250"), "{stdout}");
}
