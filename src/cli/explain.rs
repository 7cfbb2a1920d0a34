//! `bellini explain`: why a run's sessions take their routes.

use super::args::ExplainOptions;
use super::exit::{self, Failure};
use super::plan::{fixed, percent, plain, rate, shorten};
use super::report;
use crate::Registry;
use bellini_reports::grid;
use bellini_scenarios::parse::{LoadOptions, load};
use bellini_scenarios::plan::{DestinationReasons, Explanation, SessionReasons, explain};
use bellini_scenarios::record::file;
use serde_json::Value;
use std::collections::BTreeMap;
use std::slice;

/// Most events of a session that are shown; `--json` has all.
const EVENTS_MAX: usize = 16;
/// Most sessions and destinations that are shown without being asked for.
const SESSIONS_MAX: usize = 8;
const DESTINATIONS_MAX: usize = 8;
const PATH_MAX: usize = 44;

pub(super) fn run(registry: &Registry, options: &ExplainOptions) -> Result<u8, Failure> {
    let mut runs = report::load(slice::from_ref(&options.run))?;
    let Some(run) = runs.pop() else { return Ok(exit::DONE) };
    let lacking = |name: &str| {
        let message = format!("{} has no {name}: without it nothing can be explained", options.run.display());
        Failure::new(exit::ENVIRONMENT, message)
    };
    if run.scenario.is_null() {
        return Err(lacking(file::SCENARIO));
    }
    // A run of somebody's own binary is explained by any: the names of its policies are enough.
    let mut policies: Vec<String> =
        registry.routing_names().into_iter().chain(registry.assignment_names()).map(str::to_owned).collect();
    names(&run.scenario, &mut policies);
    let how = LoadOptions { seed: Some(run.summary.seed), set: Vec::new(), policies };
    let loaded = load(&options.run.join(file::SCENARIO), &how)
        .map_err(|found| Failure::rendered(exit::SCENARIO, found.render(false)))?;
    let mut explanation = explain(&loaded.scenario, &run, usize::from(options.paths));
    narrow(&mut explanation, options)?;
    if options.json {
        let json =
            serde_json::to_string_pretty(&explanation).map_err(|error| Failure::new(exit::FAILED, error))?;
        exit::print(&(json + "\n"));
        return Ok(exit::DONE);
    }
    exit::print(&table(&explanation));
    if run.missing.contains(&file::EVENTS) {
        exit::say(format_args!("note: there is no {}: what happened on the way is not known", file::EVENTS));
    }
    Ok(exit::DONE)
}

/// Collects the names of policies that a resolved scenario mentions.
fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for key in ["routing", "assignment"] {
                let policy = map.get(key).and_then(|spec| spec.get("policy").unwrap_or(spec).as_str());
                found.extend(policy.map(str::to_owned));
            }
            map.values().for_each(|value| names(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

/// Keeps what was asked for.
fn narrow(explanation: &mut Explanation, options: &ExplainOptions) -> Result<(), Failure> {
    let id = |session: &SessionReasons| format!("{}/{}", session.conference, session.session);
    if let Some(wanted) = &options.session {
        let known: Vec<String> = explanation.sessions.iter().map(id).collect();
        explanation.sessions.retain(|session| id(session) == *wanted);
        if explanation.sessions.is_empty() {
            let message =
                format!("--session {wanted}: the run has no such session; it has {}", known.join(", "));
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    if let Some(wanted) = &options.to {
        let is_it = |to: &DestinationReasons| to.name == *wanted || to.node.to_string() == *wanted;
        for session in &mut explanation.sessions {
            session.destinations.retain(is_it);
        }
        explanation.sessions.retain(|session| !session.destinations.is_empty());
        if explanation.sessions.is_empty() {
            let message = format!("--to {wanted}: no session looked at has such a destination (name or id)");
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    Ok(())
}

fn table(explanation: &Explanation) -> String {
    let (name, mode, seed) = (shorten(&explanation.scenario, 60), &explanation.mode, explanation.seed);
    let mut text = format!("{name} in {mode}, seed {seed}: why sessions take their routes\n");
    for session in explanation.sessions.iter().take(SESSIONS_MAX) {
        of_session(&mut text, session);
    }
    legend(&mut text, explanation);
    if explanation.sessions.len() > SESSIONS_MAX {
        let more = explanation.sessions.len() - SESSIONS_MAX;
        text += &format!("\n.. {more} more sessions: --session CONFERENCE/SESSION, or --json\n");
    }
    text
}

fn of_session(text: &mut String, session: &SessionReasons) {
    let (conference, id) = (session.conference, session.session);
    *text += &format!("\n== {conference}/{id} {} from {} ==\n", plain(&session.name), plain(&session.source));
    let rule = session.rule.map_or_else(String::new, |rule| format!(": {rule}"));
    *text +=
        &format!("routing `{}`{rule}; shares by `{}`\n", plain(&session.policy), plain(&session.assignment));
    for to in session.destinations.iter().take(DESTINATIONS_MAX) {
        of_destination(text, to);
    }
    if session.destinations.len() > DESTINATIONS_MAX {
        *text +=
            &format!("\n.. {} more destinations: --to NODE\n", session.destinations.len() - DESTINATIONS_MAX);
    }
    if !session.events.is_empty() {
        *text += "\nwhat happened to its routes:\n";
    }
    for event in session.events.iter().take(EVENTS_MAX) {
        let times = match event.times {
            1 => String::new(),
            times => format!(" ({times} times until {:.3} s)", event.until_s),
        };
        *text += &format!(
            "  {:>8.3} s  {}: {}{times}\n",
            event.t_s,
            event.kind.replace('_', " "),
            plain(&event.text)
        );
    }
    if session.events.len() > EVENTS_MAX {
        *text += &format!("  .. {} more with --json\n", session.events.len() - EVENTS_MAX);
    }
}

fn of_destination(text: &mut String, to: &DestinationReasons) {
    let (goodput, offered) = (rate(to.goodput_mbps), rate(to.offered_mbps));
    let delay = fixed(to.delay_p50_ms, 1);
    let bound = to.delay_bound_ms.map_or_else(String::new, |bound| format!(" of {bound:.1} ms allowed"));
    let name = plain(&to.name);
    let waiting = match to.queueing_p50_ms {
        Some(ms) if ms >= 0.05 => format!(" ({ms:.1} ms of it waiting)"),
        _ => String::new(),
    };
    *text +=
        &format!("\nto {name}: got {goodput} of {offered} Mbit/s, median delay {delay} ms{waiting}{bound}\n");
    *text += &format!("bound by: {}\n", plain(&to.bound_by));
    let all = &to.alternatives;
    // What no path has is left out.
    let shown = [
        true,
        true,
        true,
        all.iter().any(|it| it.rate_mbps.is_some()),
        all.iter().any(|it| it.busy.is_some()),
        all.iter().any(|it| it.loss > 0.0),
        all.iter().any(|it| it.usd_per_payload_gb.is_some()),
        true,
    ];
    let keep = |cells: Vec<String>| -> Vec<String> {
        cells.into_iter().zip(shown).filter(|(_, is_shown)| *is_shown).map(|(cell, _)| cell).collect()
    };
    let rows = all.iter().map(|it| {
        keep(vec![
            shorten(&it.path, PATH_MAX),
            if it.share > 0.0 { percent(Some(it.share)) } else { "-".to_owned() },
            format!("{:.1}", it.delay_ms),
            rate(it.rate_mbps),
            it.busy.map_or_else(|| "-".to_owned(), |busy| format!("{:.0} %", busy * 100.0)),
            percent(Some(it.loss)),
            fixed(it.usd_per_payload_gb, 3),
            plain(&it.why),
        ])
    });
    let words = |words: [&str; 8]| keep(words.map(str::to_owned).to_vec());
    let head = words(["path", "share", "delay", "rate", "busy", "loss", "cost", "why"]);
    let units = words(["", "", "ms", "Mbit/s", "", "", "USD/GB", ""]);
    let (head, units): (Vec<&str>, Vec<&str>) =
        head.iter().map(String::as_str).zip(units.iter().map(String::as_str)).unzip();
    let last = head.len() - 1;
    grid(text, &[&head, &units], rows.collect(), &[0, last]);
}

/// Says which names the ids in routes have.
fn legend(text: &mut String, explanation: &Explanation) {
    let mut names: BTreeMap<u32, &str> = BTreeMap::new();
    for session in explanation.sessions.iter().take(SESSIONS_MAX) {
        for path in session.destinations.iter().flat_map(|to| &to.alternatives) {
            names.extend(path.nodes.iter().copied().zip(path.path.split(" > ")));
        }
    }
    text.push('\n');
    super::plan::names(text, names.into_iter().collect());
    *text += "\
share: part of the packets at the end of the run. delay: a full packet without queues. rate: the least of the path's links, hops and
caps. busy: its busiest link in the measuring window, whoever used it. loss: of its links. cost: a GB of payload.\n";
}
