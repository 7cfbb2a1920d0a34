//! The accountant: what traffic costs, by percentile charging and as clouds bill it today.
//!
//! A link's traffic is cut into intervals of equal length. Percentile charging sorts their volumes and bills the one at
//! rank ceil(q/100 * I) of the period's I intervals (95 %, 5 minutes, 30 days: sample 8,208 of 8,640; the 432 above it
//! are free). Charging the maximum is q = 100. Clouds bill every byte and the hours of machines instead; both are worked
//! out side by side. It is arithmetic on series of volumes, whoever measured or computed them.

mod meter;
mod statement;

pub use meter::Meter;
pub use statement::{Line, LinkTraffic, Statement};

use bellini_core::time::Duration;

/// How traffic is charged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Billing {
    /// The percentile q that is charged, above 0 to 100; 100 charges the maximum.
    pub percentile: f64,
    /// Length of an interval.
    pub interval: Duration,
    /// Length of a charging period; at least an interval.
    pub period: Duration,
    /// Which of the two directions between a pair of nodes is charged.
    pub direction: Direction,
    /// Price of one Mbit/s of charged rate for one period, the same for all links; `None`: of each link, what a period at
    /// that rate costs at its price by volume.
    pub usd_per_mbps: Option<f64>,
    /// Price of a machine for one hour, where it is the same for all; each node has its own
    /// ([`Node::vm_usd_per_hour`](crate::model::Node::vm_usd_per_hour)).
    pub vm_usd_per_hour: Option<f64>,
}

/// Which of the two directions between a pair of nodes is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Each by itself.
    #[default]
    Each,
    /// The one with the larger charged volume; the other is free.
    Larger,
}

impl Direction {
    /// Returns the direction's word, as in scenarios.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Larger => "larger",
        }
    }
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            percentile: 95.0,
            interval: Duration::from_secs(300),
            period: Duration::from_secs(30 * 24 * 3_600),
            direction: Direction::Each,
            usd_per_mbps: None,
            vm_usd_per_hour: None,
        }
    }
}

impl Billing {
    /// Returns the intervals of a period, at least one.
    #[must_use]
    pub fn intervals(&self) -> usize {
        let intervals = self.period.as_nanos() / self.interval.as_nanos().max(1);
        usize::try_from(intervals).unwrap_or(usize::MAX).max(1)
    }
}

/// Returns the rank, from 1 on, of the volume that is charged among `intervals` sorted ascending: ceil(q/100 * I).
#[must_use]
pub fn charged_rank(percentile: f64, intervals: usize) -> usize {
    // Parts of a rank that come from rounding must not cost an interval: 95 % of 8,640 is 8,208.
    let rank = (percentile / 100.0 * intervals as f64 - 1e-6).ceil();
    (rank as usize).clamp(1, intervals.max(1))
}

/// Returns how many of `intervals` are free: those above the charged one.
#[must_use]
pub fn free_intervals(percentile: f64, intervals: usize) -> usize {
    intervals.max(1) - charged_rank(percentile, intervals)
}

/// Returns the charged volume of a period of `intervals` of which `volumes` are known; the others carried nothing.
/// Volumes beyond the period are not looked at.
#[must_use]
pub fn charged_volume(volumes: &[f64], intervals: usize, percentile: f64) -> f64 {
    let volumes = &volumes[..volumes.len().min(intervals)];
    let free = free_intervals(percentile, intervals);
    if free >= volumes.len() {
        return 0.0;
    }
    let mut sorted = volumes.to_vec();
    let (_, charged, _) = sorted.select_nth_unstable_by(free, |a, b| b.total_cmp(a));
    *charged
}

#[cfg(test)]
mod tests;
