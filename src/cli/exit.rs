//! Exit codes, and failures that know theirs.

use std::fmt::Display;
use std::io::Write;

/// Everything was done.
pub(super) const DONE: u8 = 0;
/// It failed while running.
pub(super) const FAILED: u8 = 1;
/// The command line was wrong.
pub(super) const USAGE: u8 = 2;
/// The scenario is invalid; nothing was started.
pub(super) const SCENARIO: u8 = 3;
/// An asked-for check did not hold.
pub(super) const CHECK: u8 = 4;
/// It came to its end, but parts of it failed: the results are partial.
pub(super) const PARTIAL: u8 = 5;
/// The environment does not allow it: files, permissions.
pub(super) const ENVIRONMENT: u8 = 6;
/// A person stopped it.
pub(super) const INTERRUPTED: u8 = 130;

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) code: u8,
    /// What to say on stderr.
    pub(super) message: String,
}

impl Failure {
    /// Returns a failure of `code` that says `error: ...`.
    pub(super) fn new(code: u8, message: impl Display) -> Self {
        Self { code, message: format!("error: {message}") }
    }

    /// Returns a failure of `code` whose message is complete.
    pub(super) fn rendered(code: u8, message: String) -> Self {
        Self { code, message }
    }
}

/// Prints results to stdout; a closed pipe is the end of the output, not an error.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line to stderr. Unlike `eprintln!` it does not panic when nobody reads it any more.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
