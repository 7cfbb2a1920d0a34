//! Deliveries in the order of the symbols.

use crate::payload::Payload;
use crate::time::Instant;
use std::collections::VecDeque;

/// Holds symbols back until all before them have been delivered.
///
/// A reliable source sends nothing beyond what its destinations can tell from duplicates, so that no more than those
/// symbols wait here. What a source sends beyond is delivered at once, out of order, and counted.
#[derive(Debug)]
pub struct Order {
    /// The symbol that is next.
    next: u64,
    /// Symbols from `next` on; `None`: it has not come.
    waiting: VecDeque<Option<(Instant, Payload)>>,
    symbols_max: usize,
    /// Symbols that were delivered out of order.
    pub unordered: u64,
}

impl Order {
    /// Returns an order that begins with symbol 0 and lets at most `symbols_max` wait.
    #[must_use]
    pub fn new(symbols_max: usize) -> Self {
        Self { next: 0, waiting: VecDeque::new(), symbols_max: symbols_max.max(1), unordered: 0 }
    }

    /// Takes a symbol that came for the first time; `false`: it finds no place, and is to be delivered at once.
    pub fn push(&mut self, symbol: u64, timestamp: Instant, payload: &Payload) -> bool {
        let ahead = symbol.checked_sub(self.next).filter(|ahead| *ahead < self.symbols_max as u64);
        let Some(ahead) = ahead else {
            self.unordered += 1;
            return false;
        };
        let at = ahead as usize;
        if self.waiting.len() <= at {
            self.waiting.resize(at + 1, None);
        }
        self.waiting[at] = Some((timestamp, payload.clone()));
        true
    }

    /// Returns the next symbol in order, if it is there.
    pub fn pop(&mut self) -> Option<(u64, Instant, Payload)> {
        let (timestamp, payload) = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        let symbol = self.next;
        // A source may name the last of all ids.
        self.next = symbol.saturating_add(1);
        Some((symbol, timestamp, payload))
    }

    /// Notes that nothing before `symbol` will come that is not here: gaps up to there are passed over.
    pub fn begin_at(&mut self, symbol: u64) {
        while self.next < symbol {
            match self.waiting.front() {
                Some(Some(_)) => return,
                Some(None) => {
                    self.waiting.pop_front();
                    self.next += 1;
                }
                None => self.next = symbol,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use crate::payload::Synthetic;

    fn push(order: &mut Order, symbol: u64) -> bool {
        let what = Synthetic { key: SessionKey::new(1, 1), symbol, offset: 0, len: 1 };
        order.push(symbol, Instant::ZERO, &Payload::Synthetic(what))
    }

    fn drain(order: &mut Order) -> Vec<u64> {
        core::iter::from_fn(|| order.pop().map(|(symbol, ..)| symbol)).collect()
    }

    /// Aim: any order of arrival gives the order of the symbols, and a late beginning passes over what never comes.
    #[test]
    fn symbols_leave_in_order() {
        let mut order = Order::new(8);
        assert!(push(&mut order, 2) && push(&mut order, 1));
        assert_eq!(drain(&mut order), []);
        assert!(push(&mut order, 0));
        assert_eq!(drain(&mut order), [0, 1, 2]);
        assert!(push(&mut order, 6));
        order.begin_at(5);
        assert_eq!(drain(&mut order), []);
        assert!(push(&mut order, 5));
        assert_eq!(drain(&mut order), [5, 6]);
        order.begin_at(1_000);
        assert!(push(&mut order, 1_000));
        assert_eq!(drain(&mut order), [1_000]);
    }

    /// Aim: a source may say that a session begins with the last id that there is.
    #[test]
    fn the_last_id_of_all_is_delivered() {
        let mut order = Order::new(8);
        order.begin_at(u64::MAX);
        assert!(push(&mut order, u64::MAX));
        assert_eq!(drain(&mut order), [u64::MAX]);
    }

    /// Aim: memory is bounded, and what finds no place is said to.
    #[test]
    fn what_is_too_far_ahead_or_behind_finds_no_place() {
        let mut order = Order::new(8);
        assert!(push(&mut order, 0) && !push(&mut order, 8) && push(&mut order, 7));
        assert_eq!(drain(&mut order), [0]);
        assert!(!push(&mut order, 0) && push(&mut order, 8));
        assert_eq!(order.unordered, 2);
    }
}
