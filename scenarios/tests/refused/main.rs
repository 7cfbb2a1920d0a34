//! Bad input: each kind is refused with its code, at its place, with what would be right. The kinds are in a file for
//! each group of codes.

mod names;
mod routes;
mod sessions;
mod text;
mod values;

use bellini_scenarios::diagnostic::{Diagnostics, Severity};
use bellini_scenarios::parse::{LoadOptions, load, parse_str};

/// A scenario that is right; the tests break one thing each.
const GOOD: &str = r#"{
  "bellini": 1,
  "duration": "10 s",
  "nodes": [{"id": 1, "name": "ana"}, {"id": 2}, {"id": 3, "name": "relay"}, {"id": 4}],
  "links": [
    {"between": ["ana", 2], "delay": "10 ms", "rate": "10 Mbit/s"},
    {"between": ["ana", "relay"], "delay": "5 ms"},
    {"between": ["relay", 2], "delay": "6 ms"},
    {"between": [2, 4], "delay": "3 ms"}
  ],
  "conferences": [{"id": 1, "sessions": [
    {
      "id": 1,
      "source": "ana",
      "destinations": [2],
      "content": {"kind": "constant", "rate": "1 Mbit/s"},
      "start": "1 s",
      "stop": "9 s",
      "routing": {"policy": "static", "flows": [
        {"route": "ana>2", "share": 0.6},
        {"route": "ana>relay>2", "share": 0.4}
      ]}
    }
  ]}]
}
"#;

const STATIC: &str = r#"{"policy": "static", "flows": [
        {"route": "ana>2", "share": 0.6},
        {"route": "ana>relay>2", "share": 0.4}
      ]}"#;

fn diagnose(text: &str) -> Diagnostics {
    let result = parse_str("bad.json", text, &LoadOptions::default());
    result.err().unwrap_or_else(|| panic!("accepted:\n{text}"))
}

/// Changes `from` into `to` in the good scenario, and returns what is said about it.
fn broken(from: &str, to: &str) -> Diagnostics {
    assert_eq!(GOOD.matches(from).count(), 1, "{from} must stand once in the good scenario");
    diagnose(&GOOD.replace(from, to))
}

/// Expects exactly one error, with that code and all of those pieces of text.
#[track_caller]
fn expect(found: &Diagnostics, code: &str, pieces: &[&str]) {
    let text = found.to_string();
    let errors: Vec<_> = found.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert_eq!(errors.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "{text}");
    for piece in pieces {
        assert!(text.contains(piece), "no {piece:?} in\n{text}");
    }
}

/// Breaks the good scenario in one place and expects one error.
#[track_caller]
fn refuse(from: &str, to: &str, code: &str, pieces: &[&str]) {
    expect(&broken(from, to), code, pieces);
}

/// Adds top-level keys to the good scenario and expects one error.
#[track_caller]
fn refuse_with(keys: &str, code: &str, pieces: &[&str]) {
    refuse("\"bellini\": 1,", &format!("\"bellini\": 1, {keys},"), code, pieces);
}

#[test]
fn the_good_scenario_is_good() {
    let loaded = parse_str("good.json", GOOD, &LoadOptions::default()).unwrap();
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.scenario.name, "good");
}

#[test]
fn shown_as_rustc_shows_it() {
    let found = broken("\"stop\"", "\"stopp\"");
    let expected = r#"error[E0201]: unknown key `stopp` in this session
  --> bad.json:18:7
   |
18 |       "stopp": "9 s",
   |       ^^^^^^^
   |
   = at: conferences[0].sessions[0].stopp
   = help: did you mean "stop"?
   = help: known keys: id, name, source, destinations, transport, delivery, coding, sealed, content, symbol_bytes, start, stop, and 3 more

1 error, 0 warnings; nothing was started."#;
    assert_eq!(found.to_string(), expected);
    assert!(found.render(true).contains("\u{1b}["), "colour on request");
    let json = found.to_json();
    assert_eq!(json["errors"], 1);
    assert_eq!(json["diagnostics"][0]["places"][0]["line"], 18);
    assert_eq!(json["diagnostics"][0]["path"], "conferences[0].sessions[0].stopp");
}

#[test]
fn all_errors_at_once() {
    let text = GOOD
        .replace("\"10 ms\"", "10")
        .replace("\"1 Mbit/s\"", "\"0 bit/s\"")
        .replace("ana>relay>2", "ana>relay>4")
        .replace("0.4", "0.5");
    let found = diagnose(&text);
    let codes: Vec<_> = found.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["E0204", "E0210", "E0407", "E0402", "E0406", "E0207"], "{found}");
    assert!(found.to_string().ends_with("6 errors, 0 warnings; nothing was started."));
}

#[test]
fn warnings_do_not_stop_a_run() {
    // W0505: cut off by the end of the run. W0703: nothing to heal.
    let text = GOOD
        .replace("\"9 s\"", "\"90 s\"")
        .replace("\"bellini\": 1,", "\"bellini\": 1, \"faults\": [{\"at\": \"1 s\", \"heal\": [[2, 4]]}],");
    let loaded = parse_str("good.json", &text, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["W0703", "W0505"]);
    let session = &loaded.scenario.conferences[0].sessions[0];
    assert_eq!(session.stop, loaded.scenario.duration);
}
