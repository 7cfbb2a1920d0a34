//! How long single packets take in a node: readings of the driver's clock around two steps.
//!
//! The core reads no clock of its own. Where a driver lends it one ([`Stopwatch`]), a few packets of each step are
//! timed one by one, and nothing else changes: no output depends on a reading. Without one each step costs a branch
//! that never varies.

use crate::node::Node;
use crate::stats::Histogram;
use serde::{Deserialize, Serialize};

/// A clock, and how often it is read.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    /// Returns nanoseconds of any clock that does not go back. Called on the packet path, three times a timed packet.
    pub now: fn() -> u64,
    /// One packet in so many of each step is timed, on average; zero counts as one.
    pub every: u32,
}

/// Times of single packets in nanoseconds, each with the cost of one clock reading in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTimes {
    /// At a source, from a symbol to its packets in the feeders: the flow is drawn, headers are written, copies are
    /// queued.
    pub routing: Histogram,
    /// At any node, from a received frame to its packet's copies in the feeders, its delivery, or both: headers are
    /// parsed and checked, the session is found, the way back is learnt.
    pub dispatch: Histogram,
    /// Two readings of the clock with nothing in between, taken before each timed packet: what a reading costs, and
    /// how finely the clock counts.
    pub clock: Histogram,
}

/// A step of a packet's way that can be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// [`StepTimes::routing`].
    Routing,
    /// [`StepTimes::dispatch`].
    Dispatch,
}

/// A packet that is being timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap {
    /// Just before, and the reading after that.
    readings: [u64; 2],
}

/// The stopwatch of a node, running.
#[derive(Debug)]
pub(crate) struct Running {
    stopwatch: Stopwatch,
    /// Packets of each step until the next one is timed.
    left: [u32; 2],
    /// State of the generator of gaps.
    state: u64,
    times: StepTimes,
}

impl Running {
    fn new(stopwatch: Stopwatch) -> Self {
        Self { stopwatch, left: [1; 2], state: 1, times: StepTimes::default() }
    }

    #[inline]
    fn start(&mut self, step: Step) -> Option<Lap> {
        let left = &mut self.left[step as usize];
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.left[step as usize] = self.gap();
        let now = self.stopwatch.now;
        Some(Lap { readings: [now(), now()] })
    }

    fn stop(&mut self, step: Step, lap: Lap) {
        let end = (self.stopwatch.now)();
        let [before, start] = lap.readings;
        self.times.clock.record(start.saturating_sub(before));
        let times = match step {
            Step::Routing => &mut self.times.routing,
            Step::Dispatch => &mut self.times.dispatch,
        };
        times.record(end.saturating_sub(start));
    }

    /// Returns the packets until the next timed one: uniform over 1 to twice `every` less one. Equal gaps could keep
    /// step with a driver's batches and time the same place of each.
    fn gap(&mut self) -> u32 {
        // Knuth's MMIX generator; its high bits are even enough for this.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let range = 2 * u64::from(self.stopwatch.every.max(1)) - 1;
        let gap = 1 + (self.state >> 33) % range;
        u32::try_from(gap).unwrap_or(u32::MAX)
    }
}

impl Node {
    /// Times packets from now on (`None`: no more). What was timed before is forgotten.
    pub fn set_stopwatch(&mut self, stopwatch: Option<Stopwatch>) {
        self.stopwatch = stopwatch.map(|stopwatch| Box::new(Running::new(stopwatch)));
    }

    /// Returns what was timed, while a stopwatch is set.
    #[must_use]
    pub fn step_times(&self) -> Option<&StepTimes> {
        self.stopwatch.as_ref().map(|running| &running.times)
    }

    /// Starts to time a packet, if it is one of those.
    #[inline]
    pub(crate) fn start_lap(&mut self, step: Step) -> Option<Lap> {
        self.stopwatch.as_mut().and_then(|running| running.start(step))
    }

    /// Notes the time of a packet that was being timed.
    #[inline]
    pub(crate) fn stop_lap(&mut self, step: Step, lap: Option<Lap>) {
        if let (Some(lap), Some(running)) = (lap, &mut self.stopwatch) {
            running.stop(step, lap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    thread_local! {
        static CLOCK: Cell<u64> = const { Cell::new(0) };
    }

    /// A clock of which a reading takes 25 ns.
    fn clock() -> u64 {
        CLOCK.with(|now| {
            now.set(now.get() + 25);
            now.get()
        })
    }

    fn work(nanos: u64) {
        CLOCK.with(|now| now.set(now.get() + nanos));
    }

    /// Aim: a time is that of its own packet with one reading in it, and one packet in N is timed.
    #[test]
    fn single_packets_are_timed_one_in_so_many() {
        let mut running = Running::new(Stopwatch { now: clock, every: 64 });
        let mut timed = 0;
        for packet in 0..640_000_u64 {
            let lap = running.start(Step::Dispatch);
            timed += u64::from(lap.is_some());
            work(if packet % 2 == 0 { 100 } else { 300 });
            if let Some(lap) = lap {
                running.stop(Step::Dispatch, lap);
            }
        }
        let times = &running.times;
        assert_eq!((times.dispatch.count(), times.clock.count(), times.routing.count()), (timed, timed, 0));
        assert!(timed.abs_diff(10_000) < 300, "{timed} of 640,000");
        assert_eq!((times.clock.min(), times.clock.max()), (Some(25), Some(25)));
        // Both kinds of packets, though an equal gap of 64 would only ever meet the even ones.
        assert_eq!((times.dispatch.min(), times.dispatch.max()), (Some(125), Some(325)));
        let half = times.dispatch.mean().map(|mean| (mean - 125.0) / 200.0);
        assert!(half.is_some_and(|half| (half - 0.5).abs() < 0.03), "{half:?}");
    }

    #[test]
    fn every_packet_can_be_timed() {
        for every in [0, 1] {
            let mut running = Running::new(Stopwatch { now: clock, every });
            assert!((0..100).all(|_| running.start(Step::Routing).is_some()));
        }
        let mut seldom = Running::new(Stopwatch { now: clock, every: u32::MAX });
        assert!((0..100).filter(|_| seldom.start(Step::Routing).is_some()).count() <= 2);
    }
}
