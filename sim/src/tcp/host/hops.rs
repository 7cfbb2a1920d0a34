//! Which connection a stream hop goes over: dialling, taking, replacing, losing, as live nodes do it.

use super::connection::{GATHER_MAX, Purpose};
use super::{Connections, News};
use crate::link::DropCause;
use crate::network::Network;
use bellini_core::ids::HopIndex;
use bellini_core::io::Transmit;
use bellini_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// Distance of the first attempts.
const REDIAL_FIRST: Duration = Duration::from_millis(100);
/// Most distance of attempts.
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// What the side that had dialled is given before the other one does.
const YIELD_TO_DIALLER: Duration = Duration::from_secs(1);
/// Connections that cross are made within so much time.
const CROSSING: Duration = Duration::from_secs(2);

/// The stream hops of a node.
#[derive(Debug, Default)]
pub(super) struct NodeStreams {
    hops: BTreeMap<u32, StreamHop>,
    /// The open connection and the node's end of it, by the node's index of the hop.
    open: Vec<Option<(u32, u8)>>,
    /// Hops of the node that were looked at.
    known_hops: usize,
    /// Connections that frames were handed out for since the last flush, and the node's end of each.
    touched: Vec<(u32, u8)>,
}

/// The stream hop to one peer.
#[derive(Clone, Copy, Debug)]
struct StreamHop {
    /// The connection in use, and the node's end of it.
    open: Option<(u32, u8)>,
    /// The one that the node asked for.
    dial: Option<u32>,
    redial: Duration,
}

impl Default for StreamHop {
    fn default() -> Self {
        Self { open: None, dial: None, redial: REDIAL_FIRST }
    }
}

impl NodeStreams {
    /// Bytes of the peer came: the path is well.
    pub(super) fn is_heard(&mut self, peer: u32) {
        if let Some(hop) = self.hops.get_mut(&peer) {
            hop.redial = REDIAL_FIRST;
        }
    }

    /// Returns how many of the node's hops were looked at, and notes that there are `count`.
    fn look(&mut self, count: usize) -> usize {
        core::mem::replace(&mut self.known_hops, count)
    }
}

/// What a node is to be told when it takes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The hop had another connection, which is closed.
    pub was_open: bool,
    /// Room for so many bytes.
    pub room: u64,
}

impl Connections {
    /// Returns which of a node's `count` hops are new.
    pub fn new_hops(&mut self, node: u32, count: usize) -> core::ops::Range<usize> {
        self.nodes[node as usize].look(count)..count
    }

    /// Makes sure that a connection from a node to its peer is there or on its way. `links`: there and back.
    pub fn want(&mut self, now: Instant, network: &mut Network, node: u32, peer: u32, links: [u32; 2]) {
        let hop = self.nodes[node as usize].hops.entry(peer).or_default();
        if hop.open.is_none() && hop.dial.is_none() {
            self.dial(now, network, [(node, links[0]), (peer, links[1])]);
        }
    }

    fn dial(&mut self, at: Instant, network: &mut Network, ends: [(u32, u32); 2]) {
        let mtu = ends.map(|(_, link)| network.links[link as usize].mtu);
        let options = self.options.for_mtu(mtu[0].min(mtu[1]));
        let place = self.add(network, options, Purpose::Hop, ends, at);
        let [(node, _), (peer, _)] = ends;
        self.nodes[node as usize].hops.entry(peer).or_default().dial = Some(place);
    }

    /// Has a node use a connection for its hop, unless the one that is there is better. `incarnation`: which start of
    /// the node this is.
    pub fn take(
        &mut self,
        now: Instant,
        network: &mut Network,
        (place, index): (u32, usize),
        hop: HopIndex,
        incarnation: u32,
    ) -> Option<Opening> {
        let connection = &mut self.list[place as usize];
        connection.ends[index].tcp.as_ref()?;
        connection.ends[index].incarnation = incarnation;
        let (node, peer) = (connection.ends[index].node, connection.ends[1 - index].node);
        let by_us = index == 0;
        let theirs = connection.ends[1 - index].incarnation;
        let known = self.nodes[node as usize].hops.entry(peer).or_default();
        if by_us {
            known.dial = known.dial.filter(|dial| *dial != place);
        }
        let mut was_open = false;
        if let Some((old, end)) = known.open {
            let old_end = usize::from(end);
            let old_connection = &self.list[old as usize];
            let dialler = |by_us: bool| if by_us { node } else { peer };
            let is_new_start = !by_us && theirs > old_connection.ends[1 - old_end].incarnation;
            let age = now.saturating_since(old_connection.ends[old_end].since);
            // Both sides come to the same result: that of the lower node is kept.
            let crosses = dialler(old_end == 0) < dialler(by_us) && age < CROSSING;
            if crosses && !is_new_start {
                self.counters.crossed += 1;
                self.reset(now, network, place, index);
                return None;
            }
            self.counters.replaced += 1;
            self.forget(node, peer);
            self.reset(now, network, old, old_end);
            was_open = true;
        }
        let known = self.nodes[node as usize].hops.entry(peer).or_default();
        if !by_us && let Some(dial) = known.dial.take() {
            self.reset(now, network, dial, 0);
        }
        let streams = &mut self.nodes[node as usize];
        if streams.open.len() <= hop.0 as usize {
            streams.open.resize(hop.0 as usize + 1, None);
        }
        streams.open[hop.0 as usize] = Some((place, index as u8));
        streams.hops.entry(peer).or_default().open = Some((place, index as u8));
        let end = &mut self.list[place as usize].ends[index];
        (end.hop, end.since) = (Some(hop), now);
        if by_us && let Some(tcp) = &mut end.tcp {
            tcp.write(now, bellini_core::wire::preface::PREFACE_BYTES as u64);
            self.pump(now, network, place, index);
            self.tidy(network, place);
        }
        // What came behind the first bytes.
        self.news.push_back(News::Frames { node, hop, connection: place, end: index });
        self.counters.opened += 1;
        Some(Opening { was_open, room: GATHER_MAX })
    }

    /// Appends a frame to the connection of its hop.
    pub fn push(&mut self, network: &mut Network, node: u32, frame: Transmit<'_>) {
        let streams = &mut self.nodes[node as usize];
        // The core has no room for a hop without a connection.
        let Some((place, index)) = streams.open.get(frame.hop.0 as usize).copied().flatten() else { return };
        let connection = &mut self.list[place as usize];
        let is_peer_up = connection.ends[1 - usize::from(index)].is_up();
        let end = &mut connection.ends[usize::from(index)];
        network.ledger.taken += u64::from(frame.is_packet);
        let bytes = end.frames.push(frame.header, frame.payload, frame.is_packet);
        end.gather(bytes);
        if !is_peer_up {
            // It looks as if it went, and comes to nobody.
            let lost = end.frames.cut(0);
            network.drop_packets_of_connection(end.link, lost, DropCause::Connection);
        }
        if !end.is_touched {
            end.is_touched = true;
            streams.touched.push((place, index));
        }
    }

    /// Hands what was gathered at a node to its connections, and sends; room that this makes is news.
    pub fn flush(&mut self, now: Instant, network: &mut Network, node: u32) {
        let mut touched = core::mem::take(&mut self.nodes[node as usize].touched);
        for (place, index) in touched.drain(..) {
            let end = &mut self.list[place as usize].ends[usize::from(index)];
            end.is_touched = false;
            self.pump(now, network, place, usize::from(index));
            self.tidy(network, place);
        }
        self.nodes[node as usize].touched = touched;
    }

    /// A node's end of a connection broke: the node is told, and dials again.
    pub(super) fn lose(&mut self, now: Instant, network: &mut Network, place: u32, index: usize) {
        let connection = &mut self.list[place as usize];
        if connection.purpose != Purpose::Hop {
            return;
        }
        let [this, other] = [index, 1 - index].map(|index| &connection.ends[index]);
        let ends = [(this.node, this.link), (other.node, other.link)];
        let (node, peer) = (this.node, other.node);
        let hop = connection.ends[index].hop.take();
        let known = self.nodes[node as usize].hops.entry(peer).or_default();
        let after = known.redial;
        let name = (place, index as u8);
        if let Some(hop) = hop
            && known.open == Some(name)
        {
            self.forget(node, peer);
            self.news.push_back(News::Closed { node, hop });
        } else if index == 0 && known.dial == Some(place) {
            self.counters.failed_dials += 1;
            known.dial = None;
        } else {
            return;
        }
        let known = self.nodes[node as usize].hops.entry(peer).or_default();
        known.redial = after.saturating_mul(2).min(REDIAL_MAX);
        if known.open.is_none() && known.dial.is_none() {
            let wait = if index == 0 { after } else { after + YIELD_TO_DIALLER };
            self.dial(now + wait, network, ends);
        }
    }

    /// The node uses no connection to the peer any more.
    fn forget(&mut self, node: u32, peer: u32) {
        let streams = &mut self.nodes[node as usize];
        if let Some(open) = streams.hops.get_mut(&peer).and_then(|hop| hop.open.take()) {
            streams.open.iter_mut().filter(|known| **known == Some(open)).for_each(|known| *known = None);
            self.list[open.0 as usize].ends[usize::from(open.1)].hop = None;
        }
    }

    /// Closes an end that the node does not want.
    fn reset(&mut self, now: Instant, network: &mut Network, place: u32, index: usize) {
        let end = &mut self.list[place as usize].ends[index];
        if !end.was_made {
            // It has not been asked for yet.
            end.was_made = true;
        } else if let Some(tcp) = &mut end.tcp {
            tcp.reset();
            self.pump(now, network, place, index);
        }
        self.tidy(network, place);
    }

    /// A node dies, and its ends of connections with it.
    pub fn crash(&mut self, network: &mut Network, node: u32) {
        for place in 0..self.list.len() as u32 {
            let connection = &mut self.list[place as usize];
            if connection.is_free || connection.purpose != Purpose::Hop {
                continue;
            }
            for index in 0..2 {
                let end = &mut self.list[place as usize].ends[index];
                if end.node == node {
                    end.was_made = index == 0 || end.was_made;
                    end.hop = None;
                    self.close_end(network, place, index, DropCause::Crash);
                }
            }
            self.tidy(network, place);
        }
        self.nodes[node as usize] = NodeStreams::default();
    }
}
