//! What waits in a feeder, how much more it takes, and what it counted.

use super::super::config::Lane;
use super::super::slab::NIL;
use super::super::stats::{Backlog, FeederStats};
use super::Feeder;
use crate::ids::ConferenceId;

impl<P: Default> Feeder<P> {
    /// Returns the part of its limit that a conference's lane uses, in bytes of (used, limit).
    #[must_use]
    pub fn lane_use(&self, conference: ConferenceId, lane: Lane) -> (u64, u64) {
        let used = self.table.find(conference).map_or(0, |index| self.used(index, lane));
        (used, self.limit(lane))
    }

    /// Returns what waits in the feeder.
    #[must_use]
    pub const fn backlog(&self) -> Backlog {
        self.stats.backlog()
    }

    /// Returns how many conferences have packets waiting.
    #[must_use]
    pub const fn busy_conferences(&self) -> u32 {
        self.busy
    }

    /// Returns what waits of one conference.
    #[must_use]
    pub fn conference_backlog(&self, conference: ConferenceId) -> Backlog {
        let index = self.table.find(conference);
        index.map_or(Backlog::default(), |index| self.table.queues[index as usize].backlog())
    }

    /// Returns the bytes that a conference's lane would still accept without dropping anything.
    #[must_use]
    pub fn lane_room(&self, conference: ConferenceId, lane: Lane) -> u64 {
        let index = self.table.find(conference);
        if self.links.is_full() || (index.is_none() && !self.table.has_room()) {
            return 0;
        }
        let used = match (self.schedule.shared_bytes(lane), index) {
            (Some(bytes), _) => bytes,
            (None, Some(index)) => self.table.queues[index as usize].lane(lane).bytes(),
            (None, None) => 0,
        };
        self.limit(lane) - used
    }

    /// Returns the counters.
    #[must_use]
    pub const fn stats(&self) -> &FeederStats {
        &self.stats
    }

    /// Shows every queued packet to `f`: queue by queue in a fixed order, live before bulk, oldest first. Takes time
    /// in proportion to the packets.
    pub fn for_each_queued(&self, f: &mut dyn FnMut(&P)) {
        for queue in &self.table.queues {
            for lane in Lane::ALL {
                let mut slot = queue.lane(lane).front().unwrap_or(NIL);
                while slot != NIL {
                    f(self.slots.get(slot));
                    slot = self.links.next(slot);
                }
            }
        }
    }
}

impl<P: Default> core::fmt::Debug for Feeder<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Feeder")
            .field("backlog", &self.backlog())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
