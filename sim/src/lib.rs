//! The deterministic discrete-event simulator of Bellini.
//!
//! It drives the same [`bellini_core::Node`] as live nodes do, over modelled links, in virtual time. Same scenario,
//! seed and version: same bytes out, on any machine.
//!
//! - [`Simulation`] is one run: [`world`] (nodes and the [`network`] between them), which a
//!   [`bellini_scenarios::conduct::Conductor`] plays the scenario on, acting by events only.
//! - [`link`] is the link model, sans-IO; [`agenda`] the pending events; [`pool`] the packets on their way.
//! - [`Observer`] is how a driver watches; [`Outcome`] is what a run leaves.
//!
//! Time passes in one loop ([`world::World::step`]). The order of events of the same time is fixed: class, then
//! entity. Nothing crosses between nodes but through the network.

pub mod agenda;
mod capacity;
pub mod clock;
pub mod digest;
pub mod error;
pub mod link;
pub mod network;
pub mod pool;
mod simulation;
mod streams;
pub mod tcp;
mod testbed;
pub mod world;

pub use bellini_scenarios::conduct::{NoObserver, Observer, Outcome, Progress};
pub use error::SimError;
pub use simulation::Simulation;
