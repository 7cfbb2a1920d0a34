//! Jetway from the outside: the shipped scenario, what the accountant says of it, and its reproductions in short.

use crate::harness::{Scratch, sources};

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
    for name in ["jetway", "postcard"] {
        let done = scratch.run(&["reproduce", name, "--quick", "--out", name]).expect(0);
        assert!(done.stdout.contains("holds") && !done.stdout.contains("MISSES"), "{}", done.stdout);
    }
}
