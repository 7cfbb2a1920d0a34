//! A first-in-first-out queue and serialiser whose ends of transmission are known at admission.
//!
//! Nothing happens here at the start or end of a transmission: packets that have been sent by `now` are taken off
//! the books when the next one is admitted.

use super::clock::{RateClock, work_of};
use super::red::Red;
use super::stats::{DropCause, LinkStats};
use bellini_core::time::Duration;
use std::collections::VecDeque;

/// Queue, drop-tail or RED, and serialiser; instants are in nanoseconds.
pub(super) struct Fifo {
    clock: RateClock,
    /// Not yet sent in full; the first is being serialised, the others wait.
    slots: VecDeque<Slot>,
    /// Bytes of all slots.
    bytes: u64,
    /// Bytes that may wait.
    limit: u64,
    red: Option<Box<Red>>,
    /// Start of the busy period that is not yet counted; the end of the last one when idle.
    since: u64,
}

/// A packet on the books of the serialiser.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// End of transmission.
    pub(super) end: u64,
    /// Time that it will spend on the wire.
    pub(super) travel: u64,
    pub(super) bytes: u32,
    pub(super) load: Load,
}

/// What takes up a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// A packet that the wire holds already, with its arrival.
    Carried,
    /// A packet that the wire will lose.
    Lost,
    /// Cross traffic.
    Cross,
}

impl Fifo {
    pub(super) const fn new(clock: RateClock, limit: u64, red: Option<Box<Red>>) -> Self {
        Self { clock, slots: VecDeque::new(), bytes: 0, limit, red, since: 0 }
    }

    /// Decides on a packet and returns the end of its transmission; `push` must follow when there is one.
    pub(super) fn admit(&mut self, now: u64, bytes: u32, stats: &mut LinkStats) -> Result<u64, DropCause> {
        self.settle(now, stats);
        match self.slots.front() {
            None => {
                let idle = now - core::mem::replace(&mut self.since, now);
                if let Some(red) = &mut self.red
                    && !red.admits_when_idle(idle)
                {
                    return Err(DropCause::Red);
                }
                self.clock.restart(now);
            }
            Some(in_service) => {
                let waiting = self.bytes - u64::from(in_service.bytes);
                if let Some(red) = &mut self.red
                    && !red.admits(waiting)
                {
                    return Err(DropCause::Red);
                }
                let waiting = waiting + u64::from(bytes);
                if waiting > self.limit {
                    if let Some(red) = &mut self.red {
                        red.on_overflow();
                    }
                    return Err(DropCause::Queue);
                }
                stats.queue_bytes_max = stats.queue_bytes_max.max(waiting);
            }
        }
        Ok(self.clock.push(bytes))
    }

    /// Puts the packet just admitted on the books.
    pub(super) fn push(&mut self, slot: Slot) {
        self.bytes += u64::from(slot.bytes);
        self.slots.push_back(slot);
    }

    /// Takes what has been sent by `now` off the books.
    fn settle(&mut self, now: u64, stats: &mut LinkStats) {
        while let Some(slot) = self.slots.pop_front_if(|slot| slot.end <= now) {
            self.bytes -= u64::from(slot.bytes);
            if self.slots.is_empty() {
                stats.busy += Duration::from_nanos(slot.end - self.since);
                self.since = slot.end;
            }
        }
    }

    /// Brings the counters and the books up to `now`.
    pub(super) fn account(&mut self, now: u64, stats: &mut LinkStats) {
        self.settle(now, stats);
        if !self.slots.is_empty() {
            stats.busy += Duration::from_nanos(now - core::mem::replace(&mut self.since, now));
        }
    }

    /// Returns packets and bytes that wait or are being serialised, as of the last call with an instant.
    pub(super) fn backlog(&self) -> (usize, u64) {
        (self.slots.len(), self.bytes)
    }

    /// Forgets all that waits or is being serialised and returns how much cross traffic was among it.
    pub(super) fn clear(&mut self, now: u64, stats: &mut LinkStats) -> u64 {
        self.account(now, stats);
        let cross = self.slots.iter().filter(|slot| slot.load == Load::Cross).count();
        self.slots.clear();
        self.bytes = 0;
        self.since = now;
        cross as u64
    }

    /// Goes on with another rate from `now`, wire times changed by `travel`; returns the new arrivals of what the
    /// wire holds and has not been sent, oldest first.
    pub(super) fn retime(
        &mut self,
        now: u64,
        clock: RateClock,
        travel: impl Fn(u64) -> u64,
        stats: &mut LinkStats,
    ) -> Vec<u64> {
        self.account(now, stats);
        let waiting: u128 = self.slots.iter().skip(1).map(|slot| work_of(slot.bytes)).sum();
        let left = self.clock.work_left(now).saturating_sub(waiting);
        self.clock = clock;
        self.clock.restart(now);
        if let (Some(red), Some(bps)) = (&mut self.red, self.clock.mean_bps()) {
            red.on_rate_changed(bps);
        }
        let mut arrivals = Vec::new();
        for (i, slot) in self.slots.iter_mut().enumerate() {
            slot.end = if i == 0 { self.clock.push_work(left) } else { self.clock.push(slot.bytes) };
            slot.travel = travel(slot.travel);
            if slot.load == Load::Carried {
                arrivals.push(slot.end.saturating_add(slot.travel));
            }
        }
        arrivals
    }
}
