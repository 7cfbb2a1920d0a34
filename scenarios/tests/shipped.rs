//! The shipped scenario files: what can be said about them without running them, and the formula of the
//! benchmark overlays.

use bellini_scenarios::data::{dataset, region};
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::registry::Registry;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the shipped scenarios with their names, sorted.
fn shipped() -> Vec<(String, Value)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() >= 8, "{paths:?}");
    paths.iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

#[test]
fn every_scenario_says_what_it_is() {
    for (name, scenario) in shipped() {
        assert_eq!(scenario["bellini"], 1, "{name}");
        assert!(scenario["description"].as_str().is_some_and(|text| text.len() > 300), "{name}");
    }
}

/// Aim: the scenarios of transports say what they show, and are right.
#[test]
fn scenarios_of_transports_load() {
    let mut found = 0;
    for entry in std::fs::read_dir(folder().join("transports")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        found += 1;
        let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{path:?}");
        assert!(loaded.scenario.description.len() > 100, "{path:?}");
    }
    assert!(found >= 6, "{found}");
}

/// Aim: the scenarios of the paper's figures say what they are, are right, and give the source of each link.
#[test]
fn scenarios_of_the_paper_load() {
    for name in ["fig9-cloud", "fig9-p2p"] {
        let path = folder().join("paper").join(name).with_extension("json");
        let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{name}");
        let scenario = read(&path);
        assert!(scenario["description"].as_str().is_some_and(|text| text.len() > 300), "{name}");
        for link in scenario["links"].as_array().unwrap() {
            let source = link["source"].as_str().unwrap();
            assert!(
                source.contains("derived") && (source.contains("assumed") || source.contains("fitted")),
                "{link}"
            );
        }
    }
}

/// Aim: the scenarios of coding say what they show, are right, and all but those to compare with are coded.
#[test]
fn scenarios_of_coding_load() {
    let (mut found, mut coded) = (0, 0);
    for entry in std::fs::read_dir(folder().join("coding")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        found += 1;
        let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{path:?}");
        assert!(loaded.scenario.description.len() > 100, "{path:?}");
        let mut sessions = loaded.scenario.conferences.iter().flat_map(|conference| &conference.sessions);
        coded += u32::from(sessions.any(|session| session.coding.is_some()));
    }
    assert!(found >= 4 && coded >= 3, "{coded} of {found}");
}

/// Aim: the scenario of the listing says what it shows, is right, and its listing decides.
#[test]
fn the_scenario_of_the_listing_loads() {
    let path = folder().join("listing/member-lost.json");
    let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
    assert!(loaded.warnings.is_empty());
    let scenario = loaded.scenario;
    assert!(scenario.description.len() > 300);
    assert_eq!(scenario.planner.node, scenario.listing.map(|listing| listing.node));
}

#[test]
fn named_regions_have_measured_delays_between_them() {
    for (name, scenario) in shipped() {
        let Some(set) = scenario["topology"]["dataset"].as_str() else { continue };
        let set = dataset(set).unwrap_or_else(|| panic!("{name}: no data set {set}"));
        let nodes = scenario["nodes"].as_array().unwrap();
        let regions: Vec<_> = nodes.iter().filter_map(|node| node["region"].as_str()).collect();
        for a in &regions {
            assert!(region(a).is_some(), "{name}: {a}");
            for b in regions.iter().filter(|b| *b != a) {
                assert!(set.rtt(a, b).is_some(), "{name}: {a} to {b}");
            }
        }
    }
}

#[test]
fn every_policy_that_is_named_exists() {
    fn visit(value: &Value, key: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(entries) => entries.iter().for_each(|(key, value)| visit(value, key, found)),
            Value::Array(items) => items.iter().for_each(|item| visit(item, key, found)),
            Value::String(text) if ["routing", "assignment", "policy"].contains(&key) => {
                found.push((key.to_owned(), text.clone()));
            }
            _ => {}
        }
    }
    let registry = Registry::builtin();
    for (name, scenario) in shipped() {
        let mut found = Vec::new();
        visit(&scenario, "", &mut found);
        assert!(!found.is_empty(), "{name}");
        for (key, policy) in found {
            let known = match key.as_str() {
                "assignment" => registry.assignment_names(),
                _ => registry.routing_names(),
            };
            assert!(known.contains(&policy.as_str()), "{name}: {key} {policy}");
        }
    }
}

/// Aim: the benchmark files are exactly what the formula says, which `docs/performance.md` and the peers'
/// figures refer to. After a change of the formula, copy the files that the failing test names.
#[test]
fn benchmark_overlays_follow_their_formula() {
    let mut stale = Vec::new();
    for (sessions, mbps) in [(10, 10), (100, 5), (1_000, 5)] {
        let name = format!("overlay-{sessions}.json");
        let expected = overlay(sessions, mbps);
        assert!(expected.len() < 300_000, "{name} has {} bytes", expected.len());
        let path = folder().join("bench").join(&name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(expected.as_str()) {
            let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
            std::fs::write(&fresh, expected).unwrap();
            stale.push(fresh);
        }
    }
    assert!(stale.is_empty(), "scenarios/bench/ differs from the formula: compare with {stale:?}");
}

/// Seven nodes, here 1 to 7 (0 to 6 in the formula).
const NODES: u64 = 7;

/// Returns the delay of the k-th pair in hundredths of a millisecond: 5 + 145 ((8k) mod 21) / 20 ms.
fn delay_centims(k: u64) -> u64 {
    500 + 725 * ((8 * k) % 21)
}

/// Returns source, relay and destination of session `s`.
fn triangle(s: u64) -> (u64, u64, u64) {
    let destination = s % NODES;
    let j = (s / NODES) % 3;
    ((destination + 4 + j) % NODES, (destination + 1 + (j + destination) % 3) % NODES, destination)
}

fn pairs() -> impl Iterator<Item = (u64, u64)> {
    (0..NODES).flat_map(|a| (a + 1..NODES).map(move |b| (a, b)))
}

fn overlay(sessions: u64, mbps: u64) -> String {
    let mut text = format!(
        "{{\n  \"bellini\": 1,\n  \"description\": \"Benchmark: {sessions} sessions of {mbps} Mbit/s in \
         1,000-byte symbols, each over one relay of a full mesh of seven nodes, for 10 s. Written by the formula in \
         scenarios/tests/shipped.rs, so that the same load can be given to other simulators.\",\n  \
         \"duration\": \"10 s\",\n  \"settle\": \"1 s\",\n  \"drain\": \"0 s\",\n  \"defaults\": {{\n    \
         \"link\": {{\"rate\": \"1 Gbit/s\", \"queue\": \"1030000 B\"}},\n    \
         \"session\": {{\"symbol_bytes\": \"1000 B\"}}\n  }},\n  \"nodes\": ["
    );
    let comma = |first: bool| if first { "" } else { "," };
    for node in 1..=NODES {
        let _ = write!(text, "{}{{\"id\": {node}}}", if node == 1 { "" } else { ", " });
    }
    text.push_str("],\n  \"links\": [");
    for (k, (a, b)) in (0..).zip(pairs()) {
        let delay = delay_centims(k);
        let (whole, rest) = (delay / 100, delay % 100);
        let (a, b) = (a + 1, b + 1);
        let _ = write!(
            text,
            "{}\n    {{\"between\": [{a}, {b}], \"delay\": \"{whole}.{rest:02} ms\"}}",
            comma(k == 0)
        );
    }
    text.push_str("\n  ],\n  \"conferences\": [\n    {\"id\": 1, \"sessions\": [");
    // Nanoseconds between the 8,000-bit payloads of one session.
    let interval = 8_000_000 / mbps;
    for s in 0..sessions {
        let (source, relay, destination) = triangle(s);
        let (source, relay, destination) = (source + 1, relay + 1, destination + 1);
        let phase = interval * s / sessions;
        let _ = write!(
            text,
            "{}\n      {{\"id\": {}, \"source\": {source}, \"destinations\": [{destination}], \
             \"content\": {{\"kind\": \"constant\", \"rate\": \"{mbps} Mbit/s\", \"phase\": \"{phase} ns\"}}, \
             \"routing\": {{\"policy\": \"static\", \
             \"flows\": [{{\"route\": \"{source}>{relay}>{destination}\", \"share\": 1.0}}]}}}}",
            comma(s == 0),
            s + 1,
        );
    }
    text.push_str("\n    ]}\n  ]\n}\n");
    text
}

/// Aim: the formula is the one by which the peers were measured. With 30 bytes of headers below the payload, an
/// unloaded network delivers within 10 s the number of packets that they delivered.
#[test]
fn an_unloaded_overlay_delivers_what_the_peers_delivered() {
    for (sessions, mbps, expected) in [(10, 10, 123_119), (100, 5, 615_995)] {
        let nanos = |a: u64, b: u64| {
            let k = (0..).zip(pairs()).find(|&(_, pair)| pair == (a.min(b), a.max(b))).unwrap().0;
            delay_centims(k) * 10_000
        };
        let interval = 8_000_000 / mbps;
        let delivered: u64 = (0..sessions)
            .map(|s| {
                let (source, relay, destination) = triangle(s);
                // Two hops of 1,030 bytes at 1 Gbit/s.
                let travel = nanos(source, relay) + nanos(relay, destination) + 2 * 8_240;
                let first = interval * s / sessions + travel;
                (10_000_000_000 - first) / interval + 1
            })
            .sum();
        assert_eq!(delivered, expected, "{sessions} sessions");
    }
}

/// Aim: case studies stay as short as the paper says that they can be: under 1,000 lines of policy, blank lines, comments
/// and tests apart. What is no policy is not counted: workloads, months without packets and what nobody could
/// undercut are in `src/fluid`, for experiments. Jetway's baselines, Postcard and EcoFlow among them, are counted.
#[test]
fn case_studies_stay_short() {
    for name in ["airlift", "jetway"] {
        let policy = folder().join("src/policies").join(name);
        let mut lines = 0;
        for entry in std::fs::read_dir(policy).expect("it is there") {
            let path = entry.expect("it can be read").path();
            if path.file_name().is_some_and(|name| name != "tests.rs") {
                let text = std::fs::read_to_string(&path).expect("it can be read");
                let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
                lines += text.lines().filter(is_code).count();
            }
        }
        println!("{name}: {lines} lines");
        assert!((100..1_000).contains(&lines), "{name}: {lines}");
    }
}
