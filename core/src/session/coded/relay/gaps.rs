//! How many packets were lost on a hop, and of which generations: from the numbers that they carry.
//!
//! The sequence of the hop says how many, once; the index within a generation says which of them were this one's. What is
//! left over belongs to the generation seen last, or, when that is this one, to one whose index will show it.

use crate::ids::HopIndex;
use std::collections::VecDeque;

/// Hops that are told apart; the one heard first goes.
const HOPS_MAX: usize = 16;
/// Generations of which the next index is remembered, for each hop; the oldest go.
const GENERATIONS_MAX: usize = 64;
/// Jumps that are taken for losses, at most; also how far back a packet is known to have come already.
pub(super) const GAP_MAX: u16 = 64;

/// What the numbers of a packet tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// This very packet has come.
    Again,
    /// It has not, but was taken for lost when a later one came.
    Late,
    /// It has not; so many were lost since the last one.
    New {
        /// Of its own generation.
        own: u16,
        /// Of the one that begins with this symbol.
        before: Option<(u64, u16)>,
    },
}

/// The numbers of a session's packets, by the hop that they come on.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    hops: VecDeque<Hop>,
}

#[derive(Clone, Debug)]
struct Hop {
    hop: HopIndex,
    /// The sequence number expected next.
    sequence: u32,
    /// Which of the 64 before it have come, the last one lowest.
    came: u64,
    /// The generation seen last.
    newest: u64,
    /// Losses that the sequence showed and no generation has been charged with.
    unclaimed: u16,
    /// First symbols of generations, each with the index expected next.
    generations: VecDeque<(u64, u16)>,
}

impl Hop {
    fn new(hop: HopIndex, sequence: u32, newest: u64) -> Self {
        let generations = VecDeque::new();
        Self { hop, sequence: sequence.wrapping_add(1), came: 1, newest, unclaimed: 0, generations }
    }

    /// Returns how far `index` is ahead of what is expected of its generation, and expects the next one.
    fn jump(&mut self, first: u64, index: u16) -> u16 {
        if let Some((_, next)) = self.generations.iter_mut().rev().find(|(known, _)| *known == first) {
            let jump = index.saturating_sub(*next);
            *next = (*next).max(index.saturating_add(1));
            return jump;
        }
        if self.generations.len() == GENERATIONS_MAX {
            self.generations.pop_front();
        }
        self.generations.push_back((first, index.saturating_add(1)));
        index
    }
}

impl Gaps {
    /// Notes a packet of the generation that begins with `first`. A first packet on a hop shows no losses, nor does one
    /// that comes late: what it is about was charged when it was missed. Numbers that fall back far begin anew.
    pub(super) fn note(&mut self, hop: HopIndex, first: u64, index: u16, sequence: u32) -> Noted {
        const NOTHING: Noted = Noted::New { own: 0, before: None };
        let Some(at) = self.hops.iter().position(|known| known.hop == hop) else {
            if self.hops.len() == HOPS_MAX {
                self.hops.pop_front();
            }
            let mut new = Hop::new(hop, sequence, first);
            new.jump(first, index);
            self.hops.push_back(new);
            return NOTHING;
        };
        let known = &mut self.hops[at];
        let ahead = sequence.wrapping_sub(known.sequence);
        // Backward by as much as the last one is 0, the one before it 1, and so on.
        let back = !ahead;
        if back < u32::from(GAP_MAX) {
            if known.came >> back & 1 == 1 {
                return Noted::Again;
            }
            known.came |= 1 << back;
            known.jump(first, index);
            return Noted::Late;
        }
        if ahead > u32::MAX / 2 {
            *known = Hop::new(hop, sequence, first);
            known.jump(first, index);
            return NOTHING;
        }
        known.came = known.came.checked_shl(ahead.saturating_add(1)).unwrap_or(0) | 1;
        known.sequence = sequence.wrapping_add(1);
        let before = core::mem::replace(&mut known.newest, first);
        let jump = known.jump(first, index);
        let Some(lost) = u16::try_from(ahead).ok().filter(|lost| *lost <= GAP_MAX) else {
            known.unclaimed = 0;
            return NOTHING;
        };
        let lost = lost + known.unclaimed;
        let own = if jump <= GAP_MAX { jump.min(lost) } else { 0 };
        let left = lost - own;
        if before == first {
            known.unclaimed = left.min(GAP_MAX);
            return Noted::New { own, before: None };
        }
        known.unclaimed = 0;
        Noted::New { own, before: (left > 0).then_some((before, left)) }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.hops.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: HopIndex = HopIndex(3);

    fn own(own: u16) -> Noted {
        Noted::New { own, before: None }
    }

    /// Aim: jumps are counted once, by index where it shows them; going back is none; a twin is known.
    #[test]
    fn jumps_are_losses_once() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.note(HOP, 0, 5, 100), own(0), "the first on a hop shows nothing");
        assert_eq!(gaps.note(HOP, 0, 6, 101), own(0));
        assert_eq!(gaps.note(HOP, 0, 9, 104), own(2));
        assert_eq!(gaps.note(HOP, 0, 9, 104), Noted::Again);
        assert_eq!(gaps.note(HOP, 0, 7, 102), Noted::Late);
        assert_eq!(gaps.note(HOP, 0, 7, 102), Noted::Again);
        assert_eq!(gaps.note(HOP, 0, 10, 105), own(0));
        assert_eq!(gaps.note(HopIndex(4), 0, 90, 7), own(0), "another hop counts by itself");
    }

    /// Aim: what is lost at the end of a generation belongs to it, what is lost at the beginning of the next to that one.
    #[test]
    fn the_end_of_a_generation_is_its_own() {
        let mut gaps = Gaps::default();
        gaps.note(HOP, 0, 0, 0);
        let noted = gaps.note(HOP, 32, 1, 5);
        assert_eq!(noted, Noted::New { own: 1, before: Some((0, 3)) });
    }

    /// Aim: with generations in turns, each loss is counted once, whichever generation it is charged to.
    #[test]
    fn generations_in_turns() {
        let mut gaps = Gaps::default();
        for (at, first) in [0, 32, 64].into_iter().enumerate() {
            gaps.note(HOP, first, 0, at as u32);
        }
        // One of 32 is lost between two of 0: its index tells, later.
        assert_eq!(gaps.note(HOP, 0, 1, 3), own(0));
        assert_eq!(gaps.note(HOP, 0, 2, 5), own(0));
        assert_eq!(gaps.note(HOP, 32, 2, 6), own(1));
        // One of 32 between one of 32 and one of 64 is charged to 32, and not again.
        assert_eq!(gaps.note(HOP, 64, 1, 8), Noted::New { own: 0, before: Some((32, 1)) });
        assert_eq!(gaps.note(HOP, 32, 4, 9), own(0));
    }

    /// Aim: jumps above 64 are not believed, wherever they are; numbers that begin anew are followed; those that have
    /// come round are no jump.
    #[test]
    fn wild_numbers() {
        let mut gaps = Gaps::default();
        gaps.note(HOP, 0, 0, u32::MAX - 1);
        assert_eq!(gaps.note(HOP, 0, 2, 0), own(1));
        assert_eq!(gaps.note(HOP, 0, 66, 64), own(63));
        assert_eq!(gaps.note(HOP, 0, 132, 130), own(0), "65 are too many");
        assert_eq!(gaps.note(HOP, 0, u16::MAX, 1_000_000), own(0));
        assert_eq!(gaps.note(HOP, 0, u16::MAX, 1_000_001), own(0));
        // A node that has started again.
        assert_eq!(gaps.note(HOP, 0, 0, 0), own(0));
        assert_eq!(gaps.note(HOP, 32, 0, 1), own(0));
        assert_eq!(gaps.note(HOP, 32, 2, 3), own(1));
        for number in 0..10_000_u32 {
            gaps.note(HopIndex(number % 1_000), u64::from(number), number as u16, number.wrapping_mul(77));
        }
        assert!(gaps.hops.len() <= HOPS_MAX);
        assert!(gaps.hops.iter().all(|hop| hop.generations.len() <= GENERATIONS_MAX));
    }
}
