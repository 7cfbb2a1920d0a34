//! The page of a comparison: self-contained, in the style of all reports.

use super::figure::Figure;
use super::table::{amount, group, magnitude, sentence, value};
use super::{Comparison, Line, Verdict};
use crate::error::ReportError;
use crate::format::count;
use minijinja::{Environment, Value as Context, context};

const TEMPLATE: &str = include_str!("../../assets/compare.html");
const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");
/// Most lines in the page; all are in `compare.json`.
const LINES_MAX: usize = 2_000;

/// Makes the page of one comparison, or of several with the same A.
///
/// # Errors
/// [`ReportError::Draw`] when the template fails: a defect.
pub(super) fn page(parts: &[(&Comparison<'_>, Vec<Figure>)]) -> Result<String, ReportError> {
    let failed = |error: minijinja::Error| ReportError::Draw {
        what: "the page of a comparison",
        problem: format!("{error:#}"),
    };
    let mut environment = Environment::new();
    environment.add_template("compare.html", TEMPLATE).map_err(failed)?;
    let comparisons: Vec<&Comparison<'_>> = parts.iter().map(|(comparison, _)| *comparison).collect();
    let first = comparisons[0];
    let off = comparisons.iter().filter(|comparison| !comparison.holds()).count();
    let whole = match (comparisons.len(), off) {
        (1, _) => sentence(first),
        (all, 0) => format!("All {all} comparisons hold."),
        (all, off) => format!("{off} of {all} comparisons do not hold."),
    };
    let sides: Vec<String> =
        std::iter::once(group(first.a)).chain(comparisons.iter().map(|other| group(other.b))).collect();
    let shown: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(number, (one, figures))| part(number, parts.len(), one, figures))
        .collect();
    environment
        .get_template("compare.html")
        .and_then(|template| {
            template.render(context! {
                style => STYLE,
                script => SCRIPT,
                scenario_name => first.a[0].summary.scenario.as_str(),
                holds => off == 0,
                sentence => whole,
                sides => sides,
                beside => if comparisons.len() > 1 { beside(&comparisons) } else { Vec::new() },
                tolerances => first.tolerances.stated(),
                parts => shown,
            })
        })
        .map_err(failed)
}

/// Returns the values of all sides, line by line.
fn beside(comparisons: &[&Comparison<'_>]) -> Vec<Context> {
    let lines = comparisons[0].lines.iter().filter(|line| line.a.is_some());
    let row = |line: &Line| {
        let same =
            |other: &&Line| (other.kind, &other.id, &other.metric) == (line.kind, &line.id, &line.metric);
        let a = context! { value => value(line.a, line.unit), verdict => "" };
        let others = comparisons.iter().map(|comparison| match comparison.lines.iter().find(same) {
            Some(found) => {
                context! { value => value(found.b, found.unit), verdict => found.verdict.as_str() }
            }
            None => context! { value => "-", verdict => "" },
        });
        context! {
            of => line.name.as_str(),
            figure => line.metric.as_str(),
            unit => if line.unit.is_empty() { "%" } else { line.unit },
            cells => std::iter::once(a).chain(others).collect::<Vec<_>>(),
        }
    };
    lines.take(LINES_MAX).map(row).collect()
}

/// Returns what the page shows of one comparison, of `all`.
fn part(number: usize, all: usize, comparison: &Comparison<'_>, figures: &[Figure]) -> Context {
    let shown: Vec<_> = figures
        .iter()
        .map(|figure| {
            let svg = figure.svg.text.as_str();
            context! { name => figure.file(number), heading => figure.heading, caption => figure.caption.as_str(), svg => svg }
        })
        .collect();
    let tiles = [
        (Verdict::Exceeded, "lines beyond their tolerance"),
        (Verdict::Undecided, "lines beyond it by no more than chance explains"),
        (Verdict::Holds, "lines within their tolerance"),
        (Verdict::Reported, "lines for information"),
    ]
    .map(|(verdict, what)| (count(comparison.count(verdict) as u64), what));
    let smallest: Vec<_> = comparison
        .smallest()
        .into_iter()
        .map(|of| {
            let size = |error| magnitude(error, of.measure, of.unit);
            (of.kind.as_str(), size(of.best), size(of.worst))
        })
        .collect();
    let mut lines: Vec<_> = comparison.lines.iter().collect();
    lines.sort_by_key(|line| line.verdict != Verdict::Exceeded);
    let rows = lines.iter().take(LINES_MAX).map(|line| {
        let one = |value: f64| amount(value, line.measure, line.unit);
        let pair = |pair: Option<[f64; 2]>| {
            pair.map_or_else(|| "-".to_owned(), |[low, high]| format!("{} to {}", one(low), one(high)))
        };
        context! {
            verdict => line.verdict.as_str(),
            of => line.name.as_str(),
            figure => line.metric.as_str(),
            unit => if line.unit.is_empty() { "%" } else { line.unit },
            a => value(line.a, line.unit),
            a_key => line.a,
            b => value(line.b, line.unit),
            b_key => line.b,
            runs => format!("{}, {}", line.runs[0], line.runs[1]),
            value => line.value.map_or_else(|| "-".to_owned(), one),
            value_key => line.value,
            interval => pair(line.interval),
            allowed => pair(line.allowed),
            detectable => line.detectable.map_or_else(|| "-".to_owned(), |error| magnitude(error, line.measure, line.unit)),
            why => line.why.as_str(),
        }
    });
    let rest = lines.len().saturating_sub(LINES_MAX);
    let first = &comparison.a[0].summary;
    let (a, b) = (group(comparison.a), group(comparison.b));
    context! {
        mark => if number == 0 { String::new() } else { format!("-{}", number + 1) },
        title => if all > 1 { format!("{b} against {a}") } else { String::new() },
        holds => comparison.holds(),
        sentence => sentence(comparison),
        a => a,
        b => b,
        measured => format!("{} s to {} s", first.measure_s[0], first.measure_s[1]),
        tiles => tiles,
        notes => comparison.notes.clone(),
        smallest => smallest,
        figures => shown,
        rows => rows.collect::<Vec<_>>(),
        rest => if rest > 0 { format!("{} more in compare.json.", count(rest as u64)) } else { String::new() },
    }
}
