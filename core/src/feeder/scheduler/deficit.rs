//! Deficit round robin: bytes in proportion to weights.
//!
//! Source: M. Shreedhar and G. Varghese, "Efficient Fair Queueing using Deficit Round Robin", SIGCOMM 1995. Each
//! turn a queue gains its quantum (weight x base quantum) and sends packets while they fit; what is left counts
//! for its next turn, unless it runs empty. While two queues stay filled, the bytes they sent, divided by their
//! weights, differ by no more than the base quantum plus the largest packet of each. A packet larger than the
//! quantum waits for several turns, so that choosing takes amortised time bytes / quantum: constant for a base
//! quantum of one MTU.

use crate::feeder::queue::{Queue, Ring};
use crate::feeder::slab::Links;

/// The ring of filled queues, and the base quantum.
pub(in crate::feeder) struct DeficitRing {
    ring: Ring,
    quantum_bytes: u32,
}

impl DeficitRing {
    pub(super) const fn new(quantum_bytes: u32) -> Self {
        Self { ring: Ring::EMPTY, quantum_bytes }
    }

    /// The quantum of a turn is granted when the queue gets in line, which comes to the same as at the turn's start
    /// and spares the question whether a turn has started.
    fn grant(&self, queue: &mut Queue) {
        queue.deficit += u64::from(queue.weight) * u64::from(self.quantum_bytes);
    }

    #[inline]
    pub(super) fn filled(&mut self, queues: &mut [Queue], index: u32) {
        self.ring.append(queues, index);
        self.grant(&mut queues[index as usize]);
    }

    #[inline]
    pub(super) fn emptied(&mut self, queues: &mut [Queue], index: u32) {
        self.ring.remove(queues, index);
        queues[index as usize].deficit = 0;
    }

    #[inline]
    pub(super) fn select(&mut self, queues: &mut [Queue], links: &Links) -> Option<u32> {
        loop {
            let index = self.ring.head()?;
            let queue = &mut queues[index as usize];
            let slot = queue.lane(queue.front_lane()).front().expect("the ring holds filled queues only");
            if queue.deficit >= cost(links.bytes(slot)) {
                return Some(index);
            }
            self.grant(queue);
            self.ring.turn(queues);
        }
    }
}

/// Charges a packet to the queue whose turn it is.
pub(super) fn served(queues: &mut [Queue], index: u32, bytes: u32) {
    queues[index as usize].deficit -= cost(bytes);
}

/// A packet of no bytes costs something too: a stream of them must not hold the turn for ever.
fn cost(bytes: u32) -> u64 {
    u64::from(bytes.max(1))
}
