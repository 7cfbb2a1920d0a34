//! What lies between nodes: links, shared bottlenecks, egress shapers, receive queues, cross traffic.

mod entering;
mod entities;
mod faults;
mod figures;

use crate::agenda::Agenda;
use crate::digest::{Happened, RunningHash, identity};
use crate::link::{Admit, CrossSource, DropCause, LinkModel, LinkSpec, LinkStreams, Polled, ReceiveQueue};
use crate::pool::Pool;
use crate::tap::Tapped;
use bellini_core::ids::NodeId;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_core::wire::frame::{SEAL_BYTES, UDP_IP_BYTES};
use bellini_scenarios::conduct::Duty;
use bellini_scenarios::model::{Rate, Scenario};
use entities::FirstEntity;

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
}
