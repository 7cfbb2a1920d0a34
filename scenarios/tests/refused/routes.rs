//! E04..: routes that cannot be, and packets that fit none.

use super::*;

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
