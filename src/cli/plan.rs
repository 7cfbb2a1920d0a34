//! `bellini plan`: what policies would do with a scenario.

use super::args::PlanOptions;
use super::check::{ScenarioText, warn};
use super::exit::{self, Failure};
use crate::Registry;
use bellini_reports::grid;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::plan::{Finding, LinkPlan, Plan, PolicyPlan, SessionPlan, plan};
use std::collections::BTreeSet;

/// Most destinations, routes, links and findings of a policy that the tables show; `--json` has all.
const DESTINATIONS_MAX: usize = 24;
const ROUTES_MAX: usize = 16;
const LINKS_MAX: usize = 6;
const FINDINGS_MAX: usize = 12;
/// Most nodes whose ids are listed.
const LEGEND_MAX: usize = 24;
/// Most characters of a route, a name and a reason.
const ROUTE_MAX: usize = 44;
const NAME_MAX: usize = 14;
const REASON_MAX: usize = 44;

pub(super) fn run(registry: &Registry, options: &PlanOptions) -> Result<u8, Failure> {
    let text = ScenarioText::read(registry, &options.scenario)?;
    let loaded = text.resolve(None)?;
    if !options.json {
        warn(&loaded);
    }
    let names: Vec<String> = options.policies.iter().map(|name| name.trim().to_owned()).collect();
    let plan = plan(&loaded.scenario, registry, &names)
        .map_err(|error| Failure::new(exit::USAGE, format_args!("--policies: {error}; or `own`")))?;
    if options.json {
        let json = serde_json::to_string_pretty(&plan).map_err(|error| Failure::new(exit::FAILED, error))?;
        exit::print(&(json + "\n"));
    } else {
        exit::print(&table(&plan, &loaded.scenario));
    }
    let is_met = plan.limits.iter().all(|finding| finding.kind == "price")
        && plan.policies.iter().all(|policy| policy.findings.is_empty());
    Ok(if options.strict && !is_met { exit::CHECK } else { exit::DONE })
}

fn table(plan: &Plan, scenario: &Scenario) -> String {
    let mut text = format!("{}: planned; nothing was run\n", shorten(&plan.scenario, 60));
    if !plan.limits.is_empty() {
        text += "\nWhatever the routes:\n";
        findings(&mut text, &plan.limits);
    }
    let rows = plan.policies.iter().map(|policy| {
        let part = policy.wanted_mbps.filter(|wanted| *wanted > 0.0).map(|wanted| policy.rate_mbps / wanted);
        if policy.sessions.iter().all(|session| session.error.is_some()) {
            let mut row = vec![policy.policy.clone(), "no answer".to_owned()];
            row.resize(8, "-".to_owned());
            row.push(policy.findings.len().to_string());
            return row;
        }
        vec![
            policy.policy.clone(),
            rate(Some(policy.rate_mbps)),
            percent(part),
            fixed(policy.delay_ms_max, 1),
            fixed(policy.usd_per_hour, 4),
            fixed(policy.percentile_usd_per_hour, 4),
            policy.machines.to_string(),
            fixed(policy.vm_usd_per_hour, 4),
            policy.findings.len().to_string(),
        ]
    });
    let head =
        ["policy", "all get", "of wanted", "farthest", "volume", "percentile", "VMs", "VM hours", "not met"];
    let units = ["", "Mbit/s", "", "ms", "USD/h", "USD/h", "", "USD/h", ""];
    grid(&mut text, &[&head, &units], rows.collect(), &[0]);
    text += "\
all get: payload at all destinations together. farthest: the longest delay, without queues. volume, percentile: traffic at its
price by volume, or charged by percentile. VMs: machines on the routes, and what they cost. not met: demands, listed below.\n";
    legend(&mut text, plan, scenario);
    plan.policies.iter().for_each(|policy| of_policy(&mut text, policy));
    if !plan.notes.is_empty() {
        text.push('\n');
    }
    for note in &plan.notes {
        text += note;
        text.push('\n');
    }
    text
}

/// Says which names the ids in routes and links have.
fn legend(text: &mut String, plan: &Plan, scenario: &Scenario) {
    let links = plan.policies.iter().flat_map(|policy| &policy.links);
    let ids: BTreeSet<u32> = links.flat_map(|link| [link.from, link.to]).collect();
    let used = scenario.nodes.iter().filter(|node| ids.contains(&node.id.get()));
    names(text, used.map(|node| (node.id.get(), node.name.as_str())).collect());
}

/// Writes which name each id has, where there are not too many.
pub(super) fn names(text: &mut String, names: Vec<(u32, &str)>) {
    if !names.is_empty() && names.len() <= LEGEND_MAX {
        let all: Vec<String> = names.iter().map(|(id, name)| format!("{id} {}", plain(name))).collect();
        *text += &format!("ids in routes: {}; d: delivers there\n", all.join(", "));
    }
}

fn of_policy(text: &mut String, policy: &PolicyPlan) {
    *text += &format!("\n== {} ==\n", policy.policy);
    let all: usize = policy.sessions.iter().map(|session| session.destinations.len()).sum();
    let rows = policy.sessions.iter().flat_map(|session| {
        session.destinations.iter().map(move |to| {
            vec![
                shorten(&label(session), NAME_MAX + 2),
                shorten(&to.name, NAME_MAX),
                rate(session.offered_mbps),
                rate(to.rate_mbps),
                fixed(to.delay_ms, 1),
                fixed(to.delay_ms_max, 1),
                shorten(&to.bound_by, REASON_MAX),
            ]
        })
    });
    let head = ["session", "to", "offered", "gets", "delay", "slowest", "bound by"];
    let units = ["", "", "Mbit/s", "Mbit/s", "ms", "ms", ""];
    grid(text, &[&head, &units], rows.take(DESTINATIONS_MAX).collect(), &[0, 1, 6]);
    more(text, all, DESTINATIONS_MAX);
    let all: usize = policy.sessions.iter().map(|session| session.routes.len()).sum();
    let rows = policy.sessions.iter().flat_map(|session| {
        session.routes.iter().map(move |route| {
            vec![
                shorten(&label(session), NAME_MAX + 2),
                shorten(&route.route, ROUTE_MAX),
                percent(Some(route.share)),
                format!("{:.1}", route.delay_ms),
                fixed(route.usd_per_payload_gb, 3),
            ]
        })
    });
    let head = ["session", "route", "share", "delay", "payload"];
    let units = ["", "", "", "ms", "USD/GB"];
    grid(text, &[&head, &units], rows.take(ROUTES_MAX).collect(), &[0, 1]);
    more(text, all, ROUTES_MAX);
    links(text, policy);
    if !policy.findings.is_empty() {
        *text += "\nNot as wanted:\n";
        findings(text, &policy.findings);
    }
}

fn links(text: &mut String, policy: &PolicyPlan) {
    let mut busiest: Vec<&LinkPlan> = policy.links.iter().filter(|link| link.mbps > 0.0).collect();
    busiest.sort_by(|a, b| {
        let busy = |link: &LinkPlan| link.utilisation.unwrap_or(0.0);
        busy(b).total_cmp(&busy(a)).then(b.mbps.total_cmp(&a.mbps))
    });
    let all = busiest.len();
    let rows = busiest.iter().take(LINKS_MAX).map(|link| {
        vec![
            format!("{}>{}", link.from, link.to),
            rate(Some(link.mbps)),
            percent(link.utilisation),
            fixed(link.usd_per_hour, 4),
        ]
    });
    grid(text, &[&["link", "rate", "busy", "cost"], &["", "Mbit/s", "", "USD/h"]], rows.collect(), &[0]);
    more(text, all, LINKS_MAX);
}

/// Writes findings, one a line.
fn findings(text: &mut String, all: &[Finding]) {
    for finding in all.iter().take(FINDINGS_MAX) {
        let session = match (finding.conference, finding.session) {
            (Some(conference), Some(session)) => format!(" of {conference}/{session}"),
            _ => String::new(),
        };
        *text += &format!("  {}{session}: {}\n", finding.kind, plain(&finding.text));
    }
    more(text, all.len(), FINDINGS_MAX);
}

fn more(text: &mut String, all: usize, shown: usize) {
    if all > shown {
        *text += &format!("  .. {} more with --json\n", all - shown);
    }
}

fn label(session: &SessionPlan) -> String {
    let id = format!("{}/{}", session.conference, session.session);
    if session.name.is_empty() { id } else { format!("{id} {}", session.name) }
}

/// A rate in Mbit/s, or a dash.
pub(super) fn rate(mbps: Option<f64>) -> String {
    fixed(mbps, if mbps.is_some_and(|rate| rate >= 100.0) { 1 } else { 3 })
}

/// A number with so many decimals, or a dash.
pub(super) fn fixed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A part as per cent, or a dash.
pub(super) fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", part * 100.0))
}

/// Cuts a text that is too long for its column; control characters must not reach a terminal.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

/// Replaces control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
