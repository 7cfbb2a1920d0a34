//! `bellini check`: is the scenario valid, and what does it come to?

use super::args::{CheckOptions, ScenarioOptions};
use super::exit::{self, Failure};
use crate::Registry;
use bellini_scenarios::diagnostic::Diagnostics;
use bellini_scenarios::diagnostic::{Diagnostic, Severity};
use bellini_scenarios::emit;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, Loaded, load, parse_str, read};
use bellini_scenarios::plan::{Finding, Infeasible, infeasible};
use std::io::IsTerminal;

pub(super) fn run(registry: &Registry, options: &CheckOptions) -> Result<u8, Failure> {
    let mut loaded = match load(&options.scenario.scenario, &load_options(registry, &options.scenario, None))
    {
        Ok(loaded) => loaded,
        Err(diagnostics) if options.json => {
            exit::print(&format!("{:#}\n", diagnostics.to_json()));
            return Ok(exit::SCENARIO);
        }
        Err(diagnostics) => {
            return Err(invalid(diagnostics));
        }
    };
    let found = infeasible(&loaded.scenario);
    let refused = refusals(&loaded.scenario, &found);
    if refused.iter().any(|it| it.severity == Severity::Error) {
        let all = Diagnostics { diagnostics: refused };
        if options.json {
            exit::print(&format!("{:#}\n", all.to_json()));
            return Ok(exit::SCENARIO);
        }
        return Err(invalid(all));
    }
    loaded.warnings.extend(refused);
    let short = found.short.iter().map(|it| finding(&loaded.scenario, it, Severity::Warning, SHORT));
    loaded.warnings.extend(short);
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

/// The code of demands that no routes can meet, of sessions whose policies do not mind.
const SHORT: &str = "W0802";

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

/// Ends what would start a scenario in which a policy refuses a session: it would carry nothing. Where the network may
/// change on the way it is a warning.
///
/// # Errors
/// What binds, by session.
pub(super) fn demand(loaded: &mut Loaded) -> Result<(), Failure> {
    let found = refusals(&loaded.scenario, &infeasible(&loaded.scenario));
    if found.iter().any(|it| it.severity == Severity::Error) {
        return Err(invalid(Diagnostics { diagnostics: found }));
    }
    loaded.warnings.extend(found);
    Ok(())
}

fn refusals(scenario: &Scenario, found: &Infeasible) -> Vec<Diagnostic> {
    let (severity, code) =
        if found.may_change { (Severity::Warning, "W0801") } else { (Severity::Error, "E0801") };
    found.refused.iter().map(|it| finding(scenario, it, severity, code)).collect()
}

/// Returns what was found as a diagnostic that says how to mend it.
fn finding(scenario: &Scenario, found: &Finding, severity: Severity, code: &'static str) -> Diagnostic {
    let conferences = scenario.conferences.iter().filter(|it| Some(it.id.0) == found.conference);
    let mut sessions = conferences.flat_map(|it| &it.sessions).filter(|it| Some(it.id.0) == found.session);
    let name = sessions.next().map_or("", |session| session.name.as_str());
    let id = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let session = format!("session {}/{} {name}", id(found.conference), id(found.session));
    let help = match found.kind {
        "delay" => "allow more time: a live play-out delay, a deadline, or the policy's `bound`",
        "rate" => "lower the rate, or raise what binds",
        _ => "look at the network with `bellini plan`",
    };
    let prices = found.text.contains("price").then(|| {
        "give links `usd_per_gb`, take a data set with prices, or choose a policy that needs none".to_owned()
    });
    Diagnostic {
        severity,
        code,
        message: format!("{}: {}", session.trim_end(), found.text),
        labels: Vec::new(),
        path: String::new(),
        help: vec![prices.unwrap_or_else(|| help.to_owned())],
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
