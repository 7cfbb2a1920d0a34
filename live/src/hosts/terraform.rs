//! Nodes from what `terraform output -json` prints: one output, `bellini_hosts`, whose value is the `nodes` of a hosts
//! file (`deploy/terraform/outputs.tf` makes it).

use super::file::{Host, Hosts};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Name of the output.
const OUTPUT: &str = "bellini_hosts";

/// Whether a JSON text is meant as the outputs of a Terraform state: values behind `value`, and no hosts file.
pub(super) fn is_one(text: &str) -> bool {
    let Ok(Value::Object(outputs)) = serde_json::from_str::<Value>(text) else { return false };
    !outputs.contains_key("bellini-hosts") && outputs.values().any(|output| output.get("value").is_some())
}

/// Reads the outputs.
///
/// # Errors
/// When the output is not there, or is of another shape.
pub(super) fn parse(text: &str) -> Result<Hosts, String> {
    let outputs: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let value = outputs.get(OUTPUT).and_then(|output| output.get("value")).ok_or_else(|| {
        let found: Vec<&str> = outputs.keys().map(String::as_str).collect();
        format!("there is no output `{OUTPUT}`, only {}; see deploy/terraform/outputs.tf", found.join(", "))
    })?;
    let nodes: BTreeMap<String, Host> =
        serde_json::from_value(value.clone()).map_err(|error| format!("output `{OUTPUT}`: {error}"))?;
    Ok(Hosts { file: PathBuf::new(), ssh_config: None, nodes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the documented shape is read, and another one is refused with what is missing.
    #[test]
    fn outputs_become_hosts() {
        let text = r#"{"bellini_hosts": {"sensitive": false, "type": ["map", "string"],
            "value": {"tokyo": {"ssh": "admin@203.0.113.9", "address": "203.0.113.9"}}}, "x": {"value": 1}}"#;
        assert!(is_one(text) && !is_one(r#"{"bellini-hosts": 1, "nodes": {"value": {}}}"#));
        let hosts = parse(text).expect("sound");
        assert_eq!(hosts.nodes["tokyo"].address, Some("203.0.113.9".parse().expect("an address")));
        assert!(parse(r#"{"x": {"value": 1}}"#).expect_err("missing").contains("only x"));
        assert!(parse(r#"{"bellini_hosts": {"value": {"a": {"sh": 1}}}}"#).expect_err("key").contains("sh"));
    }
}
