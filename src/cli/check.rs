//! `bellini check`: is the scenario valid, and what does it come to?

use super::args::{CheckOptions, ScenarioOptions};
use super::exit::{self, Failure};
use crate::Registry;
use bellini_scenarios::emit;
use bellini_scenarios::parse::{LoadOptions, Loaded, load};
use std::io::IsTerminal;

pub(super) fn run(registry: &Registry, options: &CheckOptions) -> Result<u8, Failure> {
    let loaded = match load(&options.scenario.scenario, &load_options(registry, &options.scenario, None)) {
        Ok(loaded) => loaded,
        Err(diagnostics) if options.json => {
            exit::print(&format!("{:#}\n", diagnostics.to_json()));
            return Ok(exit::SCENARIO);
        }
        Err(diagnostics) => {
            return Err(Failure::rendered(exit::SCENARIO, diagnostics.render(colour())));
        }
    };
    warn(&loaded);
    let scenario = &loaded.scenario;
    if options.resolved {
        exit::print(&emit::to_text(scenario));
    } else {
        let sessions: usize = scenario.conferences.iter().map(|conference| conference.sessions.len()).sum();
        exit::print(&format!(
            "{}: valid. {} nodes, {} links, {} conferences with {sessions} sessions, {} faults, {} s.\n",
            scenario.name,
            scenario.nodes.len(),
            scenario.links.len(),
            scenario.conferences.len(),
            scenario.faults.len(),
            scenario.duration.as_secs_f64(),
        ));
    }
    Ok(exit::DONE)
}

/// Loads a scenario, or ends with everything that is wrong with it.
pub(super) fn load_scenario(
    registry: &Registry,
    options: &ScenarioOptions,
    seed: Option<u64>,
) -> Result<Loaded, Failure> {
    load(&options.scenario, &load_options(registry, options, seed))
        .map_err(|diagnostics| Failure::rendered(exit::SCENARIO, diagnostics.render(colour())))
}

/// Prints the warnings of a valid scenario.
pub(super) fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        eprintln!("{}\n", warning.render(colour()));
    }
}

fn load_options(registry: &Registry, options: &ScenarioOptions, seed: Option<u64>) -> LoadOptions {
    let names = registry.routing_names().into_iter().chain(registry.assignment_names());
    LoadOptions {
        seed: seed.or(options.seed),
        set: options.set.clone(),
        policies: names.map(str::to_owned).collect(),
    }
}

fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
