//! The sliding window of live sessions: combinations of the newest symbols, without waiting for a generation to fill.
//!
//! As in RFC 8681 a repair combines all symbols of the encoding window at the time, and a symbol leaves the window when it is
//! full, or when the symbol is older than the latency budget. The destination solves for the symbols that it lacks
//! alone, and gives up what is older than its own budget. The bytes are not those of RFC 8681.

mod decoder;
mod encoder;
mod row;
#[cfg(test)]
mod tests;

pub use decoder::{WindowDecoder, WindowLimits, WindowStats};
pub use encoder::{WindowEncoder, WindowRepair};
