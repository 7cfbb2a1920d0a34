//! Content: what sessions carry. Sources make symbols, sinks judge what arrives. Usable in every mode.

pub mod spec;
