//! Orders: what clients of the console want of a node, and what it tells them of itself.

use super::{Daemon, check, process};
use crate::console::{Addresses, Answer, Call, ClientId, Heard, HostFigures, Order};
use crate::edge::Edge;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command, HopKind};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{ProcessFigures, SessionFigures};
use std::collections::BTreeMap;

/// Peers with whom keys are made before there is anything to send.
const KEYS_BEFOREHAND_MAX: usize = 256;

impl Daemon {
    /// Does what a client of the console wants.
    pub(super) fn obey(&mut self, now: Instant, call: Call) {
        let Call { client, heard } = call;
        let order = match heard {
            Heard::Order(order) => *order,
            Heard::Unreadable(problem) => {
                return self.console.answer(client, Answer::Refused { at: now, problem });
            }
            Heard::Gone { is_conductor: true } => return self.end(now),
            Heard::Gone { is_conductor: false } => return,
        };
        match order {
            Order::Command(command) => self.command(now, client, *command),
            Order::Edge { key, edge } => {
                if let Err(error) = self.edges.open(key, &edge) {
                    let place = match &edge {
                        Edge::Source(place) | Edge::Delivery { place, .. } => place,
                    };
                    let problem = format!("session {key}, application at {place}: {error}");
                    self.console.answer(client, Answer::Refused { at: now, problem });
                }
            }
            Order::Peers(peers) => {
                if let Err(error) = self.meet(&peers) {
                    let problem = error.to_string();
                    self.console.answer(client, Answer::Refused { at: now, problem });
                }
            }
            Order::Look { id, full, finish } => {
                if finish {
                    self.engine.finish(now);
                }
                let figures = Box::new(self.figures(full));
                self.console.answer(client, Answer::Figures { id, at: now, figures });
            }
            Order::Harvest { id, key, finish } => {
                if finish {
                    self.engine.finish_session(now, key);
                }
                let figures =
                    self.engine.node().session(key).map(|entry| Box::new(SessionFigures::of(entry)));
                self.console.answer(client, Answer::Harvested { id, figures });
            }
            Order::Host { id } => {
                let figures = Box::new(self.host_figures());
                self.console.answer(client, Answer::Host { id, figures });
            }
            Order::Stop => self.end(now),
        }
    }

    fn command(&mut self, now: Instant, client: ClientId, command: Command) {
        if let Err(error) = self.engine.command(now, command) {
            self.console.answer(client, Answer::Refused { at: now, problem: error.to_string() });
        }
    }

    /// Takes in where other nodes are, if nothing is wrong with it.
    pub(super) fn meet(&mut self, peers: &BTreeMap<NodeId, Addresses>) -> Result<(), check::SettingsError> {
        let known = self.engine.peers.places();
        check::check_peers(self.id, self.data.local_addr().ip(), &known, peers)?;
        self.add_peers(peers);
        Ok(())
    }

    pub(super) fn add_peers(&mut self, peers: &BTreeMap<NodeId, Addresses>) {
        let changed = self.engine.peers.update(peers);
        for slot in &changed {
            let addresses = self.engine.peers.get(*slot).addresses;
            self.data.set_peer(*slot, addresses.data);
            self.control.set_peer(*slot, addresses.control);
            self.streams.moved(&self.engine, *slot);
        }
        if changed.is_empty() {
            return;
        }
        if let Some(sealing) = &mut self.sealing {
            let now = self.clock.now();
            for slot in changed.into_iter().filter(|slot| *slot < KEYS_BEFOREHAND_MAX) {
                // One of the two dials: the one that is more likely to have started later.
                if self.engine.peers.get(slot).node < self.id {
                    sealing.make_beforehand(now, slot);
                }
            }
        }
        let mut wanted = Vec::new();
        self.engine.find_all_hops(|slot, kind| {
            if kind == HopKind::Stream {
                wanted.push(slot);
            }
        });
        wanted.into_iter().for_each(|slot| self.streams.want(&self.engine, slot));
    }

    /// Asks for the policies of all sessions again that have their source here.
    pub(super) fn reload_policies(&mut self, now: Instant) {
        for key in self.own_sessions() {
            // It is here.
            let _ = self.engine.command(now, Command::ReloadSessionPolicies(key));
        }
    }

    pub(super) fn own_sessions(&self) -> Vec<SessionKey> {
        let own = self.engine.node().sessions().filter(|entry| entry.source.is_some());
        own.map(|entry| entry.key).collect()
    }

    fn figures(&mut self, full: bool) -> ProcessFigures {
        self.count_host_drops();
        let mut figures = ProcessFigures::of(self.engine.node(), full);
        figures.node.host_dropped_packets = self.host_dropped;
        figures.node.unlinked_packets = self.unlinked_frames;
        process::add_usage(&mut figures.node);
        figures
    }

    fn host_figures(&mut self) -> HostFigures {
        self.count_host_drops();
        HostFigures {
            data: self.data.counters(),
            control: self.control.counters(),
            streams: self.streams.counters,
            seal: self.sealing.as_ref().map(crate::seal::Sealing::figures).unwrap_or_default(),
            host_dropped_packets: self.host_dropped,
            stranger_datagrams: self.engine.stranger_datagrams,
            unlinked_frames: self.unlinked_frames,
            dropped_event_lines: self.console.dropped_events(),
            dropped_warning_lines: self.console.dropped_warnings(),
            turns: self.turns,
        }
    }
}
