//! What labs record: what the simulator predicts, to the byte, and clocks within their bound.

use super::{Bench, SHORT, number};
use crate::harness::sources;
use serde_json::Value;
use std::fs;

/// Aim: what the simulator says of a network with nothing random in it is what real processes do, and the run
/// directory is as complete as the simulator's.
#[test]
fn a_run_ends_with_the_records_that_the_simulator_predicts() {
    let Some(bench) = Bench::open("a run in the lab") else { return };
    let predicted = bench.scratch.run(&["sim", "short.json", "--out", "sim", "--no-report"]).expect(0);
    assert!(predicted.stdout.contains("short in sim"));
    let predicted = bench.scratch.json("sim/summary.json");
    let measured = bench.measure("run", &["short.json"]);
    for name in ["scenario.json", "summary.json", "series.csv", "events.jsonl", "delays.csv", "report.html"] {
        assert!(!bench.scratch.read(&format!("run/{name}")).is_empty(), "{name}");
    }
    let Some(measured) = measured else { return };
    let destination = &measured["sessions"][0]["destinations"][0];
    let sent = &predicted["sessions"][0]["destinations"][0]["sent_packets"];
    assert_eq!((&destination["sent_packets"], &destination["delivered_packets"]), (sent, sent));
    let (base, p50) = (number(&destination["base_delay_ms"]), number(&destination["delay_ms"]["p50"]));
    assert!((base..base + 20.0).contains(&p50), "{p50} ms, and {base} ms without queues");
    assert_eq!(destination["delay_error_ms"], Value::Null, "nodes share one clock");
    let links = |summary: &Value| summary["links"].as_array().unwrap().clone();
    assert_eq!(links(&measured).len(), links(&predicted).len());
    for (seen, said) in links(&measured).iter().zip(links(&predicted)) {
        assert_eq!((&seen["from"], &seen["to"]), (&said["from"], &said["to"]));
        // Control hops repeat what is not answered in time: some packets more or less.
        let (seen, said) = (number(&seen["sent_packets"]), number(&said["sent_packets"]));
        assert!((seen - said).abs() <= 5.0, "{seen} packets on a link, predicted {said}");
    }
    for node in measured["nodes"].as_array().unwrap() {
        assert!(number(&node["cpu_s"]) > 0.0 && number(&node["peak_rss_mib"]) > 1.0, "{node}");
    }
}

/// Aim: a killed relay costs its packets and comes back, and what each process did is in its log, to the byte.
#[test]
fn a_killed_relay_returns_and_every_log_replays() {
    let Some(bench) = Bench::open("a killed relay") else { return };
    let mut scenario: Value = serde_json::from_str(SHORT).unwrap();
    scenario["faults"] =
        serde_json::json!([{"at": "500 ms", "crash": "relay"}, {"at": "1 s", "restart": "relay"}]);
    bench.scratch.write("killed.json", scenario.to_string());
    let measured = bench.measure("run", &["killed.json", "--record", "--no-report"]);
    let replayed = bench.replay_all("run");
    let names: Vec<&str> = replayed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["node-1-1.log", "node-2-1.log", "node-2-2.log", "node-3-1.log"]);
    for (name, done) in &replayed {
        let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
        let ending = if name == "node-2-1.log" { "cut" } else { "complete" };
        assert_eq!(verdict["ending"], ending, "{name}");
        // A second of half the packets went through the relay after its restart.
        assert!(verdict["frames"].as_u64().unwrap() >= 20 || name == "node-3-1.log", "{name}: {verdict}");
    }
    bench.scratch.run(&["replay", "run/logs/node-2-1.log"]).expect(0).says(&["end of the log is missing"]);
    let events = bench.scratch.read("run/events.jsonl");
    assert!(events.contains("node_crashed") && events.contains("node_restarted"), "{events}");
    // One byte of a log is another one: found out.
    let mut log = fs::read(bench.scratch.join("run/logs/node-1-1.log")).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 0x10;
    bench.scratch.write("damaged.log", log);
    let done = bench.scratch.run(&["replay", "damaged.log"]);
    assert!(matches!(done.code, Some(3 | 4)), "{done:?}");
    let Some(measured) = measured else { return };
    let destination = &measured["sessions"][0]["destinations"][0];
    let lost = number(&destination["lost_packets"]);
    // Half of half a second is 52 symbols; hops take some round trips to come back.
    assert!((40.0..160.0).contains(&lost), "{destination}");
}

/// A reliable session to two sinks that register at a listing; one of them dies and returns, the listing does in between.
const LISTED: &str = r#"{
  "bellini": 1,
  "name": "listed",
  "duration": "8 s", "settle": "500 ms", "drain": "500 ms",
  "listing": {"node": "listing", "lease": "2 s"},
  "defaults": {"link": {"delay": "5 ms", "rate": "20 Mbit/s"}},
  "nodes": [
    {"id": 1, "name": "source"}, {"id": 2, "name": "relay"}, {"id": 3, "name": "one"}, {"id": 4, "name": "two"},
    {"id": 5, "name": "listing"}
  ],
  "links": [
    {"between": ["source", "relay"]}, {"between": ["relay", "one"]}, {"between": ["relay", "two"]},
    {"between": ["relay", "listing"]}
  ],
  "conferences": [{"id": 1, "sessions": [{
    "id": 1, "source": "source", "destinations": ["one", "two"], "delivery": "reliable",
    "content": {"kind": "constant", "rate": "500 kbit/s"}, "stop": "7 s", "routing": "multicast-tree"
  }]}],
  "faults": [
    {"at": "1 s", "crash": "two"}, {"at": "3500 ms", "crash": "listing"},
    {"at": "4 s", "restart": "listing"}, {"at": "4500 ms", "restart": "two"}
  ]
}
"#;

/// Aim: real processes register, expire and come back as in the simulator; the listing's process is given its list again;
/// and what all of them did is in their logs, to the byte.
#[test]
fn a_silent_member_expires_and_comes_back() {
    let Some(bench) = Bench::open("a silent member") else { return };
    bench.scratch.write("listed.json", LISTED);
    let measured = bench.measure("run", &["listed.json", "--record", "--no-report"]);
    assert_eq!(bench.replay_all("run").len(), 7, "five nodes, two of them twice");
    let Some(measured) = measured else { return };
    let events = bench.scratch.read("run/events.jsonl");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind =
        |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["kind"] == kind).collect() };
    let who = |kind: &str| -> Vec<&Value> { of_kind(kind).into_iter().map(|event| &event["node"]).collect() };
    assert_eq!(who("member_expired"), [4], "{:?}", of_kind("member_expired"));
    assert_eq!(who("member_back"), [4]);
    assert_eq!(of_kind("session_completed").len(), 1);
    let expired = number(&of_kind("member_expired")[0]["t_s"]);
    let back = number(&of_kind("member_back")[0]["t_s"]);
    assert!(expired > 1.0 + 1.3 && back > 4.5 && back > expired, "expired at {expired} s, back at {back} s");
    println!("expired at {expired} s, back at {back} s");
    let one = &measured["sessions"][0]["destinations"][0];
    assert_eq!(number(&one["lost_packets"]), 0.0, "{one}");
}

/// Aim: stream hops over the kernel's TCP lose nothing, over links that drop too, end a file, and replay.
#[test]
fn tcp_delivers_everything_and_replays() {
    let Some(bench) = Bench::open("stream hops") else { return };
    for name in ["bottleneck", "loss", "file"] {
        let path = sources().join(format!("scenarios/fidelity/tcp/{name}.json")).display().to_string();
        let mut sets = vec!["duration=1500 ms", "settle=500 ms", "drain=800 ms"];
        sets.extend(["measure.from=0 s", "measure.to=1500 ms"]);
        if name == "file" {
            sets.push("conferences[0].sessions[0].content.bytes=1 MB");
        }
        let mut arguments = vec![path.as_str(), "--record", "--no-report"];
        arguments.extend(sets.into_iter().flat_map(|set| ["--set", set]));
        let measured = bench.measure(name, &arguments);
        let logs = bench.replay_all(name);
        let Some(measured) = measured else { continue };
        assert_eq!(logs.len(), measured["nodes"].as_array().unwrap().len());
        let sessions = measured["sessions"].as_array().unwrap();
        let streams: Vec<&Value> = sessions.iter().filter(|session| session["transport"] == "tcp").collect();
        assert!(!streams.is_empty());
        for session in streams {
            let destination = &session["destinations"][0];
            assert_eq!(destination["delivered_packets"], destination["sent_packets"], "{name}: {session}");
            assert!(number(&destination["delivered_packets"]) > 50.0, "{name}: {session}");
            assert_ne!(destination["complete"], false, "{name}: {session}");
        }
    }
}

/// Aim: clocks that are 80 ms apart and drift change neither what is sent nor, within the stated bound, the delays.
#[test]
fn planted_clock_errors_are_estimated_within_their_bound() {
    let Some(bench) = Bench::open("planted clock errors") else { return };
    let mut scenario: Value = serde_json::from_str(SHORT).unwrap();
    let routing =
        serde_json::json!({"policy": "static", "flows": [{"route": "source>relay>sink", "share": 1.0}]});
    scenario["conferences"][0]["sessions"][0]["routing"] = routing;
    bench.scratch.write("true.json", scenario.to_string());
    scenario["nodes"][0]["clock"] = serde_json::json!({"offset": "40 ms", "drift": "50 ppm"});
    scenario["nodes"][2]["clock"] = serde_json::json!({"offset": "-40 ms", "drift": "-50 ppm"});
    bench.scratch.write("wrong.json", scenario.to_string());
    for (name, arguments) in [
        ("wrong", &["wrong.json", "--no-report"][..]),
        ("true", &["true.json", "--no-report", "--measure-clocks"]),
    ] {
        let arguments = [arguments, &["--set", "settle=2500 ms"]].concat();
        let Some(measured) = bench.measure(name, &arguments) else { continue };
        let destination = &measured["sessions"][0]["destinations"][0];
        // Sessions start and stop in the same moments whatever clocks show.
        assert_eq!(number(&destination["sent_packets"]), 417.0, "{name}: {destination}");
        assert_eq!(destination["delivered_packets"], destination["sent_packets"], "{name}: {destination}");
        let bound = number(&destination["delay_error_ms"]);
        // Half of the longest round trip is what cannot be known; the errors are far beyond.
        assert!(bound > 0.0 && bound < 40.0, "{name}: {destination}");
        let off = number(&destination["delay_ms"]["p50"]) - number(&destination["base_delay_ms"]);
        assert!(off.abs() <= bound + 3.0, "{name}: {destination}");
    }
}

/// Aim: TCP as cross traffic fills what a session leaves, goes on when a node of ours dies, and counts as nobody's
/// packets: what links say of our own hops is what the session sent.
#[test]
fn others_tcp_shares_the_links_and_is_told_apart() {
    let Some(bench) = Bench::open("TCP as cross traffic") else { return };
    let scenario = serde_json::json!({
        "bellini": 1, "name": "crossed",
        "duration": "3 s", "settle": "500 ms", "drain": "300 ms",
        "nodes": [{"id": 1}, {"id": 2}],
        "links": [
            {"from": 1, "to": 2, "delay": "5 ms", "rate": "6 Mbit/s", "queue": "20 KB"},
            {"from": 2, "to": 1, "delay": "5 ms", "rate": "6 Mbit/s"}
        ],
        "cross_traffic": [
            {"from": 1, "to": 2, "pattern": "tcp", "flows": 2, "controller": "cubic", "stop": "2500 ms"},
            {"from": 1, "to": 2, "pattern": "tcp", "controller": "reno", "delayed_acks": false}
        ],
        "faults": [{"at": "1 s", "crash": 2}, {"at": "1500 ms", "restart": 2}],
        "conferences": [{"id": 1, "sessions": [{
            "id": 1, "source": 1, "destinations": [2],
            "content": {"kind": "constant", "rate": "480 kbit/s"}, "routing": "direct"
        }]}]
    });
    bench.scratch.write("crossed.json", scenario.to_string());
    let Some(measured) = bench.measure("run", &["crossed.json", "--no-report"]) else { return };
    let flows = measured["cross_flows"].as_array().unwrap();
    let names: Vec<_> =
        flows.iter().map(|flow| (&flow["flow"], flow["controller"].as_str().unwrap())).collect();
    assert_eq!(names, [(&1.into(), "cubic"), (&2.into(), "cubic"), (&3.into(), "reno")]);
    assert!(flows.iter().all(|flow| flow["retransmitted_segments"].is_u64()), "{flows:?}");
    let goodputs: Vec<f64> = flows.iter().map(|flow| number(&flow["goodput_mbps"])).collect();
    let all: f64 = goodputs.iter().sum();
    // A link of 6 Mbit/s, less the session, headers and what a busy machine wastes; never more than the link has.
    assert!((2.5..5.8).contains(&all) && goodputs.iter().all(|one| *one > 0.1), "{goodputs:?}");
    let links = measured["links"].as_array().unwrap();
    let (there, back) = (number(&links[0]["cross_bytes"]), number(&links[1]["cross_bytes"]));
    let payload = all * 1e6 / 8.0 * 3.0;
    assert!(
        there > payload && there < 1.2 * payload + 100_000.0,
        "{there} bytes of others for {payload} of payload"
    );
    assert!(back > 1_000.0 && back < 0.15 * there, "{back} bytes of acknowledgements");
    // 50 symbols a second, less those of the outage, and what control hops say; the connections sent a thousand.
    let own = number(&links[0]["sent_packets"]);
    assert!((90.0..300.0).contains(&own), "{own} packets of ours");
    assert!(!links[0]["transport"].as_str().unwrap().contains("tcp"));
    let series = bench.scratch.read("run/series.csv");
    assert!(series.contains(",cross,1>2#3,cross_goodput_mbps,"), "samples name the connection");
}

/// Aim: several seeds are several runs, one line of JSON each.
#[test]
fn several_seeds_are_several_runs() {
    let Some(bench) = Bench::open("several seeds") else { return };
    let sets = ["--set", "duration=300 ms", "--set", "settle=200 ms", "--set", "drain=100 ms"];
    let arguments = ["short.json", "--out", "runs", "--seeds", "2", "--no-report", "--json"];
    let done = bench.lab(&[&arguments[..], &sets].concat());
    assert!(matches!(done.code, Some(0 | 4)), "{done:?}");
    let lines: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seeds: Vec<&Value> = lines.iter().map(|summary| &summary["seed"]).collect();
    assert_eq!(seeds, [1, 2]);
    assert_eq!(bench.scratch.list("runs"), ["seed-1", "seed-2"]);
    assert_eq!(done.code == Some(4), lines.iter().any(|summary| summary["lab"]["valid"] == false));
    bench.nothing_is_left();
}

/// Aim: what waits for its turn at a hop when the run ends was not lost: it is under way, as in the simulator, whether the
/// source or a relay holds it. Nodes are asked one after the other, so that a few symbols may lie between two answers.
#[test]
fn what_waits_at_the_end_is_not_lost() {
    let Some(bench) = Bench::open("what waits at the end") else { return };
    let file = r#"{"kind": "file", "bytes": "20 MB"}"#;
    let constant = r#"{"kind": "constant", "rate": "10 Mbit/s"}"#;
    let cases = [
        ("source", r#", "rates": {"relay": "4 Mbit/s"}"#, "", file, ""),
        ("relay", "", r#", "rates": {"sink": "4 Mbit/s"}"#, constant, ""),
        ("held", r#", "rates": {"relay": "4 Mbit/s"}"#, "", constant, r#""delivery": "reliable","#),
    ];
    for (name, at_source, at_relay, content, more) in cases {
        let text = SHORT
            .replace(r#""name": "source"}"#, &format!(r#""name": "source"{at_source}}}"#))
            .replace(r#""name": "relay"}"#, &format!(r#""name": "relay"{at_relay}}}"#))
            .replace(r#"{"kind": "constant", "rate": "2 Mbit/s"}"#, content)
            .replace(r#""share": 0.5}, {"route": "source>sink", "share": 0.5}"#, r#""share": 1}"#)
            .replace(
                r#""source": "source","#,
                &format!(r#""source": "source", "symbol_bytes": "500 B", {more}"#),
            );
        bench.scratch.write("wait.json", text);
        let sim = ["sim", "wait.json", "--no-report", "--out"];
        bench.scratch.run(&[&sim[..], &[&format!("sim-{name}")]].concat()).expect(0);
        let predicted = bench.scratch.json(&format!("sim-{name}/summary.json"));
        let Some(measured) = bench.measure(name, &["wait.json", "--no-report"]) else { return };
        let of = |summary: &Value| {
            let to = &summary["sessions"][0]["destinations"][0];
            ["sent_packets", "delivered_packets", "lost_packets", "in_flight_packets"]
                .map(|it| number(&to[it]))
        };
        let ([.., said], [sent, delivered, lost, waits]) = (of(&predicted), of(&measured));
        eprintln!("{name}: {sent} sent, {delivered} delivered, {lost} lost, {waits} wait, {said} predicted");
        assert_eq!(sent, delivered + lost + waits);
        assert!(name == "relay" || lost < 30.0, "{name}: {lost} lost");
        // What a reliable source holds depends on when acknowledgements come.
        assert!((0.5..3.0).contains(&(waits / said)), "{name}: {waits} wait, {said} predicted");
    }
}
