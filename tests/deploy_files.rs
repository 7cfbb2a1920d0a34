//! The shipped files for deployments: as far as they can be checked here, they are what they say.

use crate::harness::{BELLINI, Done};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Aim: every flag that the compose file and the unit give a node is one that it has.
#[test]
fn flags_of_nodes_exist() {
    let help = Done::of(Command::new(BELLINI).args(["node", "--help"])).expect(0).stdout;
    let unit = text("systemd/bellini-node@.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let compose = text("compose.yaml");
    let commands: Vec<&str> =
        compose.lines().filter_map(|line| line.trim().strip_prefix("command: [")).collect();
    assert_eq!(commands.len(), 3);
    for command in commands.into_iter().chain([start]) {
        let words: Vec<&str> = command.split(|c: char| c == ',' || c == ']' || c.is_whitespace()).collect();
        let flags: Vec<&&str> = words.iter().filter(|word| word.starts_with("--")).collect();
        assert!(flags.len() >= 2 && words.contains(&"node"), "{command}");
        for flag in flags {
            assert!(
                help.contains(&format!("{flag} <")) || help.contains(&format!("{flag}\n")),
                "{flag} in {command}"
            );
        }
    }
}

/// Aim: the unit has the sections that systemd wants, and nothing but settings in them; systemd itself agrees where it
/// is installed.
#[test]
fn the_unit_is_one() {
    let unit = text("systemd/bellini-node@.service");
    let lines: Vec<&str> = unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for section in ["[Unit]", "[Service]", "[Install]"] {
        assert_eq!(lines.iter().filter(|line| **line == section).count(), 1, "{section}");
    }
    for line in lines.iter().filter(|line| !line.starts_with('[')) {
        let key = line.split_once('=').map(|(key, _)| key).unwrap_or_default();
        assert!(!key.is_empty() && key.chars().all(char::is_alphanumeric), "{line}");
    }
    let path = root().join("systemd/bellini-node@.service");
    match Command::new("systemd-analyze").arg("verify").arg(path).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // The binary is not installed where this is tested, and managers of other units may complain of theirs.
            let ours = said
                .lines()
                .filter(|line| line.contains("bellini-node") && !line.contains("is not executable"));
            assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
        }
        Err(error) => eprintln!("systemd-analyze: skipped ({error})"),
    }
}

/// Aim: the example names the nodes of the scenario it is for, opens the ports that nodes use, and is Terraform's own
/// format where Terraform is installed (which parses it).
#[test]
fn terraform_names_the_nodes_of_the_scenario() {
    let scenario = fs::read_to_string(root().join("../scenarios/stream-7dc.json")).unwrap();
    let scenario: serde_json::Value = serde_json::from_str(&scenario).unwrap();
    let (main, outputs) = (text("terraform/main.tf"), text("terraform/outputs.tf"));
    for node in scenario["nodes"].as_array().unwrap() {
        let name = node["name"].as_str().unwrap();
        let region = node["region"].as_str().unwrap().trim_start_matches("aws:");
        assert!(main.contains(&format!("alias  = \"{name}\"\n  region = \"{region}\"")), "{name}");
        assert!(outputs.contains(&format!("module.{name}.address }}")), "{name}");
    }
    let region = text("terraform/region/main.tf");
    assert!(region.contains("from_port   = 4700\n    to_port     = 4701\n    protocol    = \"udp\""));
    match Command::new("terraform")
        .args(["fmt", "-check", "-recursive"])
        .arg(root().join("terraform"))
        .output()
    {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("terraform fmt: skipped ({error})"),
    }
}
