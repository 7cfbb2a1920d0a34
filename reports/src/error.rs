//! What can go wrong with a report.

use std::path::PathBuf;
use thiserror::Error;

/// A report could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is nothing to report on.
    #[error("no run to report on")]
    NoRuns,
    /// Runs that cannot be shown as repetitions of one another.
    #[error("{} is a run of {found}, the first one of {expected}: a report takes runs that differ in seed only", .path.display())]
    Mixed {
        /// The run that does not fit.
        path: PathBuf,
        /// Its scenario, mode and version.
        found: String,
        /// Those of the first run.
        expected: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A plot or the page could not be drawn: a defect of Bellini, not of the run.
    #[error("cannot draw {what}: {problem}")]
    Draw {
        /// Which one.
        what: &'static str,
        /// What went wrong.
        problem: String,
    },
}

impl ReportError {
    /// Makes a [`ReportError::Io`] from an operating system error.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> ReportError {
        let path = path.into();
        move |source| ReportError::Io { action, path, source }
    }
}
