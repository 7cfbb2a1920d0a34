//! The lab: real processes on one machine, joined by an emulated wide-area network.
//!
//! - [`Lab`] is one run of a scenario: node processes, the network between them, and the conductor that plays it.
//! - [`IdleLab`] is nodes and network without a run, to be looked at from outside.
//! - [`netns`] gives each node a network namespace; [`tun`] is the one device in it.
//! - [`wan`] is what the network between them can be told and says, whatever it is made of: [`emulator`] runs the
//!   simulator's own links on the wall clock ([`pace`] lets the time pass), [`shaper`] uses the kernel's queues and
//!   shares nothing with the simulator.
//! - Cross traffic by patterns is the link model's; TCP as cross traffic is the kernel's own, between the namespaces.
//! - [`LabLimits`] say when the machine was too slow for a run to be believed; [`clean`] removes what killed labs left.

mod bed;
mod cross;
mod director;
pub mod emulator;
mod error;
mod idle;
mod limits;
pub mod netns;
mod network;
pub mod pace;
pub(crate) mod plan;
mod priority;
pub(crate) mod process;
pub mod shaper;
pub mod tun;
pub mod wan;
pub(crate) mod workshop;

pub use director::Lab;
pub use error::LabError;
pub use idle::IdleLab;
pub use limits::{LabHealth, LabLimits};
pub use netns::Privilege;
pub use plan::{LabOptions, node_config};
pub use workshop::{Leftover, clean};
