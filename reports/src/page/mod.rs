//! `report.html`: one page that needs nothing else.

mod tables;

use crate::error::ReportError;
use crate::figure::{Figure, Material};
use crate::format::{count, number, percent, plural};
use bellini_scenarios::record::{METRICS, Status, Summary, View, kind};
use minijinja::{Environment, context};
use tables::{Table, tables};

const TEMPLATE: &str = include_str!("../../assets/report.html");
const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");
/// Most events in the page.
const EVENTS_MAX: usize = 200;
/// Longest scenario text in the page, in bytes.
const SCENARIO_MAX: usize = 300_000;

/// Makes the page. Returns it with the notes it shows.
///
/// # Errors
/// [`ReportError::Draw`] when the template fails: a defect.
pub(crate) fn page(
    material: &Material<'_>,
    figures: &[Figure],
) -> Result<(String, Vec<String>), ReportError> {
    let notes = notes(material);
    let mut environment = Environment::new();
    let failed = |error: minijinja::Error| ReportError::Draw {
        what: "the report page",
        problem: format!("{error:#}"),
    };
    environment.add_template("report.html", TEMPLATE).map_err(failed)?;
    let template = environment.get_template("report.html").map_err(failed)?;
    let summary = &material.first;
    let run = &material.runs[0];
    let shown: Vec<_> = figures
        .iter()
        .map(|figure| {
            // Ids are unique in a page only with the figure's name.
            let svg = figure.svg.text.replace("map-area", &format!("{}-area", figure.name));
            context! { name => figure.name, heading => figure.heading, caption => figure.caption.as_str(), svg => svg }
        })
        .collect();
    let mut scenario = serde_json::to_string_pretty(&run.scenario).unwrap_or_default();
    let cut = scenario.len() > SCENARIO_MAX;
    if cut {
        let end = (0..=SCENARIO_MAX).rev().find(|at| scenario.is_char_boundary(*at)).unwrap_or(0);
        scenario.truncate(end);
    }
    let description = run.scenario.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
    let marks: Vec<_> = material
        .marks
        .iter()
        .map(|mark| context! { tag => mark.tag.as_str(), at => number(mark.t_s), text => mark.text.as_str() })
        .collect();
    let (events, events_rest) = events(material);
    let definitions: Vec<_> = METRICS
        .iter()
        .map(|m| context! { scope => m.scope.as_str(), name => m.name, unit => m.unit, definition => m.definition, null => m.when_null })
        .collect();
    let html = template
        .render(context! {
            style => STYLE,
            script => SCRIPT,
            scenario_name => summary.scenario.as_str(),
            description => description,
            status => banner(summary),
            invalid => invalid(material),
            oracle => summary.view == View::Oracle,
            facts => facts(material),
            tiles => tiles(material),
            notes => notes.clone(),
            figures => shown,
            tables => tables(material).into_iter().map(Table::into_value).collect::<Vec<_>>(),
            marks => marks,
            events => events,
            events_rest => events_rest,
            definitions => definitions,
            scenario => scenario,
            scenario_cut => cut,
            has_scenario => !run.scenario.is_null(),
        })
        .map_err(failed)?;
    Ok((html, notes))
}

/// Says which runs are not valid, and why; empty when all are.
fn invalid(material: &Material<'_>) -> Vec<String> {
    let labs = material.runs.iter().filter_map(|run| Some((run.summary.seed, run.summary.lab.as_ref()?)));
    let reasons = labs.filter(|(_, lab)| !lab.valid).map(|(seed, lab)| {
        format!("The run with seed {seed} is not valid: {}.", lab.reasons.join("; ").trim_end_matches('.'))
    });
    reasons.collect()
}

fn banner(summary: &Summary) -> &'static str {
    match summary.status {
        Status::Complete => "",
        Status::Partial => {
            "Nodes failed in this run. The figures cover what they had counted until then; the notes name them."
        }
        Status::Interrupted => "This run was interrupted. The figures cover what was recorded until then.",
        Status::Failed => "This run failed. The figures cover what was recorded until then.",
    }
}

/// What was run: name and value.
fn facts(material: &Material<'_>) -> Vec<(&'static str, String)> {
    let s = &material.first;
    let seeds: Vec<_> = material.runs.iter().map(|run| run.summary.seed.to_string()).collect();
    let mode = match s.mode {
        bellini_scenarios::record::Mode::Sim => "sim: the deterministic simulator",
        bellini_scenarios::record::Mode::Lab => "lab: real processes on one machine over emulated links",
        bellini_scenarios::record::Mode::Live => "live: real hosts",
    };
    let view = match s.view {
        View::Oracle => "oracle: the scenario's own figures, an upper bound",
        View::Measured => "measured: what the running protocol saw",
    };
    let mut facts = vec![
        ("Scenario", s.scenario.clone()),
        ("Mode", mode.to_owned()),
        (if seeds.len() == 1 { "Seed" } else { "Seeds" }, seeds.join(", ")),
        ("Policies saw", view.to_owned()),
        ("Duration", format!("{} s of scenario time", number(s.duration_s))),
        ("Measuring window", format!("{} s to {} s", number(s.measure_s[0]), number(s.measure_s[1]))),
        ("Version", s.version.clone()),
    ];
    if let (Some(digest), 1) = (&s.digest, seeds.len()) {
        facts.push(("Digest", digest.clone()));
    }
    if let Some(engine) = &s.engine {
        let hops =
            engine.packet_hops.map_or(String::new(), |hops| format!(" for {} packet-hops", count(hops)));
        facts.push(("Took", format!("{} s{hops}", number(engine.wall_s))));
    }
    facts
}

/// Key figures: value, unit or share, what it is.
fn tiles(material: &Material<'_>) -> Vec<(String, String)> {
    let s = &material.first;
    let (sent, delivered, lost) =
        material.destinations().fold((0, 0, 0), |(sent, delivered, lost), (_, d)| {
            (sent + d.sent_packets, delivered + d.delivered_packets, lost + d.lost_packets)
        });
    let rate: f64 = s.sessions.iter().filter_map(|session| session.offered_mbps).sum();
    let mut tiles = vec![
        (
            plural(s.sessions.len(), "session"),
            format!("to {}", plural(material.destinations().count(), "destination")),
        ),
        (format!("{} Mbit/s", number(rate)), "offered by all sources together".to_owned()),
        (percent(delivered, sent), format!("of {} symbols delivered", count(sent))),
        (percent(lost, sent), "of the symbols lost".to_owned()),
    ];
    let p50 = material.destinations().filter_map(|(_, d)| d.delay_ms).map(|delay| delay.p50);
    let p95 = material.destinations().filter_map(|(_, d)| d.delay_ms).map(|delay| delay.p95);
    if let Some(least) = p50.min_by(f64::total_cmp)
        && let Some(most) = p95.max_by(f64::total_cmp)
    {
        let range = format!("{} to {} ms", number(least), number(most));
        tiles.push((range, "least median to greatest 95th percentile of delay".to_owned()));
    }
    let (frames, on_time) = material
        .destinations()
        .fold((0, 0), |(f, t), (_, d)| (f + d.frames_sent.unwrap_or(0), t + d.frames_on_time.unwrap_or(0)));
    if frames > 0 {
        tiles.push((percent(on_time, frames), "of video frames on time".to_owned()));
    }
    let files: Vec<_> = material.destinations().filter_map(|(_, d)| d.complete).collect();
    if !files.is_empty() {
        let done = files.iter().filter(|complete| **complete).count();
        tiles.push((format!("{done} of {}", files.len()), "files complete with the right hash".to_owned()));
    }
    let cost: Vec<_> = s.links.iter().filter_map(|link| link.cost_usd).collect();
    if !cost.is_empty() {
        tiles.push((
            format!("{} USD", number(cost.iter().sum())),
            "price of the traffic where prices are known".to_owned(),
        ));
    }
    tiles
}

/// What a reader must know, from the run and from what is missing.
fn notes(material: &Material<'_>) -> Vec<String> {
    let s = &material.first;
    let mut notes = s.notes.clone();
    notes.extend(s.cost.as_ref().map(crate::cost::sentence));
    for run in material.runs {
        if !run.missing.is_empty() {
            let list = run.missing.join(", ");
            notes.push(format!(
                "The run directory of seed {} has no {list}: plots from these are missing.",
                run.summary.seed
            ));
        }
        if run.summary.seed != s.seed && run.summary.status != Status::Complete {
            notes.push(format!("The run with seed {} did not come to its end.", run.summary.seed));
        }
    }
    let silent =
        material.destinations().filter(|(_, d)| d.sent_packets > 0 && d.delivered_packets == 0).count();
    if silent > 0 {
        notes
            .push(format!("{} received nothing: delays there have no value.", plural(silent, "destination")));
    }
    let (limited, all) = (s.links.iter().filter(|link| link.utilisation.is_some()).count(), s.links.len());
    if limited < all {
        notes.push(format!(
            "{} of {all} links have no rate limit: their utilisation has no value.",
            all - limited
        ));
    }
    let priced = s.links.iter().filter(|link| link.cost_usd.is_some()).count();
    if priced > 0 && priced < all {
        notes.push(format!("Prices are known for {priced} of {all} links; the others are not in the sum."));
    }
    notes
}

/// Events that people look for, and how many more there are.
fn events(material: &Material<'_>) -> (Vec<minijinja::Value>, String) {
    let routine = [kind::REPORT, kind::HOP_OPENED, kind::FAULT];
    let all: Vec<_> =
        material.runs[0].events.iter().filter(|event| !routine.contains(&event.kind.as_str())).collect();
    let shown = all.iter().take(EVENTS_MAX).map(|event| {
        let node = event.node.map_or(String::new(), |node| material.node(node));
        let session = match (event.conference, event.session) {
            (Some(conference), Some(session)) => format!("{conference}/{session}"),
            (Some(conference), None) => conference.to_string(),
            _ => String::new(),
        };
        context! { at => number(event.t_s), kind => event.kind.replace('_', " "), node => node, session => session, text => event.text.as_str() }
    });
    let rest = all.len().saturating_sub(EVENTS_MAX);
    let rest = if rest > 0 { format!("{} more in events.jsonl.", count(rest as u64)) } else { String::new() };
    (shown.collect(), rest)
}
