//! Whose turn it is: the four schedulers behind one enum.
//!
//! A scheduler learns which queues have packets that may go (`filled`, `emptied`), chooses one (`select`), and learns what
//! was taken from it (`served`). Choosing again without anything in between gives the same queue.

mod arrivals;
mod deficit;
mod levels;

use super::config::{FeederConfig, Lane, Scheduler};
use super::queue::{Queue, Ring};
use super::slab::Links;
use arrivals::Arrivals;
use deficit::DeficitRing;
use levels::Levels;

/// The state of a feeder's scheduler.
pub(super) enum Schedule {
    RoundRobin(Ring),
    DeficitWeighted(DeficitRing),
    StrictPriority(Levels),
    Fifo(Arrivals),
}

impl Schedule {
    pub(super) fn new(config: &FeederConfig) -> Self {
        match config.scheduler {
            Scheduler::RoundRobin => Self::RoundRobin(Ring::EMPTY),
            Scheduler::DeficitWeighted => Self::DeficitWeighted(DeficitRing::new(config.quantum_bytes)),
            Scheduler::StrictPriority => Self::StrictPriority(Levels::new()),
            Scheduler::Fifo => Self::Fifo(Arrivals::default()),
        }
    }

    /// Returns the bytes in a lane that all conferences share; `None` when each has its own.
    pub(super) const fn shared_bytes(&self, lane: Lane) -> Option<u64> {
        match self {
            Self::Fifo(arrivals) => Some(arrivals.bytes(lane)),
            _ => None,
        }
    }

    /// The queue at `index` got its first packet that may go: it takes its turn behind all others.
    #[inline]
    pub(super) fn filled(&mut self, queues: &mut [Queue], index: u32) {
        match self {
            Self::RoundRobin(ring) => ring.append(queues, index),
            Self::DeficitWeighted(ring) => ring.filled(queues, index),
            Self::StrictPriority(levels) => levels.filled(queues, index),
            Self::Fifo(_) => {}
        }
    }

    /// The queue at `index` ran out of packets that may go.
    #[inline]
    pub(super) fn emptied(&mut self, queues: &mut [Queue], index: u32) {
        match self {
            Self::RoundRobin(ring) => ring.remove(queues, index),
            Self::DeficitWeighted(ring) => ring.emptied(queues, index),
            Self::StrictPriority(levels) => levels.emptied(queues, index),
            Self::Fifo(_) => {}
        }
    }

    /// A packet of `bytes` bytes was pushed into a lane of the queue at `index`.
    #[inline]
    pub(super) fn pushed(&mut self, index: u32, lane: Lane, bytes: u32) {
        if let Self::Fifo(arrivals) = self {
            arrivals.pushed(index, lane, bytes);
        }
    }

    /// Chooses the queue and lane whose oldest packet goes next.
    #[inline]
    pub(super) fn select(&mut self, queues: &mut [Queue], links: &Links) -> Option<(u32, Lane)> {
        let index = match self {
            Self::RoundRobin(ring) => ring.head()?,
            Self::DeficitWeighted(ring) => ring.select(queues, links)?,
            Self::StrictPriority(levels) => levels.select()?,
            Self::Fifo(arrivals) => return arrivals.oldest(),
        };
        Some((index, queues[index as usize].front_lane()))
    }

    /// The oldest packet, of `bytes` bytes, was taken from the lane of the queue that was chosen.
    #[inline]
    pub(super) fn served(&mut self, queues: &mut [Queue], index: u32, lane: Lane, bytes: u32) {
        match self {
            Self::RoundRobin(ring) => ring.turn(queues),
            Self::DeficitWeighted(_) => deficit::served(queues, index, bytes),
            Self::StrictPriority(levels) => levels.served(queues, index),
            Self::Fifo(arrivals) => arrivals.left(lane),
        }
    }

    /// Returns the queue whose oldest live packet makes room for one of the queue at `index`.
    pub(super) fn victim(&self, queues: &[Queue], index: u32) -> Option<u32> {
        match self {
            Self::Fifo(arrivals) => arrivals.oldest_live(),
            _ => Some(index).filter(|&index| !queues[index as usize].lane(Lane::Live).is_empty()),
        }
    }

    /// The victim's oldest live packet was dropped.
    pub(super) fn dropped(&mut self) {
        if let Self::Fifo(arrivals) = self {
            arrivals.left(Lane::Live);
        }
    }

    /// All packets of the queue at `index`, which was in line, are gone.
    pub(super) fn removed(&mut self, queues: &mut [Queue], index: u32) {
        match self {
            Self::Fifo(arrivals) => arrivals.forget(index),
            _ => self.emptied(queues, index),
        }
    }

    /// Gives the queue at `index` another priority; with packets in it, it takes its turn behind its new equals.
    pub(super) fn set_priority(&mut self, queues: &mut [Queue], index: u32, priority: u8) {
        let queue = &mut queues[index as usize];
        if queue.priority == priority {
            return;
        }
        match self {
            Self::StrictPriority(levels) if queue.is_ready() => {
                levels.emptied(queues, index);
                queues[index as usize].priority = priority;
                levels.filled(queues, index);
            }
            _ => queue.priority = priority,
        }
    }
}
