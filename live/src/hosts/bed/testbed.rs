//! What the conductor asks of a testbed, done with consoles.

use super::hearing::add_hop;
use super::{Answer, HostsBed, Order};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command as CoreCommand, CommandError};
use bellini_core::session::SinkSessionStats;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{
    CrossFlowFigures, Degrade, LinkFigures, NodeFigures, SessionFigures, SourceCounts, Testbed, TestbedError,
};
use std::collections::BTreeMap;

impl Testbed for HostsBed<'_> {
    fn has_real_bytes(&self) -> bool {
        true
    }

    fn secret(&self) -> Option<[u8; 32]> {
        Some(self.secret)
    }

    fn now(&self) -> Instant {
        self.began.map_or(Instant::ZERO, |(began, _)| {
            Instant::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX))
        })
    }

    fn local(&self, node: u32, at: Instant) -> Instant {
        let Some((_, began_ns)) = self.began else { return at };
        let since = began_ns - self.origin_ns + self.nodes[node as usize].ahead_ns;
        Instant::from_nanos(u64::try_from(since.saturating_add_unsigned(at.as_nanos())).unwrap_or(0))
    }

    fn clock_ahead_ns(&self, _: u32, _: u32) -> Option<i64> {
        // Nodes find out by themselves, better than we could through their consoles.
        None
    }

    fn node_is_up(&self, node: u32) -> bool {
        self.nodes[node as usize].console.is_some()
    }

    fn link_is_up(&self, _: u32) -> bool {
        // Links are not ours: as far as anybody here knows, they are.
        true
    }

    fn command(&mut self, node: u32, mut command: CoreCommand) -> Result<(), CommandError> {
        let id = self.scenario.nodes[node as usize].id;
        if let Some((key, edge)) = self.options.edges.apply(id, &mut command) {
            self.order(node, &Order::Edge { key, edge });
        }
        self.order(node, &Order::Command(Box::new(command)));
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestbedError> {
        let (up, full) = (self.up(), self.wants_full());
        self.look_at(&up, full, false);
        Ok(())
    }

    fn node(&self, node: u32) -> NodeFigures {
        let state = &self.nodes[node as usize];
        state.past.and(&state.figures.node)
    }

    fn link(&mut self, link: u32) -> LinkFigures {
        // Seen from its ends: what was sent into it, and what the other side missed.
        let (from, to) = self.ends[link as usize];
        let (sender, receiver) = (self.places[from as usize].id, self.places[to as usize].id);
        let (here, there) = (&self.nodes[from as usize], &self.nodes[to as usize]);
        let mut figures = here.past_hops.get(&receiver).cloned().unwrap_or_default();
        for hop in here.figures.node.hops.iter().filter(|hop| hop.peer == receiver) {
            add_hop(&mut figures, hop);
        }
        let missing = there.figures.node.hops.iter().filter(|hop| hop.peer == sender);
        let past = there.past_missing.get(&sender).copied().unwrap_or(0);
        figures.dropped_loss = past + missing.map(|hop| hop.stats.missing_frames).sum::<u64>();
        figures
    }

    fn cross_flows(&mut self) -> Vec<CrossFlowFigures> {
        Vec::new()
    }

    fn source_counts(&self, node: u32, key: SessionKey) -> Option<SourceCounts> {
        self.counts(node, key)?.source
    }

    fn sink_counts(&self, node: u32, key: SessionKey) -> Option<SinkSessionStats> {
        self.counts(node, key)?.sink
    }

    fn harvest(&mut self, node: u32, key: SessionKey, finish: bool) -> Option<SessionFigures> {
        let id = self.id();
        if self.order(node, &Order::Harvest { id, key, finish }) {
            let is_mine =
                |answer: &Answer| matches!(answer, Answer::Harvested { id: theirs, .. } if *theirs == id);
            if let Some(Answer::Harvested { figures, .. }) = self.wait(node, is_mine) {
                return figures.map(|figures| *figures);
            }
        }
        // Lost: what was kept of it is given once.
        let kept = &mut self.nodes[node as usize].kept;
        let at = kept.iter().position(|(known, _)| *known == key)?;
        Some(kept.swap_remove(at).1)
    }

    fn finish(&mut self) -> Result<Vec<Vec<(SessionKey, SessionFigures)>>, TestbedError> {
        let up = self.up();
        self.look_at(&up, true, true);
        Ok(self.nodes.iter_mut().map(|node| core::mem::take(&mut node.kept)).collect())
    }

    fn in_flight(&self) -> BTreeMap<(SessionKey, NodeId), u64> {
        BTreeMap::new()
    }

    fn waiting(&self) -> Vec<(SessionKey, NodeId, Vec<u64>)> {
        let running = self.nodes.iter().filter(|node| node.console.is_some());
        running.flat_map(|node| node.figures.waiting.iter().cloned()).collect()
    }

    // Refused before a run begins: links are not ours.
    fn cut(&mut self, _: u32) {}

    fn heal(&mut self, _: u32) {}

    fn degrade(&mut self, _: u32, _: Degrade) {}

    fn crash(&mut self, node: u32) -> Vec<(SessionKey, SessionFigures)> {
        if !self.node_is_up(node) {
            return Vec::new();
        }
        // What dies with a process cannot be asked for afterwards: the look comes right before the kill.
        self.look_at(&[node], true, true);
        let place = &self.places[node as usize];
        let killed = self.deployment.kill(place);
        if let Some(console) = self.nodes[node as usize].console.take() {
            console.kill();
            self.fold(node);
        }
        if let Err(error) = killed {
            self.warn(node, &format!("it could not be killed: {error}"));
        }
        core::mem::take(&mut self.nodes[node as usize].kept)
    }

    fn restart(&mut self, node: u32) -> Result<(), TestbedError> {
        if self.node_is_up(node) {
            return Ok(());
        }
        let incarnation = self.nodes[node as usize].incarnation + 1;
        let (place, told) = (&self.places[node as usize], self.settings(node, incarnation));
        let started = self.deployment.start(place, &told, self.keys_of(node), true);
        let ready =
            started.and_then(|()| self.attach(node, incarnation)).and_then(|()| self.until_ready(node));
        if let Err(error) = ready {
            // The others go on: this one stays lost.
            let state = &mut self.nodes[node as usize];
            state.failed.get_or_insert_with(|| error.to_string());
            if let Some(console) = state.console.take() {
                console.kill();
            }
        }
        Ok(())
    }
}
