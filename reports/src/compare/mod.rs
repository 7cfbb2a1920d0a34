//! How far apart two groups of runs are: a prediction and a measurement, a version and the next one.
//!
//! [`compare`] sets every session, destination, flow and link of both sides against one another, with intervals over
//! the runs and a verdict for each line against stated [`Tolerances`]; [`Comparison::write`] leaves `compare.json`,
//! overlay plots and one self-contained page. The rules are in `docs/compare.md`.
//!
//! ```text
//! runs of A, runs of B -> admit (may they be compared?) -> measure (samples) -> judge (verdicts) -> Comparison
//!                                               Comparison -> table, compare.json, figures, page
//! ```

mod admit;
mod figure;
mod judge;
mod line;
mod measure;
mod page;
mod sample;
mod student;
mod table;
#[cfg(test)]
mod tests;
mod tolerance;

pub use admit::{Obstacle, obstacles};
pub use line::{Kind, Line, Measure, Verdict};
pub use tolerance::Tolerances;

use crate::error::ReportError;
use crate::{Options, Png, png, write};
use bellini_scenarios::record::{Run, file};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Name of the file that holds every line.
pub const COMPARE_FILE: &str = "compare.json";
/// Version of its format.
const SCHEMA: u32 = 1;

/// A comparison could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A side has no runs.
    #[error("side {side} has no run")]
    NoRuns {
        /// `A` or `B`.
        side: &'static str,
    },
    /// A tolerance cannot be set so.
    #[error("tolerance `{key}`: {problem}")]
    Tolerance {
        /// Its key.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// Two groups of runs, set against one another.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// Runs of side A: what is measured against (a prediction).
    pub a: &'a [Run],
    /// Runs of side B.
    pub b: &'a [Run],
    /// What was asked for.
    pub tolerances: Tolerances,
    /// Every line, in order of kind and id.
    pub lines: Vec<Line>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// The smallest errors that the lines of one kind would have found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smallest {
    /// Which kind.
    pub kind: Kind,
    /// How the figures below are meant.
    pub measure: Measure,
    /// Their unit.
    pub unit: &'static str,
    /// The smallest error at the most sensitive line.
    pub best: f64,
    /// The same at the least sensitive one.
    pub worst: f64,
}

/// Sets `a` and `b` against one another. Whether they may be compared at all is for [`obstacles`] to say.
///
/// # Errors
/// [`CompareError::NoRuns`].
pub fn compare<'a>(
    a: &'a [Run],
    b: &'a [Run],
    tolerances: Tolerances,
) -> Result<Comparison<'a>, CompareError> {
    for (side, runs) in [("A", a), ("B", b)] {
        if runs.is_empty() {
            return Err(CompareError::NoRuns { side });
        }
    }
    let lines = measure::lines(a, b, &tolerances);
    let mut notes = admit::notes(a, b);
    if a.len() < 2 || b.len() < 2 {
        notes.push(
            "A side has one run only: nothing is known of its spread, so values are judged without intervals, and no \
             smallest errors are known but those of flow shares, whose draw is."
                .to_owned(),
        );
    }
    Ok(Comparison { a, b, tolerances, lines, notes })
}

impl Comparison<'_> {
    /// Whether no line is beyond its tolerance.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lines.iter().all(|line| line.verdict != Verdict::Exceeded)
    }

    /// Returns how many lines have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }

    /// Returns the smallest errors that would have been found with a probability of 0.9, by kind (and unit).
    #[must_use]
    pub fn smallest(&self) -> Vec<Smallest> {
        let mut kinds: BTreeMap<(Kind, &str), Smallest> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.verdict != Verdict::Reported) {
            let Some(error) = line.detectable.filter(|error| error.is_finite()) else { continue };
            let (kind, measure, unit) = (line.kind, line.measure, line.unit);
            let of = kinds.entry((kind, unit)).or_insert(Smallest {
                kind,
                measure,
                unit,
                best: error,
                worst: error,
            });
            (of.best, of.worst) = (of.best.min(error), of.worst.max(error));
        }
        kinds.into_values().collect()
    }

    /// Returns the table for a terminal, at most 100 columns wide.
    #[must_use]
    pub fn table(&self) -> String {
        table::table(self)
    }

    /// Returns the comparison as `compare.json` holds it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let side = |runs: &[Run]| {
            let first = &runs[0].summary;
            json!({
                "mode": first.mode.as_str(),
                "version": first.version,
                "seeds": runs.iter().map(|run| run.summary.seed).collect::<Vec<_>>(),
                "runs": runs.iter().map(|run| run.path.display().to_string()).collect::<Vec<_>>(),
            })
        };
        let tolerances =
            self.tolerances.stated().into_iter().map(|(key, value, _)| (key.to_owned(), value.into()));
        let smallest = self.smallest().into_iter().map(|of| {
            let measure = if of.measure == Measure::Ratio { "ratio" } else { "difference" };
            json!({ "kind": of.kind.as_str(), "unit": of.unit, "measure": measure, "best": of.best, "worst": of.worst })
        });
        json!({
            "schema": SCHEMA,
            "scenario": self.a[0].summary.scenario,
            "holds": self.holds(),
            "a": side(self.a),
            "b": side(self.b),
            "tolerances": Value::Object(tolerances.collect()),
            "verdicts": {
                "exceeded": self.count(Verdict::Exceeded),
                "undecided": self.count(Verdict::Undecided),
                "holds": self.count(Verdict::Holds),
                "reported": self.count(Verdict::Reported),
            },
            "smallest_errors": smallest.collect::<Vec<_>>(),
            "notes": self.notes,
            "lines": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
        })
    }

    /// Returns [`to_json`](Self::to_json) as text, indented, with a final newline.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        format!("{:#}\n", self.to_json())
    }

    /// Writes `compare.json`, plots and `report.html` into the directory `out` (created if absent). Returns the page.
    ///
    /// # Errors
    /// [`ReportError::Io`], [`ReportError::Draw`].
    pub fn write(&self, out: &Path, options: Options) -> Result<PathBuf, ReportError> {
        write_all(&[self], &self.to_json_text(), out, options)
    }
}

/// Writes several comparisons with the same A as one: `compare.json` with all of them, their plots, and one page with
/// all sides beside each other. Returns the page.
///
/// # Errors
/// [`ReportError::Io`], [`ReportError::Draw`].
///
/// # Panics
/// If there is none.
pub fn write_several(
    comparisons: &[Comparison<'_>],
    out: &Path,
    options: Options,
) -> Result<PathBuf, ReportError> {
    if let [only] = comparisons {
        return only.write(out, options);
    }
    let all: Vec<&Comparison<'_>> = comparisons.iter().collect();
    write_all(&all, &several_to_json_text(comparisons), out, options)
}

/// Returns several comparisons as `compare.json` holds them.
#[must_use]
pub fn several_to_json_text(comparisons: &[Comparison<'_>]) -> String {
    let all = json!({
        "schema": SCHEMA,
        "scenario": comparisons[0].a[0].summary.scenario,
        "holds": comparisons.iter().all(Comparison::holds),
        "comparisons": comparisons.iter().map(Comparison::to_json).collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

fn write_all(
    comparisons: &[&Comparison<'_>],
    json: &str,
    out: &Path,
    options: Options,
) -> Result<PathBuf, ReportError> {
    let folder = out.join(file::PLOTS);
    fs::create_dir_all(&folder).map_err(ReportError::io("create", &folder))?;
    let mut rasteriser = None;
    let mut parts = Vec::new();
    for (number, comparison) in comparisons.iter().enumerate() {
        let figures = figure::all(comparison)?;
        for figure in &figures {
            let name = figure.file(number);
            write(&folder.join(format!("{name}.svg")), figure.svg.text.as_bytes())?;
            if options.png == Png::Write {
                let rasteriser = rasteriser.get_or_insert_with(png::Rasteriser::new);
                write(&folder.join(format!("{name}.png")), &rasteriser.png(&figure.svg)?)?;
            }
        }
        parts.push((*comparison, figures));
    }
    write(&out.join(COMPARE_FILE), json.as_bytes())?;
    let page = out.join(file::REPORT);
    write(&page, page::page(&parts)?.as_bytes())?;
    Ok(page)
}
