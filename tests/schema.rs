//! `bellini schema`: valid JSON Schema that accepts every shipped scenario and refuses what the parser refuses.

use crate::harness::{SMALL, Scratch, shipped};
use fancy_regex::Regex;
use serde_json::Value;

/// Says where and why `value` does not fit `schema`; `None` when it fits. Knows the keywords that Bellini's schema
/// uses, and panics at any other, so that nothing is passed over. Source: JSON Schema 2020-12, Core and Validation.
fn misfit(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let fits = |schema: &Value| misfit(root, schema, value, at).is_none();
    let keywords = schema.as_object().unwrap_or_else(|| panic!("{at}: a schema is an object: {schema}"));
    for (keyword, rule) in keywords {
        let number = || rule.as_f64().unwrap();
        let wrong = |what: &str| Some(format!("{at}: {what} {rule}: {value}"));
        let found = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => None,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                misfit(root, root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")), value, at)
            }
            "type" => (!is_type(rule, value)).then(|| format!("{at}: not {rule}: {value}")),
            "const" if value != rule => wrong("not"),
            "enum" if !rule.as_array().unwrap().contains(value) => wrong("none of"),
            "const" | "enum" => None,
            "anyOf" if !rule.as_array().unwrap().iter().any(fits) => wrong("none of"),
            "oneOf" if rule.as_array().unwrap().iter().filter(|schema| fits(schema)).count() != 1 => {
                wrong("not one of")
            }
            "anyOf" | "oneOf" => None,
            "allOf" => rule.as_array().unwrap().iter().find_map(|schema| misfit(root, schema, value, at)),
            "minimum" if value.as_f64().is_some_and(|v| v < number()) => wrong("below"),
            "maximum" if value.as_f64().is_some_and(|v| v > number()) => wrong("above"),
            "minLength" if value.as_str().is_some_and(|v| (v.chars().count() as f64) < number()) => {
                wrong("shorter than")
            }
            "maxLength" if value.as_str().is_some_and(|v| v.chars().count() as f64 > number()) => {
                wrong("longer than")
            }
            "minItems" if value.as_array().is_some_and(|v| (v.len() as f64) < number()) => {
                wrong("fewer than")
            }
            "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" => None,
            "pattern" => {
                let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
                value
                    .as_str()
                    .filter(|text| !pattern.is_match(text).unwrap())
                    .and_then(|_| wrong("does not match"))
            }
            "required" => {
                let missing = |key: &&Value| value.is_object() && value.get(key.as_str().unwrap()).is_none();
                rule.as_array().unwrap().iter().find(missing).map(|key| format!("{at}: {key} is missing"))
            }
            "properties" => rule.as_object().unwrap().iter().find_map(|(key, schema)| {
                value.get(key).and_then(|inner| misfit(root, schema, inner, &format!("{at}.{key}")))
            }),
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let entries = value.as_object().into_iter().flatten();
                let mut others =
                    entries.filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
                others.find_map(|(key, inner)| match rule {
                    Value::Bool(true) => None,
                    Value::Bool(false) => Some(format!("{at}: unknown key {key}")),
                    schema => misfit(root, schema, inner, &format!("{at}.{key}")),
                })
            }
            "prefixItems" => rule.as_array().unwrap().iter().enumerate().find_map(|(index, schema)| {
                value.get(index).and_then(|inner| misfit(root, schema, inner, &format!("{at}[{index}]")))
            }),
            "items" => {
                let skip = schema.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                let rest = value.as_array().into_iter().flatten().enumerate().skip(skip);
                rest.into_iter().find_map(|(index, inner)| match rule {
                    Value::Bool(false) => Some(format!("{at}[{index}]: one too many")),
                    schema => misfit(root, schema, inner, &format!("{at}[{index}]")),
                })
            }
            other => panic!("this test does not know the keyword {other}"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_type(name: &Value, value: &Value) -> bool {
    if let Some(names) = name.as_array() {
        return names.iter().any(|name| is_type(name, value));
    }
    match name.as_str().expect("a type is a name or several") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64() || value.as_f64().is_some_and(|v| v.fract() == 0.0),
        other => panic!("no type {other}"),
    }
}

fn schema(scratch: &Scratch) -> Value {
    let done = scratch.run(&["schema"]).expect(0);
    assert_eq!(done.stderr, "");
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn accepts_every_shipped_scenario_also_resolved() {
    let scratch = Scratch::with_small();
    let schema = schema(&scratch);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut paths = shipped();
    paths.push(scratch.join("small.json"));
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let resolved = scratch.run(&["check", path.to_str().unwrap(), "--resolved"]).expect(0).stdout;
        for text in [text, resolved] {
            let wrong = misfit(&schema, &schema, &serde_json::from_str(&text).unwrap(), "scenario");
            assert_eq!(wrong, None, "{}", path.display());
        }
    }
}

/// Aim: what the shape alone tells is refused by the schema as it is by the parser.
#[test]
fn refuses_what_the_parser_refuses() {
    let scratch = Scratch::new();
    let schema = schema(&scratch);
    for (from, to) in [
        ("\"stop\"", "\"stopp\""),
        ("\"2 Mbit/s\"", "2"),
        ("\"2 Mbit/s\"", "\"2 ms\""),
        ("\"2 Mbit/s\"", "\"0 Mbit/s\""),
        ("{\"id\": 4}", "{\"id\": 2147483648}"),
        ("{\"id\": 4}", "{\"id\": 0}"),
        ("{\"id\": 4}", "{}"),
        ("\"loss\": 0.02", "\"loss\": 1.02"),
        ("\"constant\"", "\"constantly\""),
        ("\"duration\": \"1 s\",", ""),
    ] {
        assert_eq!(SMALL.matches(from).count(), 1, "{from}");
        let text = SMALL.replace(from, to);
        scratch.write("bad.json", &text);
        scratch.run(&["check", "bad.json"]).expect(3);
        let value = serde_json::from_str(&text).unwrap();
        assert!(misfit(&schema, &schema, &value, "scenario").is_some(), "{from} -> {to}");
    }
}
