//! What lies between nodes: links, shared bottlenecks, egress shapers, receive queues, cross traffic.

use crate::agenda::{Agenda, Class};
use crate::digest::{Happened, RunningHash, identity};
use crate::link::{
    Admit, CrossSource, Degrade, DropCause, LinkModel, LinkSpec, LinkStreams, Polled, ReceiveQueue,
};
use crate::pool::Pool;
use crate::tap::{Place, Tapped};
use crate::tcp::SEGMENT_BYTES;
use bellini_core::ids::NodeId;
use bellini_core::io::{HopKind, Transmit};
use bellini_core::payload::Payload;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::frame::{SEAL_BYTES, UDP_IP_BYTES};
use bellini_scenarios::conduct::{Duty, LinkFigures};
use bellini_scenarios::model::{Rate, Scenario};
use bytes::Bytes;

/// Classes of events of the same time, in the order in which they happen.
pub mod class {
    use crate::agenda::Class;

    /// Packets reach the end of a stage.
    pub const ARRIVAL: Class = Class(0);
    /// A node's timers.
    pub const TIMER: Class = Class(2);
    /// Cross traffic.
    pub const CROSS: Class = Class(3);
    /// Decisions of planners.
    pub const PLANNER: Class = Class(4);
    /// Sessions, membership, faults.
    pub const TIMELINE: Class = Class(5);
    /// Samples.
    pub const RECORDER: Class = Class(6);
}

/// Who an entity of the agenda is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// A link, by index.
    Link(u32),
    /// A node's timers, by index.
    Node(u32),
    /// A shared bottleneck.
    Bottleneck(u32),
    /// A node's egress shaper.
    Egress(u32),
    /// A node's receive queue.
    Receive(u32),
    /// A source of cross traffic.
    Cross(u32),
    /// A duty of the conductor.
    Conductor(Duty),
    /// A TCP connection, by its place.
    Connection(u32),
}

/// One link of the scenario.
pub struct SimLink {
    /// Sending node, by index.
    pub from: u32,
    /// Receiving node, by index.
    pub to: u32,
    /// Queue, serialiser and wire.
    pub model: LinkModel<u32>,
    /// The shared bottleneck before it.
    pub bottleneck: Option<u32>,
    /// Running hash of what happened on it.
    pub hash: RunningHash,
    /// Packets of sessions that were dropped on the way, by cause, refused ones included.
    pub dropped: [u64; DropCause::ALL.len()],
    /// Frames handed to it by the sending node, and their wire bytes.
    pub sent: (u64, u64),
    /// Frames on it, and in the stages before and behind it.
    pub pool: Pool,
    /// Kinds of hops that used it, as bits.
    pub kinds: u8,
    /// Largest IP packet.
    pub mtu: u32,
    /// Wire bytes of TCP cross traffic that it, or the bottleneck before it, took.
    pub cross_segment_bytes: u64,
    /// Segments of TCP cross traffic that were dropped, but for those that the wire lost.
    dropped_cross: u64,
    /// Time of its event in the agenda.
    pending: Option<Instant>,
}

/// Why queues drop packets.
const QUEUE_CAUSES: [DropCause; 3] = [DropCause::Queue, DropCause::Red, DropCause::CoDel];

/// A packet that came out of the network at a node.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The node, by index.
    pub node: u32,
    /// The link that it came on.
    pub link: u32,
    /// The frame in the link's pool.
    pub frame: u32,
}

/// Everything between nodes.
pub struct Network {
    /// Links, by index as in the scenario.
    pub links: Vec<SimLink>,
    /// The pending events of everything.
    pub agenda: Agenda,
    bottlenecks: Vec<LinkModel<(u32, u32)>>,
    egress: Vec<Option<LinkModel<(u32, u32)>>>,
    receive: Vec<Option<ReceiveQueue<(u32, u32)>>>,
    cross: Vec<(CrossSource, usize)>,
    entities: Vec<Entity>,
    first: FirstEntity,
    /// Who looks at frames, if anybody does.
    pub(crate) tap: Option<Box<Tapped>>,
    /// Packets of sessions (not control frames) that the network took in, delivered, dropped.
    pub ledger: PacketLedger,
}

/// Packets of sessions in the network: `taken = delivered + dropped + inside`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketLedger {
    /// Taken from nodes.
    pub taken: u64,
    /// Handed to nodes.
    pub delivered: u64,
    /// Dropped, for any cause.
    pub dropped: u64,
}

/// Entity numbers at which each kind begins.
#[derive(Clone, Copy, Debug, Default)]
struct FirstEntity {
    node: u32,
    bottleneck: u32,
    egress: u32,
    receive: u32,
    cross: u32,
    conductor: u32,
}

impl Network {
    /// Builds the network of a scenario for the core's frames, which UDP and IP go around, and the seal where hops
    /// are sealed. `zero`: the instant of
    /// scenario time zero.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: Seed, zero: Instant) -> Self {
        let sealing = if scenario.seal { SEAL_BYTES } else { 0 };
        Self::build(scenario, seed, zero, (UDP_IP_BYTES + sealing) as u32)
    }

    /// Builds the network of a scenario for whole IP packets, as the lab's emulator has them.
    #[must_use]
    pub fn of_packets(scenario: &Scenario, seed: Seed, zero: Instant) -> Self {
        Self::build(scenario, seed, zero, 0)
    }

    fn build(scenario: &Scenario, seed: Seed, zero: Instant, around: u32) -> Self {
        let index_of = |id: NodeId| {
            scenario.nodes.binary_search_by_key(&id, |node| node.id).expect("links join known nodes") as u32
        };
        let links: Vec<SimLink> = scenario
            .links
            .iter()
            .map(|link| SimLink {
                from: index_of(link.from),
                to: index_of(link.to),
                model: LinkModel::new(
                    &LinkSpec::from_model(link),
                    LinkStreams::new(seed, link.from, link.to),
                ),
                bottleneck: if let Rate::Shared(index) = link.rate { Some(index as u32) } else { None },
                hash: RunningHash::default(),
                dropped: [0; DropCause::ALL.len()],
                sent: (0, 0),
                pool: Pool::new(around),
                kinds: 0,
                mtu: link.mtu,
                cross_segment_bytes: 0,
                dropped_cross: 0,
                pending: None,
            })
            .collect();
        let bottlenecks: Vec<_> = scenario
            .bottlenecks
            .iter()
            .map(|bottleneck| {
                let streams = LinkStreams::named(seed, &format!("bottleneck:{}", bottleneck.name));
                LinkModel::new(&LinkSpec::from_bottleneck(bottleneck), streams)
            })
            .collect();
        let egress: Vec<_> = scenario
            .nodes
            .iter()
            .map(|node| {
                let streams = || LinkStreams::named(seed, &format!("node:{}:egress", node.id));
                let spec = node.egress.as_ref().map(LinkSpec::from_shaper);
                spec.map(|spec| LinkModel::new(&spec, streams()))
            })
            .collect();
        let receive: Vec<_> = scenario.nodes.iter().map(|node| ReceiveQueue::from_node(node, seed)).collect();
        let cross: Vec<_> = scenario
            .cross_traffic
            .iter()
            .enumerate()
            .filter_map(|(i, spec)| {
                Some((CrossSource::new(spec, zero, seed, &format!("cross:{i}"))?, spec.link))
            })
            .collect();
        let mut network = Self {
            links,
            agenda: Agenda::new(),
            bottlenecks,
            egress,
            receive,
            cross,
            entities: Vec::new(),
            first: FirstEntity::default(),
            tap: None,
            ledger: PacketLedger::default(),
        };
        network.number_entities(scenario.nodes.len() as u32);
        for i in 0..network.cross.len() as u32 {
            network.schedule_cross(i);
        }
        network
    }

    fn number_entities(&mut self, nodes: u32) {
        let mut entities: Vec<Entity> = (0..self.links.len() as u32).map(Entity::Link).collect();
        self.first.node = entities.len() as u32;
        entities.extend((0..nodes).map(Entity::Node));
        self.first.bottleneck = entities.len() as u32;
        entities.extend((0..self.bottlenecks.len() as u32).map(Entity::Bottleneck));
        self.first.egress = entities.len() as u32;
        if self.egress.iter().any(Option::is_some) {
            entities.extend((0..nodes).map(Entity::Egress));
        }
        self.first.receive = entities.len() as u32;
        if self.receive.iter().any(Option::is_some) {
            entities.extend((0..nodes).map(Entity::Receive));
        }
        self.first.cross = entities.len() as u32;
        entities.extend((0..self.cross.len() as u32).map(Entity::Cross));
        self.first.conductor = entities.len() as u32;
        entities.extend(Duty::ALL.map(Entity::Conductor));
        self.entities = entities;
    }

    /// Returns who an entity number stands for.
    #[inline]
    #[must_use]
    pub fn entity(&self, number: u32) -> Entity {
        // Connections come into being while time passes; their numbers follow all others.
        self.entities
            .get(number as usize)
            .copied()
            .unwrap_or(Entity::Connection(number.wrapping_sub(self.entities.len() as u32)))
    }

    /// Sets the one pending event of a TCP connection.
    pub fn schedule_connection(&mut self, place: u32, at: Option<Instant>) {
        self.reschedule(self.entities.len() as u32 + place, at, class::TIMER);
    }

    /// Sets the one pending event of a node's timers, or of a duty of the conductor.
    #[inline]
    pub fn schedule(&mut self, entity: Entity, at: Option<Instant>) {
        let (number, class) = match entity {
            Entity::Node(node) => (self.first.node + node, class::TIMER),
            Entity::Conductor(duty) => {
                let class = match duty {
                    Duty::Planner => class::PLANNER,
                    Duty::Timeline => class::TIMELINE,
                    Duty::Recorder => class::RECORDER,
                };
                (self.first.conductor + duty as u32, class)
            }
            Entity::Link(_)
            | Entity::Bottleneck(_)
            | Entity::Egress(_)
            | Entity::Receive(_)
            | Entity::Cross(_)
            | Entity::Connection(_) => {
                unreachable!("the network schedules its own stages")
            }
        };
        self.reschedule(number, at, class);
    }

    #[inline]
    fn reschedule(&mut self, number: u32, at: Option<Instant>, class: Class) {
        match at {
            Some(at) => self.agenda.schedule(number, at, class),
            None => {
                self.agenda.cancel(number);
            }
        }
    }

    /// Takes a frame from a node onto a link.
    #[inline]
    pub fn send(&mut self, now: Instant, link: u32, frame: Transmit<'_>) {
        self.take(now, link, frame.header, frame.payload, frame.kind, frame.is_packet);
    }

    /// Takes a whole IP packet from a node onto a link of a network of packets ([`Network::of_packets`]). The ledger
    /// counts every such packet.
    #[inline]
    pub fn send_packet(&mut self, now: Instant, link: u32, packet: &[u8], kind: HopKind) {
        self.take(now, link, packet, Payload::Bytes(Bytes::new()), kind, true);
    }

    /// Takes a whole IP packet of others' TCP onto a link of a network of packets: it takes up queue and rate, meets
    /// delay and loss, and comes out, but counts as cross traffic. It passes neither the cap nor the processor of a
    /// node, which are our machines'. The ledger counts it.
    #[inline]
    pub fn send_cross_packet(&mut self, now: Instant, link: u32, packet: &[u8]) {
        let state = &mut self.links[link as usize];
        let bytes = packet.len() as u32 + state.pool.around();
        self.ledger.taken += 1;
        // The kind of hop is not looked at: it is none.
        let slot = state.pool.insert(packet, Payload::Bytes(Bytes::new()), HopKind::Stream, true);
        state.pool.mark_cross(slot);
        self.enter_as_cross(now, link, slot, bytes);
    }

    /// Whether a frame on a link is a packet of cross traffic.
    #[inline]
    #[must_use]
    pub fn is_cross(&self, link: u32, frame: u32) -> bool {
        self.links[link as usize].pool.is_cross(frame)
    }

    #[inline]
    fn take(
        &mut self,
        now: Instant,
        link: u32,
        header: &[u8],
        payload: Payload,
        kind: HopKind,
        is_packet: bool,
    ) {
        let state = &mut self.links[link as usize];
        // Everything is read from the frame itself: its slot is out of the cache, and writing it can go on by itself
        // while nothing reads it back.
        let bytes = (header.len() + payload.len()) as u32 + state.pool.around();
        state.sent.0 += 1;
        state.sent.1 += u64::from(bytes);
        state.kinds |= 1 << kind as u8;
        state.hash.add(now, Happened::Sent, identity(header), 0);
        self.ledger.taken += u64::from(is_packet);
        if let Some(tap) = &mut self.tap {
            tap.look((now, Place::Sent), link, (header, payload.len()), bytes);
        }
        let from = state.from;
        let slot = state.pool.insert(header, payload, kind, is_packet);
        if self.egress[from as usize].is_some() {
            self.enter_egress(now, from, link, slot, bytes);
        } else {
            self.enter_link(now, link, slot, bytes);
        }
    }

    /// Takes a segment of TCP, described by `bytes`, onto a link. Cross traffic comes from nobody of ours: no node's
    /// shaper holds it, and it counts apart.
    pub fn send_segment(
        &mut self,
        now: Instant,
        link: u32,
        bytes: &[u8; SEGMENT_BYTES],
        wire_bytes: u32,
        is_cross: bool,
    ) {
        let state = &mut self.links[link as usize];
        state.hash.add(now, Happened::Sent, identity(bytes), 0);
        let from = state.from;
        let slot = state.pool.insert_segment(bytes, wire_bytes, is_cross);
        if is_cross {
            self.enter_as_cross(now, link, slot, wire_bytes);
            return;
        }
        state.sent.0 += 1;
        state.sent.1 += u64::from(wire_bytes);
        state.kinds |= 1 << HopKind::Stream as u8;
        if self.egress[from as usize].is_some() {
            self.enter_egress(now, from, link, slot, wire_bytes);
        } else {
            self.enter_link(now, link, slot, wire_bytes);
        }
    }

    /// Puts a segment or packet of cross traffic onto a link and counts what was taken.
    fn enter_as_cross(&mut self, now: Instant, link: u32, frame: u32, wire_bytes: u32) {
        let before = self.links[link as usize].dropped_cross;
        self.enter_link(now, link, frame, wire_bytes);
        let state = &mut self.links[link as usize];
        // What the wire loses took up queue and rate, too, but is known at once.
        if state.dropped_cross == before {
            state.cross_segment_bytes += u64::from(wire_bytes);
        }
    }

    /// Counts packets of sessions that were lost with a connection which led over a link.
    pub fn drop_packets_of_connection(&mut self, link: u32, packets: u64, cause: DropCause) {
        self.links[link as usize].dropped[cause.index()] += packets;
        self.ledger.dropped += packets;
    }

    fn enter_egress(&mut self, now: Instant, node: u32, link: u32, frame: u32, bytes: u32) {
        let Some(shaper) = &mut self.egress[node as usize] else { return };
        match shaper.admit(now, bytes, (link, frame)) {
            Admit::Accepted => {}
            Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                self.drop_frame(now, link, frame, cause);
            }
        }
        self.schedule_egress(node);
    }

    /// Puts a frame into the link's own queue, or into the bottleneck that it shares.
    #[inline]
    fn enter_link(&mut self, now: Instant, link: u32, frame: u32, bytes: u32) {
        if let Some(bottleneck) = self.links[link as usize].bottleneck {
            match self.bottlenecks[bottleneck as usize].admit(now, bytes, (link, frame)) {
                Admit::Accepted => {}
                Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                    self.drop_frame(now, link, frame, cause);
                }
            }
            self.schedule_bottleneck(bottleneck);
        } else {
            self.enter_wire(now, link, frame, bytes);
        }
    }

    #[inline]
    fn enter_wire(&mut self, now: Instant, link: u32, frame: u32, bytes: u32) {
        match self.links[link as usize].model.admit(now, bytes, frame) {
            Admit::Accepted => {}
            Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                self.drop_frame(now, link, frame, cause);
            }
        }
        self.schedule_link(link);
    }

    fn wire_bytes(&self, link: u32, frame: u32) -> u32 {
        self.links[link as usize].pool.wire_bytes(frame)
    }

    fn drop_frame(&mut self, now: Instant, link: u32, frame: u32, cause: DropCause) {
        let link = &mut self.links[link as usize];
        link.hash.add(now, Happened::Dropped, identity(link.pool.header(frame)), cause as u8);
        if link.pool.is_cross(frame) {
            link.dropped_cross += u64::from(cause != DropCause::Loss);
        } else {
            link.dropped[cause.index()] += 1;
        }
        self.ledger.dropped += u64::from(link.pool.is_packet(frame));
        link.pool.remove(frame);
    }

    /// Works off what an entity of the network has to do now; what reaches nodes is appended to `arrived`.
    #[inline]
    pub fn poll(&mut self, now: Instant, entity: Entity, arrived: &mut Vec<Arrival>) {
        match entity {
            Entity::Link(link) => {
                self.links[link as usize].pending = None;
                while let Some(polled) = self.links[link as usize].model.poll(now) {
                    match polled {
                        Polled::Arrived(frame) => self.end_of_link(now, link, frame, arrived),
                        Polled::Dropped { packet, cause } => self.drop_frame(now, link, packet, cause),
                    }
                }
                self.schedule_link(link);
            }
            Entity::Bottleneck(index) => {
                while let Some(polled) = self.bottlenecks[index as usize].poll(now) {
                    match polled {
                        Polled::Arrived((link, frame)) => {
                            let bytes = self.wire_bytes(link, frame);
                            self.enter_wire(now, link, frame, bytes);
                        }
                        Polled::Dropped { packet: (link, frame), cause } => {
                            self.drop_frame(now, link, frame, cause)
                        }
                    }
                }
                self.schedule_bottleneck(index);
            }
            Entity::Egress(node) => {
                while let Some(polled) = self.egress[node as usize].as_mut().and_then(|stage| stage.poll(now))
                {
                    match polled {
                        Polled::Arrived((link, frame)) => {
                            let bytes = self.wire_bytes(link, frame);
                            self.enter_link(now, link, frame, bytes);
                        }
                        Polled::Dropped { packet: (link, frame), cause } => {
                            self.drop_frame(now, link, frame, cause)
                        }
                    }
                }
                self.schedule_egress(node);
            }
            Entity::Receive(node) => {
                while let Some(polled) =
                    self.receive[node as usize].as_mut().and_then(|stage| stage.poll(now))
                {
                    match polled {
                        Polled::Arrived((link, frame)) => arrived.push(Arrival { node, link, frame }),
                        Polled::Dropped { packet: (link, frame), cause } => {
                            self.drop_frame(now, link, frame, cause)
                        }
                    }
                }
                self.schedule_receive(node);
            }
            Entity::Cross(index) => {
                let (source, link) = &mut self.cross[index as usize];
                let link = *link as u32;
                while let Some(bytes) = source.poll(now) {
                    match self.links[link as usize].bottleneck {
                        Some(bottleneck) => self.bottlenecks[bottleneck as usize].admit_cross(now, bytes),
                        None => self.links[link as usize].model.admit_cross(now, bytes),
                    }
                }
                match self.links[link as usize].bottleneck {
                    Some(bottleneck) => self.schedule_bottleneck(bottleneck),
                    None => self.schedule_link(link),
                }
                self.schedule_cross(index);
            }
            Entity::Node(_) | Entity::Conductor(_) | Entity::Connection(_) => {}
        }
    }

    #[inline]
    fn end_of_link(&mut self, now: Instant, link: u32, frame: u32, arrived: &mut Vec<Arrival>) {
        let state = &mut self.links[link as usize];
        state.hash.add(now, Happened::Arrived, identity(state.pool.header(frame)), 0);
        let node = state.to;
        match &mut self.receive[node as usize] {
            // Cross traffic goes to nobody of ours.
            Some(_) if state.pool.is_cross(frame) => arrived.push(Arrival { node, link, frame }),
            None => arrived.push(Arrival { node, link, frame }),
            Some(queue) => {
                let bytes = state.pool.wire_bytes(frame);
                match queue.admit(now, bytes, (link, frame)) {
                    Admit::Accepted => {}
                    Admit::Dropped { cause, .. } | Admit::Lost { cause, .. } => {
                        self.drop_frame(now, link, frame, cause);
                    }
                }
                self.schedule_receive(node);
            }
        }
    }

    /// A node that would take a frame is dead: the frame is lost.
    pub fn drop_at_dead_node(&mut self, now: Instant, link: u32, frame: u32) {
        self.drop_frame(now, link, frame, DropCause::Crash);
    }

    /// The node that a frame came to has taken it.
    #[inline]
    pub fn delivered(&mut self, link: u32, frame: u32) {
        let pool = &mut self.links[link as usize].pool;
        self.ledger.delivered += u64::from(pool.is_packet(frame));
        pool.remove(frame);
    }

    /// Loses what waits at a node that dies, before and behind its processor.
    pub fn crash(&mut self, now: Instant, node: u32) {
        let mut lost = Vec::new();
        if let Some(queue) = &mut self.receive[node as usize] {
            queue.clear(now, DropCause::Crash, &mut |frame, cause| lost.push((frame, cause)));
        }
        if let Some(shaper) = &mut self.egress[node as usize] {
            shaper.clear(now, DropCause::Crash, &mut |frame, cause| lost.push((frame, cause)));
        }
        for ((link, frame), cause) in lost {
            self.drop_frame(now, link, frame, cause);
        }
        self.schedule_receive(node);
        self.schedule_egress(node);
    }

    /// Cuts a link: what is on it is lost.
    pub fn cut(&mut self, now: Instant, link: u32) {
        let mut lost = Vec::new();
        self.links[link as usize].model.cut(now, &mut |frame, cause| lost.push((frame, cause)));
        for (frame, cause) in lost {
            self.drop_frame(now, link, frame, cause);
        }
        self.schedule_link(link);
    }

    /// Mends a link.
    pub fn heal(&mut self, now: Instant, link: u32) {
        self.links[link as usize].model.heal(now);
        self.schedule_link(link);
    }

    /// Makes a link worse.
    pub fn degrade(&mut self, now: Instant, link: u32, degrade: Degrade) {
        self.links[link as usize].model.degrade(now, degrade);
        self.schedule_link(link);
    }

    /// Returns the statistics of the serialiser that a link's packets pass, settled to `now`.
    pub fn link_stats(&mut self, now: Instant, link: u32) -> crate::link::LinkStats {
        match self.links[link as usize].bottleneck {
            Some(bottleneck) => {
                let shared = *self.bottlenecks[bottleneck as usize].stats(now);
                let own = *self.links[link as usize].model.stats(now);
                crate::link::LinkStats { busy: shared.busy, queue_bytes_max: shared.queue_bytes_max, ..own }
            }
            None => *self.links[link as usize].model.stats(now),
        }
    }

    /// Returns the bytes that wait in the queue that a link's packets pass.
    pub fn queue_bytes(&mut self, now: Instant, link: u32) -> u64 {
        match self.links[link as usize].bottleneck {
            Some(bottleneck) => self.bottlenecks[bottleneck as usize].backlog(now).bytes,
            None => self.links[link as usize].model.backlog(now).bytes,
        }
    }

    /// Returns what a link carried and dropped so far.
    pub fn link_figures(&mut self, now: Instant, link: u32) -> LinkFigures {
        let stats = self.link_stats(now, link);
        let queue_bytes = self.queue_bytes(now, link);
        let state = &self.links[link as usize];
        let of_queue = QUEUE_CAUSES;
        let dropped = |cause: DropCause| state.dropped[cause.index()];
        let is_other =
            |cause: &DropCause| *cause != DropCause::Loss && !of_queue.contains(cause) && dropped(*cause) > 0;
        LinkFigures {
            sent_packets: state.sent.0,
            sent_bytes: state.sent.1,
            dropped_queue: of_queue.into_iter().map(dropped).sum(),
            dropped_loss: dropped(DropCause::Loss),
            dropped_other: DropCause::ALL
                .into_iter()
                .filter(is_other)
                .map(|cause| (cause.name().to_owned(), dropped(cause)))
                .collect(),
            busy: stats.busy,
            queue_bytes,
            queue_bytes_max: stats.queue_bytes_max,
            cross_bytes: stats.cross.admitted_bytes + state.cross_segment_bytes,
            kinds: state.kinds,
        }
    }

    /// Returns the packets of sessions that the stages hold, as they say themselves.
    #[must_use]
    pub fn packets_inside(&self) -> u64 {
        let mut inside = 0;
        let mut count = |link: u32, frame: u32| {
            inside += u64::from(self.links[link as usize].pool.is_packet(frame));
        };
        for (i, link) in self.links.iter().enumerate() {
            link.model.for_each_packet(&mut |frame| count(i as u32, *frame));
        }
        let stages = self.bottlenecks.iter().chain(self.egress.iter().flatten());
        for stage in stages {
            stage.for_each_packet(&mut |(link, frame)| count(*link, *frame));
        }
        for queue in self.receive.iter().flatten() {
            queue.for_each_packet(&mut |(link, frame)| count(*link, *frame));
        }
        inside
    }

    /// Shows the header of every packet of a session inside to `f`.
    pub fn for_each_packet(&self, f: &mut dyn FnMut(&[u8])) {
        for link in &self.links {
            link.pool.for_each(&mut |frame| {
                if link.pool.is_packet(frame) {
                    f(link.pool.header(frame));
                }
            });
        }
    }

    #[inline]
    fn schedule_link(&mut self, link: u32) {
        let state = &mut self.links[link as usize];
        let next = state.model.next_event();
        if next != state.pending {
            state.pending = next;
            self.reschedule(link, next, class::ARRIVAL);
        }
    }

    fn schedule_bottleneck(&mut self, index: u32) {
        let at = self.bottlenecks[index as usize].next_event();
        self.reschedule(self.first.bottleneck + index, at, class::ARRIVAL);
    }

    fn schedule_egress(&mut self, node: u32) {
        if let Some(shaper) = &self.egress[node as usize] {
            self.reschedule(self.first.egress + node, shaper.next_event(), class::ARRIVAL);
        }
    }

    fn schedule_receive(&mut self, node: u32) {
        if let Some(queue) = &self.receive[node as usize] {
            self.reschedule(self.first.receive + node, queue.next_event(), class::ARRIVAL);
        }
    }

    fn schedule_cross(&mut self, index: u32) {
        let at = self.cross[index as usize].0.next_event();
        self.reschedule(self.first.cross + index, at, class::CROSS);
    }
}
