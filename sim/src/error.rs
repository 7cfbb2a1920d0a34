//! What ends a run.

use bellini_core::config::ConfigError;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_scenarios::conduct::{ConductError, TestbedError};
use bellini_scenarios::registry::RegistryError;
use thiserror::Error;

/// Why a run could not start or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimError {
    /// A node's configuration cannot work.
    #[error("node {node}: {error}")]
    Config {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: ConfigError,
    },
    /// A policy's name is not known.
    #[error("session {session}: {error}")]
    Policy {
        /// The session.
        session: SessionKey,
        /// What is wrong.
        error: RegistryError,
    },
    /// The packets of a node do not add up: a bug of Bellini, never of the scenario.
    #[error("at {at}, node {node}: {made} packets came in or were made, {ended} are accounted for")]
    NodeLedger {
        /// When.
        at: String,
        /// Where.
        node: NodeId,
        /// Packets that came in or were made.
        made: u64,
        /// Packets that are accounted for.
        ended: u64,
    },
    /// The packets of the network do not add up: a bug of Bellini, never of the scenario.
    #[error("at {at}: {taken} packets went into the network, {accounted} are accounted for")]
    NetworkLedger {
        /// When.
        at: String,
        /// Packets that nodes handed to the network.
        taken: u64,
        /// Packets that are accounted for.
        accounted: u64,
    },
    /// More was delivered than the network can carry: a bug of Bellini, never of the scenario.
    #[error("{percent:.3} % of what the network can carry at most are said to be delivered")]
    Capacity {
        /// What was delivered, as a part of that, in percent.
        percent: f64,
    },
    /// Packets do not add up while the run goes on, or a node cannot be started again.
    #[error(transparent)]
    Testbed(TestbedError),
    /// The observer's record could not be written.
    #[error("{0}")]
    Observer(String),
}

impl From<ConductError> for SimError {
    fn from(error: ConductError) -> Self {
        match error {
            ConductError::Policy { session, error } => Self::Policy { session, error },
            ConductError::Testbed(error) => Self::Testbed(error),
            ConductError::Observer(error) => Self::Observer(error),
        }
    }
}
