//! From runs to lines: which figures are compared, and by which rule.

mod destinations;
mod links;

use super::judge;
use super::line::{Kind, Line, Measure, Verdict, blank};
use super::sample::{Effect, Sample, each_of};
use super::tolerance::Tolerances;
use bellini_scenarios::record::{Run, Summary};
use std::collections::BTreeMap;

/// How a line was judged whose runs belong together.
const PAIRED: &str = "runs of the same seed are set against one another";

/// A line before it is judged: how strictly depends on how many lines there are.
enum Draft {
    /// Judged already.
    Done(Line),
    /// To be shown to agree.
    Agrees(Line, Effect, [f64; 2]),
    /// Exceeds when shown to differ.
    Differs(Line, Effect, [f64; 2]),
    /// B's median in A's range: both samples, how wide the range is, what is added to it.
    Outside(Line, Sample, Sample, Spread, f64),
}

/// Where the width of A's range comes from.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// From A's runs.
    Runs,
    /// From a standard deviation that one run tells.
    Known(f64),
}

/// Things of one kind by key, each with what the runs of A and of B say of it: (seed, figures).
type Both<'a, K, T> = BTreeMap<K, [Vec<(u64, T)>; 2]>;

/// Compares everything; lines come in order of kind, then id.
pub(super) fn lines(a: &[Run], b: &[Run], tolerances: &Tolerances) -> Vec<Line> {
    let names = &a[0].summary;
    let mut drafts = Vec::new();
    destinations::sessions(&mut drafts, names, [a, b], tolerances);
    destinations::destinations(&mut drafts, names, [a, b], tolerances);
    links::flows(&mut drafts, names, [a, b], tolerances);
    links::links(&mut drafts, names, [a, b], tolerances);
    let level = 1.0 - tolerances.confidence;
    let tests =
        drafts.iter().filter(|draft| matches!(draft, Draft::Differs(..) | Draft::Outside(..))).count();
    let each = each_of(tests, level);
    let mut lines: Vec<Line> = drafts.into_iter().map(|draft| judged(draft, level, each)).collect();
    lines.sort_by_key(|line| line.kind);
    lines
}

fn judged(draft: Draft, level: f64, each: f64) -> Line {
    match draft {
        Draft::Done(line) => line,
        Draft::Agrees(mut line, effect, allowed) => {
            judge::agrees(&mut line, &effect, allowed, level);
            line
        }
        Draft::Differs(mut line, effect, allowed) => {
            judge::differs(&mut line, &effect, allowed, each);
            line
        }
        Draft::Outside(mut line, a, b, spread, floor) => {
            let half = match (spread, a.range(each)) {
                (Spread::Runs, Some(half)) => half,
                (Spread::Runs, None) => 0.0,
                (Spread::Known(deviation), _) => {
                    super::student::upper_quantile(0.5 * each, f64::INFINITY) * deviation
                }
            };
            judge::outside(&mut line, &a, &b, half, floor);
            line
        }
    }
}

/// Gathers what the runs of both sides say of things that have a key.
fn gather<'a, K: Ord, T, I: Iterator<Item = (K, T)>>(
    sides: [&'a [Run]; 2],
    of: impl Fn(&'a Summary) -> I,
) -> Both<'a, K, T>
where
    T: 'a,
{
    let mut both: Both<'a, K, T> = BTreeMap::new();
    for (side, runs) in sides.into_iter().enumerate() {
        for run in runs {
            for (key, figures) in of(&run.summary) {
                both.entry(key).or_insert_with(|| [Vec::new(), Vec::new()])[side]
                    .push((run.summary.seed, figures));
            }
        }
    }
    both
}

/// Returns the values that runs have.
fn values<T>(side: &[(u64, T)], of: impl Fn(&T) -> Option<f64>) -> Vec<f64> {
    side.iter().filter_map(|(_, figures)| of(figures)).collect()
}

/// Returns the line of a thing that one side does not have; `None` when both have it.
fn absent<T>(both: &[Vec<(u64, T)>; 2], id: &str, name: &str, what: &str) -> Option<Line> {
    let has = match (both[0].is_empty(), both[1].is_empty()) {
        (false, true) => "A",
        (true, false) => "B",
        _ => return None,
    };
    let mut line = blank(Kind::Presence, id, name, what, "", Measure::Difference);
    line.runs = [both[0].len(), both[1].len()];
    line.verdict = Verdict::Exceeded;
    line.why = format!("this {what} exists in {has} only");
    Some(line)
}

/// Samples of both sides; or the line that says why there are none, or nothing where neither side has a value.
fn samples(line: &mut Line, a: &[f64], b: &[f64]) -> Result<(Sample, Sample), bool> {
    line.runs = [a.len(), b.len()];
    match (Sample::of(a), Sample::of(b)) {
        (Some(a), Some(b)) => {
            (line.a, line.b) = (Some(a.mean), Some(b.mean));
            Ok((a, b))
        }
        (None, None) => Err(false),
        (a, b) => {
            (line.a, line.b) = (a.map(|side| side.mean), b.map(|side| side.mean));
            line.verdict = Verdict::Exceeded;
            line.why = format!("{} has no value here", if a.is_some() { "B" } else { "A" });
            Err(true)
        }
    }
}

/// Returns the draft of a ratio of means that are not negative. Where one of them is zero there is no ratio: both zero
/// agree, else they are apart.
fn ratio(
    mut line: Line,
    (a, b): (&Sample, &Sample),
    pairs: Option<Effect>,
    allowed: [f64; 2],
    make: fn(Line, Effect, [f64; 2]) -> Draft,
) -> Draft {
    if a.mean > 0.0 && b.mean > 0.0 {
        if pairs.is_some() {
            line.why = PAIRED.to_owned();
        }
        return make(line, pairs.unwrap_or_else(|| Effect::log_ratio(a, b)), allowed);
    }
    let same = a.mean == b.mean;
    line.allowed = Some(allowed);
    line.verdict = if same { Verdict::Holds } else { Verdict::Exceeded };
    line.why =
        if same { "zero on both sides" } else { "zero on one side only: there is no ratio" }.to_owned();
    Draft::Done(line)
}

/// The tolerance of a ratio, equally far from 1 on both sides of it.
fn around_one(tolerance: f64) -> [f64; 2] {
    [1.0 - tolerance, 1.0 + tolerance]
}
