//! Overlay plots: A and B in one picture.

mod forest;

use super::{Comparison, Kind};
use crate::chart::{Axis, Frame, Line as Curve, Style, extent, lines, y_axis};
use crate::curves::Curves;
use crate::draw::Svg;
use crate::error::ReportError;
use crate::figure::{distributions, line, over_runs};
use bellini_scenarios::record::{Run, Scope};
use std::collections::BTreeMap;

/// Most destinations that one plot shows: each has two lines.
const SHOWN_MAX: usize = 5;
/// Longest loss run that is drawn.
const LENGTH_MAX: u64 = 64;
/// Dashes of B's lines.
const DASH: &[f64] = &[6.0, 3.5];

/// A figure of the page.
pub(super) struct Figure {
    /// Name of its files.
    pub(super) name: &'static str,
    /// Heading.
    pub(super) heading: &'static str,
    /// How to read it.
    pub(super) caption: String,
    /// The drawing.
    pub(super) svg: Svg,
}

impl Figure {
    /// Returns the name of its files in the comparison number `number` of a page.
    pub(super) fn file(&self, number: usize) -> String {
        if number == 0 { self.name.to_owned() } else { format!("{}-{}", self.name, number + 1) }
    }
}

/// Makes all figures that the runs allow.
pub(super) fn all(comparison: &Comparison<'_>) -> Result<Vec<Figure>, ReportError> {
    let makers = [forest::figure, delays, goodput, loss_runs];
    let mut figures = Vec::new();
    for make in makers {
        figures.extend(make(comparison)?);
    }
    Ok(figures)
}

/// Returns ids and names of the destinations that differ most in lines of a kind, in order of id.
fn farthest(comparison: &Comparison<'_>, kind: Kind) -> Vec<(String, String)> {
    let mut far: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for line in comparison.lines.iter().filter(|line| line.kind == kind) {
        let distance = line.value.and_then(|value| line.in_tolerances(value)).unwrap_or(0.0).abs();
        let known = far.entry((&line.id, &line.name)).or_insert(0.0);
        *known = known.max(distance);
    }
    let mut ranked: Vec<_> = far.into_iter().collect();
    ranked.sort_by(|one, two| two.1.total_cmp(&one.1));
    ranked.truncate(SHOWN_MAX);
    ranked.sort_by_key(|(thing, _)| *thing);
    ranked.into_iter().map(|((id, name), _)| (id.to_owned(), name.to_owned())).collect()
}

/// Returns the lines of A and B for one thing, in one colour, B's dashed.
fn overlay(index: usize, name: &str, a: Curves, b: Curves) -> [Curve; 2] {
    let style = Style::nth(index);
    [line(format!("{name}, A"), style, a), line(format!("{name}, B"), Style { dash: DASH, ..style }, b)]
}

/// The sentence that all overlays share.
fn reading(comparison: &Comparison<'_>, shown: usize, all: usize) -> String {
    let which = if shown < all {
        format!(" Shown are the {shown} of {all} destinations that differ most.")
    } else {
        String::new()
    };
    let bands = if comparison.a.len() > 1 || comparison.b.len() > 1 {
        " Lines are means over runs; dark bands are 95 % intervals of the mean, light bands span all runs."
    } else {
        ""
    };
    format!(" Solid: A, dashed: B.{which}{bands}")
}

fn count(comparison: &Comparison<'_>) -> usize {
    comparison.lines.iter().filter(|line| line.kind == Kind::Goodput).count()
}

/// Delay distributions over each other.
fn delays(comparison: &Comparison<'_>) -> Result<Option<Figure>, ReportError> {
    let (a, b) = (distributions(comparison.a), distributions(comparison.b));
    let mut drawn = Vec::new();
    let shown = farthest(comparison, Kind::Delay);
    for (index, (id, name)) in shown.iter().enumerate() {
        let key =
            id.rsplit_once('@').and_then(|(session, node)| Some((session.to_owned(), node.parse().ok()?)));
        let Some((a, b)) = key.and_then(|key| a.get(&key).zip(b.get(&key))) else { continue };
        drawn.extend(
            overlay(index, name, over_runs(a), over_runs(b)).map(|curve| Curve { steps: true, ..curve }),
        );
    }
    if drawn.is_empty() {
        return Ok(None);
    }
    let (from, to) = extent(&drawn);
    let margin = ((to - from) * 0.04).max(0.01);
    let caption = format!(
        "Share of the delivered symbols that took at most so long.{}",
        reading(comparison, drawn.len() / 2, count(comparison))
    );
    let frame = Frame {
        title: "Delay distributions of A and B",
        description: &caption,
        x: Axis::new("Delay", "ms", ((from - margin).max(0.0), to + margin)),
        y: Axis::new("Share of delivered symbols", "", (0.0, 1.0)),
        marks: &[],
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "delay-cdf", heading: "Delay distributions", caption, svg }))
}

/// Goodput in time.
fn goodput(comparison: &Comparison<'_>) -> Result<Option<Figure>, ReportError> {
    let curves = |runs: &[Run], id: &str| Curves::of(runs, Scope::Destination, id, "goodput_mbps");
    let shown = farthest(comparison, Kind::Goodput);
    let drawn: Vec<_> = shown
        .iter()
        .enumerate()
        .flat_map(|(index, (id, name))| {
            overlay(index, name, curves(comparison.a, id), curves(comparison.b, id))
        })
        .collect();
    if drawn.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let caption = format!(
        "Payload delivered in each interval, each symbol once.{}",
        reading(comparison, shown.len(), count(comparison))
    );
    let marks = crate::faults::marks(&comparison.a[0].events);
    let frame = Frame {
        title: "Goodput of A and B in time",
        description: &caption,
        x: Axis::new("Scenario time", "s", (0.0, comparison.a[0].summary.duration_s.max(1e-3))),
        y: y_axis("Goodput", "Mbit/s", &drawn),
        marks: &marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "goodput-time", heading: "Goodput in time", caption, svg }))
}

/// How long loss runs were: the share of runs of at least each length.
fn loss_runs(comparison: &Comparison<'_>) -> Result<Option<Figure>, ReportError> {
    let mut drawn = Vec::new();
    let shown = farthest(comparison, Kind::LossRuns);
    for (index, (id, name)) in shown.iter().enumerate() {
        let side = |runs: &[Run]| Curves { mean: at_least(runs, id), ..Curves::default() };
        drawn.extend(overlay(index, name, side(comparison.a), side(comparison.b)));
    }
    if drawn.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let (_, to) = extent(&drawn);
    let caption = format!(
        "Share of the runs of consecutive lost symbols that were at least so long, all runs of a side together: losses \
         that come alone fall off at once, bursts do not.{}",
        reading(comparison, shown.len(), count(comparison)).split(" Lines are").next().unwrap_or_default()
    );
    let frame = Frame {
        title: "Lengths of loss runs of A and B",
        description: &caption,
        x: Axis::new("Length", "symbols", (0.5, to + 0.5)),
        y: Axis::new("Share of loss runs", "", (0.0, 1.0)),
        marks: &[],
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "loss-runs", heading: "Lengths of loss runs", caption, svg }))
}

/// Returns the share of loss runs of at least each length, over all runs together.
fn at_least(runs: &[Run], id: &str) -> Vec<(f64, f64)> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for session in runs.iter().flat_map(|run| &run.summary.sessions) {
        for d in session.destinations.iter().filter(|d| format!("{}@{}", session.id(), d.node) == id) {
            for [length, count] in d.loss_runs.iter().flat_map(|runs| &runs.lengths) {
                *counts.entry((*length).min(LENGTH_MAX)).or_default() += count;
            }
        }
    }
    let total: u64 = counts.values().sum();
    let longest = counts.keys().next_back().copied().unwrap_or(0);
    let share =
        |length: u64| counts.range(length..).map(|(_, count)| count).sum::<u64>() as f64 / total as f64;
    // The last point lies on the axis, so that the line ends where the runs do.
    (1..=longest + 1).filter(|_| total > 0).map(|length| (length as f64, share(length))).collect()
}
