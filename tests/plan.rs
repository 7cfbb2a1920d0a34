//! Plans against runs, and explanations of runs.

use crate::harness::{SMALL, Scratch, sources};
use serde_json::Value;

/// Plans a scenario for its own policies, as JSON.
fn planned(scratch: &Scratch, path: &str) -> Value {
    let done = scratch.run(&["plan", path, "--policies", "own", "--json"]).expect(0);
    serde_json::from_str(&done.stdout).unwrap()
}

/// Aim: what a plan says of delays and rates is what a simulated run measures: base delays to 0.1 ms, rates to 2 % (of
/// random content the delivered part, as the plan knows its mean only). Losses, a shared queue, a feeder's turns, trees,
/// combinations at a relay, and cross traffic for a part of the time are among them.
#[test]
fn plans_and_runs_agree() {
    let scratch = Scratch::new();
    for name in [
        "fig3",
        "stream-7dc",
        "coding/butterfly",
        "coding/butterfly-trees",
        "fidelity/bottleneck",
        "fidelity/feeder-shares",
        "transports/reliable-slow-hop",
    ] {
        let path = sources().join(format!("scenarios/{name}.json")).display().to_string();
        let plan = planned(&scratch, &path);
        let out = name.replace('/', "-");
        scratch.run(&["sim", &path, "--no-report", "--out", &out]).expect(0);
        let run = scratch.json(&format!("{out}/summary.json"));
        let sessions = plan["policies"][0]["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), run["sessions"].as_array().unwrap().len());
        for (at, session) in sessions.iter().enumerate() {
            let ran = &run["sessions"][at];
            for (to, got) in session["destinations"]
                .as_array()
                .unwrap()
                .iter()
                .zip(ran["destinations"].as_array().unwrap())
            {
                assert_eq!(to["node"], got["node"]);
                let of =
                    |value: &Value, key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{name}: {key}"));
                let delays = (of(to, "delay_ms"), of(got, "base_delay_ms"));
                assert!((delays.0 - delays.1).abs() <= 0.1, "{name} {}: {delays:?}", to["name"]);
                let rates = if ran["content"] == "constant" {
                    (of(to, "rate_mbps"), of(got, "goodput_mbps"))
                } else {
                    (of(to, "part"), of(got, "goodput_mbps") / of(ran, "offered_mbps"))
                };
                assert!((rates.0 / rates.1 - 1.0).abs() <= 0.02, "{name} {}: {rates:?}", to["name"]);
            }
        }
    }
}

/// A scenario in which everything can be worked out by hand: 1 Mbit/s of 1,000-byte symbols, two links with prices.
pub(crate) const PRICED: &str = r#"{
  "bellini": 1,
  "duration": "2 s",
  "nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
  "links": [
    {"between": [1, 2], "delay": "10 ms", "rate": "10 Mbit/s", "usd_per_gb": 0.09},
    {"between": [2, 3], "delay": "5 ms", "rate": "2 Mbit/s", "usd_per_gb": 0.02},
    {"between": [1, 3], "delay": "30 ms", "rate": "2 Mbit/s"}
  ],
  "conferences": [{"id": 1, "sessions": [{
    "id": 1, "source": 1, "destinations": [3], "symbol_bytes": "1000 B",
    "content": {"kind": "constant", "rate": "1 Mbit/s"},
    "routing": {"policy": "shortest-delay"}
  }]}]
}"#;

/// Aim: delay and cost by hand; one price that is not known makes a cost unknown, and is named.
#[test]
fn delay_and_cost_by_hand() {
    let scratch = Scratch::new();
    scratch.write("priced.json", PRICED);
    let done = scratch.run(&["plan", "priced.json", "--policies", "own,direct", "--json"]).expect(0);
    let plan: Value = serde_json::from_str(&done.stdout).unwrap();
    let session = |at: usize| &plan["policies"][at]["sessions"][0];
    // 104 bytes of headers, 6 for each Pathlet, 1,000 of payload.
    let (first, second) = (1116.0, 1110.0);
    let delay = 15.0 + first * 8.0 / 10e3 + second * 8.0 / 2e3;
    assert!((session(0)["destinations"][0]["delay_ms"].as_f64().unwrap() - delay).abs() < 1e-6, "{plan:#}");
    // 125 packets a second.
    let usd = 125.0 * 3600.0 * 1e-9 * (first * 0.09 + second * 0.02);
    assert!((session(0)["usd_per_hour"].as_f64().unwrap() - usd).abs() < 1e-9, "{plan:#}");
    assert!(session(1)["usd_per_hour"].is_null());
    let limits = plan["limits"].as_array().unwrap();
    assert!(limits.iter().any(|it| it["kind"] == "price" && it["text"].as_str().unwrap().contains("a > c")));
}

/// Aim: traffic by percentile and hours of machines stand beside the price by volume; a node's own price goes before its
/// provider's, only machines on routes count, and a run's accountant agrees.
#[test]
fn percentile_and_machine_hours_by_hand() {
    let scratch = Scratch::new();
    let billing = r#""duration": "2 s",
  "billing": {"usd_per_mbps": 3, "vm_usd_per_hour": {"aws": 0.5, "gcp": 9}, "vm_source": "made up"},"#;
    let text = PRICED
        .replace(r#""duration": "2 s","#, billing)
        .replace(r#""name": "a""#, r#""name": "a", "region": "aws:us-east-1""#)
        .replace(r#""name": "b""#, r#""name": "b", "region": "aws:us-west-2", "vm_usd_per_hour": 0.2"#);
    scratch.write("billed.json", &text);
    let done = scratch.run(&["plan", "billed.json", "--policies", "own,direct", "--json"]).expect(0);
    let plan: Value = serde_json::from_str(&done.stdout).unwrap();
    let (own, direct) = (&plan["policies"][0], &plan["policies"][1]);
    let is_near = |value: &Value, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 1e-9;
    // 125 packets a second of 1,116 and 1,110 bytes; a period has 720 hours.
    let mbps = 125.0 * 8e-6 * (1116.0 + 1110.0);
    assert!(is_near(&own["percentile_usd_per_hour"], 3.0 * mbps / 720.0), "{plan:#}");
    assert!(own["machines"] == 2 && is_near(&own["vm_usd_per_hour"], 0.7), "{plan:#}");
    assert!(direct["machines"] == 1 && is_near(&direct["vm_usd_per_hour"], 0.5), "{plan:#}");
    assert!(direct["percentile_usd_per_hour"].is_null(), "a price that is not known is no zero: {plan:#}");
    let table = scratch.run(&["plan", "billed.json", "--policies", "own"]).expect(0).stdout;
    for piece in ["volume", "percentile", "VM hours", "0.7000", "Prices of machines: made up."] {
        assert!(table.contains(piece), "no {piece:?} in\n{table}");
    }
    let run = scratch.run(&["sim", "billed.json", "--no-report", "--out", "run"]).expect(0);
    assert!(run.stdout.contains("machine hours") && run.stdout.contains("(made up)"), "{}", run.stdout);
    let cost = &scratch.json("run/summary.json")["cost"];
    let vm_usd = cost["vm_usd"].as_f64().unwrap();
    assert!((vm_usd / (0.7 * 2.0 / 3600.0) - 1.0).abs() < 1e-2, "{cost:#}");
    // One machine whose price is not known makes their sum unknown, in both.
    scratch.write("partly.json", text.replace(r#"{"aws": 0.5, "gcp": 9}"#, r#"{"gcp": 9}"#));
    let done = scratch.run(&["plan", "partly.json", "--policies", "own"]).expect(0);
    assert!(done.stdout.contains("No price is known of 1 of 2 machines"), "{}", done.stdout);
    let run = scratch.run(&["sim", "partly.json", "--no-report", "--out", "partly"]).expect(0);
    assert!(run.stdout.contains("machine hours, whose price is not known"), "{}", run.stdout);
    scratch.write("nobody.json", text.replace("\"gcp\"", "\"gpc\""));
    scratch.run(&["plan", "nobody.json"]).expect(3).says(&["no provider or region \"gpc\"", "did you mean"]);
}

/// Aim: demands that nobody can meet are named with what binds, and `--strict` makes them an exit code.
#[test]
fn impossible_demands_are_named() {
    let scratch = Scratch::new();
    scratch.write("fast.json", PRICED.replace("1 Mbit/s", "5 Mbit/s"));
    let done = scratch.run(&["plan", "fast.json", "--strict"]).expect(4);
    for piece in [
        "a to c at 5.000 Mbit/s",
        "the link a > c, the link b > c together let through at most",
        "bound by the link b > c",
    ] {
        assert!(done.stdout.contains(piece), "no {piece:?} in\n{}", done.stdout);
    }
    let message =
        r#"{"kind": "messages", "mean_interval": "1 s", "size": {"fixed": "100 B"}, "deadline": "12 ms"}"#;
    scratch.write("late.json", PRICED.replace(r#"{"kind": "constant", "rate": "1 Mbit/s"}"#, message));
    let done = scratch.run(&["plan", "late.json", "--strict"]).expect(4);
    let wanted = "a to c within 12.0 ms: the fastest path takes 15.0 ms (a > b > c)";
    assert!(done.stdout.contains(wanted), "{}", done.stdout);
    let places = PRICED
        .replace(r#""name": "a""#, r#""name": "a", "region": "aws:us-east-1""#)
        .replace(r#""name": "c""#, r#""name": "c", "region": "aws:ap-northeast-1""#)
        .replace(r#"{"kind": "constant", "rate": "1 Mbit/s"}"#, message);
    scratch.write("light.json", places);
    let done = scratch.run(&["plan", "light.json"]).expect(0);
    assert!(done.stdout.contains("light in a vacuum takes 36."), "{}", done.stdout);
}

/// Aim: bad input ends before anything starts, with the place or the names that there are.
#[test]
fn bad_input() {
    let scratch = Scratch::with_small();
    let unknown = scratch.run(&["plan", "small.json", "--policies", "own,fastest"]).expect(2).silent();
    unknown.says(&["--policies", "no routing policy is called `fastest`", "k-shortest"]);
    scratch.write("bad.json", SMALL.replace("\"stop\"", "\"stopp\""));
    scratch.run(&["plan", "bad.json"]).expect(3).silent().says(&["bad.json:18:7", "did you mean"]);
    scratch.run(&["plan", "none.json"]).expect(3).silent().says(&["none.json"]);
    scratch.run(&["explain", "none"]).expect(6).silent().says(&["none"]);
    scratch.run(&["explain", "small.json"]).expect(6).silent().says(&["small.json"]);
    scratch.run(&["sim", "small.json", "--no-report", "--out", "run"]).expect(0);
    scratch.run(&["explain", "run", "--session", "1/2"]).expect(2).silent().says(&["it has 1/1"]);
    scratch.run(&["explain", "run", "--to", "nobody"]).expect(2).silent().says(&["nobody"]);
    std::fs::remove_file(scratch.join("run/scenario.json")).unwrap();
    scratch.run(&["explain", "run"]).expect(6).silent().says(&["scenario.json"]);
}

/// Aim: every path to a destination is there with its delay, the taken ones with their shares, and the run's decision with
/// its reason; a run changes nothing of its directory by being explained.
#[test]
fn a_run_is_explained() {
    let scratch = Scratch::new();
    scratch.write("small.json", SMALL.replace("\"loss\": 0.02", "\"loss\": 0.2"));
    scratch.run(&["sim", "small.json", "--no-report", "--out", "run"]).expect(0);
    let before = scratch.list("run");
    let done = scratch.run(&["explain", "run", "--json"]).expect(0);
    assert_eq!(scratch.list("run"), before);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    let to = &found["sessions"][0]["destinations"][0];
    let paths: Vec<(&str, f64)> = to["alternatives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["share"].as_f64().unwrap()))
        .collect();
    // 5 ms and 6 ms without serialisation are faster than 10 ms and a packet at 10 Mbit/s.
    assert_eq!(paths, [("ana > relay > n2", 0.4), ("ana > n2", 0.6)], "{found:#}");
    assert!(to["bound_by"].as_str().unwrap().contains("ana > n2 lost"), "{found:#}");
    let events = found["sessions"][0]["events"].as_array().unwrap();
    let decided = events.iter().find(|it| it["kind"] == "policy").unwrap();
    assert_eq!(decided["text"], "asked (start): 60.0 % by 1>2d, 40.0 % by 1>3>2d");
    let text = scratch.run(&["explain", "run"]).expect(0).stdout;
    for piece in [
        "taken; the fastest",
        "routes are those written",
        "to n2: got ",
        "lost",
        "ids in routes: 1 ana, 2 n2, 3 relay; d: delivers there",
        "busy: its busiest link",
    ] {
        assert!(text.contains(piece), "no {piece:?} in\n{text}");
    }
}

/// Aim: figures that decide are the policy's own: `shortest-delay` sees propagation, the table also the time that a packet
/// takes to be sent; a hop's pace is the rate of its path, a full queue is how busy its link was, and a session that was
/// refused says why.
#[test]
fn explanations_say_what_the_policy_saw() {
    let scratch = Scratch::new();
    // By propagation 10 ms against 12; a packet of 1,200 B takes 5 ms on each of the first two links and none on the other.
    let text = r#"{"bellini": 1, "duration": "2 s",
      "nodes": [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "rates": {"c": "1500 kbit/s"}, "feeder": {"live": "32 KiB"}}, {"id": 3, "name": "c"}],
      "links": [
        {"between": [1, 2], "delay": "5 ms", "rate": "2 Mbit/s"},
        {"between": [2, 3], "delay": "5 ms", "rate": "2 Mbit/s"},
        {"between": [1, 3], "delay": "12 ms"}
      ],
      "conferences": [{"id": 1, "sessions": [{"id": 1, "source": 1, "destinations": [3],
        "content": {"kind": "constant", "rate": "1800 kbit/s"}, "routing": "shortest-delay"}]}]}"#;
    scratch.write("it.json", text);
    scratch.run(&["sim", "it.json", "--no-report", "--out", "run"]).expect(0);
    let said = scratch.run(&["explain", "run"]).expect(0).stdout;
    for piece in [
        "taken; the fastest by propagation",
        "2.0 ms more propagation than on the one taken",
        "ms of it waiting",
        " 1.500 ",
        "b, which may not send faster, dropped ",
    ] {
        assert!(said.contains(piece), "no {piece:?} in\n{said}");
    }
    // A crash in the scenario makes the refusal a warning, and the run explains it.
    let refused = text
        .replace("\"shortest-delay\"", "\"steiner-price\"")
        .replace("\"duration\": \"2 s\",", r#""duration": "2 s", "faults": [{"at": "1 s", "crash": "b"}],"#);
    scratch.write("refused.json", refused);
    scratch.run(&["sim", "refused.json", "--no-report", "--out", "refused"]).expect(0);
    let said = scratch.run(&["explain", "refused"]).expect(0).stdout;
    assert!(said.contains("bound by: No routes for session 1/1: no way to node 3 over links"), "{said}");
}
