//! Live nodes: the tokio runtime around the protocol core, and the lab.
//!
//! - [`console`] is how whoever conducts a run talks to a node process: orders in, answers out, JSON lines.
//! - [`lab`] is the wide-area network between the nodes of a lab: namespaces, devices, emulator.

pub mod console;
pub mod lab;
