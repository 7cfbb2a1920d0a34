//! What is done with the results of runs: `report`, `explain`, `compare`, `replay`.

use super::scenario::key_value;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Options of `report`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReportOptions {
    /// Run directories: one, or several of the same scenario with different seeds.
    #[arg(required = true, value_name = "RUN")]
    pub(in crate::cli) runs: Vec<PathBuf>,
    /// Where plots and page go [default: the run directory, if there is one only].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// Options of `explain`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ExplainOptions {
    /// A run directory.
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: PathBuf,
    /// One session only: CONFERENCE/SESSION.
    #[arg(long, value_name = "SESSION")]
    pub(in crate::cli) session: Option<String>,
    /// One destination only: its name or id.
    #[arg(long, value_name = "NODE")]
    pub(in crate::cli) to: Option<String>,
    /// How many paths to look at for each destination.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(in crate::cli) paths: u8,
    /// Print the explanation as JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Options of `compare`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct CompareOptions {
    /// Side A, then side B, then further sides that are set against A on the same page: each a run directory, or a
    /// directory that holds runs, or several behind commas.
    #[arg(value_name = "RUNS_A RUNS_B", num_args = 0..=4)]
    pub(in crate::cli) runs: Vec<PathBuf>,
    /// Further runs of side A.
    #[arg(long, value_name = "RUNS")]
    pub(in crate::cli) a: Vec<PathBuf>,
    /// Further runs of side B.
    #[arg(long, value_name = "RUNS")]
    pub(in crate::cli) b: Vec<PathBuf>,
    /// Change a tolerance: `goodput=5 %`, `delay_ms=2 ms`, `confidence=99 %`; docs/compare.md lists all.
    #[arg(long = "tolerance", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) tolerances: Vec<(String, String)>,
    /// Where compare.json, plots and page go [default: runs/compare-<A>-<B>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Compare different scenarios, unfinished and invalid runs, too; the page says so.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print compare.json instead of the table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Options of `replay`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReplayOptions {
    /// A log that `bellini node --record` wrote.
    pub(in crate::cli) log: PathBuf,
    /// Print the figures and the verdict as JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Print so many records, with what came out, as text (on stderr with --json).
    #[arg(long, value_name = "N")]
    pub(in crate::cli) dump: Option<u64>,
    /// Print records from this second of the node's clock on.
    #[arg(long, value_name = "SECONDS", requires = "dump", value_parser = seconds)]
    pub(in crate::cli) from: Option<f64>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or_else(|| "it must be a number of seconds from 0 on, such as `1.5`".to_owned())
}
