//! The feeder itself: limits, drops and accounts around queues and scheduler.

mod figures;

use super::config::{FeederConfig, Lane};
use super::scheduler::Schedule;
use super::slab::{Links, Slots};
use super::stats::{Backlog, FeederStats, Removed};
use super::table::Table;
use crate::ids::ConferenceId;

/// Collects the packets for one next hop, in a queue per conference, and hands them out one by one.
///
/// `P` is the packet. Packets live in slots that are used again and again: [`Feeder::push`] hands out a slot that
/// still holds some earlier packet, which the caller overwrites field by field; [`Feeder::pop`] gives access to
/// the packet where it lies. What a packet owns (a shared payload, say) is therefore released when the caller takes
/// it out or when the slot is written again, not when the packet leaves the feeder.
pub struct Feeder<P> {
    config: FeederConfig,
    table: Table,
    schedule: Schedule,
    links: Links,
    slots: Slots<P>,
    stats: FeederStats,
    /// Conferences of which packets wait.
    busy: u32,
    /// Queues with packets that may go.
    ready: u32,
}

/// A packet that left the feeder; it lies in its slot until the next call.
#[derive(Debug)]
pub struct Popped<'a, P> {
    /// The packet.
    pub packet: &'a mut P,
    /// Its size, as given when it was pushed.
    pub bytes: u32,
    /// The conference it belongs to.
    pub conference: ConferenceId,
    /// The lane it waited in.
    pub lane: Lane,
}

impl<P: Default> Feeder<P> {
    /// Returns an empty feeder. It allocates nothing before the first packet, but for 1 KiB with strict priority.
    ///
    /// # Panics
    /// If `config.quantum_bytes` or `config.packets_max` is zero.
    #[must_use]
    pub fn new(config: FeederConfig) -> Self {
        assert!(config.quantum_bytes > 0, "a quantum of zero bytes would never let a packet go");
        assert!(config.packets_max > 0, "a feeder needs at least one slot");
        Self {
            config,
            table: Table::new(config.conferences_max),
            schedule: Schedule::new(&config),
            links: Links::new(config.packets_max),
            slots: Slots::new(),
            stats: FeederStats::default(),
            busy: 0,
            ready: 0,
        }
    }

    /// Sets the weight (deficit-weighted) and priority (strict priority, higher first) of a conference, 1 and 0
    /// otherwise. They hold until [`Feeder::remove_conference`], idle times included. A new weight counts from
    /// the turn after the one that the conference has or waits for. When there is no queue left for the conference, nothing is set and
    /// `refused_conferences` counts it.
    ///
    /// # Panics
    /// If `weight` is zero.
    pub fn configure(&mut self, conference: ConferenceId, weight: u32, priority: u8) {
        assert!(weight > 0, "a conference of weight zero would never be served");
        let Some(index) = self.table.find_or_insert(conference) else {
            self.stats.refused_conferences += 1;
            return;
        };
        self.table.keep(index);
        self.schedule.set_priority(&mut self.table.queues, index, priority);
        self.table.queues[index as usize].weight = weight;
    }

    /// Reserves a slot at the end of a conference's lane for a packet of `bytes` bytes.
    ///
    /// In a live lane, as many of its oldest packets as must make room are dropped (head drop), each handed to
    /// `dropped` with its bytes. Returns the slot, which the caller overwrites; or `None` if the packet is refused:
    /// a full bulk lane (tail drop), a packet larger than the lane's limit, no queue left for a new conference, or
    /// no slot left (where a live packet may still take the place of the oldest in its lane). Nothing is dropped
    /// for a packet that is refused.
    pub fn push(
        &mut self,
        conference: ConferenceId,
        lane: Lane,
        bytes: u32,
        dropped: &mut impl FnMut(&mut P, u32),
    ) -> Option<&mut P> {
        let limit = self.limit(lane);
        if u64::from(bytes) > limit {
            return self.refuse(lane, bytes);
        }
        let Some(index) = self.table.find_or_insert(conference) else {
            self.stats.refused_conferences += 1;
            return self.refuse(lane, bytes);
        };
        let queue = &self.table.queues[index as usize];
        let (was_empty, was_ready, held) = (queue.is_empty(), queue.is_ready(), queue.held);
        while self.used(index, lane) + u64::from(bytes) > limit || self.links.is_full() {
            if lane == Lane::Bulk || !self.drop_oldest_live(index, dropped) {
                return self.refuse(lane, bytes);
            }
        }

        if was_empty {
            self.busy += 1;
            self.table.fills(index);
        }
        if !was_ready && (lane == Lane::Live || !held) {
            self.line_up(index);
        }
        self.schedule.pushed(index, lane, bytes);
        let slot = self.links.take(bytes);
        self.table.queues[index as usize].lane_mut(lane).push_back(&mut self.links, slot, bytes);
        self.stats.pushed_packets += 1;
        self.stats.pushed_bytes += u64::from(bytes);
        self.stats.bytes_peak = self.stats.bytes_peak.max(self.stats.backlog().bytes);
        Some(self.slots.get_or_create(slot))
    }

    /// Returns the packet that the scheduler serves next, and its bytes, without removing it.
    ///
    /// A `pop` right after returns this packet. A push, a removal or a new priority in between may change the
    /// choice.
    #[must_use]
    pub fn peek(&mut self) -> Option<(&P, u32)> {
        let (index, lane) = self.schedule.select(&mut self.table.queues, &self.links)?;
        let slot = self.table.queues[index as usize].lane(lane).front()?;
        Some((self.slots.get(slot), self.links.bytes(slot)))
    }

    /// Removes the packet that the scheduler serves next; `None` when there is none.
    #[must_use]
    pub fn pop(&mut self) -> Option<Popped<'_, P>> {
        let (index, lane) = self.schedule.select(&mut self.table.queues, &self.links)?;
        let queue = &mut self.table.queues[index as usize];
        let (slot, bytes) = queue.lane_mut(lane).pop_front(&self.links)?;
        let (conference, is_empty, is_ready) = (queue.conference, queue.is_empty(), queue.is_ready());
        self.links.free(slot);
        self.schedule.served(&mut self.table.queues, index, lane, bytes);
        if !is_ready {
            self.step_out(index);
        }
        if is_empty {
            self.busy -= 1;
            self.table.emptied(index);
        }
        self.stats.popped_packets += 1;
        self.stats.popped_bytes += u64::from(bytes);
        Some(Popped { packet: self.slots.get_mut(slot), bytes, conference, lane })
    }

    /// Ends a conference: its queue goes at once, weight and priority with it.
    ///
    /// Takes constant time whatever is queued (but with [`Scheduler::Fifo`](super::Scheduler::Fifo), which has to
    /// scan the shared queue). The packets stay in their slots, unreachable, until the slots are written again:
    /// what they own is released then.
    pub fn remove_conference(&mut self, conference: ConferenceId) -> Removed {
        let Some(index) = self.table.find(conference) else { return Removed::default() };
        let queue = &mut self.table.queues[index as usize];
        let Backlog { packets, bytes } = queue.backlog();
        let was_ready = queue.is_ready();
        if packets > 0 {
            for lane in Lane::ALL {
                queue.lane_mut(lane).clear(&mut self.links);
            }
            self.busy -= 1;
            if was_ready {
                self.schedule.removed(&mut self.table.queues, index);
                self.ready -= 1;
            }
            self.table.emptied(index);
        }
        self.table.release(index);
        self.stats.removed_packets += packets;
        self.stats.removed_bytes += bytes;
        Removed { packets, bytes }
    }

    /// Keeps a conference's bulk lane back: the next hop is under pressure. Packets are still accepted up to the lane's
    /// limit. Returns `false`, having done nothing, with [`Scheduler::Fifo`](super::Scheduler::Fifo), where all
    /// conferences share one line, or when there is no queue left.
    pub fn hold(&mut self, conference: ConferenceId) -> bool {
        if matches!(self.schedule, Schedule::Fifo(_)) {
            return false;
        }
        let Some(index) = self.table.find_or_insert(conference) else { return false };
        let queue = &mut self.table.queues[index as usize];
        let was_ready = queue.is_ready();
        queue.held = true;
        if was_ready && !queue.is_ready() {
            self.step_out(index);
        }
        true
    }

    /// Lets a conference's bulk lane go on.
    pub fn release(&mut self, conference: ConferenceId) {
        let Some(index) = self.table.find(conference) else { return };
        let queue = &mut self.table.queues[index as usize];
        let was_ready = queue.is_ready();
        queue.held = false;
        if !was_ready && queue.is_ready() {
            self.line_up(index);
        }
    }

    /// Whether a conference's bulk lane is kept back.
    #[must_use]
    pub fn is_held(&self, conference: ConferenceId) -> bool {
        self.table.find(conference).is_some_and(|index| self.table.queues[index as usize].held)
    }

    /// Whether there is a packet that may go.
    #[inline]
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.ready > 0
    }

    const fn limit(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Live => self.config.live_bytes_max,
            Lane::Bulk => self.config.bulk_bytes_max,
        }
    }

    /// Returns the bytes that count against the limit of a lane of the queue at `index`.
    fn used(&self, index: u32, lane: Lane) -> u64 {
        match self.schedule.shared_bytes(lane) {
            Some(bytes) => bytes,
            None => self.table.queues[index as usize].lane(lane).bytes(),
        }
    }

    /// Drops the oldest live packet that stands in the way of one for the queue at `index`; returns whether there
    /// was one.
    #[cold]
    fn drop_oldest_live(&mut self, index: u32, dropped: &mut impl FnMut(&mut P, u32)) -> bool {
        let Some(victim) = self.schedule.victim(&self.table.queues, index) else { return false };
        let queue = &mut self.table.queues[victim as usize];
        let Some((slot, bytes)) = queue.lane_mut(Lane::Live).pop_front(&self.links) else { return false };
        // The queue that the new packet is for stays in line even if it is empty for the moment.
        let is_idle = victim != index && queue.is_empty();
        self.links.free(slot);
        self.schedule.dropped();
        if is_idle {
            self.step_out(victim);
            self.busy -= 1;
            self.table.emptied(victim);
        }
        self.stats.dropped_live_packets += 1;
        self.stats.dropped_live_bytes += u64::from(bytes);
        dropped(self.slots.get_mut(slot), bytes);
        true
    }

    /// The queue at `index` has packets that may go: it gets in line.
    #[inline]
    fn line_up(&mut self, index: u32) {
        self.schedule.filled(&mut self.table.queues, index);
        self.ready += 1;
    }

    /// The queue at `index` has none that may go.
    #[inline]
    fn step_out(&mut self, index: u32) {
        self.schedule.emptied(&mut self.table.queues, index);
        self.ready -= 1;
    }

    #[cold]
    fn refuse(&mut self, lane: Lane, bytes: u32) -> Option<&mut P> {
        let stats = &mut self.stats;
        let (packets, all_bytes) = match lane {
            Lane::Live => (&mut stats.refused_live_packets, &mut stats.refused_live_bytes),
            Lane::Bulk => (&mut stats.refused_bulk_packets, &mut stats.refused_bulk_bytes),
        };
        *packets += 1;
        *all_bytes += u64::from(bytes);
        None
    }
}

#[cfg(test)]
mod tests;
