//! Faults of a run: links cut, healed and made worse, processes that die and start again.

use super::*;

impl Simulation<'_> {
    pub(super) fn fault(&mut self, i: usize, observer: &mut dyn Observer) -> Result<(), SimError> {
        let scenario = self.scenario;
        let now = self.world.now;
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
        let mut word = kind::FAULT;
        let label = fault_label(&fault.kind, &names, &|id| scenario.node_name(id));
        let text = match &fault.kind {
            FaultKind::Cut(selector) => {
                let LinkSelector::Links(links) = selector;
                links.iter().for_each(|link| self.world.network.cut(now, *link as u32));
                format!("Cut: {}.", names(selector))
            }
            FaultKind::Heal(selector) => {
                let LinkSelector::Links(links) = selector;
                links.iter().for_each(|link| self.world.network.heal(now, *link as u32));
                format!("Healed: {}.", names(selector))
            }
            FaultKind::Degrade { links, rate_factor, extra_delay, extra_loss } => {
                let degrade =
                    Degrade { rate_factor: *rate_factor, extra_delay: *extra_delay, extra_loss: *extra_loss };
                let LinkSelector::Links(list) = links;
                list.iter().for_each(|link| self.world.network.degrade(now, *link as u32, degrade));
                format!("Degraded: {}.", names(links))
            }
            FaultKind::Crash(id) => {
                node = Some(id.get());
                word = kind::NODE_CRASHED;
                self.crash(*id);
                format!("Node {id} crashed.")
            }
            FaultKind::Restart(id) => {
                node = Some(id.get());
                word = kind::NODE_RESTARTED;
                self.restart(*id)?;
                format!("Node {id} started again.")
            }
            FaultKind::Partition(a, b) => {
                let apart =
                    |x: &NodeId, y: &NodeId| a.contains(x) && b.contains(y) || b.contains(x) && a.contains(y);
                for (i, link) in scenario.links.iter().enumerate() {
                    if apart(&link.from, &link.to) {
                        self.world.network.cut(now, i as u32);
                    }
                }
                format!("Partition between {a:?} and {b:?}.")
            }
        };
        self.view = None;
        let mut row = EventRow::new(self.t_s(), word, text);
        row.data.insert("fault".into(), label.into());
        row.node = node;
        self.record(observer, row)
    }

    pub(super) fn crash(&mut self, id: NodeId) {
        let index = self.world.index_of(id);
        if let Some(mut process) = self.world.crash_node(index) {
            let local = self.world.nodes[index as usize].clock.local(self.world.now);
            process.finish(local);
            for entry in process.sessions() {
                self.harvest(index, entry);
            }
        }
    }

    pub(super) fn restart(&mut self, id: NodeId) -> Result<(), SimError> {
        let scenario = self.scenario;
        let index = self.world.index_of(id);
        if self.world.nodes[index as usize].process.is_some() {
            return Ok(());
        }
        let spec = &scenario.nodes[index as usize];
        self.world.start_node(index, spec, scenario.report_interval)?;
        for conference in &scenario.conferences {
            if (conference.weight, conference.priority) != (1, 0) {
                self.configure(index, conference.id, conference.weight, conference.priority);
            }
        }
        // What survives a crash is the configuration: the node takes its part in every session that is going on.
        let known: Vec<SessionKey> =
            self.tallies.iter().filter(|tally| tally.is_known).map(|tally| tally.key).collect();
        for key in known {
            let (tally, c, s) = self.index[&key];
            let session = &scenario.conferences[c].sessions[s];
            if self.tallies[tally].members.contains_key(&id) {
                self.join_at(key, session, id);
            }
            if session.source == id && self.zero + session.stop > self.world.now {
                self.tallies[tally].epoch += 1;
                self.start_source(key, session);
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
