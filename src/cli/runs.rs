//! Running a scenario, in whatever mode: scenario in, run directories out.

use super::args::RunOptions;
use super::check::{ScenarioText, demand, warn};
use super::exit::{self, Failure};
use super::interrupt;
use super::progress::ProgressLine;
use super::report::{draw, load};
use super::target::Target;
use super::usage;
use crate::Registry;
use bellini_reports::table;
use bellini_scenarios::emit;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{
    EventRow, EventWriter, Overwrite, RecordError, RunDirectory, Scope, SeriesWriter, Status, Summary, file,
};
use bellini_sim::{Observer, Outcome, Progress};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A run that is about to begin: everything that can be refused beforehand has been looked at.
pub(super) type Play<'a> = Box<dyn FnOnce(&mut dyn Observer) -> Result<Outcome, Failure> + 'a>;

/// How a mode runs a scenario.
pub(super) trait Player {
    /// The mode's word, which names run directories.
    const MODE: &'static str;

    /// Prepares the run of one seed, whose records go to `out`; nothing is written yet.
    ///
    /// # Errors
    /// What speaks against it.
    fn prepare<'a>(&'a self, scenario: &'a Scenario, seed: u64, out: &Path) -> Result<Play<'a>, Failure>;
}

/// Runs a scenario once, or with several seeds.
///
/// # Errors
/// Whatever keeps a run from ending with its records.
pub(super) fn run(registry: &Registry, options: &RunOptions, player: &impl Player) -> Result<u8, Failure> {
    let text = ScenarioText::read(registry, &options.scenario)?;
    let mut loaded = text.resolve(None)?;
    demand(&mut loaded)?;
    warn(&loaded);
    let name = loaded.scenario.name.clone();
    let target =
        Target::new(&name, mode(player), loaded.scenario.seed, options.seeds, options.out.as_deref())?;
    target.check(options.force)?;
    interrupt::catch();
    let mut done: Vec<PathBuf> = Vec::new();
    let (mut interrupted, mut invalid, mut partial) = (false, 0_u64, 0_u64);
    let mut loaded = Some(loaded);
    for (seed, path) in &target.runs {
        // Populations are drawn from the seed: each seed resolves the scenario anew.
        let scenario = match loaded.take() {
            Some(first) => first.scenario,
            None => text.resolve(Some(*seed))?.scenario,
        };
        let label = match target.runs.len() {
            1 => format!("{name} seed {seed}"),
            all => format!("{name} seed {seed} ({} of {all})", done.len() + 1),
        };
        let how = How { overwrite: options.overwrite(), has_report: !options.no_report };
        let summary = run_one(player, &scenario, *seed, path, &label, how)?;
        show(&summary, options);
        if let Some(lab) = summary.lab.as_ref().filter(|lab| !lab.valid) {
            invalid += 1;
            exit::say(format_args!("This run is not valid: {}.", lab.reasons.join("; ")));
        }
        if summary.status == Status::Partial {
            partial += 1;
            exit::say("This run is partial: nodes failed on the way, which its notes name.");
        }
        done.push(path.clone());
        interrupted = summary.status == Status::Interrupted
            || (interrupt::was_pressed() && done.len() < target.runs.len());
        if interrupted {
            break;
        }
    }
    if options.seeds.is_some() && !options.no_report {
        draw(&load(&done)?, &target.base)?;
    }
    let place = target.base.display();
    let leftovers = target.leftovers();
    if !leftovers.is_empty() {
        let shown = leftovers.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match leftovers.len() {
            0..=3 => String::new(),
            all => format!(" and {} more", all - 3),
        };
        exit::say(format_args!("note: {place} still holds {shown}{more} of an earlier run"));
    }
    if interrupted {
        let which = match target.runs.len() {
            1 => String::new(),
            all => format!(" ({} of {all} runs)", done.len()),
        };
        exit::say(format_args!("Interrupted: what was recorded until then{which} is in {place}."));
    }
    if options.no_report {
        exit::say(format_args!("Records: {place}"));
    } else {
        exit::say(format_args!("Report: {}", target.base.join(file::REPORT).display()));
    }
    Ok(match (interrupted, partial, invalid) {
        (true, ..) => exit::INTERRUPTED,
        (false, 1.., _) => exit::PARTIAL,
        (false, 0, 0) => exit::DONE,
        (false, 0, _) => exit::CHECK,
    })
}

fn mode<P: Player>(_: &P) -> &'static str {
    P::MODE
}

/// Runs one seed and leaves records only; a directory that holds something is left alone.
///
/// # Errors
/// Whatever keeps the run from ending with its records.
pub(super) fn play_one(
    player: &impl Player,
    scenario: &Scenario,
    seed: u64,
    path: &Path,
) -> Result<Summary, Failure> {
    let label = format!("{} in {}, {seed}", scenario.name, mode(player));
    run_one(player, scenario, seed, path, &label, How { overwrite: Overwrite::Refuse, has_report: false })
}

/// How a run is recorded.
#[derive(Clone, Copy)]
struct How {
    overwrite: Overwrite,
    has_report: bool,
}

/// Runs one seed and leaves a run directory.
fn run_one(
    player: &impl Player,
    scenario: &Scenario,
    seed: u64,
    path: &Path,
    label: &str,
    how: How,
) -> Result<Summary, Failure> {
    let unwritable = |error: RecordError| Failure::new(exit::ENVIRONMENT, error);
    let play = player.prepare(scenario, seed, path)?;
    let directory = RunDirectory::create(path, how.overwrite).map_err(unwritable)?;
    directory.write_scenario(&emit::to_text(scenario)).map_err(unwritable)?;
    let span = scenario.settle + scenario.duration + scenario.drain;
    let mut recorder = Recorder {
        series: directory.series().map_err(unwritable)?,
        events: directory.events().map_err(unwritable)?,
        progress: ProgressLine::new(label.to_owned(), span.as_secs_f64()),
    };
    let (wall, cpu) = (Instant::now(), usage::cpu_s());
    let result = play(&mut recorder);
    let (wall_s, cpu_after) = (wall.elapsed().as_secs_f64(), usage::cpu_s());
    let Recorder { series, events, progress } = recorder;
    series.finish().map_err(unwritable)?;
    events.finish().map_err(unwritable)?;
    let Outcome { mut summary, delays } = result.map_err(|mut failure| {
        progress.finish();
        failure.message += &format!("\nWhat was recorded until then is in {}.", path.display());
        failure
    })?;
    if let Some(engine) = &mut summary.engine {
        engine.wall_s = wall_s;
        engine.cpu_s = cpu_after.zip(cpu).map(|(after, before)| after - before);
        engine.packet_hops_per_s = engine.packet_hops.map(|hops| hops as f64 / wall_s.max(1e-9));
        engine.peak_rss_mib = usage::peak_rss_mib();
    }
    directory.write_delays(&delays).map_err(unwritable)?;
    directory.write_summary(&summary).map_err(unwritable)?;
    if how.has_report {
        progress.phase("drawing the report");
        draw(&load(&[path.to_owned()])?, path)?;
    }
    progress.finish();
    Ok(summary)
}

fn show(summary: &Summary, options: &RunOptions) {
    if !options.json {
        exit::print(&table(summary));
        return;
    }
    let text = if options.seeds.is_some() {
        serde_json::to_string(summary).map(|line| line + "\n").unwrap_or_default()
    } else {
        summary.to_json_pretty().unwrap_or_default()
    };
    exit::print(&text);
}

/// Writes what a run records, and shows how far it is.
struct Recorder {
    series: SeriesWriter,
    events: EventWriter,
    progress: ProgressLine,
}

impl Observer for Recorder {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        self.series.row(t_s, scope, id, metric, value).map_err(|error| error.to_string())
    }

    fn event(&mut self, event: EventRow) -> Result<(), String> {
        self.events.row(&event).map_err(|error| error.to_string())
    }

    fn progress(&mut self, done: f64) -> Progress {
        self.progress.at(done);
        if interrupt::was_pressed() { Progress::Stop } else { Progress::GoOn }
    }
}
