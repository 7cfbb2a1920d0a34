//! A run: the scenario's timeline, its planners and its recorder, around the world.

mod decisions;
mod faults;
mod sessions;

use crate::error::SimError;
use crate::link::Degrade;
use crate::network::Entity;
use crate::observer::{Observer, Progress};
use crate::planner::{Planner, Question};
use crate::recorder::Recorder;
use crate::summary::{self, Outcome, Snapshot};
use crate::timeline::{Happening, timeline};
use crate::transports::check_transports;
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
use bellini_scenarios::conduct::SessionTally;
use bellini_scenarios::graph::Graph;
use bellini_scenarios::model::{FaultKind, FlowDraw, LinkSelector, Membership, Scenario, Session};
use bellini_scenarios::policy::{ConferenceHook, DeliveryNotice, NetworkView, OverflowNotice};
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
    /// What policies said first where they had no answer, by session.
    pub(crate) refusals: BTreeMap<SessionKey, String>,
}

impl<'a> Simulation<'a> {
    /// Prepares a run. Nothing has happened yet.
    ///
    /// # Errors
    /// When a policy's name is not in `registry`, a node's configuration cannot work, or a session's transport has no
    /// model here.
    pub fn new(scenario: &'a Scenario, seed: u64, registry: &Registry) -> Result<Self, SimError> {
        check_transports(scenario)?;
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
            refusals: BTreeMap::new(),
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

    pub(crate) fn duration_of_run(&self) -> Duration {
        self.world.now.saturating_since(self.zero)
    }
}

/// Returns the mean payload rate of a session's content, where it has one.
fn mean_rate(session: &Session) -> Option<BitRate> {
    bellini_scenarios::resolve::mean_rate(&session.content)
}
