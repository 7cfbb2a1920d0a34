//! What a sink counts.

use super::super::coded::CodedSinkStats;
use serde::{Deserialize, Serialize};

/// What a destination counted of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkSessionStats {
    /// Symbols delivered, each once.
    pub delivered_packets: u64,
    /// Their payload bytes.
    pub delivered_bytes: u64,
    /// Sum of their delays in nanoseconds.
    pub delay_ns_sum: u64,
    /// Packets whose symbol had been delivered.
    pub duplicate_packets: u64,
    /// Packets too far behind the newest, of an earlier epoch, or of a time that cannot be.
    pub late_packets: u64,
    /// Symbols delivered that were created in the measuring window.
    pub measured_packets: u64,
    /// Their payload bytes.
    pub measured_bytes: u64,
    /// Duplicates of symbols created in the measuring window.
    pub measured_duplicates: u64,
    /// Deliveries whose timestamp lay in the future even after correction; their delay counts as zero.
    pub negative_delays: u64,
    /// Measured symbols whose delay is not among the delays, because nothing was known of the source's clock yet.
    #[serde(default)]
    pub unclocked_packets: u64,
    /// Largest bound of the error of a measured symbol's delay, in nanoseconds; 0 where clocks are not estimated.
    #[serde(default)]
    pub delay_error_ns_max: u64,
    /// Acknowledgements sent.
    #[serde(default)]
    pub acks: u64,
    /// Acknowledgements that no way back to the source was known for.
    #[serde(default)]
    pub wayless_acks: u64,
    /// Symbols of a reliable session that were delivered out of order, because their source went beyond the window.
    #[serde(default)]
    pub unordered_packets: u64,
    /// Symbols that did not open: changed on the way, or sealed under another key. Nothing of them was delivered.
    #[serde(default)]
    pub unopened_symbols: u64,
    /// What decoding came to; zeros where nothing is coded.
    #[serde(default)]
    pub coded: CodedSinkStats,
}
