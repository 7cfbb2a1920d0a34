//! `bellini reproduce`: experiments whose outcome is known from elsewhere (the paper, ns-2, a closed form, the kernel),
//! done here and put beside the reference.

mod ablations;
mod airlift;
mod all;
mod backoff;
mod bins;
mod cities;
mod coding;
mod common;
mod document;
mod dumbbell;
mod equation;
mod fig3;
mod fig9;
mod jetway;
mod kernel;
mod kill;
mod paper;
mod parallel;
mod play;
mod postcard;
mod ranks;
mod reference;
mod simulate;
mod simulated;
mod split_loop;
mod table1;
mod table2;
mod tcp_theory;
mod tfrc_loss;
mod tfrc_step;

use super::args::ReproduceOptions;
use super::exit::{self, Failure};
use crate::Registry;
use bellini_reports::reproduce::{Page, Row};
use clap::builder::PossibleValue;
use serde_json::Value;
use simulate::simulate;
use std::path::{Path, PathBuf};

/// An experiment with a name on the command line.
struct Experiment {
    name: &'static str,
    /// One line of the help.
    about: &'static str,
    run: fn(&Setting<'_>) -> Result<Findings, Failure>,
}

/// All experiments, in the order of the help.
const GROUPS: &[&[Experiment]] = &[
    table1::EXPERIMENTS,
    fig3::EXPERIMENTS,
    paper::EXPERIMENTS,
    tfrc_loss::EXPERIMENTS,
    tfrc_step::EXPERIMENTS,
    dumbbell::EXPERIMENTS,
    split_loop::EXPERIMENTS,
    tcp_theory::EXPERIMENTS,
    kernel::EXPERIMENTS,
    backoff::EXPERIMENTS,
    kill::EXPERIMENTS,
    ablations::EXPERIMENTS,
    coding::EXPERIMENTS,
    ranks::EXPERIMENTS,
    airlift::EXPERIMENTS,
    jetway::EXPERIMENTS,
    postcard::EXPERIMENTS,
    table2::EXPERIMENTS,
    fig9::EXPERIMENTS,
];

/// What an experiment is done with.
struct Setting<'a> {
    registry: &'a Registry,
    options: &'a ReproduceOptions,
    /// Where results go; it exists.
    out: &'a Path,
}

impl Setting<'_> {
    /// Returns whether a short version is asked for.
    fn is_quick(&self) -> bool {
        self.options.quick
    }

    /// Returns how many seeds to run: what was typed, else `quick` in a short version, else `full`.
    fn seeds(&self, full: u64, quick: u64) -> u64 {
        self.options.seeds.unwrap_or(if self.options.quick { quick } else { full })
    }
}

/// What an experiment has found.
struct Findings {
    page: Page,
    /// It ran with seeds 1 to this; 0: nothing was random.
    seeds: u64,
    /// An object: further keys of `reproduce.json`.
    detail: Value,
}

/// Returns the names of all experiments with what they are.
pub(super) fn possible_values() -> Vec<PossibleValue> {
    let whole = PossibleValue::new(all::NAME).help(all::ABOUT);
    all().map(|it| PossibleValue::new(it.name).help(it.about)).chain([whole]).collect()
}

fn all() -> impl Iterator<Item = &'static Experiment> {
    GROUPS.iter().copied().flatten()
}

pub(super) fn run(registry: &Registry, options: &ReproduceOptions) -> Result<u8, Failure> {
    if options.name == all::NAME {
        return all::run(options);
    }
    if !options.only.is_empty() {
        return Err(Failure::new(exit::USAGE, format!("--only is for `{}`", all::NAME)));
    }
    let experiment = all().find(|it| it.name == options.name);
    let experiment = experiment
        .ok_or_else(|| Failure::new(exit::USAGE, format!("no experiment is called {}", options.name)))?;
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(experiment.name));
    std::fs::create_dir_all(&out).map_err(|error| unwritable(&out, &error))?;
    let setting = Setting { registry, options, out: &out };
    let mut findings = (experiment.run)(&setting)?;
    if options.quick {
        findings.page.notes.insert(0, "A short version: its figures prove nothing.".to_owned());
    }
    write(setting.out, experiment.name, &findings)?;
    let page = &findings.page;
    for row in &page.rows {
        exit::print(&line(row, &page.reference));
    }
    let missed = page.rows.iter().filter(|row| row.holds() == Some(false)).count();
    exit::say(format_args!("Report: {}", out.join("report.html").display()));
    if missed > 0 {
        exit::say(format_args!("{missed} of {} rows miss their band.", page.rows.len()));
        return Ok(exit::CHECK);
    }
    Ok(exit::DONE)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(exit::ENVIRONMENT, format!("{}: {error}", path.display()))
}

/// Leaves everything that readers want in `out`; plots of an earlier reproduction are replaced.
fn write(out: &Path, name: &str, findings: &Findings) -> Result<(), Failure> {
    let defect = |error| Failure::new(exit::FAILED, error);
    let put =
        |path: PathBuf, bytes: &[u8]| std::fs::write(&path, bytes).map_err(|error| unwritable(&path, &error));
    let page = &findings.page;
    let html = page.render().map_err(defect)?;
    let plots = out.join("plots");
    if plots.is_dir() {
        std::fs::remove_dir_all(&plots).map_err(|error| unwritable(&plots, &error))?;
    }
    let drawn = page.trees.len() + page.overlays.len() + page.maps.len() + page.plots.len() + page.bars.len();
    if drawn > 0 {
        std::fs::create_dir_all(&plots).map_err(|error| unwritable(&plots, &error))?;
    }
    for tree in &page.trees {
        put(plots.join(tree.slug()).with_extension("svg"), tree.svg().map_err(defect)?.as_bytes())?;
        put(plots.join(tree.slug()).with_extension("png"), &tree.png().map_err(defect)?)?;
    }
    for overlay in &page.overlays {
        put(plots.join(overlay.slug()).with_extension("svg"), overlay.svg().map_err(defect)?.as_bytes())?;
        put(plots.join(overlay.slug()).with_extension("png"), &overlay.png().map_err(defect)?)?;
    }
    for map in &page.maps {
        put(plots.join(map.slug()).with_extension("svg"), map.svg().map_err(defect)?.as_bytes())?;
        put(plots.join(map.slug()).with_extension("png"), &map.png().map_err(defect)?)?;
    }
    for plot in &page.plots {
        let place = plots.join(plot.slug());
        let (svg, png) = plot.pictures().map_err(defect)?;
        put(place.with_extension("svg"), svg.as_bytes())?;
        put(place.with_extension("png"), &png)?;
        put(place.with_extension("csv"), plot.csv().as_bytes())?;
    }
    for bars in &page.bars {
        let place = plots.join(bars.slug());
        let (svg, png) = bars.pictures().map_err(defect)?;
        put(place.with_extension("svg"), svg.as_bytes())?;
        put(place.with_extension("png"), &png)?;
    }
    put(out.join("table.csv"), page.csv().as_bytes())?;
    put(out.join("reproduce.json"), format!("{:#}\n", document::of(name, findings)).as_bytes())?;
    put(out.join("report.html"), html.as_bytes())
}

fn line(row: &Row, reference: &str) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let beside = row.reference.map_or_else(String::new, |value| format!(" ({reference}: {value:.3})"));
    let range = |name: &str, range: Option<(f64, f64)>| {
        range.map_or_else(String::new, |(low, high)| format!("  {name}[{low:.3}, {high:.3}]"))
    };
    let verdict = row.holds().map_or("", |holds| if holds { "  holds" } else { "  MISSES" });
    format!(
        "{:<42} {:>12}{beside} {}{}{}{verdict}\n",
        row.quantity,
        value(row.ours),
        row.unit,
        range("", row.interval),
        range("band ", row.band),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a name means one experiment, and is fit for a directory.
    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(|it| it.name).chain([all::NAME]).collect();
        assert!(
            names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')),
            "{names:?}"
        );
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
