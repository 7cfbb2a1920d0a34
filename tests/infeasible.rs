//! Demands that cannot be met: the error names what binds, before anything starts.

use crate::harness::Scratch;
use crate::plan::PRICED;

/// What a session may want of [`PRICED`], whose fastest path takes 15 ms and whose two paths carry 2 Mbit/s each.
const CONTENT: &str = r#"{"kind": "constant", "rate": "1 Mbit/s"}"#;
const ROUTING: &str = r#"{"policy": "shortest-delay"}"#;
const LATE: &str =
    r#"{"kind": "messages", "mean_interval": "1 s", "size": {"fixed": "100 B"}, "deadline": "12 ms"}"#;
const FAST: &str = r#"{"kind": "constant", "rate": "5 Mbit/s"}"#;

fn wants(policy: &str, content: &str) -> String {
    PRICED.replace(CONTENT, content).replace(ROUTING, policy)
}

fn unpriced(policy: &str) -> String {
    wants(policy, CONTENT).replace(r#", "usd_per_gb": 0.09"#, "").replace(r#", "usd_per_gb": 0.02"#, "")
}

/// Datacenters that are 11,000 km apart at the ends.
fn far(text: &str) -> String {
    text.replace(r#""name": "a""#, r#""name": "a", "region": "aws:us-east-1""#)
        .replace(r#""name": "c""#, r#""name": "c", "region": "aws:ap-northeast-1""#)
}

/// Priced on all links: what jetway needs.
fn all_priced(text: &str) -> String {
    text.replace(
        r#""delay": "30 ms", "rate": "2 Mbit/s"}"#,
        r#""delay": "30 ms", "rate": "2 Mbit/s", "usd_per_gb": 0.05}"#,
    )
}

/// Two of these sessions, each of which would fit alone.
fn twice(text: &str) -> String {
    let start = text
        .find(
            r#"{
    "id": 1, "source""#,
        )
        .unwrap();
    let end = text.rfind("]}]").unwrap();
    let session = &text[start..end];
    text.replace(session, &format!("{session}, {}", session.replacen("\"id\": 1", "\"id\": 2", 1)))
}

/// Aim: each of these is refused by `check` and by `sim` with the same words and code, and no record is begun.
#[test]
fn refused_before_anything_starts() {
    let airlift = |more: &str| format!("{{\"policy\": \"airlift\"{more}}}");
    let (plain, jetway, steiner) = (airlift(""), r#""jetway""#, r#""steiner-price""#);
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "airlift, later than the fastest path",
            wants(&plain, LATE),
            &[
                "session 1/1",
                "fastest path from a to c takes 15.0 ms (a > b > c)",
                "10.8 ms are allowed",
                "allow more time",
            ],
        ),
        ("airlift, below light", far(&wants(&plain, LATE)), &["light in a vacuum takes 36."]),
        (
            "airlift, its own bound",
            wants(&airlift(r#", "bound": "9 ms""#), CONTENT),
            &["takes 15.0 ms (a > b > c)", "8.1 ms are allowed"],
        ),
        (
            "airlift, above capacity",
            wants(&plain, FAST),
            &["5.000 Mbit/s are wanted", "3.604 can be carried", "link a > c is full", "link b > c is full"],
        ),
        (
            "airlift, above capacity together",
            twice(&wants(&plain, &FAST.replace('5', "3"))),
            &["3.000 Mbit/s are wanted", "1.802 can be carried", "link b > c is full"],
        ),
        (
            "jetway, above capacity",
            all_priced(&wants(jetway, FAST)),
            &[
                "`jetway` refuses",
                "a to c at 5.000 Mbit/s: the link a > c, the link b > c together let through at most 3.604",
            ],
        ),
        (
            "jetway, above capacity together",
            twice(&all_priced(&wants(jetway, &FAST.replace('5', "3")))),
            &["session 1/2", "no room for"],
        ),
        (
            "jetway, unknown price",
            wants(jetway, CONTENT),
            &["no price is known of a > c, c > a", "usd_per_gb"],
        ),
        (
            "steiner-price, unknown price",
            unpriced(steiner),
            &[
                "`steiner-price` refuses",
                "no price is known of a > b, a > c, b > a, b > c and 2 more",
                "usd_per_gb",
            ],
        ),
    ];
    let scratch = Scratch::new();
    for (name, text, pieces) in cases {
        eprintln!("{name}");
        scratch.write("it.json", &text);
        let check = scratch.run(&["check", "it.json"]).expect(3).silent().says(&["E0801"]).says(pieces);
        let sim = scratch.run(&["sim", "it.json", "--no-report", "--out", "run"]).expect(3).silent();
        assert_eq!(sim.stderr, check.stderr, "{name}");
        assert_eq!(scratch.list("."), ["it.json"], "{name}: nothing is begun");
        let json = scratch.run(&["check", "it.json", "--json"]).expect(3).stdout;
        assert!(json.contains("\"code\": \"E0801\"") && json.contains("\"help\""), "{json}");
        // A plan is made all the same, says it, and fails only if it is asked to.
        assert!(
            scratch.run(&["plan", "it.json", "--policies", "own"]).expect(0).stdout.contains("Not as wanted")
        );
        scratch.run(&["plan", "it.json", "--policies", "own", "--strict"]).expect(4);
    }
}

/// Aim: sessions of policies that promise nothing run, and `check` warns with what binds.
#[test]
fn what_is_not_promised_is_a_warning() {
    let scratch = Scratch::new();
    let late = "a to c within 12.0 ms: the fastest path takes 15.0 ms (a > b > c)";
    let fast =
        "a to c at 5.000 Mbit/s: the link a > c, the link b > c together let through at most 3.604 Mbit/s";
    for policy in [r#""shortest-delay""#, r#""steiner-price""#, r#""k-shortest""#] {
        for (content, piece) in [(LATE, late), (FAST, fast)] {
            scratch.write("it.json", wants(policy, content));
            scratch.run(&["check", "it.json"]).expect(0).says(&["W0802", "session 1/1", piece]);
        }
        scratch.write("good.json", wants(policy, CONTENT));
        assert_eq!(scratch.run(&["check", "good.json"]).expect(0).stderr, "");
    }
    scratch.write("it.json", wants(r#""shortest-delay""#, FAST));
    scratch.run(&["sim", "it.json", "--no-report", "--out", "run"]).expect(0);
    // Prices do not concern a policy that looks at none; nor bounds one that carries what it can.
    scratch.write("it.json", unpriced(r#""airlift""#));
    assert_eq!(scratch.run(&["check", "it.json"]).expect(0).stderr, "");
    scratch.write("it.json", wants(r#"{"policy": "airlift", "overload": "carry"}"#, FAST));
    scratch.run(&["check", "it.json"]).expect(0).says(&["W0802", fast]);
}

/// Aim: where the network may change, a refusal is no error: it is said, and the run goes on.
#[test]
fn what_may_change_is_a_warning() {
    let scratch = Scratch::new();
    let faults = r#""duration": "2 s", "faults": [{"at": "500 ms", "crash": "b"}],"#;
    let measured = r#""duration": "2 s", "view": "measured","#;
    for more in [faults, measured] {
        let text = wants(r#""airlift""#, FAST).replace(r#""duration": "2 s","#, more);
        scratch.write("it.json", text);
        scratch.run(&["check", "it.json"]).expect(0).says(&["W0801", "3.604 can be carried"]);
        let done = scratch.run(&["sim", "it.json", "--no-report", "--force", "--out", "run"]).expect(0);
        done.says(&["W0801"]);
    }
}
