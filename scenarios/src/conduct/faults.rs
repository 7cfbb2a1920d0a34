//! Faults of a run: links cut, healed and made worse, processes that die and start again.

use super::conductor::{Conductor, record};
use super::error::ConductError;
use super::observer::Observer;
use super::testbed::{Degrade, Testbed};
use crate::model::{FaultKind, LinkSelector};
use crate::record::{EventRow, kind};
use bellini_core::ids::NodeId;

impl Conductor<'_> {
    /// Lets a fault of the scenario, by index, take effect.
    pub(super) fn fault(
        &mut self,
        bed: &mut dyn Testbed,
        i: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let scenario = self.roster.scenario;
        let names = |selector: &LinkSelector| {
            let LinkSelector::Links(links) = selector;
            let name = |i: &usize| {
                let link = &scenario.links[*i];
                format!("{}>{}", scenario.node_name(link.from), scenario.node_name(link.to))
            };
            links.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let fault = &scenario.faults[i];
        let mut node = None;
        let mut restarted = None;
        let mut word = kind::FAULT;
        let label = fault_label(&fault.kind, &names, &|id| scenario.node_name(id));
        let text = match &fault.kind {
            FaultKind::Cut(selector) => {
                let LinkSelector::Links(links) = selector;
                links.iter().for_each(|link| bed.cut(*link as u32));
                format!("Cut: {}.", names(selector))
            }
            FaultKind::Heal(selector) => {
                let LinkSelector::Links(links) = selector;
                links.iter().for_each(|link| bed.heal(*link as u32));
                format!("Healed: {}.", names(selector))
            }
            FaultKind::Degrade { links, rate_factor, extra_delay, extra_loss } => {
                let degrade =
                    Degrade { rate_factor: *rate_factor, extra_delay: *extra_delay, extra_loss: *extra_loss };
                let LinkSelector::Links(list) = links;
                list.iter().for_each(|link| bed.degrade(*link as u32, degrade));
                format!("Degraded: {}.", names(links))
            }
            FaultKind::Crash(id) => {
                node = Some(id.get());
                word = kind::NODE_CRASHED;
                self.crash(bed, *id);
                format!("Node {id} crashed.")
            }
            FaultKind::Restart(id) => {
                node = Some(id.get());
                word = kind::NODE_RESTARTED;
                if !bed.node_is_up(self.roster.node_index(*id)) {
                    restarted = Some(*id);
                }
                self.restart(bed, *id)?;
                format!("Node {id} started again.")
            }
            FaultKind::Partition(a, b) => {
                let apart =
                    |x: &NodeId, y: &NodeId| a.contains(x) && b.contains(y) || b.contains(x) && a.contains(y);
                for (i, link) in scenario.links.iter().enumerate() {
                    if apart(&link.from, &link.to) {
                        bed.cut(i as u32);
                    }
                }
                format!("Partition between {a:?} and {b:?}.")
            }
        };
        self.view = None;
        self.listing_after_fault(bed, restarted);
        if restarted.is_some() && restarted == scenario.planner.node {
            self.planner.ask_again(bed.now() + scenario.planner.time);
        }
        let mut row = EventRow::new(self.t_s(bed), word, text);
        row.data.insert("fault".into(), label.into());
        row.node = node;
        record(observer, row)
    }

    /// A process dies; what it had counted is kept here.
    fn crash(&mut self, bed: &mut dyn Testbed, id: NodeId) {
        for (key, figures) in bed.crash(self.roster.node_index(id)) {
            if let Some(session) = self.roster.find(key) {
                self.roster.sessions[session].tally.add(id, figures);
            }
        }
    }

    /// Starts a process again. What survives a crash is the configuration: the node takes its part in every session
    /// that is going on.
    fn restart(&mut self, bed: &mut dyn Testbed, id: NodeId) -> Result<(), ConductError> {
        let index = self.roster.node_index(id);
        if bed.node_is_up(index) {
            return Ok(());
        }
        bed.restart(index)?;
        self.measured.forget(id);
        self.configure_conferences(bed, index);
        for i in 0..self.roster.sessions.len() {
            let session = &self.roster.sessions[i];
            if !session.tally.is_known {
                continue;
            }
            if session.tally.members.contains_key(&id) {
                // The new process knows nothing of the session that it could refuse this for.
                let _ = self.join_at(bed, i, id);
            }
            let session = &mut self.roster.sessions[i];
            if session.spec.source == id && self.roster.zero + session.spec.stop > bed.now() {
                session.tally.epoch += 1;
                self.start_source(bed, i);
            }
        }
        Ok(())
    }
}

/// Returns a few words for the mark of a fault in plots.
fn fault_label(
    kind: &FaultKind,
    names: &dyn Fn(&LinkSelector) -> String,
    name: &dyn Fn(NodeId) -> String,
) -> String {
    match kind {
        FaultKind::Cut(links) => format!("cut {}", names(links)),
        FaultKind::Heal(links) => format!("heal {}", names(links)),
        FaultKind::Degrade { links, .. } => format!("degrade {}", names(links)),
        FaultKind::Crash(node) => format!("crash {}", name(*node)),
        FaultKind::Restart(node) => format!("restart {}", name(*node)),
        FaultKind::Partition(..) => "partition".to_owned(),
    }
}
