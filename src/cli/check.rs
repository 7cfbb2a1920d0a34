//! `bellini check`: is the scenario valid, and what does it come to?

use super::args::{CheckOptions, ScenarioOptions};
use super::exit::{self, Failure};
use crate::Registry;
use bellini_scenarios::diagnostic::Diagnostics;
use bellini_scenarios::emit;
use bellini_scenarios::parse::{LoadOptions, Loaded, load, parse_str, read};
use std::io::IsTerminal;

pub(super) fn run(registry: &Registry, options: &CheckOptions) -> Result<u8, Failure> {
    let loaded = match load(&options.scenario.scenario, &load_options(registry, &options.scenario, None)) {
        Ok(loaded) => loaded,
        Err(diagnostics) if options.json => {
            exit::print(&format!("{:#}\n", diagnostics.to_json()));
            return Ok(exit::SCENARIO);
        }
        Err(diagnostics) => {
            return Err(invalid(diagnostics));
        }
    };
    if options.json && !options.resolved {
        let found = Diagnostics { diagnostics: loaded.warnings };
        exit::print(&format!("{:#}\n", found.to_json()));
        return Ok(exit::DONE);
    }
    warn(&loaded);
    let scenario = &loaded.scenario;
    if options.resolved {
        exit::print(&emit::to_text(scenario));
    } else {
        let sessions: usize = scenario.conferences.iter().map(|conference| conference.sessions.len()).sum();
        exit::print(&format!(
            "{}: valid. {}, {}, {} with {}, {}, {} s.\n",
            scenario.name,
            count(scenario.nodes.len(), "node"),
            count(scenario.links.len(), "link"),
            count(scenario.conferences.len(), "conference"),
            count(sessions, "session"),
            count(scenario.faults.len(), "fault"),
            scenario.duration.as_secs_f64(),
        ));
    }
    Ok(exit::DONE)
}

/// A scenario file, read once: every seed sees the same text, whatever happens to the file meanwhile, and a pipe
/// will do.
pub(super) struct ScenarioText<'a> {
    options: &'a ScenarioOptions,
    registry: &'a Registry,
    text: String,
}

impl<'a> ScenarioText<'a> {
    /// Reads the file that `options` names.
    pub(super) fn read(registry: &'a Registry, options: &'a ScenarioOptions) -> Result<Self, Failure> {
        let text = read(&options.scenario).map_err(invalid)?;
        Ok(Self { options, registry, text })
    }

    /// Resolves it for `seed` (else the command line's or its own), or ends with everything that is wrong with it.
    pub(super) fn resolve(&self, seed: Option<u64>) -> Result<Loaded, Failure> {
        let name = self.options.scenario.display().to_string();
        parse_str(&name, &self.text, &load_options(self.registry, self.options, seed)).map_err(invalid)
    }
}

fn invalid(diagnostics: Diagnostics) -> Failure {
    Failure::rendered(exit::SCENARIO, diagnostics.render(colour()))
}

/// Prints the warnings of a valid scenario.
pub(super) fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        exit::say(format_args!("{}\n", warning.render(colour())));
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

fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// Whether stderr shows colours. Source: no-color.org, which counts an empty NO_COLOR as unset.
fn colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}
