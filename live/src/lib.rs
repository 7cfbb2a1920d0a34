//! Live nodes: the tokio runtime around the protocol core.
//!
//! Nothing is in here yet. The core is written for it: hops are datagram, stream or control, drivers grant room and
//! say when a socket is full, payloads are bytes or descriptions of bytes, and one drain loop is what
//! every driver calls. The node daemon, the lab and deployment come next; until then `bellini lab` and
//! `bellini live` do not exist.
