//! `bellini report`: plots and page from the records of earlier runs.

use super::args::ReportOptions;
use super::exit::{self, Failure};
use bellini_reports::{Options, ReportError, ReportOutcome, report, table};
use bellini_scenarios::record::Run;
use std::path::{Path, PathBuf};

pub(super) fn run(options: &ReportOptions) -> Result<u8, Failure> {
    let out = match (&options.out, options.runs.as_slice()) {
        (Some(out), _) => out,
        (None, [only]) => only,
        (None, _) => {
            return Err(Failure::new(exit::USAGE, "several runs need --out DIR for their common report"));
        }
    };
    let runs = load(&options.runs)?;
    refuse_repeated(&runs)?;
    let outcome = draw(&runs, out)?;
    for run in &runs {
        exit::print(&table(&run.summary));
    }
    exit::say(format_args!("{} plots. Report: {}", outcome.plots.len(), outcome.page.display()));
    Ok(exit::DONE)
}

/// Reads run directories.
pub(super) fn load(paths: &[PathBuf]) -> Result<Vec<Run>, Failure> {
    let runs = paths.iter().map(|path| Run::load(path)).collect::<Result<Vec<_>, _>>();
    runs.map_err(|error| Failure::new(exit::ENVIRONMENT, error))
}

/// Makes plots and page in `out`; a failure gets the exit code of whose fault it is.
pub(super) fn draw(runs: &[Run], out: &Path) -> Result<ReportOutcome, Failure> {
    report(runs, out, Options::default()).map_err(|error| {
        let code = match error {
            ReportError::NoRuns | ReportError::Mixed { .. } => exit::USAGE,
            ReportError::Io { .. } => exit::ENVIRONMENT,
            _ => exit::FAILED,
        };
        Failure::new(code, error)
    })
}

/// Refuses two runs of one seed: the same numbers twice would make intervals look narrower than they are.
fn refuse_repeated(runs: &[Run]) -> Result<(), Failure> {
    for (index, run) in runs.iter().enumerate() {
        if let Some(same) = runs[..index].iter().find(|same| same.summary.seed == run.summary.seed) {
            let (first, second) = (same.path.display(), run.path.display());
            let message = format!("{first} and {second} are runs of the same seed: give each seed once");
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    Ok(())
}
