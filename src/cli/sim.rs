//! `bellini sim`: scenario in, run directory out.

use super::args::SimOptions;
use super::check::{load_scenario, warn};
use super::exit::{self, Failure};
use super::interrupt;
use super::progress::ProgressLine;
use super::usage;
use crate::Registry;
use bellini_reports::{Options, report, table};
use bellini_scenarios::emit;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{
    EventRow, EventWriter, Overwrite, RecordError, Run, RunDirectory, Scope, SeriesWriter, Status, Summary,
};
use bellini_sim::{Observer, Outcome, Progress, SimError, Simulation};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) fn run(registry: &Registry, options: &SimOptions) -> Result<u8, Failure> {
    let loaded = load_scenario(registry, &options.scenario, None)?;
    warn(&loaded);
    let first = loaded.scenario.seed;
    let name = loaded.scenario.name.clone();
    let count = options.seeds.unwrap_or(1);
    let base = options.out.clone().unwrap_or_else(|| match options.seeds {
        None => PathBuf::from("runs").join(format!("{name}-sim-{first}")),
        Some(n) => PathBuf::from("runs").join(format!("{name}-sim-{first}-{}", first + (n - 1))),
    });
    // Every place is looked at before anything starts.
    let mut planned = Vec::new();
    for seed in first..first + count {
        let path = if options.seeds.is_some() { base.join(format!("seed-{seed}")) } else { base.clone() };
        if !options.force {
            refuse_occupied(&path)?;
        }
        planned.push((seed, path));
    }
    interrupt::catch();
    let mut runs = Vec::new();
    let mut interrupted = false;
    let mut loaded = Some(loaded);
    for (seed, path) in &planned {
        // Populations are drawn from the seed: each seed resolves the scenario anew.
        let scenario = match loaded.take() {
            Some(first) => first.scenario,
            None => load_scenario(registry, &options.scenario, Some(*seed))?.scenario,
        };
        let label = format!("{name} seed {seed}");
        let summary = run_one(registry, &scenario, *seed, path, &label, options)?;
        interrupted |= summary.status == Status::Interrupted;
        show(&summary, options);
        runs.push(path.clone());
        if interrupted {
            break;
        }
    }
    if options.seeds.is_some() && !options.no_report {
        report_runs(&runs, &base)?;
    }
    let place = base.display();
    if interrupted {
        eprintln!("Interrupted: what was recorded until then is in {place}.");
        return Ok(exit::INTERRUPTED);
    }
    if options.no_report {
        eprintln!("Records: {place}");
    } else {
        eprintln!("Report: {}", base.join("report.html").display());
    }
    Ok(exit::DONE)
}

fn refuse_occupied(path: &Path) -> Result<(), Failure> {
    let occupied = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let hint = "use --force to replace what is there, or --out DIR for another place";
        return Err(Failure::new(exit::USAGE, format!("{} holds an earlier run; {hint}", path.display())));
    }
    Ok(())
}

/// Simulates one seed and leaves a run directory.
fn run_one(
    registry: &Registry,
    scenario: &Scenario,
    seed: u64,
    path: &Path,
    label: &str,
    options: &SimOptions,
) -> Result<Summary, Failure> {
    let unwritable = |error: RecordError| Failure::new(exit::ENVIRONMENT, error);
    let simulation = Simulation::new(scenario, seed, registry).map_err(|error| match error {
        SimError::Policy { .. } | SimError::Config { .. } => Failure::new(exit::SCENARIO, error),
        other => Failure::new(exit::FAILED, other),
    })?;
    let overwrite = if options.force { Overwrite::Replace } else { Overwrite::Refuse };
    let directory = RunDirectory::create(path, overwrite).map_err(unwritable)?;
    directory.write_scenario(&emit::to_text(scenario)).map_err(unwritable)?;
    let span = scenario.settle + scenario.duration + scenario.drain;
    let mut recorder = Recorder {
        series: directory.series().map_err(unwritable)?,
        events: directory.events().map_err(unwritable)?,
        progress: ProgressLine::new(label.to_owned(), span.as_secs_f64()),
    };
    let (wall, cpu) = (Instant::now(), usage::cpu_s());
    let result = simulation.run(&mut recorder);
    let (wall_s, cpu_after) = (wall.elapsed().as_secs_f64(), usage::cpu_s());
    let Recorder { series, events, progress } = recorder;
    series.finish().map_err(unwritable)?;
    events.finish().map_err(unwritable)?;
    let Outcome { mut summary, delays } = result.map_err(|error| {
        progress.finish();
        Failure::new(exit::FAILED, format!("{error}\nWhat was recorded until then is in {}.", path.display()))
    })?;
    if let Some(engine) = &mut summary.engine {
        engine.wall_s = wall_s;
        engine.cpu_s = cpu_after.zip(cpu).map(|(after, before)| after - before);
        engine.packet_hops_per_s = engine.packet_hops.map(|hops| hops as f64 / wall_s.max(1e-9));
        engine.peak_rss_mib = usage::peak_rss_mib();
    }
    directory.write_delays(&delays).map_err(unwritable)?;
    directory.write_summary(&summary).map_err(unwritable)?;
    if !options.no_report {
        progress.phase("drawing the report");
        report_runs(&[path.to_owned()], path)?;
    }
    progress.finish();
    Ok(summary)
}

fn report_runs(runs: &[PathBuf], out: &Path) -> Result<(), Failure> {
    let runs = runs
        .iter()
        .map(|path| Run::load(path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(exit::FAILED, error))?;
    report(&runs, out, Options::default()).map_err(|error| Failure::new(exit::FAILED, error))?;
    Ok(())
}

fn show(summary: &Summary, options: &SimOptions) {
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

/// Writes what the simulator records, and shows how far it is.
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
