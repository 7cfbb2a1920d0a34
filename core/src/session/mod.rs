//! Sessions at a node: as their source, as a destination, as a relay.

pub mod coded;
mod loss_runs;
mod relay;
mod sink;
mod source;
mod table;

pub(crate) use relay::Learnt;
pub use relay::{RelayFlow, RelayState};
pub use sink::{SinkOutcome, SinkSession, SinkSessionStats};
pub use source::{FirstHop, SourceSession, SourceSessionStats};
pub use table::{CodedEntry, ConferenceEntry, OverflowState, SessionEntry, SessionTable};
