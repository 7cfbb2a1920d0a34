//! Edges: where applications of this machine hand content to a session, and take it at its destinations.
//!
//! A scenario says what a session carries; an edge replaces that at its source by what an application brings, as
//! datagrams or as a stream of bytes, and hands what arrives to applications at destinations. The core sees offers and
//! deliveries only ([`bellini_core::content`]).

mod bridge;
mod delivery;
mod place;
mod plan;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use bridge::Bridge;
pub use place::{Place, PlaceError};
pub use plan::{EdgePlan, EdgePlanError, EdgeText};
pub(crate) use table::Edges;

use serde::{Deserialize, Serialize};

/// One end of a session at a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// An application brings the content: the node listens, or reads.
    Source(Place),
    /// An application takes what arrives: the node connects, or writes.
    Delivery {
        /// Where to.
        place: Place,
        /// Whether clients of the console hear of deliveries, too.
        tell: bool,
    },
}
