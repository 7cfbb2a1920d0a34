//! Why a run on real hosts did not come about, or to its end.

use thiserror::Error;

/// Why a run on real hosts did not come about, or to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostsError {
    /// The hosts file is wrong, or does not fit the scenario.
    #[error("{0}")]
    File(String),
    /// The scenario asks for something that real hosts cannot do.
    #[error("{0}")]
    Scenario(String),
    /// A host or this machine does not allow it: connections, files, programs.
    #[error("{0}")]
    Environment(String),
    /// It failed on the way.
    #[error("{0}")]
    Failed(String),
    /// The records of the run could not be written.
    #[error("{0}")]
    Observer(String),
}

/// Makes an error of this machine's.
pub(super) fn here(what: impl std::fmt::Display, error: impl std::fmt::Display) -> HostsError {
    HostsError::Environment(format!("{what}: {error}"))
}
