//! First-in first-out over all conferences: the negative control.

use crate::feeder::config::Lane;
use std::collections::VecDeque;

/// The order in which packets arrived, a line per lane so that the oldest live one is at hand.
///
/// It holds queues rather than packets: within a queue's lane packets keep their order, so the next packet of the
/// queue named first is the one meant.
#[derive(Default)]
pub(in crate::feeder) struct Arrivals {
    lines: [VecDeque<Arrival>; 2],
    bytes: [u64; 2],
    count: u64,
}

struct Arrival {
    number: u64,
    queue: u32,
    bytes: u32,
}

impl Arrivals {
    pub(super) fn pushed(&mut self, queue: u32, lane: Lane, bytes: u32) {
        self.lines[lane as usize].push_back(Arrival { number: self.count, queue, bytes });
        self.bytes[lane as usize] += u64::from(bytes);
        self.count += 1;
    }

    /// Returns the bytes of all packets in the lane.
    pub(super) const fn bytes(&self, lane: Lane) -> u64 {
        self.bytes[lane as usize]
    }

    /// Returns the queue and lane of the oldest packet.
    pub(super) fn oldest(&self) -> Option<(u32, Lane)> {
        let first = |lane: Lane| self.lines[lane as usize].front().map(|arrival| (arrival, lane));
        let (arrival, lane) =
            Lane::ALL.into_iter().filter_map(first).min_by_key(|(arrival, _)| arrival.number)?;
        Some((arrival.queue, lane))
    }

    /// Returns the queue of the oldest live packet.
    pub(super) fn oldest_live(&self) -> Option<u32> {
        self.lines[Lane::Live as usize].front().map(|arrival| arrival.queue)
    }

    /// The oldest packet of the lane is gone.
    pub(super) fn left(&mut self, lane: Lane) {
        let arrival = self.lines[lane as usize].pop_front();
        self.bytes[lane as usize] -= arrival.map_or(0, |arrival| u64::from(arrival.bytes));
    }

    /// Scans the shared lines for the packets of one queue: the cost that a queue per conference avoids.
    pub(super) fn forget(&mut self, queue: u32) {
        for (line, bytes) in self.lines.iter_mut().zip(&mut self.bytes) {
            line.retain(|arrival| arrival.queue != queue);
            *bytes = line.iter().map(|arrival| u64::from(arrival.bytes)).sum();
        }
    }
}
