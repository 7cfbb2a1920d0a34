//! All connections of a run: those below stream hops, and cross traffic.
//!
//! Segments are packets of the modelled links. What has to be done with nodes is told as [`News`], because the world
//! owns them.

mod connection;
mod cross;
mod frames;
mod hops;

use super::segment::{Segment, SegmentKind};
use super::{Endpoint, Options, State};
use crate::link::DropCause;
use crate::network::Network;
use bellini_core::ids::HopIndex;
use bellini_core::payload::Payload;
use bellini_core::time::Instant;
use bellini_core::wire::preface::PREFACE_BYTES;
use connection::{Connection, Purpose};
use hops::NodeStreams;
use std::collections::VecDeque;

pub use hops::Opening;

/// Something that a node is to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A connection between two nodes is there: [`Connections::take`] it.
    Ready {
        /// The node, by index.
        node: u32,
        /// The node at the other end.
        peer: u32,
        /// The connection.
        connection: u32,
        /// Which end of it the node has.
        end: usize,
    },
    /// Frames have come: [`Connections::next_frame`].
    Frames {
        /// The node.
        node: u32,
        /// The hop.
        hop: HopIndex,
        /// The connection.
        connection: u32,
        /// Which end of it the node has.
        end: usize,
    },
    /// There is room for so many bytes more.
    Room {
        /// The node.
        node: u32,
        /// The hop.
        hop: HopIndex,
        /// The bytes.
        bytes: u64,
    },
    /// The connection below a hop is gone.
    Closed {
        /// The node.
        node: u32,
        /// The hop.
        hop: HopIndex,
    },
}

/// All connections.
pub struct Connections {
    options: Options,
    list: Vec<Connection>,
    free: Vec<u32>,
    nodes: Vec<NodeStreams>,
    /// Connections of the cross traffic, in order of the scenario's.
    cross: Vec<u32>,
    news: VecDeque<News>,
    counters: StreamCounters,
}

/// What happened to connections of stream hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Connections that came into use, at either end.
    pub opened: u64,
    /// Connections that were not made.
    pub failed_dials: u64,
    /// Connections that another one took the place of.
    pub replaced: u64,
    /// Connections that were not needed, because nodes connected to each other at the same time.
    pub crossed: u64,
}

impl Connections {
    /// Returns none, for a run with `nodes` nodes whose stream hops behave as `options` say.
    #[must_use]
    pub fn new(options: Options, nodes: usize) -> Self {
        Self {
            options,
            list: Vec::new(),
            free: Vec::new(),
            nodes: (0..nodes).map(|_| NodeStreams::default()).collect(),
            cross: Vec::new(),
            news: VecDeque::new(),
            counters: StreamCounters::default(),
        }
    }

    /// Returns the next thing that a node is to be told of. Call after everything that may bring some, until `None`.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Returns the counters.
    #[must_use]
    pub const fn counters(&self) -> StreamCounters {
        self.counters
    }

    /// Puts a connection in a free place.
    fn add(
        &mut self,
        network: &mut Network,
        options: Options,
        purpose: Purpose,
        ends: [(u32, u32); 2],
        begins: Instant,
    ) -> u32 {
        let place = self.free.pop();
        let generation = place.map_or(0, |place| self.list[place as usize].generation + 1);
        let connection = Connection::new(generation, options, purpose, ends, begins);
        let place = match place {
            Some(place) => {
                self.list[place as usize] = connection;
                place
            }
            None => {
                self.list.push(connection);
                self.list.len() as u32 - 1
            }
        };
        self.reschedule(network, place);
        place
    }

    /// Works off what a connection has to do now.
    pub fn on_timer(&mut self, now: Instant, network: &mut Network, place: u32) {
        let connection = &mut self.list[place as usize];
        connection.pending = None;
        if connection.is_free {
            return;
        }
        if !connection.ends[0].was_made {
            if connection.begins <= now {
                let tcp = Endpoint::connect(&connection.options, now);
                connection.ends[0].tcp = Some(tcp);
                connection.ends[0].was_made = true;
            }
        } else if connection.is_late(now) {
            connection.keep_figures();
            for end in &mut connection.ends {
                if let Some(tcp) = &mut end.tcp
                    && (end.hop.is_none() || connection.purpose != Purpose::Hop)
                {
                    tcp.reset();
                }
            }
        } else {
            for end in &mut connection.ends {
                if let Some(tcp) = &mut end.tcp
                    && tcp.deadline().is_some_and(|at| at <= now)
                {
                    tcp.on_timer(now);
                }
            }
        }
        for end in 0..2 {
            self.pump(now, network, place, end);
        }
        self.tidy(network, place);
    }

    /// Takes a segment in that came to an end of a link, by its bytes.
    pub fn on_segment(&mut self, now: Instant, network: &mut Network, bytes: &[u8]) {
        let Some((name, from, segment)) = Segment::from_bytes(bytes) else { return };
        let [place, generation] =
            [0, 4].map(|at| u32::from_be_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]));
        let index = 1 - usize::from(from);
        let Some(connection) = self.list.get_mut(place as usize) else { return };
        // Both ends of an earlier connection in this place are gone.
        if connection.is_free || connection.generation != generation {
            return;
        }
        let end = &mut connection.ends[index];
        if index == 1 && segment.kind == SegmentKind::Syn && !end.was_made {
            end.was_made = true;
            end.tcp = Some(Endpoint::accept(&connection.options, now));
        }
        match &mut end.tcp {
            Some(tcp) => {
                let before = (tcp.state(), tcp.receiver().next());
                tcp.on_segment(now, &segment);
                self.after_segment(place, index, before);
                self.pump(now, network, place, index);
            }
            None if segment.kind == SegmentKind::Reset => {}
            None => {
                let reset = Segment::new(SegmentKind::Reset, now);
                self.send(now, network, place, index, &reset);
            }
        }
        self.tidy(network, place);
    }

    /// Tells what a segment changed for the node.
    fn after_segment(&mut self, place: u32, index: usize, before: (State, u64)) {
        let connection = &self.list[place as usize];
        let [end, other] = [index, 1 - index].map(|index| &connection.ends[index]);
        let Some(tcp) = &end.tcp else { return };
        if connection.purpose != Purpose::Hop {
            return;
        }
        let (node, peer) = (end.node, other.node);
        let next = tcp.receiver().next();
        // Who asked knows whom; who was asked learns it from the first bytes.
        let is_ready = if index == 0 {
            before.0 != State::Established && tcp.state() == State::Established
        } else {
            before.1 < PREFACE_BYTES as u64 && next >= PREFACE_BYTES as u64
        };
        if is_ready {
            self.news.push_back(News::Ready { node, peer, connection: place, end: index });
        }
        if next > before.1 {
            if let Some(hop) = end.hop {
                self.news.push_back(News::Frames { node, hop, connection: place, end: index });
            }
            self.nodes[node as usize].is_heard(peer);
        }
    }

    /// Sends what an end has to send, and sees whether it is gone, or has room.
    fn pump(&mut self, now: Instant, network: &mut Network, place: u32, index: usize) {
        loop {
            self.feed_cross(now, place, index);
            while let Some(tcp) = &mut self.list[place as usize].ends[index].tcp
                && let Some(segment) = tcp.poll(now)
            {
                self.send(now, network, place, index, &segment);
            }
            let end = &mut self.list[place as usize].ends[index];
            let Some(tcp) = &end.tcp else { return };
            if tcp.state() == State::Closed {
                return self.end_gone(now, network, place, index);
            }
            let (Some(hop), node) = (end.hop, end.node) else { return };
            let bytes = end.flush(now);
            if bytes == 0 {
                return;
            }
            self.news.push_back(News::Room { node, hop, bytes });
        }
    }

    fn send(&self, now: Instant, network: &mut Network, place: u32, index: usize, segment: &Segment) {
        let connection = &self.list[place as usize];
        let mut name = [0; 8];
        name[..4].copy_from_slice(&place.to_be_bytes());
        name[4..].copy_from_slice(&connection.generation.to_be_bytes());
        let bytes = segment.to_bytes(name, index as u8);
        let is_cross = connection.purpose != Purpose::Hop;
        network.send_segment(now, connection.ends[index].link, &bytes, segment.wire_bytes(), is_cross);
    }

    /// An end is gone: what can come no more is dropped, and the node is told.
    fn end_gone(&mut self, now: Instant, network: &mut Network, place: u32, index: usize) {
        self.close_end(network, place, index, DropCause::Connection);
        self.lose(now, network, place, index);
    }

    /// Takes an end down. What it sent may still come to the other end, what it had not sent may not, and to itself
    /// comes nothing.
    fn close_end(&mut self, network: &mut Network, place: u32, index: usize, cause: DropCause) {
        let connection = &mut self.list[place as usize];
        let [this, other] = [index, 1 - index];
        let Some(tcp) = connection.ends[this].tcp.take() else { return };
        let sent = tcp.sender().nxt();
        let is_other_up = connection.ends[other].is_up();
        let lost = connection.ends[this].frames.cut(if is_other_up { sent } else { 0 });
        network.drop_packets_of_connection(connection.ends[this].link, lost, cause);
        let lost = connection.ends[other].frames.cut(0);
        network.drop_packets_of_connection(connection.ends[other].link, lost, cause);
    }

    /// Frees the place of a connection that is over, or sets its event.
    fn tidy(&mut self, network: &mut Network, place: u32) {
        let connection = &mut self.list[place as usize];
        if !connection.is_free && connection.is_over() && connection.purpose == Purpose::Hop {
            connection.is_free = true;
            for end in 0..2 {
                let lost = connection.ends[end].frames.cut(0);
                let cause = DropCause::Connection;
                network.drop_packets_of_connection(connection.ends[end].link, lost, cause);
            }
            self.free.push(place);
        }
        self.reschedule(network, place);
    }

    fn reschedule(&mut self, network: &mut Network, place: u32) {
        let connection = &mut self.list[place as usize];
        let at = connection.deadline();
        if at != connection.pending {
            connection.pending = at;
            network.schedule_connection(place, at);
        }
    }

    /// Takes the next frame that has come to an end out: its header goes to `header`. Returns its payload, and
    /// whether it carries a packet of a session.
    pub fn next_frame(&mut self, place: u32, end: usize, header: &mut Vec<u8>) -> Option<(Payload, bool)> {
        let connection = &mut self.list[place as usize];
        let next = connection.ends[end].tcp.as_ref()?.receiver().next();
        connection.ends[1 - end].frames.pop(next, header)
    }

    /// Returns how many packets of sessions are in connections.
    #[must_use]
    pub fn packets_inside(&self) -> u64 {
        self.list.iter().flat_map(|connection| &connection.ends).map(|end| end.frames.packets()).sum()
    }

    /// Shows the header of each packet of a session in a connection to `f`.
    pub fn for_each_packet(&self, f: &mut dyn FnMut(&[u8])) {
        for end in self.list.iter().flat_map(|connection| &connection.ends) {
            end.frames.for_each_packet(f);
        }
    }
}
