//! The emulated network with real sockets: every test makes its own namespaces, and is skipped where it may not.

mod common;
mod faults;
mod links;
mod shaper;
