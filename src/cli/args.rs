//! What was typed, and nothing more.

use super::keys::node_range;
use super::listing::lease;
use super::node::{console, node_id, peer};
use super::reproduce;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_live::console::{Addresses, ConsolePlace};
use bellini_live::edge::EdgeText;
use bellini_scenarios::record::Overwrite;
use bellini_scenarios::units::{Quantity, parse_signed};
use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Ferries application traffic through geo-distributed datacenters.
#[derive(Debug, Parser)]
#[command(name = "bellini", version, about, long_about = None, arg_required_else_help = true)]
#[command(after_help = "Example: bellini sim scenarios/fig3.json\n\
    Then open runs/fig3-sim-1/report.html in a browser.\n\n\
    Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 scenario invalid; \
    4 an asked-for check did not hold; 5 finished with partial results; 6 files, permissions or hosts; \
    130 interrupted.")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run a scenario in the deterministic simulator.
    #[command(after_help = "Examples:\n  bellini sim scenarios/fig3.json\n  \
        bellini sim scenarios/fig3.json --seeds 10 --out runs/fig3-ten\n  \
        bellini sim scenarios/fig3.json --set 'duration=5 s' --json")]
    Sim(RunOptions),
    /// Run a scenario with real processes and sockets on this machine, over emulated links.
    #[command(after_help = "Examples:\n  bellini lab scenarios/fig3.json\n  \
        bellini lab scenarios/outage.json --record --out runs/outage-lab\n  \
        bellini lab scenarios/fidelity/kernel/relay.json --network kernel\n  \
        bellini lab scenarios/fig3.json --idle\n  \
        bellini lab --clean\n\n\
        It needs network namespaces and /dev/net/tun: root, or a user who may make user namespaces. A run takes as \
        long as the scenario says. Where the machine was too slow to be believed the run is marked invalid: exit 4.")]
    Lab(LabOptions),
    /// Run a scenario on real hosts, over your own ssh: push, start, run, collect, remove.
    #[command(after_help = "Examples:\n  bellini live scenarios/conference-4.json --hosts hosts.json\n  \
        bellini live scenarios/conference-4.json --hosts inventory.ini --set 'duration=10 s' --record\n\n\
        A hosts file: {\"bellini-hosts\": 1, \"nodes\": {\"toronto\": {\"ssh\": \"user@host\"}, ..}}; an Ansible inventory and\n\
        `terraform output -json` will do, too. See docs/deployment.md. Exit code 5: nodes failed, results are partial.")]
    Live(LiveOptions),
    /// The steps of `live` one by one, and batches of scenarios, on real hosts.
    #[command(after_help = "Examples:\n  bellini deploy up --hosts hosts.json\n  \
        bellini deploy run scenarios/fig3.json scenarios/conference-4.json --hosts hosts.json\n  \
        bellini deploy down --hosts hosts.json\n\n\
        Every step may be repeated at any time. See docs/deployment.md.")]
    Deploy(DeployOptions),
    /// Join standard input and output to the console of a node on this machine.
    #[command(after_help = "Example: ssh host bellini attach .bellini/node-1/console.sock")]
    Attach(AttachOptions),
    /// Look for what stands in the way of a run, on this machine or on hosts, and say what would help.
    #[command(after_help = "Examples:\n  bellini doctor\n  bellini doctor --hosts hosts.json\n\n\
        Ports, UDP buffers, clocks, versions; between hosts also the ways and how large packets may be. Exit code 4: a\n\
        problem was found.")]
    Doctor(DoctorOptions),
    /// What `doctor` runs on a host.
    #[command(hide = true)]
    Probe(ProbeOptions),
    /// Run scenarios in the simulator and in the lab, and say how far the prediction was off.
    #[command(after_help = "Examples:\n  bellini fidelity scenarios/fig3.json scenarios/fidelity/*.json\n  \
        bellini fidelity scenarios/fidelity/controls.json --controls 20 --out runs/controls\n\n\
        Exit code 4: a comparison did not hold, or a planted error was not caught in 19 of 20 trials.")]
    Fidelity(FidelityOptions),
    /// Check a scenario without running it.
    #[command(after_help = "Examples:\n  bellini check scenarios/fig3.json\n  \
        bellini check scenarios/fig3.json --resolved > resolved.json")]
    Check(CheckOptions),
    /// Say what routing policies would do with a scenario, side by side, before anything runs: routes, delays, rates, cost.
    #[command(after_help = "Examples:\n  bellini plan scenarios/fig3.json\n  \
        bellini plan scenarios/fig3.json --policies own,direct,k-shortest --json\n\n\
        Rates are those of a fluid, delays those without queues; see docs/plan.md. With --strict: exit code 4 when a\n\
        demand of the scenario is not met by every policy asked for.")]
    Plan(PlanOptions),
    /// Say why the sessions of a run take their routes: the alternatives, what they cost, what happened on the way.
    #[command(after_help = "Examples:\n  bellini explain runs/fig3-sim-1\n  \
        bellini explain runs/fig3-sim-1 --session 1/1 --to singapore --json\n\n\
        It reads the run directory alone; see docs/plan.md.")]
    Explain(ExplainOptions),
    /// Make the plots and the report page of a run again, or of several runs together.
    #[command(after_help = "Examples:\n  bellini report runs/fig3-sim-1\n  \
        bellini report runs/fig3-sim-1 runs/fig3-sim-2 --out runs/fig3-both")]
    Report(ReportOptions),
    /// Say how far the runs of two sides are apart, and whether that is within tolerances.
    #[command(after_help = "Examples:\n  bellini compare runs/fig3-sim-1-20 runs/fig3-lab-1-5\n  \
        bellini compare runs/fig3-sim-1,runs/fig3-sim-2 runs/fig3-lab-1 --tolerance 'goodput=5 %'\n  \
        bellini compare runs/fig3-sim-1 runs/fig3-lab-1 runs/fig3-live-1\n\n\
        A is what is measured against, such as a prediction. Each side is a run directory, a directory that\n\
        holds runs, or several of either, separated by commas. Exit code 4 when a line exceeds its tolerance.")]
    Compare(CompareOptions),
    /// Feed the log of a recorded node to the core again: is every frame, event and counter the same?
    #[command(after_help = "Examples:\n  bellini replay runs/fig3-lab-1/logs/node-2-1.log\n  \
        bellini replay node-2-1.log --dump 40 --from 1.5\n\n\
        Exit codes: 0 byte-exact, up to where the log ends; 3 the log is damaged or no log; 4 the core did something \
        else than when it was recorded.")]
    Replay(ReplayOptions),
    /// Run one node on real sockets, conducted over its console.
    #[command(after_help = "Examples:\n  bellini node --id 1 --port 7000 --control-port 7001 \
        --peer 2=127.0.0.1:7010/7011 --console stdio\n  \
        bellini node --settings node1.json --console /run/bellini/1.sock\n\n\
        SIGTERM: what is queued is sent, then it ends. SIGHUP: policies are asked again. See docs/node.md.")]
    Node(Box<NodeOptions>),
    /// Make, show and revoke the keys by which nodes know one another and seal their hops.
    #[command(
        after_help = "Examples:\n  bellini keys init keys\n  bellini keys issue keys --node 1-3 --days 30\n  \
        bellini keys show keys\n  bellini keys revoke keys --node 2\n\n\
        A node needs its own key, its certificate, and trust.json; nobody needs another node's key. See \
        docs/sealing.md."
    )]
    Keys(KeysOptions),
    /// Run the server where conferences are registered and found: HTTP and JSON, state in one file.
    #[command(after_help = "Example: bellini listing --listen 127.0.0.1:7400 --store listing.redb\n\n\
        `curl http://127.0.0.1:7400/` lists what it can be asked. SIGTERM ends it. See docs/listing.md.")]
    Listing(ListingOptions),
    /// Measure the network between running nodes and write it as a topology for the simulator.
    #[command(
        after_help = "Example: bellini calibrate --node 1=/run/a.sock --node 2=/run/b.sock --out topology.json\n\n\
        The nodes run with `--console SOCKET`. Their clocks must agree, or --symmetric be given. Measuring fills the\n\
        links between them for some seconds each."
    )]
    Calibrate(CalibrateOptions),
    /// Do an experiment whose outcome is known from elsewhere, and put our values beside the reference.
    #[command(after_help = "Examples:\n  bellini reproduce fig6\n  \
        bellini reproduce fig8 --seconds 10 --out runs/fig8-quiet\n  \
        bellini reproduce tfrc-loss --seeds 5\n\n\
        Writes report.html, reproduce.json, table.csv, and each plot as SVG, PNG and CSV. Use a release build; for what runs \
        on real processes (fig6 to fig8) an otherwise idle machine, too. Exit code 4: a value is outside its band.")]
    Reproduce(ReproduceOptions),
    /// Print the JSON Schema of scenario files.
    #[command(after_help = "Example: bellini schema > scenario.schema.json\n\
        A scenario with \"$schema\": \"scenario.schema.json\" is then completed and checked by editors.")]
    Schema,
}

/// What names and changes a scenario.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ScenarioOptions {
    /// The scenario file.
    pub(super) scenario: PathBuf,
    /// Change a value of the scenario: `duration=5 s`, `conferences[0].sessions[0].content.rate=4 Mbit/s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Root seed of all random streams, in place of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
}

/// Options of the modes that run scenarios.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct RunOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    /// Run with so many seeds, from the scenario's (or --seed) on, and report means with 95 % intervals.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: Option<u64>,
    /// Where results go [default: runs/<scenario>-<mode>-<seed>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace the results of an earlier run in the same place; nothing else is ever removed.
    #[arg(long)]
    pub(super) force: bool,
    /// Print summary.json instead of the table (several seeds: one JSON document a line).
    #[arg(long)]
    pub(super) json: bool,
    /// No plots and no report page: records only.
    #[arg(long)]
    pub(super) no_report: bool,
}

impl RunOptions {
    /// Returns what happens to results in the same place.
    pub(super) fn overwrite(&self) -> Overwrite {
        if self.force { Overwrite::Replace } else { Overwrite::Refuse }
    }
}

/// Options of `fidelity`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct FidelityOptions {
    /// Scenario files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Change a value of every scenario: `duration=5 s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Runs in the simulator, with successive seeds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(super) seeds: u64,
    /// Valid runs in the lab.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(super) runs: u64,
    /// Instead of one comparison: so many trials in which errors are planted, and counted when they are caught.
    #[arg(long, value_name = "TRIALS", value_parser = clap::value_parser!(u64).range(2..=100))]
    pub(super) controls: Option<u64>,
    /// What plays the network of the lab.
    #[arg(long, value_name = "WHICH", default_value = "emulator")]
    pub(super) network: LabNetwork,
    /// Go on with what an earlier campaign has left in the same place; complete runs are kept.
    #[arg(long)]
    pub(super) keep: bool,
    /// Where runs, comparisons and figures go [default: runs/fidelity].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl FidelityOptions {
    /// Returns where everything goes.
    pub(super) fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs/fidelity"))
    }

    /// Returns how one of the scenarios is read.
    pub(super) fn scenario_options(&self, scenario: &Path) -> ScenarioOptions {
        ScenarioOptions { scenario: scenario.to_owned(), set: self.set.clone(), seed: None }
    }
}

/// Options of `lab`.
#[derive(Clone, Debug, ClapArgs)]
#[command(mut_arg("scenario", |scenario| scenario.required(false).required_unless_present("clean").default_value_if("clean", "true", "-")))]
pub(super) struct LabOptions {
    #[command(flatten)]
    pub(super) run: RunOptions,
    /// Each node records all inputs of its core below DIR/logs, for `bellini replay`.
    #[arg(long)]
    pub(super) record: bool,
    /// What plays the network: our own emulator, or the kernel's token bucket on veth pairs (no delay, no loss).
    #[arg(long, value_name = "WHICH", default_value = "emulator")]
    pub(super) network: LabNetwork,
    /// Congestion control of the kernel's TCP for stream hops [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(super) tcp_congestion: Option<String>,
    /// An application that brings a session's content, or takes it: CONFERENCE/SESSION@NODE=PLACE, where PLACE is
    /// udp:ADDRESS, tcp:ADDRESS, unix:PATH, unixgram:PATH, file:PATH, or - for standard input or output.
    #[arg(long = "edge", value_name = "EDGE", conflicts_with = "seeds")]
    pub(super) edges: Vec<EdgeText>,
    /// Seal all hops, with keys that are made for the run: as --set seal=true, which the simulator takes, too.
    #[arg(long)]
    pub(super) seal: bool,
    /// Estimate clocks although all nodes share one, as on several machines.
    #[arg(long)]
    pub(super) measure_clocks: bool,
    /// Start the nodes and the network, and no sessions; print each node's console (ID=SOCKET); end with Ctrl-C.
    #[arg(long, conflicts_with_all = ["seeds", "out", "force", "json", "no_report", "record"])]
    pub(super) idle: bool,
    /// Remove what a killed lab has left, and do nothing else.
    #[arg(long, exclusive = true)]
    pub(super) clean: bool,
}

/// Where hosts are, and how they are reached.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct HostOptions {
    /// Which node runs where: a hosts file (JSON), an Ansible inventory (INI), or what `terraform output -json` printed.
    #[arg(long, value_name = "HOSTS")]
    pub(super) hosts: PathBuf,
    /// A configuration file for ssh, instead of your own.
    #[arg(long, value_name = "FILE")]
    pub(super) ssh_config: Option<PathBuf>,
    /// The binary to push, such as a static one [default: the one that runs now].
    #[arg(long, value_name = "FILE")]
    pub(super) program: Option<PathBuf>,
    /// Do not seal hops: for networks that nobody else can reach.
    #[arg(long)]
    pub(super) plaintext: bool,
}

/// Options of `live`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct LiveOptions {
    #[command(flatten)]
    pub(super) run: RunOptions,
    #[command(flatten)]
    pub(super) hosts: HostOptions,
    /// Each node records all inputs of its core; the logs come home to DIR/hosts/NODE/logs, for `bellini replay`.
    #[arg(long)]
    pub(super) record: bool,
    /// Congestion control of the kernel's TCP for stream hops [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(super) tcp_congestion: Option<String>,
    /// An application that brings a session's content, or takes it, on the host of the node: CONFERENCE/SESSION@NODE=PLACE,
    /// where PLACE is udp:ADDRESS, tcp:ADDRESS, unix:PATH, unixgram:PATH or file:PATH.
    #[arg(long = "edge", value_name = "EDGE", conflicts_with = "seeds")]
    pub(super) edges: Vec<EdgeText>,
    /// Leave binary and logs on the hosts.
    #[arg(long)]
    pub(super) keep: bool,
}

/// Options of `deploy`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DeployOptions {
    #[command(subcommand)]
    pub(super) step: DeployStep,
}

/// Steps of a deployment.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum DeployStep {
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
pub(super) struct DeployUpOptions {
    #[command(flatten)]
    pub(super) hosts: HostOptions,
}

/// Options of `deploy start`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DeployStartOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    #[command(flatten)]
    pub(super) hosts: HostOptions,
}

/// Options of `deploy run`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DeployRunOptions {
    /// Scenario files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) hosts: HostOptions,
    /// Change a value of every scenario: `duration=5 s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Run each with so many seeds, from the scenario's on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: Option<u64>,
    /// Below which directory results go, each scenario's in one of its name.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(super) out: PathBuf,
    /// Replace the results of earlier runs in the same place; nothing else is ever removed.
    #[arg(long)]
    pub(super) force: bool,
    /// No plots and no report pages: records only.
    #[arg(long)]
    pub(super) no_report: bool,
    /// Each node records all inputs of its core.
    #[arg(long)]
    pub(super) record: bool,
}

/// Options of `deploy collect`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DeployCollectOptions {
    #[command(flatten)]
    pub(super) hosts: HostOptions,
    /// Where it goes: a directory for each host, in it one for each node.
    #[arg(long, value_name = "DIR", default_value = "runs/collected")]
    pub(super) out: PathBuf,
}

/// Options of `doctor`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DoctorOptions {
    /// Look at these hosts, too: as for `live`.
    #[arg(long, value_name = "HOSTS")]
    pub(super) hosts: Option<PathBuf>,
    /// A configuration file for ssh, instead of your own.
    #[arg(long, value_name = "FILE", requires = "hosts")]
    pub(super) ssh_config: Option<PathBuf>,
    /// The binary to push [default: the one that runs now].
    #[arg(long, value_name = "FILE", requires = "hosts")]
    pub(super) program: Option<PathBuf>,
}

/// Options of `probe`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ProbeOptions {
    /// The address to bind to.
    pub(super) bind: IpAddr,
    /// The data port.
    pub(super) port: u16,
    /// The control port.
    pub(super) control_port: u16,
}

/// Options of `attach`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct AttachOptions {
    /// The console's Unix socket.
    pub(super) socket: PathBuf,
}

/// What plays the network of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LabNetwork {
    /// The simulator's link model on the wall clock.
    Emulator,
    /// The kernel's own shaper (tc).
    Kernel,
}

/// Options of `check`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct CheckOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    /// Print the scenario with every default filled in.
    #[arg(long)]
    pub(super) resolved: bool,
    /// Print errors and warnings as JSON on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `plan`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct PlanOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    /// Routing policies, behind commas; `own`: each session's own [default: own, and all that fit any session].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) policies: Vec<String>,
    /// Print the plan as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Exit with 4 when a demand is not met.
    #[arg(long)]
    pub(super) strict: bool,
}

/// Options of `explain`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ExplainOptions {
    /// A run directory.
    #[arg(value_name = "RUN")]
    pub(super) run: PathBuf,
    /// One session only: CONFERENCE/SESSION.
    #[arg(long, value_name = "SESSION")]
    pub(super) session: Option<String>,
    /// One destination only: its name or id.
    #[arg(long, value_name = "NODE")]
    pub(super) to: Option<String>,
    /// How many paths to look at for each destination.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(super) paths: u8,
    /// Print the explanation as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `report`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ReportOptions {
    /// Run directories: one, or several of the same scenario with different seeds.
    #[arg(required = true, value_name = "RUN")]
    pub(super) runs: Vec<PathBuf>,
    /// Where plots and page go [default: the run directory, if there is one only].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// Options of `compare`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct CompareOptions {
    /// Side A, then side B, then further sides that are set against A on the same page: each a run directory, or a
    /// directory that holds runs, or several behind commas.
    #[arg(value_name = "RUNS_A RUNS_B", num_args = 0..=4)]
    pub(super) runs: Vec<PathBuf>,
    /// Further runs of side A.
    #[arg(long, value_name = "RUNS")]
    pub(super) a: Vec<PathBuf>,
    /// Further runs of side B.
    #[arg(long, value_name = "RUNS")]
    pub(super) b: Vec<PathBuf>,
    /// Change a tolerance: `goodput=5 %`, `delay_ms=2 ms`, `confidence=99 %`; docs/compare.md lists all.
    #[arg(long = "tolerance", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) tolerances: Vec<(String, String)>,
    /// Where compare.json, plots and page go [default: runs/compare-<A>-<B>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Compare different scenarios, unfinished and invalid runs, too; the page says so.
    #[arg(long)]
    pub(super) force: bool,
    /// Print compare.json instead of the table.
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `replay`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ReplayOptions {
    /// A log that `bellini node --record` wrote.
    pub(super) log: PathBuf,
    /// Print the figures and the verdict as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Print so many records, with what came out, as text (on stderr with --json).
    #[arg(long, value_name = "N")]
    pub(super) dump: Option<u64>,
    /// Print records from this second of the node's clock on.
    #[arg(long, value_name = "SECONDS", requires = "dump", value_parser = seconds)]
    pub(super) from: Option<f64>,
}

/// Options of `node`. What is typed changes what the settings file says.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct NodeOptions {
    /// A JSON file with everything that the other flags say, and the core's configuration.
    #[arg(long, value_name = "FILE")]
    pub(super) settings: Option<PathBuf>,
    /// Which node this is.
    #[arg(long, value_name = "N", value_parser = node_id)]
    pub(super) id: Option<NodeId>,
    /// The address that its sockets are bound to [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(super) bind: Option<IpAddr>,
    /// UDP port of datagram hops and TCP port of stream hops [default: any].
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// UDP port of control hops [default: any].
    #[arg(long, value_name = "PORT")]
    pub(super) control_port: Option<u16>,
    /// The address that it says it is at, where that is not the bound one (address translation).
    #[arg(long, value_name = "ADDR")]
    pub(super) advertise: Option<IpAddr>,
    /// Where another node is; may be given several times. Without a control port it is the next one.
    #[arg(long, value_name = "ID=ADDR:PORT[/CONTROLPORT]", value_parser = peer)]
    pub(super) peer: Vec<(NodeId, Addresses)>,
    /// Root seed of all random streams [default: 1].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Which start of this node it is; higher at each start [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) incarnation: Option<u32>,
    /// Where orders come from: `stdio`, or the path of a Unix socket.
    #[arg(long, value_name = "stdio|PATH", value_parser = console)]
    pub(super) console: Option<ConsolePlace>,
    /// Record all inputs of the core to this file.
    #[arg(long, value_name = "LOG")]
    pub(super) record: Option<PathBuf>,
    /// Plant an error: the clock is ahead by so much, such as `40 ms` or `-40 ms`.
    #[arg(long, value_name = "SPAN", value_parser = span, allow_hyphen_values = true)]
    pub(super) clock_offset: Option<i64>,
    /// Plant an error: the clock gains so much, such as `50 ppm` or `-50 ppm`.
    #[arg(long, value_name = "DRIFT", value_parser = drift, allow_hyphen_values = true)]
    pub(super) clock_drift: Option<i64>,
    /// Congestion control of the kernel's TCP for stream hops, such as `cubic` [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(super) tcp_congestion: Option<String>,
    /// Seal hops with the keys of this directory, made by `bellini keys issue`.
    #[arg(long, value_name = "DIR", conflicts_with = "plaintext")]
    pub(super) keys: Option<PathBuf>,
    /// Leave hops outside loopback plain: anyone on the way can read and forge what they carry.
    #[arg(long)]
    pub(super) plaintext: bool,
    /// End when whoever started it ends (Linux).
    #[arg(long)]
    pub(super) die_with_parent: bool,
}

fn span(text: &str) -> Result<i64, String> {
    parse_signed(Quantity::Time, text).map_err(|error| format!("it {error}; write it as `40 ms`"))
}

fn drift(text: &str) -> Result<i64, String> {
    parse_signed(Quantity::Drift, text).map_err(|error| format!("it {error}; write it as `50 ppm`"))
}

/// Options of `keys`.
#[derive(Clone, Debug, ClapArgs)]
#[command(arg_required_else_help = true)]
pub(super) struct KeysOptions {
    #[command(subcommand)]
    pub(super) verb: KeysVerb,
}

/// What is to be done with keys.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum KeysVerb {
    /// Make a directory of keys, with a trust.json that trusts nobody yet.
    Init {
        /// The directory.
        dir: PathBuf,
    },
    /// Make keys for nodes and pin them in trust.json. Earlier keys of a node count until they are over.
    Issue {
        /// The directory; it is made unless it is there.
        dir: PathBuf,
        /// Nodes, such as `1`, `1,2,5` or `1-12`; may be given several times.
        #[arg(long, value_name = "N[-M]", value_delimiter = ',', value_parser = node_range, required = true)]
        node: Vec<(NodeId, NodeId)>,
        /// How long the keys count.
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=397))]
        days: u64,
    },
    /// Show whose keys count, and until when.
    Show {
        /// The directory.
        dir: PathBuf,
    },
    /// Take back all keys of nodes: whoever reads the new trust.json lets them in no more.
    Revoke {
        /// The directory.
        dir: PathBuf,
        /// Nodes, as in `issue`.
        #[arg(long, value_name = "N[-M]", value_delimiter = ',', value_parser = node_range, required = true)]
        node: Vec<(NodeId, NodeId)>,
    },
}

/// Options of `listing`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ListingOptions {
    /// Where it listens; port 0: any. What it really listens on is printed.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) listen: SocketAddr,
    /// The file that holds what is listed; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(super) store: PathBuf,
    /// How long a member stays without a heartbeat, 1 s to 1 h.
    #[arg(long, value_name = "SPAN", default_value = "15 s", value_parser = lease_of)]
    pub(super) lease: Duration,
}

fn lease_of(text: &str) -> Result<Duration, String> {
    lease(parse_signed(Quantity::Time, text).map_err(|error| format!("it {error}; write it as `15 s`"))?)
}

/// Options of `calibrate`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct CalibrateOptions {
    /// A node and the Unix socket of its console; at least two.
    #[arg(long, value_name = "ID=SOCKET", value_parser = console_of)]
    pub(super) node: Vec<(NodeId, PathBuf)>,
    /// Where the topology goes [default: stdout].
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Length of each of the two measuring sessions of a pair.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) seconds: u64,
    /// Rate in Mbit/s that is offered to find a link's rate; faster links are taken as unlimited.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) max_rate: u64,
    /// Give both directions of a pair half of their round trip, whatever the clocks say.
    #[arg(long)]
    pub(super) symmetric: bool,
}

fn console_of(text: &str) -> Result<(NodeId, PathBuf), String> {
    let (id, path) =
        text.split_once('=').ok_or("it must have the form ID=SOCKET, such as `1=/run/a.sock`")?;
    Ok((node_id(id.trim())?, PathBuf::from(path)))
}

/// Options of `reproduce`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ReproduceOptions {
    /// Which experiment: a figure or table of the paper, `all` of these, or a comparison with references.
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(reproduce::possible_values()))]
    pub(super) name: String,
    /// Where results go [default: runs/<name>]; results of an earlier reproduction are replaced.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Seeds of each simulated scenario, 1 to N [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: Option<u64>,
    /// A short version: shorter and fewer runs, to see that it works; its figures prove nothing.
    #[arg(long)]
    pub(super) quick: bool,
    /// Length of each measurement on real processes [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) seconds: Option<u64>,
    /// Repetitions on real processes, each with a seed and processes of its own [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(super) runs: Option<u64>,
    /// Of `all`: only these, such as `table1,fig3`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) only: Vec<String>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or_else(|| "it must be a number of seconds from 0 on, such as `1.5`".to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("it must have the form KEY=VALUE, such as `duration=5 s`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn overrides_are_split_at_the_first_equals_sign() {
        assert_eq!(key_value("a.b = x=y"), Ok(("a.b".into(), "x=y".into())));
        assert!(key_value("=x").is_err() && key_value("x").is_err());
    }
}
