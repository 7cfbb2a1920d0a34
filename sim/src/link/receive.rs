//! What a received packet passes before the node sees it: the ingress cap, then the processor.

use super::{Admit, DropCause, DropCounts, LinkModel, LinkSpec, LinkStreams, Polled};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_scenarios::model::Node;
use std::collections::VecDeque;

/// A node's ingress shaper and its processor: one server, a fixed time per packet, a bounded queue before it.
pub struct ReceiveQueue<P> {
    shaper: Option<LinkModel<P>>,
    /// Processor time per packet, in nanoseconds.
    cost: u64,
    /// Packets that may wait for the processor, without the one that it works on.
    limit: usize,
    /// Packets at the processor with the instant at which it is done with them, in order.
    jobs: VecDeque<(u64, P)>,
    /// When the processor is done with all of them.
    free_at: u64,
    processed: u64,
    dropped: DropCounts,
}

impl<P> ReceiveQueue<P> {
    /// Returns the node's receive queue, or `None` when it has no ingress cap and packets cost no time.
    #[must_use]
    pub fn from_node(node: &Node, seed: Seed) -> Option<Self> {
        let streams = || LinkStreams::named(seed, &format!("node:{}:ingress", node.id));
        let shaper =
            node.ingress.as_ref().map(|shaper| LinkModel::new(&LinkSpec::from_shaper(shaper), streams()));
        if shaper.is_none() && node.processing.is_zero() {
            return None;
        }
        Some(Self {
            shaper,
            cost: node.processing.as_nanos(),
            limit: node.receive_queue_packets as usize,
            jobs: VecDeque::new(),
            free_at: 0,
            processed: 0,
            dropped: DropCounts::default(),
        })
    }

    /// Offers a packet of `wire_bytes` bytes at `now`.
    pub fn admit(&mut self, now: Instant, wire_bytes: u32, packet: P) -> Admit<P> {
        let outcome = match &mut self.shaper {
            Some(shaper) => shaper.admit(now, wire_bytes, packet),
            None => match self.enter_processor(now.as_nanos(), packet) {
                Ok(()) => Admit::Accepted,
                Err(packet) => Admit::Dropped { packet, cause: DropCause::Processor },
            },
        };
        if let Admit::Dropped { cause, .. } = &outcome {
            self.dropped.count(*cause);
        }
        outcome
    }

    /// Returns the earliest instant at which `poll` has something to do.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let done = self.jobs.front().map(|&(done, _)| Instant::from_nanos(done));
        done.into_iter().chain(self.shaped()).min()
    }

    /// Takes the next packet that the node gets, or that found the processor's queue full, by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<Polled<P>> {
        loop {
            let shaped = self.shaped();
            let due = now.min(shaped.unwrap_or(now)).as_nanos();
            if let Some((_, packet)) = self.jobs.pop_front_if(|&mut (done, _)| done <= due) {
                self.processed += 1;
                return Some(Polled::Arrived(packet));
            }
            let at = shaped.filter(|&at| at <= now)?;
            match self.shaper.as_mut()?.poll(at)? {
                Polled::Arrived(packet) => {
                    if let Err(packet) = self.enter_processor(at.as_nanos(), packet) {
                        self.dropped.count(DropCause::Processor);
                        return Some(Polled::Dropped { packet, cause: DropCause::Processor });
                    }
                }
                dropped @ Polled::Dropped { cause, .. } => {
                    self.dropped.count(cause);
                    return Some(dropped);
                }
            }
        }
    }

    /// Hands all packets inside to `drop`; used when the node crashes.
    pub fn clear(&mut self, now: Instant, cause: DropCause, drop: &mut dyn FnMut(P, DropCause)) {
        let mut dropped = self.dropped;
        let mut counted = |packet, cause| {
            dropped.count(cause);
            drop(packet, cause);
        };
        self.jobs.drain(..).for_each(|(_, packet)| counted(packet, cause));
        if let Some(shaper) = &mut self.shaper {
            shaper.clear(now, cause, &mut counted);
        }
        self.dropped = dropped;
        self.free_at = now.as_nanos();
    }

    /// Returns how many packets are inside.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.jobs.len() + self.shaper.as_ref().map_or(0, LinkModel::in_flight)
    }

    /// Calls `f` with each packet inside.
    pub fn for_each_packet(&self, f: &mut dyn FnMut(&P)) {
        self.jobs.iter().for_each(|(_, packet)| f(packet));
        if let Some(shaper) = &self.shaper {
            shaper.for_each_packet(f);
        }
    }

    /// Returns the packets that the node got.
    #[must_use]
    pub const fn processed(&self) -> u64 {
        self.processed
    }

    /// Returns the packets that it did not get, by cause; refused and dropped inside together.
    #[must_use]
    pub const fn dropped(&self) -> &DropCounts {
        &self.dropped
    }

    fn shaped(&self) -> Option<Instant> {
        self.shaper.as_ref().and_then(LinkModel::next_event)
    }

    fn enter_processor(&mut self, now: u64, packet: P) -> Result<(), P> {
        // Jobs that are done but not yet polled do not count.
        let unfinished = self.jobs.len() - self.jobs.partition_point(|&(done, _)| done <= now);
        if unfinished > self.limit {
            return Err(packet);
        }
        self.free_at = self.free_at.max(now).saturating_add(self.cost);
        self.jobs.push_back((self.free_at, packet));
        Ok(())
    }
}
