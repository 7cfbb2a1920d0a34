//! Sessions at a node: as their source, as a destination, as a relay.

mod loss_runs;
mod relay;
mod sink;
mod source;
mod table;

pub(crate) use relay::Learnt;
pub use relay::{RelayFlow, RelayState};
pub use sink::{SinkOutcome, SinkSession, SinkSessionStats};
pub use source::{FirstHop, SourceSession, SourceSessionStats};
pub use table::{ConferenceEntry, OverflowState, SessionEntry, SessionTable};
