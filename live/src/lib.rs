//! Live nodes: the tokio runtime around the protocol core, and the lab.
//!
//! - [`console`] is how whoever conducts a run talks to a node process: orders in, answers out, JSON lines.
//! - [`calibrate`] measures the network between running nodes and makes a topology of it.
//! - [`client`] is the other side of it.
//! - [`net`] is the sockets of a node, without a protocol rule in them.
//! - [`node`] is the node daemon: the core, driven by real time and real sockets.
//! - [`reproduce`] puts loads on node processes and measures what they cost.

pub mod calibrate;
pub mod client;
pub mod console;
pub mod net;
pub mod node;
pub mod reproduce;
