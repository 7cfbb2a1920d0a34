//! What a reliable source counts.

use serde::{Deserialize, Serialize};

/// What a source counted of reliable delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderStats {
    /// Packets with symbols that had been sent before.
    pub repeated_packets: u64,
    /// Those of them that were sent to find out if a flow leads somewhere.
    pub probes: u64,
    /// Packets that did not arrive at a destination, as far as was known when they were given up.
    pub lost_packets: u64,
    /// Acknowledgements that came.
    pub acks: u64,
    /// Acknowledgements that no destination can have meant: ignored.
    pub refused_acks: u64,
    /// Timeouts of flows.
    pub timeouts: u64,
    /// Times that new content had to wait because the windows of all flows were full.
    pub window_waits: u64,
    /// Times that it had to wait because some destination lacked too much.
    pub buffer_waits: u64,
    /// Packets that came twice to a destination, by what destinations say.
    pub duplicate_packets: u64,
    /// Destinations that said nothing for too long and were given up.
    pub expired: u64,
}

impl SenderStats {
    /// Adds what a later start of the source counted.
    pub fn add(&mut self, later: &Self) {
        self.repeated_packets += later.repeated_packets;
        self.probes += later.probes;
        self.lost_packets += later.lost_packets;
        self.acks += later.acks;
        self.refused_acks += later.refused_acks;
        self.timeouts += later.timeouts;
        self.window_waits += later.window_waits;
        self.buffer_waits += later.buffer_waits;
        self.duplicate_packets += later.duplicate_packets;
        self.expired += later.expired;
    }
}
