//! What the conductor asks of a testbed, done with processes.

use super::{Answer, CrossTcp, LabBed, Order};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command as CoreCommand, CommandError};
use bellini_core::session::SinkSessionStats;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{
    CrossFlowFigures, Degrade, LinkFigures, NodeFigures, SessionFigures, SourceCounts, Testbed, TestbedError,
};
use std::collections::BTreeMap;

impl Testbed for LabBed<'_> {
    fn has_real_bytes(&self) -> bool {
        true
    }

    fn secret(&self) -> Option<[u8; 32]> {
        None
    }

    fn now(&self) -> Instant {
        self.running.as_ref().map_or(Instant::ZERO, |(_, clock)| clock.now())
    }

    fn local(&self, node: u32, at: Instant) -> Instant {
        // The errors in the clocks are the lab's own plant, so that it knows them, as the simulator does: sessions
        // start in the same moments in both.
        let Some((_, clock)) = &self.running else { return at };
        let ns = clock.origin_ns().saturating_add_unsigned(at.as_nanos());
        Instant::from_nanos(self.plan.clock_at(node, ns))
    }

    fn clock_ahead_ns(&self, _: u32, _: u32) -> Option<i64> {
        // Nobody tells a real node: nodes find out by themselves.
        None
    }

    fn node_is_up(&self, node: u32) -> bool {
        self.nodes[node as usize].process.is_some()
    }

    fn link_is_up(&self, link: u32) -> bool {
        self.links_up[link as usize]
    }

    fn command(&mut self, node: u32, mut command: CoreCommand) -> Result<(), CommandError> {
        if let Some((key, edge)) = self.plan.edges().apply(self.plan.nodes[node as usize].id, &mut command) {
            self.order(node, &Order::Edge { key, edge });
        }
        self.order(node, &Order::Command(Box::new(command)));
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestbedError> {
        self.look_at_links()?;
        let up = self.up();
        self.look_at(&up, false, false)
    }

    fn node(&self, node: u32) -> NodeFigures {
        let state = &self.nodes[node as usize];
        state.past.and(&state.figures.node)
    }

    fn link(&mut self, link: u32) -> LinkFigures {
        self.links[link as usize].clone()
    }

    fn cross_flows(&mut self) -> Vec<CrossFlowFigures> {
        self.cross.as_ref().map_or_else(Vec::new, CrossTcp::figures)
    }

    fn source_counts(&self, node: u32, key: SessionKey) -> Option<SourceCounts> {
        self.counts(node, key)?.source
    }

    fn sink_counts(&self, node: u32, key: SessionKey) -> Option<SinkSessionStats> {
        self.counts(node, key)?.sink
    }

    fn harvest(&mut self, node: u32, key: SessionKey, finish: bool) -> Option<SessionFigures> {
        let id = self.id();
        if !self.order(node, &Order::Harvest { id, key, finish }) {
            return None;
        }
        let is_mine =
            |answer: &Answer| matches!(answer, Answer::Harvested { id: theirs, .. } if *theirs == id);
        match self.wait(node, is_mine) {
            Ok(Answer::Harvested { figures, .. }) => figures.map(|figures| *figures),
            Ok(_) => None,
            Err(error) => {
                self.broken.get_or_insert(error.0);
                None
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<Vec<(SessionKey, SessionFigures)>>, TestbedError> {
        self.look_at_links()?;
        let up = self.up();
        self.look_at(&up, true, true)?;
        Ok(self.nodes.iter_mut().map(|node| core::mem::take(&mut node.figures.sessions)).collect())
    }

    fn in_flight(&self) -> BTreeMap<(SessionKey, NodeId), u64> {
        BTreeMap::new()
    }

    fn waiting(&self) -> Vec<(SessionKey, NodeId, Vec<u64>)> {
        let running = self.nodes.iter().filter(|node| node.process.is_some());
        running.flat_map(|node| node.figures.waiting.iter().cloned()).collect()
    }

    fn cut(&mut self, link: u32) {
        self.links_up[link as usize] = false;
        self.tell_wan(|wan| wan.cut(link));
    }

    fn heal(&mut self, link: u32) {
        self.links_up[link as usize] = true;
        self.tell_wan(|wan| wan.heal(link));
    }

    fn degrade(&mut self, link: u32, degrade: Degrade) {
        self.tell_wan(|wan| wan.degrade(link, degrade));
    }

    fn crash(&mut self, node: u32) -> Vec<(SessionKey, SessionFigures)> {
        if !self.node_is_up(node) {
            return Vec::new();
        }
        // What dies with a process cannot be asked for afterwards: the look comes right before the kill.
        if let Err(error) = self.look_at(&[node], true, true) {
            self.broken.get_or_insert(error.0);
        }
        // Off the network first: a kernel whose process dies tells the peers, a machine that dies does not.
        self.tell_wan(|wan| wan.node_down(node));
        let state = &mut self.nodes[node as usize];
        if let Some(process) = state.process.take() {
            process.kill();
        }
        let figures = core::mem::take(&mut state.figures);
        state.past.take(&figures);
        figures.sessions
    }

    fn restart(&mut self, node: u32) -> Result<(), TestbedError> {
        if self.node_is_up(node) {
            return Ok(());
        }
        self.tell_wan(|wan| wan.node_up(node));
        self.launch(node)
            .and_then(|()| self.until_ready(node))
            .map_err(|error| TestbedError(error.to_string()))
    }
}
