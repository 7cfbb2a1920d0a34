//! A lab in which nothing happens: nodes and the network between them, to be looked at from outside.
//!
//! Nobody conducts it. Each node's console is a Unix socket, so that whoever likes (`bellini calibrate`, a person)
//! can treat the network as one that was found, not made.

use super::cross::CrossTcp;
use super::error::LabError;
use super::netns::Namespace;
use super::network::{self, Ground, Network};
use super::pace::Clock;
use super::plan::{LabOptions, Plan};
use super::workshop::Workshop;
use bellini_core::ids::NodeId;
use bellini_scenarios::model::Scenario;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a node may take until it listens. Far beyond what a busy machine needs.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
/// How often sockets and processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running lab without a conductor. Dropping it ends its processes and takes the network away.
#[derive(Debug)]
pub struct IdleLab {
    // In this order they are dropped: processes end before their network, and files go last.
    nodes: Vec<IdleNode>,
    cross: Option<CrossTcp>,
    network: Option<Network>,
    namespaces: Vec<Namespace>,
    workshop: Workshop,
    /// What ends it: taken from the moment on in which it is there, so that none comes too early.
    signals: Option<Signals>,
}

/// SIGINT and SIGTERM, and what waits for them.
#[derive(Debug)]
struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn take() -> Result<Self, LabError> {
        let failed = |error: std::io::Error| LabError::Environment(format!("waiting for signals: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let taken = runtime
            .block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) });
        let (interrupt, terminate) = taken.map_err(failed)?;
        Ok(Self { runtime, interrupt, terminate })
    }
}

#[derive(Debug)]
struct IdleNode {
    id: NodeId,
    console: PathBuf,
    process: Child,
    /// What it writes to standard error.
    words: PathBuf,
}

impl IdleLab {
    /// Starts the nodes and the network of a scenario, and returns when all nodes listen. Conferences, sessions and
    /// faults are not played; cross traffic is.
    ///
    /// # Errors
    /// When the scenario asks for what the lab cannot do, the machine does not allow it, or a node does not start.
    pub fn start(scenario: &Scenario, seed: u64, options: &LabOptions) -> Result<Self, LabError> {
        let environment = |error: &dyn std::fmt::Display| LabError::Environment(error.to_string());
        network::check(scenario, options.kernel_shaper)?;
        CrossTcp::check(scenario)?;
        let workshop = Workshop::open(&std::env::temp_dir()).map_err(|error| environment(&error))?;
        let (namespaces, ground) = Ground::lay(scenario, options.kernel_shaper)?;
        let now_ns = Clock::starting_now().origin_ns();
        let plan = Plan::new(scenario, seed, options, network::address, now_ns, workshop.path());
        let mut cross = CrossTcp::prepare(scenario, &namespaces)?;
        let mut lab =
            Self { nodes: Vec::new(), cross: None, network: None, namespaces, workshop, signals: None };
        for node in 0..plan.nodes.len() {
            let id = plan.nodes[node].id;
            let console = lab.directory().join(format!("{id}.sock"));
            let mut command = plan.command(node as u32, 1, &console)?;
            let words = lab.directory().join(format!("{id}.err"));
            let words_to = File::create(&words).map_err(|error| environment(&error))?;
            // Ctrl-C is for the lab, which then ends its nodes in order.
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words_to).process_group(0);
            let process = lab.namespaces[node].spawn(command).map_err(|error| environment(&error))?;
            lab.workshop.note_process(process.id());
            lab.nodes.push(IdleNode { id, console, process, words });
        }
        let deadline = Instant::now() + LISTENS_WITHIN;
        while !lab.nodes.iter().all(|node| node.console.exists()) {
            lab.check()?;
            if Instant::now() > deadline {
                return Err(LabError::Failed("a node did not open its console in time".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let (network, clock) = ground.join(scenario, seed)?;
        lab.network = Some(network);
        cross.begin(clock, bellini_core::time::Instant::ZERO + scenario.settle)?;
        lab.cross = Some(cross);
        lab.signals = Some(Signals::take()?);
        Ok(lab)
    }

    /// Returns the directory of the consoles' sockets.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.workshop.path()
    }

    /// Returns each node with the socket of its console, in the order of ids.
    pub fn consoles(&self) -> impl Iterator<Item = (NodeId, &Path)> {
        self.nodes.iter().map(|node| (node.id, node.console.as_path()))
    }

    /// Waits for SIGINT (Ctrl-C) or SIGTERM.
    ///
    /// # Errors
    /// When a node died meanwhile. A second call returns at once.
    pub fn wait(&mut self) -> Result<(), LabError> {
        let Some(Signals { runtime, mut interrupt, mut terminate }) = self.signals.take() else {
            return Ok(());
        };
        runtime.block_on(async {
            let mut look = tokio::time::interval(LOOK_EVERY);
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    _ = look.tick() => self.check()?,
                }
            }
        })
    }

    /// Checks that all processes still run.
    fn check(&mut self) -> Result<(), LabError> {
        for node in &mut self.nodes {
            match node.process.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    let words = std::fs::read_to_string(&node.words).unwrap_or_default();
                    let words = words.trim_end();
                    return Err(LabError::Failed(format!("node {} has ended ({status}):\n{words}", node.id)));
                }
                Err(error) => return Err(LabError::Failed(format!("node {}: {error}", node.id))),
            }
        }
        Ok(())
    }
}

impl Drop for IdleNode {
    fn drop(&mut self) {
        // Both fail only when it is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
