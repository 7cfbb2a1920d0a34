//! The world as what a run is played on: it stands still while the conductor looks.

use crate::world::{SimNode, World};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command, CommandError};
use bellini_core::session::SinkSessionStats;
use bellini_core::time::Instant;
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use bellini_scenarios::conduct::{
    CrossFlowFigures, Degrade, LinkFigures, NodeFigures, SessionCounts, SessionFigures, SourceCounts,
    Testbed, TestbedError, WaitingSymbols,
};
use std::collections::BTreeMap;

impl Testbed for World<'_> {
    fn stands_still(&self) -> bool {
        true
    }

    fn has_real_bytes(&self) -> bool {
        false
    }

    fn secret(&self) -> Option<[u8; 32]> {
        None
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn local(&self, node: u32, at: Instant) -> Instant {
        self.nodes[node as usize].clock.local(at)
    }

    fn clock_ahead_ns(&self, source: u32, sink: u32) -> Option<i64> {
        let (theirs, ours) = (self.nodes[source as usize].clock, self.nodes[sink as usize].clock);
        (ours != theirs).then(|| theirs.ahead_of(&ours, self.now))
    }

    fn node_is_up(&self, node: u32) -> bool {
        self.nodes[node as usize].process.is_some()
    }

    fn link_is_up(&self, link: u32) -> bool {
        self.network.links[link as usize].model.is_up()
    }

    fn command(&mut self, node: u32, command: Command) -> Result<(), CommandError> {
        self.give(node, command)
    }

    fn look(&mut self) -> Result<(), TestbedError> {
        // Figures are read where they are; this is the moment to see whether they add up.
        self.check_nodes().map_err(|error| TestbedError(error.to_string()))
    }

    fn node(&self, node: u32) -> NodeFigures {
        node_figures(&self.nodes[node as usize])
    }

    fn link(&mut self, link: u32) -> LinkFigures {
        self.network.link_figures(self.now, link)
    }

    fn cross_flows(&mut self) -> Vec<CrossFlowFigures> {
        self.tcp.as_ref().map(|tcp| tcp.cross_figures()).unwrap_or_default()
    }

    fn source_counts(&self, node: u32, key: SessionKey) -> Option<SourceCounts> {
        SourceCounts::of(self.session(node, key)?)
    }

    fn sink_counts(&self, node: u32, key: SessionKey) -> Option<SinkSessionStats> {
        SessionCounts::of(self.session(node, key)?).sink
    }

    fn harvest(&mut self, node: u32, key: SessionKey, finish: bool) -> Option<SessionFigures> {
        let node = &mut self.nodes[node as usize];
        let process = node.process.as_mut()?;
        if finish {
            process.finish_session(node.clock.local(self.now), key);
        }
        process.session(key).map(SessionFigures::of)
    }

    fn finish(&mut self) -> Result<Vec<Vec<(SessionKey, SessionFigures)>>, TestbedError> {
        let now = self.now;
        let finish = |node: &mut SimNode| {
            let local = node.clock.local(now);
            let Some(process) = &mut node.process else { return Vec::new() };
            process.finish(local);
            process.sessions().map(|entry| (entry.key, SessionFigures::of(entry))).collect()
        };
        Ok(self.nodes.iter_mut().map(finish).collect())
    }

    fn in_flight(&self) -> BTreeMap<(SessionKey, NodeId), u64> {
        let mut symbols = WaitingSymbols::default();
        let mut note_frame =
            |header: &[u8]| symbols.add_packet(&header[FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES..]);
        self.network.for_each_packet(&mut note_frame);
        if let Some(tcp) = &self.tcp {
            tcp.for_each_packet(&mut note_frame);
        }
        self.nodes.iter().filter_map(|node| node.process.as_ref()).for_each(|node| symbols.add_node(node));
        let mut counts = BTreeMap::new();
        for (key, node, epoch, symbol, timestamp) in symbols.iter() {
            let Some(entry) = self.session(self.index_of(node), key) else { continue };
            // Who is no destination (any more) has a sink that nobody set up, if one: nothing is on its way to it.
            let Some(sink) = entry.sink.as_ref().filter(|sink| sink.content_stats().is_some()) else {
                continue;
            };
            if sink.measure().contains(Instant::from_nanos(timestamp)) && !sink.has(epoch, symbol) {
                *counts.entry((key, node)).or_default() += 1;
            }
        }
        counts
    }

    fn cut(&mut self, link: u32) {
        self.network.cut(self.now, link);
    }

    fn heal(&mut self, link: u32) {
        self.network.heal(self.now, link);
    }

    fn degrade(&mut self, link: u32, degrade: Degrade) {
        self.network.degrade(self.now, link, degrade);
    }

    fn crash(&mut self, node: u32) -> Vec<(SessionKey, SessionFigures)> {
        let Some(mut process) = self.crash_node(node) else { return Vec::new() };
        process.finish(self.nodes[node as usize].clock.local(self.now));
        process.sessions().map(|entry| (entry.key, SessionFigures::of(entry))).collect()
    }

    fn restart(&mut self, node: u32) -> Result<(), TestbedError> {
        if self.nodes[node as usize].process.is_some() {
            return Ok(());
        }
        self.start_node(node).map_err(|error| TestbedError(error.to_string()))
    }
}

fn node_figures(node: &SimNode) -> NodeFigures {
    let now = node.process.as_ref().map(|process| NodeFigures::of(process)).unwrap_or_default();
    NodeFigures {
        stats: node.stats(),
        crashed_packets: node.crashed_packets,
        unlinked_packets: node.unlinked_packets,
        ..now
    }
}
