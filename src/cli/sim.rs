//! `bellini sim`: the deterministic simulator.

use super::args::RunOptions;
use super::exit::{self, Failure};
use super::runs::{self, Play, Player};
use crate::Registry;
use bellini_scenarios::model::Scenario;
use bellini_sim::{SimError, Simulation};
use std::path::Path;

pub(super) fn run(registry: &Registry, options: &RunOptions) -> Result<u8, Failure> {
    runs::run(registry, options, &Simulator { registry })
}

/// The simulator as a player.
pub(super) struct Simulator<'r> {
    pub(super) registry: &'r Registry,
}

impl Player for Simulator<'_> {
    const MODE: &'static str = "sim";

    fn prepare<'a>(&'a self, scenario: &'a Scenario, seed: u64, _: &Path) -> Result<Play<'a>, Failure> {
        let simulation = Simulation::new(scenario, seed, self.registry).map_err(failure)?;
        Ok(Box::new(move |observer| simulation.run(observer).map_err(failure)))
    }
}

fn failure(error: SimError) -> Failure {
    let code = match error {
        SimError::Policy { .. } | SimError::Config { .. } => exit::SCENARIO,
        // The observer fails when its files cannot be written.
        SimError::Observer(_) => exit::ENVIRONMENT,
        _ => exit::FAILED,
    };
    Failure::new(code, error)
}
