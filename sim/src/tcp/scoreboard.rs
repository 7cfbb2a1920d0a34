//! What is known of each segment that was sent and is not acknowledged (RFC 6675).
//!
//! Segments are numbered in the order in which they were first sent. Besides that order they hang in a list by the
//! time at which each was sent last, which is how RACK looks at them (RFC 8985): the longest unheard of come first,
//! and those that are delivered or taken for lost are not in it.

use super::ranges::{Range, Ranges};
use bellini_core::time::Instant;
use std::collections::{BTreeSet, VecDeque};

/// No segment.
const NONE: u64 = u64::MAX;

/// A segment that is out.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Its place in the stream.
    pub range: Range,
    /// When it was sent last.
    pub sent_at: Instant,
    /// Whether it was sent more than once.
    pub is_repeated: bool,
    /// Whether it came, behind a hole.
    pub is_sacked: bool,
    /// Whether it is taken for lost.
    pub is_lost: bool,
    /// Whether it was sent again since it was taken for lost, and not lost again.
    pub is_resent: bool,
    previous: u64,
    next: u64,
}

/// All segments that are out, with their counts.
#[derive(Clone, Debug)]
pub struct Scoreboard {
    list: VecDeque<Sent>,
    /// Number of the first.
    first: u64,
    /// Ends of the list by time.
    oldest: u64,
    newest: u64,
    sacked: u32,
    lost: u32,
    resent: u32,
    /// Lost ones that were not sent again.
    to_resend: BTreeSet<u64>,
    /// What was reported as having come, so that no report is worked off twice.
    known: Ranges,
    highest_sacked: u64,
}

impl Default for Scoreboard {
    fn default() -> Self {
        Self {
            list: VecDeque::new(),
            first: 0,
            oldest: NONE,
            newest: NONE,
            sacked: 0,
            lost: 0,
            resent: 0,
            to_resend: BTreeSet::new(),
            known: Ranges::default(),
            highest_sacked: 0,
        }
    }
}

impl Scoreboard {
    /// Returns how many segments are out.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.list.len() as u32
    }

    /// Whether none is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns how many came behind a hole.
    #[must_use]
    pub const fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Returns how many are taken for lost, those that were sent again included.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// Returns how many of these were sent again.
    #[must_use]
    pub const fn resent(&self) -> u32 {
        self.resent
    }

    /// Returns how many are in the network, as far as known.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.len() - self.sacked - self.lost + self.resent
    }

    /// Returns the place behind the highest segment that came behind a hole.
    #[must_use]
    pub const fn highest_sacked(&self) -> u64 {
        self.highest_sacked
    }

    /// Returns the number of the segment with which, counted from the highest down, `count` (at least one) came behind
    /// a hole: what is missing below it has so many behind it that came.
    #[must_use]
    pub fn sacked_from_top(&self, count: u32) -> Option<u64> {
        if count == 0 || self.sacked < count {
            return None;
        }
        let top = self.list.partition_point(|sent| sent.range.end <= self.highest_sacked);
        let came = (0..top).rev().filter(|at| self.list[*at].is_sacked);
        came.map(|at| self.first + at as u64).nth(count as usize - 1)
    }

    /// Returns the first segment.
    #[must_use]
    pub fn front(&self) -> Option<&Sent> {
        self.list.front()
    }

    /// Returns a segment by its number.
    #[must_use]
    pub fn get(&self, number: u64) -> &Sent {
        &self.list[(number - self.first) as usize]
    }

    /// Returns the number of the first segment.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of the last segment, if any is out.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        (!self.list.is_empty()).then(|| self.first + self.list.len() as u64 - 1)
    }

    /// Adds a segment that is sent for the first time.
    pub fn push(&mut self, range: Range, now: Instant) {
        let number = self.first + self.list.len() as u64;
        self.list.push_back(Sent {
            range,
            sent_at: now,
            is_repeated: false,
            is_sacked: false,
            is_lost: false,
            is_resent: false,
            previous: NONE,
            next: NONE,
        });
        self.hang_last(number);
    }

    /// Takes off what lies before `ack`; shows each to `f` as it was.
    pub fn acknowledge(&mut self, ack: u64, f: &mut dyn FnMut(&Sent)) {
        while let Some(sent) = self.list.front()
            && sent.range.end <= ack
        {
            let sent = *sent;
            if sent.is_sacked {
                self.sacked -= 1;
            } else if !sent.is_lost || sent.is_resent {
                self.unhang(self.first);
            }
            if sent.is_lost {
                self.lost -= 1;
                self.to_resend.remove(&self.first);
            }
            self.resent -= u32::from(sent.is_resent);
            self.list.pop_front();
            self.first += 1;
            f(&sent);
        }
        self.known.remove_before(ack);
    }

    /// Notes that `range` came, behind a hole; shows each segment of it that was not known to have come to `f`, as it
    /// was.
    pub fn sack(&mut self, range: Range, f: &mut dyn FnMut(&Sent)) {
        let start = self.list.front().map_or(u64::MAX, |sent| sent.range.start);
        let range = Range::new(range.start.max(start), range.end);
        if range.start >= range.end {
            return;
        }
        let mut gaps = [Range::default(); 8];
        let mut count = 0;
        self.known.for_each_gap(range, &mut |gap| {
            if let Some(free) = gaps.get_mut(count) {
                *free = gap;
                count += 1;
            }
        });
        for gap in &gaps[..count] {
            self.sack_gap(*gap, f);
            self.known.insert(*gap);
        }
    }

    fn sack_gap(&mut self, gap: Range, f: &mut dyn FnMut(&Sent)) {
        let mut at = self.list.partition_point(|sent| sent.range.start < gap.start);
        while let Some(sent) = self.list.get(at).copied()
            && sent.range.end <= gap.end
        {
            let number = self.first + at as u64;
            if !sent.is_sacked {
                if !sent.is_lost || sent.is_resent {
                    self.unhang(number);
                }
                let kept = &mut self.list[at];
                kept.is_sacked = true;
                (kept.is_lost, kept.is_resent) = (false, false);
                self.sacked += 1;
                if sent.is_lost {
                    self.lost -= 1;
                    self.to_resend.remove(&number);
                }
                self.resent -= u32::from(sent.is_resent);
                self.highest_sacked = self.highest_sacked.max(sent.range.end);
                f(&sent);
            }
            at += 1;
        }
    }

    /// Takes a segment for lost: it is to be sent again. One that was sent again is lost again; one that came is not.
    /// Returns whether that changed anything.
    pub fn mark_lost(&mut self, number: u64) -> bool {
        let sent = *self.get(number);
        if sent.is_sacked || (sent.is_lost && !sent.is_resent) {
            return false;
        }
        self.unhang(number);
        let kept = self.get_mut(number);
        (kept.is_lost, kept.is_resent) = (true, false);
        self.lost += u32::from(!sent.is_lost);
        self.resent -= u32::from(sent.is_resent);
        self.to_resend.insert(number);
        true
    }

    /// Takes nothing for lost any more: the loss was none.
    pub fn unmark_lost(&mut self) {
        for number in self.first..self.first + self.list.len() as u64 {
            let sent = *self.get(number);
            if sent.is_lost {
                self.get_mut(number).is_lost = false;
                if !sent.is_resent {
                    self.hang_last(number);
                }
            }
        }
        self.lost = 0;
        self.to_resend.clear();
    }

    /// Returns the first segment that is to be sent again.
    #[must_use]
    pub fn next_to_resend(&self) -> Option<u64> {
        self.to_resend.first().copied()
    }

    /// Notes that a segment is sent again: a lost one, or (as a probe) one that is not.
    pub fn resend(&mut self, number: u64, now: Instant) {
        let sent = *self.get(number);
        if sent.is_sacked {
            return;
        }
        if !sent.is_lost || sent.is_resent {
            self.unhang(number);
        }
        let kept = self.get_mut(number);
        kept.sent_at = now;
        kept.is_repeated = true;
        if sent.is_lost && !sent.is_resent {
            kept.is_resent = true;
            self.resent += 1;
            self.to_resend.remove(&number);
        }
        self.hang_last(number);
    }

    /// Returns the number of the segment in the network that was sent longest ago, and of the one after `number` in
    /// that order.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Returns the segment sent next after segment `number`, which must be in the network.
    #[must_use]
    pub fn sent_after(&self, number: u64) -> Option<u64> {
        let next = self.get(number).next;
        (next != NONE).then_some(next)
    }

    fn get_mut(&mut self, number: u64) -> &mut Sent {
        &mut self.list[(number - self.first) as usize]
    }

    fn hang_last(&mut self, number: u64) {
        let newest = core::mem::replace(&mut self.newest, number);
        if newest == NONE {
            self.oldest = number;
        } else {
            self.get_mut(newest).next = number;
        }
        let sent = self.get_mut(number);
        (sent.previous, sent.next) = (newest, NONE);
    }

    fn unhang(&mut self, number: u64) {
        let Sent { previous, next, .. } = *self.get(number);
        if previous == NONE {
            self.oldest = next;
        } else {
            self.get_mut(previous).next = next;
        }
        if next == NONE {
            self.newest = previous;
        } else {
            self.get_mut(next).previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;

    /// Aim: the counts and the list by time are what the segments say one by one, after any order of events.
    #[test]
    fn counts_follow_the_segments() {
        let mut draws = Seed(5).stream("scoreboard");
        let (mut board, mut nxt, mut una) = (Scoreboard::default(), 0, 0);
        for step in 0..20_000_u64 {
            let now = Instant::from_nanos(step);
            let number = || board.first + draws.clone().below(u64::from(board.len().max(1)));
            let number = number();
            match draws.below(6) {
                0 | 1 if board.len() < 40 => {
                    board.push(Range::new(nxt, nxt + 10), now);
                    nxt += 10;
                }
                2 if !board.is_empty() => {
                    let start = una + 10 * draws.below(u64::from(board.len()));
                    let end = (start + 10 * (1 + draws.below(4))).min(nxt);
                    // The first is never behind a hole.
                    if start > una {
                        board.sack(Range::new(start, end), &mut |sent| assert!(!sent.is_sacked));
                    }
                }
                3 if !board.is_empty() => {
                    board.mark_lost(number);
                }
                4 => {
                    if let Some(number) = board.next_to_resend() {
                        board.resend(number, now);
                    } else if let Some(last) = board.last() {
                        board.resend(last, now);
                    }
                }
                5 if draws.chance(0.2) && !board.is_empty() => {
                    una += 10 * (1 + draws.below(u64::from(board.len())));
                    board.acknowledge(una, &mut |_| {});
                }
                _ if draws.chance(0.01) => board.unmark_lost(),
                _ => {}
            }
            let count = |what: fn(&Sent) -> bool| board.list.iter().filter(|sent| what(sent)).count() as u32;
            assert_eq!(board.sacked(), count(|sent| sent.is_sacked));
            assert_eq!(board.lost(), count(|sent| sent.is_lost));
            assert_eq!(board.resent(), count(|sent| sent.is_resent));
            assert_eq!(board.to_resend.len() as u32, count(|sent| sent.is_lost && !sent.is_resent));
            let came = board.list.iter().enumerate().rev().filter(|(_, sent)| sent.is_sacked);
            let third = came.map(|(at, _)| board.first + at as u64).nth(2);
            assert_eq!(board.sacked_from_top(3), third);
            let hanging: Vec<u64> =
                core::iter::successors(board.oldest(), |number| board.sent_after(*number)).collect();
            assert_eq!(
                hanging.len() as u32,
                count(|sent| !sent.is_sacked && (!sent.is_lost || sent.is_resent))
            );
            assert_eq!(board.newest, hanging.last().copied().unwrap_or(NONE));
        }
        assert!(una > 1_000, "much was acknowledged");
    }
}
