//! `report.html`: one page that needs nothing else.

use crate::error::ReportError;
use crate::figure::{Figure, Material};
use crate::format::{count, fixed, number, percent, plural};
use crate::stats::Interval;
use bellini_scenarios::record::{METRICS, Status, Summary, View, kind};
use minijinja::{Environment, context};

const TEMPLATE: &str = include_str!("../assets/report.html");
const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");
/// Most rows of a table in the page.
const ROWS_MAX: usize = 250;
/// Most events in the page.
const EVENTS_MAX: usize = 200;
/// Longest scenario text in the page, in bytes.
const SCENARIO_MAX: usize = 300_000;

/// A table of the page.
#[derive(Debug)]
struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// What is left out, if anything.
    rest: String,
}

impl Table {
    fn into_value(self) -> minijinja::Value {
        let columns =
            self.columns.into_iter().map(|c| context! { name => c.name, unit => c.unit, number => c.number });
        let cell = |cell: Cell| context! { text => cell.text, key => cell.key };
        let rows = self.rows.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>());
        context! {
            caption => self.caption,
            columns => columns.collect::<Vec<_>>(),
            rows => rows.collect::<Vec<_>>(),
            rest => self.rest,
        }
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    unit: String,
    number: bool,
}

/// A cell: what is shown, and what it is sorted by.
#[derive(Debug)]
struct Cell {
    text: String,
    key: Option<f64>,
}

impl Cell {
    fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), key: None }
    }

    fn number(value: Option<f64>, decimals: usize) -> Cell {
        Cell { text: fixed(value, decimals), key: value }
    }

    fn count(value: u64) -> Cell {
        Cell { text: count(value), key: Some(value as f64) }
    }

    fn share(part: u64, whole: u64) -> Cell {
        let key = (whole > 0).then(|| part as f64 / whole as f64);
        Cell { text: percent(part, whole), key }
    }

    fn maybe(value: Option<u64>) -> Cell {
        value.map_or_else(|| Cell::number(None, 0), Cell::count)
    }
}

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

fn banner(summary: &Summary) -> &'static str {
    match summary.status {
        Status::Complete => "",
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

fn tables(material: &Material<'_>) -> Vec<Table> {
    let mut tables = Vec::new();
    if material.runs.len() > 1 {
        tables.push(over_seeds(material));
    }
    tables.push(destinations(material));
    tables.push(flows(material));
    tables.push(links(material));
    tables.push(nodes(material));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn columns(names: &[(&str, &str)], text: usize) -> Vec<Column> {
    let column = |(index, (name, unit)): (usize, &(&str, &str))| Column {
        name: (*name).to_owned(),
        unit: (*unit).to_owned(),
        number: index >= text,
    };
    names.iter().enumerate().map(column).collect()
}

/// Cuts a table and says so.
fn cut(rows: &mut Vec<Vec<Cell>>, how: &str) -> String {
    let all = rows.len();
    rows.truncate(ROWS_MAX);
    if all > ROWS_MAX {
        format!("Shown are {ROWS_MAX} of {all}: {how}. All are in summary.json.")
    } else {
        String::new()
    }
}

/// Means and intervals over seeds.
fn over_seeds(material: &Material<'_>) -> Table {
    let mut rows = Vec::new();
    for (session, d) in material.destinations() {
        let find = |s: &Summary| {
            let own = s
                .sessions
                .iter()
                .find(|x| (x.conference, x.session) == (session.conference, session.session))?;
            own.destinations.iter().find(|x| x.node == d.node).cloned()
        };
        let figure = |of: &dyn Fn(&bellini_scenarios::record::DestinationSummary) -> Option<f64>| {
            let values: Vec<_> = material.runs.iter().filter_map(|run| of(&find(&run.summary)?)).collect();
            match Interval::of(&values) {
                Some(i) => Cell {
                    text: match i.half {
                        Some(half) => format!("{} \u{b1} {}", number(i.mean), number(half)),
                        None => number(i.mean),
                    },
                    key: Some(i.mean),
                },
                None => Cell::number(None, 0),
            }
        };
        rows.push(vec![
            Cell::text(material.destination(session, d.node)),
            Cell::count(material.runs.len() as u64),
            figure(&|d| d.goodput_mbps),
            figure(&|d| (d.sent_packets > 0).then(|| 100.0 * d.lost_packets as f64 / d.sent_packets as f64)),
            figure(&|d| d.delay_ms.map(|delay| delay.mean)),
            figure(&|d| d.delay_ms.map(|delay| delay.p95)),
            figure(&|d| {
                Some(100.0 * d.frames_on_time? as f64 / d.frames_sent.filter(|sent| *sent > 0)? as f64)
            }),
        ]);
    }
    let rest = cut(&mut rows, "the first");
    let names = [
        ("destination", ""),
        ("seeds", ""),
        ("goodput", "Mbit/s"),
        ("lost", "%"),
        ("mean delay", "ms"),
        ("p95 delay", "ms"),
        ("frames on time", "%"),
    ];
    let caption = format!("Means over {} seeds with 95 % intervals (Student's t)", material.runs.len());
    Table { caption, columns: columns(&names, 1), rows, rest }
}

fn destinations(material: &Material<'_>) -> Table {
    let mut all: Vec<_> = material.destinations().collect();
    if all.len() > ROWS_MAX {
        let lost = |d: &bellini_scenarios::record::DestinationSummary| {
            d.lost_packets as f64 / d.sent_packets.max(1) as f64
        };
        all.sort_by(|(_, a), (_, b)| lost(b).total_cmp(&lost(a)));
    }
    let mut rows: Vec<_> = all
        .into_iter()
        .map(|(session, d)| {
            let delay = |of: fn(&bellini_scenarios::record::DelayMs) -> f64| {
                Cell::number(d.delay_ms.as_ref().map(of), 2)
            };
            let on_time = match (d.frames_sent, d.messages_sent) {
                (Some(sent), _) => Cell::share(d.frames_on_time.unwrap_or(0), sent),
                (None, Some(sent)) => Cell::share(d.messages_on_time.unwrap_or(0), sent),
                _ => Cell::number(None, 0),
            };
            let complete = match d.complete {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            };
            vec![
                Cell::text(format!("{} {}", session.id(), session.name)),
                Cell::text(material.node(session.source)),
                Cell::text(material.node(d.node)),
                Cell::text(session.content.clone()),
                Cell::number(session.offered_mbps, 3),
                Cell::number(d.goodput_mbps, 3),
                Cell::count(d.sent_packets),
                Cell::count(d.delivered_packets),
                Cell::share(d.lost_packets, d.sent_packets),
                Cell::count(d.duplicate_packets),
                Cell::count(d.in_flight_packets),
                Cell::number(d.base_delay_ms, 2),
                delay(|delay| delay.mean),
                delay(|delay| delay.p50),
                delay(|delay| delay.p95),
                delay(|delay| delay.p99),
                delay(|delay| delay.max),
                on_time,
                Cell::number(d.stall_s, 2),
                Cell::text(complete),
            ]
        })
        .collect();
    let rest = cut(&mut rows, "those that lost most");
    let names = [
        ("session", ""),
        ("from", ""),
        ("to", ""),
        ("content", ""),
        ("offered", "Mbit/s"),
        ("goodput", "Mbit/s"),
        ("sent", "symbols"),
        ("delivered", "symbols"),
        ("lost", ""),
        ("duplicates", "symbols"),
        ("in flight", "symbols"),
        ("base delay", "ms"),
        ("mean", "ms"),
        ("p50", "ms"),
        ("p95", "ms"),
        ("p99", "ms"),
        ("max", "ms"),
        ("on time", ""),
        ("stalls", "s"),
        ("file complete", ""),
    ];
    let seed = seeds(material);
    Table {
        caption: format!("Sessions and their destinations{seed}"),
        columns: columns(&names, 4),
        rows,
        rest,
    }
}

fn flows(material: &Material<'_>) -> Table {
    let mut rows = Vec::new();
    for session in &material.first.sessions {
        let all: u64 = session.flows.iter().map(|flow| flow.packets).sum();
        for (index, flow) in session.flows.iter().enumerate() {
            rows.push(vec![
                Cell::text(format!("{} {}", session.id(), session.name)),
                Cell::text(flow.route.clone()),
                Cell::count(index as u64),
                Cell::number(Some(flow.share * 100.0), 2),
                Cell::share(flow.packets, all),
                Cell::count(flow.packets),
            ]);
        }
    }
    let rest = cut(&mut rows, "the first");
    let names =
        [("session", ""), ("route", ""), ("flow", ""), ("assigned", "%"), ("drawn", ""), ("packets", "")];
    Table { caption: format!("Flows{}", seeds(material)), columns: columns(&names, 2), rows, rest }
}

fn links(material: &Material<'_>) -> Table {
    let mut links: Vec<_> = material.first.links.iter().collect();
    if links.len() > ROWS_MAX {
        links.sort_by_key(|link| std::cmp::Reverse(link.sent_bytes));
    }
    let mut rows: Vec<_> = links
        .into_iter()
        .map(|link| {
            vec![
                Cell::text(material.pair(&link.id())),
                Cell::text(if link.transport.is_empty() { "-" } else { &link.transport }),
                Cell::number(link.base_delay_ms, 2),
                Cell::number(link.capacity_mbps, 1),
                Cell::number(link.mean_mbps, 3),
                Cell::number(link.utilisation.map(|share| share * 100.0), 1),
                Cell::count(link.sent_packets),
                Cell::count(link.dropped_queue),
                Cell::count(link.dropped_loss),
                Cell::count(link.dropped_other.values().sum()),
                Cell::maybe(link.queue_peak_bytes),
                Cell::number(link.cost_usd, 6),
            ]
        })
        .collect();
    let rest = cut(&mut rows, "those that carried most");
    let names = [
        ("link", ""),
        ("transport", ""),
        ("delay", "ms"),
        ("limit", "Mbit/s"),
        ("mean rate", "Mbit/s"),
        ("busy", "%"),
        ("sent", "packets"),
        ("queue drops", "packets"),
        ("lost", "packets"),
        ("other drops", "packets"),
        ("longest queue", "bytes"),
        ("price", "USD"),
    ];
    Table { caption: format!("Links{}", seeds(material)), columns: columns(&names, 2), rows, rest }
}

fn nodes(material: &Material<'_>) -> Table {
    let mut nodes: Vec<_> = material.first.nodes.iter().collect();
    if nodes.len() > ROWS_MAX {
        nodes.sort_by_key(|node| std::cmp::Reverse(node.forwarded_packets + node.delivered_packets));
    }
    let mut rows: Vec<_> = nodes
        .into_iter()
        .map(|node| {
            vec![
                Cell::text(node.name.clone()),
                Cell::text(node.region.clone().unwrap_or_else(|| "-".to_owned())),
                Cell::count(u64::from(node.id)),
                Cell::count(node.forwarded_packets),
                Cell::count(node.delivered_packets),
                Cell::count(node.overflow_drops),
                Cell::count(node.rejected_packets),
                Cell::number(node.cpu_s, 2),
                Cell::number(node.peak_rss_mib, 1),
            ]
        })
        .collect();
    let rest = cut(&mut rows, "those that handled most");
    let names = [
        ("node", ""),
        ("region", ""),
        ("id", ""),
        ("forwarded", "packets"),
        ("delivered", "symbols"),
        ("feeder drops", "packets"),
        ("refused", "packets"),
        ("processor", "s"),
        ("memory", "MiB"),
    ];
    Table { caption: format!("Nodes{}", seeds(material)), columns: columns(&names, 2), rows, rest }
}

fn seeds(material: &Material<'_>) -> String {
    if material.runs.len() > 1 {
        format!(" (means over {} seeds)", material.runs.len())
    } else {
        String::new()
    }
}
