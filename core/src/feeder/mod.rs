//! Feeders: one per next hop, with a queue per conference.
//!
//! The dispatcher pushes packets into the feeder of their next hop; the hop pops one whenever it may send.
//! Inside, every conference has a queue of its own with two [`Lane`]s (live before bulk), each bounded in bytes,
//! and a [`Scheduler`] says whose turn it is. So one conference's burst neither delays nor evicts another's
//! packets, and ending a conference takes its queue away in one step, whatever waits in it (paper, Section III,
//! "Supporting Concurrent Conferences and Sessions", Fig. 5).
//!
//! How it is built, from the bottom up:
//! - `slab.rs`: packets lie in slots that never move, are written and read in place and are used again; the chain
//!   from slot to slot is kept apart from them, 8 B each.
//! - `queue.rs`: a lane is a chain of slots; a queue is two lanes and its place in a ring of queues.
//! - `table.rs`: finds a conference's queue and takes idle ones back.
//! - `scheduler/`: round-robin, deficit round robin, strict priority, and first-in first-out, behind one enum.
//! - `feeder.rs`: [`Feeder`] itself: limits, drops, accounts.
//!
//! Every call takes constant time, except where its documentation says otherwise. Memory grows with the deepest
//! backlog so far, up to [`FeederConfig::packets_max`], and is kept: a steady state allocates nothing.

mod config;
#[expect(clippy::module_inception, reason = "the type `Feeder` lives in the file of its name")]
mod feeder;
mod queue;
mod scheduler;
mod slab;
mod stats;
mod table;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod share_tests;

pub use config::{FeederConfig, Lane, Scheduler};
pub use feeder::{Feeder, Popped};
pub use stats::{Backlog, FeederStats, Removed};
