//! The wire: propagation delay, jitter and loss, and the packets that are on it.

use super::jitter::JitterDraws;
use super::loss::LossModel;
use super::{LinkSpec, LinkStreams};
use bellini_core::rng::Stream;
use bellini_core::time::{Duration, Instant};
use core::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// The wire of one link; instants are in nanoseconds.
pub(super) struct Wire<P> {
    delay: u64,
    extra_delay: u64,
    jitter: Option<Box<JitterDraws>>,
    loss: LossModel,
    /// Additional loss while degraded, from a stream of its own so that the model's draws do not shift.
    extra_loss: f64,
    extra_draws: Option<Box<Stream>>,
    flight: Flight<P>,
}

enum Flight<P> {
    /// A ring in order of arrival, which is the order of admission; `last` is the newest arrival.
    Ordered { ring: VecDeque<Flying<P>>, last: u64 },
    /// A heap by (arrival, order of admission).
    Reordering { heap: BinaryHeap<Reverse<Numbered<P>>>, admitted: u64 },
}

struct Flying<P> {
    arrival: u64,
    bytes: u32,
    packet: P,
}

struct Numbered<P> {
    number: u64,
    flying: Flying<P>,
}

impl<P> Wire<P> {
    pub(super) fn new(spec: &LinkSpec, streams: &LinkStreams) -> Self {
        let flight = if spec.jitter.is_some_and(|jitter| jitter.reorder) {
            Flight::Reordering { heap: BinaryHeap::new(), admitted: 0 }
        } else {
            Flight::Ordered { ring: VecDeque::new(), last: 0 }
        };
        Self {
            delay: spec.delay.as_nanos(),
            extra_delay: 0,
            jitter: spec.jitter.as_ref().map(|jitter| Box::new(JitterDraws::new(jitter, streams))),
            loss: LossModel::new(&spec.loss, streams),
            extra_loss: 0.0,
            extra_draws: None,
            flight,
        }
    }

    /// Draws whether the packet that enters at `enter` is lost.
    pub(super) fn loses(&mut self, enter: u64) -> bool {
        let lost = self.loss.loses(Instant::from_nanos(enter));
        if self.extra_loss > 0.0
            && let Some(draws) = &mut self.extra_draws
        {
            // Drawn for every packet, so that the stream does not depend on the model's outcome.
            return draws.chance(self.extra_loss) || lost;
        }
        lost
    }

    /// Draws the time that a packet will spend on the wire.
    pub(super) fn travel(&mut self) -> u64 {
        let jitter = self.jitter.as_mut().map_or(0, |jitter| jitter.draw().as_nanos());
        self.delay.saturating_add(self.extra_delay).saturating_add(jitter)
    }

    /// Puts a packet on the wire that would arrive at `arrival`; unless reordering, not before the one ahead.
    pub(super) fn launch(&mut self, arrival: u64, bytes: u32, packet: P) {
        match &mut self.flight {
            Flight::Ordered { ring, last } => {
                *last = arrival.max(*last);
                ring.push_back(Flying { arrival: *last, bytes, packet });
            }
            Flight::Reordering { heap, admitted } => {
                let flying = Flying { arrival, bytes, packet };
                heap.push(Reverse(Numbered { number: *admitted, flying }));
                *admitted += 1;
            }
        }
    }

    pub(super) fn next_arrival(&self) -> Option<u64> {
        match &self.flight {
            Flight::Ordered { ring, .. } => ring.front().map(|flying| flying.arrival),
            Flight::Reordering { heap, .. } => heap.peek().map(|Reverse(first)| first.flying.arrival),
        }
    }

    /// Takes the next packet that has arrived by `now`, with its size.
    pub(super) fn poll(&mut self, now: u64) -> Option<(P, u32)> {
        let flying = match &mut self.flight {
            Flight::Ordered { ring, .. } => ring.pop_front_if(|flying| flying.arrival <= now)?,
            Flight::Reordering { heap, .. } => {
                if heap.peek()?.0.flying.arrival > now {
                    return None;
                }
                heap.pop()?.0.flying
            }
        };
        Some((flying.packet, flying.bytes))
    }

    pub(super) fn len(&self) -> usize {
        match &self.flight {
            Flight::Ordered { ring, .. } => ring.len(),
            Flight::Reordering { heap, .. } => heap.len(),
        }
    }

    /// Takes all packets off the wire, in order of arrival.
    pub(super) fn clear(&mut self, drop: &mut dyn FnMut(P)) {
        match &mut self.flight {
            Flight::Ordered { ring, last } => {
                *last = 0;
                ring.drain(..).for_each(|flying| drop(flying.packet));
            }
            Flight::Reordering { heap, .. } => {
                while let Some(Reverse(first)) = heap.pop() {
                    drop(first.flying.packet);
                }
            }
        }
    }

    pub(super) fn for_each(&self, f: &mut dyn FnMut(&P)) {
        match &self.flight {
            Flight::Ordered { ring, .. } => ring.iter().for_each(|flying| f(&flying.packet)),
            Flight::Reordering { heap, .. } => {
                heap.iter().for_each(|Reverse(numbered)| f(&numbered.flying.packet));
            }
        }
    }

    /// Changes the additional delay and loss of packets that enter from now on.
    pub(super) fn degrade(&mut self, extra_delay: Duration, extra_loss: f64, streams: &LinkStreams) {
        self.extra_delay = extra_delay.as_nanos();
        self.extra_loss = extra_loss;
        if extra_loss > 0.0 && self.extra_draws.is_none() {
            self.extra_draws = Some(Box::new(streams.stream("degrade")));
        }
    }

    /// Returns the additional delay in force.
    pub(super) const fn extra_delay(&self) -> u64 {
        self.extra_delay
    }

    /// Gives the packets launched last, which have not entered yet, the arrivals `latest`, oldest first.
    pub(super) fn retime(&mut self, latest: &[u64]) {
        let kept = self.len() - latest.len();
        match &mut self.flight {
            Flight::Ordered { ring, last } => {
                *last = if kept > 0 { ring[kept - 1].arrival } else { 0 };
                for (flying, &arrival) in ring.range_mut(kept..).zip(latest) {
                    *last = arrival.max(*last);
                    flying.arrival = *last;
                }
            }
            Flight::Reordering { heap, .. } => {
                let mut all = core::mem::take(heap).into_vec();
                all.sort_unstable_by_key(|Reverse(numbered)| numbered.number);
                for (Reverse(numbered), &arrival) in all[kept..].iter_mut().zip(latest) {
                    numbered.flying.arrival = arrival;
                }
                *heap = all.into();
            }
        }
    }
}

impl<P> Numbered<P> {
    const fn key(&self) -> (u64, u64) {
        (self.flying.arrival, self.number)
    }
}

impl<P> PartialEq for Numbered<P> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<P> Eq for Numbered<P> {}

impl<P> PartialOrd for Numbered<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Numbered<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
