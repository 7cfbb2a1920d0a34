//! Limits and scheduling of feeders.

/// Limits and scheduler of every feeder of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeederConfig {
    /// Most bytes in one conference's live lane; beyond it the oldest packets go (head drop).
    pub live_bytes_max: u64,
    /// Most bytes in one conference's bulk lane; beyond it new packets are refused (tail drop).
    pub bulk_bytes_max: u64,
    /// Which conference's queue is served next.
    pub scheduler: Scheduler,
}

impl Default for FeederConfig {
    /// 256 KiB live (about 100 ms at 20 Mbit/s), 1 MiB bulk, round-robin.
    fn default() -> Self {
        Self { live_bytes_max: 256 << 10, bulk_bytes_max: 1 << 20, scheduler: Scheduler::RoundRobin }
    }
}

/// Which conference's queue a feeder serves next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// One packet from each conference in turn.
    RoundRobin,
    /// Bytes in proportion to the conferences' weights (deficit round robin, Shreedhar and Varghese 1995).
    DeficitWeighted,
    /// The conference of the highest priority that has packets; equals take turns.
    StrictPriority,
    /// One shared first-in first-out queue: no isolation at all. It exists as the negative control of the
    /// scheduler tests and for ablations.
    Fifo,
}
