//! The command line: what was typed (`args`), what it means, and one file a subcommand.

mod args;
mod attach;
mod calibrate;
mod check;
mod compare;
mod deploy;
mod doctor;
mod exit;
mod explain;
mod fidelity;
mod interrupt;
mod keys;
mod lab;
mod listing;
mod live;
mod node;
mod plan;
mod progress;
mod replay;
mod report;
mod reproduce;
mod runs;
mod schema;
mod sim;
mod target;
mod usage;

use crate::Registry;
use args::{Args, Verb};
use clap::Parser;
use exit::Failure;
use std::process::ExitCode;

/// Runs the command line of the process with `registry`'s policies; `main` returns what this returns.
///
/// Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 scenario invalid; 4 an asked-for check did not hold;
/// 5 finished with partial results; 6 environment; 130 interrupted.
#[must_use]
pub fn run(registry: Registry) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; clap knows which stream each belongs to.
            let code = if error.use_stderr() { exit::USAGE } else { exit::DONE };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = registry.check() {
        exit::say(format_args!("error: {error}"));
        return ExitCode::from(exit::USAGE);
    }
    let result = match args.verb {
        Verb::Sim(options) => sim::run(&registry, &options),
        Verb::Fidelity(options) => fidelity::run(&registry, &options),
        Verb::Lab(options) => lab::run(&registry, &options),
        Verb::Live(options) => live::run(&registry, &options),
        Verb::Deploy(options) => deploy::run(&registry, &options),
        Verb::Doctor(options) => doctor::run(&options),
        Verb::Probe(options) => doctor::probe(&options),
        Verb::Attach(options) => attach::run(&options),
        Verb::Check(options) => check::run(&registry, &options),
        Verb::Plan(options) => plan::run(&registry, &options),
        Verb::Explain(options) => explain::run(&registry, &options),
        Verb::Report(options) => report::run(&options),
        Verb::Compare(options) => compare::run(&options),
        Verb::Replay(options) => replay::run(&options),
        Verb::Node(options) => node::run(&options),
        Verb::Keys(options) => keys::run(&options),
        Verb::Listing(options) => listing::run(&options),
        Verb::Calibrate(options) => calibrate::run(&options),
        Verb::Reproduce(options) => reproduce::run(&registry, &options),
        Verb::Schema => schema::run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, message }) => {
            if !message.is_empty() {
                exit::say(message);
            }
            ExitCode::from(code)
        }
    }
}
