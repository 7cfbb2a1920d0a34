//! E01..: files that are no JSON objects, and flags that change none of their values.

use super::*;

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
