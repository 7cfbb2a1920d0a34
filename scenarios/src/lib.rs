//! Scenarios: the text form and the model it stands for, embedded measurements, policies, the conductor of runs, run
//! records.
//!
//! [`parse::load`] turns a scenario file into a [`model::Scenario`], or into everything that is wrong with it
//! ([`diagnostic::Diagnostics`]). [`emit::to_text`] writes a scenario out with its defaults filled in.

pub mod account;
pub mod conduct;
pub mod data;
pub mod diagnostic;
pub mod emit;
pub mod fluid;
pub mod graph;
pub mod lp;
pub mod model;
pub mod parse;
pub mod plan;
pub mod policies;
pub mod policy;
pub mod record;
pub mod registry;
pub mod resolve;
pub mod schema;
pub mod units;
