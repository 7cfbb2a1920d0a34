//! Coded sessions: what their source, their relays and their destinations keep.

mod balance;
mod numbers;
mod ranks;
mod relay;
mod sink;
mod source;

pub use numbers::HopNumbers;
pub(crate) use ranks::REPORT_INTERVAL;
pub use ranks::{Arrived, Emitted, counted_by};
pub use relay::{Arrival, Payment, Recode, Taken as TakenUp};
pub use sink::{CodedSink, CodedSinkStats, Taken};
pub use source::{CodedSource, CodedSourceStats, Repaired};
