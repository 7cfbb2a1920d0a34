//! Bad scenarios end with exit code 3: the place and the fix on stderr, nothing on stdout, nothing on disk.

use crate::harness::{SMALL, Scratch};

/// Gives a scenario to `sim` and to `check`, and expects both to refuse it with all of those pieces.
#[track_caller]
fn refuse(text: impl AsRef<[u8]>, pieces: &[&str]) {
    let scratch = Scratch::new();
    scratch.write("bad.json", text);
    for arguments in [&["sim", "bad.json"][..], &["sim", "bad.json", "--seeds", "3"], &["check", "bad.json"]]
    {
        let done = scratch.run(arguments).expect(3).silent().says(pieces);
        assert!(done.stderr.contains("nothing was started"), "{}", done.stderr);
        assert!(!done.stderr.contains('\u{1b}'), "no colours in a file");
        assert_eq!(scratch.list("."), ["bad.json"]);
    }
}

/// Changes one place of the good scenario; the error must point at `place` (line:column).
#[track_caller]
fn broken(from: &str, to: &str, place: &str, pieces: &[&str]) {
    assert_eq!(SMALL.matches(from).count(), 1, "{from} must stand once in the good scenario");
    let place = format!("bad.json:{place}");
    refuse(SMALL.replace(from, to), &[&[place.as_str(), "1 error, "], pieces].concat());
}

#[test]
fn unknown_key() {
    broken("\"stop\"", "\"stopp\"", "18:7", &["unknown key `stopp`", "did you mean \"stop\"?"]);
}

#[test]
fn missing_unit() {
    broken("\"2 Mbit/s\"", "2", "16:47", &["unit", "Mbit/s"]);
}

#[test]
fn wrong_unit() {
    broken("\"2 Mbit/s\"", "\"2 ms\"", "16:47", &["`ms` is not a unit of rate", "Mbit/s"]);
}

#[test]
fn unknown_node() {
    broken(
        "\"destinations\": [2]",
        "\"destinations\": [\"anna\"]",
        "15:24",
        &["anna", "did you mean", "ana"],
    );
}

#[test]
fn unknown_region() {
    let region = "{\"id\": 4, \"region\": \"aws:us-east-9\"}";
    broken("{\"id\": 4}", region, "4:98", &["aws:us-east-9", "did you mean", "aws:us-east-1"]);
}

#[test]
fn route_over_a_missing_link() {
    broken(
        "ana>relay>2\"",
        "ana>4>2\"",
        "21:24",
        &["no link from ana to n4", "links from ana go to: n2, relay"],
    );
}

#[test]
fn shares_that_do_not_add_up() {
    broken("\"share\": 0.4", "\"share\": 0.5", "21:43", &["1.10", "add up to 1", "use 0.40"]);
}

#[test]
fn stop_before_start() {
    broken("\"900 ms\"", "\"50 ms\"", "18:15", &["stop", "50 ms", "100 ms"]);
}

#[test]
fn cyclic_route() {
    broken("ana>relay>2\"", "ana>relay>ana>2\"", "21:30", &["comes back to ana", "ana > relay > ana"]);
}

/// Aim: 17 hops are one more than the routing header carries.
#[test]
fn route_too_deep() {
    let nodes: Vec<_> = (1..=18).map(|id| format!("{{\"id\": {id}}}")).collect();
    let links: Vec<_> =
        (1..18).map(|id| format!("{{\"between\": [{id}, {}], \"delay\": \"1 ms\"}}", id + 1)).collect();
    let scenario = |last: u32| {
        let route: Vec<_> = (1..=last).map(|id| id.to_string()).collect();
        format!(
            r#"{{"bellini": 1, "duration": "1 s", "nodes": [{}], "links": [{}], "conferences": [{{"id": 1, "sessions": [
{{"id": 1, "source": 1, "destinations": [{last}], "content": {{"kind": "constant", "rate": "1 Mbit/s"}},
"routing": {{"policy": "static", "flows": [{{"route": "{}"}}]}}}}]}}]}}"#,
            nodes.join(", "),
            links.join(", "),
            route.join(">"),
        )
    };
    refuse(scenario(18), &["bad.json:3:", "17", "16"]);
    let scratch = Scratch::new();
    scratch.write("good.json", scenario(17));
    scratch.run(&["check", "good.json"]).expect(0);
}

#[test]
fn id_out_of_range() {
    let fix = "from 1 to 2147483647";
    for id in ["2147483648", "0"] {
        let node = format!("{{\"id\": {id}}}");
        refuse(SMALL.replace("{\"id\": 4}", &node), &["bad.json:4:85", fix, id, "top bit"]);
    }
}

#[test]
fn truncated_file() {
    let cut = &SMALL[..SMALL.len() / 2];
    refuse(cut, &["E0106", "bad.json:"]);
    // Every cut is refused, whatever it leaves open.
    let scratch = Scratch::new();
    for at in (1..SMALL.trim_end().len()).step_by(41) {
        scratch.write("bad.json", &SMALL[..at]);
        scratch.run(&["check", "bad.json"]).expect(3).silent().says(&["nothing was started"]);
    }
}

#[test]
fn empty_file() {
    refuse("", &["bad.json:1:1", "empty"]);
}

#[test]
fn rate_of_zero() {
    broken("\"2 Mbit/s\"", "\"0 Mbit/s\"", "16:47", &["rate", "zero"]);
}

#[test]
fn packet_above_the_mtu() {
    let rate = "\"rate\": \"10 Mbit/s\"";
    broken(
        rate,
        &format!("{rate}, \"mtu\": 600"),
        "20:24",
        &["1334 bytes", "the MTU of 600", "\"symbol_bytes\": \"466 B\" or less"],
    );
}

#[test]
fn what_is_no_text() {
    refuse(b"{\"bellini\": 1, \"name\": \"\xff\"}", &["bad.json", "UTF-8"]);
}

#[test]
fn a_file_that_is_not_there() {
    let scratch = Scratch::new();
    let folder = std::fs::canonicalize(scratch.path()).unwrap();
    let place = format!("relative to {}", folder.display());
    scratch.run(&["sim", "none.json"]).expect(3).silent().says(&["cannot read none.json", &place]);
    scratch.run(&["sim", "."]).expect(3).silent().says(&["cannot read ."]);
}

/// Aim: all that is wrong is shown at once, in the order of the file.
#[test]
fn all_errors_at_once() {
    let scratch = Scratch::new();
    let text = SMALL
        .replace("\"2 Mbit/s\"", "\"0 bit/s\"")
        .replace("\"3 ms\"", "3")
        .replace("ana>relay>2\"", "ana>4>2\"")
        .replace("\"share\": 0.4", "\"share\": 0.5");
    scratch.write("bad.json", text);
    let done = scratch.run(&["sim", "bad.json"]).expect(3).silent();
    let places = ["bad.json:9:34", "bad.json:16:47", "bad.json:21:24", "bad.json:21:39"]
        .map(|place| done.stderr.find(place).unwrap_or_else(|| panic!("no {place} in\n{}", done.stderr)));
    assert!(places.is_sorted(), "{}", done.stderr);
    assert!(done.stderr.contains("4 errors, "), "{}", done.stderr);
}

#[test]
fn overrides_are_pointed_at() {
    let scratch = Scratch::with_small();
    for (set, pieces) in [
        ("duratoin=5 s", &["--set", "unknown key `duratoin`", "did you mean \"duration\"?"][..]),
        ("duration=5", &["--set", "unit"]),
        ("duration=5 parsec", &["--set", "parsec", "units are"]),
        ("conferences[3].id=2", &["--set", "no entry 3"]),
        ("nodes[0].region=aws:mars-1", &["--set", "aws:mars-1"]),
    ] {
        scratch.run(&["sim", "small.json", "--set", set]).expect(3).silent().says(pieces);
        assert_eq!(scratch.list("."), ["small.json"], "{set}");
    }
}

#[test]
fn errors_as_json() {
    let scratch = Scratch::with_small();
    scratch.write("bad.json", SMALL.replace("\"stop\"", "\"stopp\""));
    let bad = scratch.run(&["check", "bad.json", "--json"]).expect(3);
    let bad: serde_json::Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!((&bad["errors"], &bad["diagnostics"][0]["places"][0]["line"]), (&1.into(), &18.into()));
    let good = scratch.run(&["check", "small.json", "--json"]).expect(0);
    let good: serde_json::Value = serde_json::from_str(&good.stdout).unwrap();
    assert_eq!((&good["errors"], &good["diagnostics"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn a_policy_that_this_binary_does_not_have() {
    broken(
        "\"policy\": \"static\", \"flows\": [",
        "\"policy\": \"avoid\", \"flows\": [",
        "19:29",
        &["avoid"],
    );
}
