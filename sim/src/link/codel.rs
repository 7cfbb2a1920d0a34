//! Controlled delay: a queue that decides at the head, when transmission starts.
//!
//! Source: RFC 8289, the algorithm of section 5 (`dodeque`, `deque`, `control_law`).

use super::clock::RateClock;
use super::stats::{DropCause, LinkStats};
use super::wire::Wire;
use bellini_core::time::Duration;
use std::collections::VecDeque;

/// Queue under CoDel and its serialiser; instants are in nanoseconds.
pub(super) struct CoDelServer<P> {
    clock: RateClock,
    law: Law,
    waiting: VecDeque<Waiting<P>>,
    waiting_bytes: u64,
    limit: u64,
    in_service: Option<InService<P>>,
    /// Dropped, with when and why, not yet polled.
    dropped: VecDeque<(u64, P, DropCause)>,
    /// Start of the busy period that is not yet counted.
    since: u64,
}

/// A packet that waits; cross traffic has no handle.
struct Waiting<P> {
    since: u64,
    bytes: u32,
    packet: Option<P>,
}

struct InService<P> {
    end: u64,
    bytes: u32,
    packet: Option<P>,
}

/// The state of RFC 8289's control law.
struct Law {
    target: u64,
    interval: u64,
    /// A queue of at most this many bytes is never called standing.
    mtu: u64,
    first_above: Option<u64>,
    drop_next: u64,
    count: u64,
    last_count: u64,
    dropping: bool,
}

impl<P> CoDelServer<P> {
    pub(super) fn new(clock: RateClock, limit: u64, target: Duration, interval: Duration, mtu: u32) -> Self {
        let law = Law {
            target: target.as_nanos(),
            interval: interval.as_nanos(),
            mtu: u64::from(mtu),
            first_above: None,
            drop_next: 0,
            count: 0,
            last_count: 0,
            dropping: false,
        };
        Self {
            clock,
            law,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            limit,
            in_service: None,
            dropped: VecDeque::new(),
            since: 0,
        }
    }

    /// Takes a packet in, or hands it back when the queue is full.
    pub(super) fn admit(
        &mut self,
        now: u64,
        bytes: u32,
        packet: Option<P>,
        wire: &mut Wire<P>,
        stats: &mut LinkStats,
    ) -> Result<(), Option<P>> {
        self.advance(now, wire, stats);
        let with = self.waiting_bytes + u64::from(bytes);
        let idle = self.in_service.is_none();
        if !idle && with > self.limit {
            return Err(packet);
        }
        self.waiting.push_back(Waiting { since: now, bytes, packet });
        self.waiting_bytes = with;
        if idle {
            self.clock.restart(now);
            self.since = now;
            self.start(now, stats);
        } else {
            stats.queue_bytes_max = stats.queue_bytes_max.max(with);
        }
        Ok(())
    }

    /// Ends and starts all transmissions due by `now`, each at its own instant.
    pub(super) fn advance(&mut self, now: u64, wire: &mut Wire<P>, stats: &mut LinkStats) {
        while let Some(InService { end, bytes, packet }) = self.in_service.take_if(|job| job.end <= now) {
            if let Some(packet) = packet {
                if wire.loses(end) {
                    self.dropped.push_back((end, packet, DropCause::Loss));
                } else {
                    let arrival = end.saturating_add(wire.travel());
                    wire.launch(arrival, bytes, packet);
                }
            }
            self.start(end, stats);
            if self.in_service.is_none() {
                stats.busy += Duration::from_nanos(end - self.since);
            }
        }
    }

    /// Adds the running busy period to the counters; the caller has advanced to `now`.
    pub(super) fn account(&mut self, now: u64, stats: &mut LinkStats) {
        if self.in_service.is_some() {
            stats.busy += Duration::from_nanos(now - core::mem::replace(&mut self.since, now));
        }
    }

    /// Returns the next end of a transmission, or the instant of a drop that is to be polled.
    pub(super) fn next_event(&self) -> Option<u64> {
        let dropped = self.dropped.front().map(|&(at, ..)| at);
        let end = self.in_service.as_ref().map(|job| job.end);
        dropped.into_iter().chain(end).min()
    }

    pub(super) fn poll_dropped(&mut self) -> Option<(P, DropCause)> {
        self.dropped.pop_front().map(|(_, packet, cause)| (packet, cause))
    }

    /// Returns packets and bytes that wait or are being serialised.
    pub(super) fn backlog(&self) -> (usize, u64) {
        let in_service = self.in_service.as_ref().map_or(0, |job| u64::from(job.bytes));
        (self.waiting.len() + usize::from(self.in_service.is_some()), self.waiting_bytes + in_service)
    }

    /// Calls `f` with each packet that is not yet on the wire.
    pub(super) fn for_each(&self, f: &mut dyn FnMut(&P)) {
        self.dropped.iter().for_each(|(_, packet, _)| f(packet));
        self.in_service.iter().filter_map(|job| job.packet.as_ref()).for_each(&mut *f);
        self.waiting.iter().filter_map(|waiting| waiting.packet.as_ref()).for_each(f);
    }

    /// Gives up all packets, those already dropped with their own cause; returns how much cross traffic there was.
    pub(super) fn clear(
        &mut self,
        now: u64,
        cause: DropCause,
        drop: &mut dyn FnMut(P, DropCause),
        stats: &mut LinkStats,
    ) -> u64 {
        self.account(now, stats);
        self.dropped.drain(..).for_each(|(_, packet, cause)| drop(packet, cause));
        let in_service = self.in_service.take().map(|job| job.packet);
        let mut cross = 0;
        for packet in in_service.into_iter().chain(self.waiting.drain(..).map(|waiting| waiting.packet)) {
            match packet {
                Some(packet) => drop(packet, cause),
                None => cross += 1,
            }
        }
        self.waiting_bytes = 0;
        cross
    }

    /// Goes on with another rate from `now`; the caller has advanced to `now`.
    pub(super) fn retime(&mut self, now: u64, clock: RateClock) {
        let left = self.clock.work_left(now);
        self.clock = clock;
        self.clock.restart(now);
        if let Some(job) = &mut self.in_service {
            job.end = self.clock.push_work(left);
        }
    }

    /// Starts the next transmission, if the law leaves a packet. The clock keeps its remainder.
    fn start(&mut self, now: u64, stats: &mut LinkStats) {
        if let Some(Waiting { bytes, packet, .. }) = self.dequeue(now, stats) {
            let end = self.clock.push(bytes);
            self.in_service = Some(InService { end, bytes, packet });
        }
    }

    /// RFC 8289, section 5.5: `deque`.
    fn dequeue(&mut self, now: u64, stats: &mut LinkStats) -> Option<Waiting<P>> {
        let (mut head, mut may_drop) = self.take_head(now);
        if self.law.dropping {
            self.law.dropping = may_drop;
            while self.law.dropping && now >= self.law.drop_next {
                self.discard(now, head, stats);
                self.law.count += 1;
                (head, may_drop) = self.take_head(now);
                self.law.dropping = may_drop;
                if may_drop {
                    self.law.drop_next = self.law.after(self.law.drop_next);
                }
            }
        } else if may_drop {
            self.discard(now, head, stats);
            (head, _) = self.take_head(now);
            self.law.enter(now);
        }
        head
    }

    /// RFC 8289, section 5.6: `dodeque`. Takes the head and says whether it may be dropped.
    fn take_head(&mut self, now: u64) -> (Option<Waiting<P>>, bool) {
        let head = self.waiting.pop_front();
        let sojourn = head.as_ref().map(|head| {
            self.waiting_bytes -= u64::from(head.bytes);
            now - head.since
        });
        let may_drop = self.law.may_drop(now, sojourn, self.waiting_bytes);
        (head, may_drop)
    }

    fn discard(&mut self, now: u64, head: Option<Waiting<P>>, stats: &mut LinkStats) {
        match head.expect("the law drops a packet only when there is one").packet {
            Some(packet) => self.dropped.push_back((now, packet, DropCause::CoDel)),
            None => stats.cross.dropped_packets += 1,
        }
    }
}

impl Law {
    fn may_drop(&mut self, now: u64, sojourn: Option<u64>, bytes_left: u64) -> bool {
        let standing = sojourn.is_some_and(|sojourn| sojourn >= self.target && bytes_left > self.mtu);
        if !standing {
            self.first_above = None;
            return false;
        }
        let first_above = *self.first_above.get_or_insert(now + self.interval);
        now >= first_above
    }

    /// Enters the dropping state, at the old drop rate when the last one ended recently.
    fn enter(&mut self, now: u64) {
        self.dropping = true;
        let delta = self.count.saturating_sub(self.last_count);
        let recent = now.saturating_sub(self.drop_next) < self.interval.saturating_mul(16);
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.drop_next = self.after(now);
        self.last_count = self.count;
    }

    /// The control law: `t + interval / sqrt(count)`, rounded to the nearest nanosecond.
    fn after(&self, t: u64) -> u64 {
        t + (self.interval as f64 / libm::sqrt(self.count as f64) + 0.5) as u64
    }
}
