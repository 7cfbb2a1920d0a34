//! Which host a scenario's nodes run on, and where others reach them.

use super::HostsError;
use super::file::{Host, Hosts};
use crate::console::Addresses;
use bellini_core::ids::NodeId;
use bellini_scenarios::model::{FaultKind, Node, Scenario};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// First port of a node that is given none; the next one is for control hops.
pub const PORT: u16 = 4_700;
/// Names that are this alike are suggested.
const ALIKE: f64 = 0.7;

/// One node of a scenario and its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its id.
    pub(super) id: NodeId,
    /// Its name in the scenario.
    pub(super) name: String,
    /// Its name in the hosts file.
    pub(super) key: String,
    /// The address that its sockets are bound to.
    pub(super) bind: IpAddr,
    /// Where others reach it.
    pub(super) addresses: Addresses,
}

impl Place {
    /// Returns the node's directory on its host.
    pub(super) fn directory(&self) -> String {
        format!("node-{}", self.id)
    }
}

/// Finds the host of each node of a scenario, in the scenario's order: by name, else by id.
///
/// # Errors
/// [`HostsError::File`] with every node that has none.
pub(super) fn keys(hosts: &Hosts, scenario: &Scenario) -> Result<Vec<String>, HostsError> {
    let (mut keys, mut missing) = (Vec::new(), Vec::new());
    for node in &scenario.nodes {
        let id = node.id.to_string();
        match [&node.name, &id].into_iter().find(|key| hosts.nodes.contains_key(*key)) {
            Some(key) => keys.push(key.clone()),
            None => missing.push(match nearest(hosts, scenario, &node.name) {
                Some(near) => format!("node `{}` has no host (is `{near}` meant for it?)", node.name),
                None => format!("node `{}` has no host", node.name),
            }),
        }
    }
    if missing.is_empty() {
        return Ok(keys);
    }
    Err(HostsError::File(format!("{}: {}", hosts.file.display(), missing.join("; "))))
}

/// Returns the name in the hosts file that is most like `name` and is no other node's.
fn nearest<'a>(hosts: &'a Hosts, scenario: &Scenario, name: &str) -> Option<&'a str> {
    let is_free = |key: &&String| !scenario.nodes.iter().any(|node| node.name == **key);
    let alike = hosts.nodes.keys().filter(is_free).map(|key| (strsim::jaro_winkler(name, key), key));
    let best = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, key)| key.as_str())
}

/// Returns the names in the file that no node of the scenario uses.
pub(super) fn unused<'a>(hosts: &'a Hosts, keys: &[String]) -> Vec<&'a str> {
    hosts.nodes.keys().filter(|key| !keys.contains(key)).map(String::as_str).collect()
}

/// Where one node of the hosts file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Its name in the hosts file.
    pub(super) key: String,
    /// The address that its sockets are bound to.
    pub(super) bind: IpAddr,
    /// Where others reach it.
    pub(super) addresses: Addresses,
}

/// Places the nodes of a scenario. `address`: what a host's address is where the file gives none.
///
/// # Errors
/// As [`spots`].
pub(super) fn places(
    hosts: &Hosts,
    scenario: &Scenario,
    keys: &[String],
    address: impl FnMut(&str, &Host) -> Result<IpAddr, HostsError>,
) -> Result<Vec<Place>, HostsError> {
    let spots = spots(hosts, keys, address)?;
    let place = |(spec, Spot { key, bind, addresses }): (&Node, Spot)| Place {
        id: spec.id,
        name: spec.name.clone(),
        key,
        bind,
        addresses,
    };
    Ok(scenario.nodes.iter().zip(spots).map(place).collect())
}

/// Finds addresses and ports for nodes of the file, in the order of `keys`.
///
/// # Errors
/// [`HostsError::File`] when two nodes would be at one place, or cannot reach each other.
pub(super) fn spots(
    hosts: &Hosts,
    keys: &[String],
    mut address: impl FnMut(&str, &Host) -> Result<IpAddr, HostsError>,
) -> Result<Vec<Spot>, HostsError> {
    let wrong = |problem: String| HostsError::File(format!("{}: {problem}", hosts.file.display()));
    let mut next: BTreeMap<IpAddr, u16> = BTreeMap::new();
    let mut places: Vec<Spot> = Vec::new();
    for key in keys {
        let host = &hosts.nodes[key];
        let at = match host.address {
            Some(address) => address,
            None => address(key, host)?,
        };
        let free = next.entry(at).or_insert(PORT);
        let port = host.port.unwrap_or(*free);
        let control = host.control_port.unwrap_or(port.checked_add(1).unwrap_or(port - 1));
        *free = (*free).max(port.max(control).saturating_add(1));
        if port == control {
            return Err(wrong(format!("node `{key}`: \"port\" and \"control_port\" are both {port}")));
        }
        let everywhere = match at {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let bind = host.bind.unwrap_or(if at.is_loopback() { at } else { everywhere });
        let addresses = Addresses { data: SocketAddr::new(at, port), control: SocketAddr::new(at, control) };
        places.push(Spot { key: key.clone(), bind, addresses });
    }
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for place in &places {
        for at in [place.addresses.data, place.addresses.control] {
            if let Some(other) = taken.insert(at, &place.key) {
                return Err(wrong(format!("nodes `{other}` and `{}` are both at {at}", place.key)));
            }
        }
    }
    let inside = places.iter().find(|place| place.addresses.data.ip().is_loopback());
    let outside = places.iter().find(|place| !place.addresses.data.ip().is_loopback());
    if let (Some(inside), Some(outside)) = (inside, outside) {
        return Err(wrong(format!(
            "node `{}` is at {}, where `{}` cannot reach it; give its \"address\"",
            inside.key,
            inside.addresses.data.ip(),
            outside.key
        )));
    }
    let families = [IpAddr::is_ipv4, IpAddr::is_ipv6];
    if families.iter().all(|is_of| places.iter().any(|place| is_of(&place.addresses.data.ip()))) {
        return Err(wrong("some nodes have an IPv4 address and some an IPv6 address; give one kind".into()));
    }
    Ok(places)
}

/// Checks that a scenario can be played where links are what they are.
///
/// # Errors
/// [`HostsError::Scenario`] with everything that cannot.
pub(super) fn check(scenario: &Scenario) -> Result<(), HostsError> {
    let mut cannot: Vec<String> = Vec::new();
    for fault in &scenario.faults {
        let what = match fault.kind {
            FaultKind::Cut(_) => "cuts links",
            FaultKind::Heal(_) => "heals links",
            FaultKind::Degrade { .. } => "degrades links",
            FaultKind::Partition(..) => "parts the network",
            FaultKind::Crash(_) | FaultKind::Restart(_) => continue,
        };
        cannot.push(format!("the fault at {} s {what}", fault.at.as_secs_f64()));
    }
    if !scenario.cross_traffic.is_empty() {
        cannot.push(format!("{} entries of cross traffic", scenario.cross_traffic.len()));
    }
    if cannot.is_empty() {
        return Ok(());
    }
    Err(HostsError::Scenario(format!(
        "{} cannot be played on real hosts, whose links are not ours: {}. Crashes and restarts of nodes can; take the \
         others out, or use `bellini lab`",
        scenario.name,
        cannot.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_scenarios::parse::{LoadOptions, parse_str};
    use std::path::Path;

    const TEXT: &str = r#"{"bellini": 1, "duration": "1 s",
        "nodes": [{"id": 1, "name": "toronto"}, {"id": 2, "name": "tokyo"}, {"id": 3}],
        "links": [{"between": [1, 2], "delay": "5 ms"}, {"between": [2, 3], "delay": "5 ms"}], "conferences": [],
        "faults": [{"at": "200 ms", "crash": 2}FAULTS]}"#;

    fn scenario(faults: &str) -> Scenario {
        let text = TEXT.replace("FAULTS", faults);
        parse_str("x.json", &text, &LoadOptions::default()).expect("sound").scenario
    }

    fn hosts(nodes: &str) -> Hosts {
        let text = format!("{{\"bellini-hosts\": 1, \"nodes\": {{{nodes}}}}}");
        Hosts::parse(Path::new("h.json"), &text).expect("sound")
    }

    fn place(nodes: &str) -> Result<Vec<Place>, String> {
        let (hosts, scenario) = (hosts(nodes), scenario(""));
        let keys = keys(&hosts, &scenario).map_err(|error| error.to_string())?;
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        places(&hosts, &scenario, &keys, |_, _| Ok(here)).map_err(|error| error.to_string())
    }

    /// Aim: nodes are found by name or id, and those that share an address get ports of their own.
    #[test]
    fn nodes_get_hosts_and_ports() {
        let places =
            place(r#""toronto": {"local": true}, "2": {"local": true}, "3": {"local": true, "port": 9}"#);
        let places = places.expect("sound");
        let ports: Vec<_> =
            places.iter().map(|at| (at.addresses.data.port(), at.addresses.control.port())).collect();
        assert_eq!(ports, [(4700, 4701), (4702, 4703), (9, 10)]);
        assert!(places[0].bind.is_loopback());
        let far = place(
            r#""toronto": {"ssh": "a", "address": "10.0.0.1"}, "tokyo": {"ssh": "b", "address": "10.0.0.2"},
            "3": {"ssh": "c", "address": "10.0.0.3", "bind": "10.0.0.3"}"#,
        );
        let far = far.expect("sound");
        assert!(far[0].bind.is_unspecified() && far[2].bind == far[2].addresses.data.ip());
    }

    /// Aim: what does not fit is said with the node and the nearest name.
    #[test]
    fn what_does_not_fit_is_said() {
        let missing = place(r#""torontoo": {"local": true}, "3": {"local": true}"#).expect_err("missing");
        assert!(missing.contains("node `toronto` has no host (is `torontoo` meant for it?)"), "{missing}");
        assert!(missing.contains("node `tokyo` has no host"), "{missing}");
        let same = r#""toronto": {"local": true, "port": 7}, "tokyo": {"local": true, "port": 8}, "3": {"local": true}"#;
        assert!(place(same).expect_err("same").contains("both at 127.0.0.1:8"));
        let mixed = r#""toronto": {"local": true}, "tokyo": {"ssh": "b", "address": "10.0.0.2"}, "3": {"local": true}"#;
        assert!(place(mixed).expect_err("mixed").contains("give its \"address\""));
    }

    /// Aim: crashes can be played, what concerns links is refused with its time.
    #[test]
    fn faults_of_links_are_refused() {
        assert_eq!(check(&scenario("")), Ok(()));
        let error = check(&scenario(r#", {"at": "500 ms", "cut": [[1, 2]]}"#));
        let error = error.expect_err("a cut").to_string();
        assert!(error.contains("the fault at 0.5 s cuts links"), "{error}");
    }
}
