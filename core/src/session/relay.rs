//! What a relay remembers of a session: soft state, learnt from the packets that pass.

use crate::ids::{FlowId, HopIndex};
use crate::time::Instant;

/// Soft state of one session at a node that its packets pass or reach.
#[derive(Clone, Debug, Default)]
pub struct RelayState {
    flows: Vec<RelayFlow>,
    /// The hop on which the session was announced, where that is kept.
    setup: Option<HopIndex>,
    /// When a packet was seen last.
    pub seen_at: Instant,
    /// Packets passed on.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// `packets` and `bytes` at the last report.
    pub reported: (u64, u64),
}

/// The way back of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayFlow {
    /// The flow.
    pub flow: FlowId,
    /// The hop its packets come on.
    pub previous: HopIndex,
}

/// What was learnt from a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learnt {
    /// Nothing new.
    Known,
    /// A new flow, or a known one on another way.
    New,
}

impl RelayState {
    /// Notes that a packet of `flow` came on `previous`; at most `flows_max` flows are remembered, the oldest go.
    #[inline]
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        flow: FlowId,
        previous: HopIndex,
        flows_max: usize,
    ) -> Learnt {
        self.seen_at = now;
        if let Some(known) = self.flows.iter_mut().find(|known| known.flow == flow) {
            if known.previous == previous {
                return Learnt::Known;
            }
            known.previous = previous;
            return Learnt::New;
        }
        if self.flows.len() >= flows_max {
            self.flows.remove(0);
        }
        self.flows.push(RelayFlow { flow, previous });
        Learnt::New
    }

    /// Notes that the session's packets were announced on `from`.
    pub(crate) fn learn_setup(&mut self, now: Instant, from: HopIndex) {
        self.seen_at = now;
        self.setup = Some(from);
    }

    /// Returns the hop on which packets of `flow` come, if any came.
    #[must_use]
    pub fn way_back(&self, flow: FlowId) -> Option<HopIndex> {
        self.flows.iter().find(|known| known.flow == flow).map(|known| known.previous)
    }

    /// Returns the ways back of all flows, newest first.
    pub fn ways_back(&self) -> impl Iterator<Item = HopIndex> + '_ {
        self.flows.iter().rev().map(|known| known.previous)
    }

    /// Returns the same, and then the way on which the session was announced.
    pub(crate) fn all_ways_back(&self) -> impl Iterator<Item = HopIndex> + '_ {
        self.ways_back().chain(self.setup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_follows_the_packets_and_stays_bounded() {
        let mut state = RelayState::default();
        assert_eq!(state.learn(Instant::ZERO, FlowId(1), HopIndex(4), 2), Learnt::New);
        assert_eq!(state.learn(Instant::ZERO, FlowId(1), HopIndex(4), 2), Learnt::Known);
        assert_eq!(state.learn(Instant::ZERO, FlowId(1), HopIndex(5), 2), Learnt::New);
        assert_eq!(state.way_back(FlowId(1)), Some(HopIndex(5)));
        state.learn(Instant::ZERO, FlowId(2), HopIndex(6), 2);
        state.learn(Instant::ZERO, FlowId(3), HopIndex(7), 2);
        assert_eq!(state.way_back(FlowId(1)), None);
        assert!(state.ways_back().eq([HopIndex(7), HopIndex(6)]));
    }
}
