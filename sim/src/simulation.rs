//! A run: the scenario's timeline, its planners and its recorder, around the world.

use crate::error::SimError;
use crate::link::Degrade;
use crate::network::Entity;
use crate::observer::{Observer, Progress};
use crate::planner::{Planner, Question};
use crate::recorder::Recorder;
use crate::summary::{self, Outcome, Snapshot};
use crate::tally::SessionTally;
use crate::timeline::{Happening, timeline};
use crate::view::oracle_view;
use crate::world::World;
use bellini_core::ids::{ConferenceId, Epoch, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Install, MeasureWindow, PolicyReason, SessionSpec, SinkSpec,
};
use bellini_core::rng::Seed;
use bellini_core::route::{Branch, Route};
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_core::wire::control::{ControlBody, InstallFlow};
use bellini_core::wire::routing;
use bellini_scenarios::graph::Graph;
use bellini_scenarios::model::{FaultKind, FlowDraw, LinkSelector, Membership, Scenario, Session};
use bellini_scenarios::policy::{ConferenceHook, NetworkView, OverflowNotice};
use bellini_scenarios::record::{EventRow, Status, kind};
use bellini_scenarios::registry::Registry;
use std::collections::BTreeMap;

/// Events worked off between two looks at the observer.
const EVENTS_PER_LOOK: u64 = 16_384;

/// One run of a scenario.
pub struct Simulation<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) seed: Seed,
    /// Nodes and network.
    pub world: World,
    pub(crate) zero: Instant,
    pub(crate) tallies: Vec<SessionTally>,
    /// Index into `tallies` and the scenario's (conference, session), by key.
    pub(crate) index: BTreeMap<SessionKey, (usize, usize, usize)>,
    planner: Planner,
    view: Option<NetworkView>,
    hooks: Vec<Box<dyn ConferenceHook>>,
    timeline: Vec<(Instant, Happening)>,
    next_happening: usize,
    recorder: Recorder,
    pub(crate) measured: (Option<Snapshot>, Option<Snapshot>),
}

impl<'a> Simulation<'a> {
    /// Prepares a run. Nothing has happened yet.
    ///
    /// # Errors
    /// When a policy's name is not in `registry`, or a node's configuration cannot work.
    pub fn new(scenario: &'a Scenario, seed: u64, registry: &Registry) -> Result<Self, SimError> {
        let seed = Seed(seed);
        let zero = Instant::ZERO + scenario.settle;
        let mut index = BTreeMap::new();
        let mut tallies = Vec::new();
        for (c, conference) in scenario.conferences.iter().enumerate() {
            for (s, session) in conference.sessions.iter().enumerate() {
                let key = SessionKey::new(conference.id.0, session.id.0);
                index.insert(key, (tallies.len(), c, s));
                tallies.push(SessionTally::new(key));
            }
        }
        let mut simulation = Self {
            scenario,
            seed,
            world: World::new(scenario, seed)?,
            zero,
            tallies,
            index,
            planner: Planner::new(scenario, registry, mean_rate)?,
            view: None,
            hooks: registry.conference_hooks(),
            timeline: timeline(scenario, zero),
            next_happening: 0,
            recorder: Recorder::new(scenario),
            measured: (None, None),
        };
        simulation.configure_conferences();
        simulation.schedule_own();
        Ok(simulation)
    }

    /// Runs to the end, or until the observer stops it.
    ///
    /// # Errors
    /// When packets do not add up, or the observer fails.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, SimError> {
        let end = self.zero + self.scenario.duration + self.scenario.drain;
        let mut status = Status::Complete;
        let mut next_look = 0;
        while let Some(entity) = self.world.step(end) {
            match entity {
                Entity::Timeline => self.work_off_timeline(observer)?,
                Entity::Planner => self.answer(observer)?,
                Entity::Recorder => self.sample(observer)?,
                _ => {}
            }
            if !self.world.events.is_empty() {
                self.act_on_events(observer)?;
            }
            if self.world.event_count >= next_look {
                next_look = self.world.event_count + EVENTS_PER_LOOK;
                let done = self.world.now.as_nanos() as f64 / end.as_nanos().max(1) as f64;
                if observer.progress(done) == Progress::Stop {
                    status = Status::Interrupted;
                    let t = self.t_s();
                    let row =
                        EventRow::new(t, kind::INTERRUPTED, format!("The run was stopped at {t:.3} s."));
                    self.record(observer, row)?;
                    break;
                }
            }
        }
        if status == Status::Complete {
            self.world.now = end;
            let _ = observer.progress(1.0);
        }
        self.world.check_ledger()?;
        Ok(summary::outcome(&mut self, status))
    }

    /// Returns scenario time in seconds (negative while settling).
    pub(crate) fn t_s(&self) -> f64 {
        self.world.now.as_secs_f64() - self.zero.as_secs_f64()
    }

    fn record(&mut self, observer: &mut dyn Observer, row: EventRow) -> Result<(), SimError> {
        observer.event(row).map_err(SimError::Observer)
    }

    pub(crate) fn session(&self, c: usize, s: usize) -> (&'a Session, SessionKey) {
        let conference = &self.scenario.conferences[c];
        let session = &conference.sessions[s];
        (session, SessionKey::new(conference.id.0, session.id.0))
    }

    fn configure_conferences(&mut self) {
        for conference in &self.scenario.conferences {
            if (conference.weight, conference.priority) == (1, 0) {
                continue;
            }
            for node in 0..self.world.nodes.len() as u32 {
                self.configure(node, conference.id, conference.weight, conference.priority);
            }
        }
    }

    fn configure(&mut self, node: u32, conference: ConferenceId, weight: u32, priority: u8) {
        let command = Command::ConfigureConference { conference, weight, priority };
        self.world.command(node, command).expect("configuring a conference is never refused");
    }

    /// Sets the pending events of timeline, planners and recorder.
    fn schedule_own(&mut self) {
        let happening = self.timeline.get(self.next_happening).map(|(at, _)| *at);
        self.world.network.schedule(Entity::Timeline, happening);
        self.world.network.schedule(Entity::Planner, self.planner.next_event());
        let sample = self.recorder.next_event(self.zero);
        self.world.network.schedule(Entity::Recorder, sample);
    }

    fn sample(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        let mut recorder = core::mem::replace(&mut self.recorder, Recorder::idle());
        let result = recorder.sample(self, observer).map_err(SimError::Observer);
        self.recorder = recorder;
        self.schedule_own();
        self.correct_clocks();
        self.world.check_nodes()?;
        result
    }

    fn work_off_timeline(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some((at, happening)) = self.timeline.get(self.next_happening).copied() {
            if at > self.world.now {
                break;
            }
            self.next_happening += 1;
            match happening {
                Happening::Announce(c, s) => self.announce(c, s),
                Happening::Started(c, s) => {
                    let (session, key) = self.session(c, s);
                    let text = format!("Session {} started at node {}.", key, session.source);
                    self.record_session(observer, kind::SESSION_STARTED, key, session.source, text)?;
                }
                Happening::Stopped(c, s) => {
                    let (session, key) = self.session(c, s);
                    let text = format!("Session {key} stopped.");
                    self.record_session(observer, kind::SESSION_STOPPED, key, session.source, text)?;
                }
                Happening::Retire(c, s) => self.retire(c, s),
                Happening::Churn(c, i) => self.churn(c, i, observer)?,
                Happening::End(c) => self.end_conference(c),
                Happening::Fault(i) => self.fault(i, observer)?,
                Happening::MeasureFrom => self.measured.0 = Some(Snapshot::take(&mut self.world)),
                Happening::MeasureTo => self.measured.1 = Some(Snapshot::take(&mut self.world)),
            }
        }
        self.schedule_own();
        Ok(())
    }

    fn record_session(
        &mut self,
        observer: &mut dyn Observer,
        kind: &str,
        key: SessionKey,
        node: NodeId,
        text: String,
    ) -> Result<(), SimError> {
        let mut row = EventRow::new(self.t_s(), kind, text);
        row.node = Some(node.get());
        row.conference = Some(key.conference.0);
        row.session = Some(key.session.0);
        self.record(observer, row)
    }

    /// Tells a session's nodes of it.
    fn announce(&mut self, c: usize, s: usize) {
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
    fn start_source(&mut self, key: SessionKey, session: &Session) {
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
    fn join_at(&mut self, key: SessionKey, session: &Session, node: NodeId) {
        let sink = self.world.index_of(node);
        let source = self.world.index_of(session.source);
        let clock = self.world.nodes[source as usize].clock;
        let mut measure = self.measure(source);
        if let Some(joined) = self.tallies[self.index[&key].0].joined_at.get(&node) {
            measure.from = measure.from.max(clock.local(*joined));
        }
        let spec = SinkSpec {
            key,
            content: session.content.clone(),
            symbol_bytes: session.symbol_bytes,
            start: clock.local(self.zero + session.start),
            stop: clock.local(self.zero + session.stop),
            measure,
            deliver_events: false,
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
    fn measure(&self, node: u32) -> MeasureWindow {
        let clock = self.world.nodes[node as usize].clock;
        let scenario = self.scenario;
        MeasureWindow {
            from: clock.local(self.zero + scenario.measure.from),
            to: clock.local(self.zero + scenario.measure.to),
        }
    }

    /// The simulator knows all clocks: delays are corrected by their true difference.
    fn correct_clock(&mut self, key: SessionKey, source: u32, sink: u32) {
        let (ours, theirs) = (self.world.nodes[sink as usize].clock, self.world.nodes[source as usize].clock);
        if ours == theirs {
            return;
        }
        let ahead_ns = theirs.ahead_of(&ours, self.world.now);
        let _ = self.world.command(sink, Command::ClockCorrection { session: key, ahead_ns });
    }

    fn correct_clocks(&mut self) {
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
    fn harvest(&mut self, node: u32, entry: &bellini_core::session::SessionEntry) {
        if let Some((tally, ..)) = self.index.get(&entry.key) {
            self.tallies[*tally].source.add(entry);
            self.harvest_sink(node, entry);
        }
    }

    /// Adds what a process knows of a session as its destination to the tally.
    fn harvest_sink(&mut self, node: u32, entry: &bellini_core::session::SessionEntry) {
        if let (Some((tally, ..)), true) = (self.index.get(&entry.key), entry.sink.is_some()) {
            let id = self.world.nodes[node as usize].id;
            self.tallies[*tally].sinks.entry(id).or_default().add(entry);
        }
    }

    /// A session has been over for a while: its nodes forget it.
    fn retire(&mut self, c: usize, s: usize) {
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

    fn churn(&mut self, c: usize, i: usize, observer: &mut dyn Observer) -> Result<(), SimError> {
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

    /// Sends a control message over the shortest path.
    fn send_control(&mut self, from: NodeId, to: NodeId, body: ControlBody) -> bool {
        let view = self.current_view();
        let Some(path) = Graph::new(&view).shortest_path(from, to, None) else { return false };
        let mut branches = Vec::new();
        for (i, node) in path.nodes.iter().enumerate().skip(1).rev() {
            branches = vec![Branch { node: *node, deliver: i + 1 == path.nodes.len(), next: branches }];
        }
        let index = self.world.index_of(from);
        self.world.command(index, Command::SendControl { route: Route { branches }, body }).is_ok()
    }

    fn end_conference(&mut self, c: usize) {
        let conference = &self.scenario.conferences[c];
        // Whoever offers the first session created the conference, and ends it.
        if let Some(session) = conference.sessions.first() {
            let creator = self.world.index_of(session.source);
            let _ = self.world.command(creator, Command::EndConference(conference.id));
        }
    }

    fn fault(&mut self, i: usize, observer: &mut dyn Observer) -> Result<(), SimError> {
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

    fn crash(&mut self, id: NodeId) {
        let index = self.world.index_of(id);
        if let Some(mut process) = self.world.crash_node(index) {
            let local = self.world.nodes[index as usize].clock.local(self.world.now);
            process.finish(local);
            for entry in process.sessions() {
                self.harvest(index, entry);
            }
        }
    }

    fn restart(&mut self, id: NodeId) -> Result<(), SimError> {
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

    fn current_view(&mut self) -> NetworkView {
        if self.view.is_none() {
            let world = &self.world;
            let node_up = |id: NodeId| world.nodes[world.index_of(id) as usize].process.is_some();
            let link_up = |i: usize| world.network.links[i].model.is_up();
            self.view = Some(oracle_view(self.scenario, node_up, link_up));
        }
        self.view.clone().unwrap_or_default()
    }

    /// Answers the questions that are due.
    fn answer(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some(question) = self.planner.poll(self.world.now) {
            let view = self.current_view();
            match self.planner.decide(&question, &view) {
                Ok(install) => self.deliver_decision(install),
                Err(error) => {
                    let key = question.key;
                    let (_, c, s) = self.index[&key];
                    let source = self.session(c, s).0.source;
                    let text = format!("No routes for session {key}: {error}. It keeps what it has.");
                    self.record_session(observer, kind::POLICY, key, source, text)?;
                }
            }
            self.act_on_events(observer)?;
        }
        self.schedule_own();
        Ok(())
    }

    /// Hands a decision to the session's source: at once when it was made there, else as a control message.
    fn deliver_decision(&mut self, install: Install) {
        let (_, c, s) = self.index[&install.key];
        let source = self.session(c, s).0.source;
        match self.scenario.planner.node {
            Some(planner) if planner != source => {
                let Install { key, planner: incarnation, version, flows } = install;
                let encoded: Result<Vec<_>, _> = flows
                    .iter()
                    .map(|(route, share)| {
                        Ok(InstallFlow { share: *share, routing_info: routing::encode(route)? })
                    })
                    .collect();
                if let Ok::<_, bellini_core::wire::RouteFault>(flows) = encoded {
                    let body = ControlBody::Install { key, planner_incarnation: incarnation, version, flows };
                    self.send_control(planner, source, body);
                }
            }
            _ => {
                let source = self.world.index_of(source);
                // A source that has gone meanwhile, or has a later decision, takes no notice.
                let _ = self.world.command(source, Command::Install(install));
            }
        }
    }

    fn act_on_events(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some((node, event)) = self.world.events.pop_front() {
            self.act_on(node, event, observer)?;
        }
        Ok(())
    }

    fn act_on(&mut self, node: u32, event: Event, observer: &mut dyn Observer) -> Result<(), SimError> {
        let id = self.world.nodes[node as usize].id;
        let at = self.world.now.saturating_since(self.zero);
        match event {
            Event::PolicyWanted { key, destinations, reason } => {
                let due = self.world.now + self.scenario.planner.time;
                self.planner.ask(due, Question { key, destinations, reason });
                self.world.network.schedule(Entity::Planner, self.planner.next_event());
                if reason == PolicyReason::Start && self.scenario.planner.time.is_zero() {
                    return self.answer(observer);
                }
                Ok(())
            }
            Event::Installed { key, version } => {
                let text = format!("Routes of session {key} installed (version {version}).");
                self.record_session(observer, kind::POLICY, key, id, text)
            }
            Event::Overflow { key, flow, at: where_, dropped_packets, dropped_bytes } => {
                let notice = OverflowNotice {
                    at,
                    node: where_,
                    session: key,
                    dropped_packets,
                    dropped_bytes,
                    heard_at: id,
                };
                self.hooks.iter_mut().for_each(|hook| hook.overflow(&notice));
                let place = if where_ == id { "here".to_owned() } else { format!("at node {where_}") };
                let text = format!(
                    "Node {id} hears: {dropped_packets} packets of session {key} (flow {flow}) overflowed {place}."
                );
                let mut row = EventRow::new(self.t_s(), kind::OVERFLOW, text);
                row.node = Some(id.get());
                row.conference = Some(key.conference.0);
                row.session = Some(key.session.0);
                row.data.insert("at".into(), where_.get().into());
                row.data.insert("dropped_packets".into(), dropped_packets.into());
                row.data.insert("dropped_bytes".into(), dropped_bytes.into());
                self.record(observer, row)
            }
            Event::Joined { key, node } => {
                self.hooks.iter_mut().for_each(|hook| hook.joined(at, key, node));
                Ok(())
            }
            Event::Left { key, node } => {
                self.hooks.iter_mut().for_each(|hook| hook.left(at, key, node));
                Ok(())
            }
            Event::ConferenceEnded { conference, dropped_packets } => {
                let text = format!(
                    "Conference {conference} ended at node {id}: {dropped_packets} queued packets dropped."
                );
                let mut row = EventRow::new(self.t_s(), kind::CONFERENCE_ENDED, text);
                row.node = Some(id.get());
                row.conference = Some(conference.0);
                self.record(observer, row)
            }
            Event::HopOpened { peer, kind: hop, rtt } => {
                let rtt = rtt.map_or(String::new(), |rtt| format!(", RTT {:.3} ms", rtt.as_millis_f64()));
                let text = format!("Node {id} opened its {} hop to node {peer}{rtt}.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(), kind::HOP_OPENED, text);
                row.node = Some(id.get());
                self.record(observer, row)
            }
            Event::HopClosed { peer, kind: hop } => {
                let text =
                    format!("Node {id} lost its {} hop to node {peer}: it started anew.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(), kind::HOP_CLOSED, text);
                row.node = Some(id.get());
                self.record(observer, row)
            }
            Event::Report(report) => {
                let report = crate::report::node_report(id, at, &report);
                self.hooks.iter_mut().for_each(|hook| hook.report(&report));
                let row = crate::report::report_row(self.t_s(), &report);
                self.record(observer, row)
            }
            Event::SessionFinished { .. } | Event::Delivered { .. } => Ok(()),
        }
    }

    pub(crate) fn duration_of_run(&self) -> Duration {
        self.world.now.saturating_since(self.zero)
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

fn hop_word(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Datagram => "datagram",
        HopKind::Stream => "stream",
        HopKind::Control => "control",
    }
}

/// Returns the mean payload rate of a session's content, where it has one.
fn mean_rate(session: &Session) -> Option<BitRate> {
    bellini_scenarios::resolve::mean_rate(&session.content)
}
