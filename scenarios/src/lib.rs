//! Scenarios: model, parser, topology, policies, records.
pub mod model;
pub mod policy;
pub mod record;
