//! Bare nodes for benches and the allocation test: a source, a relay and sinks, with nothing between them.
//!
//! Frames are handed across as a driver has them, header and payload apart. Hops are opened by a real hello
//! exchange, flows are installed by the real command, packets are made by a real source: what is measured here is
//! what runs in the simulator and live.

#![allow(dead_code, reason = "each target that includes this uses a part of it")]

use bellini_core::Node;
use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::drive::{Drained, Host, Sent, drain};
use bellini_core::ids::{Epoch, HopIndex, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Input, Install, MeasureWindow, Received, SessionSpec, SinkSpec,
    Transmit,
};
use bellini_core::payload::Payload;
use bellini_core::rng::Seed;
use bellini_core::route::{Branch, Route};
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;

pub(crate) mod wire;

/// Payload bytes of a symbol, as in the `overlay` scenarios.
pub(crate) const SYMBOL_BYTES: u32 = 1_000;
/// One symbol every 8 us.
const RATE_BPS: u64 = 1_000_000_000;

pub(crate) fn id(id: u32) -> NodeId {
    NodeId::new(id).expect("small ids are legal")
}

/// Frames that a node handed out, in one buffer that is used again.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Captured>,
    pub(crate) events: u64,
}

struct Captured {
    start: usize,
    end: usize,
    peer: NodeId,
    kind: HopKind,
    payload: Payload,
}

impl Host for Batch {
    #[inline]
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.header);
        let end = self.bytes.len();
        self.frames.push(Captured { start, end, peer: frame.peer, kind: frame.kind, payload: frame.payload });
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {
        self.events += 1;
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// Brings every frame meant for `node` in on its hop `hop`; payloads are shared, not copied.
    #[inline]
    pub(crate) fn deliver(&self, now: Instant, node: &mut Node, hop: HopIndex) {
        let id = node.id();
        for frame in self.frames.iter().filter(|frame| frame.peer == id) {
            let header = &self.bytes[frame.start..frame.end];
            let frame = Received::Split { header, payload: frame.payload.clone() };
            node.handle_input(now, Input::Frame { hop, frame }).expect("a correct peer's frame");
        }
    }
}

/// Drains a node; everything is handed out.
#[inline]
pub(crate) fn empty(node: &mut Node, now: Instant, batch: &mut Batch) {
    let drained = drain(node, now, usize::MAX, batch);
    assert!(matches!(drained, Drained::Idle(_)), "the budget has no end");
}

/// A source (node 1), a relay (node 2) and sinks (nodes 3, 4, ..).
pub(crate) struct Chain {
    pub(crate) nodes: Vec<Node>,
    /// The kind of the hops that carry packets.
    pub(crate) kind: HopKind,
    pub(crate) now: Instant,
    pub(crate) route: Route,
    /// The relay's hop from the source, and each sink's hop from the relay.
    pub(crate) relay_hop: HopIndex,
    pub(crate) sink_hops: Vec<HopIndex>,
}

impl Chain {
    /// Starts the nodes and opens the hops between them. No session yet.
    pub(crate) fn open(sinks: u32) -> Self {
        Self::open_over(HopKind::Datagram, sinks)
    }

    /// As [`Chain::open`], over hops of `kind`.
    pub(crate) fn open_over(kind: HopKind, sinks: u32) -> Self {
        let start = Instant::ZERO + Duration::from_secs(1);
        let config = |number| NodeConfig { report_interval: None, ..NodeConfig::new(id(number)) };
        let nodes = (1..=2 + sinks)
            .map(|number| Node::new(config(number), Seed(1), start).expect("the defaults work"))
            .collect();
        let leaves =
            (3..3 + sinks).map(|n| Branch { node: id(n), deliver: true, next: Vec::new() }).collect();
        let route = Route { branches: vec![Branch { node: id(2), deliver: false, next: leaves }] };
        let mut chain =
            Self { nodes, kind, now: start, route, relay_hop: HopIndex(0), sink_hops: Vec::new() };
        for kind in [kind, HopKind::Control] {
            chain.command(0, Command::OpenHop { peer: id(2), kind });
            for sink in 0..sinks {
                chain.command(1, Command::OpenHop { peer: id(3 + sink), kind });
            }
        }
        chain.settle();
        chain.relay_hop = chain.nodes[1].hop(id(1), kind);
        chain.sink_hops = chain.nodes[2..].iter_mut().map(|node| node.hop(id(2), kind)).collect();
        chain
    }

    /// The same with one session that has sent its first packets.
    pub(crate) fn with_session(sinks: u32) -> Self {
        Self::with_session_over(HopKind::Datagram, sinks)
    }

    /// As [`Chain::with_session`], over hops of `kind`.
    pub(crate) fn with_session_over(kind: HopKind, sinks: u32) -> Self {
        let mut chain = Self::open_over(kind, sinks);
        let key = SessionKey::new(1, 1);
        let start = chain.now + Duration::from_millis(100);
        let rate = BitRate::from_bps(RATE_BPS).expect("not zero");
        chain.start_session(key, rate, SYMBOL_BYTES, (start, start + Duration::from_secs(1_000_000)));
        for sink in 2..chain.nodes.len() {
            chain.join(sink, key, rate, SYMBOL_BYTES);
        }
        chain.settle();
        chain
    }

    pub(crate) fn command(&mut self, node: usize, command: Command) {
        self.nodes[node].handle_input(self.now, Input::Command(command)).expect("a legal command");
    }

    /// Starts a session at the source, over the chain's route.
    pub(crate) fn start_session(
        &mut self,
        key: SessionKey,
        rate: BitRate,
        symbol_bytes: u32,
        (start, stop): (Instant, Instant),
    ) {
        let spec = SessionSpec {
            key,
            epoch: Epoch(0),
            destinations: self.route.destinations(),
            content: Content::Constant { rate, phase: Duration::ZERO },
            symbol_bytes,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding: None,
            seal: None,
            hop_kind: self.kind,
            start,
            stop,
            measure: always(),
            draw: DrawMode::Random,
            policy_period: None,
        };
        self.command(0, Command::StartSession(Box::new(spec)));
        let flows = vec![(self.route.clone(), 1.0)];
        self.command(0, Command::Install(Install { key, planner: Incarnation(1), version: 1, flows }));
    }

    /// Expects a session at a sink.
    pub(crate) fn join(&mut self, sink: usize, key: SessionKey, rate: BitRate, symbol_bytes: u32) {
        let spec = SinkSpec {
            key,
            source: self.nodes[0].id(),
            content: Content::Constant { rate, phase: Duration::ZERO },
            symbol_bytes,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding: None,
            seal: None,
            start: self.now,
            stop: self.now + Duration::from_secs(1_000_000),
            measure: always(),
            deliver_events: false,
        };
        self.command(sink, Command::JoinSession(Box::new(spec)));
    }

    /// Hands frames across, a millisecond a turn, until nobody has any.
    pub(crate) fn settle(&mut self) {
        let mut batch = Batch::default();
        loop {
            let mut moved = false;
            for from in 0..self.nodes.len() {
                batch.clear();
                empty(&mut self.nodes[from], self.now, &mut batch);
                if batch.is_empty() {
                    continue;
                }
                moved = true;
                self.now += Duration::from_millis(1);
                let name = self.nodes[from].id();
                for to in (0..self.nodes.len()).filter(|to| *to != from) {
                    for kind in [self.kind, HopKind::Control] {
                        if batch.has(self.nodes[to].id(), kind) {
                            let hop = self.nodes[to].hop(name, kind);
                            batch.deliver_kind(self.now, &mut self.nodes[to], hop, kind);
                        }
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets the source emit until the batch holds `packets` frames. Time passes.
    #[inline]
    pub(crate) fn emit(&mut self, packets: usize, out: &mut Batch) {
        let source = &mut self.nodes[0];
        while out.len() < packets {
            let deadline = source.poll_timeout().expect("a source that is not done");
            self.now = self.now.max(deadline.at);
            source.handle_input(self.now, Input::Timeout).expect("a timeout is never refused");
            empty(source, self.now, out);
        }
    }

    /// Takes the source's frames into the relay, as far as its feeders.
    #[inline]
    pub(crate) fn dispatch(&mut self, frames: &Batch) {
        frames.deliver(self.now, &mut self.nodes[1], self.relay_hop);
    }

    /// Hands out what the relay's feeders hold.
    #[inline]
    pub(crate) fn forward(&mut self, out: &mut Batch) {
        empty(&mut self.nodes[1], self.now, out);
    }

    /// Takes the relay's frames into the sink at position `sink`, 0 or more.
    #[inline]
    pub(crate) fn sink(&mut self, sink: usize, frames: &Batch, out: &mut Batch) {
        let node = &mut self.nodes[2 + sink];
        frames.deliver(self.now, node, self.sink_hops[sink]);
        empty(node, self.now, out);
    }

    /// Lets frames of every kind that are due now go from each node to its neighbours, once.
    pub(crate) fn turn(&mut self, sent: &mut Batch, relayed: &mut Batch, rest: &mut Batch) {
        let now = self.now;
        let names: Vec<NodeId> = self.nodes.iter().map(Node::id).collect();
        for (from, batch) in [(0, sent), (1, relayed), (2, rest)] {
            batch.clear();
            empty(&mut self.nodes[from], now, batch);
            for to in (0..names.len()).filter(|to| *to != from) {
                for kind in [self.kind, HopKind::Control] {
                    if batch.has(names[to], kind) {
                        let hop = self.nodes[to].hop(names[from], kind);
                        batch.deliver_kind(now, &mut self.nodes[to], hop, kind);
                    }
                }
            }
        }
    }

    /// Packets delivered at all sinks.
    pub(crate) fn delivered(&self) -> u64 {
        self.nodes[2..].iter().map(|node| node.stats().delivered_packets).sum()
    }
}

impl Batch {
    fn has(&self, peer: NodeId, kind: HopKind) -> bool {
        self.frames.iter().any(|frame| frame.peer == peer && frame.kind == kind)
    }

    /// As [`Batch::deliver`], for one kind of hop.
    pub(crate) fn deliver_kind(&self, now: Instant, node: &mut Node, hop: HopIndex, kind: HopKind) {
        let id = node.id();
        for frame in self.frames.iter().filter(|frame| frame.peer == id && frame.kind == kind) {
            let header = &self.bytes[frame.start..frame.end];
            let frame = Received::Split { header, payload: frame.payload.clone() };
            node.handle_input(now, Input::Frame { hop, frame }).expect("a correct peer's frame");
        }
    }
}

fn always() -> MeasureWindow {
    MeasureWindow { from: Instant::ZERO, to: Instant::from_nanos(u64::MAX) }
}
