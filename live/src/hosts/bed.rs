//! Real hosts as a testbed: node processes behind consoles that ssh carries.
//!
//! A node that dies, or cannot be reached any more, does not end the run: what it had counted at the last look stays,
//! it is named in the results, and the others go on.

mod clocks;
mod hearing;
mod testbed;

use super::HostsError;
use super::deployment::{Deployment, all, together};
use super::place::Place;
use super::plan::{RunOptions, seal_there, settings};
use crate::console::{Answer, NodeSettings, Order};
use crate::lab::process::{Heard, NodeProcess, Saying};
use crate::node::{ClockId, read_ns};
use crate::play::{Hears, Past, Said};
use crate::seal::SealSettings;
use crate::seal::keys::Issued;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::{
    LinkFigures, ProcessFigures, SessionCounts, SessionFigures, Testbed, TestbedError,
};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::EventRow;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration as StdDuration, Instant as HostInstant};

/// How long a node may take until it listens.
const READY_WITHIN: StdDuration = StdDuration::from_secs(30);
/// How long a node may take to answer: some round trips around the world, and a busy host.
const ANSWER_WITHIN: StdDuration = StdDuration::from_secs(8);
/// How long nodes may take to end after they were told to.
const END_WITHIN: StdDuration = StdDuration::from_secs(4);
/// Distance of looks with everything, which is what remains of a node that dies; longer where there are many sessions.
const FULL_EVERY: Duration = Duration::from_secs(1);
const FULL_EVERY_MANY: Duration = Duration::from_secs(10);
/// Sessions at all nodes together from which on there are many.
const MANY: usize = 256;
/// Questions to each node by which its clock is set against ours: the quickest answer counts.
const CLOCK_QUESTIONS: usize = 5;
/// Warnings of nodes that are kept for the notes of the run.
const WARNINGS_MAX: usize = 20;
/// Clocks of nodes show this much at the start of a run, in nanoseconds.
const CLOCK_BASE_NS: i64 = 86_400_000_000_000;

/// Node processes on hosts.
pub(super) struct HostsBed<'a> {
    scenario: &'a Scenario,
    seed: u64,
    deployment: &'a Deployment,
    places: &'a [Place],
    options: &'a RunOptions,
    /// The keys of this run; `None`: hops are plain.
    keys: Option<Issued>,
    /// Keys of sessions that are sealed from end to end are made of it: new for each run, told to nobody.
    secret: [u8; 32],
    /// What the clocks of nodes count from, in nanoseconds since 1970.
    origin_ns: i64,
    nodes: Vec<HostNode>,
    /// Both ends of each link, by index.
    ends: Vec<(u32, u32)>,
    /// When the run began, by the monotonic clock and by ours; `None` before it.
    began: Option<(HostInstant, i64)>,
    is_ending: bool,
    heard: Receiver<Heard>,
    speak: Sender<Heard>,
    /// Events that came while something else was waited for.
    events: VecDeque<Said>,
    /// What happened to nodes, for the event log.
    news: Vec<EventRow>,
    warnings: Vec<String>,
    next_id: u64,
    /// True time of the last look with everything.
    full_at: Instant,
}

/// A node: the way to its console, and what was counted.
#[derive(Default)]
struct HostNode {
    console: Option<NodeProcess>,
    /// Whether it has said that it listens.
    listens: bool,
    incarnation: u32,
    /// Why it is lost, if it is.
    failed: Option<String>,
    /// Its clock is ahead of ours by so many nanoseconds, and the round trip by which that is known.
    ahead_ns: i64,
    round_trip: StdDuration,
    past: Past,
    /// What ended processes sent to each peer.
    past_hops: BTreeMap<NodeId, LinkFigures>,
    /// Frames from each peer that did not arrive at them.
    past_missing: BTreeMap<NodeId, u64>,
    /// Of the last look at the running process.
    figures: ProcessFigures,
    /// Its sessions with everything, of the last look that asked for them.
    kept: Vec<(SessionKey, SessionFigures)>,
}

impl<'a> HostsBed<'a> {
    /// Starts every node's process on its host and waits until all listen.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with every node that cannot be started.
    pub(super) fn start(
        scenario: &'a Scenario,
        seed: u64,
        deployment: &'a Deployment,
        places: &'a [Place],
        options: &'a RunOptions,
    ) -> Result<Self, HostsError> {
        let is_inside = places.iter().all(|place| place.addresses.data.ip().is_loopback());
        let keys = match (options.plaintext || is_inside) && !scenario.seal {
            true => None,
            false => Some(deployment.issue_keys(places)?),
        };
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| HostsError::Environment("the system gives no random bytes".to_owned()))?;
        let (speak, heard) = channel();
        let index = |id: NodeId| scenario.nodes.iter().position(|node| node.id == id).unwrap_or(0) as u32;
        let mut bed = Self {
            scenario,
            seed,
            deployment,
            places,
            options,
            keys,
            secret,
            origin_ns: read_ns(ClockId::CLOCK_REALTIME) - CLOCK_BASE_NS,
            nodes: places.iter().map(|_| HostNode::default()).collect(),
            ends: scenario.links.iter().map(|link| (index(link.from), index(link.to))).collect(),
            began: None,
            is_ending: false,
            heard,
            speak,
            events: VecDeque::new(),
            news: Vec::new(),
            warnings: Vec::new(),
            next_id: 0,
            full_at: Instant::ZERO,
        };
        let numbers: Vec<u32> = (0..places.len() as u32).collect();
        let told: Vec<_> = numbers.iter().map(|node| (*node, bed.settings(*node, 1))).collect();
        let keys = bed.keys.as_ref();
        let start = |(node, told): &(u32, NodeSettings)| {
            let place = &places[*node as usize];
            deployment.start(place, told, keys.and_then(|keys| keys.nodes.get(&place.id)), false)
        };
        all(together(&told, start))?;
        for node in &numbers {
            bed.attach(*node, 1)?;
        }
        let problems: Vec<Result<(), HostsError>> =
            numbers.iter().map(|node| bed.until_ready(*node)).collect();
        all(problems)?;
        bed.compare_clocks()?;
        Ok(bed)
    }

    /// Begins the run: true time is zero now.
    pub(super) fn begin(&mut self) {
        self.began = Some((HostInstant::now(), read_ns(ClockId::CLOCK_REALTIME)));
    }

    /// Returns the longest round trip to a console, and the largest distance of a node's clock from ours.
    pub(super) fn distances(&self) -> (StdDuration, StdDuration) {
        let round_trip = self.nodes.iter().map(|node| node.round_trip).max().unwrap_or_default();
        let ahead = self.nodes.iter().map(|node| node.ahead_ns.unsigned_abs()).max().unwrap_or(0);
        (round_trip, StdDuration::from_nanos(ahead))
    }

    /// Returns the nodes that were lost, by index, with the reason.
    pub(super) fn failed(&self) -> impl Iterator<Item = (u32, &str)> {
        let numbered = (0..).zip(&self.nodes);
        numbered.filter_map(|(number, node)| Some((number, node.failed.as_deref()?)))
    }

    /// Returns what nodes complained of, each line once.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Ends all processes, with time to end their logs.
    pub(super) fn end(&mut self) {
        self.is_ending = true;
        let up = self.up();
        for node in &up {
            self.order(*node, &Order::Stop);
        }
        let deadline = HostInstant::now() + END_WITHIN;
        let mut waiting: BTreeSet<u32> = up.into_iter().collect();
        while !waiting.is_empty() {
            let left = deadline.saturating_duration_since(HostInstant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else { break };
            if matches!(heard.what, Saying::Ended) {
                waiting.remove(&heard.node);
            }
        }
        self.detach_all();
    }

    fn detach_all(&mut self) {
        for node in &mut self.nodes {
            if let Some(console) = node.console.take() {
                console.kill();
            }
        }
    }

    fn settings(&self, node: u32, incarnation: u32) -> NodeSettings {
        let told =
            settings(self.scenario, self.seed, self.places, node, incarnation, self.origin_ns, self.options);
        NodeSettings { seal: self.keys_of(node).map(seal_there), ..told }
    }

    fn keys_of(&self, node: u32) -> Option<&SealSettings> {
        self.keys.as_ref()?.nodes.get(&self.places[node as usize].id)
    }

    /// Whether hops are sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.keys.is_some()
    }

    fn attach(&mut self, node: u32, incarnation: u32) -> Result<(), HostsError> {
        let mut command = self.deployment.console(&self.places[node as usize]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| HostsError::Environment(error.to_string()))?;
        let state = &mut self.nodes[node as usize];
        state.console = Some(NodeProcess::new(child, node, incarnation, self.speak.clone()));
        state.incarnation = incarnation;
        (state.listens, state.failed) = (false, None);
        state.figures = ProcessFigures::default();
        Ok(())
    }

    fn name(&self, node: u32) -> String {
        format!("node {}", self.places[node as usize].name)
    }

    /// Gives an order; a node that takes none is lost.
    fn order(&mut self, node: u32, order: &Order) -> bool {
        let Some(console) = &mut self.nodes[node as usize].console else { return false };
        match console.order(order) {
            Ok(()) => true,
            // What it said last tells more than the broken pipe, and is on its way.
            Err(_) => false,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Asks several nodes for their figures at once; those that do not answer are lost.
    fn look_at(&mut self, nodes: &[u32], full: bool, finish: bool) {
        let id = self.id();
        let order = Order::Look { id, full, finish };
        let mut waiting: BTreeSet<u32> =
            nodes.iter().copied().filter(|node| self.order(*node, &order)).collect();
        let deadline = HostInstant::now() + ANSWER_WITHIN;
        while !waiting.is_empty() {
            let left = deadline.saturating_duration_since(HostInstant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                for node in core::mem::take(&mut waiting) {
                    self.lose(node, "it does not answer".to_owned());
                }
                break;
            };
            if let Some((node, Answer::Figures { id: theirs, mut figures, .. })) = self.take_in(heard)
                && theirs == id
            {
                if let Some((made, ended)) = figures.ledger {
                    let text = format!(
                        "packets do not add up: {made} came in or were made, {ended} are accounted for"
                    );
                    self.warn(node, &text);
                }
                let state = &mut self.nodes[node as usize];
                if full {
                    state.kept = core::mem::take(&mut figures.sessions);
                }
                state.figures = *figures;
                waiting.remove(&node);
            }
            waiting.retain(|node| self.nodes[*node as usize].console.is_some());
        }
        if full {
            self.full_at = self.now();
        }
    }

    fn up(&self) -> Vec<u32> {
        (0..self.nodes.len() as u32).filter(|node| self.node_is_up(*node)).collect()
    }

    fn counts(&self, node: u32, key: SessionKey) -> Option<&SessionCounts> {
        let state = &self.nodes[node as usize];
        state.console.as_ref()?;
        state.figures.counts.iter().find(|counts| counts.key == key)
    }

    /// Whether a look with everything is due.
    fn wants_full(&self) -> bool {
        let sessions: usize = self.nodes.iter().map(|node| node.figures.counts.len()).sum();
        let every = if sessions < MANY { FULL_EVERY } else { FULL_EVERY_MANY };
        self.now().saturating_since(self.full_at) >= every
    }
}

impl Hears for HostsBed<'_> {
    fn next_event(&mut self, until: Instant) -> Result<Option<Said>, TestbedError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let left = StdDuration::from_nanos(until.saturating_since(self.now()).as_nanos());
            match self.heard.recv_timeout(left) {
                Ok(heard) => {
                    // Answers that nobody waits for any more are let go.
                    let _ = self.take_in(heard);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => unreachable!("the bed holds a sender itself"),
            }
        }
    }

    fn news(&mut self) -> Vec<EventRow> {
        core::mem::take(&mut self.news)
    }
}

impl Drop for HostsBed<'_> {
    fn drop(&mut self) {
        self.detach_all();
    }
}
