//! Real processes on this machine: `lab` and `fidelity`.

use super::scenario::{RunOptions, ScenarioOptions, key_value};
use bellini_live::edge::EdgeText;
use clap::Args as ClapArgs;
use std::path::{Path, PathBuf};

/// Options of `lab`.
#[derive(Clone, Debug, ClapArgs)]
#[command(mut_arg("scenario", |scenario| scenario.required(false).required_unless_present("clean").default_value_if("clean", "true", "-")))]
pub(in crate::cli) struct LabOptions {
    #[command(flatten)]
    pub(in crate::cli) run: RunOptions,
    /// Each node records all inputs of its core below DIR/logs, for `bellini replay`.
    #[arg(long)]
    pub(in crate::cli) record: bool,
    /// What plays the network: our own emulator, or the kernel's token bucket on veth pairs (no delay, no loss).
    #[arg(long, value_name = "WHICH", default_value = "emulator")]
    pub(in crate::cli) network: LabNetwork,
    /// Congestion control of the kernel's TCP for stream hops [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) tcp_congestion: Option<String>,
    /// An application that brings a session's content, or takes it: CONFERENCE/SESSION@NODE=PLACE, where PLACE is
    /// udp:ADDRESS, tcp:ADDRESS, unix:PATH, unixgram:PATH, file:PATH, or - for standard input or output.
    #[arg(long = "edge", value_name = "EDGE", conflicts_with = "seeds")]
    pub(in crate::cli) edges: Vec<EdgeText>,
    /// Seal all hops, with keys that are made for the run: as --set seal=true, which the simulator takes, too.
    #[arg(long)]
    pub(in crate::cli) seal: bool,
    /// Estimate clocks although all nodes share one, as on several machines.
    #[arg(long)]
    pub(in crate::cli) measure_clocks: bool,
    /// Start the nodes and the network, and no sessions; print each node's console (ID=SOCKET); end with Ctrl-C.
    #[arg(long, conflicts_with_all = ["seeds", "out", "force", "json", "no_report", "record"])]
    pub(in crate::cli) idle: bool,
    /// Remove what a killed lab has left, and do nothing else.
    #[arg(long, exclusive = true)]
    pub(in crate::cli) clean: bool,
}

/// What plays the network of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum LabNetwork {
    /// The simulator's link model on the wall clock.
    Emulator,
    /// The kernel's own shaper (tc).
    Kernel,
}

/// Options of `fidelity`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct FidelityOptions {
    /// Scenario files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(in crate::cli) scenarios: Vec<PathBuf>,
    /// Change a value of every scenario: `duration=5 s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Runs in the simulator, with successive seeds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(in crate::cli) seeds: u64,
    /// Valid runs in the lab.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(in crate::cli) runs: u64,
    /// Instead of one comparison: so many trials in which errors are planted, and counted when they are caught.
    #[arg(long, value_name = "TRIALS", value_parser = clap::value_parser!(u64).range(2..=100))]
    pub(in crate::cli) controls: Option<u64>,
    /// What plays the network of the lab.
    #[arg(long, value_name = "WHICH", default_value = "emulator")]
    pub(in crate::cli) network: LabNetwork,
    /// Go on with what an earlier campaign has left in the same place; complete runs are kept.
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Where runs, comparisons and figures go [default: runs/fidelity].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl FidelityOptions {
    /// Returns where everything goes.
    pub(in crate::cli) fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs/fidelity"))
    }

    /// Returns how one of the scenarios is read.
    pub(in crate::cli) fn scenario_options(&self, scenario: &Path) -> ScenarioOptions {
        ScenarioOptions { scenario: scenario.to_owned(), set: self.set.clone(), seed: None }
    }
}
