//! Bad input: each kind is refused with its code, at its place, with what would be right.

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
fn e0101_unreadable_file() {
    let missing = std::path::Path::new("no-such-folder/none.json");
    let found = load(missing, &LoadOptions::default()).unwrap_err();
    expect(&found, "E0101", &["cannot read no-such-folder/none.json", "relative to /"]);
}

#[test]
fn e0102_empty_file() {
    for text in ["", "\u{FEFF}", " \r\n\t"] {
        expect(&diagnose(text), "E0102", &["the file is empty"]);
    }
}

#[test]
fn e0103_not_json() {
    refuse("\"duration\": \"10 s\"", "\"duration\" \"10 s\"", "E0103", &["bad.json:3:", "not JSON"]);
    refuse("\"bellini\": 1", "\"bellini\": 0x1", "E0103", &["hexadecimal"]);
    refuse("0.4", "NaN", "E0103", &["NaN"]);
}

#[test]
fn e0104_comment() {
    refuse("\"bellini\": 1,", "\"bellini\": 1, // version", "E0104", &["bad.json:2:17", "description"]);
}

#[test]
fn e0105_trailing_comma() {
    refuse("\"share\": 0.4}", "\"share\": 0.4,}", "E0105", &["bad.json:21", "remove the comma"]);
}

#[test]
fn e0106_truncated_file() {
    // Wherever the file is cut off, it is one error that says so, or that something is not JSON.
    let mut truncated = 0;
    let whole = GOOD.trim_end().len();
    for end in (1..whole).filter(|end| GOOD.is_char_boundary(*end)) {
        let found = diagnose(&GOOD[..end]);
        assert_eq!(found.errors(), 1, "{end}: {found}");
        assert!(["E0103", "E0106"].contains(&found.diagnostics[0].code), "{end}: {found}");
        truncated += usize::from(found.diagnostics[0].code == "E0106");
    }
    assert!(truncated > whole * 9 / 10, "{truncated} of {whole}");
}

#[test]
fn e0107_not_an_object() {
    expect(&diagnose("[1, 2]"), "E0107", &["not an array"]);
}

#[test]
fn e0108_duplicate_key() {
    refuse("\"bellini\": 1,", "\"bellini\": 1, \"bellini\": 1,", "E0108", &["again here", "first here"]);
}

#[test]
fn e0109_bad_flag() {
    let set = |path: &str, value: &str| LoadOptions {
        set: vec![(path.to_owned(), value.to_owned())],
        ..LoadOptions::default()
    };
    let parse = |options: &LoadOptions| parse_str("bad.json", GOOD, options);
    expect(&parse(&set("nodes[9].id", "1")).unwrap_err(), "E0109", &["--set:1:6", "there is no entry 9"]);
    expect(&parse(&set("nodes.id", "1")).unwrap_err(), "E0109", &["write [0].id"]);
    expect(&parse(&set("a..b", "1")).unwrap_err(), "E0109", &["is not a path"]);
    expect(&parse(&set("duration.x", "1")).unwrap_err(), "E0109", &["nothing inside a string"]);
    expect(
        &parse(&set("durations", "1 s")).unwrap_err(),
        "E0201",
        &["--set:1:1", "did you mean \"duration\"?"],
    );
    expect(&parse(&set("duration", "5")).unwrap_err(), "E0204", &["--set:1:10", "duration=5"]);
}

#[test]
fn e0201_unknown_key() {
    refuse("\"delay\": \"3 ms\"", "\"delay\": \"3 ms\", \"los\": 0", "E0201", &["bad.json:9:", "\"loss\""]);
}

#[test]
fn e0202_missing_key() {
    refuse(
        "  \"duration\": \"10 s\",\n",
        "",
        "E0202",
        &["`duration` is missing", "add \"duration\": \"20 s\""],
    );
    refuse(
        "\"id\": 1, \"name\": \"ana\"",
        "\"name\": \"ana\"",
        "E0202",
        &["bad.json:4:13", "`id` is missing"],
    );
    refuse("\"kind\": \"constant\", ", "", "E0202", &["`kind` is missing", "constant, video"]);
    refuse("\"between\": [2, 4]", "\"from\": 2", "E0202", &["`to` is missing"]);
}

#[test]
fn e0203_wrong_type() {
    refuse("\"destinations\": [2]", "\"destinations\": 2", "E0203", &["must be an array, not a number"]);
    refuse("{\"id\": 2}", "{\"id\": \"2\"}", "E0203", &["a number without quotes"]);
}

#[test]
fn e0204_missing_unit() {
    refuse("\"10 Mbit/s\"", "\"100\"", "E0204", &["did you mean \"100 Mbit/s\"?", "Gbit/s"]);
    refuse("\"3 ms\"", "3", "E0204", &["did you mean \"3 ms\"?"]);
}

#[test]
fn e0205_wrong_unit() {
    refuse(
        "\"10 Mbit/s\"",
        "\"100Mbps\"",
        "E0205",
        &["`Mbps` is not a unit", "did you mean \"100 Mbit/s\"?"],
    );
    refuse("\"3 ms\"", "\"3 Mbit/s\"", "E0205", &["units are ns, us, ms, s, min, h"]);
}

#[test]
fn e0206_out_of_range() {
    refuse("\"delay\": \"3 ms\"", "\"delay\": \"3 ms\", \"loss\": 1.5", "E0206", &["from 0 to 1, not 1.5"]);
    refuse("0.6", "1e999", "E0206", &["from 0 to 1"]);
    refuse("\"3 ms\"", "\"0.1 ns\"", "E0206", &["finer than nanoseconds"]);
    refuse("\"3 ms\"", "\"99999999999 h\"", "E0206", &["too large"]);
    refuse("\"destinations\": [2]", "\"destinations\": []", "E0206", &["at least one destination"]);
}

#[test]
fn e0207_shares_that_do_not_add_up() {
    let pieces =
        ["add up to 1.10", "shares: 0.60 + 0.50", "use 0.40, or \"share\": \"rest\"", "bad.json:21:43"];
    refuse("0.4", "0.50", "E0207", &pieces);
    let found = diagnose(&GOOD.replace("0.4", "\"rest\"").replace("0.6", "\"rest\""));
    expect(&found, "E0207", &["only one flow may take the rest"]);
}

#[test]
fn e0208_unknown_word() {
    refuse_with("\"view\": \"mesured\"", "E0208", &["did you mean \"measured\"?", "oracle"]);
    refuse("\"constant\"", "\"constnt\"", "E0208", &["did you mean \"constant\"?", "on-off"]);
    refuse("\"source\"", "\"transport\": \"udp-unpacd\", \"source\"", "E0208", &["udp-unpaced"]);
}

#[test]
fn e0209_format_version() {
    refuse("\"bellini\": 1", "\"bellini\": 2", "E0209", &["format version 2", "reads version 1"]);
}

#[test]
fn e0210_zero() {
    refuse("\"10 Mbit/s\"", "\"0 bit/s\"", "E0210", &["`rate` must not be zero"]);
    refuse("\"1 Mbit/s\"", "\"0 Mbit/s\"", "E0210", &["`rate` must not be zero"]);
    refuse("\"3 ms\"}", "\"3 ms\", \"queue\": \"0 B\"}", "E0210", &["drops every packet"]);
    let steps = "\"3 ms\", \"rate\": {\"steps\": [[\"1 s\", \"0 bit/s\"]]}}";
    refuse("\"3 ms\"}", steps, "E0210", &["nothing would ever pass"]);
}

#[test]
fn e0211_keys_that_exclude_each_other() {
    refuse(
        "\"share\": 0.4",
        "\"share\": 0.4, \"rate\": \"1 Mbit/s\"",
        "E0211",
        &["either a share or a rate"],
    );
    let models = "\"3 ms\", \"loss\": {\"bernoulli\": 0.1, \"trace\": \"01\"}}";
    refuse("\"3 ms\"}", models, "E0211", &["cannot be given together"]);
    let shared = GOOD
        .replace("\"rate\": \"10 Mbit/s\"", "\"rate\": \"10 Mbit/s\", \"bottleneck\": \"b\"")
        .replace("\"links\"", "\"bottlenecks\": [{\"name\": \"b\", \"rate\": \"1 Mbit/s\"}], \"links\"");
    expect(&diagnose(&shared), "E0211", &["`bottleneck` and `rate` cannot be given together"]);
}

#[test]
fn e0301_unknown_node() {
    refuse(
        "\"source\": \"ana\"",
        "\"source\": \"anna\"",
        "E0301",
        &["bad.json:14:17", "did you mean \"ana\"?"],
    );
    refuse("[2, 4]", "[2, 9]", "E0301", &["there is no node 9"]);
}

#[test]
fn e0302_unknown_region() {
    let node = "{\"id\": 2, \"region\": \"us-east-1\"}";
    refuse("{\"id\": 2}", node, "E0302", &["did you mean \"aws:us-east-1\"?"]);
}

#[test]
fn e0303_unknown_bottleneck() {
    refuse("\"3 ms\"}", "\"3 ms\", \"bottleneck\": \"bone\"}", "E0303", &["there is no bottleneck \"bone\""]);
}

#[test]
fn e0304_unknown_data() {
    refuse_with("\"topology\": {\"dataset\": \"aws-2103\"}", "E0304", &["did you mean \"aws-2013\"?"]);
    let trace = "\"3 ms\", \"rate\": {\"trace\": \"fcc-hd:hd_9999\"}}";
    refuse("\"3 ms\"}", trace, "E0304", &["there is no rate trace"]);
    let video = "{\"kind\": \"video\", \"rate\": \"1 Mbit/s\", \"trace\": \"envivo-1080p\"}";
    let constant = "{\"kind\": \"constant\", \"rate\": \"1 Mbit/s\"}";
    refuse(constant, video, "E0304", &["did you mean \"envivio-1080p\"?"]);
    let adaptive = "{\"kind\": \"adaptive\", \"ladder\": \"none\"}";
    refuse(constant, adaptive, "E0304", &["there is no ladder \"none\""]);
    refuse("\"3 ms\"}", "\"3 ms\", \"provenance\": [0]}", "E0304", &["there is no provenance 0"]);
}

const STATIC: &str = r#"{"policy": "static", "flows": [
        {"route": "ana>2", "share": 0.6},
        {"route": "ana>relay>2", "share": 0.4}
      ]}"#;

#[test]
fn e0305_unknown_policy_or_unmeasured_region() {
    refuse(STATIC, "\"shortest-dealy\"", "E0305", &["did you mean \"shortest-delay\"?"]);
    let assignment = format!("{STATIC}, \"assignment\": \"weighted\"");
    refuse(STATIC, &assignment, "E0305", &["there is no flow assignment \"weighted\""]);
    let text = GOOD
        .replace("{\"id\": 2}", "{\"id\": 2, \"region\": \"gcp:us-east1\"}")
        .replace("\"bellini\": 1,", "\"bellini\": 1, \"topology\": {\"dataset\": \"aws-2013\"},");
    expect(&diagnose(&text), "E0305", &["has no delays of region \"gcp:us-east1\""]);
    // A policy of the program's own is known.
    let options = LoadOptions { policies: vec!["mine".to_owned()], ..LoadOptions::default() };
    let text = GOOD.replace(STATIC, "{\"policy\": \"mine\", \"anything\": [1, {\"x\": 0.1}]}");
    let loaded = parse_str("good.json", &text, &options).unwrap();
    assert_eq!(loaded.scenario.conferences[0].sessions[0].routing.parameters["anything"][1]["x"], 0.1);
}

#[test]
fn e0306_duplicate_id() {
    refuse("{\"id\": 4}", "{\"id\": 2}, {\"id\": 4}", "E0306", &["two nodes have the id 2", "first here"]);
    refuse("\"destinations\": [2]", "\"destinations\": [2, 2]", "E0306", &["given twice"]);
}

#[test]
fn e0307_duplicate_name() {
    refuse(
        "\"relay\"}",
        "\"ana\"}, {\"id\": 5, \"name\": \"relay\"}",
        "E0307",
        &["two nodes have the name \"ana\""],
    );
}

#[test]
fn e0308_id_out_of_range() {
    for id in ["0", "2147483648", "-1"] {
        let pieces = ["from 1 to 2147483647", "top bit"];
        refuse("{\"id\": 2}", &format!("{{\"id\": 2}}, {{\"id\": {id}}}"), "E0308", &pieces);
    }
}

#[test]
fn e0309_policy_parameter() {
    refuse(STATIC, "{\"policy\": \"k-shortest\", \"kk\": 2}", "E0309", &["parameter `kk`", "`k`"]);
    refuse(STATIC, "{\"policy\": \"k-shortest\", \"k\": 0}", "E0309", &["from 1 to"]);
    refuse(STATIC, "{\"policy\": \"direct\", \"k\": 1}", "E0309", &["no parameters"]);
}

#[test]
fn e0310_unknown_session() {
    let churn = "\"id\": 1, \"churn\": [{\"at\": \"2 s\", \"node\": 4, \"session\": 7, \"change\": \"join\"}], \"sessions\"";
    refuse("\"id\": 1, \"sessions\"", churn, "E0310", &["no session 7", "sessions: s1"]);
}

#[test]
fn e0311_churn_that_changes_nothing() {
    for (node, change, piece) in
        [(2, "join", "is a destination already"), (4, "leave", "is no destination then")]
    {
        let churn = format!(
            "\"id\": 1, \"churn\": [{{\"at\": \"2 s\", \"node\": {node}, \"session\": 1, \"change\": \"{change}\"}}], \"sessions\""
        );
        refuse("\"id\": 1, \"sessions\"", &churn, "E0311", &[piece]);
    }
}

#[test]
fn e0401_route_text() {
    for route in ["ana>", "ana>{2", "ana>{2}}", "ana>>2", "{ana}", "", "ana>2 4"] {
        refuse("\"ana>2\"", &format!("\"{route}\""), "E0401", &["expected"]);
    }
    refuse("\"ana>2\"", "\"ana>{2\"", "E0401", &["bad.json:20:26", "expected `,` or `}`"]);
}

#[test]
fn e0402_route_over_a_missing_link() {
    let text = GOOD.replace("\"ana>2\"", "\"ana>4>2\"");
    expect(&diagnose(&text), "E0402", &["bad.json:20:24", "no link from ana to n4", "go to: n2, relay"]);
    refuse(
        "{\"id\": 4}",
        "{\"id\": 4, \"rates\": {\"ana\": \"1 Mbit/s\"}}",
        "E0402",
        &["no link from n4 to ana"],
    );
}

#[test]
fn e0403_route_that_does_not_start_at_the_source() {
    refuse("\"ana>2\"", "\"relay>2\"", "E0403", &["starts at relay", "source is ana"]);
}

#[test]
fn e0404_cyclic_route() {
    refuse("\"ana>2\"", "\"ana>relay>ana>2\"", "E0404", &["comes back to ana", "ana > relay > ana"]);
    refuse("\"ana>2\"", "\"ana>2>relay>2\"", "E0404", &["comes back to n2"]);
}

#[test]
fn e0405_route_too_deep() {
    let count = 18;
    let nodes: Vec<_> = (1..=count).map(|n| format!("{{\"id\": {n}}}")).collect();
    let links: Vec<_> =
        (1..count).map(|n| format!("{{\"between\": [{n}, {}], \"delay\": \"1 ms\"}}", n + 1)).collect();
    let text = |last: u32| {
        let route: Vec<_> = (1..=last).map(|n| n.to_string()).collect();
        format!(
            r#"{{"bellini": 1, "duration": "1 s", "nodes": [{}], "links": [{}], "conferences": [{{"id": 1, "sessions": [
            {{"id": 1, "source": 1, "destinations": [{last}], "content": {{"kind": "constant", "rate": "1 kbit/s"}},
            "routing": {{"policy": "static", "flows": [{{"route": "{}"}}]}}}}]}}]}}"#,
            nodes.join(","),
            links.join(","),
            route.join(">"),
        )
    };
    assert!(parse_str("deep.json", &text(17), &LoadOptions::default()).is_ok(), "16 hops fit");
    expect(&diagnose(&text(18)), "E0405", &["more than 16 hops deep"]);
    // Hostile depth ends in an error, not in the end of the stack.
    let hostile = GOOD.replace("\"ana>2\"", &format!("\"{}2\"", "ana>".repeat(100_000)));
    expect(&diagnose(&hostile), "E0405", &[]);
}

#[test]
fn e0406_branch_without_a_destination() {
    refuse("\"ana>2\"", "\"ana>{2,relay}\"", "E0406", &["ends at relay, which is no destination"]);
}

#[test]
fn e0407_destination_that_a_flow_does_not_reach() {
    refuse("\"destinations\": [2]", "\"destinations\": [2, 3]", "E0407", &["does not reach relay", "ana>2"]);
}

#[test]
fn e0408_flag_on_a_node_that_is_no_destination() {
    refuse("\"ana>relay>2\"", "\"ana>relayd>2\"", "E0408", &["relay is marked `d`"]);
}

#[test]
fn e0409_source_among_the_destinations() {
    refuse("\"destinations\": [2]", "\"destinations\": [2, 1]", "E0409", &["ana is the source"]);
}

#[test]
fn e0410_routing_info_too_large() {
    let leaves: Vec<_> = (5..34).map(|n| n.to_string()).collect();
    let nodes: Vec<_> = leaves.iter().map(|n| format!("{{\"id\": {n}}}")).collect();
    let links: Vec<_> =
        leaves.iter().map(|n| format!("{{\"from\": 3, \"to\": {n}, \"delay\": \"1 ms\"}}")).collect();
    let text = GOOD
        .replace("{\"id\": 4}", &format!("{{\"id\": 4}},{}", nodes.join(",")))
        .replace("\"links\": [", &format!("\"links\": [{},", links.join(",")))
        .replace("\"destinations\": [2]", &format!("\"destinations\": [{}]", leaves.join(",")))
        .replace("{\"route\": \"ana>2\", \"share\": 0.6},", "")
        .replace("\"ana>relay>2\", \"share\": 0.4", &format!("\"ana>relay>{{{}}}\"", leaves.join(",")));
    expect(&diagnose(&text), "E0410", &["needs 180 bytes", "176"]);
}

#[test]
fn e0411_no_path() {
    let to_4 = GOOD.replace("\"destinations\": [2]", "\"destinations\": [4]");
    expect(&diagnose(&to_4.replace(STATIC, "\"direct\"")), "E0411", &["no link from ana to n4"]);
    let cut = to_4.replace(",\n    {\"between\": [2, 4], \"delay\": \"3 ms\"}", "");
    expect(&diagnose(&cut.replace(STATIC, "\"shortest-delay\"")), "E0411", &["no path leads from ana to n4"]);
    let few = "{\"policy\": \"shortest-delay\", \"max_relays\": 0}";
    expect(&diagnose(&to_4.replace(STATIC, few)), "E0411", &["E0411"]);
    assert!(
        parse_str("good.json", &to_4.replace(STATIC, "\"shortest-delay\""), &LoadOptions::default()).is_ok()
    );
}

#[test]
fn e0412_packet_above_the_mtu() {
    // 1,200 bytes of symbol, 128 of headers, 6 of RoutingInfo: 1,334 must fit.
    let link = |mtu: u32| format!("\"rate\": \"10 Mbit/s\", \"mtu\": {mtu}}}");
    let text = GOOD.replace("\"rate\": \"10 Mbit/s\"}", &link(1_334));
    assert!(parse_str("good.json", &text, &LoadOptions::default()).is_ok());
    let text = GOOD.replace("\"rate\": \"10 Mbit/s\"}", &link(1_333));
    expect(&diagnose(&text), "E0412", &["1334 bytes", "MTU of 1333 from ana to n2", "\"1199 B\" or less"]);
    let text = GOOD.replace(STATIC, "\"direct\"").replace("\"rate\": \"10 Mbit/s\"}", &link(1_333));
    expect(&diagnose(&text), "E0412", &["1334 bytes"]);
}

#[test]
fn e0413_shares_on_some_flows_only() {
    refuse(", \"share\": 0.4", "", "E0413", &["all flows of session \"s1\" give a share, or none does"]);
    let text = GOOD.replace(STATIC, "\"direct\", \"assignment\": \"static\"");
    expect(&diagnose(&text), "E0413", &["needs flows with shares or rates"]);
}

#[test]
fn e0501_stop_before_start() {
    refuse(
        "\"stop\": \"9 s\"",
        "\"stop\": \"1 s\"",
        "E0501",
        &["stops at 1 s, not after its start at 1 s", "starts here"],
    );
}

#[test]
fn e0502_start_after_the_end() {
    let text = GOOD.replace("\"1 s\"", "\"10 s\"").replace("\"9 s\"", "\"11 s\"");
    expect(&diagnose(&text), "E0502", &["starts at 10 s, when the run of 10 s is over"]);
}

#[test]
fn e0503_measuring_window() {
    refuse_with("\"measure\": {\"from\": \"3 s\", \"to\": \"3 s\"}", "E0503", &["is empty"]);
    refuse_with("\"measure\": {\"to\": \"11 s\"}", "E0503", &["ends at 11 s, the run at 10 s"]);
}

#[test]
fn e0504_session_outside_its_conference() {
    let conference = "\"id\": 1, \"end\": \"5 s\", \"sessions\"";
    refuse(
        "\"id\": 1, \"sessions\"",
        conference,
        "E0504",
        &["`stop` at 9 s lies outside its conference, 0 s to 5 s"],
    );
}

#[test]
fn e0601_link_to_itself() {
    refuse("[2, 4]", "[4, 4]", "E0601", &["from n4 to itself"]);
}

#[test]
fn e0602_duplicate_link() {
    let again = "\"links\": [{\"from\": 4, \"to\": 2, \"delay\": \"1 ms\"},";
    refuse("\"links\": [", again, "E0602", &["two links go from n4 to n2", "first here"]);
}

#[test]
fn e0603_red_thresholds() {
    let red = "\"3 ms\", \"queue\": {\"discipline\": {\"red\": {\"min\": \"9 KB\", \"max\": \"9 KB\"}}}}";
    refuse("\"3 ms\"}", red, "E0603", &["`max` must be above its `min`"]);
}

#[test]
fn e0605_file_without_a_rate() {
    let constant = "{\"kind\": \"constant\", \"rate\": \"1 Mbit/s\"}";
    let file = "{\"kind\": \"file\", \"bytes\": \"1 MiB\"}";
    refuse(constant, file, "E0605", &["needs a rate", "no congestion control"]);
    let text = GOOD
        .replace(constant, file)
        .replace("\"name\": \"ana\"}", "\"name\": \"ana\", \"rates\": {\"*\": \"9 Mbit/s\"}}");
    assert!(parse_str("good.json", &text, &LoadOptions::default()).is_ok(), "rates of the source serve");
}

/// Aim: a word of bits has 64 of them; a reliable file needs no rate, since windows bound it.
#[test]
fn e0606_too_many_destinations_of_a_reliable_session() {
    let nodes: Vec<String> = (1..=66).map(|id| format!("{{\"id\": {id}}}")).collect();
    let links: Vec<String> =
        (2..=66).map(|id| format!("{{\"between\": [1, {id}], \"delay\": \"1 ms\"}}")).collect();
    let scenario = |last: u32, delivery: &str| {
        let destinations: Vec<String> = (2..=last).map(|id| id.to_string()).collect();
        let session = format!(
            "{{\"id\": 1, \"source\": 1, \"destinations\": [{}], \"delivery\": \"{delivery}\", \"routing\": \"direct\",
             \"content\": {{\"kind\": \"file\", \"bytes\": \"1 MiB\", \"rate\": \"1 Mbit/s\"}}}}",
            destinations.join(", ")
        );
        format!(
            "{{\"bellini\": 1, \"duration\": \"1 s\", \"nodes\": [{}], \"links\": [{}],
             \"conferences\": [{{\"id\": 1, \"sessions\": [{session}]}}]}}",
            nodes.join(", "),
            links.join(", "),
        )
    };
    expect(&diagnose(&scenario(66, "reliable")), "E0606", &["has 65 destinations", "at most 64"]);
    for good in [scenario(65, "reliable"), scenario(66, "best-effort")] {
        assert!(parse_str("good.json", &good, &LoadOptions::default()).is_ok());
    }
    let constant = "{\"kind\": \"constant\", \"rate\": \"1 Mbit/s\"}";
    let reliable = "{\"kind\": \"file\", \"bytes\": \"1 MiB\"}, \"delivery\": \"reliable\"";
    assert!(parse_str("good.json", &GOOD.replace(constant, reliable), &LoadOptions::default()).is_ok());
    refuse("\"source\"", "\"delivery\": \"reliabel\", \"source\"", "E0208", &["did you mean \"reliable\"?"]);
}

#[test]
fn e0701_restart_without_a_crash() {
    refuse_with(
        "\"faults\": [{\"at\": \"1 s\", \"restart\": 4}]",
        "E0701",
        &["n4 restarts at 1 s, but is not down"],
    );
}

#[test]
fn e0702_crash_of_a_node_that_is_down() {
    let faults = "\"faults\": [{\"at\": \"2 s\", \"crash\": 4}, {\"at\": \"1 s\", \"crash\": 4}]";
    refuse_with(faults, "E0702", &["n4 crashes at 2 s, but is down already"]);
}

#[test]
fn faults_that_name_unknown_things() {
    refuse_with(
        "\"faults\": [{\"at\": \"1 s\", \"crash\": \"rely\"}]",
        "E0301",
        &["did you mean \"relay\"?"],
    );
    refuse_with(
        "\"faults\": [{\"at\": \"1 s\", \"cut\": [[1, 4]]}]",
        "E0402",
        &["no link between ana and n4"],
    );
}

#[test]
fn e0704_node_on_both_sides() {
    let fault = "\"faults\": [{\"at\": \"1 s\", \"partition\": [[1, 2], [2, 3]]}]";
    refuse_with(fault, "E0704", &["n2 is on both sides"]);
}

/// Aim: what cannot be coded as asked is refused with what would be right.
#[test]
fn coding_that_cannot_be() {
    let coded = |coding: &str| format!("\"coding\": {coding}, \"source\"");
    let refuse = |coding: &str, code: &str, parts: &[&str]| refuse("\"source\"", &coded(coding), code, parts);
    refuse("\"rlcn\"", "E0208", &["rlnc"]);
    refuse("{\"generation\": 7}", "E0206", &["from 8 to 255, not 7"]);
    refuse("{\"generation\": 256}", "E0206", &["from 8 to 255, not 256"]);
    refuse("{\"repair\": 5}", "E0206", &["from 0 to 4, not 5"]);
    refuse("{\"generaton\": 32}", "E0201", &["did you mean \"generation\""]);
    refuse(
        "{\"scheme\": \"window\", \"generation\": 32}",
        "E0608",
        &["means nothing under the scheme \"window\""],
    );
    refuse("{\"window\": 32}", "E0608", &["means nothing under the scheme \"generation\""]);
    let reliable = "\"window\", \"delivery\": \"reliable\"";
    refuse(reliable, "E0607", &["a reliable session cannot be coded by a sliding window", "use \"rlnc\""]);
    let reliable = "{\"repair\": \"adaptive\"}, \"delivery\": \"reliable\"";
    refuse(reliable, "E0608", &["a reliable session adds no repairs of its own accord"]);
    let reliable = "{\"latency\": \"1 s\"}, \"delivery\": \"reliable\"";
    refuse(reliable, "E0608", &["`latency` means nothing in a reliable session", "never closed early"]);
    let reliable = "{\"systematic\": false}, \"delivery\": \"reliable\"";
    refuse(reliable, "E0608", &["`systematic` means nothing in a reliable session", "always go first"]);
    let repair = "{\"repair\": 0.5, \"repair_max\": 1}";
    refuse(repair, "E0608", &["`repair_max` means nothing beside a number", "use \"repair\": \"adaptive\""]);
    refuse("{\"latency\": 100}", "E0204", &["`latency` has no unit"]);
    refuse("{\"scheme\": \"windw\"}", "E0208", &["did you mean \"window\"?"]);
    refuse("true", "E0203", &["`coding` must be"]);
    let text = GOOD.replacen("\"source\"", &coded("{\"generation\": 255}"), 1);
    let error = parse_str("bad.json", &text, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("E0412") && error.contains("use \"symbol_bytes\": \"1059 B\" or less"), "{error}");
}

/// Aim: the tag of a sealed session counts for the MTU: what just fits without it is refused, and the help says what fits.
#[test]
fn sealing_that_cannot_be() {
    refuse("\"source\"", "\"sealed\": \"yes\", \"source\"", "E0203", &["`sealed` must be"]);
    refuse("\"bellini\": 1,", "\"bellini\": 1, \"seal\": 24,", "E0203", &["`seal` must be"]);
    let text = |sealed: &str, bytes: u32| {
        let keys = format!("{sealed}\"symbol_bytes\": \"{bytes} B\", \"source\"");
        parse_str("bad.json", &GOOD.replacen("\"source\"", &keys, 1), &LoadOptions::default())
    };
    let most = (1_000..1_500).rev().find(|bytes| text("", *bytes).is_ok()).expect("something fits");
    assert!(text("\"sealed\": true, ", most - 16).is_ok());
    let error = text("\"sealed\": true, ", most - 15).unwrap_err().to_string();
    let help = format!("use \"symbol_bytes\": \"{} B\" or less", most - 16);
    assert!(error.contains("E0412") && error.contains(&help), "{error}");
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

#[test]
fn nothing_panics_on_damaged_text() {
    // Every byte of the good scenario replaced in turn by each of a few that mean something.
    for at in 0..GOOD.len() {
        for byte in *b"\"{}[],:0-. x" {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let text = String::from_utf8(bytes).expect("the good scenario is ASCII");
            if let Err(found) = parse_str("bad.json", &text, &LoadOptions::default()) {
                assert!(found.to_string().ends_with("nothing was started."));
            }
        }
    }
}

/// TCP finds its rate by itself, needs a way back, and is bounded; other patterns have no connections.
#[test]
fn tcp_as_cross_traffic() {
    let tcp = |more: &str| {
        format!("\"cross_traffic\": [{{\"from\": \"ana\", \"to\": 2, \"pattern\": \"tcp\"{more}}}]")
    };
    let loaded = parse_str(
        "good.json",
        &GOOD.replace("\"bellini\": 1,", &format!("\"bellini\": 1, {},", tcp(", \"flows\": 64"))),
        &LoadOptions::default(),
    );
    assert_eq!(loaded.unwrap().scenario.cross_flows().len(), 64);
    let unfit = "does not go with this pattern";
    refuse_with(&tcp(", \"rate\": \"1 Mbit/s\""), "E0211", &["`rate`", unfit, "remove the key"]);
    refuse_with(&tcp(", \"packet\": \"1 KB\""), "E0211", &["`packet`", unfit]);
    refuse_with(&tcp(", \"flows\": 65"), "E0206", &["`flows` must be from 1 to 64, not 65"]);
    refuse_with(&tcp(", \"controller\": \"bbr\""), "E0208", &["`controller`", "one of: cubic, reno"]);
    refuse_with(&tcp(", \"recovery\": \"sack\""), "E0208", &["`recovery`", "one of: rack, dupack"]);
    let poisson = |more: &str| tcp(more).replace("tcp", "poisson");
    refuse_with(&poisson(""), "E0202", &["`rate` is missing in this cross traffic", "10 Mbit/s"]);
    let flows = poisson(", \"rate\": \"1 Mbit/s\", \"flows\": 2");
    refuse_with(&flows, "E0211", &["`flows`", unfit, "\"pattern\": \"tcp\""]);
    let recovery = poisson(", \"rate\": \"1 Mbit/s\", \"recovery\": \"rack\"");
    refuse_with(&recovery, "E0211", &["`recovery`", unfit, "\"pattern\": \"tcp\""]);
    let one = r#"{"from": "ana", "to": 2, "pattern": "tcp", "flows": 64}"#;
    let many = format!("\"cross_traffic\": [{}]", [one; 5].join(", "));
    refuse_with(&many, "E0206", &["more than 256 TCP connections"]);
    let text = GOOD
        .replace(
            "{\"between\": [2, 4], \"delay\": \"3 ms\"}",
            "{\"from\": 2, \"to\": 4, \"delay\": \"3 ms\"}",
        )
        .replace(
            "\"bellini\": 1,",
            "\"bellini\": 1, \"cross_traffic\": [{\"from\": 2, \"to\": 4, \"pattern\": \"tcp\"}],",
        );
    expect(&diagnose(&text), "E0402", &["there is no link from", "acknowledgements", "no link back"]);
}

/// A listing names a node of the scenario, which its members reach, and leases have bounds.
#[test]
fn a_listing_that_cannot_be() {
    let listing = |keys: &str| format!("\"listing\": {{{keys}}}");
    let node = "\"node\": \"relay\"";
    refuse_with(&listing(""), "E0202", &["`node` is missing in this listing"]);
    refuse_with(&listing("\"node\": \"rellay\""), "E0301", &["no node rellay", "did you mean \"relay\"?"]);
    for lease in ["999 ms", "3601 s"] {
        let message =
            format!("a lease of {} is out of range", if lease == "999 ms" { lease } else { "3601 s" });
        refuse_with(&listing(&format!("{node}, \"lease\": \"{lease}\"")), "E0206", &[&message, "1 s to 1 h"]);
    }
    refuse_with(&listing(&format!("{node}, \"lease\": \"0 s\"")), "E0210", &["`lease` must not be zero"]);
    refuse_with(&listing(&format!("{node}, \"lease\": 3")), "E0204", &["`lease`"]);
    refuse_with(&listing(&format!("{node}, \"leases\": 3")), "E0201", &["did you mean \"lease\"?"]);
    let alone = GOOD
        .replace("{\"id\": 4}", "{\"id\": 4}, {\"id\": 5}")
        .replace("\"bellini\": 1,", "\"bellini\": 1, \"listing\": {\"node\": 5},");
    let found = diagnose(&alone);
    assert!(found.diagnostics.iter().all(|found| found.code == "E0411"), "{found}");
    assert!(found.to_string().contains("members and the listing have to reach each other"), "{found}");
}

/// The planner is at the listing unless another node is named.
#[test]
fn the_listing_decides_by_default() {
    let planner = |keys: &str| {
        let text = GOOD.replace("\"bellini\": 1,", &format!("\"bellini\": 1, {keys},"));
        let loaded = parse_str("good.json", &text, &LoadOptions::default()).unwrap();
        loaded.scenario.planner.node.map(|node| node.get())
    };
    let listing = "\"listing\": {\"node\": \"relay\", \"lease\": \"1 h\"}";
    assert_eq!(planner(listing), Some(3));
    assert_eq!(planner(&format!("{listing}, \"planner\": {{\"period\": \"3 s\"}}")), Some(3));
    assert_eq!(planner(&format!("{listing}, \"planner\": {{\"node\": 2}}")), Some(2));
    assert_eq!(planner("\"seed\": 1"), None);
}

/// Aim: billing that no sample can tell apart, or that has no interval, is refused at its place.
#[test]
fn billing() {
    let billing = |keys: &str| format!("\"billing\": {{{keys}}}");
    refuse_with(
        &billing("\"interval\": \"50 ms\", \"period\": \"1 min\""),
        "E0206",
        &["50 ms", "sample_interval"],
    );
    refuse_with(&billing("\"period\": \"1 min\""), "E0206", &["a period of 60 s holds no interval of 300 s"]);
    refuse_with(&billing("\"percentile\": 101"), "E0206", &["101"]);
    refuse_with(&billing("\"direction\": \"both\""), "E0208", &["larger"]);
    refuse_with(&billing("\"percentil\": 95"), "E0201", &["did you mean \"percentile\"?"]);
}
