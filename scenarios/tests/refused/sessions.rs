//! E05.. to E07..: times, links, content and faults that contradict each other.

use super::*;

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
