//! JSON Schema of the text form, for editors and other tools.

use super::kind::{Kind, Object, Presence, Zero};
use super::scenario::SCENARIO;
use crate::units::Quantity;
use serde_json::{Map, Value, json};

/// Returns the JSON Schema (draft 2020-12) of scenario files.
///
/// It refuses less than the parser: references between parts of a file are beyond JSON Schema.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut root = object(&SCENARIO, &mut definitions);
    let outer = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Bellini scenario, format version 1",
    });
    let (Value::Object(root_map), Value::Object(mut whole)) = (&mut root, outer) else {
        unreachable!("both are objects by construction");
    };
    root_map.insert("$defs".to_owned(), Value::Object(definitions));
    whole.append(root_map);
    Value::Object(whole)
}

fn object(object: &Object, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in object.keys {
        let part = match (&key.kind, object.name) {
            // The same keys as the whole, but none of them must be there.
            (Kind::Object(whole), "defaults") => {
                let mut part = self::object(whole, definitions);
                if let Value::Object(map) = &mut part {
                    for constraint in ["required", "oneOf", "allOf"] {
                        map.remove(constraint);
                    }
                }
                part
            }
            (kind, _) => of_kind(kind, definitions),
        };
        properties.insert(key.name.to_owned(), described(part, key.doc, key.presence));
    }
    let needed = |key: &&super::kind::Key| {
        let by_default = object.name == "link" && key.name == "delay";
        matches!(key.presence, Presence::Required(_)) && !by_default
    };
    // Nodes, links and sessions may get required keys from `defaults`.
    let fillable = matches!(object.name, "node" | "link" | "session" | "population");
    let required: Vec<&str> = object
        .keys
        .iter()
        .filter(needed)
        .map(|key| key.name)
        .filter(|name| !fillable || matches!(*name, "id"))
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": object.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if let (false, Value::Object(map)) = (object.one_of.is_empty(), &mut schema) {
        let groups: Vec<Value> = object
            .one_of
            .iter()
            .map(|group| json!({ "oneOf": group.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>() }))
            .collect();
        map.insert("allOf".to_owned(), Value::Array(groups));
    }
    schema
}

fn described(part: Value, doc: &str, presence: Presence) -> Value {
    let text = match presence {
        Presence::Required(example) => format!("{doc} Example: {example}."),
        Presence::Default(default) => format!("{doc} Default: {default}."),
    };
    match part {
        Value::Object(mut map) => {
            map.insert("description".to_owned(), Value::String(text));
            Value::Object(map)
        }
        other => other,
    }
}

fn reference(target: &'static Object, definitions: &mut Map<String, Value>) -> Value {
    let name = target.name.replace([' ', ':'], "_");
    if !definitions.contains_key(&name) {
        // The entry comes first, so that an object inside itself ends.
        definitions.insert(name.clone(), Value::Null);
        let body = object(target, definitions);
        definitions.insert(name.clone(), body);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn of_kind(kind: &Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Name => json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Quantity { of, zero, .. } => {
            json!({ "type": "string", "pattern": pattern(*of, "", *zero == Zero::Allowed) })
        }
        Kind::Signed(of) => json!({ "type": "string", "pattern": pattern(*of, "[+-]?", true) }),
        Kind::Node => json!({ "type": ["integer", "string"], "minimum": 1, "maximum": 0x7FFF_FFFF }),
        Kind::Reference => json!({ "type": ["integer", "string"] }),
        Kind::Words(words) => json!({ "type": "string", "enum": words }),
        Kind::List(item, least) => {
            json!({ "type": "array", "items": of_kind(item, definitions), "minItems": least })
        }
        Kind::Tuple(items) => {
            let items: Vec<Value> = items.iter().map(|item| of_kind(item, definitions)).collect();
            json!({ "type": "array", "minItems": items.len(), "prefixItems": items, "items": false })
        }
        Kind::Map(_, value) => {
            json!({ "type": "object", "additionalProperties": of_kind(value, definitions) })
        }
        Kind::Object(target) => reference(target, definitions),
        Kind::Tagged { tag, variants } => {
            let mut options = Vec::new();
            for (word, target) in *variants {
                let mut option = object(target, definitions);
                option["properties"][*tag] = json!({ "const": word });
                if let Some(required) = option["required"].as_array_mut() {
                    required.push(json!(tag));
                }
                options.push(option);
            }
            json!({ "oneOf": options })
        }
        Kind::Open(tag) => json!({
            "type": "object",
            "properties": {
                *tag: { "type": "string" },
                "exec": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            },
            "anyOf": [{ "required": [tag] }, { "required": ["exec"] }],
        }),
        Kind::Choice(kinds) => {
            json!({ "anyOf": kinds.iter().map(|kind| of_kind(kind, definitions)).collect::<Vec<_>>() })
        }
    }
}

fn pattern(of: Quantity, sign: &str, zero: bool) -> String {
    let units: Vec<&str> = of.units().iter().map(|unit| unit.0).collect();
    let above_zero = if zero { "" } else { "(?=[0-9.]*[1-9])" };
    format!("^{sign}{above_zero}[0-9]+(\\.[0-9]+)? *({})$", units.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_resolves_and_keys_are_described() {
        let schema = schema();
        let text = schema.to_string();
        let definitions = schema["$defs"].as_object().unwrap();
        for piece in text.split("\"#/$defs/").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(definitions[name].is_object(), "{name}");
        }
        assert_eq!(
            schema["properties"]["duration"]["pattern"],
            "^(?=[0-9.]*[1-9])[0-9]+(\\.[0-9]+)? *(ns|us|ms|s|min|h)$"
        );
        assert!(schema["$defs"]["link"]["properties"]["delay"]["description"].is_string());
        assert!(schema["$defs"]["session"]["properties"]["coding"]["anyOf"].is_array());
    }
}
