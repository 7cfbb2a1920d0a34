//! `docs/scenarios.md` says what the program does: its examples parse, its key reference and its codes are current.

use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::schema::{key_reference, schema};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- keys: begin";
const END: &str = "<!-- keys: end -->";

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> (PathBuf, String) {
    let path = crate_folder().join("../docs/scenarios.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn key_reference_is_current() {
    let (path, text) = page();
    let begin = text.find(BEGIN).unwrap() + text[text.find(BEGIN).unwrap()..].find('\n').unwrap() + 1;
    let end = text.find(END).unwrap();
    let wanted = format!("{}\n{}{}", &text[..begin], key_reference(), &text[end..]);
    if std::env::var_os("BELLINI_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let (_, text) = page();
    assert!(text == wanted, "run: BELLINI_UPDATE_DOCS=1 cargo test -p bellini-scenarios --test docs");
}

/// Returns the fenced blocks of that language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn examples_parse_without_a_warning() {
    let (_, text) = page();
    let examples = blocks(&text, "json");
    assert_eq!(examples.len(), 3);
    for example in examples {
        let loaded = parse_str("example.json", &example, &LoadOptions::default());
        let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty());
    }
}

/// Collects what looks like a code (`E0207`, `W0505`).
fn codes(text: &str) -> BTreeSet<String> {
    let is_code = |word: &&str| {
        word.len() == 5
            && word.starts_with(['E', 'W', 'e', 'w'])
            && word[1..].bytes().all(|b| b.is_ascii_digit())
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(is_code).map(str::to_uppercase).collect()
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_code_is_documented_and_tested() {
    let mut paths = Vec::new();
    for folder in ["src/parse", "src/resolve", "src/schema"] {
        source_files(&crate_folder().join(folder), &mut paths);
    }
    let sources: String = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let used = codes(&sources);
    assert!(used.len() > 50, "{used:?}");
    assert_eq!(codes(&page().1), used, "codes in docs/scenarios.md against codes in the source");
    let mut paths = Vec::new();
    source_files(&crate_folder().join("tests/refused"), &mut paths);
    let tests: String = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let tested: BTreeSet<String> = codes(&tests);
    assert_eq!(used.difference(&tested).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a test");
}

/// Judges a value by the part of JSON Schema that our schema uses, patterns aside.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(value, &root["$defs"][name.trim_start_matches("#/$defs/")], root);
    }
    if *schema == Value::Bool(false) {
        return false;
    }
    let count = |options: &Value| {
        options.as_array().unwrap().iter().filter(|option| fits(value, option, root)).count()
    };
    let kind = |wanted: &str| match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    };
    let type_fits = match &schema["type"] {
        Value::String(wanted) => kind(wanted),
        Value::Array(wanted) => wanted.iter().any(|wanted| kind(wanted.as_str().unwrap())),
        _ => true,
    };
    let mut good = type_fits;
    good &= schema["const"].is_null() || schema["const"] == *value;
    good &= schema["enum"].as_array().is_none_or(|words| words.contains(value));
    good &= schema["anyOf"].is_null() || count(&schema["anyOf"]) > 0;
    good &= schema["oneOf"].is_null() || count(&schema["oneOf"]) == 1;
    good &= schema["allOf"].as_array().is_none_or(|all| all.iter().all(|part| fits(value, part, root)));
    if let Some(number) = value.as_f64() {
        good &= schema["minimum"].as_f64().is_none_or(|least| number >= least);
        good &= schema["maximum"].as_f64().is_none_or(|most| number <= most);
    }
    if let Some(items) = value.as_array() {
        good &= schema["items"].is_null()
            || schema["items"] == Value::Bool(false)
            || items.iter().all(|item| fits(item, &schema["items"], root));
        good &= schema["minItems"].as_u64().is_none_or(|least| items.len() as u64 >= least);
    }
    if let Some(members) = value.as_object() {
        let required = schema["required"].as_array();
        good &=
            required.is_none_or(|keys| keys.iter().all(|key| members.contains_key(key.as_str().unwrap())));
        for (key, member) in members {
            good &= match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => false,
                (Value::Null, _) => true,
                (part, _) => fits(member, part, root),
            };
        }
    }
    good
}

#[test]
fn shipped_scenarios_fit_the_schema() {
    let schema = schema();
    let mut judged = 0;
    for folder in ["", "bench", "coding"] {
        for entry in std::fs::read_dir(crate_folder().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(fits(&value, &schema, &schema), "{path:?}");
            // The resolved form fits too.
            let loaded = parse_str("shipped.json", &text, &LoadOptions::default()).unwrap();
            assert!(fits(&bellini_scenarios::emit::to_value(&loaded.scenario), &schema, &schema), "{path:?}");
            judged += 1;
        }
    }
    assert!(judged >= 11);
    let mut broken: Value = serde_json::from_str(&blocks(&page().1, "json")[0]).unwrap();
    assert!(fits(&broken, &schema, &schema));
    broken["nodes"][0]["nmae"] = Value::from("x");
    assert!(!fits(&broken, &schema, &schema));
}
