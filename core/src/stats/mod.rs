//! Statistics that a node keeps of what passes.

mod counters;
mod histogram;

pub use counters::{Drop, NodeStats, Reject};
pub use histogram::Histogram;
