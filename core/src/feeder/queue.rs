//! A conference's queue: two lanes, each a chain of slots, and its place in a ring of queues.

use super::config::Lane;
use super::slab::{Links, NIL};
use super::stats::Backlog;
use crate::ids::ConferenceId;

/// A chain of slots, oldest first.
pub(super) struct Chain {
    head: u32,
    tail: u32,
    packets: u32,
    bytes: u64,
}

impl Chain {
    const EMPTY: Self = Self { head: NIL, tail: NIL, packets: 0, bytes: 0 };

    /// Returns the bytes in the chain.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether there is nothing in the chain.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Returns the oldest slot.
    #[inline]
    pub(super) const fn front(&self) -> Option<u32> {
        if self.head == NIL { None } else { Some(self.head) }
    }

    /// Appends a slot that was just taken for `bytes` bytes.
    #[inline]
    pub(super) fn push_back(&mut self, links: &mut Links, slot: u32, bytes: u32) {
        if self.tail == NIL {
            self.head = slot;
        } else {
            links.set_next(self.tail, slot);
        }
        self.tail = slot;
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    /// Unchains the oldest slot; returns it and the bytes of its packet.
    #[inline]
    pub(super) fn pop_front(&mut self, links: &Links) -> Option<(u32, u32)> {
        let slot = self.front()?;
        self.head = links.next(slot);
        if self.head == NIL {
            self.tail = NIL;
        }
        let bytes = links.bytes(slot);
        self.packets -= 1;
        self.bytes -= u64::from(bytes);
        Some((slot, bytes))
    }

    /// Frees all slots at once.
    pub(super) fn clear(&mut self, links: &mut Links) {
        if !self.is_empty() {
            links.free_chain(self.head, self.tail);
        }
        *self = Self::EMPTY;
    }
}

/// The queue of one conference, and what its scheduler knows of it.
pub(super) struct Queue {
    lanes: [Chain; 2],
    /// The conference that owns the queue, while it is in the table.
    pub(super) conference: ConferenceId,
    /// Neighbours in the one ring that the queue is in: the scheduler's, the idle one's or the unused one's.
    previous: u32,
    next: u32,
    /// Bytes that the queue may still send in this turn (deficit round robin).
    pub(super) deficit: u64,
    /// Share of the conference (deficit round robin).
    pub(super) weight: u32,
    /// Rank of the conference, higher first (strict priority).
    pub(super) priority: u8,
    /// Whether the bulk lane is kept back because the next hop is under pressure.
    pub(super) held: bool,
    /// Whether weight and priority were given, so that they must outlast an idle time.
    pub(super) configured: bool,
}

impl Queue {
    /// Returns the empty queue of a conference of weight 1 and priority 0.
    pub(super) const fn new(conference: ConferenceId) -> Self {
        Self {
            lanes: [Chain::EMPTY, Chain::EMPTY],
            conference,
            previous: NIL,
            next: NIL,
            deficit: 0,
            weight: 1,
            priority: 0,
            held: false,
            configured: false,
        }
    }

    /// Returns the chain of a lane.
    pub(super) const fn lane(&self, lane: Lane) -> &Chain {
        &self.lanes[lane as usize]
    }

    /// Returns the chain of a lane.
    pub(super) const fn lane_mut(&mut self, lane: Lane) -> &mut Chain {
        &mut self.lanes[lane as usize]
    }

    /// Returns whether both lanes are empty.
    pub(super) const fn is_empty(&self) -> bool {
        self.lanes[0].is_empty() && self.lanes[1].is_empty()
    }

    /// Returns whether there is a packet that may go.
    #[inline]
    pub(super) const fn is_ready(&self) -> bool {
        !self.lanes[0].is_empty() || !self.lanes[1].is_empty() && !self.held
    }

    /// Returns the lane that is served next, bulk when both are empty.
    #[inline]
    pub(super) const fn front_lane(&self) -> Lane {
        if self.lanes[0].is_empty() { Lane::Bulk } else { Lane::Live }
    }

    /// Returns what waits in both lanes.
    pub(super) fn backlog(&self) -> Backlog {
        let [live, bulk] = &self.lanes;
        Backlog { packets: u64::from(live.packets) + u64::from(bulk.packets), bytes: live.bytes + bulk.bytes }
    }
}

/// A ring of queues, linked through the queues themselves; a queue is in one ring at a time. Turning it moves
/// only the head.
#[derive(Clone, Copy)]
pub(super) struct Ring {
    head: u32,
}

impl Ring {
    pub(super) const EMPTY: Self = Self { head: NIL };

    /// Returns the queue whose turn it is.
    pub(super) const fn head(self) -> Option<u32> {
        if self.head == NIL { None } else { Some(self.head) }
    }

    /// Lets the next queue have its turn; the head becomes the last.
    #[inline]
    pub(super) fn turn(&mut self, queues: &[Queue]) {
        self.head = queues[self.head as usize].next;
    }

    /// Adds the queue as the last one.
    #[inline]
    pub(super) fn append(&mut self, queues: &mut [Queue], index: u32) {
        if self.head == NIL {
            self.head = index;
            let queue = &mut queues[index as usize];
            (queue.previous, queue.next) = (index, index);
            return;
        }
        let last = queues[self.head as usize].previous;
        queues[self.head as usize].previous = index;
        queues[last as usize].next = index;
        let queue = &mut queues[index as usize];
        (queue.previous, queue.next) = (last, self.head);
    }

    /// Takes the queue out, wherever in the ring it is; if it was the head, the next one is.
    #[inline]
    pub(super) fn remove(&mut self, queues: &mut [Queue], index: u32) {
        let Queue { previous, next, .. } = queues[index as usize];
        if next == index {
            self.head = NIL;
            return;
        }
        queues[previous as usize].next = next;
        queues[next as usize].previous = previous;
        if self.head == index {
            self.head = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ring: Ring, queues: &[Queue]) -> Vec<u32> {
        let Some(head) = ring.head() else { return Vec::new() };
        let mut order = vec![head];
        while queues[*order.last().unwrap() as usize].next != head {
            order.push(queues[*order.last().unwrap() as usize].next);
        }
        order
    }

    #[test]
    fn ring_keeps_its_order() {
        // Aim: append, turn, and removal of head, middle and last element.
        let mut queues: Vec<_> = (0..4).map(|id| Queue::new(ConferenceId(id))).collect();
        let mut ring = Ring::EMPTY;
        for index in 0..4 {
            ring.append(&mut queues, index);
        }
        assert_eq!(order(ring, &queues), [0, 1, 2, 3]);
        ring.turn(&queues);
        assert_eq!(order(ring, &queues), [1, 2, 3, 0]);
        ring.remove(&mut queues, 1);
        assert_eq!(order(ring, &queues), [2, 3, 0]);
        ring.remove(&mut queues, 3);
        assert_eq!(order(ring, &queues), [2, 0]);
        ring.append(&mut queues, 1);
        assert_eq!(order(ring, &queues), [2, 0, 1]);
        for index in [1, 2, 0] {
            ring.remove(&mut queues, index);
        }
        assert_eq!(order(ring, &queues), []);
    }

    #[test]
    fn chain_is_first_in_first_out() {
        // Aim: order and counts over pushes, pops and an emptied chain that fills again.
        let mut links = Links::new(8);
        let mut chain = Chain::EMPTY;
        assert_eq!(chain.pop_front(&links), None);
        for bytes in [10, 20] {
            let slot = links.take(bytes);
            chain.push_back(&mut links, slot, bytes);
        }
        assert_eq!((chain.packets, chain.bytes()), (2, 30));
        assert_eq!(chain.pop_front(&links), Some((0, 10)));
        assert_eq!(chain.pop_front(&links), Some((1, 20)));
        assert!(chain.is_empty());
        let slot = links.take(5);
        chain.push_back(&mut links, slot, 5);
        assert_eq!(chain.front(), Some(slot));
        chain.clear(&mut links);
        assert_eq!((chain.front(), chain.bytes()), (None, 0));
    }
}
