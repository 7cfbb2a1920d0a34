//! Nodes from an Ansible inventory in INI form: the part of it that says where machines are.
//!
//! Each host of the inventory is a node of its name (or of `bellini_node`). Read are `ansible_host`, `ansible_user`,
//! `ansible_port`, `ansible_connection` (`ssh`, `local`) and `bellini_address`, `bellini_bind`, `bellini_port`,
//! `bellini_control_port`, `bellini_directory`; from the host's line, from `[group:vars]` and `[all:vars]`. Other
//! variables are passed over. Ranges (`web[1:3]`) and groups of groups are refused.

use super::file::{Host, Hosts};
use std::collections::BTreeMap;
use std::path::PathBuf;

type Variables = BTreeMap<String, String>;

/// What a section of the inventory holds.
enum Section {
    Hosts(String),
    Variables(String),
}

/// Reads an inventory.
///
/// # Errors
/// The first line that cannot be understood.
pub(super) fn parse(text: &str) -> Result<Hosts, String> {
    let mut hosts: BTreeMap<String, (Variables, Vec<String>)> = BTreeMap::new();
    let mut groups: BTreeMap<String, Variables> = BTreeMap::new();
    let mut section = Section::Hosts("ungrouped".to_owned());
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |problem: &str| format!("line {number}: {problem}: {line}");
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            let head = head.strip_suffix(']').ok_or_else(|| wrong("a section must end with `]`"))?;
            section = match head.split_once(':') {
                None => Section::Hosts(head.to_owned()),
                Some((group, "vars")) => Section::Variables(group.to_owned()),
                Some(_) => return Err(wrong("only [group] and [group:vars] are read")),
            };
            continue;
        }
        match &section {
            Section::Variables(group) => {
                let (key, value) = line.split_once('=').ok_or_else(|| wrong("not `name=value`"))?;
                let value = unquoted(value.trim()).to_owned();
                groups.entry(group.clone()).or_default().insert(key.trim().to_owned(), value);
            }
            Section::Hosts(group) => {
                let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
                let name = words.next().unwrap_or_default();
                if name.contains('[') {
                    return Err(wrong("ranges of hosts are not read; name each host"));
                }
                let host = hosts.entry(name.to_owned()).or_default();
                host.1.push(group.clone());
                for word in words {
                    let (key, value) = word.split_once('=').ok_or_else(|| wrong("not `name=value`"))?;
                    host.0.insert(key.to_owned(), unquoted(value).to_owned());
                }
            }
        }
    }
    let mut nodes = BTreeMap::new();
    for (name, (own, member_of)) in hosts {
        let mut variables = groups.get("all").cloned().unwrap_or_default();
        for group in member_of {
            variables.extend(groups.get(&group).cloned().unwrap_or_default());
        }
        variables.extend(own);
        let host = host(&name, &variables)?;
        let node = variables.get("bellini_node").cloned().unwrap_or(name);
        if nodes.insert(node.clone(), host).is_some() {
            return Err(format!("two hosts are node `{node}`"));
        }
    }
    Ok(Hosts { file: PathBuf::new(), ssh_config: None, nodes })
}

fn host(name: &str, variables: &Variables) -> Result<Host, String> {
    let text = |key: &str| variables.get(key).cloned();
    let read = |key: &str, what: &str| format!("host `{name}`: {key} is no {what}");
    let port =
        |key: &str| text(key).map(|value| value.parse::<u16>().map_err(|_| read(key, "port"))).transpose();
    let address =
        |key: &str| text(key).map(|value| value.parse().map_err(|_| read(key, "IP address"))).transpose();
    let local = match text("ansible_connection").as_deref() {
        Some("local") => true,
        None | Some("ssh" | "smart" | "paramiko") => false,
        Some(_) => return Err(read("ansible_connection", "way that is known: `ssh` or `local`")),
    };
    let at = text("ansible_host").unwrap_or_else(|| name.to_owned());
    let at = text("ansible_user").map_or(at.clone(), |user| format!("{user}@{at}"));
    let ssh = match port("ansible_port")? {
        Some(port) => format!("ssh://{at}:{port}"),
        None => at,
    };
    Ok(Host {
        ssh: (!local).then_some(ssh),
        local,
        address: address("bellini_address")?,
        bind: address("bellini_bind")?,
        port: port("bellini_port")?,
        control_port: port("bellini_control_port")?,
        directory: text("bellini_directory"),
    })
}

fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: variables of the host's line win over those of its group, and those over everybody's.
    #[test]
    fn variables_are_taken_from_the_nearest_place() {
        let hosts = parse(
            "# ours\n[relays]\nvirginia ansible_host=203.0.113.5 bellini_port=7000\ntokyo ansible_port=2222\n\
             [relays:vars]\nansible_user=admin\nbellini_port=6000\n[all:vars]\nbellini_directory='state'\n\
             [others]\nhere ansible_connection=local bellini_node=toronto\n",
        );
        let nodes = hosts.expect("sound").nodes;
        let of = |name: &str| &nodes[name];
        assert_eq!(of("virginia").ssh.as_deref(), Some("admin@203.0.113.5"));
        assert_eq!((of("virginia").port, of("tokyo").port), (Some(7000), Some(6000)));
        assert_eq!(of("tokyo").ssh.as_deref(), Some("ssh://admin@tokyo:2222"));
        assert_eq!((of("toronto").local, of("toronto").directory()), (true, "state"));
    }

    /// Aim: what is not read is refused with its line, not passed over.
    #[test]
    fn what_is_not_read_is_refused() {
        for (text, piece) in [
            ("web[1:3]\n", "ranges"),
            ("[a:children]\nb\n", "line 1"),
            ("[a\n", "must end"),
            ("a b\n", "not `name=value`"),
            ("a bellini_port=x\n", "host `a`: bellini_port is no port"),
            ("a ansible_connection=winrm\n", "`ssh` or `local`"),
            ("a bellini_node=c\nb bellini_node=c\n", "two hosts are node `c`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(piece), "{error}");
        }
    }
}
