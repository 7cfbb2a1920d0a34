//! A run: the conductor and the world that it plays on.

use crate::capacity;
use crate::error::SimError;
use crate::network::Entity;
use crate::world::World;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{Conductor, Duty, Observer, Outcome, Progress};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Engine, Mode, Status};
use bellini_scenarios::registry::Registry;

/// Events worked off between two looks at the observer.
const EVENTS_PER_LOOK: u64 = 16_384;

/// One run of a scenario.
pub struct Simulation<'a> {
    conductor: Conductor<'a>,
    /// Nodes and network.
    world: World<'a>,
    /// Times of the conductor's duties in the agenda.
    pending: [Option<Instant>; Duty::ALL.len()],
}

impl<'a> Simulation<'a> {
    /// Prepares a run. Nothing has happened yet.
    ///
    /// # Errors
    /// When a policy's name is not in `registry`, or a node's configuration cannot work.
    pub fn new(scenario: &'a Scenario, seed: u64, registry: &Registry) -> Result<Self, SimError> {
        let mut world = World::new(scenario, Seed(seed))?;
        let mut conductor = Conductor::new(scenario, seed, registry)?;
        conductor.begin(&mut world);
        let mut simulation = Self { conductor, world, pending: [None; Duty::ALL.len()] };
        simulation.schedule_duties();
        Ok(simulation)
    }

    /// Runs to the end, or until the observer stops it.
    ///
    /// # Errors
    /// When packets do not add up, when more is delivered than the network can carry, or when the observer fails.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, SimError> {
        let end = self.conductor.end();
        let mut status = Status::Complete;
        let mut next_look = 0;
        while let Some(entity) = self.world.step(end) {
            if let Entity::Conductor(duty) = entity {
                self.pending[duty as usize] = None;
                self.act(duty, observer)?;
            } else if !self.world.events.is_empty() {
                self.handle_events(observer)?;
                self.schedule_duties();
            }
            if self.world.event_count >= next_look {
                next_look = self.world.event_count + EVENTS_PER_LOOK;
                if self.conductor.progress(&self.world, observer)? == Progress::Stop {
                    status = Status::Interrupted;
                    break;
                }
            }
        }
        if status == Status::Complete {
            self.world.now = end;
            self.conductor.progress(&self.world, observer)?;
        }
        self.world.check_ledger()?;
        let scenario = self.world.scenario;
        let outcome = self.outcome(status)?;
        capacity::check(scenario, &outcome.summary)?;
        Ok(outcome)
    }

    /// Lets the conductor act until nothing of that duty is due.
    fn act(&mut self, duty: Duty, observer: &mut dyn Observer) -> Result<(), SimError> {
        while self.conductor.deadline(duty).is_some_and(|at| at <= self.world.now) {
            self.conductor.act(duty, &mut self.world, observer)?;
            self.handle_events(observer)?;
        }
        self.schedule_duties();
        Ok(())
    }

    fn handle_events(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some((node, event)) = self.world.events.pop_front() {
            let now = self.world.now;
            self.conductor.handle_event(&mut self.world, node, now, event, observer)?;
        }
        Ok(())
    }

    /// Sets the pending events of the conductor's duties.
    fn schedule_duties(&mut self) {
        for (duty, pending) in Duty::ALL.into_iter().zip(&mut self.pending) {
            let at = self.conductor.deadline(duty);
            if at != *pending {
                *pending = at;
                self.world.network.schedule(Entity::Conductor(duty), at);
            }
        }
    }

    fn outcome(mut self, status: Status) -> Result<Outcome, SimError> {
        let engine = Engine {
            events: Some(self.world.event_count),
            packet_hops: Some(self.world.network.links.iter().map(|link| link.sent.0).sum()),
            ..Engine::default()
        };
        let clocks_are_off = self.world.nodes.iter().any(|node| !node.clock.is_true());
        let digest = self.world.digest();
        let mut outcome = self.conductor.outcome(&mut self.world, status, Mode::Sim, Some(digest), engine)?;
        if clocks_are_off {
            let note =
                "Clocks are off; delays are true one-way times all the same, as only a simulator knows them.";
            outcome.summary.notes.insert(0, note.to_owned());
        }
        Ok(outcome)
    }
}
