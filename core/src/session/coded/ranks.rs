//! What arrives of a best-effort session, as its source is told: adaptive repair goes by it.
//!
//! Packets are counted by generation, or, under the window scheme, by stretch of symbols; each at both ends in the same
//! way, so that the difference is what was lost.

use crate::ids::{FlowId, Incarnation, NodeId};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::acknowledgement::{Rank, RankEntry};
use std::collections::VecDeque;

/// Least distance of a destination's reports. Packets of a generation are counted until none has come for so long.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(200);
/// Symbols of a stretch of a window.
const STRETCH: u64 = 64;
/// Generations that a destination counts at a time. Of more it tells nothing: those that it counts are a sample.
const COUNTED_MAX: usize = 64;
/// Generations of which a source knows how many packets it sent.
const EMITTED_MAX: usize = 1_024;

/// Returns by what a packet is counted: the first symbol of its generation, or of its stretch.
#[must_use]
pub fn counted_by(first: u64, symbol: u64, is_window: bool) -> u64 {
    if is_window { symbol / STRETCH * STRETCH } else { first }
}

/// Packets that arrived at a destination, until they are reported.
#[derive(Debug, Default)]
pub struct Arrived {
    /// By rising time of the first packet.
    counts: VecDeque<Count>,
    /// For want of room packets up to this generation are not counted, unless they are already.
    skipped_to: Option<u64>,
    newest: Option<FlowId>,
    /// When the next report is due.
    pub(crate) timer: Option<TimerId>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    entry: RankEntry,
    newest_at: Instant,
}

impl Arrived {
    /// Counts a packet of the generation (or stretch) at `first` that came by `flow`; `size`: its symbols, 0: unknown.
    pub fn on_packet(&mut self, now: Instant, flow: FlowId, first: u64, size: u8, is_innovative: bool) {
        self.newest = Some(flow);
        let at = match self.counts.iter().rposition(|count| count.entry.first == first) {
            Some(at) => at,
            None if self.skipped_to.is_some_and(|skipped| first <= skipped) => return,
            None if self.counts.len() == COUNTED_MAX => {
                self.skipped_to = Some(first);
                return;
            }
            None => {
                let entry = RankEntry { first, ..RankEntry::default() };
                self.counts.push_back(Count { entry, newest_at: now });
                self.counts.len() - 1
            }
        };
        let Count { entry, newest_at } = &mut self.counts[at];
        entry.size = size;
        entry.arrived = entry.arrived.saturating_add(1);
        entry.rank = entry.rank.saturating_add(u8::from(is_innovative));
        *newest_at = now;
    }

    /// Whether there will be something to report: the newest generation is not yet over.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.counts.len() > 1
    }

    /// Takes what is over into a report, with the flow whose way back it takes; `None`: nothing is.
    pub fn report(&mut self, now: Instant, node: NodeId, incarnation: Incarnation) -> Option<(FlowId, Rank)> {
        let newest = self.counts.iter().map(|count| count.entry.first).max()?;
        let mut rank = Rank::new(node, incarnation);
        self.counts.retain(|count| {
            let is_over = now.saturating_since(count.newest_at) >= REPORT_INTERVAL;
            !(is_over && count.entry.first != newest && rank.push(count.entry))
        });
        if rank.entries().is_empty() {
            return None;
        }
        Some((self.newest?, rank))
    }

    /// The source has started again: symbols are others.
    pub fn turn_epoch(&mut self) {
        *self = Self { timer: self.timer.take(), ..Self::default() };
    }
}

/// Packets that a source sent.
#[derive(Debug, Default)]
pub struct Emitted {
    /// By rising first symbol.
    counts: VecDeque<Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    first: u64,
    packets: u32,
    /// Who has reported, by place among the destinations.
    reported: u64,
}

impl Emitted {
    /// Counts a packet of the generation (or stretch) at `first`.
    pub fn on_packet(&mut self, first: u64) {
        let at = self.counts.partition_point(|sent| sent.first < first);
        match self.counts.get_mut(at) {
            Some(sent) if sent.first == first => sent.packets = sent.packets.saturating_add(1),
            // Of an older one that was forgotten.
            Some(_) => {}
            None => {
                if self.counts.len() == EMITTED_MAX {
                    self.counts.pop_front();
                }
                self.counts.push_back(Sent { first, packets: 1, reported: 0 });
            }
        }
    }

    /// Returns how many packets the generation at `first` had, when the destination at `place` reports on it for the first
    /// time. `None`: it did before, or the generation is not known or is the newest, of which more may come.
    pub fn on_report(&mut self, first: u64, place: usize) -> Option<u64> {
        let at = self.counts.binary_search_by_key(&first, |sent| sent.first).ok()?;
        let bit = 1_u64.checked_shl(place as u32)?;
        let is_newest = at + 1 == self.counts.len();
        let sent = &mut self.counts[at];
        if is_newest || sent.reported & bit != 0 {
            return None;
        }
        sent.reported |= bit;
        Some(u64::from(sent.packets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        NodeId::new(3).expect("a legal id")
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    /// Aim: a generation is reported once, when it is over and another has begun; stragglers make it no worse at the source.
    #[test]
    fn generations_are_reported_when_they_are_over() {
        let mut arrived = Arrived::default();
        for symbol in 0..3 {
            arrived.on_packet(at(symbol), FlowId(1), 0, 4, symbol < 2);
        }
        assert_eq!((arrived.is_waiting(), arrived.report(at(900), node(), Incarnation(1))), (false, None));
        arrived.on_packet(at(100), FlowId(2), 4, 4, true);
        assert!(arrived.is_waiting());
        assert_eq!(arrived.report(at(201), node(), Incarnation(1)), None, "more may come");
        let (flow, rank) = arrived.report(at(202), node(), Incarnation(1)).expect("the first is over");
        assert_eq!(
            (flow, rank.entries()),
            (FlowId(2), &[RankEntry { first: 0, size: 4, arrived: 3, rank: 2 }][..])
        );
        assert!(!arrived.is_waiting());

        let mut emitted = Emitted::default();
        [0, 0, 0, 0, 4].into_iter().for_each(|first| emitted.on_packet(first));
        assert_eq!((emitted.on_report(4, 0), emitted.on_report(9, 0)), (None, None));
        assert_eq!((emitted.on_report(0, 0), emitted.on_report(0, 0)), (Some(4), None));
        assert_eq!((emitted.on_report(0, 63), emitted.on_report(0, 64)), (Some(4), None));
    }

    /// Aim: what is remembered is bounded, and what is told of is counted from its beginning.
    #[test]
    fn memory_is_bounded_and_samples_are_whole() {
        let mut arrived = Arrived::default();
        let mut emitted = Emitted::default();
        let mut told = 0;
        for ms in 0..2_000 {
            for _ in 0..5 {
                arrived.on_packet(at(ms), FlowId(1), ms * 8, 8, true);
                emitted.on_packet(ms * 8);
            }
            if ms % 200 == 0
                && let Some((_, rank)) = arrived.report(at(ms), node(), Incarnation(1))
            {
                told += rank.entries().len();
                assert!(rank.entries().iter().all(|entry| entry.arrived == 5), "{rank:?}");
            }
            assert!(arrived.counts.len() <= COUNTED_MAX && emitted.counts.len() <= EMITTED_MAX);
        }
        assert!(told > 100, "{told}");
        assert_eq!((emitted.on_report(0, 0), emitted.on_report(1_998 * 8, 0)), (None, Some(5)));
    }

    #[test]
    fn windows_are_counted_by_stretch() {
        assert_eq!((counted_by(70, 130, true), counted_by(70, 130, false)), (128, 70));
    }
}
