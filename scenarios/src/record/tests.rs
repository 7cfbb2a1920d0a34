//! Round trips through a run directory.

use super::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A fresh folder for one test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("bellini-record-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A summary in which every value exists.
fn full() -> Summary {
    let destination = DestinationSummary {
        node: 4,
        sent_packets: 1000,
        delivered_packets: 990,
        duplicate_packets: 3,
        lost_packets: 8,
        in_flight_packets: 2,
        recovered_symbols: Some(4),
        dependent_packets: Some(2),
        corrupt_packets: Some(0),
        given_up_generations: Some(1),
        given_up_symbols: Some(3),
        unopened_symbols: Some(6),
        goodput_mbps: Some(0.1 + 0.2),
        delay_ms: Some(DelayMs {
            mean: 50.123_456_789,
            min: 48.5,
            p50: 50.0,
            p95: 60.0,
            p99: 70.0,
            max: 80.0,
        }),
        base_delay_ms: Some(48.0),
        queueing_ms: Some(QueueingMs { p50: 2.0, p95: 12.0, p99: 22.0 }),
        loss_runs: Some(LossRuns { count: 3, mean: Some(8.0 / 3.0), lengths: vec![[1, 2], [6, 1]] }),
        delay_error_ms: Some(23.5),
        frames_sent: Some(100),
        frames_complete: Some(99),
        frames_on_time: Some(98),
        stall_s: Some(0.04),
        startup_ms: Some(250.0),
        messages_sent: Some(10),
        messages_complete: Some(9),
        messages_on_time: Some(8),
        bytes_complete: Some(1 << 20),
        sha256: Some("ab".repeat(32)),
        complete_s: Some(2.5),
        complete: Some(true),
    };
    Summary {
        schema: SCHEMA,
        scenario: "fig3".into(),
        mode: Mode::Sim,
        status: Status::Complete,
        seed: 7,
        version: "0.1.0".into(),
        digest: Some("0123456789abcdef".into()),
        duration_s: 10.0,
        measure_s: [0.0, 10.0],
        view: View::Oracle,
        notes: vec!["A \"note\".".into()],
        engine: Some(Engine {
            wall_s: 0.5,
            cpu_s: Some(0.4),
            events: Some(9),
            packet_hops: Some(8),
            packet_hops_per_s: Some(16.0),
            peak_rss_mib: Some(12.5),
        }),
        lab: Some(Lab {
            valid: false,
            reasons: vec!["The emulator was late.".into()],
            emulator_late_p50_us: Some(12.5),
            emulator_late_p95_us: Some(99.5),
            emulator_late_p99_us: Some(4_321.0),
            emulator_busy_share: Some(0.5),
            emulator_cpu_s: Some(1.5),
            host_drops: 1,
            tun_drops: 2,
            limits: LabLimits {
                emulator_late_p99_us: 1_000.0,
                host_drop_share: 1e-4,
                ..LabLimits::default()
            },
        }),
        cost: Some(Cost {
            percentile: 95.0,
            interval_s: 300.0,
            period_s: 2_592_000.0,
            direction: "each".into(),
            intervals: 2,
            traffic_usd: Some(0.25),
            percentile_usd: Some(12.5),
            max_usd: Some(13.5),
            vm_hours: 1.5,
            vm_usd: Some(0.75),
            vm_source: None,
            links: vec![LinkCost {
                from: 1,
                to: 3,
                charged_mbps: 2.5,
                max_mbps: 3.5,
                traffic_usd: Some(0.25),
                percentile_usd: Some(12.5),
                max_usd: Some(13.5),
            }],
        }),
        sessions: vec![SessionSummary {
            conference: 1,
            session: 2,
            name: "talk".into(),
            source: 1,
            content: "video".into(),
            transport: "udp-unpaced".into(),
            coding: None,
            delivery: "best-effort".into(),
            repeated_packets: Some(12),
            repair_packets: Some(3),
            offered_mbps: Some(10.0),
            destinations: vec![destination],
            flows: vec![FlowSummary { route: "1>3>{2,4}".into(), share: 1.0 / 3.0, packets: 333 }],
        }],
        links: vec![LinkSummary {
            from: 1,
            to: 3,
            transport: "udp-unpaced".into(),
            sent_packets: 1000,
            sent_bytes: 1_300_000,
            dropped_queue: 1,
            dropped_loss: 2,
            dropped_other: [("cut".into(), 3), ("mtu".into(), 4)].into(),
            utilisation: Some(0.25),
            mean_mbps: Some(1.04),
            cost_usd: Some(0.001),
            queue_peak_bytes: Some(9000),
            cross_bytes: Some(100),
            capacity_mbps: Some(20.0),
            base_delay_ms: Some(24.0),
        }],
        nodes: vec![NodeSummary {
            id: 4,
            name: "Tokyo".into(),
            forwarded_packets: 1,
            delivered_packets: 2,
            recoded_packets: 5,
            overflow_drops: 3,
            rejected_packets: 4,
            drops: [("overflow".into(), 3)].into(),
            host_dropped_packets: Some(0),
            cpu_s: Some(0.1),
            peak_rss_mib: Some(3.0),
            region: Some("aws:ap-northeast-1".into()),
            position: Some([35.68, 139.69]),
        }],
        cross_flows: vec![CrossFlowSummary {
            from: 1,
            to: 3,
            flow: 2,
            controller: "cubic".into(),
            goodput_mbps: Some(1.25),
            retransmitted_segments: Some(17),
        }],
    }
}

fn write(directory: &RunDirectory) {
    directory.write_scenario("{\"name\": \"fig3\"}\n").unwrap();
    let mut series = directory.series().unwrap();
    series.row(0.1, Scope::Session, "1/2", "offered_mbps", 9.999_999_9).unwrap();
    series.row(0.2, Scope::Session, "1/2", "offered_mbps", 1.0 / 3.0).unwrap();
    series.row(0.2, Scope::Run, "", "events", 1e12).unwrap();
    series.finish().unwrap();
    let mut events = directory.events().unwrap();
    let mut event = EventRow::new(0.15, kind::FAULT, "Link 1>3 is cut, \"for good\".\n");
    event.node = Some(3);
    event.data.insert("links".into(), serde_json::json!([[1, 3]]));
    events.row(&event).unwrap();
    events.finish().unwrap();
    let delays = [(50.0, 0.5), (60.0, 1.0)].map(|(delay_ms, cumulative)| DelayRow {
        session: "1/2".into(),
        destination: 4,
        delay_ms,
        cumulative,
    });
    directory.write_delays(&delays).unwrap();
    directory.write_summary(&full()).unwrap();
}

/// What is written is read back, in full, and the same values make the same bytes.
#[test]
fn a_run_directory_survives_the_round_trip() {
    let (one, two) = (Scratch::new("one"), Scratch::new("two"));
    for scratch in [&one, &two] {
        write(&RunDirectory::create(&scratch.0, Overwrite::Refuse).unwrap());
    }
    let run = Run::load(&one.0).unwrap();
    assert!(run.missing.is_empty(), "{:?}", run.missing);
    assert_eq!(run.scenario["name"], "fig3");
    assert_eq!(run.summary.sessions[0].destinations[0].goodput_mbps, Some(0.3));
    assert_eq!(run.summary.sessions[0].destinations[0].delay_ms.unwrap().mean, 50.123_457);
    assert_eq!(run.summary.links, full().links);
    assert_eq!(run.summary.nodes, full().nodes);
    assert_eq!(
        run.series.curve(Scope::Session, "1/2", "offered_mbps"),
        Some(&vec![(0.1, 10.0), (0.2, 0.333_333)])
    );
    assert_eq!(run.events[0].text, "Link 1>3 is cut, \"for good\".\n");
    assert_eq!(run.events[0].data["links"][0][1], 3);
    assert_eq!(run.delays.len(), 2);
    for name in [file::SCENARIO, file::SUMMARY, file::SERIES, file::EVENTS, file::DELAYS] {
        assert_eq!(
            std::fs::read(one.0.join(name)).unwrap(),
            std::fs::read(two.0.join(name)).unwrap(),
            "{name}"
        );
    }
    let left = std::fs::read_dir(&one.0).unwrap().count();
    assert_eq!(left, 5, "no temporary file may stay");
    // Reading and writing again must not change a byte: rounding is idempotent.
    let text = run.summary.to_json_pretty().unwrap();
    assert_eq!(text, std::fs::read_to_string(one.0.join(file::SUMMARY)).unwrap());
}

/// Only `engine` may differ between two executions, so it must be removable.
#[test]
fn the_engine_is_set_apart() {
    let mut other = full();
    other.engine.as_mut().unwrap().wall_s = 99.0;
    assert_ne!(other.to_json_pretty().unwrap(), full().to_json_pretty().unwrap());
    assert_eq!(
        other.without_engine().to_json_pretty().unwrap(),
        full().without_engine().to_json_pretty().unwrap()
    );
}

/// An earlier run is refused, or replaced without touching files that no run writes.
#[test]
fn an_earlier_run_is_safe() {
    let scratch = Scratch::new("force");
    write(&RunDirectory::create(&scratch.0, Overwrite::Refuse).unwrap());
    std::fs::write(scratch.0.join("my-notes.txt"), "mine").unwrap();
    let error = RunDirectory::create(&scratch.0, Overwrite::Refuse).unwrap_err();
    assert!(matches!(error, RecordError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("--force"));
    assert!(Run::load(&scratch.0).is_ok());
    RunDirectory::create(&scratch.0, Overwrite::Replace).unwrap();
    assert!(scratch.0.join("my-notes.txt").exists());
    let error = Run::load(&scratch.0).unwrap_err();
    assert!(matches!(error, RecordError::Missing { file: file::SUMMARY, .. }), "{error}");
    let error = RunDirectory::create(&scratch.0.join("my-notes.txt"), Overwrite::Replace).unwrap_err();
    assert!(matches!(error, RecordError::NotADirectory { .. }), "{error}");
}

/// A summary alone is a readable run; broken files are reported with name and line.
#[test]
fn partial_and_broken_runs() {
    let scratch = Scratch::new("broken");
    let directory = RunDirectory::create(&scratch.0, Overwrite::Refuse).unwrap();
    directory.write_summary(&Summary { status: Status::Interrupted, ..full() }).unwrap();
    let run = Run::load(&scratch.0).unwrap();
    assert_eq!(run.missing, [file::SCENARIO, file::SERIES, file::EVENTS, file::DELAYS]);
    assert_eq!(run.summary.status, Status::Interrupted);

    let series = "t_s,scope,id,metric,value\n0.1,link,1>2,utilisation,0.5\n0.2,lonk,1>2,utilisation,0.5\n";
    std::fs::write(scratch.0.join(file::SERIES), series).unwrap();
    let error = Run::load(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("series.csv:3") && error.contains("lonk"), "{error}");
    std::fs::write(scratch.0.join(file::SERIES), "x,y\n").unwrap();
    let error = Run::load(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("series.csv:1") && error.contains("t_s,scope,id,metric,value"), "{error}");
    std::fs::remove_file(scratch.0.join(file::SERIES)).unwrap();

    std::fs::write(scratch.0.join(file::EVENTS), "{\"t_s\": 1}\n").unwrap();
    let error = Run::load(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("events.jsonl:1") && error.contains("kind"), "{error}");
    std::fs::remove_file(scratch.0.join(file::EVENTS)).unwrap();

    std::fs::write(scratch.0.join(file::SUMMARY), "{\"schema\": 2, \"new\": 1}").unwrap();
    let error = Run::load(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("schema 2"), "{error}");
}

/// A figure that is not finite is refused where it is written, and named.
#[test]
fn no_value_is_ever_nan() {
    let scratch = Scratch::new("nan");
    let directory = RunDirectory::create(&scratch.0, Overwrite::Refuse).unwrap();
    let mut summary = full();
    summary.links[0].utilisation = Some(f64::NAN);
    assert!(matches!(directory.write_summary(&summary), Err(RecordError::Value { .. })));
    let mut series = directory.series().unwrap();
    let error = series.row(0.1, Scope::Link, "1>3", "utilisation", f64::INFINITY).unwrap_err().to_string();
    assert!(error.contains("1>3") && error.contains("utilisation"), "{error}");
}

/// Every figure in summary.json is defined in the table of metrics.
#[test]
fn every_key_is_defined() {
    let identity = [
        "conference",
        "session",
        "name",
        "source",
        "content",
        "transport",
        "coding",
        "delivery",
        "destinations",
        "flows",
        "node",
        "sha256",
        "route",
        "from",
        "to",
        "id",
        "region",
        "position",
        "controller",
    ];
    let value = serde_json::to_value(full()).unwrap();
    let session = &value["sessions"][0];
    let lab = serde_json::json!({"lab": value["lab"]});
    let cost = serde_json::json!({"cost": value["cost"]});
    let parts = [
        (Scope::Run, &value["engine"]),
        (Scope::Run, &lab),
        (Scope::Run, &cost),
        (Scope::Session, session),
        (Scope::Destination, &session["destinations"][0]),
        (Scope::Flow, &session["flows"][0]),
        (Scope::Link, &value["links"][0]),
        (Scope::Node, &value["nodes"][0]),
        (Scope::Cross, &value["cross_flows"][0]),
    ];
    let mut seen = BTreeSet::new();
    for (scope, part) in parts {
        for (key, value) in part.as_object().unwrap() {
            if identity.contains(&key.as_str()) {
                continue;
            }
            let names = match value.as_object() {
                Some(inner)
                    if ["delay_ms", "queueing_ms", "loss_runs", "lab", "cost"].contains(&key.as_str()) =>
                {
                    inner.keys().map(|k| format!("{key}.{k}")).collect()
                }
                _ => vec![key.clone()],
            };
            for name in names {
                let metric =
                    metric(scope, &name).unwrap_or_else(|| panic!("{scope:?} {name} is not defined"));
                assert_ne!(metric.recorded, Recorded::Series, "{name}");
                seen.insert((scope, name));
            }
        }
    }
    for metric in METRICS.iter().filter(|metric| metric.recorded != Recorded::Series) {
        assert!(seen.contains(&(metric.scope, metric.name.to_owned())), "{} is in no summary", metric.name);
    }
}
