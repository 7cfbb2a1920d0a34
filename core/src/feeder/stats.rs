//! What a feeder counts.

use serde::{Deserialize, Serialize};

/// Packets and bytes that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Packets queued.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Packets and bytes that went with a conference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "removed packets belong into the caller's accounts"]
pub struct Removed {
    /// Packets removed.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Counters of one feeder since it came into being.
///
/// What goes in comes out: `pushed = popped + dropped_live + removed + backlog`, in packets and in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederStats {
    /// Packets accepted.
    pub pushed_packets: u64,
    /// Bytes accepted.
    pub pushed_bytes: u64,
    /// Packets handed to the hop.
    pub popped_packets: u64,
    /// Bytes handed to the hop.
    pub popped_bytes: u64,
    /// Accepted live packets that made room for newer ones (head drop).
    pub dropped_live_packets: u64,
    /// Their bytes.
    pub dropped_live_bytes: u64,
    /// Live packets never accepted: larger than the whole lane, or no slot or queue left for them.
    pub refused_live_packets: u64,
    /// Their bytes.
    pub refused_live_bytes: u64,
    /// Bulk packets never accepted: no room in the lane (tail drop), or no slot or queue left for them.
    pub refused_bulk_packets: u64,
    /// Their bytes.
    pub refused_bulk_bytes: u64,
    /// Accepted packets that went with their conference.
    pub removed_packets: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Times that a conference got no queue because `conferences_max` others hold one. The packet concerned is
    /// also counted as refused.
    pub refused_conferences: u64,
    /// Most bytes ever queued at once.
    pub bytes_peak: u64,
}

impl FeederStats {
    /// Returns what was accepted and has not left: the backlog.
    pub(super) const fn backlog(&self) -> Backlog {
        Backlog {
            packets: self.pushed_packets
                - self.popped_packets
                - self.dropped_live_packets
                - self.removed_packets,
            bytes: self.pushed_bytes - self.popped_bytes - self.dropped_live_bytes - self.removed_bytes,
        }
    }
}
