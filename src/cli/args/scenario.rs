//! What names and changes a scenario, and what is asked of every run of one: `sim`, `check`, `plan`.

use bellini_scenarios::record::Overwrite;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// What names and changes a scenario.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ScenarioOptions {
    /// The scenario file.
    pub(in crate::cli) scenario: PathBuf,
    /// Change a value of the scenario: `duration=5 s`, `conferences[0].sessions[0].content.rate=4 Mbit/s`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Root seed of all random streams, in place of the scenario's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(in crate::cli) seed: Option<u64>,
}

/// Options of the modes that run scenarios.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct RunOptions {
    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioOptions,
    /// Run with so many seeds, from the scenario's (or --seed) on, and report means with 95 % intervals.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) seeds: Option<u64>,
    /// Where results go [default: runs/<scenario>-<mode>-<seed>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Replace the results of an earlier run in the same place; nothing else is ever removed.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print summary.json instead of the table (several seeds: one JSON document a line).
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// No plots and no report page: records only.
    #[arg(long)]
    pub(in crate::cli) no_report: bool,
}

impl RunOptions {
    /// Returns what happens to results in the same place.
    pub(in crate::cli) fn overwrite(&self) -> Overwrite {
        if self.force { Overwrite::Replace } else { Overwrite::Refuse }
    }
}

/// Options of `check`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct CheckOptions {
    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioOptions,
    /// Print the scenario with every default filled in.
    #[arg(long)]
    pub(in crate::cli) resolved: bool,
    /// Print errors and warnings as JSON on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Options of `plan`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct PlanOptions {
    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioOptions,
    /// Routing policies, behind commas; `own`: each session's own [default: own, and all that fit any session].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) policies: Vec<String>,
    /// Print the plan as JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Exit with 4 when a demand is not met.
    #[arg(long)]
    pub(in crate::cli) strict: bool,
}

/// Reads `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("it must have the form KEY=VALUE, such as `duration=5 s`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_split_at_the_first_equals_sign() {
        assert_eq!(key_value("a.b = x=y"), Ok(("a.b".into(), "x=y".into())));
        assert!(key_value("=x").is_err() && key_value("x").is_err());
    }
}
