//! Experiments whose outcome is known: `reproduce`.

use crate::cli::reproduce;
use clap::Args as ClapArgs;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Options of `reproduce`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReproduceOptions {
    /// Which experiment: a figure or table of the paper, `all` of these, or a comparison with references.
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(reproduce::possible_values()))]
    pub(in crate::cli) name: String,
    /// Where results go [default: runs/<name>]; results of an earlier reproduction are replaced.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Seeds of each simulated scenario, 1 to N [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) seeds: Option<u64>,
    /// A short version: shorter and fewer runs, to see that it works; its figures prove nothing.
    #[arg(long)]
    pub(in crate::cli) quick: bool,
    /// Length of each measurement on real processes [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(in crate::cli) seconds: Option<u64>,
    /// Repetitions on real processes, each with a seed and processes of its own [default: depends on the experiment].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(in crate::cli) runs: Option<u64>,
    /// Of `all`: only these, such as `table1,fig3`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) only: Vec<String>,
}
