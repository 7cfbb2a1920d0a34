//! Nodes joined by ideal links with a delay, driven by the one drain loop. The ledger of every node, and what a
//! full drain promises about the deadline, are checked after every step.

use bellini_core::Node;
use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::drive::{Drained, Host, Sent, drain};
use bellini_core::ids::{Epoch, HopIndex, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Input, Install, MeasureWindow, Received, SessionSpec, SinkSpec,
    Transmit,
};
use bellini_core::payload::{self, Payload};
use bellini_core::rng::{Seed, Stream};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Delay of every link.
pub(super) const DELAY: Duration = Duration::from_millis(10);
pub(super) const SEED: Seed = Seed(7);
pub(super) const KEY: SessionKey = SessionKey::new(1, 2);
pub(super) const SYMBOL_BYTES: u32 = 1_200;

/// Room of a stream's send buffer, in bytes.
pub(super) const ROOM: usize = 5_000;

/// What crosses a link, with everything made real.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: HopKind,
    pub(super) bytes: Bytes,
    pub(super) is_packet: bool,
}

/// One direction of a stream hop: a send buffer that the network empties in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    buffered: VecDeque<u8>,
    pub(super) is_stalled: bool,
    pub(super) most_buffered: usize,
}

type Nodes = BTreeMap<u32, Node>;

#[derive(Debug)]
pub(super) struct Net {
    pub(super) now: Instant,
    nodes: Nodes,
    incarnations: BTreeMap<u32, u32>,
    configure: fn(&mut NodeConfig),
    in_flight: BTreeMap<(Instant, u64), Crossing>,
    /// Every so many-th packet is lost; 0: none.
    pub(super) lose_every: u64,
    /// Chance of a data packet to be lost.
    pub(super) loss: f64,
    /// The same on single links, where it is not [`Self::loss`].
    pub(super) losses: BTreeMap<(u32, u32), f64>,
    /// Links that carry nothing.
    pub(super) cut: Vec<(u32, u32)>,
    /// Chance of a coded packet to have a byte of its payload damaged.
    pub(super) damage: f64,
    /// Bytes at the end of a packet of a symbol that damage may hit. Combinations are longer by what opens them: as many
    /// more of theirs.
    pub(super) damaged_bytes: usize,
    /// Bytes of the shortest coded packet.
    shortest: usize,
    sent: u64,
    pub(super) pipes: BTreeMap<(u32, u32), Pipe>,
    cuts: Stream,
    /// Every event, with when and where it came.
    pub(super) events: Vec<(Instant, u32, Event)>,
    /// Every frame that was sent (whole frames only).
    pub(super) crossings: Vec<Crossing>,
}

pub(super) fn id(node: u32) -> NodeId {
    NodeId::new(node).expect("a legal id")
}

pub(super) fn ms(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

/// 100 symbols a second.
pub(super) fn constant() -> Content {
    Content::Constant { rate: BitRate::from_bps(960_000).expect("not zero"), phase: Duration::ZERO }
}

/// Collects what a drain hands out.
struct Outbox<'a> {
    from: u32,
    crossings: &'a mut Vec<Crossing>,
    events: &'a mut Vec<(Instant, u32, Event)>,
}

impl Host for Outbox<'_> {
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        let mut bytes = frame.header.to_vec();
        match frame.payload {
            Payload::Bytes(payload) => bytes.extend_from_slice(&payload),
            Payload::Coded { .. } => {
                panic!("the links of this net carry real bytes: sessions code real bytes")
            }
            Payload::Synthetic(what) => {
                let start = bytes.len();
                bytes.resize(start + what.len as usize, 0);
                payload::fill(SEED, what, &mut bytes[start..]);
            }
        }
        let (to, kind, is_packet) = (frame.peer.get(), frame.kind, frame.is_packet);
        self.crossings.push(Crossing { from: self.from, to, kind, bytes: bytes.into(), is_packet });
        Sent::Taken
    }

    fn event(&mut self, now: Instant, event: Event) {
        self.events.push((now, self.from, event));
    }
}

impl Net {
    pub(super) fn new(nodes: u32) -> Self {
        Self::with(nodes, |_| {})
    }

    /// Nodes 1 to `nodes`; `configure` changes each one's configuration.
    pub(super) fn with(nodes: u32, configure: fn(&mut NodeConfig)) -> Self {
        let mut net = Self {
            now: Instant::ZERO,
            nodes: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            configure,
            in_flight: BTreeMap::new(),
            lose_every: 0,
            loss: 0.0,
            losses: BTreeMap::new(),
            cut: Vec::new(),
            damage: 0.0,
            damaged_bytes: 1_000,
            shortest: usize::MAX,
            sent: 0,
            pipes: BTreeMap::new(),
            cuts: SEED.stream("cuts"),
            events: Vec::new(),
            crossings: Vec::new(),
        };
        for node in 1..=nodes {
            net.start(node);
        }
        net
    }

    /// Starts a node, with a higher incarnation than before.
    pub(super) fn start(&mut self, node: u32) {
        let incarnation = self.incarnations.entry(node).or_default();
        *incarnation += 1;
        let mut config = NodeConfig::new(id(node));
        config.incarnation = Incarnation(*incarnation);
        (self.configure)(&mut config);
        let started = Node::new(config, SEED, self.now).expect("a legal configuration");
        self.nodes.insert(node, started);
    }

    /// Everything that the node held is gone.
    pub(super) fn crash(&mut self, node: u32) {
        self.nodes.remove(&node);
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[&node]
    }

    pub(super) fn node_mut(&mut self, node: u32) -> &mut Node {
        self.nodes.get_mut(&node).expect("the node runs")
    }

    pub(super) fn try_command(
        &mut self,
        node: u32,
        command: Command,
    ) -> Result<(), bellini_core::io::InputError> {
        let now = self.now;
        let done = self.node_mut(node).handle_input(now, Input::Command(command));
        self.settle();
        done
    }

    pub(super) fn command(&mut self, node: u32, command: Command) {
        self.try_command(node, command).expect("the command is possible");
    }

    /// Starts [`KEY`] at `source`, from 100 ms (or 20 ms from now, if later) to 1,100 ms, without flows.
    pub(super) fn start_session(
        &mut self,
        key: SessionKey,
        source: u32,
        to: &[u32],
        kind: HopKind,
        epoch: u16,
    ) {
        self.start_content(key, source, to, kind, epoch, constant());
    }

    /// Starts a session that offers a file as fast as its hops take it, from 100 ms on, without flows.
    pub(super) fn start_file(&mut self, key: SessionKey, source: u32, to: &[u32], kind: HopKind, bytes: u64) {
        self.start_content(key, source, to, kind, 0, Content::File { bytes, rate: None });
    }

    pub(super) fn start_content(
        &mut self,
        key: SessionKey,
        source: u32,
        to: &[u32],
        kind: HopKind,
        epoch: u16,
        content: Content,
    ) {
        self.command(
            source,
            Command::StartSession(Box::new(SessionSpec {
                key,
                epoch: Epoch(epoch),
                destinations: to.iter().map(|node| id(*node)).collect(),
                content,
                symbol_bytes: SYMBOL_BYTES,
                delivery: bellini_core::io::Delivery::BestEffort,
                coding: None,
                seal: None,
                hop_kind: kind,
                start: ms(100).max(self.now + DELAY.saturating_mul(2)),
                stop: ms(1_100),
                measure: MeasureWindow { from: ms(0), to: ms(10_000) },
                draw: DrawMode::Stride,
                policy_period: None,
            })),
        );
    }

    pub(super) fn join(&mut self, key: SessionKey, node: u32) {
        self.command(
            node,
            Command::JoinSession(Box::new(SinkSpec {
                key,
                source: id(1),
                content: constant(),
                symbol_bytes: SYMBOL_BYTES,
                delivery: bellini_core::io::Delivery::BestEffort,
                coding: None,
                seal: None,
                start: ms(100),
                stop: ms(1_100),
                measure: MeasureWindow { from: ms(0), to: ms(10_000) },
                deliver_events: true,
            })),
        );
    }

    pub(super) fn install(&mut self, key: SessionKey, source: u32, version: u32, routes: &[&str]) {
        let flows = routes.iter().map(|route| (Route::parse(route).expect("a route"), 1.0)).collect();
        self.command(source, Command::Install(Install { key, planner: Incarnation(1), version, flows }));
    }

    /// Starts a session with its sinks and flows.
    pub(super) fn session(&mut self, source: u32, to: &[u32], kind: HopKind, routes: &[&str]) {
        for node in to {
            self.join(KEY, *node);
        }
        self.start_session(KEY, source, to, kind, 0);
        self.install(KEY, source, 1, routes);
    }

    /// Runs until `at`.
    pub(super) fn run_until(&mut self, at: Instant) {
        loop {
            let crossing = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let deadline =
                self.nodes.values().filter_map(|node| node.poll_timeout()).map(|deadline| deadline.at).min();
            let moving = self.pipes.values().any(|pipe| !pipe.is_stalled && !pipe.buffered.is_empty());
            let tick = moving.then(|| self.now + Duration::from_millis(1));
            let Some(next) =
                [crossing, deadline, tick].into_iter().flatten().min().filter(|next| *next <= at)
            else {
                break;
            };
            assert!(next >= self.now, "deadlines lie ahead");
            self.now = next;
            if tick == Some(next) {
                self.empty_pipes();
            }
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 == next) {
                let crossing = entry.remove();
                self.arrive(&crossing);
            }
            for node in self.nodes.values_mut() {
                node.handle_input(next, Input::Timeout).expect("timeouts are always fine");
            }
            self.settle();
        }
        self.now = at;
    }

    /// Hands bytes to the node that they are for, as if they came now.
    pub(super) fn arrive(&mut self, crossing: &Crossing) {
        let (now, bytes) = (self.now, crossing.bytes.clone());
        let Some(node) = self.nodes.get_mut(&crossing.to) else { return };
        let hop = node.hop(id(crossing.from), crossing.kind);
        let input = match crossing.kind {
            HopKind::Stream => Input::Stream { hop, chunk: bytes },
            _ => Input::Frame { hop, frame: Received::Datagram(bytes) },
        };
        // What is refused is counted; the tests look at the counters.
        let _ = node.handle_input(now, input);
        check(node);
    }

    /// Drains every node and puts what it sent on its way.
    fn settle(&mut self) {
        self.connect_streams();
        let mut out = Vec::new();
        for (from, node) in &mut self.nodes {
            let mut host = Outbox { from: *from, crossings: &mut out, events: &mut self.events };
            let Drained::Idle(deadline) = drain(node, self.now, 1_000_000, &mut host) else {
                panic!("a drain ends")
            };
            assert!(deadline.is_none_or(|deadline| deadline.at > self.now), "nothing is left in the past");
            check(node);
        }
        for crossing in out {
            if crossing.kind == HopKind::Stream {
                let pipe =
                    self.pipes.get_mut(&(crossing.from, crossing.to)).expect("connected before it sends");
                pipe.buffered.extend(&crossing.bytes);
                pipe.most_buffered = pipe.most_buffered.max(pipe.buffered.len());
                self.crossings.push(crossing);
                continue;
            }
            self.crossings.push(crossing.clone());
            self.send(crossing);
        }
    }

    /// What is under way on streams is lost.
    pub(super) fn forget_streams(&mut self) {
        self.in_flight.retain(|_, crossing| crossing.kind != HopKind::Stream);
    }

    fn send(&mut self, mut crossing: Crossing) {
        self.sent += 1;
        if self.cut.contains(&(crossing.from, crossing.to)) {
            return;
        }
        if crossing.is_packet && self.lose_every > 0 && self.sent.is_multiple_of(self.lose_every) {
            return;
        }
        let loss = self.losses.get(&(crossing.from, crossing.to)).copied().unwrap_or(self.loss);
        if crossing.is_packet && loss > 0.0 && self.cuts.chance(loss) {
            return;
        }
        if crossing.bytes.len() > 1_100 && self.damage > 0.0 && self.cuts.chance(self.damage) {
            let mut bytes = crossing.bytes.to_vec();
            // Behind frame, chunk, packet, Pathlets and coding header.
            self.shortest = self.shortest.min(bytes.len());
            let hit = self.damaged_bytes + bytes.len() - self.shortest;
            let at = bytes.len() - 1 - self.cuts.below(hit as u64) as usize;
            bytes[at] ^= 1 + self.cuts.below(255) as u8;
            crossing.bytes = bytes.into();
        }
        self.in_flight.insert((self.now + DELAY, self.sent), crossing);
    }

    /// Connects both ends of stream hops that have come into being.
    fn connect_streams(&mut self) {
        let mut wanted = Vec::new();
        for (from, node) in &self.nodes {
            for hop in node.hops().iter().filter(|hop| hop.kind == HopKind::Stream) {
                if !self.pipes.contains_key(&(*from, hop.peer.get())) {
                    wanted.push((*from, hop.peer.get()));
                }
            }
        }
        for (from, to) in wanted {
            if self.pipes.contains_key(&(from, to)) || !self.nodes.contains_key(&to) {
                continue;
            }
            for (own, peer) in [(from, to), (to, from)] {
                self.pipes.insert((own, peer), Pipe::default());
                let now = self.now;
                let node = self.node_mut(own);
                let hop = node.hop(id(peer), HopKind::Stream);
                node.handle_input(now, Input::Opened { hop }).expect("the hop is there");
                node.handle_input(now, Input::Room { hop, bytes: ROOM as u64 }).expect("the hop is there");
            }
        }
    }

    /// Takes a piece of any size out of each send buffer, and tells its node of the room.
    fn empty_pipes(&mut self) {
        let mut moved = Vec::new();
        for ((from, to), pipe) in &mut self.pipes {
            if pipe.is_stalled || pipe.buffered.is_empty() {
                continue;
            }
            let size = (1 + self.cuts.below(900) as usize).min(pipe.buffered.len());
            let bytes: Bytes = pipe.buffered.drain(..size).collect();
            moved.push(Crossing { from: *from, to: *to, kind: HopKind::Stream, bytes, is_packet: false });
        }
        for crossing in moved {
            let (now, bytes) = (self.now, crossing.bytes.len() as u64);
            let node = self.node_mut(crossing.from);
            let hop = node.hop(id(crossing.to), HopKind::Stream);
            node.handle_input(now, Input::Room { hop, bytes }).expect("the hop is there");
            self.send(crossing);
        }
    }

    /// Delivered symbols at a node: when, which, and when its content was created. Their bytes are checked.
    pub(super) fn delivered(&self, node: u32) -> Vec<(Instant, u64, Instant)> {
        let mut found = Vec::new();
        for (at, place, event) in &self.events {
            if let Event::Delivered { key, symbol, timestamp, payload } = event
                && *place == node
            {
                let Payload::Bytes(bytes) = payload else { panic!("links carry real bytes") };
                assert!(payload::matches(SEED, *key, *symbol, 0, bytes), "the bytes of symbol {symbol}");
                found.push((*at, *symbol, *timestamp));
            }
        }
        found
    }

    /// Frames with a packet that were sent from one node to another.
    pub(super) fn packets(&self, from: u32, to: u32) -> usize {
        self.crossings.iter().filter(|sent| sent.is_packet && (sent.from, sent.to) == (from, to)).count()
    }

    /// Events at a node that `pick` wants.
    pub(super) fn picked<T>(&self, node: u32, pick: impl Fn(&Event) -> Option<T>) -> Vec<(Instant, T)> {
        let here = self.events.iter().filter(|(_, place, _)| *place == node);
        here.filter_map(|(at, _, event)| pick(event).map(|picked| (*at, picked))).collect()
    }
}

/// Returns the index of the hop to a peer.
pub(super) fn hop(net: &mut Net, node: u32, peer: u32, kind: HopKind) -> HopIndex {
    net.node_mut(node).hop(id(peer), kind)
}

fn check(node: &Node) {
    if let Err((made, ended)) = node.check_ledger() {
        panic!("the ledger of node {}: {made} packets made, {ended} accounted for", node.id());
    }
}
