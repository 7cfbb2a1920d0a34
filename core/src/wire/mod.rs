//! Wire formats: what crosses a hop. Every number is big endian; every field is in `docs/protocol.md`.
//!
//! A frame belongs to the connection between two nodes, a packet to a session. Parsers take hostile bytes: they
//! never panic, never allocate more than the input's length implies, and say what is wrong.

pub mod control;
pub mod error;
mod field;
pub mod frame;
pub mod hello;
pub mod packet;
pub mod routing;
pub mod stream;
