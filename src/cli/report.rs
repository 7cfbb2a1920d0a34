//! `bellini report`: plots and page from the records of earlier runs.

use super::args::ReportOptions;
use super::exit::{self, Failure};
use bellini_reports::{Options, report, table};
use bellini_scenarios::record::Run;

pub(super) fn run(options: &ReportOptions) -> Result<u8, Failure> {
    let runs = options
        .runs
        .iter()
        .map(|path| Run::load(path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    let out = match (&options.out, options.runs.as_slice()) {
        (Some(out), _) => out,
        (None, [only]) => only,
        (None, _) => {
            return Err(Failure::new(exit::USAGE, "several runs need --out DIR for their common report"));
        }
    };
    let outcome =
        report(&runs, out, Options::default()).map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    if let [only] = runs.as_slice() {
        exit::print(&table(&only.summary));
    }
    eprintln!("{} plots and {}", outcome.plots.len(), outcome.page.display());
    Ok(exit::DONE)
}
