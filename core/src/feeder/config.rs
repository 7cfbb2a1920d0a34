//! Limits and scheduling of feeders.

use serde::{Deserialize, Serialize};

/// Limits and scheduler of every feeder of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeederConfig {
    /// Most bytes in one conference's live lane; beyond it the oldest packets go (head drop). With
    /// [`Scheduler::Fifo`]: in the live lane that all conferences share.
    pub live_bytes_max: u64,
    /// Most bytes in one conference's bulk lane; beyond it new packets are refused (tail drop). With
    /// [`Scheduler::Fifo`]: in the bulk lane that all conferences share.
    pub bulk_bytes_max: u64,
    /// Which conference's queue is served next.
    pub scheduler: Scheduler,
    /// Bytes that a conference of weight 1 may send in one turn of [`Scheduler::DeficitWeighted`]; at least 1.
    /// From the size of the largest packet on, a packet is chosen in constant time.
    pub quantum_bytes: u32,
    /// Most packets queued in one feeder, all conferences together; at least 1. It bounds the feeder's memory
    /// (one packet struct each) when many conferences, or tiny packets, fill their byte limits.
    pub packets_max: u32,
    /// Most conferences that one feeder keeps (about 100 B each): those with queued packets, and those with a
    /// configured weight or priority. Packets of further ones are refused.
    pub conferences_max: usize,
}

impl Default for FeederConfig {
    /// 256 KiB live (about 100 ms at 20 Mbit/s), 1 MiB bulk, round-robin; a quantum of 1,500 B (one Ethernet
    /// MTU), 2^20 packets, 65,536 conferences.
    fn default() -> Self {
        Self {
            live_bytes_max: 256 << 10,
            bulk_bytes_max: 1 << 20,
            scheduler: Scheduler::RoundRobin,
            quantum_bytes: 1500,
            packets_max: 1 << 20,
            conferences_max: 65_536,
        }
    }
}

/// Which conference's queue a feeder serves next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The two lanes of a conference's queue. The live lane is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Content that loses its worth with age: the oldest packets make room for new ones (head drop).
    Live,
    /// Content that must arrive whole: new packets are refused while there is no room (tail drop).
    Bulk,
}

impl Lane {
    /// Both lanes, in the order in which they are served.
    pub const ALL: [Self; 2] = [Self::Live, Self::Bulk];
}
