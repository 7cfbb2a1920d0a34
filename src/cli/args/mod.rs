//! What was typed, and nothing more: the subcommands here, their options in a file for each group.

mod hosts;
mod lab;
mod node;
mod reproduce;
mod results;
mod scenario;

pub(super) use hosts::{
    AttachOptions, DeployCollectOptions, DeployOptions, DeployRunOptions, DeployStartOptions, DeployStep,
    DoctorOptions, HostOptions, LiveOptions, ProbeOptions,
};
pub(super) use lab::{FidelityOptions, LabNetwork, LabOptions};
pub(super) use node::{CalibrateOptions, KeysOptions, KeysVerb, ListingOptions, NodeOptions};
pub(super) use reproduce::ReproduceOptions;
pub(super) use results::{CompareOptions, ExplainOptions, ReplayOptions, ReportOptions};
pub(super) use scenario::{CheckOptions, PlanOptions, RunOptions, ScenarioOptions};

use clap::{Parser, Subcommand};

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
