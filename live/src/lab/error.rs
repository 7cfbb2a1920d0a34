//! Why a run in the lab did not come about, or to its end.

use thiserror::Error;

/// Why a run in the lab did not come about, or to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LabError {
    /// The machine does not allow it: privileges, devices, files.
    #[error("{0}")]
    Environment(String),
    /// The scenario asks for something that the lab cannot do.
    #[error("{0}")]
    Scenario(String),
    /// It failed on the way.
    #[error("{0}")]
    Failed(String),
    /// Its records could not be written.
    #[error("{0}")]
    Observer(String),
}
