//! The world: nodes and the network between them, and the loop that lets time pass.

use crate::clock::NodeClock;
use crate::digest::{Happened, RunningHash, combine, identity};
use crate::error::SimError;
use crate::network::{Arrival, Entity, Network};
use crate::streams::needs_tcp;
use crate::tcp::Options;
use crate::tcp::host::Connections;
use bellini_core::Node;
use bellini_core::coding::CodingConfig;
use bellini_core::config::{NodeConfig, PacingConfig};
use bellini_core::drive::{Drained, Host, Sent, drain};
use bellini_core::ids::{HopIndex, Incarnation, NodeId, SessionKey};
use bellini_core::io::{Command, CommandError, Event, HopKind, Input, InputError, Received, Transmit};
use bellini_core::rng::Seed;
use bellini_core::stats::NodeStats;
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::frame::SEAL_BYTES;
use bellini_scenarios::model::{Link, Scenario};
use std::collections::{BTreeMap, VecDeque};

/// Frames that one drain hands out at most before the loop looks again; only a bound, never reached in practice.
const DRAIN_BUDGET: usize = 1 << 20;

/// No link.
const NONE: u32 = u32::MAX;

/// A node of the scenario: its process, if it is running, and what outlives it.
#[derive(Debug)]
pub struct SimNode {
    /// Its id.
    pub id: NodeId,
    /// The running process.
    pub process: Option<Box<Node>>,
    /// Its clock.
    pub clock: NodeClock,
    /// How often it was started.
    pub incarnation: u32,
    /// What earlier processes counted.
    pub past: NodeStats,
    /// Packets that died in feeders with earlier processes.
    pub crashed_packets: u64,
    /// Packets for next hops that no link leads to.
    pub unlinked_packets: u64,
    /// Running hash of what it took in.
    pub hash: RunningHash,
    /// The link for each of the process's hops.
    hop_links: Vec<u32>,
    /// Links out, by next hop.
    pub(crate) links: BTreeMap<NodeId, u32>,
    /// Deadline in the agenda.
    deadline: Option<Instant>,
}

impl SimNode {
    /// Returns what all its processes have counted.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        let mut stats = self.past;
        if let Some(process) = &self.process {
            stats.add(process.stats());
        }
        stats
    }
}

/// Nodes, network, and what comes out of them for the driver.
pub struct World<'a> {
    /// Nodes, by index as in the scenario.
    pub nodes: Vec<SimNode>,
    /// What is between them.
    pub network: Network,
    /// Events of nodes that the simulation has to act on.
    pub events: VecDeque<(u32, Event)>,
    /// Now, in true time.
    pub now: Instant,
    /// Events worked off.
    pub event_count: u64,
    pub(crate) scenario: &'a Scenario,
    seed: Seed,
    /// [`NodeConfig::clock_probes`] of all nodes.
    clock_probes: Option<Duration>,
    arrived: Vec<Arrival>,
    /// Ids of the nodes, by index.
    ids: Vec<NodeId>,
    /// For each link, what the receiving end calls it, by kind of hop.
    link_hops: Vec<[u32; HopKind::COUNT]>,
    /// TCP connections, where the scenario has some.
    pub(crate) tcp: Option<Box<Connections>>,
    /// Nodes that something was brought to.
    pub(crate) unsettled: Vec<u32>,
    /// The frame that is being handed over.
    pub(crate) frame: Vec<u8>,
}

impl<'a> World<'a> {
    /// Builds the world of a scenario; every node is running.
    ///
    /// # Errors
    /// When a node's configuration cannot work.
    pub fn new(scenario: &'a Scenario, seed: Seed) -> Result<Self, SimError> {
        Self::with_clock_probes(scenario, seed, None)
    }

    /// Builds the world of a scenario whose nodes estimate clocks themselves, by a probe each `clock_probes`; with
    /// `None`, whoever drives the world tells them.
    ///
    /// # Errors
    /// When a node's configuration cannot work.
    pub fn with_clock_probes(
        scenario: &'a Scenario,
        seed: Seed,
        clock_probes: Option<Duration>,
    ) -> Result<Self, SimError> {
        let zero = Instant::ZERO + scenario.settle;
        let mut world = Self {
            nodes: Vec::new(),
            network: Network::new(scenario, seed, zero),
            events: VecDeque::new(),
            now: Instant::ZERO,
            event_count: 0,
            scenario,
            seed,
            clock_probes,
            arrived: Vec::new(),
            ids: scenario.nodes.iter().map(|node| node.id).collect(),
            link_hops: vec![[NONE; HopKind::COUNT]; scenario.links.len()],
            tcp: None,
            unsettled: Vec::new(),
            frame: Vec::new(),
        };
        if needs_tcp(scenario) {
            let mut tcp = Connections::new(Options::of_stream_hops(), scenario.nodes.len());
            tcp.add_cross(scenario, &mut world.network, zero);
            world.tcp = Some(Box::new(tcp));
        }
        for spec in &scenario.nodes {
            let links = scenario.links.iter().enumerate().filter(|(_, link)| link.from == spec.id);
            world.nodes.push(SimNode {
                id: spec.id,
                process: None,
                clock: NodeClock::new(spec.clock_offset_ns, spec.clock_drift_ppb),
                incarnation: 0,
                past: NodeStats::default(),
                crashed_packets: 0,
                unlinked_packets: 0,
                hash: RunningHash::default(),
                hop_links: Vec::new(),
                links: links.map(|(i, link): (usize, &Link)| (link.to, i as u32)).collect(),
                deadline: None,
            });
        }
        for index in 0..scenario.nodes.len() {
            world.start_node(index as u32)?;
        }
        Ok(world)
    }

    /// Lets nodes use stream hops, although no session of the scenario does: others may come.
    pub fn allow_streams(&mut self) {
        let count = self.nodes.len();
        self.tcp.get_or_insert_with(|| Box::new(Connections::new(Options::of_stream_hops(), count)));
    }

    /// Starts a node's process.
    ///
    /// # Errors
    /// When its configuration cannot work.
    pub fn start_node(&mut self, index: u32) -> Result<(), SimError> {
        let spec = &self.scenario.nodes[index as usize];
        let node = &mut self.nodes[index as usize];
        node.incarnation += 1;
        let config = NodeConfig {
            incarnation: Incarnation(node.incarnation),
            feeder: spec.feeder,
            pacing: PacingConfig {
                rates: spec.hop_rates.iter().copied().collect(),
                ..PacingConfig::default()
            },
            congestion: spec.congestion,
            seal_bytes: if self.scenario.seal { SEAL_BYTES as u16 } else { 0 },
            coding: CodingConfig { recode: spec.recoding, ..CodingConfig::default() },
            report_interval: Some(self.scenario.report_interval),
            clock_probes: self.clock_probes,
            failover: self.scenario.failover,
            probing: self.scenario.probing_of(spec.id),
            ..NodeConfig::new(spec.id)
        };
        let local = node.clock.local(self.now);
        let process =
            Node::new(config, self.seed, local).map_err(|error| SimError::Config { node: spec.id, error })?;
        node.process = Some(Box::new(process));
        node.hop_links.clear();
        for (link, hops) in self.link_hops.iter_mut().enumerate() {
            if self.network.links[link].to == index {
                *hops = [NONE; HopKind::COUNT];
            }
        }
        self.settle(index);
        Ok(())
    }

    /// Ends a node's process at once; all that it held is lost.
    pub fn crash_node(&mut self, index: u32) -> Option<Box<Node>> {
        let node = &mut self.nodes[index as usize];
        let process = node.process.take()?;
        node.past.add(process.stats());
        node.crashed_packets += process.queued_packets();
        node.deadline = None;
        self.network.schedule(Entity::Node(index), None);
        self.network.crash(self.now, index);
        if let Some(tcp) = &mut self.tcp {
            tcp.crash(&mut self.network, index);
        }
        Some(process)
    }

    /// Returns a node's index.
    ///
    /// # Panics
    /// If the scenario has no such node.
    #[must_use]
    pub fn index_of(&self, id: NodeId) -> u32 {
        self.nodes.binary_search_by_key(&id, |node| node.id).expect("the scenario was checked") as u32
    }

    /// Gives a node a command. A node that is down does not hear it.
    ///
    /// # Errors
    /// What the node answers.
    pub fn give(&mut self, index: u32, command: Command) -> Result<(), CommandError> {
        let node = &mut self.nodes[index as usize];
        let local = node.clock.local(self.now);
        let Some(process) = &mut node.process else { return Ok(()) };
        let result = match process.handle_input(local, Input::Command(command)) {
            Err(InputError::Command(error)) => Err(error),
            _ => Ok(()),
        };
        self.settle(index);
        result
    }

    /// Works off the next event, if it comes at or before `until`. Returns who it was of; those of the conductor are
    /// left to the caller.
    #[inline]
    pub fn step(&mut self, until: Instant) -> Option<Entity> {
        let at = self.network.agenda.peek_time()?;
        if at > until {
            return None;
        }
        let (at, _, number) = self.network.agenda.pop()?;
        debug_assert!(at >= self.now, "time runs forwards");
        self.now = at;
        self.event_count += 1;
        let entity = self.network.entity(number);
        match entity {
            Entity::Node(index) => {
                let node = &mut self.nodes[index as usize];
                node.deadline = None;
                let local = node.clock.local(at);
                if let Some(process) = &mut node.process {
                    // A timeout is never refused.
                    let _ = process.handle_input(local, Input::Timeout);
                }
                self.settle(index);
            }
            Entity::Conductor(_) => {}
            Entity::Connection(place) => self.step_connection(place),
            _ => {
                let mut arrived = core::mem::take(&mut self.arrived);
                self.network.poll(at, entity, &mut arrived);
                for arrival in arrived.drain(..) {
                    self.receive(arrival);
                }
                self.arrived = arrived;
            }
        }
        Some(entity)
    }

    /// Hands a frame to the node that it came to.
    #[inline]
    fn receive(&mut self, Arrival { node: index, link, frame }: Arrival) {
        if self.network.links[link as usize].pool.is_segment(frame) {
            self.receive_segment(index, link, frame);
            return;
        }
        let node = &mut self.nodes[index as usize];
        let Some(process) = &mut node.process else {
            self.network.drop_at_dead_node(self.now, link, frame);
            return;
        };
        let state = &mut self.network.links[link as usize];
        let payload = state.pool.take_payload(frame);
        let kind = state.pool.kind(frame);
        let hop = &mut self.link_hops[link as usize][kind as usize];
        if *hop == NONE {
            *hop = process.hop(self.ids[state.from as usize], kind).0;
        }
        let hop = HopIndex(*hop);
        let local = node.clock.local(self.now);
        let header = state.pool.header(frame);
        node.hash.add(self.now, Happened::Received, identity(header), 0);
        self.network.ledger.delivered += u64::from(state.pool.is_packet(frame));
        let received = Received::Split { header, payload };
        // What is refused is counted by the node.
        let _ = process.handle_input(local, Input::Frame { hop, frame: received });
        state.pool.remove(frame);
        self.settle(index);
    }

    /// Drains a node and sets its deadline.
    #[inline]
    pub fn settle(&mut self, index: u32) {
        self.settle_node(index);
        if self.tcp.is_some() {
            self.settle_streams(index);
        }
    }

    #[inline]
    pub(crate) fn settle_node(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let Some(process) = &mut node.process else { return };
        let local = node.clock.local(self.now);
        let mut host = SimHost {
            network: &mut self.network,
            tcp: self.tcp.as_deref_mut(),
            events: &mut self.events,
            links: &node.links,
            hop_links: &mut node.hop_links,
            unlinked_packets: &mut node.unlinked_packets,
            now: self.now,
            index,
        };
        let deadline = loop {
            match drain(process, local, DRAIN_BUDGET, &mut host) {
                Drained::Idle(deadline) => break deadline,
                Drained::MoreWork => {}
            }
        };
        let at = deadline.map(|deadline| node.clock.true_time(deadline.at).max(self.now));
        if at != node.deadline {
            node.deadline = at;
            self.network.schedule(Entity::Node(index), at);
        }
    }

    /// Checks that every packet is accounted for in every node.
    ///
    /// # Errors
    /// The first sum that does not add up.
    pub fn check_nodes(&self) -> Result<(), SimError> {
        for node in &self.nodes {
            if let Some(Err((made, ended))) = node.process.as_ref().map(|process| process.check_ledger()) {
                return Err(SimError::NodeLedger { at: self.now.to_string(), node: node.id, made, ended });
            }
        }
        Ok(())
    }

    /// Checks that every packet is accounted for, in every node and in the network, where all are counted.
    ///
    /// # Errors
    /// The first sum that does not add up.
    pub fn check_ledger(&self) -> Result<(), SimError> {
        self.check_nodes()?;
        let at = self.now.to_string();
        let mut sent = 0;
        let mut received = 0;
        for node in &self.nodes {
            let stats = node.stats();
            sent += stats.sent_packets - node.unlinked_packets;
            received += stats.received_packets;
        }
        let ledger = self.network.ledger;
        let accounted =
            ledger.delivered + ledger.dropped + self.network.packets_inside() + self.packets_in_streams();
        if ledger.taken != accounted || sent != ledger.taken || received != ledger.delivered {
            return Err(SimError::NetworkLedger { at, taken: sent.max(ledger.taken), accounted });
        }
        Ok(())
    }

    /// Returns the digest of the run: a hash over what every node and link did.
    #[must_use]
    pub fn digest(&self) -> String {
        let of_node = |node: &SimNode| {
            let mut hash = node.hash;
            let stats = node.stats();
            for number in [
                stats.delivered_packets,
                stats.duplicate_packets,
                stats.forwarded_packets,
                stats.dropped_total(),
            ] {
                hash.add_number(number);
            }
            hash
        };
        combine(self.nodes.iter().map(of_node), self.network.links.iter().map(|link| link.hash))
    }

    /// Returns a session at a node, if the node runs and knows it.
    #[must_use]
    pub fn session(&self, index: u32, key: SessionKey) -> Option<&bellini_core::session::SessionEntry> {
        self.nodes[index as usize].process.as_ref()?.session(key)
    }
}

/// What the simulator does with a node's outputs.
struct SimHost<'a> {
    network: &'a mut Network,
    tcp: Option<&'a mut Connections>,
    events: &'a mut VecDeque<(u32, Event)>,
    links: &'a BTreeMap<NodeId, u32>,
    hop_links: &'a mut Vec<u32>,
    unlinked_packets: &'a mut u64,
    now: Instant,
    index: u32,
}

impl Host for SimHost<'_> {
    #[inline]
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        if frame.kind == HopKind::Stream {
            if let Some(tcp) = &mut self.tcp {
                tcp.push(self.network, self.index, frame);
            }
            return Sent::Taken;
        }
        let hop = frame.hop.0 as usize;
        if hop >= self.hop_links.len() {
            self.hop_links.resize(hop + 1, NONE);
        }
        if self.hop_links[hop] == NONE {
            match self.links.get(&frame.peer) {
                Some(link) => self.hop_links[hop] = *link,
                None => {
                    *self.unlinked_packets += u64::from(frame.is_packet);
                    return Sent::Taken;
                }
            }
        }
        let link = self.hop_links[hop];
        self.network.send(self.now, link, frame);
        Sent::Taken
    }

    fn event(&mut self, _: Instant, event: Event) {
        self.events.push_back((self.index, event));
    }
}
