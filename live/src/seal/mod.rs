//! Sealed hops: who may speak to a node, and that nobody else can read or change what they say.
//!
//! - [`keys`] makes node keys and [`trust`] pins them: `bellini keys`.

pub mod keys;
#[cfg(test)]
mod testing;
pub mod trust;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a node needs to seal its hops: paths of files, as `bellini keys issue` writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealSettings {
    /// Its private key (PEM), which nobody else may be able to read.
    pub key: PathBuf,
    /// Its certificate (PEM).
    pub certificate: PathBuf,
    /// Whose keys count (`trust.json`). It is read again when it changes.
    pub trust: PathBuf,
}
