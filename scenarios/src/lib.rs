//! Scenarios: model, parser, topology, policies, records.
pub mod data;
pub mod graph;
pub mod model;
pub mod policies;
pub mod policy;
pub mod rates;
pub mod record;
pub mod registry;
