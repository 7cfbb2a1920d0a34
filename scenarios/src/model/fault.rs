//! The fault timeline.

use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// Something that breaks, or is mended, at a point of scenario time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When.
    pub at: Duration,
    /// What.
    pub kind: FaultKind,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Links carry nothing any more; what is on them is lost.
    Cut(LinkSelector),
    /// Links work again as the scenario describes them.
    Heal(LinkSelector),
    /// Links get worse until healed. Each `None` leaves that property alone.
    Degrade {
        /// Which links.
        links: LinkSelector,
        /// Their rate is multiplied by this.
        rate_factor: Option<f64>,
        /// This much delay is added.
        extra_delay: Option<Duration>,
        /// Packets are also lost with this probability.
        extra_loss: Option<f64>,
    },
    /// A node's process dies at once, with all it holds in memory.
    Crash(NodeId),
    /// A crashed node's process starts again.
    Restart(NodeId),
    /// No link between the two groups carries anything; `Heal` of the same links ends it.
    Partition(Vec<NodeId>, Vec<NodeId>),
}

/// Chooses links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSelector {
    /// These links, by index into `Scenario::links`.
    Links(Vec<usize>),
}
