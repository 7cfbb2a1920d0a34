//! Feeders: one per next hop, with a queue per conference.

mod config;

pub use config::{FeederConfig, Scheduler};
