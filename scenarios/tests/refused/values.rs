//! E02..: keys and values that have no meaning where they stand.

use super::*;

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
