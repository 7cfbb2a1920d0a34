//! JSON laid out for people: what fits on a line stays on one.

use serde_json::Value;

/// Longest line that is not broken.
const WIDTH: usize = 110;

/// Returns the text of a file, with its final newline.
pub(super) fn lay_out(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// `column`: where the value begins.
fn write(value: &Value, indent: usize, column: usize, text: &mut String) {
    // The whole file is never one line, however short.
    let flat = flat(value);
    let fits = column + flat.chars().count() < WIDTH && indent > 0;
    let inner = indent + 2;
    let pad = " ".repeat(inner);
    match value {
        Value::Array(items) if !fits && !items.is_empty() => {
            text.push_str("[\n");
            for (i, item) in items.iter().enumerate() {
                text.push_str(&pad);
                write(item, inner, inner, text);
                text.push_str(if i + 1 < items.len() { ",\n" } else { "\n" });
            }
            text.push_str(&" ".repeat(indent));
            text.push(']');
        }
        Value::Object(members) if !fits && !members.is_empty() => {
            text.push_str("{\n");
            for (i, (key, member)) in members.iter().enumerate() {
                let key = Value::from(key.as_str()).to_string();
                text.push_str(&format!("{pad}{key}: "));
                write(member, inner, inner + key.chars().count() + 2, text);
                text.push_str(if i + 1 < members.len() { ",\n" } else { "\n" });
            }
            text.push_str(&" ".repeat(indent));
            text.push('}');
        }
        _ => text.push_str(&flat),
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let member =
                |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), flat(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_things_stay_on_a_line() {
        let value = serde_json::json!({ "a": [1, 2], "b": { "c": "x".repeat(120) } });
        let text = lay_out(&value);
        assert!(text.contains("  \"a\": [1, 2],\n  \"b\": {\n    \"c\": \"xxx"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
