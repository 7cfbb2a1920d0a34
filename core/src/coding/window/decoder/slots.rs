//! Which symbols a window decoder knows of: new ones at the end, and what is given up at the beginning.

use super::{Slot, WindowDecoder, bytes_of};
use crate::time::Instant;

impl WindowDecoder {
    /// Makes slots for the symbols from `first` to `last`; `false` when one is over, can never have a slot, or is too far
    /// ahead to be believed at once (as in RFC 3550, A.1).
    pub(super) fn hear(&mut self, now: Instant, first: u64, last: u64) -> bool {
        self.advance(now);
        let room = self.limits.symbols_max as u64;
        if first < self.floor || last == u64::MAX {
            return false;
        }
        let is_new = self.slots.is_empty() && self.floor == 0;
        let newest = self.end().max(self.floor);
        if !is_new && first.saturating_sub(newest) > room {
            if self.far.is_none_or(|far| first.abs_diff(far) > room) {
                self.far = Some(first);
                return false;
            }
            while !self.slots.is_empty() {
                self.give_up_first();
            }
            self.floor = first.saturating_sub(room - 1);
            self.base = first;
            self.far = None;
        } else if self.slots.is_empty() {
            // What lies between was lost, unless nothing came before.
            self.base = if is_new { first } else { self.floor };
        }
        self.reach_down(now, first) && {
            self.reach_up(now, last);
            first >= self.base
        }
    }

    /// Makes slots for what comes before the first packet that came, as when flows overtake each other.
    fn reach_down(&mut self, now: Instant, first: u64) -> bool {
        if first >= self.base {
            return true;
        }
        if self.end() - first > self.limits.symbols_max as u64 {
            return false;
        }
        let heard = self.slots.front().map_or(now, |slot| slot.heard);
        for _ in first..self.base {
            self.slots.push_front(Slot { heard, known: None });
        }
        self.base = first;
        true
    }

    /// Makes slots up to `last`; the oldest make room.
    fn reach_up(&mut self, now: Instant, last: u64) {
        let oldest = (last + 1).saturating_sub(self.limits.symbols_max as u64);
        while self.base < oldest && !self.slots.is_empty() {
            self.give_up_first();
        }
        if self.base < oldest {
            self.stats.given_up += oldest - self.base;
            (self.base, self.floor) = (oldest, oldest);
        }
        let heard = self.slots.back().map_or(now, |slot| slot.heard.max(now));
        while self.end() <= last {
            self.slots.push_back(Slot { heard, known: None });
        }
    }

    /// Gives up the oldest until the rest fits.
    pub(super) fn shrink(&mut self) {
        while self.rows.len() > self.limits.rows_max {
            self.drop_first_row();
        }
        while self.bytes > self.limits.bytes_max && !self.slots.is_empty() {
            self.give_up_first();
        }
    }

    fn drop_first_row(&mut self) {
        self.bytes -= self.rows.remove(0).bytes();
        self.stats.dropped_rows += 1;
    }

    pub(super) fn give_up_first(&mut self) {
        let Some(slot) = self.slots.pop_front() else { return };
        match slot.known {
            Some(coded) => self.bytes -= bytes_of(&coded),
            None => {
                self.stats.given_up += 1;
                // No row begins earlier, so that no other has it.
                if self.rows.first().is_some_and(|row| row.first == self.base) {
                    self.drop_first_row();
                }
            }
        }
        self.base += 1;
        self.floor = self.floor.max(self.base);
    }
}
