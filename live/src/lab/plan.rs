//! The plan of a lab: which node is where, and what each process is told.

use super::error::LabError;
use super::process::write_settings;
use crate::console::{Addresses, NodeSettings, Origin};
use crate::edge::EdgePlan;
use crate::seal::keys;
use bellini_core::coding::CodingConfig;
use bellini_core::config::{NodeConfig, PacingConfig};
use bellini_core::ids::{Incarnation, NodeId};
use bellini_core::time::Duration;
use bellini_scenarios::model::{Node, Scenario};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// UDP port of datagram hops and TCP port of stream hops, in every namespace.
pub(super) const DATA_PORT: u16 = 4_700;
/// UDP port of control hops, in every namespace.
pub(super) const CONTROL_PORT: u16 = 4_701;
/// TCP port of the sinks of cross traffic, in every namespace.
pub(super) const CROSS_PORT: u16 = 4_702;

/// Clocks of nodes show this much at the start of a run: a planted offset must not lead before their beginning.
const CLOCK_BASE_NS: i64 = 86_400_000_000_000;

/// Distance of the probes by which nodes estimate each other's clocks.
pub(crate) const CLOCK_PROBES: Duration = Duration::from_secs(1);

/// What a person asks of a lab, besides the scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabOptions {
    /// Each node records the inputs of its core here, one file for each start of its process.
    pub record: Option<PathBuf>,
    /// The kernel's own shaper is the network, instead of the emulator.
    pub kernel_shaper: bool,
    /// Nodes estimate each other's clocks although they share one. They do so anyway where the scenario plants
    /// errors.
    pub measure_clocks: bool,
    /// Congestion control of stream hops; `None`: the system's.
    pub tcp_congestion: Option<String>,
    /// Applications that bring and take content. Nodes of a lab share the machine's files, but not its ports.
    pub edges: EdgePlan,
    /// Hops are sealed, with keys that are made for the run, as they are where the scenario says so. Of the two only the
    /// scenario's word makes the simulator count the 24 bytes more.
    pub seal: bool,
    /// The program whose `node` subcommand runs a node; `None`: the one that runs now.
    pub program: Option<PathBuf>,
}

/// Which node is where, and what its process is told.
#[derive(Debug)]
pub(super) struct Plan {
    /// Nodes, by index as in the scenario.
    pub(super) nodes: Vec<PlannedNode>,
    /// Links of the scenario.
    pub(super) link_count: usize,
    /// Nanoseconds of the monotonic clock when the plan was made: planted drifts count from here.
    made_ns: i64,
    /// Settings files lie here.
    directory: PathBuf,
    seed: u64,
    options: LabOptions,
}

/// One node of the plan.
#[derive(Debug)]
pub(super) struct PlannedNode {
    /// Its id.
    pub(super) id: NodeId,
    /// Its name.
    pub(super) name: String,
    /// Its address in the lab.
    pub(super) address: IpAddr,
    config: NodeConfig,
    clock_offset_ns: i64,
    clock_drift_ppb: i64,
}

impl Plan {
    /// Returns the applications that bring and take content.
    pub(super) fn edges(&self) -> &EdgePlan {
        &self.options.edges
    }

    /// Plans the lab of a scenario. `address`: what node number `i` is called; `now_ns`: the monotonic clock;
    /// `directory`: where settings are written.
    pub(super) fn new(
        scenario: &Scenario,
        seed: u64,
        options: &LabOptions,
        address: impl Fn(usize) -> IpAddr,
        now_ns: i64,
        directory: &Path,
    ) -> Self {
        // All nodes read one clock: an estimate could only add its own error.
        let are_true =
            scenario.nodes.iter().all(|node| (node.clock_offset_ns, node.clock_drift_ppb) == (0, 0));
        let clock_probes = (!are_true || options.measure_clocks).then_some(CLOCK_PROBES);
        let nodes = scenario.nodes.iter().enumerate().map(|(i, spec)| PlannedNode {
            id: spec.id,
            name: spec.name.clone(),
            address: address(i),
            config: node_config(scenario, spec, clock_probes),
            clock_offset_ns: spec.clock_offset_ns,
            clock_drift_ppb: spec.clock_drift_ppb,
        });
        Self {
            nodes: nodes.collect(),
            link_count: scenario.links.len(),
            made_ns: now_ns,
            directory: directory.to_owned(),
            seed,
            options: LabOptions { seal: options.seal || scenario.seal, ..options.clone() },
        }
    }

    /// Returns what a node's clock shows when the monotonic clock shows `ns`, with the errors that are planted in it.
    pub(super) fn clock_at(&self, node: u32, ns: i64) -> u64 {
        let spec = &self.nodes[node as usize];
        let since = i128::from(ns) - i128::from(self.made_ns);
        let gained = since * i128::from(spec.clock_drift_ppb) / 1_000_000_000;
        let shown = since + gained + i128::from(spec.clock_offset_ns) + i128::from(CLOCK_BASE_NS);
        u64::try_from(shown.max(0)).unwrap_or(u64::MAX)
    }

    /// Returns what the monotonic clock shows when a node's clock shows `shown`: the inverse of
    /// [`clock_at`](Self::clock_at), to the nanosecond.
    pub(super) fn when(&self, node: u32, shown: u64) -> i64 {
        let spec = &self.nodes[node as usize];
        let passed = i128::from(shown) - i128::from(CLOCK_BASE_NS) - i128::from(spec.clock_offset_ns);
        let pace = 1_000_000_000 + i128::from(spec.clock_drift_ppb).max(-999_999_999);
        let ns = i128::from(self.made_ns) + passed * 1_000_000_000 / pace;
        i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
    }

    /// Returns what the process of a node is told.
    fn settings(&self, node: u32, incarnation: u32) -> NodeSettings {
        let spec = &self.nodes[node as usize];
        let others = self.nodes.iter().filter(|other| other.id != spec.id);
        let peers: BTreeMap<NodeId, Addresses> =
            others.map(|other| (other.id, addresses(other.address))).collect();
        let record = self.options.record.as_ref();
        // Nodes take a drift from their clock's beginning, a day before. What it makes of that day is no part of the
        // error that the scenario plants.
        let of_base = i128::from(CLOCK_BASE_NS) * i128::from(spec.clock_drift_ppb) / 1_000_000_000;
        let clock_offset_ns = i128::from(spec.clock_offset_ns) - of_base;
        NodeSettings {
            config: NodeConfig { incarnation: Incarnation(incarnation), ..spec.config.clone() },
            seed: self.seed,
            origin: Origin::MonotonicNs(self.made_ns - CLOCK_BASE_NS),
            clock_offset_ns: i64::try_from(clock_offset_ns).unwrap_or(spec.clock_offset_ns),
            clock_drift_ppb: spec.clock_drift_ppb,
            bind: spec.address,
            port: DATA_PORT,
            control_port: CONTROL_PORT,
            advertise: None,
            peers,
            tcp_congestion: self.options.tcp_congestion.clone(),
            stopwatch: None,
            seal: self.options.seal.then(|| keys::settings(&self.keys(), spec.id)),
            // The namespaces are the lab's own.
            plaintext: !self.options.seal,
            record: record.map(|directory| directory.join(format!("node-{}-{incarnation}.log", spec.id))),
        }
    }

    /// Writes the settings of a node and returns the command that starts it, with its console at `console`.
    ///
    /// # Errors
    /// When the settings cannot be written, or nobody knows which program runs now.
    pub(super) fn command(
        &self,
        node: u32,
        incarnation: u32,
        console: impl AsRef<OsStr>,
    ) -> Result<Command, LabError> {
        let keys = self.keys();
        if self.options.seal && !keys.exists() {
            let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
            keys::issue_all(&keys, &ids, keys::LIFETIME)
                .map_err(|error| LabError::Environment(error.to_string()))?;
        }
        let path = self.settings_file(node);
        write_settings(&path, &self.settings(node, incarnation))
            .map_err(|error| LabError::Environment(format!("{}: {error}", path.display())))?;
        let mut command = Command::new(self.program()?);
        command.args(["node", "--die-with-parent", "--settings"]).arg(&path);
        command.arg("--console").arg(console);
        Ok(command)
    }

    /// Returns where keys are, if hops are sealed.
    fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }

    /// Returns where the settings of a node are written.
    fn settings_file(&self, node: u32) -> PathBuf {
        self.directory.join(format!("node-{}.json", self.nodes[node as usize].id))
    }

    /// Returns the program that runs nodes.
    ///
    /// # Errors
    /// When the system does not tell which program runs now.
    fn program(&self) -> Result<PathBuf, LabError> {
        match &self.options.program {
            Some(program) => Ok(program.clone()),
            None => std::env::current_exe().map_err(|error| {
                LabError::Environment(format!("cannot tell which program runs now: {error}"))
            }),
        }
    }
}

/// Returns the core's configuration of a node, for its first start. `clock_probes`: how often it asks others for their
/// time.
#[must_use]
pub fn node_config(scenario: &Scenario, spec: &Node, clock_probes: Option<Duration>) -> NodeConfig {
    let mtu = scenario.links.iter().filter(|link| link.from == spec.id).map(|link| link.mtu).max();
    NodeConfig {
        feeder: spec.feeder,
        congestion: spec.congestion,
        coding: CodingConfig { recode: spec.recoding, ..CodingConfig::default() },
        pacing: PacingConfig { rates: spec.hop_rates.iter().copied().collect(), ..PacingConfig::default() },
        report_interval: Some(scenario.report_interval),
        clock_probes,
        failover: scenario.failover,
        probing: scenario.probing_of(spec.id),
        mtu: mtu.map_or(1_500, |mtu| mtu.min(u32::from(u16::MAX)) as u16),
        ..NodeConfig::new(spec.id)
    }
}

fn addresses(address: IpAddr) -> Addresses {
    Addresses { data: SocketAddr::new(address, DATA_PORT), control: SocketAddr::new(address, CONTROL_PORT) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeClock;
    use bellini_scenarios::parse::{LoadOptions, parse_str};
    use std::net::Ipv4Addr;

    /// The clock of a node process shows what the lab takes it to show: at the start the planted offset and nothing
    /// else, later the drift since then.
    #[test]
    fn clocks_show_the_planted_errors_from_the_start_on() {
        const TEXT: &str = r#"{"bellini": 1, "duration": "1 s",
            "nodes": [{"id": 1, "clock": {"offset": "40 ms", "drift": "50 ppm"}},
                {"id": 2, "clock": {"offset": "-40 ms", "drift": "-50 ppm"}}, {"id": 3}],
            "links": [{"between": [1, 2], "delay": "5 ms"}], "conferences": []}"#;
        let scenario = parse_str("clocks.json", TEXT, &LoadOptions::default()).expect("sound").scenario;
        let made_ns = 5_000_000_000;
        let address = |_| IpAddr::V4(Ipv4Addr::LOCALHOST);
        let plan = Plan::new(&scenario, 1, &LabOptions::default(), address, made_ns, Path::new("nowhere"));
        let (offset, gained) = (40_000_000, 100 * 50_000);
        for (node, sign) in [(0, 1), (1, -1), (2, 0)] {
            let clock = NodeClock::start(&plan.settings(node, 1));
            for (passed, drifted) in [(0, 0), (100_000_000_000, gained)] {
                let ns = made_ns + passed;
                let expected = (CLOCK_BASE_NS + passed + sign * (offset + drifted)) as u64;
                assert_eq!(plan.clock_at(node, ns), expected);
                assert!(clock.shown(ns).as_nanos().abs_diff(expected) <= 1);
                assert!(plan.when(node, expected).abs_diff(ns) <= 1);
            }
        }
    }
}
