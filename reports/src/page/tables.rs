//! The tables of the page.

mod coding;
mod cost;

use crate::figure::Material;
use crate::format::{count, fixed, number, percent, shorten};
use crate::stats::Interval;
use bellini_scenarios::record::{DelayMs, DestinationSummary, Summary};
use minijinja::context;

/// Most rows of a table in the page.
const ROWS_MAX: usize = 250;

/// A table of the page.
#[derive(Debug)]
pub(super) struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// What is left out, if anything.
    rest: String,
}

impl Table {
    /// Returns the table as the template takes it.
    pub(super) fn into_value(self) -> minijinja::Value {
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
    fn text(text: impl AsRef<str>) -> Cell {
        Cell { text: shorten(text.as_ref(), 48), key: None }
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

/// Makes all tables that have rows, in the order of the page.
pub(super) fn tables(material: &Material<'_>) -> Vec<Table> {
    let mut tables = Vec::new();
    if material.runs.len() > 1 {
        tables.push(over_seeds(material));
    }
    tables.push(destinations(material));
    tables.push(coding::coding(material));
    tables.push(cost::cost(material));
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
        let figure = |of: &dyn Fn(&DestinationSummary) -> Option<f64>| {
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
        let lost = |d: &DestinationSummary| d.lost_packets as f64 / d.sent_packets.max(1) as f64;
        all.sort_by(|(_, a), (_, b)| lost(b).total_cmp(&lost(a)));
    }
    let mut rows: Vec<_> = all
        .into_iter()
        .map(|(session, d)| {
            let delay = |of: fn(&DelayMs) -> f64| Cell::number(d.delay_ms.as_ref().map(of), 2);
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
                Cell::count(node.recoded_packets),
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
        ("recoded", "packets"),
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
