//! Flows of a session: the list with cached routing headers, and the draw of one flow per packet.

mod backup;
mod dedup;
mod draw;
mod list;

pub use backup::{reached, shares_now};
pub use dedup::{Arrived, SymbolWindow};
pub use draw::{BadShares, FlowDraw};
pub use list::{Flow, FlowBranch, FlowList};
