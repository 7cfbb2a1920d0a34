//! Jetway from the outside: the shipped scenario, what the accountant says of it, and its reproductions in short.

use crate::harness::{Scratch, sources};
use crate::lab::Bench;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn percentile_usd(scratch: &Scratch, form: &str) -> f64 {
    let path = sources().join("scenarios/policies/jetway.json");
    let set = format!("defaults.session.routing.form={form}");
    let done = scratch.run(&["sim", path.to_str().unwrap(), "--set", &set, "--out", form]).expect(0);
    assert!(done.stdout.contains("Cost: by volume"), "{}", done.stdout);
    assert!(scratch.read(&format!("{form}/report.html")).contains("What links cost"));
    let summary = scratch.json(&format!("{form}/summary.json"));
    assert_eq!((&summary["cost"]["intervals"], &summary["cost"]["percentile"]), (&60.into(), &95.0.into()));
    // By volume, links and the accountant saw the same bytes.
    let links: f64 =
        summary["links"].as_array().unwrap().iter().filter_map(|link| link["cost_usd"].as_f64()).sum();
    let traffic = summary["cost"]["traffic_usd"].as_f64().unwrap();
    assert!((links - traffic).abs() < 1e-5, "{links} {traffic}");
    if form == "single" {
        let sessions = summary["sessions"].as_array().unwrap();
        let flows = sessions.iter().flat_map(|session| session["flows"].as_array().unwrap());
        let shares: Vec<f64> = flows.map(|flow| flow["share"].as_f64().unwrap()).collect();
        assert!(
            shares.iter().any(|share| *share < 0.99 && (share - 0.5).abs() > 0.01),
            "nothing is split: {shares:?}"
        );
    }
    summary["cost"]["percentile_usd"].as_f64().unwrap()
}

/// Aim: the shipped scenario is charged less by Jetway than by cheapest paths and even splits, in packets.
#[test]
fn the_shipped_scenario_is_charged_less() {
    let scratch = Scratch::new();
    let [single, cheapest, even] = ["single", "cheapest", "even"].map(|form| percentile_usd(&scratch, form));
    assert!(single < cheapest && single < even, "{single} {cheapest} {even}");
}

/// Aim: short versions of the reproductions hold their bands: bounds, the split in packets, and the sweep over capacity.
#[test]
fn short_reproductions_hold() {
    let scratch = Scratch::new();
    for name in ["jetway", "jetway-cases", "postcard"] {
        let done = scratch.run(&["reproduce", name, "--quick", "--out", name]).expect(0);
        assert!(done.stdout.contains("holds") && !done.stdout.contains("MISSES"), "{}", done.stdout);
    }
}

/// The shipped scenario, ten times as fast: what took a second takes 100 ms, at the same rates.
fn compressed() -> Value {
    fn shorten(value: &mut Value) {
        match value {
            Value::Object(entries) => entries.values_mut().for_each(shorten),
            Value::Array(items) => items.iter_mut().for_each(shorten),
            Value::String(text) => {
                let seconds = text.strip_suffix(" s").and_then(|number| number.parse::<u32>().ok());
                if let Some(seconds) = seconds {
                    *value = json!(format!("{} ms", seconds * 100));
                }
            }
            _ => {}
        }
    }
    let path = sources().join("scenarios/policies/jetway.json");
    let mut scenario = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    shorten(&mut scenario);
    scenario
}

/// Aim: real processes split videos exactly as the simulator does, and the accountant has the same bill for their bytes up
/// to control messages.
#[test]
fn the_lab_splits_and_bills_alike() {
    let Some(bench) = Bench::open("the_lab_splits_and_bills_alike") else { return };
    bench.scratch.write("fast.json", compressed().to_string());
    let arguments = ["fast.json", "--seed", "3", "--no-report"];
    bench.scratch.run(&[&["sim", "--out", "sim"], &arguments[..]].concat()).expect(0);
    let simulated = bench.scratch.json("sim/summary.json");
    let Some(lab) = bench.measure("lab", &arguments) else { return };
    let shares = |summary: &Value| -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for session in summary["sessions"].as_array().unwrap() {
            for flow in session["flows"].as_array().unwrap() {
                let key = format!("{} {}", session["session"], flow["route"]);
                all.insert(key, flow["share"].as_f64().unwrap());
            }
        }
        all
    };
    let split = shares(&simulated);
    assert!(split.len() > 16 && split.values().any(|share| (0.01..0.99).contains(share)), "{split:?}");
    assert_eq!(split, shares(&lab));
    let bill = |summary: &Value, key: &str| summary["cost"][key].as_f64().unwrap();
    let over = |key: &str| bill(&lab, key) / bill(&simulated, key);
    assert!((over("traffic_usd") - 1.0).abs() < 0.02, "{}", over("traffic_usd"));
    println!("percentile {}, maximum {}", over("percentile_usd"), over("max_usd"));
}
