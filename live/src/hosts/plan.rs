//! What each node process on a host is told.

use super::place::Place;
use crate::console::{Addresses, NodeSettings, Origin};
use crate::edge::EdgePlan;
use crate::lab::plan::{CLOCK_PROBES, node_config};
use crate::seal::SealSettings;
use bellini_core::ids::{Incarnation, NodeId};
use bellini_scenarios::model::Scenario;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of a node's settings.
pub(super) const SETTINGS: &str = "settings.json";
/// The directory of its recorded inputs.
pub(super) const LOGS: &str = "logs";

/// What a person asks of a run on hosts, besides the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Each node records the inputs of its core; the logs come home with the others.
    pub record: bool,
    /// Congestion control of stream hops; `None`: the system's.
    pub tcp_congestion: Option<String>,
    /// Hops are not sealed: for networks that nobody else can reach.
    pub plaintext: bool,
    /// Applications that bring and take content, each on the host of its node.
    pub edges: EdgePlan,
}

/// Life of the keys that are made for one run: far beyond the longest, and no longer.
pub(super) const KEYS_LIVE: Duration = Duration::from_secs(7 * 86_400);

/// Returns the names that key files have in a node's own directory.
pub(super) fn seal_there(issued: &SealSettings) -> SealSettings {
    let name = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
    SealSettings {
        key: name(&issued.key),
        certificate: name(&issued.certificate),
        trust: name(&issued.trust),
        limits: issued.limits,
    }
}

/// Returns the settings of a node. `origin_ns`: what clocks count from, in nanoseconds since 1970.
pub(super) fn settings(
    scenario: &Scenario,
    seed: u64,
    places: &[Place],
    node: u32,
    incarnation: u32,
    origin_ns: i64,
    options: &RunOptions,
) -> NodeSettings {
    let (spec, own) = (&scenario.nodes[node as usize], &places[node as usize]);
    let others = places.iter().filter(|other| other.id != own.id);
    let peers: BTreeMap<NodeId, Addresses> = others.map(|other| (other.id, other.addresses)).collect();
    // Clocks of several machines differ, however well they are kept.
    let mut config = node_config(scenario, spec, Some(CLOCK_PROBES));
    config.incarnation = Incarnation(incarnation);
    let record = options.record.then(|| Path::new(LOGS).join(format!("node-{}-{incarnation}.log", own.id)));
    NodeSettings {
        bind: own.bind,
        port: own.addresses.data.port(),
        control_port: own.addresses.control.port(),
        advertise: Some(own.addresses.data.ip()),
        peers,
        tcp_congestion: options.tcp_congestion.clone(),
        record,
        plaintext: options.plaintext,
        ..NodeSettings::new(config, seed, Origin::UnixNs(origin_ns))
    }
}
