//! Sessions of a run: announced to their nodes, joined, left, forgotten, and counted over all starts of processes.

use super::*;

impl Simulation<'_> {
    /// Tells a session's nodes of it.
    pub(super) fn announce(&mut self, c: usize, s: usize) {
        let (session, key) = self.session(c, s);
        let tally = self.index[&key].0;
        self.tallies[tally].is_known = true;
        for node in &session.destinations {
            self.tallies[tally].join(self.world.now, *node, 0);
            self.join_at(key, session, *node);
        }
        self.start_source(key, session);
    }

    /// Starts a session's source; after a restart its content begins now, in a new epoch.
    pub(super) fn start_source(&mut self, key: SessionKey, session: &Session) {
        let source = self.world.index_of(session.source);
        let clock = self.world.nodes[source as usize].clock;
        let tally = &mut self.tallies[self.index[&key].0];
        let epoch = Epoch(tally.epoch);
        let destinations = tally.members.keys().copied().collect();
        let start = (self.zero + session.start).max(self.world.now);
        let spec = SessionSpec {
            key,
            epoch,
            destinations,
            content: session.content.clone(),
            symbol_bytes: session.symbol_bytes,
            hop_kind: HopKind::Datagram,
            start: clock.local(start),
            stop: clock.local(self.zero + session.stop),
            measure: self.measure(source),
            draw: match session.draw {
                FlowDraw::Random => DrawMode::Random,
                FlowDraw::Stride => DrawMode::Stride,
            },
            policy_period: Some(self.scenario.planner.period),
        };
        // Refused only when the conference has ended at that node, or its table is full: the session then has no
        // packets, which the summary shows.
        let _ = self.world.command(source, Command::StartSession(Box::new(spec)));
    }

    /// Sets up a destination.
    pub(super) fn join_at(&mut self, key: SessionKey, session: &Session, node: NodeId) {
        let sink = self.world.index_of(node);
        let source = self.world.index_of(session.source);
        let clock = self.world.nodes[source as usize].clock;
        let mut measure = self.measure(source);
        if let Some(joined) = self.tallies[self.index[&key].0].joined_at.get(&node) {
            measure.from = measure.from.max(clock.local(*joined));
        }
        let spec = SinkSpec {
            key,
            source: session.source,
            content: session.content.clone(),
            symbol_bytes: session.symbol_bytes,
            start: clock.local(self.zero + session.start),
            stop: clock.local(self.zero + session.stop),
            measure,
            // An event for each delivery costs time; without a hook nobody would hear it.
            deliver_events: !self.hooks.is_empty(),
        };
        // One that comes back starts anew; what it counted in its earlier stay is kept here, unless it is refused
        // (its conference has ended there) and goes on counting.
        let tally = self.index[&key].0;
        let before = self.tallies[tally].sinks.get(&node).cloned();
        if let Some(process) = self.world.nodes[sink as usize].process.take() {
            if let Some(entry) = process.session(key) {
                self.harvest_sink(sink, entry);
            }
            self.world.nodes[sink as usize].process = Some(process);
        }
        if self.world.command(sink, Command::JoinSession(Box::new(spec))).is_err() {
            match before {
                Some(before) => self.tallies[tally].sinks.insert(node, before),
                None => self.tallies[tally].sinks.remove(&node),
            };
        }
        self.correct_clock(key, source, sink);
    }

    /// Returns the measuring window on a node's clock.
    pub(super) fn measure(&self, node: u32) -> MeasureWindow {
        let clock = self.world.nodes[node as usize].clock;
        let scenario = self.scenario;
        MeasureWindow {
            from: clock.local(self.zero + scenario.measure.from),
            to: clock.local(self.zero + scenario.measure.to),
        }
    }

    /// The simulator knows all clocks: delays are corrected by their true difference.
    pub(super) fn correct_clock(&mut self, key: SessionKey, source: u32, sink: u32) {
        let (ours, theirs) = (self.world.nodes[sink as usize].clock, self.world.nodes[source as usize].clock);
        if ours == theirs {
            return;
        }
        let ahead_ns = theirs.ahead_of(&ours, self.world.now);
        let _ = self.world.command(sink, Command::ClockCorrection { session: key, ahead_ns });
    }

    pub(super) fn correct_clocks(&mut self) {
        if self.world.nodes.iter().all(|node| node.clock.is_true()) {
            return;
        }
        let mut pairs = Vec::new();
        for tally in self.tallies.iter().filter(|tally| tally.is_known) {
            let (_, c, s) = self.index[&tally.key];
            let source = self.world.index_of(self.scenario.conferences[c].sessions[s].source);
            pairs.extend(tally.members.keys().map(|node| (tally.key, source, self.world.index_of(*node))));
        }
        for (key, source, sink) in pairs {
            self.correct_clock(key, source, sink);
        }
    }

    /// Adds what a process knows of a session to the tally.
    pub(super) fn harvest(&mut self, node: u32, entry: &bellini_core::session::SessionEntry) {
        if let Some((tally, ..)) = self.index.get(&entry.key) {
            self.tallies[*tally].source.add(entry);
            self.harvest_sink(node, entry);
        }
    }

    /// Adds what a process knows of a session as its destination to the tally.
    pub(super) fn harvest_sink(&mut self, node: u32, entry: &bellini_core::session::SessionEntry) {
        if let (Some((tally, ..)), true) = (self.index.get(&entry.key), entry.sink.is_some()) {
            let id = self.world.nodes[node as usize].id;
            self.tallies[*tally].sinks.entry(id).or_default().add(entry);
        }
    }

    /// A session has been over for a while: its nodes forget it.
    pub(super) fn retire(&mut self, c: usize, s: usize) {
        let (session, key) = self.session(c, s);
        let tally = self.index[&key].0;
        let made = summary::measured_symbols(self, tally);
        let members: Vec<NodeId> = self.tallies[tally].members.keys().copied().collect();
        for node in members {
            self.tallies[tally].leave(node, made);
        }
        // Those that left earlier know of it still.
        let mut nodes: Vec<NodeId> = self.tallies[tally].all_members().copied().collect();
        nodes.extend(self.tallies[tally].sinks.keys());
        nodes.push(session.source);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let index = self.world.index_of(node);
            let now = self.world.nodes[index as usize].clock.local(self.world.now);
            // Taken out for a moment, so that the tally and the process are not borrowed from the same place.
            let Some(mut process) = self.world.nodes[index as usize].process.take() else { continue };
            process.finish_session(now, key);
            if let Some(entry) = process.session(key) {
                self.harvest(index, entry);
            }
            self.world.nodes[index as usize].process = Some(process);
            let _ = self.world.command(index, Command::ForgetSession(key));
        }
        self.tallies[tally].is_known = false;
    }

    pub(super) fn churn(&mut self, c: usize, i: usize, observer: &mut dyn Observer) -> Result<(), SimError> {
        let conference = &self.scenario.conferences[c];
        let churn = &conference.churn[i];
        let Some(s) = conference.sessions.iter().position(|session| session.id == churn.session) else {
            return Ok(());
        };
        let (session, key) = self.session(c, s);
        let tally = self.index[&key].0;
        let made = summary::measured_symbols(self, tally);
        match churn.membership {
            Membership::Join => {
                self.tallies[tally].join(self.world.now, churn.node, made);
                self.join_at(key, session, churn.node);
                // The request travels to the source as a control message, over the shortest path.
                self.send_control(churn.node, session.source, ControlBody::Join { key, node: churn.node });
                let text = format!("Node {} joins session {key}.", churn.node);
                self.record_session(observer, kind::JOINED, key, churn.node, text)
            }
            Membership::Leave => {
                self.tallies[tally].leave(churn.node, made);
                let index = self.world.index_of(churn.node);
                let _ = self.world.command(index, Command::LeaveSession(key));
                let text = format!("Node {} leaves session {key}.", churn.node);
                self.record_session(observer, kind::LEFT, key, churn.node, text)
            }
        }
    }

    pub(super) fn end_conference(&mut self, c: usize) {
        let conference = &self.scenario.conferences[c];
        // Whoever offers the first session created the conference, and ends it.
        if let Some(session) = conference.sessions.first() {
            let creator = self.world.index_of(session.source);
            let _ = self.world.command(creator, Command::EndConference(conference.id));
        }
    }
}
