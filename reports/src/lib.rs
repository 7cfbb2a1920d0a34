//! Reports: tables, plots and the report page, made from run records alone.
//!
//! [`report`] takes one run, or several of the same scenario with different seeds, and writes `plots/*.svg`,
//! `plots/*.png` and one self-contained `report.html`; [`table`] makes the result table for a terminal. Nothing here
//! runs or knows a simulator: what the records do not say, no report shows.
//!
//! ```text
//! Run(s) -> curves (mean and bands over seeds) -> figure (what to show, its title and sentence)
//!                                                   -> chart (axes, lines, bars) -> draw (plotters) -> SVG -> PNG
//!                                                   -> page (template)           -> report.html
//! ```

mod chart;
pub mod compare;
mod cost;
mod curves;
mod draw;
mod error;
mod faults;
mod figure;
mod format;
mod map;
mod page;
mod png;
mod pool;
pub mod reproduce;
mod stats;
mod table;
#[cfg(test)]
mod testdata;
#[cfg(test)]
mod tests;

pub use error::ReportError;
pub use stats::Interval;
pub use table::{grid, table};

use bellini_scenarios::record::{Run, file};
use figure::{Figure, Material};
use std::fs;
use std::path::{Path, PathBuf};

/// What [`report`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether each plot is written as PNG, too.
    pub png: Png,
}

impl Default for Options {
    fn default() -> Self {
        Options { png: Png::Write }
    }
}

/// Whether plots are written as PNG beside SVG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Png {
    /// They are.
    Write,
    /// SVG only: faster.
    Skip,
}

/// What [`report`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportOutcome {
    /// The page.
    pub page: PathBuf,
    /// The plots, in the order of the page: SVG, and PNG if asked for.
    pub plots: Vec<PathBuf>,
    /// What the records did not allow to show, one sentence each.
    pub notes: Vec<String>,
}

/// Writes plots and `report.html` for `runs` into the directory `out` (created if absent; plots and page of an
/// earlier report are replaced).
///
/// `runs`: one run, or several of the same scenario and mode; several give bands and intervals over their seeds.
///
/// # Errors
/// [`ReportError::NoRuns`], [`ReportError::Mixed`] when the runs are not of one scenario, mode and version,
/// [`ReportError::Io`], [`ReportError::Draw`].
pub fn report(runs: &[Run], out: &Path, options: Options) -> Result<ReportOutcome, ReportError> {
    let material = Material::new(runs)?;
    let figures = figure::all(&material)?;
    let folder = out.join(file::PLOTS);
    fs::create_dir_all(&folder).map_err(ReportError::io("create", &folder))?;
    let mut plots = Vec::new();
    let mut rasteriser = None;
    for Figure { name, svg, .. } in &figures {
        let at = folder.join(format!("{name}.svg"));
        write(&at, svg.text.as_bytes())?;
        plots.push(at);
        if options.png == Png::Write {
            let at = folder.join(format!("{name}.png"));
            write(&at, &rasteriser.get_or_insert_with(png::Rasteriser::new).png(svg)?)?;
            plots.push(at);
        }
    }
    let (html, notes) = page::page(&material, &figures)?;
    let page = out.join(file::REPORT);
    write(&page, html.as_bytes())?;
    Ok(ReportOutcome { page, plots, notes })
}

/// Writes a file under a temporary name and renames it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let part = path.with_file_name(format!(".{name}.part"));
    fs::write(&part, bytes).map_err(ReportError::io("write", &part))?;
    fs::rename(&part, path).map_err(ReportError::io("rename", &part))
}
