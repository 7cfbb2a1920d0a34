//! What a run cost, by the accountant.

use super::round;
use serde::{Deserialize, Serialize};

/// What a run cost: both ways of billing side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The percentile that is charged.
    #[serde(serialize_with = "round::float")]
    pub percentile: f64,
    /// Length of an interval in seconds.
    #[serde(serialize_with = "round::float")]
    pub interval_s: f64,
    /// Length of a charging period in seconds.
    #[serde(serialize_with = "round::float")]
    pub period_s: f64,
    /// `each` or `larger`.
    pub direction: String,
    /// Intervals of the run, within the measuring window.
    pub intervals: u64,
    /// Price of the bytes that priced links carried in the window; `None`: no link has a price.
    #[serde(serialize_with = "round::option")]
    pub traffic_usd: Option<f64>,
    /// Price of the charged rates for one whole period; a shorter run stands for all of it. `None`: no link has a price.
    #[serde(serialize_with = "round::option")]
    pub percentile_usd: Option<f64>,
    /// The same, were the maximum charged.
    #[serde(serialize_with = "round::option")]
    pub max_usd: Option<f64>,
    /// Hours of machines in the window: nodes with a region or a price by the hour.
    #[serde(serialize_with = "round::float")]
    pub vm_hours: f64,
    /// Their price; `None`: that of a machine is not known.
    #[serde(serialize_with = "round::option")]
    pub vm_usd: Option<f64>,
    /// Where prices of machines come from, in words.
    pub vm_source: Option<String>,
    /// Links that carried something, in order of (from, to).
    pub links: Vec<LinkCost>,
}

/// What one link cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkCost {
    /// Sending end.
    pub from: u32,
    /// Receiving end.
    pub to: u32,
    /// The charged rate.
    #[serde(serialize_with = "round::float")]
    pub charged_mbps: f64,
    /// The largest rate of an interval.
    #[serde(serialize_with = "round::float")]
    pub max_mbps: f64,
    /// Price of its bytes; `None`: it has none.
    #[serde(serialize_with = "round::option")]
    pub traffic_usd: Option<f64>,
    /// Price of its charged rate for a period; zero where the other direction is charged.
    #[serde(serialize_with = "round::option")]
    pub percentile_usd: Option<f64>,
    /// The same, were the maximum charged.
    #[serde(serialize_with = "round::option")]
    pub max_usd: Option<f64>,
}
