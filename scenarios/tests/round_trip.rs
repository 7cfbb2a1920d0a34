//! A resolved scenario, written out and read again, is the same scenario.

use bellini_core::content::spec::{Content, SizeDistribution};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::emit::{to_text, to_value};
use bellini_scenarios::model::{
    CrossPattern, FaultKind, LinkSelector, Loss, QueueDiscipline, Rate, Scenario, TcpController, TcpRecovery,
};
use bellini_scenarios::parse::{LoadOptions, load, parse_str};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn read(text: &str) -> Scenario {
    let loaded = parse_str("file.json", text, &LoadOptions::default());
    loaded.unwrap_or_else(|found| panic!("{found}\n{text}")).scenario
}

#[track_caller]
fn same_again(scenario: &Scenario) {
    let text = to_text(scenario);
    let again = read(&text);
    assert_eq!(&again, scenario, "{text}");
    assert_eq!(to_text(&again), text);
}

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = files(folder.to_path_buf())
        .chain(files(folder.join("bench")))
        .chain(files(folder.join("coding")))
        .chain(files(folder.join("listing")))
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(paths.len() >= 11, "{paths:?}");
    paths
}

#[test]
fn shipped_scenarios() {
    for path in shipped() {
        let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{path:?}: {}", loaded.warnings[0].render(false));
        same_again(&loaded.scenario);
    }
}

/// One of everything that the text form has.
const EVERYTHING: &str = r#"{
  "$schema": "schema.json",
  "bellini": 1,
  "name": "everything",
  "description": "One of everything: \"quoted\", ünïcode.",
  "seed": 18446744073709551615,
  "duration": "1 min",
  "settle": "0 s",
  "drain": "2.5 s",
  "measure": {"from": "5 s"},
  "sample_interval": "250 ms",
  "report_interval": "10 s",
  "view": "measured",
  "planner": {"node": "a", "time": "3 ms", "period": "1 s"},
  "listing": {"node": "d", "lease": "2.5 s"},
  "seal": true,
  "defaults": {
    "node": {"processing": "5 us"},
    "link": {"delay": "7 ms", "rate": "50 Mbit/s", "mtu": 1400},
    "session": {"symbol_bytes": "1000 B", "draw": "stride"}
  },
  "topology": {"dataset": "clouds-2022", "rates": true},
  "nodes": [
    {"id": 4, "name": "d", "region": "aws:us-east-1"},
    {"id": 1, "name": "a", "region": "gcp:europe-west1", "position": [1.25, -7.1], "processing": "1 us"},
    {"id": 2, "recoding": false, "egress": {"rate": "1 Gbit/s"}, "ingress": {"rate": "2 Gbit/s", "queue": "1 MB"}, "receive_queue": 7},
    {"id": 3, "clock": {"offset": "-12 ms", "drift": "20.5 ppm"},
     "feeder": {"live": "1 KB", "bulk": "3 KiB", "scheduler": "deficit-weighted", "quantum": "3000 B", "packets": 9, "conferences": 2},
     "rates": {"*": "10 Mbit/s", "d": "2 Mbit/s"}}
  ],
  "links": [
    {"between": ["a", 2], "rate": "1.5 Mbit/s", "queue": {"discipline": {"red": {"min": "10 KB", "max": "30 KB"}}}, "jitter": {"uniform": "1 ms"}, "loss": 0.1},
    {"between": [2, 3], "bottleneck": "shared", "loss": {"gilbert_elliott": {"good_to_bad": 0.01, "bad_to_good": 0.3, "loss_bad": 0.7}}},
    {"from": 3, "to": 4, "delay": "1 ns", "rate": "unlimited", "jitter": {"exponential": "2 ms", "reorder": true}, "loss": {"trace": "0010"},
     "source": "own ping", "date": "2024-05"},
    {"from": 4, "to": 3, "rate": {"trace": "fcc-hd:hd_0000"}, "queue": {"bytes": "99 KB", "discipline": {"codel": {"target": "6 ms"}}},
     "loss": {"gilbert_elliott_time": {"mean_good": "1 s", "mean_bad": "100 ms"}}, "usd_per_gb": 0.09},
    {"between": ["a", 3], "rate": {"name": "steps", "steps": [["1 s", "10 Mbit/s"], ["500 ms", "0 bit/s"]]}, "loss": {"bernoulli": 0}, "jitter": {"half_normal": "1 us"}}
  ],
  "bottlenecks": [{"name": "shared", "rate": "10 Mbit/s", "queue": {"bytes": "64 KiB", "discipline": "drop-tail"}}],
  "cross_traffic": [
    {"from": "a", "to": 2, "pattern": "poisson", "rate": "100 kbit/s"},
    {"from": 2, "to": "a", "pattern": {"on_off": {"on": "1 s", "off": "2 s"}}, "rate": "1 Mbit/s", "packet": "500 B", "start": "1 s", "stop": "2 s"},
    {"from": "a", "to": 2, "pattern": "tcp", "flows": 2, "controller": "reno", "delayed_acks": false, "recovery": "dupack", "start": "3 s"},
    {"from": "a", "to": 2, "pattern": "tcp"}
  ],
  "conferences": [
    {"id": 7, "name": "talk", "weight": 3, "priority": 9, "start": "1 s", "end": "50 s",
     "churn": [{"at": "30 s", "node": "d", "session": "s1", "change": "leave"}, {"at": "20 s", "node": 4, "session": 1, "change": "join"}],
     "sessions": [
      {"id": 2, "name": "film", "source": 2, "destinations": [3], "content": {"kind": "video", "rate": "4 Mbit/s"}, "routing": "direct", "draw": "random"},
      {"id": 1, "source": "a", "destinations": [3, 2], "content": {"kind": "constant", "rate": "1 Mbit/s", "phase": "3 ms"},
       "routing": {"policy": "static", "flows": [{"route": "a > 2 > 3", "share": 0.7}, {"route": "a>{2,3>4d}", "share": "rest"}]}}
    ]},
    {"id": 3, "sessions": [
      {"id": 0, "source": "a", "destinations": [2], "content": {"kind": "adaptive", "initial": 1, "playout": {"mode": "stream", "delay": "2 s"}},
       "routing": {"policy": "k-shortest", "k": 3}, "assignment": "rate-proportional"},
      {"id": 1, "source": "a", "destinations": [2], "content": {"kind": "adaptive", "ladder": ["300 kbit/s", "1 Mbit/s"],
        "trace": {"frame_interval": "40 ms", "frame_bytes": [9000, 10, 20], "key_frames": [0, 2]}}, "routing": "multicast-tree"},
      {"id": 2, "source": "a", "destinations": [2], "content": {"kind": "messages", "mean_interval": "2 s", "size": {"log_normal": {"median": "10 KB", "sigma": 1.1}}, "deadline": "1 s"}, "routing": "direct"},
      {"id": 3, "source": "a", "destinations": [2], "content": {"kind": "messages", "mean_interval": "2 s", "size": {"uniform": {"min": "1 B", "max": "9 B"}}, "deadline": "1 s"}, "routing": "direct"},
      {"id": 4, "source": "a", "destinations": [2], "content": {"kind": "messages", "mean_interval": "2 s", "size": {"exponential": {"mean": "1 KB"}}, "deadline": "1 s"}, "routing": "direct"},
      {"id": 5, "source": "a", "destinations": [2], "content": {"kind": "messages", "mean_interval": "2 s", "size": {"fixed": "5 KB"}, "deadline": "1 s"}, "routing": "direct"},
      {"id": 6, "source": 3, "destinations": [4], "content": {"kind": "file", "bytes": "8 MiB"}, "routing": "direct",
       "delivery": "reliable", "sealed": true, "coding": {"generation": 100, "recode": false}},
      {"id": 7, "source": 3, "destinations": [4], "content": {"kind": "file", "bytes": "8 MiB", "rate": "1 Mbit/s"}, "routing": "direct",
       "coding": {"scheme": "generation", "systematic": false, "latency": "40 ms", "repair": 0.25}},
      {"id": 8, "source": 3, "destinations": [4], "content": {"kind": "on-off", "rate": "1 Mbit/s", "on": {"fixed": "1 s"}, "off": {"exponential": "3 s"}}, "routing": "direct", "coding": "window"},
      {"id": 9, "source": "a", "destinations": [2], "content": {"kind": "constant", "rate": "1 Mbit/s"},
       "routing": {"policy": "static", "flows": [{"route": "a>2", "rate": "1 Mbit/s"}, {"route": "a>3>2", "rate": "2 Mbit/s"}]}}
    ]}
  ],
  "populations": [
    {"conferences": 3, "sessions": 2, "nodes": [2, 3, "a"], "destinations": 2, "start": {"every": "1 s"}, "lifetime": {"exponential": "5 s"},
     "content": {"kind": "constant", "rate": "10 kbit/s"}, "routing": "shortest-delay", "weight": 2,
     "sealed": true, "coding": {"scheme": "window", "window": 32, "latency": "1 s", "repair_max": 1.5, "real_bytes": true}}
  ],
  "faults": [
    {"at": "9 s", "heal": [["a", 2], "3>4"]},
    {"at": "3 s", "cut": [["a", 2], "3>4"]},
    {"at": "4 s", "degrade": {"links": [[2, 3]], "rate_factor": 0.5, "extra_delay": "5 ms", "extra_loss": 0.01}},
    {"at": "5 s", "crash": "d"}, {"at": "6 s", "restart": 4},
    {"at": "7 s", "partition": [[1, 2], [4, 3]]}
  ]
}"#;

#[test]
fn one_of_everything() {
    let scenario = read(EVERYTHING);
    same_again(&scenario);
    // What it was resolved to, by hand.
    let ms = Duration::from_millis;
    assert!(scenario.seal);
    let sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    let sealed = sessions.filter(|session| session.sealed).count();
    // One that is written, and two in each of three generated conferences.
    assert_eq!(sealed, 1 + 3 * 2);
    assert_eq!((scenario.seed, scenario.drain, scenario.measure.from), (u64::MAX, ms(2_500), ms(5_000)));
    assert_eq!(scenario.nodes.iter().map(|node| node.id.get()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let [a, second, third, d] = &scenario.nodes[..] else { panic!() };
    assert_eq!((a.position, a.processing), (Some((1.25, -7.1)), Duration::from_micros(1)));
    assert_eq!((second.name.as_str(), second.processing), ("n2", Duration::from_micros(5)));
    assert_eq!(second.egress.unwrap().queue_bytes, 12_500_000);
    assert_eq!((third.clock_offset_ns, third.clock_drift_ppb), (-12_000_000, 20_500));
    let rates: Vec<_> = third.hop_rates.iter().map(|(hop, rate)| (hop.get(), rate.as_bps())).collect();
    assert_eq!(rates, [(1, 10_000_000), (2, 10_000_000), (4, 2_000_000)]);
    assert!(d.position.is_some(), "the region's");
    // Links are in order of their ends: 1>2, 1>3, 1>4, 2>1, 2>3, 3>1, 3>2, 3>4, 4>1, 4>3.
    assert_eq!(scenario.links.len(), 10);
    let link = |i: usize| &scenario.links[i];
    assert_eq!((link(0).delay, link(0).mtu, link(0).queue.bytes), (ms(7), 1_400, 65_536));
    assert!(matches!(link(0).queue.discipline, QueueDiscipline::Red { weight: 0.002, .. }));
    assert_eq!((&link(1).loss, &link(4).rate), (&Loss::None, &Rate::Shared(0)));
    assert_eq!(link(2).provenance.len(), 3, "delay, rate and price are measured");
    assert!(link(2).delay > ms(30) && link(2).usd_per_gb.is_some());
    assert_eq!(scenario.provenance[link(7).provenance[0]].source, "own ping");
    assert!(matches!(scenario.cross_traffic[1].pattern, CrossPattern::OnOff { .. }));
    assert_eq!(scenario.cross_traffic[1].link, 3);
    let (controller, recovery) = (TcpController::Reno, TcpRecovery::DupAck);
    let reno = CrossPattern::Tcp { flows: 2, controller, delayed_acks: false, recovery };
    assert_eq!((scenario.cross_traffic[2].pattern, scenario.cross_traffic[2].pattern.load()), (reno, None));
    // Connections are numbered through over all entries of a link.
    let flows = scenario.cross_flows();
    let seen: Vec<_> = flows.iter().map(|flow| (flow.entry, flow.number, flow.controller)).collect();
    assert_eq!(
        seen,
        [(2, 1, TcpController::Reno), (2, 2, TcpController::Reno), (3, 3, TcpController::Cubic)]
    );
    assert_eq!((flows[0].recovery, flows[2].recovery), (TcpRecovery::DupAck, TcpRecovery::Rack));
    assert!(flows[2].delayed_acks && flows.iter().all(|flow| flow.link == 0));
    assert_eq!((flows[0].start, flows[2].stop), (ms(3_000), scenario.duration));
    let ids: Vec<_> = scenario.conferences.iter().map(|conference| conference.id.0).collect();
    assert_eq!(ids, [3, 7, 8, 9, 10]);
    let talk = &scenario.conferences[1];
    assert_eq!(talk.churn[0].at, ms(20_000));
    let split = &talk.sessions[0];
    assert_eq!((split.symbol_bytes, split.assignment.policy.as_str()), (1_000, "static"));
    assert_eq!((split.start, split.stop), (ms(1_000), ms(50_000)));
    assert_eq!(split.routing.flows[0].route.to_string(), "2d>3d");
    assert_eq!(split.routing.flows[1].route.to_string(), "{2d,3d>4d}");
    assert!((split.routing.flows[1].share.unwrap() - 0.3).abs() < 1e-12);
    let messages = &scenario.conferences[0].sessions[4].content;
    let exponential = SizeDistribution::Exponential { mean: 1_000, max: 20_000 };
    assert!(matches!(messages, Content::Messages { size, .. } if *size == exponential));
    let generated = &scenario.conferences[3];
    assert_eq!((generated.weight, generated.start, generated.sessions.len()), (2, ms(1_000), 2));
    let FaultKind::Cut(LinkSelector::Links(cut)) = &scenario.faults[0].kind else { panic!() };
    assert_eq!(cut, &[0, 3, 7]);
}

#[test]
fn keys_come_in_the_order_of_reading() {
    let scenario = read(EVERYTHING);
    let value = to_value(&scenario);
    let keys: Vec<_> = value.as_object().unwrap().keys().take(5).map(String::as_str).collect();
    assert_eq!(keys, ["bellini", "name", "description", "seed", "duration"]);
    assert!(to_text(&scenario).contains("\"delay\": \"7 ms\""));
}

#[test]
fn line_ends_and_byte_order_mark_mean_nothing() {
    let plain = read(EVERYTHING);
    assert_eq!(read(&format!("\u{FEFF}{EVERYTHING}")), plain);
    assert_eq!(read(&EVERYTHING.replace('\n', "\r\n")), plain);
    assert_eq!(read(&format!("{EVERYTHING}\n\n")), plain);
}

#[test]
fn flags_change_values() {
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let options = LoadOptions {
        seed: Some(9),
        set: vec![
            set("conferences[0].sessions[1].content.rate", "\"4 Mbit/s\""),
            set("drain", "5 s"),
            set("measure", "{\"from\": \"1 s\", \"to\": \"2 s\"}"),
            set("measure.to", "3 s"),
        ],
        policies: Vec::new(),
    };
    let scenario = parse_str("file.json", EVERYTHING, &options).unwrap().scenario;
    assert_eq!((scenario.seed, scenario.drain), (9, Duration::from_secs(5)));
    assert_eq!(scenario.measure.to, Duration::from_secs(3));
    let Content::Constant { rate, .. } = scenario.conferences[1].sessions[0].content else { panic!() };
    assert_eq!(rate, BitRate::from_bps(4_000_000).unwrap());
}

#[test]
fn populations_follow_the_seed_alone() {
    let with = |seed| LoadOptions { seed: Some(seed), ..LoadOptions::default() };
    let conferences =
        |text: &str, seed| parse_str("file.json", text, &with(seed)).unwrap().scenario.conferences;
    assert_eq!(conferences(EVERYTHING, 5), conferences(EVERYTHING, 5));
    assert_ne!(conferences(EVERYTHING, 5), conferences(EVERYTHING, 6));
    // A second population draws from a stream of its own.
    let more = EVERYTHING.replace(
        "\"populations\": [",
        "\"populations\": [{\"conferences\": 1, \"sessions\": 1, \"destinations\": 1, \"first_conference_id\": 90,
          \"content\": {\"kind\": \"constant\", \"rate\": \"1 kbit/s\"}, \"routing\": \"shortest-delay\"},",
    );
    assert!(conferences(&more, 5).iter().any(|conference| conference.id.0 == 90));
}

#[test]
fn conferences_after_the_end_of_the_run_are_left_out() {
    let year = EVERYTHING.replace("{\"every\": \"1 s\"}", "{\"every\": \"300 h\"}");
    let year = year
        .replace("\"conferences\": 3", "\"conferences\": 900000")
        .replace("\"sessions\": 2,", "\"sessions\": 1,");
    assert_eq!(read(&year).conferences.len(), 3, "two written out, one generated at 0 s");
}

proptest! {
    #[test]
    fn drawn_values(
        delay in 0_u64..10_000_000_000,
        rate in 1_u64..100_000_000_000,
        queue in 1_u64..1_000_000_000,
        loss in 0.0_f64..=1.0,
        offset in -1_000_000_000_i64..1_000_000_000,
        share in 0.001_f64..0.999,
    ) {
        let rest = 1.0 - share;
        let text = format!(r#"{{"bellini": 1, "duration": "1 s",
          "nodes": [{{"id": 1, "clock": {{"offset": "{offset} ns"}}}}, {{"id": 2}}, {{"id": 3}}],
          "links": [{{"between": [1, 2], "delay": "{delay} ns", "rate": "{rate} bit/s", "queue": "{queue} B", "loss": {loss}}},
                    {{"between": [1, 3], "delay": "1 ns", "usd_per_gb": {loss}}}, {{"between": [3, 2], "delay": "1 ns"}}],
          "conferences": [{{"id": 1, "sessions": [{{"id": 1, "source": 1, "destinations": [2],
            "content": {{"kind": "constant", "rate": "{rate} bit/s", "phase": "{delay} ns"}},
            "routing": {{"policy": "static", "flows": [{{"route": "1>2", "share": {share}}}, {{"route": "1>3>2", "share": {rest}}}]}}
          }}]}}]}}"#);
        let scenario = read(&text);
        prop_assert_eq!(scenario.links[0].delay.as_nanos(), delay);
        prop_assert_eq!(scenario.nodes[0].clock_offset_ns, offset);
        prop_assert_eq!(scenario.conferences[0].sessions[0].routing.flows[0].share, Some(share));
        let again = read(&to_text(&scenario));
        prop_assert_eq!(again, scenario);
    }
}
