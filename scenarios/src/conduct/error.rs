//! What ends a run.

use super::testbed::TestbedError;
use crate::registry::RegistryError;
use bellini_core::ids::SessionKey;
use thiserror::Error;

/// Why a run could not start or go on.
#[derive(Debug, Error)]
pub enum ConductError {
    /// A policy's name is not known.
    #[error("session {session}: {error}")]
    Policy {
        /// The session.
        session: SessionKey,
        /// What is wrong.
        error: RegistryError,
    },
    /// A policy did not answer in time, where every answer is waited for.
    #[error("session {session}: {problem}; a longer `time_limit` would give it the time")]
    Late {
        /// The session.
        session: SessionKey,
        /// What it was asked, and how long it took.
        problem: String,
    },
    /// What the run is played on cannot go on.
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    /// The observer could not write its record.
    #[error("{0}")]
    Observer(String),
}
