//! Sessions sealed from end to end in the lab: an application's bytes through two relays that record all that they get,
//! over hops that are not sealed.

use crate::lab::Bench;
use bellini_core::rng::Seed;
use std::collections::BTreeSet;
use std::fs;

/// Two relays in a row, each hop losing 1 %; reliable.
const CHAIN: &str = r#"{
  "bellini": 1, "name": "sealed", "duration": "3 s", "settle": "500 ms", "drain": "500 ms",
  "defaults": {"link": {"delay": "3 ms", "rate": "20 Mbit/s", "loss": 0.01}},
  "nodes": [{"id": 1, "name": "studio"}, {"id": 2, "name": "near"}, {"id": 3, "name": "far"}, {"id": 4, "name": "viewer"}],
  "links": [{"between": ["studio", "near"]}, {"between": ["near", "far"]}, {"between": ["far", "viewer"]}],
  "conferences": [{"id": 1, "sessions": [{
    "id": 1, "source": "studio", "destinations": ["viewer"], "delivery": "reliable", "sealed": true,
    "content": {"kind": "constant", "rate": "2 Mbit/s"},
    "routing": {"policy": "static", "flows": [{"route": "studio>near>far>viewer", "share": 1.0}]}
  }]}]
}
"#;

/// Bytes of plain text that are told from chance.
const PIECE: usize = 16;

/// How many pieces of `sent` lie anywhere in the log of a node.
fn pieces_in(bench: &Bench, run: &str, node: u32, sent: &[u8]) -> usize {
    let log = fs::read(bench.scratch.join(&format!("{run}/logs/node-{node}-1.log"))).unwrap();
    assert!(log.len() > sent.len(), "node {node} recorded {} bytes", log.len());
    let pieces: BTreeSet<&[u8]> = sent.chunks_exact(PIECE).step_by(8).collect();
    log.windows(PIECE).filter(|part| pieces.contains(part)).count()
}

/// Aim: an application's bytes come out as they went in, coded or not; no log of a relay holds a piece of them, while those
/// of a session that is not sealed are full of them.
#[test]
fn relays_of_a_sealed_session_are_blind() {
    let Some(bench) = Bench::open("relays_of_a_sealed_session_are_blind") else { return };
    let mut sent = vec![0; 200_000];
    Seed(5).stream("file").bytes_at(0, &mut sent);
    fs::write(bench.scratch.join("sent.bin"), &sent).unwrap();
    for (run, from, to, is_sealed) in [
        ("plain", "\"sealed\": true", "\"sealed\": false", false),
        ("sealed", "", "", true),
        ("coded", "\"sealed\": true", "\"sealed\": true, \"coding\": \"rlnc\"", true),
    ] {
        bench.scratch.write("sealed.json", CHAIN.replace(from, to));
        let came = format!("{run}.bin");
        let edges = [
            format!("1/1@studio=file:{}", bench.scratch.join("sent.bin").display()),
            format!("1/1@viewer=file:{}", bench.scratch.join(&came).display()),
        ];
        let mut arguments = vec!["sealed.json", "--out", run, "--no-report", "--record"];
        edges.iter().for_each(|edge| arguments.extend(["--edge", edge]));
        let done = bench.lab(&arguments);
        // 4: the machine was slow, which changes no byte.
        assert!(matches!(done.code, Some(0 | 4)), "{run}: {}", done.stderr);
        assert!(fs::read(bench.scratch.join(&came)).unwrap() == sent, "{run}: what came");
        let found = [2, 3].map(|relay| pieces_in(&bench, run, relay, &sent));
        println!("{run}: {found:?} pieces of {} in the relays' logs", sent.len() / PIECE / 8);
        assert!(
            found.iter().all(|found| if is_sealed { *found == 0 } else { *found > 100 }),
            "{run}: {found:?}"
        );
        let to = &bench.scratch.json(&format!("{run}/summary.json"))["sessions"][0]["destinations"][0];
        assert_eq!(to["unopened_symbols"].as_u64(), is_sealed.then_some(0), "{to}");
    }
    bench.nothing_is_left();
}

/// Aim: a file of the scenario, sealed, over sealed hops as well, has the right digest in the lab.
#[test]
fn a_sealed_file_is_complete() {
    let Some(bench) = Bench::open("a_sealed_file_is_complete") else { return };
    let constant = "{\"kind\": \"constant\", \"rate\": \"2 Mbit/s\"}";
    for (run, coding) in [("file", ""), ("coded", ", \"coding\": \"rlnc\"")] {
        let text = CHAIN.replace(constant, &format!("{{\"kind\": \"file\", \"bytes\": \"300 KB\"}}{coding}"));
        bench.scratch.write("sealed.json", text);
        let done = bench.lab(&["sealed.json", "--out", run, "--no-report", "--seal"]);
        assert!(matches!(done.code, Some(0 | 4)), "{run}: {}", done.stderr);
        let to = &bench.scratch.json(&format!("{run}/summary.json"))["sessions"][0]["destinations"][0];
        assert_eq!((&to["complete"], &to["bytes_complete"]), (&true.into(), &300_000.into()), "{run}: {to}");
        assert_eq!(to["unopened_symbols"], 0);
        let played = fs::read_to_string(bench.scratch.join(&format!("{run}/scenario.json"))).unwrap();
        assert!(played.contains("\"seal\": true"), "{played}");
    }
}
