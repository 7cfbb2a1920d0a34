//! What was typed, and nothing more.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Ferries application traffic through geo-distributed datacenters.
#[derive(Debug, Parser)]
#[command(name = "bellini", version, about, long_about = None, arg_required_else_help = true)]
#[command(after_help = "Example: bellini sim scenarios/fig3.json\n\
    Then open runs/fig3-sim-1/report.html in a browser.\n\n\
    Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 scenario invalid; \
    4 an asked-for check did not hold; 6 files or permissions; 130 interrupted.")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run a scenario in the deterministic simulator.
    #[command(after_help = "Examples:\n  bellini sim scenarios/fig3.json\n  \
        bellini sim scenarios/fig3.json --seeds 10 --out runs/fig3-ten\n  \
        bellini sim scenarios/fig3.json --set 'duration=5 s' --json")]
    Sim(SimOptions),
    /// Check a scenario without running it.
    #[command(after_help = "Examples:\n  bellini check scenarios/fig3.json\n  \
        bellini check scenarios/fig3.json --resolved > resolved.json")]
    Check(CheckOptions),
    /// Make the plots and the report page of a run again, or of several runs together.
    #[command(after_help = "Examples:\n  bellini report runs/fig3-sim-1\n  \
        bellini report runs/fig3-sim-1 runs/fig3-sim-2 --out runs/fig3-both")]
    Report(ReportOptions),
    /// Say how far the runs of two sides are apart, and whether that is within tolerances.
    #[command(after_help = "Examples:\n  bellini compare runs/fig3-sim-1-20 runs/fig3-lab-1-5\n  \
        bellini compare runs/fig3-sim-1,runs/fig3-sim-2 runs/fig3-lab-1 --tolerance 'goodput=5 %'\n\n\
        A is what is measured against, such as a prediction. Each side is a run directory, a directory that\n\
        holds runs, or several of either, separated by commas. Exit code 4 when a line exceeds its tolerance.")]
    Compare(CompareOptions),
    /// Print the JSON Schema of scenario files.
    #[command(after_help = "Example: bellini schema > scenario.schema.json\n\
        A scenario with \"$schema\": \"scenario.schema.json\" is then completed and checked by editors.")]
    Schema,
}

/// What names and changes a scenario.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ScenarioOptions {
    /// The scenario file.
    pub(super) scenario: PathBuf,
    /// Change a value of the scenario: `duration=5 s`, `conferences[0].sessions[0].content.rate=4 Mbit/s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Root seed of all random streams, in place of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
}

/// Options of `sim`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct SimOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    /// Run with so many seeds, from the scenario's (or --seed) on, and report means with 95 % intervals.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) seeds: Option<u64>,
    /// Where results go [default: runs/<scenario>-sim-<seed>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace the results of an earlier run in the same place; nothing else is ever removed.
    #[arg(long)]
    pub(super) force: bool,
    /// Print summary.json instead of the table (several seeds: one JSON document a line).
    #[arg(long)]
    pub(super) json: bool,
    /// No plots and no report page: records only.
    #[arg(long)]
    pub(super) no_report: bool,
}

/// Options of `check`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct CheckOptions {
    #[command(flatten)]
    pub(super) scenario: ScenarioOptions,
    /// Print the scenario with every default filled in.
    #[arg(long)]
    pub(super) resolved: bool,
    /// Print errors and warnings as JSON on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `report`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ReportOptions {
    /// Run directories: one, or several of the same scenario with different seeds.
    #[arg(required = true, value_name = "RUN")]
    pub(super) runs: Vec<PathBuf>,
    /// Where plots and page go [default: the run directory, if there is one only].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// Options of `compare`.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct CompareOptions {
    /// Side A, then side B: a run directory, or a directory that holds runs, or several behind commas.
    #[arg(value_name = "RUNS_A RUNS_B", num_args = 0..=2)]
    pub(super) runs: Vec<PathBuf>,
    /// Further runs of side A.
    #[arg(long, value_name = "RUNS")]
    pub(super) a: Vec<PathBuf>,
    /// Further runs of side B.
    #[arg(long, value_name = "RUNS")]
    pub(super) b: Vec<PathBuf>,
    /// Change a tolerance: `goodput=5 %`, `delay_ms=2 ms`, `confidence=99 %`; docs/compare.md lists all.
    #[arg(long = "tolerance", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) tolerances: Vec<(String, String)>,
    /// Where compare.json, plots and page go [default: runs/compare-<A>-<B>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Compare different scenarios, unfinished and invalid runs, too; the page says so.
    #[arg(long)]
    pub(super) force: bool,
    /// Print compare.json instead of the table.
    #[arg(long)]
    pub(super) json: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("it must have the form KEY=VALUE, such as `duration=5 s`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn overrides_are_split_at_the_first_equals_sign() {
        assert_eq!(key_value("a.b = x=y"), Ok(("a.b".into(), "x=y".into())));
        assert!(key_value("=x").is_err() && key_value("x").is_err());
    }
}
