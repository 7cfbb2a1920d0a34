//! The run directory: which files, which keys, and the same bytes from every process.

use crate::harness::{Scratch, without_engine};
use serde_json::Value;

/// Aim: a run leaves the files of the design, complete, and nothing else anywhere.
#[test]
fn a_run_leaves_exactly_its_files() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json"]).expect(0).says(&["Report: runs/small-sim-1/report.html"]);
    assert_eq!(scratch.list("."), ["runs", "small.json"]);
    assert_eq!(scratch.list("runs"), ["small-sim-1"]);
    let wanted =
        ["delays.csv", "events.jsonl", "plots", "report.html", "scenario.json", "series.csv", "summary.json"];
    assert_eq!(scratch.list("runs/small-sim-1"), wanted);
    let plots = scratch.list("runs/small-sim-1/plots");
    let stems = |extension: &str| -> Vec<String> {
        plots.iter().filter_map(|name| name.strip_suffix(extension)).map(str::to_owned).collect()
    };
    assert_eq!(stems(".svg"), stems(".png"));
    assert_eq!(stems(".svg").len() * 2, plots.len());
    for plot in ["topology", "throughput", "delay-cdf", "links"] {
        assert!(stems(".svg").contains(&plot.to_owned()), "{plots:?}");
    }
    for plot in &plots {
        let bytes = std::fs::read(scratch.join("runs/small-sim-1/plots").join(plot)).unwrap();
        let magic: &[u8] = if plot.ends_with(".png") { b"\x89PNG" } else { b"<svg" };
        assert!(bytes.starts_with(magic) && bytes.len() > 500, "{plot}");
    }
    assert!(scratch.read("runs/small-sim-1/series.csv").starts_with("t_s,scope,id,metric,value\n"));
    for line in scratch.read("runs/small-sim-1/events.jsonl").lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json", "--out", "run"]).expect(0);
    let page = scratch.read("run/report.html");
    let plots = scratch.list("run/plots").len() / 2;
    assert_eq!(page.matches("<svg").count(), plots, "every plot is in the page");
    for reference in ["src=\"http", "href=\"http", "src=\"plots", "@import", "url(http"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn records_only_when_asked() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json", "--out", "run", "--no-report"]).expect(0).says(&["Records: run"]);
    let wanted = ["delays.csv", "events.jsonl", "scenario.json", "series.csv", "summary.json"];
    assert_eq!(scratch.list("run"), wanted);
}

#[track_caller]
fn has_keys(value: &Value, place: &str, keys: &str) {
    for key in keys.split_whitespace() {
        assert!(value.get(key).is_some(), "{place} lacks {key}: {value}");
    }
}

/// Aim: every key that the design names is there, with null for what does not exist and never 0 or -1.
#[test]
fn the_summary_has_every_key() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json", "--out", "run", "--no-report", "--seed", "5"]).expect(0);
    let summary = scratch.json("run/summary.json");
    has_keys(
        &summary,
        "summary",
        "schema scenario mode seed version digest duration_s measure_s engine sessions links nodes",
    );
    assert_eq!(
        (&summary["schema"], &summary["mode"], &summary["seed"]),
        (&1.into(), &"sim".into(), &5.into())
    );
    assert_eq!((summary["scenario"].as_str(), summary["status"].as_str()), (Some("small"), Some("complete")));
    has_keys(&summary["engine"], "engine", "wall_s cpu_s events packet_hops packet_hops_per_s peak_rss_mib");
    let session = &summary["sessions"][0];
    has_keys(
        session,
        "session",
        "conference session source transport coding delivery offered_mbps destinations flows",
    );
    let destination = &session["destinations"][0];
    has_keys(
        destination,
        "destination",
        "node sent_packets delivered_packets duplicate_packets lost_packets goodput_mbps delay_ms \
         base_delay_ms frames_sent frames_on_time stall_s startup_ms complete",
    );
    has_keys(&destination["delay_ms"], "delay_ms", "mean p50 p95 p99 max");
    has_keys(&session["flows"][0], "flow", "route share packets");
    let links = summary["links"].as_array().unwrap();
    for link in links {
        has_keys(
            link,
            "link",
            "from to transport sent_packets sent_bytes dropped_queue dropped_loss utilisation mean_mbps cost_usd",
        );
    }
    for node in summary["nodes"].as_array().unwrap() {
        has_keys(
            node,
            "node",
            "id forwarded_packets delivered_packets overflow_drops rejected_packets cpu_s peak_rss_mib",
        );
        assert_eq!((&node["cpu_s"], &node["peak_rss_mib"]), (&Value::Null, &Value::Null), "a sim has none");
    }
    // What constant content over unpriced links does not have.
    for key in ["frames_sent", "frames_on_time", "stall_s", "startup_ms", "complete"] {
        assert_eq!(destination[key], Value::Null, "{key}");
    }
    assert_eq!(session["coding"], Value::Null);
    assert_eq!(links[0]["cost_usd"], Value::Null);
    let unlimited = links.iter().find(|link| link["from"] == 1 && link["to"] == 3).unwrap();
    assert_eq!(unlimited["utilisation"], Value::Null);
    // 2 Mbit/s of 9,600-bit symbols for 800 ms, every one accounted for.
    let count = |key: &str| destination[key].as_u64().unwrap();
    assert_eq!(count("sent_packets"), 167);
    assert_eq!(count("delivered_packets") + count("lost_packets"), 167);
}

/// Aim: nothing delivered has null delays, not zeros.
#[test]
fn a_flow_that_loses_everything_has_no_delay() {
    let scratch = Scratch::with_small();
    let all_lost = ["sim", "small.json", "--out", "run", "--no-report", "--set", "links[0].loss=1"];
    scratch.run(&[&all_lost[..], &["--set", "links[1].loss=1"]].concat()).expect(0);
    let destination = &scratch.json("run/summary.json")["sessions"][0]["destinations"][0];
    assert_eq!(destination["delay_ms"], Value::Null);
    assert_eq!((&destination["delivered_packets"], &destination["lost_packets"]), (&0.into(), &167.into()));
}

/// Aim: two processes write the same bytes, whatever their directory and time; another seed does not.
#[test]
fn two_processes_write_the_same_bytes() {
    let scratch = Scratch::with_small();
    for out in ["a", "b"] {
        scratch.run(&["sim", "small.json", "--seed", "9", "--no-report", "--out", out]).expect(0);
    }
    scratch.run(&["sim", "small.json", "--seed", "10", "--no-report", "--out", "c"]).expect(0);
    for name in ["series.csv", "events.jsonl", "delays.csv", "scenario.json"] {
        assert_eq!(scratch.read(&format!("a/{name}")), scratch.read(&format!("b/{name}")), "{name}");
    }
    let summary = |run: &str| without_engine(&scratch.read(&format!("{run}/summary.json")));
    assert_eq!(summary("a"), summary("b"));
    assert_ne!(scratch.json("a/summary.json")["digest"], scratch.json("c/summary.json")["digest"]);
    assert_ne!(scratch.read("a/series.csv"), scratch.read("c/series.csv"));
}

/// Aim: the resolved scenario of a run is a scenario, resolves to itself, and gives the same run.
#[test]
fn the_resolved_scenario_gives_the_same_run() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json", "--seed", "3", "--no-report", "--out", "a"]).expect(0);
    scratch.run(&["sim", "a/scenario.json", "--no-report", "--out", "b"]).expect(0);
    for name in ["scenario.json", "series.csv", "events.jsonl", "delays.csv"] {
        assert_eq!(scratch.read(&format!("a/{name}")), scratch.read(&format!("b/{name}")), "{name}");
    }
    let summary = |run: &str| without_engine(&scratch.read(&format!("{run}/summary.json")));
    assert_eq!(summary("a"), summary("b"));
    let resolved = scratch.run(&["check", "small.json", "--seed", "3", "--resolved"]).expect(0);
    assert_eq!(resolved.stdout, scratch.read("a/scenario.json"));
}

#[test]
fn stdout_holds_the_table_or_the_summary_and_nothing_else() {
    let scratch = Scratch::with_small();
    let table = scratch.run(&["sim", "small.json", "--out", "a"]).expect(0);
    assert!(table.stdout.starts_with("small in sim, seed 1"), "{}", table.stdout);
    let digest = scratch.json("a/summary.json")["digest"].as_str().unwrap().to_owned();
    assert!(table.stdout.trim_end().ends_with(&format!("Digest {digest}")), "{}", table.stdout);
    assert!(!table.stdout.contains('\u{1b}'), "no colours in a file");
    let json = scratch.run(&["sim", "small.json", "--out", "b", "--json"]).expect(0);
    assert_eq!(json.stdout, scratch.read("b/summary.json"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_mean_nothing() {
    let scratch = Scratch::with_small();
    let windows = format!("\u{FEFF}{}", crate::harness::SMALL.trim_end().replace('\n', "\r\n"));
    std::fs::create_dir(scratch.join("w")).unwrap();
    scratch.write("w/small.json", windows);
    let digest = |file: &str, out: &str| {
        scratch.run(&["sim", file, "--no-report", "--out", out]).expect(0);
        scratch.json(&format!("{out}/summary.json"))["digest"].clone()
    };
    assert_eq!(digest("small.json", "a"), digest("w/small.json", "b"));
}
