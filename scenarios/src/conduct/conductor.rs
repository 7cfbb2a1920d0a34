//! The conductor itself: what it holds, when it has to act, and the timeline.

use super::error::ConductError;
use super::listing::RunListing;
use super::measured::MeasuredView;
use super::observer::{Observer, Progress};
use super::planner::Planner;
use super::recorder::Recorder;
use super::results::Snapshot;
use super::roster::Roster;
use super::testbed::Testbed;
use super::timeline::{Happening, timeline};
use crate::model::Scenario;
use crate::policy::{ConferenceHook, NetworkView};
use crate::record::{EventRow, kind};
use crate::registry::Registry;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::Command;
use bellini_core::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Conducts one run of a scenario on a [`Testbed`].
///
/// A driver calls [`Conductor::begin`] once the nodes run, then [`Conductor::act`] whenever a
/// [`Conductor::deadline`] has come and [`Conductor::handle_event`] for all that nodes say, until
/// [`Conductor::end`]; [`Conductor::outcome`] makes the results.
pub struct Conductor<'a> {
    pub(super) roster: Roster<'a>,
    pub(super) seed: u64,
    pub(super) planner: Planner,
    pub(super) listing: Option<RunListing>,
    /// The network as policies see it, until something breaks or is mended.
    pub(super) view: Option<Arc<NetworkView>>,
    /// The view asked for last, with the sessions after so many changes.
    pub(super) full_view: Option<(Arc<NetworkView>, u64, Arc<NetworkView>)>,
    /// The network, where the scenario wants what was measured.
    pub(super) measured: MeasuredView,
    pub(super) hooks: Vec<Box<dyn ConferenceHook>>,
    timeline: Vec<(Instant, Happening)>,
    next_happening: usize,
    pub(super) recorder: Recorder,
    /// What had been counted at both ends of the measuring window.
    pub(super) window: (Option<Snapshot>, Option<Snapshot>),
    /// What policies said first where they had no answer, by session.
    pub(super) refusals: BTreeMap<SessionKey, String>,
}

/// What a conductor does at times of its own. Of what is due at the same time, the first of [`Duty::ALL`] goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Answers one question of a node. What nodes say to the answer is to be handled before the next duty.
    Planner,
    /// Works off everything of the scenario's timeline that is due.
    Timeline,
    /// Takes a sample.
    Recorder,
}

impl Duty {
    /// Every duty, in order.
    pub const ALL: [Self; 3] = [Self::Planner, Self::Timeline, Self::Recorder];
}

impl<'a> Conductor<'a> {
    /// Prepares a run. `seed`: the root seed, for the record.
    ///
    /// # Errors
    /// [`ConductError::Policy`] when a policy's name is not in `registry`.
    pub fn new(scenario: &'a Scenario, seed: u64, registry: &Registry) -> Result<Self, ConductError> {
        let roster = Roster::new(scenario);
        Ok(Self {
            seed,
            planner: Planner::new(scenario, registry)?,
            listing: RunListing::new(scenario),
            view: None,
            full_view: None,
            measured: MeasuredView::default(),
            hooks: registry.conference_hooks(),
            timeline: timeline(&roster),
            next_happening: 0,
            recorder: Recorder::new(scenario),
            window: (None, None),
            refusals: BTreeMap::new(),
            roster,
        })
    }

    /// Gives the nodes, which have just been started, what they need to know before anything happens.
    pub fn begin(&mut self, bed: &mut dyn Testbed) {
        for node in 0..self.roster.scenario.nodes.len() as u32 {
            self.configure_conferences(bed, node);
        }
        self.begin_listing(bed);
    }

    /// Returns scenario time zero.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.roster.zero
    }

    /// Returns when the run is over: everything was offered, and has drained.
    #[must_use]
    pub fn end(&self) -> Instant {
        self.roster.zero + self.roster.scenario.duration + self.roster.scenario.drain
    }

    /// Returns when `duty` calls next, in true time; `None`: not, as things are. What nodes say may change it.
    #[must_use]
    pub fn deadline(&self, duty: Duty) -> Option<Instant> {
        match duty {
            Duty::Planner => self.planner.next_event(),
            Duty::Timeline => self.timeline.get(self.next_happening).map(|(at, _)| *at),
            Duty::Recorder => self.recorder.next_event(self.roster.zero),
        }
    }

    /// Returns the earliest deadline, and of which duty.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Duty)> {
        Duty::ALL.into_iter().filter_map(|duty| Some((self.deadline(duty)?, duty))).min()
    }

    /// Does what `duty` asks for; nothing when its time has not come.
    ///
    /// # Errors
    /// When the testbed cannot go on or the observer fails.
    pub fn act(
        &mut self,
        duty: Duty,
        bed: &mut dyn Testbed,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        if self.deadline(duty).is_none_or(|at| at > bed.now()) {
            return Ok(());
        }
        match duty {
            Duty::Planner => self.answer(bed, observer),
            Duty::Timeline => self.work_off_timeline(bed, observer),
            Duty::Recorder => {
                bed.look()?;
                let result = self.recorder.sample(&self.roster, &self.planner, bed, observer);
                self.correct_clocks(bed);
                result.map_err(ConductError::Observer)
            }
        }
    }

    /// Tells the observer how far the run is, and returns whether it wants to go on; to be called now and then. A
    /// stop is recorded: the driver then ends the run.
    ///
    /// # Errors
    /// When the observer fails.
    pub fn progress(
        &mut self,
        bed: &dyn Testbed,
        observer: &mut dyn Observer,
    ) -> Result<Progress, ConductError> {
        let done = bed.now().as_nanos() as f64 / self.end().as_nanos().max(1) as f64;
        let progress = observer.progress(done.min(1.0));
        if progress == Progress::GoOn || done >= 1.0 {
            return Ok(Progress::GoOn);
        }
        let t = self.t_s(bed);
        let row = EventRow::new(t, kind::INTERRUPTED, format!("The run was stopped at {t:.3} s."));
        record(observer, row)?;
        Ok(Progress::Stop)
    }

    fn work_off_timeline(
        &mut self,
        bed: &mut dyn Testbed,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let now = bed.now();
        let changes = self.roster.changes;
        while let Some((at, happening)) = self.timeline.get(self.next_happening).copied() {
            if at > now {
                break;
            }
            self.next_happening += 1;
            match happening {
                Happening::Announce(session) => self.announce(bed, session),
                Happening::Started(session) => {
                    let session = &self.roster.sessions[session];
                    let (key, source) = (session.key(), session.spec.source);
                    let text = format!("Session {key} started at node {source}.");
                    self.record_session(bed, observer, kind::SESSION_STARTED, key, source, text)?;
                }
                Happening::Stopped(session) => {
                    let session = &self.roster.sessions[session];
                    let (key, source) = (session.key(), session.spec.source);
                    let text = format!("Session {key} stopped.");
                    self.record_session(bed, observer, kind::SESSION_STOPPED, key, source, text)?;
                }
                Happening::Retire(session) => self.retire(bed, session),
                Happening::Churn(conference, i) => self.churn(bed, conference, i, observer)?,
                Happening::End(conference) => self.end_conference(bed, conference),
                Happening::Fault(i) => self.fault(bed, i, observer)?,
                Happening::MeasureFrom => self.window.0 = Some(Snapshot::take(bed, self.roster.scenario)?),
                Happening::MeasureTo => self.window.1 = Some(Snapshot::take(bed, self.roster.scenario)?),
            }
        }
        if self.roster.changes != changes {
            self.ask_who_minds_others(bed);
        }
        Ok(())
    }

    /// Tells a node of the conferences that are not like others.
    pub(super) fn configure_conferences(&self, bed: &mut dyn Testbed, node: u32) {
        for conference in &self.roster.scenario.conferences {
            let (weight, priority) = (conference.weight, conference.priority);
            if (weight, priority) != DEFAULT_TREATMENT {
                let conference = conference.id;
                // Never refused: a checked scenario's weights are at least 1.
                let _ = bed.command(node, Command::ConfigureConference { conference, weight, priority });
            }
        }
    }

    /// Returns scenario time in seconds (negative while settling).
    pub(super) fn t_s(&self, bed: &dyn Testbed) -> f64 {
        bed.now().as_secs_f64() - self.roster.zero.as_secs_f64()
    }

    pub(super) fn record_session(
        &self,
        bed: &dyn Testbed,
        observer: &mut dyn Observer,
        kind: &str,
        key: SessionKey,
        node: NodeId,
        text: String,
    ) -> Result<(), ConductError> {
        let mut row = EventRow::new(self.t_s(bed), kind, text);
        row.node = Some(node.get());
        row.conference = Some(key.conference.0);
        row.session = Some(key.session.0);
        record(observer, row)
    }
}

/// Weight and priority of a conference that nobody said anything of.
const DEFAULT_TREATMENT: (u32, u8) = (1, 0);

pub(super) fn record(observer: &mut dyn Observer, row: EventRow) -> Result<(), ConductError> {
    observer.event(row).map_err(ConductError::Observer)
}
