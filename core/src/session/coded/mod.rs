//! Coded sessions: what their source, their relays and their destinations keep.

mod numbers;
mod relay;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use numbers::HopNumbers;
pub use relay::{Arrival, Payment, Recode, Taken as TakenUp};
pub use sink::{CodedSink, CodedSinkStats, Taken};
pub use source::{CodedSource, CodedSourceStats, Repaired};
