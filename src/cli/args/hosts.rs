//! Real hosts: `live`, `deploy`, `doctor`, and what they run there: `probe`, `attach`.

use super::scenario::{RunOptions, ScenarioOptions, key_value};
use bellini_live::edge::EdgeText;
use clap::{Args as ClapArgs, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;

/// Where hosts are, and how they are reached.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct HostOptions {
    /// Which node runs where: a hosts file (JSON), an Ansible inventory (INI), or what `terraform output -json` printed.
    #[arg(long, value_name = "HOSTS")]
    pub(in crate::cli) hosts: PathBuf,
    /// A configuration file for ssh, instead of your own.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ssh_config: Option<PathBuf>,
    /// The binary to push, such as a static one [default: the one that runs now].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) program: Option<PathBuf>,
    /// Do not seal hops: for networks that nobody else can reach.
    #[arg(long)]
    pub(in crate::cli) plaintext: bool,
}

/// Options of `live`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LiveOptions {
    #[command(flatten)]
    pub(in crate::cli) run: RunOptions,
    #[command(flatten)]
    pub(in crate::cli) hosts: HostOptions,
    /// Each node records all inputs of its core; the logs come home to DIR/hosts/NODE/logs, for `bellini replay`.
    #[arg(long)]
    pub(in crate::cli) record: bool,
    /// Congestion control of the kernel's TCP for stream hops [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) tcp_congestion: Option<String>,
    /// An application that brings a session's content, or takes it, on the host of the node: CONFERENCE/SESSION@NODE=PLACE,
    /// where PLACE is udp:ADDRESS, tcp:ADDRESS, unix:PATH, unixgram:PATH or file:PATH.
    #[arg(long = "edge", value_name = "EDGE", conflicts_with = "seeds")]
    pub(in crate::cli) edges: Vec<EdgeText>,
    /// Leave binary and logs on the hosts.
    #[arg(long)]
    pub(in crate::cli) keep: bool,
}

/// Options of `deploy`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DeployOptions {
    #[command(subcommand)]
    pub(in crate::cli) step: DeployStep,
}

/// Steps of a deployment.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum DeployStep {
    /// Bring the binary to every host that does not have it, and say what is there.
    Up(DeployUpOptions),
    /// Start the nodes of a scenario, and no sessions; each keeps its console.
    Start(DeployStartOptions),
    /// Run scenarios one after the other, unattended; a run that fails does not keep the next from being tried.
    Run(DeployRunOptions),
    /// Bring home what nodes wrote, whether they run or failed.
    Collect(DeployCollectOptions),
    /// End everything on all hosts and remove every file.
    Down(DeployUpOptions),
}

/// Options of `deploy up` and `deploy down`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DeployUpOptions {
    #[command(flatten)]
    pub(in crate::cli) hosts: HostOptions,
}

/// Options of `deploy start`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DeployStartOptions {
    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioOptions,
    #[command(flatten)]
    pub(in crate::cli) hosts: HostOptions,
}

/// Options of `deploy run`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DeployRunOptions {
    /// Scenario files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(in crate::cli) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) hosts: HostOptions,
    /// Change a value of every scenario: `duration=5 s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Run each with so many seeds, from the scenario's on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) seeds: Option<u64>,
    /// Below which directory results go, each scenario's in one of its name.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(in crate::cli) out: PathBuf,
    /// Replace the results of earlier runs in the same place; nothing else is ever removed.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// No plots and no report pages: records only.
    #[arg(long)]
    pub(in crate::cli) no_report: bool,
    /// Each node records all inputs of its core.
    #[arg(long)]
    pub(in crate::cli) record: bool,
}

/// Options of `deploy collect`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DeployCollectOptions {
    #[command(flatten)]
    pub(in crate::cli) hosts: HostOptions,
    /// Where it goes: a directory for each host, in it one for each node.
    #[arg(long, value_name = "DIR", default_value = "runs/collected")]
    pub(in crate::cli) out: PathBuf,
}

/// Options of `doctor`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DoctorOptions {
    /// Look at these hosts, too: as for `live`.
    #[arg(long, value_name = "HOSTS")]
    pub(in crate::cli) hosts: Option<PathBuf>,
    /// A configuration file for ssh, instead of your own.
    #[arg(long, value_name = "FILE", requires = "hosts")]
    pub(in crate::cli) ssh_config: Option<PathBuf>,
    /// The binary to push [default: the one that runs now].
    #[arg(long, value_name = "FILE", requires = "hosts")]
    pub(in crate::cli) program: Option<PathBuf>,
}

/// Options of `probe`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ProbeOptions {
    /// The address to bind to.
    pub(in crate::cli) bind: IpAddr,
    /// The data port.
    pub(in crate::cli) port: u16,
    /// The control port.
    pub(in crate::cli) control_port: u16,
}

/// Options of `attach`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct AttachOptions {
    /// The console's Unix socket.
    pub(in crate::cli) socket: PathBuf,
}
