//! Run records: what every mode leaves in a run directory, and how it is read back.
//!
//! A run directory holds `scenario.json` (resolved), `summary.json` ([`Summary`]), `series.csv` ([`SeriesRow`]),
//! `events.jsonl` ([`EventRow`]) and `delays.csv` ([`DelayRow`]); the plots and `report.html` are made from these
//! alone. [`RunDirectory`] writes, [`Run`] reads. Every column and key is defined once, in [`METRICS`].
//!
//! Records are the same bytes for the same values on every machine: floats are rounded to six decimals and
//! printed in their shortest form, maps are ordered, and a value that is not finite is refused, not written.

mod cost;
mod delays;
mod directory;
mod error;
mod events;
mod lab;
mod loss_runs;
mod metrics;
mod round;
mod run;
mod series;
mod summary;
#[cfg(test)]
mod tests;

pub use cost::{Cost, LinkCost};
pub use delays::DelayRow;
pub use directory::{EventWriter, Overwrite, RunDirectory, SeriesWriter};
pub use error::RecordError;
pub use events::{EventRow, kind};
pub use lab::{Lab, LabLimits};
pub use loss_runs::LossRuns;
pub use metrics::{METRICS, Metric, Recorded, metric, metrics_markdown};
pub use run::Run;
pub use series::{Curve, Scope, Series, SeriesKey, SeriesRow};
pub use summary::{
    CrossFlowSummary, DelayMs, DestinationSummary, Engine, FlowSummary, LinkSummary, Mode, NodeSummary,
    QueueingMs, SCHEMA, SessionSummary, Status, Summary, View,
};

/// Names of the files in a run directory.
pub mod file {
    /// The resolved scenario.
    pub const SCENARIO: &str = "scenario.json";
    /// The figures of the run.
    pub const SUMMARY: &str = "summary.json";
    /// Values in time.
    pub const SERIES: &str = "series.csv";
    /// What happened, one JSON object a line.
    pub const EVENTS: &str = "events.jsonl";
    /// Delay distributions.
    pub const DELAYS: &str = "delays.csv";
    /// The folder of the plots.
    pub const PLOTS: &str = "plots";
    /// The report page.
    pub const REPORT: &str = "report.html";
}
