//! Live nodes: the tokio runtime around the protocol core, and the lab.
//!
//! - [`node`] is the node daemon: the core, driven by real time and real sockets.
//!   [`node::Embedded`] is one in a program's own process.
//! - [`net`] has the sockets: batched datagrams and stream pipes, without a protocol rule in them.
//! - [`console`] is how whoever conducts a run talks to a node process: orders in, answers out, JSON lines; [`client`]
//!   is the other side of it.
//! - [`record`] logs every input of a node's core, and plays it again.
//! - [`lab`] runs a scenario with node processes on one machine: namespaces, devices, emulator.
//! - [`hosts`] runs a scenario with node processes on real machines, reached by ssh.
//! - [`listing`] is the server where conferences are registered and found.
//! - [`calibrate`] measures the network between running nodes and makes a topology of it.
//! - [`seal`] authenticates and encrypts hops: node keys, handshakes, sealed datagrams.
//! - [`reproduce`] puts loads on node processes and measures what they cost.

pub mod calibrate;
pub mod client;
pub mod console;
pub mod edge;
pub mod hosts;
pub mod lab;
pub mod listing;
pub mod net;
pub mod node;
mod play;
pub mod record;
pub mod reproduce;
pub mod seal;
