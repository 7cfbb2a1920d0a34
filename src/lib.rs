//! Bellini ferries application traffic through geo-distributed datacenters.
//!
//! One scenario file describes a topology, conferences with sessions, routing policies, flow assignments, faults.
//! The simulator runs it with the same protocol core that live nodes run. This crate is the face of the workspace:
//! the types that a policy of your own needs, and [`cli::run`], which gives your binary every subcommand.
//!
//! ```no_run
//! use bellini::policy::{PolicyError, Request, RouteChoice, Routing};
//! use bellini::{Registry, Route};
//!
//! struct Direct;
//! impl Routing for Direct {
//!     fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
//!         let branches = request.destinations.iter().flat_map(|node| Route::path(&[*node]).branches).collect();
//!         Ok(vec![Route { branches }.into()])
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     bellini::cli::run(Registry::builtin().routing("mine", || Box::new(Direct)))
//! }
//! ```

pub mod api;
pub mod cli;

pub use bellini_core as core;
pub use bellini_core::ids::{ConferenceId, NodeId, SessionId, SessionKey};
pub use bellini_core::route::{Branch, Route};
pub use bellini_core::time::{Duration, Instant};
pub use bellini_core::units::BitRate;
pub use bellini_live as live;
pub use bellini_reports as reports;
pub use bellini_scenarios as scenarios;
pub use bellini_scenarios::registry::Registry;
pub use bellini_scenarios::{graph, policy, record};
pub use bellini_sim as sim;
