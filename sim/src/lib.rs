//! The deterministic discrete-event simulator of Bellini.
//!
//! It drives the same [`bellini_core::Node`] as live nodes do, over modelled links, in virtual time. Same scenario,
//! seed and version: same bytes out, on any machine.
//!
//! - [`Simulation`] is one run: [`world`] (nodes and the [`network`] between them), the scenario's timeline, its
//!   planners, and a recorder, each acting by events only.
//! - [`link`] is the link model, sans-IO; [`agenda`] the pending events; [`pool`] the packets on their way.
//! - [`observer`] is how a driver watches; [`Outcome`] is what a run leaves.
//!
//! Time passes in one loop ([`world::World::step`]). The order of events of the same time is fixed: class, then
//! entity. Nothing crosses between nodes but through the network.

pub mod agenda;
pub mod clock;
pub mod digest;
pub mod error;
pub mod link;
pub mod network;
pub mod observer;
mod planner;
pub mod pool;
mod recorder;
mod report;
mod simulation;
mod summary;
mod timeline;
mod transports;
mod view;
pub mod world;

pub use error::SimError;
pub use observer::{NoObserver, Observer, Progress};
pub use simulation::Simulation;
pub use summary::Outcome;
