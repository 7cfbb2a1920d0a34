//! Traffic of whole charging periods without packets, and what nobody could undercut: what a way to route is measured by.
//!
//! [`Workload`] draws videos between datacenters, [`run`] plays them by a [`Strategy`] of Jetway, [`bound`] and the exact
//! programs say what full knowledge could do. Nothing here decides for a conference: policies are in `policies`.
//!
//! [`Strategy`]: crate::policies::jetway::Strategy

mod bound;
mod branch;
mod exact;
mod month;
mod workload;

pub use bound::{Bound, bound};
pub use branch::{Exact, exact_lasting};
pub use exact::exact_max;
pub use month::{Month, cost, run, run_each, with_hindsight};
pub use workload::{Workload, WorkloadSpec};

#[cfg(test)]
mod tests;
