//! Measured data of real clouds, embedded in the program.
//!
//! A scenario names regions (`aws:us-east-1`) and a data set (`aws-2013`); delays, rates and prices of the links
//! between them come from here, with source and date. [`traces`] holds recorded video frames, bitrate ladders
//! and access-link rates. The tables lie in `scenarios/data/` as text, with `SOURCES.md` beside them; each is
//! parsed once, on first use, and answers from a dense table afterwards.

mod dataset;
mod decimal;
mod matrix;
mod region;
pub mod traces;

pub use dataset::{Dataset, dataset, dataset_names};
pub use region::{Region, region, region_names};
