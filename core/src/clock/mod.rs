//! How far another node's clock is ahead of this one's, and how wrong that may be.
//!
//! A one-way delay needs two clocks. A destination asks the source for its time (a *probe*), and from the answers it
//! keeps an interval in which the difference of both clocks lies for certain, with the likeliest value inside it:
//! [`ClockEstimator`]. `ClockPeers` holds one for each source that this node listens to.
//!
//! `docs/clocks.md` has the derivation, what is assumed, and measured coverage.

mod estimator;
#[cfg(test)]
mod estimator_tests;
mod line;
mod peers;

pub use estimator::{ClockEstimator, Estimate, Exchange, ReplyOutcome};
pub(crate) use peers::ClockPeers;

use crate::time::Duration;

/// Largest rate, in nanoseconds per second, at which two clocks are taken to run apart: each within 100 ppm of true
/// time, the usual tolerance of crystals that nobody corrects. Everything that is claimed of bounds rests on it.
pub const RATE_MAX_PPB: u64 = 200_000;
/// Largest rate at which one clock is taken to run away from true time.
pub const OWN_RATE_MAX_PPB: u64 = RATE_MAX_PPB / 2;
/// What reading a clock may be off by, in nanoseconds: one reading at each end.
pub const GRANULARITY_NS: u64 = 1_000;
/// Exchanges that an estimator remembers: about a minute of them at the usual rate.
pub const WINDOW: usize = 64;
/// Probes in the quick start.
pub const BURST: u32 = 8;
/// How long the quick start takes, or one interval between probes if that is shorter.
pub const BURST_TIME: Duration = Duration::from_secs(1);

/// Returns what `rate_ppb` nanoseconds a second make of `span_ns` nanoseconds, rounded up.
fn gained(span_ns: u64, rate_ppb: u64) -> u64 {
    let gained = (u128::from(span_ns) * u128::from(rate_ppb)).div_ceil(1_000_000_000);
    u64::try_from(gained).unwrap_or(u64::MAX)
}
