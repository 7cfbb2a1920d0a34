//! Scenarios: model, parser, topology, policies, records.
pub mod data;
pub mod model;
pub mod policy;
