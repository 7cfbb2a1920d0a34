//! The lab as a testbed: node processes in namespaces, and the network between them.

mod testbed;

use super::cross::CrossTcp;
use super::error::LabError;
use super::netns::Namespace;
use super::network::Network;
use super::pace::Clock;
use super::plan::Plan;
use super::process::{Heard, NodeProcess, Saying};
use super::wan::{Wan, WanError};
use super::workshop::Workshop;
use crate::console::{Answer, Order};
use crate::play::{Hears, Past, Said};
use bellini_core::ids::SessionKey;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{LinkFigures, ProcessFigures, Testbed, TestbedError};
use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration as StdDuration;

/// How long a node process may take until it listens, or to answer an order. Far beyond what a busy machine needs:
/// who passes it hangs.
const ANSWER_WITHIN: StdDuration = StdDuration::from_secs(10);

/// How long node processes may take to end after they were told to.
const END_WITHIN: StdDuration = StdDuration::from_secs(3);

/// Warnings of nodes that are kept for the notes of the run.
const WARNINGS_MAX: usize = 20;

/// Node processes and the network between them.
pub(super) struct LabBed<'a> {
    plan: &'a Plan,
    namespaces: &'a [Namespace],
    workshop: &'a Workshop,
    nodes: Vec<LabNode>,
    /// The network, and the clock that shows zero at the start of the run; `None` before it.
    running: Option<(Network, Clock)>,
    /// TCP of others; `None` before the run.
    cross: Option<CrossTcp>,
    /// Nodes were told to end: that they do is no failure.
    is_ending: bool,
    links_up: Vec<bool>,
    links: Vec<LinkFigures>,
    heard: Receiver<Heard>,
    speak: Sender<Heard>,
    /// Events that came while something else was waited for.
    events: VecDeque<Said>,
    /// What went wrong while nobody could be told.
    broken: Option<String>,
    warnings: Vec<String>,
    next_id: u64,
}

/// A node of the lab: its process, if it runs, and what earlier ones counted.
#[derive(Default)]
struct LabNode {
    process: Option<NodeProcess>,
    /// Whether that process has said that it listens.
    listens: bool,
    incarnation: u32,
    past: Past,
    /// Of the last look at the running process.
    figures: ProcessFigures,
}

impl<'a> LabBed<'a> {
    /// Starts every node's process, each in its namespace, and waits until all listen.
    ///
    /// # Errors
    /// When one cannot be started or does not listen in time.
    pub(super) fn start(
        plan: &'a Plan,
        namespaces: &'a [Namespace],
        workshop: &'a Workshop,
    ) -> Result<Self, LabError> {
        let (speak, heard) = channel();
        let mut bed = Self {
            plan,
            namespaces,
            workshop,
            nodes: plan.nodes.iter().map(|_| LabNode::default()).collect(),
            running: None,
            cross: None,
            is_ending: false,
            links_up: vec![true; plan.link_count],
            links: vec![LinkFigures::default(); plan.link_count],
            heard,
            speak,
            events: VecDeque::new(),
            broken: None,
            warnings: Vec::new(),
            next_id: 0,
        };
        for node in 0..plan.nodes.len() as u32 {
            bed.launch(node)?;
        }
        for node in 0..plan.nodes.len() as u32 {
            bed.until_ready(node)?;
        }
        Ok(bed)
    }

    /// Begins the run: `network` joins the nodes, true time is what `clock` shows, and `cross` has begun.
    pub(super) fn begin(&mut self, network: Network, clock: Clock, cross: CrossTcp) {
        self.running = Some((network, clock));
        self.cross = Some(cross);
    }

    /// Returns what went wrong with the TCP of others, one sentence a connection.
    pub(super) fn cross_problems(&self) -> Vec<String> {
        self.cross.as_ref().map_or_else(Vec::new, CrossTcp::problems)
    }

    /// Ends all processes, with time to end their logs, and gives the network back.
    pub(super) fn end(&mut self) -> Option<Network> {
        self.is_ending = true;
        for node in self.up() {
            self.order(node, &Order::Stop);
        }
        let deadline = std::time::Instant::now() + END_WITHIN;
        let mut waiting = self.up().len();
        while waiting > 0 {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else { break };
            waiting -= usize::from(matches!(heard.what, Saying::Ended));
        }
        self.kill_all();
        self.cross = None;
        self.running.take().map(|(network, _)| network)
    }

    /// Notes something that readers of the results must know.
    pub(super) fn note(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }

    fn kill_all(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = node.process.take() {
                process.kill();
            }
        }
    }

    /// Returns what nodes complained of, each line once.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn launch(&mut self, node: u32) -> Result<(), LabError> {
        let state = &mut self.nodes[node as usize];
        state.incarnation += 1;
        let mut command = self.plan.command(node, state.incarnation, "stdio")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.namespaces[node as usize]
            .spawn(command)
            .map_err(|error| LabError::Environment(error.to_string()))?;
        self.workshop.note_process(child.id());
        state.process = Some(NodeProcess::new(child, node, state.incarnation, self.speak.clone()));
        state.listens = false;
        state.figures = ProcessFigures::default();
        Ok(())
    }

    /// Waits until a node listens; others may say so meanwhile.
    fn until_ready(&mut self, node: u32) -> Result<(), LabError> {
        let did_not = |bed: &Self, error: TestbedError| {
            LabError::Failed(format!("{} did not start: {error}", bed.name(node)))
        };
        let deadline = std::time::Instant::now() + ANSWER_WITHIN;
        while !self.nodes[node as usize].listens {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                return Err(did_not(self, TestbedError("it does not answer".to_owned())));
            };
            self.take_in(heard).map_err(|error| did_not(self, error))?;
        }
        Ok(())
    }

    /// Waits for an answer of one node; events of all nodes are kept meanwhile.
    fn wait(&mut self, node: u32, wanted: impl Fn(&Answer) -> bool) -> Result<Answer, TestbedError> {
        let deadline = std::time::Instant::now() + ANSWER_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                return Err(TestbedError(format!("{} does not answer", self.name(node))));
            };
            if let Some((who, answer)) = self.take_in(heard)?
                && who == node
                && wanted(&answer)
            {
                return Ok(answer);
            }
        }
    }

    /// Takes in what was heard: events and warnings are kept, answers are given back.
    fn take_in(&mut self, heard: Heard) -> Result<Option<(u32, Answer)>, TestbedError> {
        let Heard { node, incarnation, what } = heard;
        let state = &self.nodes[node as usize];
        if state.incarnation != incarnation || state.process.is_none() {
            return Ok(None);
        }
        match what {
            Saying::Answer(answer) => match *answer {
                Answer::Event { at, event } => {
                    let at = self.true_time(node, at);
                    self.events.push_back(Said { node, at, event });
                }
                Answer::Refused { problem, .. } => self.warn(node, &problem),
                Answer::Warning(text) => self.warn(node, &text),
                Answer::Ready { .. } => self.nodes[node as usize].listens = true,
                Answer::Bye => {}
                answer => return Ok(Some((node, answer))),
            },
            Saying::Garbled(line) => self.warn(node, &format!("said what is no answer: {line}")),
            Saying::Ended if self.is_ending => {}
            Saying::Ended => {
                let process = self.nodes[node as usize].process.take();
                let words = process.map(|process| {
                    let words = process.last_words();
                    process.kill();
                    words
                });
                let words = words.filter(|words| !words.is_empty()).map(|words| format!(":\n{words}"));
                let name = self.name(node);
                return Err(TestbedError(format!("{name} died{}", words.unwrap_or_default())));
            }
        }
        Ok(None)
    }

    fn warn(&mut self, node: u32, text: &str) {
        let line = format!("{}: {text}", self.name(node));
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.contains(&line) {
            self.warnings.push(line);
        }
    }

    fn name(&self, node: u32) -> String {
        format!("node {}", self.plan.nodes[node as usize].name)
    }

    /// Gives an order; what goes wrong is told at the next chance.
    fn order(&mut self, node: u32, order: &Order) -> bool {
        let Some(process) = &mut self.nodes[node as usize].process else { return false };
        match process.order(order) {
            Ok(()) => true,
            Err(error) => {
                let problem = format!("{} takes no orders: {error}", self.name(node));
                self.broken.get_or_insert(problem);
                false
            }
        }
    }

    /// Returns the true time at which a node's clock shows `shown`.
    fn true_time(&self, node: u32, shown: Instant) -> Instant {
        let Some((_, clock)) = &self.running else { return Instant::ZERO };
        let ns = self.plan.when(node, shown.as_nanos()).saturating_sub(clock.origin_ns());
        Instant::from_nanos(u64::try_from(ns).unwrap_or(0))
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Asks several nodes for their figures at once.
    fn look_at(&mut self, nodes: &[u32], full: bool, finish: bool) -> Result<(), TestbedError> {
        let id = self.id();
        let order = Order::Look { id, full, finish };
        let asked: Vec<u32> = nodes.iter().copied().filter(|node| self.order(*node, &order)).collect();
        let mut waiting = asked.len();
        let deadline = std::time::Instant::now() + ANSWER_WITHIN;
        while waiting > 0 {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                return Err(TestbedError(format!("{waiting} of {} nodes do not answer", asked.len())));
            };
            if let Some((node, Answer::Figures { id: theirs, figures, .. })) = self.take_in(heard)?
                && theirs == id
            {
                if let Some((made, ended)) = figures.ledger {
                    let name = self.name(node);
                    return Err(TestbedError(format!(
                        "packets do not add up at {name}: {made} came in or were made, {ended} are accounted for"
                    )));
                }
                self.nodes[node as usize].figures = *figures;
                waiting -= 1;
            }
        }
        Ok(())
    }

    fn look_at_links(&mut self) -> Result<(), TestbedError> {
        if let Some((network, _)) = &mut self.running {
            self.links = network.wan().all_figures().map_err(|error| TestbedError(error.to_string()))?;
        }
        Ok(())
    }

    /// Tells the network something; what goes wrong is told at the next chance.
    fn tell_wan(&mut self, tell: impl FnOnce(&mut dyn Wan) -> Result<(), WanError>) {
        if let Some((network, _)) = &mut self.running
            && let Err(error) = tell(network.wan())
        {
            self.broken.get_or_insert(error.to_string());
        }
    }

    fn up(&self) -> Vec<u32> {
        (0..self.nodes.len() as u32).filter(|node| self.node_is_up(*node)).collect()
    }

    fn counts(&self, node: u32, key: SessionKey) -> Option<&bellini_scenarios::conduct::SessionCounts> {
        let state = &self.nodes[node as usize];
        state.process.as_ref()?;
        state.figures.counts.iter().find(|counts| counts.key == key)
    }
}

impl Hears for LabBed<'_> {
    fn next_event(&mut self, until: Instant) -> Result<Option<Said>, TestbedError> {
        loop {
            if let Some(problem) = self.broken.take() {
                return Err(TestbedError(problem));
            }
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let left = StdDuration::from_nanos(until.saturating_since(self.now()).as_nanos());
            match self.heard.recv_timeout(left) {
                Ok(heard) => {
                    // Answers that nobody waits for any more are let go.
                    let _ = self.take_in(heard)?;
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => unreachable!("the bed holds a sender itself"),
            }
        }
    }
}

impl Drop for LabBed<'_> {
    fn drop(&mut self) {
        self.kill_all();
    }
}
