//! E03..: names and ids of what is not there, or twice.

use super::*;

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
