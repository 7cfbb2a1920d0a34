//! Conducting a run: what happens when, what is counted, and how that becomes results, whatever the run is played on.
//!
//! A run is played on a [`Testbed`]: the simulator's world, or real processes on emulated or real networks. The
//! conductor gives nodes their commands at the times of the scenario, answers the questions of nodes with the
//! policies' decisions, works off the fault timeline, takes samples, and makes the run's records of what the testbed
//! counted. It is one for every mode, so that modes can differ only in what carries the packets.

mod accountant;
mod answers;
mod backups;
mod conductor;
mod error;
mod events;
mod faults;
mod figures;
mod listing;
mod measured;
mod membership;
mod observer;
mod planner;
mod policies;
mod recorder;
mod report;
mod results;
mod roster;
mod soundness;
mod tally;
mod testbed;
#[cfg(test)]
mod tests;
mod timeline;
mod view;

pub use conductor::{Conductor, Duty};
pub use error::ConductError;
pub use figures::{
    CrossFlowFigures, FeederFigures, HopFigures, LinkFigures, NodeFigures, ProcessFigures, SessionCounts,
    SessionFigures, SourceCounts,
};
pub use observer::{NoObserver, Observer, Progress};
pub use policies::SessionPolicies;
pub use results::Outcome;
pub use tally::{SessionTally, SinkTally, SourceTally};
pub use testbed::{Degrade, Testbed, TestbedError};
pub(crate) use view::mean_rate as mean_link_rate;
pub use view::{network_view, planning_view};
