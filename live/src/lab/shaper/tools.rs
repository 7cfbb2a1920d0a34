//! The programs of iproute2, run inside namespaces.

use super::ShaperError;
use crate::lab::netns::Namespace;
use serde::Deserialize;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

/// A program of iproute2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Ip,
    Tc,
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Tc => "tc",
        }
    }
}

/// What the queue of an interface has counted.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Counted {
    #[serde(rename = "dev")]
    pub(super) interface: String,
    #[serde(rename = "packets")]
    pub(super) passed_packets: u64,
    #[serde(rename = "bytes")]
    pub(super) passed_bytes: u64,
    #[serde(rename = "drops")]
    pub(super) dropped_packets: u64,
    #[serde(rename = "qlen")]
    pub(super) waiting_packets: u64,
    #[serde(rename = "backlog")]
    pub(super) waiting_bytes: u64,
}

/// Runs the lines of `script`, each a command without the program's name; stops at the first that is refused.
pub(super) fn batch(namespace: &Namespace, tool: Tool, script: String) -> Result<(), ShaperError> {
    let run = move || -> io::Result<Output> {
        let mut command = Command::new(tool.name());
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A program that ends early says why, and that is what is reported.
            let _ = input.write_all(script.as_bytes());
        }
        child.wait_with_output()
    };
    finished(tool, namespace.run(run)?).map(drop)
}

/// Reads the counters of all queues.
pub(super) fn counted(namespace: &Namespace) -> Result<Vec<Counted>, ShaperError> {
    let run = || Command::new("tc").args(["-s", "-j", "qdisc", "show"]).stdin(Stdio::null()).output();
    let output = finished(Tool::Tc, namespace.run(run)?)?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).map_err(|error| ShaperError::Refused {
        tool: "tc",
        problem: format!("unexpected counters ({error})"),
    })
}

fn finished(tool: Tool, output: io::Result<Output>) -> Result<Output, ShaperError> {
    let name = tool.name();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ShaperError::Missing(name),
        _ => ShaperError::Refused { tool: name, problem: error.to_string() },
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ShaperError::Refused { tool: name, problem: said.trim().replace('\n', "; ") })
}
