//! Which node of a scenario runs where, as a person writes it: our own JSON file.

use super::{HostsError, inventory, terraform};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

/// Where a host keeps what it was given, below the home directory, unless something else is said.
pub const DIRECTORY: &str = ".bellini";
/// Version of the hosts file.
const VERSION: u32 = 1;

/// Where nodes run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// The file that said so, for messages.
    pub file: PathBuf,
    /// A configuration file for ssh instead of the user's own (`ssh -F`).
    pub ssh_config: Option<PathBuf>,
    /// Nodes by their names in the scenario (or their ids), in order of the names.
    pub nodes: BTreeMap<String, Host>,
}

/// Where one node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The machine, as the user's ssh knows it: an alias, a name, `user@name`.
    #[serde(default)]
    pub ssh: Option<String>,
    /// The node is a process on this machine, started without ssh.
    #[serde(default)]
    pub local: bool,
    /// Where other nodes reach it; unless given, what ssh connects to, or loopback for a local one.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// The address that its sockets are bound to; every one unless given.
    #[serde(default)]
    pub bind: Option<IpAddr>,
    /// UDP port of datagram hops and TCP port of stream hops; 4700 unless given, two further for each node that
    /// shares the address.
    #[serde(default)]
    pub port: Option<u16>,
    /// UDP port of control hops; the one after `port` unless given.
    #[serde(default)]
    pub control_port: Option<u16>,
    /// Where it keeps everything, relative to the home directory there.
    #[serde(default)]
    pub directory: Option<String>,
}

impl Host {
    /// Returns its state directory.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.directory.as_deref().unwrap_or(DIRECTORY)
    }

    /// Says what cannot work, without the node's name.
    fn check(&self) -> Result<(), String> {
        match (&self.ssh, self.local) {
            (None, false) => {
                return Err("where does it run? Give \"ssh\": \"DESTINATION\", or \"local\": true".into());
            }
            (Some(_), true) => return Err("both \"ssh\" and \"local\" are given; one must go".into()),
            (Some(ssh), false)
                if ssh.is_empty() || ssh.starts_with('-') || ssh.contains(char::is_control) =>
            {
                return Err(format!("\"ssh\": {ssh:?} is no destination, such as \"user@host\""));
            }
            _ => {}
        }
        let directory = Path::new(self.directory());
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
        let has_name = directory.components().any(|part| matches!(part, Component::Normal(_)));
        if !has_name
            || !directory.components().all(is_plain)
            || self.directory().starts_with('-')
            || self.directory().contains(char::is_control)
        {
            return Err(format!(
                "\"directory\": {:?} must name a directory of its own, without `..`, such as \"{DIRECTORY}\"",
                self.directory()
            ));
        }
        if self.port == Some(0) || self.control_port == Some(0) {
            return Err("a port is 0: others could not find it".into());
        }
        Ok(())
    }
}

/// The hosts file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsFile {
    #[serde(rename = "bellini-hosts")]
    version: u32,
    #[serde(default)]
    ssh_config: Option<PathBuf>,
    #[serde(default)]
    directory: Option<String>,
    nodes: BTreeMap<String, Host>,
}

impl Hosts {
    /// Reads a hosts file, an Ansible inventory (INI), or what `terraform output -json` printed: which one it is shows.
    ///
    /// # Errors
    /// [`HostsError::Environment`] when it cannot be read, [`HostsError::File`] with the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Self, HostsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| HostsError::Environment(format!("{}: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    /// As [`Hosts::load`], for a text that was read from `path`.
    ///
    /// # Errors
    /// [`HostsError::File`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, HostsError> {
        let wrong = |problem: String| HostsError::File(format!("{}: {problem}", path.display()));
        let mut hosts = if !text.trim_start().starts_with('{') {
            inventory::parse(text).map_err(wrong)?
        } else if terraform::is_one(text) {
            terraform::parse(text).map_err(wrong)?
        } else {
            own(text).map_err(wrong)?
        };
        path.clone_into(&mut hosts.file);
        if let Some(config) = &mut hosts.ssh_config {
            // A path in a file is meant from where the file is.
            let base = path.parent().unwrap_or(Path::new(""));
            *config = std::path::absolute(base.join(&*config)).unwrap_or_else(|_| base.join(&*config));
        }
        if hosts.nodes.is_empty() {
            return Err(wrong("it names no node".into()));
        }
        for (name, host) in &hosts.nodes {
            host.check().map_err(|problem| wrong(format!("node `{name}`: {problem}")))?;
        }
        Ok(hosts)
    }
}

fn own(text: &str) -> Result<Hosts, String> {
    let file: HostsFile = serde_json::from_str(text).map_err(|error| {
        format!(
            "{error}\nhelp: {{\"bellini-hosts\": {VERSION}, \"nodes\": {{\"toronto\": {{\"ssh\": \"user@host\"}}}}}}; \
             docs/deployment.md lists the keys"
        )
    })?;
    if file.version != VERSION {
        return Err(format!("\"bellini-hosts\" is {}: this version reads {VERSION}", file.version));
    }
    let mut nodes = file.nodes;
    for host in nodes.values_mut() {
        if host.directory.is_none() {
            host.directory.clone_from(&file.directory);
        }
    }
    Ok(Hosts { file: PathBuf::new(), ssh_config: file.ssh_config, nodes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Hosts, String> {
        Hosts::parse(Path::new("etc/hosts.json"), text).map_err(|error| error.to_string())
    }

    /// Aim: the keys mean what the documentation says, and defaults of the file reach nodes that say nothing.
    #[test]
    fn a_file_says_where_nodes_run() {
        let hosts = parse(
            r#"{"bellini-hosts": 1, "ssh_config": "ssh_config", "directory": "state", "nodes": {
                "a": {"ssh": "me@a", "address": "10.0.0.1", "port": 7000, "control_port": 7005},
                "b": {"local": true, "directory": "other"}}}"#,
        );
        let hosts = hosts.expect("sound");
        assert!(hosts.ssh_config.as_ref().is_some_and(|path| path.ends_with("etc/ssh_config")));
        let (a, b) = (&hosts.nodes["a"], &hosts.nodes["b"]);
        assert_eq!(
            (a.ssh.as_deref(), a.directory(), a.port, a.control_port),
            (Some("me@a"), "state", Some(7000), Some(7005))
        );
        assert_eq!((b.local, b.directory(), b.port), (true, "other", None));
    }

    /// Aim: what cannot work is refused with the node's name and what would be right.
    #[test]
    fn what_cannot_work_is_refused() {
        for (nodes, piece) in [
            (r#"{}"#, "names no node"),
            (r#"{"a": {}}"#, "node `a`: where does it run"),
            (r#"{"a": {"ssh": "x", "local": true}}"#, "one must go"),
            (r#"{"a": {"ssh": "-oProxyCommand=x"}}"#, "is no destination"),
            (r#"{"a": {"ssh": "x", "directory": "/"}}"#, "directory of its own"),
            (r#"{"a": {"ssh": "x", "directory": "../x"}}"#, "without `..`"),
            (r#"{"a": {"ssh": "x", "port": 0}}"#, "a port is 0"),
            (r#"{"a": {"ssh": "x", "ports": 1}}"#, "unknown field `ports`"),
            (r#"{"a": {"ssh": "x", "address": "host"}}"#, "invalid IP address"),
        ] {
            let error = parse(&format!("{{\"bellini-hosts\": 1, \"nodes\": {nodes}}}")).expect_err(nodes);
            assert!(error.starts_with("etc/hosts.json: ") && error.contains(piece), "{error}");
        }
        assert!(parse(r#"{"bellini-hosts": 2, "nodes": {}}"#).expect_err("version").contains("reads 1"));
    }
}
