//! The one table of all metrics: it makes the keys of `summary.json`, the column `metric` of `series.csv`, the table in
//! `docs/results.md` and the definitions in the report.

mod destination;
mod network;
mod node;
mod run;
mod session;

use super::Scope;
use std::fmt::Write;

/// Where a metric is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// In `summary.json`, over the measuring window.
    Summary,
    /// In `series.csv`, once per sampling interval.
    Series,
    /// In both.
    Both,
}

/// What a recorded figure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Key in `summary.json` (a dot leads into an object) and word in `series.csv`.
    pub name: &'static str,
    /// What kind of thing it belongs to.
    pub scope: Scope,
    /// Where it is recorded.
    pub recorded: Recorded,
    /// Its unit; `1` for a plain number.
    pub unit: &'static str,
    /// What it counts, and what not.
    pub definition: &'static str,
    /// In which case there is no value (null, or no row); empty: there always is one.
    pub when_null: &'static str,
}

/// Returns the metric of this name and scope.
#[must_use]
pub fn metric(scope: Scope, name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.scope == scope && metric.name == name)
}

/// Returns the table of all metrics in Markdown, as `docs/results.md` holds it.
#[must_use]
pub fn metrics_markdown() -> String {
    let mut text = String::from(
        "| scope | metric | file | unit | definition | no value when |\n|---|---|---|---|---|---|\n",
    );
    for Metric { name, scope, recorded, unit, definition, when_null } in METRICS {
        let file = match recorded {
            Recorded::Summary => "summary",
            Recorded::Series => "series",
            Recorded::Both => "both",
        };
        let scope = scope.as_str();
        let null = if when_null.is_empty() { "-" } else { when_null };
        writeln!(text, "| {scope} | `{name}` | {file} | {unit} | {definition} | {null} |")
            .expect("writing to a string cannot fail");
    }
    text
}

const fn entry(
    scope: Scope,
    name: &'static str,
    recorded: Recorded,
    unit: &'static str,
    definition: &'static str,
    when_null: &'static str,
) -> Metric {
    Metric { name, scope, recorded, unit, definition, when_null }
}

/// All metrics, grouped by scope.
pub const METRICS: &[Metric] = &ALL;

/// They stand in a file for each group of scopes.
const PARTS: [&[Metric]; 5] =
    [run::RUN, session::SESSION, destination::DESTINATION, network::NETWORK, node::NODE];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

const ALL: [Metric; COUNT] = {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut place = 0;
        while place < PARTS[part].len() {
            all[at] = PARTS[part][place];
            at += 1;
            place += 1;
        }
        part += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCS: &str = include_str!("../../../../docs/results.md");

    /// Names are unique within a scope, and the table in the documentation is this one.
    #[test]
    fn the_table_is_sound_and_documented() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| (metric.scope, metric.name)).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(METRICS.iter().all(|metric| !metric.unit.is_empty() && !metric.definition.contains('|')));
        assert!(
            DOCS.contains(&metrics_markdown()),
            "docs/results.md is not current; its table must be:\n{}",
            metrics_markdown()
        );
    }
}
