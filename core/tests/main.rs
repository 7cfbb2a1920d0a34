//! Integration tests of the core, in one binary.

mod node;
mod wire;
