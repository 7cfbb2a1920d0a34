//! Finds a conference's queue, makes one on first use, and takes idle ones back.

use super::queue::{Queue, Ring};
use super::slab::NIL;
use crate::ids::ConferenceId;
use rustc_hash::FxHashMap;

/// Queues up to which idle ones are left in place, so that conferences whose queue runs empty after every packet
/// do not lose and regain it all the time. 4,096 queues are about 0.4 MB.
const KEPT_IDLE: usize = 4096;

/// The queues of a feeder.
///
/// An unconfigured queue that runs empty joins the idle ring, least recently used first. A new conference gets a
/// queue that was released; else a new one, up to [`KEPT_IDLE`]; else the oldest idle one; else a new one, up to
/// the limit. So memory follows the conferences at work, not all that ever were.
pub(super) struct Table {
    pub(super) queues: Vec<Queue>,
    index_of: FxHashMap<u32, u32>,
    /// The queue that was looked up last: packets come in trains.
    last: (ConferenceId, u32),
    idle: Ring,
    unused: Ring,
    queues_max: usize,
}

impl Table {
    /// Returns the table of at most `queues_max` queues.
    pub(super) fn new(queues_max: usize) -> Self {
        Self {
            queues: Vec::new(),
            index_of: FxHashMap::default(),
            last: (ConferenceId(0), NIL),
            idle: Ring::EMPTY,
            unused: Ring::EMPTY,
            // An index must stay below `NIL`.
            queues_max: queues_max.min(NIL as usize),
        }
    }

    /// Returns the index of the conference's queue.
    #[inline]
    pub(super) fn find(&self, conference: ConferenceId) -> Option<u32> {
        if self.last.0 == conference && self.last.1 != NIL {
            return Some(self.last.1);
        }
        self.index_of.get(&conference.0).copied()
    }

    /// Returns the index of the conference's queue, a new idle one on first use; `None` when the table is full of
    /// queues that are needed.
    #[inline]
    pub(super) fn find_or_insert(&mut self, conference: ConferenceId) -> Option<u32> {
        if self.last.0 == conference && self.last.1 != NIL {
            return Some(self.last.1);
        }
        let index = match self.index_of.get(&conference.0) {
            Some(&index) => index,
            None => self.insert(conference)?,
        };
        self.last = (conference, index);
        Some(index)
    }

    /// Returns whether a conference without a queue would get one.
    pub(super) fn has_room(&self) -> bool {
        self.queues.len() < self.queues_max || self.unused.head().is_some() || self.idle.head().is_some()
    }

    /// Tells the table that the empty queue at `index` is about to be filled.
    #[inline]
    pub(super) fn fills(&mut self, index: u32) {
        if !self.queues[index as usize].configured {
            self.idle.remove(&mut self.queues, index);
        }
    }

    /// Tells the table that the queue at `index` ran empty.
    #[inline]
    pub(super) fn emptied(&mut self, index: u32) {
        if !self.queues[index as usize].configured {
            self.idle.append(&mut self.queues, index);
        }
    }

    /// Keeps the queue at `index` also while it is empty.
    pub(super) fn keep(&mut self, index: u32) {
        let queue = &self.queues[index as usize];
        if !queue.configured && queue.is_empty() {
            self.idle.remove(&mut self.queues, index);
        }
        self.queues[index as usize].configured = true;
    }

    /// Forgets the conference of the empty queue at `index`, which is in the idle ring unless it is configured.
    pub(super) fn release(&mut self, index: u32) {
        let queue = &self.queues[index as usize];
        self.index_of.remove(&queue.conference.0);
        if !queue.configured {
            self.idle.remove(&mut self.queues, index);
        }
        if self.last.1 == index {
            self.last.1 = NIL;
        }
        self.unused.append(&mut self.queues, index);
    }

    #[cold]
    fn insert(&mut self, conference: ConferenceId) -> Option<u32> {
        let unused = self.unused.head();
        let idle = self.idle.head().filter(|_| self.queues.len() >= KEPT_IDLE.min(self.queues_max));
        let index = if let Some(index) = unused {
            self.unused.remove(&mut self.queues, index);
            index
        } else if let Some(index) = idle {
            self.release(index);
            self.unused.remove(&mut self.queues, index);
            index
        } else if self.queues.len() < self.queues_max {
            self.queues.push(Queue::new(conference));
            (self.queues.len() - 1) as u32
        } else {
            return None;
        };
        self.queues[index as usize] = Queue::new(conference);
        self.idle.append(&mut self.queues, index);
        self.index_of.insert(conference.0, index);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn churn_of_idle_conferences_keeps_the_table_small() {
        // Aim: 100,000 conferences that come and go without being removed use no more than KEPT_IDLE queues.
        let mut table = Table::new(65_536);
        for id in 0..100_000 {
            let index = table.find_or_insert(ConferenceId(id)).unwrap();
            table.fills(index);
            table.emptied(index);
        }
        assert_eq!(table.queues.len(), KEPT_IDLE);
        assert_eq!(table.index_of.len(), KEPT_IDLE);
        assert_eq!(table.find(ConferenceId(99_999 - KEPT_IDLE as u32)), None, "the oldest is forgotten");
        assert!(table.find(ConferenceId(100_000 - KEPT_IDLE as u32)).is_some(), "the others are not");
    }

    #[test]
    fn busy_and_configured_queues_are_never_taken_back() {
        // Aim: a table of two holds one busy and one configured conference: a third is refused until one is
        // released, and the reused queue starts afresh.
        let mut table = Table::new(2);
        let busy = table.find_or_insert(ConferenceId(1)).unwrap();
        table.fills(busy);
        let configured = table.find_or_insert(ConferenceId(2)).unwrap();
        table.keep(configured);
        table.queues[configured as usize].weight = 9;
        assert!(!table.has_room());
        assert_eq!(table.find_or_insert(ConferenceId(3)), None);
        table.release(configured);
        assert!(table.has_room());
        assert_eq!(table.find(ConferenceId(2)), None);
        assert_eq!(table.find_or_insert(ConferenceId(3)), Some(configured));
        assert_eq!(table.queues[configured as usize].weight, 1);
        assert_eq!(table.find(ConferenceId(1)), Some(busy));
    }
}
