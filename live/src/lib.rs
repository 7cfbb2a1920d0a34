//! Live nodes: the tokio runtime around the protocol core, and the lab.
//!
//! - [`console`] is how whoever conducts a run talks to a node process: orders in, answers out, JSON lines.
//! - [`record`] logs every input of a core, and replays such logs offline.

pub mod console;
pub mod record;
