//! A destination of a reliable session, as its source sees it.

use super::bits::SymbolBits;
use crate::ids::{Incarnation, NodeId};
use crate::time::Instant;
use std::collections::VecDeque;

/// What one destination has, and what it is to be sent again.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The node.
    pub node: NodeId,
    /// Which start of it acknowledged; `None` before the first acknowledgement.
    pub incarnation: Option<Incarnation>,
    /// The first symbol that it is owed.
    pub begin: u64,
    /// It has every symbol below, or is not owed it.
    pub cumulative: u64,
    /// Symbols that it tells from duplicates.
    pub span: u64,
    /// When it was last heard of, or, later, when something was first sent to it that it had to answer.
    pub heard_at: Instant,
    /// When it was told last where the session begins for it.
    pub(super) begin_told_at: Instant,
    /// Further symbols that it has.
    received: SymbolBits,
    /// Symbols that it lacks and that are not under way to it.
    wanted: SymbolBits,
    /// The same in the order in which that was found out; entries may be out of date.
    queue: VecDeque<u64>,
}

impl Destination {
    /// Returns a destination that is owed every symbol from `begin` on.
    #[must_use]
    pub fn new(now: Instant, node: NodeId, begin: u64, span: u64) -> Self {
        Self {
            node,
            incarnation: None,
            begin,
            cumulative: begin,
            span,
            heard_at: now,
            begin_told_at: Instant::ZERO,
            received: SymbolBits::starting_at(begin),
            wanted: SymbolBits::starting_at(begin),
            queue: VecDeque::new(),
        }
    }

    /// Whether it has the symbol, or is not owed it.
    #[inline]
    #[must_use]
    pub fn has(&self, symbol: u64) -> bool {
        symbol < self.cumulative || self.received.get(symbol)
    }

    /// Returns the first symbol that it lacks.
    #[must_use]
    pub fn first_missing(&self) -> u64 {
        self.cumulative
    }

    /// Whether the symbol is to be sent to it again.
    #[inline]
    #[must_use]
    pub fn wants(&self, symbol: u64) -> bool {
        self.wanted.get(symbol) && !self.has(symbol)
    }

    /// Notes that it has the symbols from `first` up to `end` (excluded).
    pub(super) fn on_range(&mut self, first: u64, end: u64) {
        self.received.set_range(first.max(self.cumulative), end);
    }

    /// Notes that it has every symbol below `cumulative`, and moves on as far as is known.
    pub(super) fn advance(&mut self, cumulative: u64) {
        let from = self.cumulative.max(cumulative);
        self.cumulative = self.received.next_clear(from);
        self.received.advance(self.cumulative);
        self.wanted.advance(self.cumulative);
    }

    /// Notes that the symbol is to be sent to it again.
    pub(super) fn want(&mut self, symbol: u64) {
        if !self.has(symbol) && self.wanted.set(symbol) {
            self.queue.push_back(symbol);
        }
    }

    /// Forgets what is to be sent again.
    pub(super) fn want_nothing(&mut self) {
        self.wanted = SymbolBits::starting_at(self.cumulative);
        self.queue.clear();
    }

    /// Notes that the symbol is under way to it.
    #[inline]
    pub(super) fn on_sent(&mut self, symbol: u64) {
        self.wanted.clear(symbol);
    }

    /// Returns the symbol to be sent again that was found out first.
    pub(super) fn next_wanted(&mut self) -> Option<u64> {
        while let Some(symbol) = self.queue.front().copied() {
            if self.wants(symbol) {
                return Some(symbol);
            }
            self.queue.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a destination that comes late in a long session costs no memory for what came before it.
    #[test]
    fn a_late_destination_takes_no_memory_for_what_was_before() {
        let (node, begin) = (NodeId::new(4).unwrap(), 64_000_000);
        let mut destination = Destination::new(Instant::ZERO, node, begin, 128);
        destination.want(begin + 1);
        destination.on_range(begin + 2, begin + 3);
        assert_eq!((destination.wanted.words(), destination.received.words()), (1, 1));
        destination.want_nothing();
        destination.want(begin + 4);
        assert_eq!((destination.wanted.words(), destination.next_wanted()), (1, Some(begin + 4)));
    }

    /// Aim: what was acknowledged meanwhile is not sent again, and nothing is wanted twice.
    #[test]
    fn only_what_is_missing_is_wanted() {
        let node = NodeId::new(4).unwrap();
        let mut destination = Destination::new(Instant::ZERO, node, 10, 128);
        assert!(destination.has(9) && !destination.has(10));
        for symbol in [12, 11, 12, 15, 9] {
            destination.want(symbol);
        }
        assert_eq!(destination.next_wanted(), Some(12));
        destination.on_range(12, 14);
        assert_eq!(destination.next_wanted(), Some(11));
        destination.advance(12);
        assert_eq!((destination.cumulative, destination.next_wanted()), (14, Some(15)));
        destination.on_sent(15);
        assert_eq!(destination.next_wanted(), None);
        destination.want(15);
        assert_eq!(destination.next_wanted(), Some(15), "lost once more");
    }
}
