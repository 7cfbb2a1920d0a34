//! The lab: real processes on one machine, joined by an emulated wide-area network.
//!
//! - [`netns`] gives each node a network namespace; [`tun`] is the one device in it.
//! - [`wan`] is what the network between them can be told and says, whatever it is made of: [`emulator`] runs the
//!   simulator's own links on the wall clock ([`pace`] lets the time pass), [`shaper`] uses the kernel's queues and
//!   shares nothing with the simulator.

pub mod emulator;
pub mod netns;
pub mod pace;
pub mod shaper;
pub mod tun;
pub mod wan;
