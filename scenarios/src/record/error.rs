//! What can go wrong with run records.

use std::path::PathBuf;
use thiserror::Error;

/// A run record could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The run directory exists and holds something.
    #[error("{} already holds a run; choose another --out, or pass --force to replace it", .path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The path is not a directory.
    #[error("{} is not a directory", .path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A file that a run directory must hold is not there.
    #[error("{} is missing: {} is not a run directory, or its run has not ended", .file, .path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
        /// The file's name.
        file: &'static str,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried (`write`, `read`, `create`, ..).
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file does not say what a record says.
    #[error("{}{}: {problem}", .path.display(), .line.map_or_else(String::new, |line| format!(":{line}")))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if known.
        line: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// A value that no record may hold, such as one that is not finite.
    #[error("cannot record {what}: {problem}")]
    Value {
        /// What was to be recorded.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl RecordError {
    /// Makes an [`RecordError::Io`] from an operating system error.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> RecordError {
        let path = path.into();
        move |source| RecordError::Io { action, path, source }
    }
}
