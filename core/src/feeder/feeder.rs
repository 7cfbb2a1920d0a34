//! The feeder itself: limits, drops and accounts around queues and scheduler.

use super::config::{FeederConfig, Lane};
use super::scheduler::Schedule;
use super::slab::{Links, NIL, Slots};
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

impl<P: Default> core::fmt::Debug for Feeder<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Feeder")
            .field("backlog", &self.backlog())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scheduler;
    use super::*;
    use std::rc::Rc;

    const SCHEDULERS: [Scheduler; 4] =
        [Scheduler::RoundRobin, Scheduler::DeficitWeighted, Scheduler::StrictPriority, Scheduler::Fifo];
    const A: ConferenceId = ConferenceId(7);
    const B: ConferenceId = ConferenceId(8);

    fn feeder<P: Default>(scheduler: Scheduler) -> Feeder<P> {
        let limits = FeederConfig { live_bytes_max: 1000, bulk_bytes_max: 1000, ..FeederConfig::default() };
        Feeder::new(FeederConfig { scheduler, ..limits })
    }

    /// Pushes packet `id` and returns the ids dropped for it, or `None` when it was refused.
    fn push(
        feeder: &mut Feeder<u64>,
        conference: ConferenceId,
        lane: Lane,
        bytes: u32,
        id: u64,
    ) -> Option<Vec<u64>> {
        let mut dropped = Vec::new();
        *feeder.push(conference, lane, bytes, &mut |&mut id, _| dropped.push(id))? = id;
        Some(dropped)
    }

    fn drain(feeder: &mut Feeder<u64>) -> Vec<u64> {
        core::iter::from_fn(|| feeder.pop().map(|popped| *popped.packet)).collect()
    }

    #[test]
    fn live_lane_drops_its_oldest_and_no_more_than_it_must() {
        // Aim: 3 x 300 B of a limit of 1,000 B; one of 300 B drops one, one of 700 B drops two more.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            for id in 0..3 {
                assert_eq!(push(&mut feeder, A, Lane::Live, 300, id), Some(vec![]));
            }
            assert_eq!(feeder.lane_room(A, Lane::Live), 100);
            assert_eq!(push(&mut feeder, A, Lane::Live, 300, 3), Some(vec![0]));
            assert_eq!(push(&mut feeder, A, Lane::Live, 700, 4), Some(vec![1, 2]));
            assert_eq!(push(&mut feeder, A, Lane::Live, 1000, 5), Some(vec![3, 4]), "to the byte");
            assert_eq!(push(&mut feeder, A, Lane::Live, 1001, 6), None, "larger than the lane");
            assert_eq!(feeder.stats().dropped_live_packets, 5);
            assert_eq!((feeder.stats().refused_live_packets, feeder.stats().refused_live_bytes), (1, 1001));
            assert_eq!(drain(&mut feeder), [5], "{scheduler:?}");
        }
    }

    #[test]
    fn bulk_lane_refuses_what_does_not_fit() {
        // Aim: a full bulk lane refuses, keeps what it has, and accepts what still fits.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            assert_eq!(push(&mut feeder, A, Lane::Bulk, 600, 0), Some(vec![]));
            assert_eq!(push(&mut feeder, A, Lane::Bulk, 401, 1), None);
            assert_eq!(push(&mut feeder, A, Lane::Bulk, 400, 2), Some(vec![]));
            assert_eq!(feeder.lane_room(A, Lane::Bulk), 0);
            assert_eq!((feeder.stats().refused_bulk_packets, feeder.stats().refused_bulk_bytes), (1, 401));
            assert_eq!(drain(&mut feeder), [0, 2], "{scheduler:?}");
        }
    }

    /// Aim: a held bulk lane is passed over, by every scheduler that can, while its conference's live packets and other
    /// conferences go on; what is in it goes once it is released, in order; ending the conference takes it.
    #[test]
    fn a_held_bulk_lane_waits_and_nothing_else_does() {
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            push(&mut feeder, A, Lane::Bulk, 100, 0).unwrap();
            push(&mut feeder, B, Lane::Bulk, 100, 1).unwrap();
            assert_eq!(feeder.hold(A), scheduler != Scheduler::Fifo);
            if scheduler == Scheduler::Fifo {
                assert_eq!(drain(&mut feeder), [0, 1], "no lanes of its own");
                continue;
            }
            push(&mut feeder, A, Lane::Live, 100, 2).unwrap();
            push(&mut feeder, A, Lane::Bulk, 100, 3).unwrap();
            let mut gone = drain(&mut feeder);
            gone.sort_unstable();
            assert_eq!(
                (gone, feeder.is_ready(), feeder.is_held(A)),
                (vec![1, 2], false, true),
                "{scheduler:?}"
            );
            assert_eq!((feeder.backlog().packets, feeder.lane_use(A, Lane::Bulk)), (2, (200, 1_000)));
            feeder.configure(A, 2, 3);
            assert!(feeder.peek().is_none());
            feeder.release(A);
            assert_eq!(drain(&mut feeder), [0, 3], "{scheduler:?}");
            assert!(feeder.hold(A) && !feeder.is_ready());
            push(&mut feeder, A, Lane::Bulk, 100, 4).unwrap();
            assert_eq!(feeder.remove_conference(A), Removed { packets: 1, bytes: 100 });
            push(&mut feeder, A, Lane::Bulk, 100, 5).unwrap();
            assert_eq!(drain(&mut feeder), [5], "a conference that comes again is not held");
        }
    }

    #[test]
    fn live_goes_before_bulk_except_in_arrival_order() {
        // Aim: within a conference, the live lane is served first; the control keeps the order of arrival.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            for (id, lane) in [Lane::Bulk, Lane::Live, Lane::Bulk, Lane::Live].into_iter().enumerate() {
                push(&mut feeder, A, lane, 100, id as u64).unwrap();
            }
            let expected = if scheduler == Scheduler::Fifo { [0, 1, 2, 3] } else { [1, 3, 0, 2] };
            assert_eq!(drain(&mut feeder), expected, "{scheduler:?}");
        }
    }

    #[test]
    fn limits_are_per_conference_but_shared_in_arrival_order() {
        // Aim: a full lane of one conference costs the other nothing; in the control it costs it its packets.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            push(&mut feeder, A, Lane::Live, 900, 0).unwrap();
            let is_shared = scheduler == Scheduler::Fifo;
            assert_eq!(feeder.lane_room(B, Lane::Live), if is_shared { 100 } else { 1000 });
            let dropped = push(&mut feeder, B, Lane::Live, 900, 1).unwrap();
            assert_eq!(dropped, if is_shared { vec![0] } else { vec![] });
            let left = if is_shared { Backlog::default() } else { Backlog { packets: 1, bytes: 900 } };
            assert_eq!(feeder.conference_backlog(A), left);
        }
    }

    #[test]
    fn ending_a_conference_takes_the_same_few_steps_whatever_it_queued() {
        // Aim: count the links touched by a removal, with 1 and with 10,000 packets in each lane. The control,
        // which scans, is left out.
        for scheduler in &SCHEDULERS[..3] {
            let touched = [1, 10_000].map(|packets| {
                let mut feeder = feeder(*scheduler);
                push(&mut feeder, B, Lane::Bulk, 5, u64::MAX).unwrap();
                for id in 0..packets {
                    push(&mut feeder, A, Lane::Live, 0, id).unwrap();
                    push(&mut feeder, A, Lane::Bulk, 0, id).unwrap();
                }
                let before = feeder.links.touched.get();
                assert_eq!(feeder.remove_conference(A), Removed { packets: 2 * packets, bytes: 0 });
                let touched = feeder.links.touched.get() - before;
                assert_eq!(feeder.backlog(), Backlog { packets: 1, bytes: 5 });
                // Nothing leaks: as many packets again fit into the slots that exist.
                let slots = feeder.links.len();
                for id in 0..2 * packets {
                    push(&mut feeder, A, Lane::Live, 0, id).unwrap();
                }
                assert_eq!(feeder.links.len(), slots);
                touched
            });
            assert_eq!(touched, [2, 2], "{scheduler:?}");
        }
    }

    #[test]
    fn stale_packets_own_their_payload_until_the_slot_is_written_again() {
        // Aim: follow one payload's reference count through removal, reuse, and taking it out after a pop.
        let payload = Rc::new(());
        let mut feeder = feeder::<Option<Rc<()>>>(Scheduler::RoundRobin);
        *feeder.push(A, Lane::Live, 100, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
        let _ = feeder.remove_conference(A);
        assert_eq!(Rc::strong_count(&payload), 2, "unreachable, but still in its slot");
        let slot = feeder.push(B, Lane::Live, 100, &mut |_, _| ()).unwrap();
        assert!(slot.is_some(), "the slot is handed out with its old contents");
        *slot = None;
        assert_eq!(Rc::strong_count(&payload), 1, "written again: released");

        *feeder.push(B, Lane::Live, 1000, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
        let mut seen = 0;
        feeder.push(B, Lane::Live, 1000, &mut |packet, _| seen += usize::from(packet.take().is_some()));
        assert_eq!((seen, Rc::strong_count(&payload)), (1, 1), "a dropped packet can be emptied at once");
        *feeder.push(A, Lane::Bulk, 1, &mut |_, _| ()).unwrap() = Some(Rc::clone(&payload));
        let _ = feeder.pop().unwrap();
        drop(feeder.pop().unwrap().packet.take());
        assert_eq!(Rc::strong_count(&payload), 1, "taken out after the pop");
    }

    #[test]
    fn peek_is_stable_until_something_happens() {
        // Aim: repeated peeks and the pop agree; a more important packet in between changes the choice.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            assert_eq!(feeder.peek(), None);
            feeder.configure(B, 1, 9);
            push(&mut feeder, A, Lane::Live, 100, 1).unwrap();
            push(&mut feeder, A, Lane::Live, 100, 2).unwrap();
            assert_eq!(feeder.peek(), Some((&1, 100)));
            assert_eq!(feeder.peek(), Some((&1, 100)));
            push(&mut feeder, B, Lane::Live, 200, 3).unwrap();
            let expected = if scheduler == Scheduler::StrictPriority { (3, 200) } else { (1, 100) };
            assert_eq!(feeder.peek(), Some((&expected.0, expected.1)), "{scheduler:?}");
            let popped = feeder.pop().unwrap();
            assert_eq!((*popped.packet, popped.bytes), expected);
        }
    }

    #[test]
    fn churn_keeps_memory_flat() {
        // Aim: 100,000 conferences, half of them never ended, each with a few packets, two alive at a time: slots
        // and queues stay at what two conferences (and the idle ones kept) need.
        for scheduler in SCHEDULERS {
            let mut feeder = feeder(scheduler);
            for id in 0..100_000 {
                for packet in 0..3 {
                    push(&mut feeder, ConferenceId(id), Lane::Bulk, 100, packet).unwrap();
                }
                if id % 2 == 0 {
                    let _ = feeder.remove_conference(ConferenceId(id));
                } else {
                    drain(&mut feeder);
                }
            }
            assert_eq!(feeder.links.len(), 3);
            assert!(feeder.table.queues.len() <= 4096, "{}", feeder.table.queues.len());
            assert_eq!(feeder.backlog(), Backlog::default());
            assert_eq!((feeder.stats().popped_packets, feeder.stats().removed_packets), (150_000, 150_000));
        }
    }

    #[test]
    fn settings_outlast_idle_times_but_not_the_conference() {
        // Aim: A's priority holds after its queue ran empty, and is gone after the conference was removed.
        let mut feeder = feeder(Scheduler::StrictPriority);
        feeder.configure(A, 1, 1);
        let first = |feeder: &mut Feeder<u64>| {
            push(feeder, B, Lane::Live, 1, 2).unwrap();
            push(feeder, A, Lane::Live, 1, 1).unwrap();
            drain(feeder)[0]
        };
        assert_eq!(first(&mut feeder), 1);
        assert_eq!(first(&mut feeder), 1);
        let _ = feeder.remove_conference(A);
        assert_eq!(first(&mut feeder), 2);
    }

    #[test]
    fn a_packet_of_many_quanta_is_served_in_the_end() {
        // Aim: no packet is too large, and packets of no bytes do not hold the turn for ever.
        let mut feeder = Feeder::new(FeederConfig {
            scheduler: Scheduler::DeficitWeighted,
            quantum_bytes: 10,
            ..FeederConfig::default()
        });
        push(&mut feeder, A, Lane::Bulk, 1000, 1).unwrap();
        for _ in 0..10_000 {
            push(&mut feeder, B, Lane::Bulk, 0, 2).unwrap();
        }
        let position = drain(&mut feeder).iter().position(|&id| id == 1);
        assert_eq!(position, Some(990), "99 further turns of 10 B each");
    }
}
