//! Live nodes: the tokio runtime around the protocol core, and the lab.
//!
//! - [`console`] is how whoever conducts a run talks to a node process: orders in, answers out, JSON lines.
//! - [`net`] has the sockets: batched datagrams and stream pipes.

pub mod console;
pub mod net;
