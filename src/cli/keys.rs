//! `bellini keys`: the keys by which nodes know one another.

use super::args::{KeysOptions, KeysVerb};
use super::exit::{self, Failure};
use super::node::node_id;
use bellini_core::ids::NodeId;
use bellini_live::seal::keys::{self, KeyError, TRUST_FILE};
use bellini_live::seal::trust::{Moment, Pin};
use std::fmt::Write;
use std::time::Duration;

/// Nodes that one command may name.
const NODES_MAX: u32 = 100_000;

pub(super) fn run(options: &KeysOptions) -> Result<u8, Failure> {
    match &options.verb {
        KeysVerb::Init { dir } => {
            keys::init(dir).map_err(failure)?;
            exit::print(&format!("{}: trusts nobody yet\n", dir.join(TRUST_FILE).display()));
        }
        KeysVerb::Issue { dir, node, days } => {
            let nodes = nodes(node)?;
            let issued = keys::issue_all(dir, &nodes, Duration::from_secs(days * 86_400)).map_err(failure)?;
            let mut text = String::new();
            for (node, place) in &issued.nodes {
                let (key, certificate) = (place.key.display(), place.certificate.display());
                let _ = writeln!(text, "node {node}: {key}, {certificate}, until {}", issued.expires);
            }
            let trust = dir.join(TRUST_FILE);
            let _ =
                writeln!(text, "give {} to all nodes, and to each node its own key only", trust.display());
            exit::print(&text);
        }
        KeysVerb::Show { dir } => {
            let (trust, now) = (keys::show(dir).map_err(failure)?, Moment::now());
            let mut text = String::new();
            for (node, pins) in trust.nodes() {
                for pin in pins {
                    let _ = writeln!(text, "node {node}  {}  {}", pin.sha256, standing(pin, now));
                }
            }
            if text.is_empty() {
                text.push_str("no keys yet: `bellini keys issue`\n");
            }
            exit::print(&text);
        }
        KeysVerb::Revoke { dir, node } => {
            for node in nodes(node)? {
                let revoked = keys::revoke(dir, node).map_err(failure)?;
                exit::print(&format!("node {node}: {revoked} taken back\n"));
            }
        }
    }
    Ok(exit::DONE)
}

/// Says until when a key counts, or why it does not.
fn standing(pin: &Pin, now: Moment) -> String {
    if pin.revoked {
        return format!("revoked (was until {})", pin.expires);
    }
    if pin.expires <= now {
        return format!("expired {}", pin.expires);
    }
    let hours = (pin.expires.unix() - now.unix()) / 3_600;
    format!("until {} (in {} days {} hours)", pin.expires, hours / 24, hours % 24)
}

fn failure(error: KeyError) -> Failure {
    let code = match error {
        KeyError::File { .. } | KeyError::Making(_) => exit::ENVIRONMENT,
        _ => exit::USAGE,
    };
    Failure::new(code, error)
}

fn nodes(ranges: &[(NodeId, NodeId)]) -> Result<Vec<NodeId>, Failure> {
    let count: u64 = ranges.iter().map(|(from, to)| u64::from(to.get() - from.get()) + 1).sum();
    if count > u64::from(NODES_MAX) {
        let problem = format!("--node names {count} nodes: at most {NODES_MAX} at once");
        return Err(Failure::new(exit::USAGE, problem));
    }
    let mut nodes: Vec<_> =
        ranges.iter().flat_map(|(from, to)| from.get()..=to.get()).filter_map(NodeId::new).collect();
    nodes.sort_unstable();
    nodes.dedup();
    Ok(nodes)
}

/// Reads `N` or `N-M`.
pub(super) fn node_range(text: &str) -> Result<(NodeId, NodeId), String> {
    let (from, to) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
    let (from, to) = (node_id(from.trim())?, node_id(to.trim())?);
    if from > to {
        return Err(format!("{from} comes after {to}"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: nodes can be named one by one and as a range, each once.
    #[test]
    fn ranges_of_nodes_are_read() {
        let range = |text: &str| node_range(text).map(|(from, to)| (from.get(), to.get()));
        assert_eq!((range("7"), range("1-3")), (Ok((7, 7)), Ok((1, 3))));
        for text in ["", "0", "3-1", "1-", "x", "1-2-3"] {
            assert!(range(text).is_err(), "{text}");
        }
        let given = ["2-4", "3", "1"].map(|text| node_range(text).expect("a range"));
        let found: Vec<_> = nodes(&given).expect("few").into_iter().map(NodeId::get).collect();
        assert_eq!(found, [1, 2, 3, 4]);
        assert!(nodes(&[node_range("1-2000000").expect("a range")]).is_err());
    }
}
