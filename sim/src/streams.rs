//! Stream hops of the world's nodes: what TCP tells of is brought to them, and their frames to it.

use crate::digest::{Happened, identity};
use crate::tcp::Options;
use crate::tcp::SEGMENT_BYTES;
use crate::tcp::host::{Connections, News};
use crate::world::World;
use bellini_core::io::{HopKind, Input, Received};
use bellini_core::time::Duration;
use bellini_scenarios::model::{CrossPattern, Scenario, Transport};

/// A connection of a stream hop whose bytes are not acknowledged for so long is broken, as with live nodes.
const SILENCE_MAX: Duration = Duration::from_secs(10);

impl Options {
    /// Returns those of stream hops: what a Linux host has by default, but for its patience.
    #[must_use]
    pub fn of_stream_hops() -> Self {
        Self { user_timeout: SILENCE_MAX, ..Self::default() }
    }
}

/// Whether anything of a scenario goes over TCP.
pub(crate) fn needs_tcp(scenario: &Scenario) -> bool {
    let mut sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    let is_tcp = |pattern: &CrossPattern| matches!(pattern, CrossPattern::Tcp { .. });
    sessions.any(|session| session.transport == Transport::Tcp)
        || scenario.cross_traffic.iter().any(|cross| is_tcp(&cross.pattern))
}

impl World<'_> {
    /// Hands a segment that came to a node to its connection.
    pub(crate) fn receive_segment(&mut self, node: u32, link: u32, frame: u32) {
        let pool = &mut self.network.links[link as usize].pool;
        if !pool.is_cross(frame) && self.nodes[node as usize].process.is_none() {
            self.network.drop_at_dead_node(self.now, link, frame);
            return;
        }
        let mut bytes = [0; SEGMENT_BYTES];
        bytes.copy_from_slice(pool.header(frame));
        self.nodes[node as usize].hash.add(self.now, Happened::Received, identity(&bytes), 1);
        pool.remove(frame);
        if let Some(tcp) = &mut self.tcp {
            tcp.on_segment(self.now, &mut self.network, &bytes);
        }
        self.take_news();
        self.settle_all();
    }

    /// Works off a connection's timers.
    pub(crate) fn step_connection(&mut self, place: u32) {
        if let Some(tcp) = &mut self.tcp {
            tcp.on_timer(self.now, &mut self.network, place);
        }
        self.take_news();
        self.settle_all();
    }

    /// Returns how many packets of sessions are in connections.
    pub(crate) fn packets_in_streams(&self) -> u64 {
        self.tcp.as_ref().map_or(0, |tcp| tcp.packets_inside())
    }

    fn settle_all(&mut self) {
        while let Some(node) = self.unsettled.pop() {
            self.settle(node);
        }
    }

    /// Brings what there is of news to the nodes, without draining them.
    fn take_news(&mut self) {
        while let Some(news) = self.tcp.as_mut().and_then(|tcp| tcp.poll_news()) {
            let node = match news {
                News::Ready { node, .. }
                | News::Frames { node, .. }
                | News::Room { node, .. }
                | News::Closed { node, .. } => node,
            };
            let local = self.nodes[node as usize].clock.local(self.now);
            if let News::Ready { peer, connection, end, .. } = news {
                self.take_connection(node, peer, (connection, end));
            } else if let News::Frames { hop, connection, end, .. } = news {
                let state = &mut self.nodes[node as usize];
                let Some(process) = &mut state.process else { continue };
                while let Some((payload, is_packet)) = self
                    .tcp
                    .as_mut()
                    .and_then(|tcp: &mut Box<Connections>| tcp.next_frame(connection, end, &mut self.frame))
                {
                    state.hash.add(self.now, Happened::Received, identity(&self.frame), 0);
                    self.network.ledger.delivered += u64::from(is_packet);
                    let received = Received::Split { header: &self.frame, payload };
                    // What is refused is counted by the node.
                    let _ = process.handle_input(local, Input::Frame { hop, frame: received });
                }
            } else if let Some(process) = &mut self.nodes[node as usize].process {
                let input = match news {
                    News::Room { hop, bytes, .. } => Input::Room { hop, bytes },
                    News::Closed { hop, .. } => Input::Closed { hop },
                    News::Ready { .. } | News::Frames { .. } => continue,
                };
                // The hop exists.
                let _ = process.handle_input(local, input);
            }
            if !self.unsettled.contains(&node) {
                self.unsettled.push(node);
            }
        }
    }

    /// Has a node use a connection that is there.
    fn take_connection(&mut self, node: u32, peer: u32, connection: (u32, usize)) {
        let peer = self.nodes[peer as usize].id;
        let state = &mut self.nodes[node as usize];
        let (Some(process), Some(tcp)) = (&mut state.process, &mut self.tcp) else { return };
        let hop = process.hop(peer, HopKind::Stream);
        let local = state.clock.local(self.now);
        let taken = tcp.take(self.now, &mut self.network, connection, hop, state.incarnation);
        if let Some(opening) = taken {
            // The hop exists.
            if opening.was_open {
                let _ = process.handle_input(local, Input::Closed { hop });
            }
            let _ = process.handle_input(local, Input::Opened { hop });
            let _ = process.handle_input(local, Input::Room { hop, bytes: opening.room });
        }
    }

    /// Opens connections for a node's new stream hops, and sends what it handed out for those that it has, until it
    /// has nothing more that there is room for.
    pub(crate) fn settle_streams(&mut self, index: u32) {
        loop {
            self.open_streams(index);
            let Some(tcp) = &mut self.tcp else { return };
            tcp.flush(self.now, &mut self.network, index);
            self.take_news();
            match self.unsettled.iter().position(|node| *node == index) {
                Some(at) => {
                    self.unsettled.swap_remove(at);
                }
                None => return,
            }
            self.settle_node(index);
        }
    }

    fn open_streams(&mut self, index: u32) {
        let (Some(process), Some(tcp)) = (&self.nodes[index as usize].process, &mut self.tcp) else { return };
        let new = tcp.new_hops(index, process.hops().len());
        for hop in new {
            let Some(process) = &self.nodes[index as usize].process else { return };
            let hop = &process.hops()[hop];
            if hop.kind != HopKind::Stream {
                continue;
            }
            let peer = self.index_of(hop.peer);
            let there = self.nodes[index as usize].links.get(&hop.peer);
            let back = self.nodes[peer as usize].links.get(&self.nodes[index as usize].id);
            // Without a way there and back there is no connection: frames wait, as they do in front of a dead host.
            if let (Some(there), Some(back), Some(tcp)) = (there, back, &mut self.tcp) {
                tcp.want(self.now, &mut self.network, index, peer, [*there, *back]);
            }
        }
    }
}
