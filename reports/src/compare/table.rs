//! The comparison as text for a terminal.

use super::{Comparison, Line, Measure, Verdict};
use crate::format::{number, plural, shorten};
use bellini_scenarios::record::Run;
use std::fmt::Write;

/// Most lines that are shown one by one.
const LINES_MAX: usize = 24;

/// Returns the table; see [`Comparison::table`].
pub(super) fn table(comparison: &Comparison<'_>) -> String {
    let mut text = String::new();
    let a = &comparison.a[0].summary;
    say(&mut text, format_args!("{}: A against B", shorten(&plain(&a.scenario), 60)));
    for (side, runs) in [("A", comparison.a), ("B", comparison.b)] {
        say(&mut text, format_args!("  {side}: {}", group(runs)));
    }
    let shown = worst(comparison);
    let rows: Vec<_> = shown.iter().map(|line| row(line)).collect();
    let head = ["verdict", "of", "figure", "A", "B", "B against A", "allowed"].map(str::to_owned).to_vec();
    let columns = [9, 18, 21, 7, 7, 24, 12];
    text.push('\n');
    for row in std::iter::once(&head).chain(&rows) {
        let mut out = String::new();
        for (cell, width) in row.iter().zip(columns) {
            let cell = shorten(cell, width);
            write!(out, "{cell}{} ", " ".repeat(width - cell.chars().count())).expect("a string takes all");
        }
        say(&mut text, format_args!("{}", out.trim_end()));
    }
    let rest = comparison.lines.len() - shown.len();
    if rest > 0 {
        say(
            &mut text,
            format_args!("  .. the farthest apart; {} more in compare.json", plural(rest, "line")),
        );
    }
    let smallest = comparison.smallest();
    if !smallest.is_empty() {
        say(&mut text, format_args!("\nSmallest error that would have been found (in 9 of 10 comparisons):"));
        for of in smallest {
            let [best, worst] = [of.best, of.worst].map(|error| magnitude(error, of.measure, of.unit));
            let range = if best == worst { best } else { format!("{best} at best, {worst} at worst") };
            say(&mut text, format_args!("  {:<13} {range}", of.kind.as_str()));
        }
    }
    if !comparison.notes.is_empty() {
        text.push('\n');
    }
    for note in &comparison.notes {
        say(&mut text, format_args!("{}", plain(note)));
    }
    say(&mut text, format_args!("\n{}", sentence(comparison)));
    text
}

/// Returns the outcome in a sentence.
pub(super) fn sentence(comparison: &Comparison<'_>) -> String {
    let exceeded = comparison.count(Verdict::Exceeded);
    let judged = comparison.lines.len() - comparison.count(Verdict::Reported);
    let undecided = match comparison.count(Verdict::Undecided) {
        0 => String::new(),
        n => format!("; {} beyond by no more than chance explains", plural(n, "line")),
    };
    match exceeded {
        0 => format!("It holds: {} within the tolerances{undecided}.", plural(judged, "line")),
        n => format!("It does not hold: {} of {judged} beyond the tolerances{undecided}.", plural(n, "line")),
    }
}

/// Returns what a side is: mode, number of runs, seeds.
pub(super) fn group(runs: &[Run]) -> String {
    let seeds: Vec<_> = runs.iter().map(|run| run.summary.seed.to_string()).collect();
    let first = &runs[0];
    let place = match (runs, first.path.parent()) {
        ([_], _) | (_, None) => &first.path,
        (_, Some(parent)) => &parent.to_path_buf(),
    };
    format!(
        "{}, {} ({} {}), {}",
        first.summary.mode.as_str(),
        plural(runs.len(), "run"),
        if seeds.len() == 1 { "seed" } else { "seeds" },
        shorten(&seeds.join(", "), 40),
        plain(&place.display().to_string())
    )
}

/// Returns the lines farthest from no difference: all exceeded ones first.
fn worst<'a>(comparison: &'a Comparison<'_>) -> Vec<&'a Line> {
    let mut lines: Vec<&Line> =
        comparison.lines.iter().filter(|line| line.verdict != Verdict::Reported).collect();
    let far = |line: &Line| line.value.and_then(|value| line.in_tolerances(value)).map_or(0.0, f64::abs);
    lines.sort_by(|one, two| one.verdict.cmp(&two.verdict).then(far(two).total_cmp(&far(one))));
    lines.truncate(LINES_MAX);
    lines
}

fn row(line: &Line) -> Vec<String> {
    let against = match (line.value, line.interval) {
        (Some(value), Some(interval)) => {
            format!("{} ({})", amount(value, line.measure, line.unit), span(interval, line))
        }
        (Some(value), None) => amount(value, line.measure, line.unit),
        (None, _) => plain(&line.why),
    };
    let allowed = line.allowed.map_or_else(|| "-".to_owned(), |allowed| span(allowed, line));
    vec![
        line.verdict.as_str().to_owned(),
        plain(&line.name),
        line.metric.clone(),
        value(line.a, line.unit),
        value(line.b, line.unit),
        against,
        allowed,
    ]
}

/// From and to; `±` where both are equally far from zero.
fn span([low, high]: [f64; 2], line: &Line) -> String {
    let one = |value: f64| match (line.measure, line.unit) {
        (Measure::Ratio, _) => format!("{value:.3}"),
        (Measure::Difference, "") => format!("{:.2}", value * 100.0),
        (Measure::Difference, "ms") => format!("{value:.2}"),
        (Measure::Difference, _) => format!("{value:.0}"),
    };
    let is_symmetric = line.measure == Measure::Difference && low == -high;
    if is_symmetric { format!("\u{b1}{}", one(high)) } else { format!("{}..{}", one(low), one(high)) }
}

/// A figure of one side; shares in percent.
pub(super) fn value(value: Option<f64>, unit: &str) -> String {
    match value {
        None => "-".to_owned(),
        Some(share) if unit.is_empty() => format!("{} %", number(share * 100.0)),
        Some(value) => number(value),
    }
}

/// B against A: a ratio as it is, a difference of shares in percentage points, others with their unit.
pub(super) fn amount(value: f64, measure: Measure, unit: &str) -> String {
    match measure {
        _ if !value.is_finite() => "-".to_owned(),
        Measure::Ratio => format!("{value:.4}"),
        Measure::Difference if unit.is_empty() => format!("{:+.2} pp", value * 100.0),
        Measure::Difference if unit == "ms" => format!("{value:+.2}"),
        Measure::Difference => format!("{value:+.0}"),
    }
}

/// The size of an error.
pub(super) fn magnitude(error: f64, measure: Measure, unit: &str) -> String {
    match measure {
        Measure::Ratio => format!("{} %", number(error * 100.0)),
        Measure::Difference if unit.is_empty() => format!("{} percentage points", number(error * 100.0)),
        Measure::Difference => format!("{} {unit}", number(error)),
    }
}

/// Control characters in names must not reach a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn say(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all");
}
