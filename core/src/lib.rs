//! The sans-IO protocol core of Bellini.
pub mod content;
pub mod feeder;
pub mod ids;
pub mod payload;
pub mod rng;
pub mod route;
pub mod time;
pub mod units;
