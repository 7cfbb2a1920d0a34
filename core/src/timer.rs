//! A hierarchical timing wheel with exact deadlines.
//!
//! Level l holds the timers whose deadline first differs from the wheel's time in the l-th 4-bit digit (counted
//! from below, in nanoseconds); within a level, the slot is that digit. So the earliest timer always lies in the
//! lowest occupied slot of the lowest occupied level, found by two bit scans. Time moves to a deadline only when
//! it is popped; a slot of a higher level is then spread over the levels below. A timer moves down at most once a
//! level, so set, cancel and pop take amortised constant time (Varghese and Lauck 1987, scheme 7, without ticks).
//! Sixteen slots a level keep an idle wheel small: 1 KiB for all of 2^64 ns.

use crate::time::Instant;

const DIGIT_BITS: u32 = 4;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = (u64::BITS / DIGIT_BITS) as usize;
const NIL: u32 = u32::MAX;

/// Names a timer that was set. It goes stale when the timer fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    entry: u32,
    generation: u32,
}

/// Timers with keys of type `K`.
#[derive(Clone, Debug)]
pub struct TimerWheel<K> {
    /// All pending deadlines are at or after it.
    base: u64,
    entries: Vec<Entry<K>>,
    free: u32,
    /// First entry of each slot's list; lists are in order of setting.
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u16; LEVELS],
    levels: u16,
    /// The earliest deadline, when known.
    next: Option<u64>,
    len: usize,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry<K> {
    at: u64,
    sequence: u64,
    key: K,
    generation: u32,
    previous: u32,
    following: u32,
    /// Level and slot, or `u16::MAX` when free.
    place: u16,
}

impl<K: Copy> TimerWheel<K> {
    /// Returns an empty wheel that starts at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            base: now.as_nanos(),
            entries: Vec::new(),
            free: NIL,
            heads: [[NIL; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            levels: 0,
            next: None,
            len: 0,
            sequence: 0,
        }
    }

    /// Sets a timer. A deadline that lies before the last popped one fires as soon as it is asked for.
    pub fn set(&mut self, at: Instant, key: K) -> TimerId {
        let at = at.as_nanos().max(self.base);
        let sequence = self.sequence;
        self.sequence += 1;
        let entry = if self.free == NIL {
            let fresh =
                Entry { at, sequence, key, generation: 0, previous: NIL, following: NIL, place: u16::MAX };
            self.entries.push(fresh);
            (self.entries.len() - 1) as u32
        } else {
            let entry = self.free;
            let slot = &mut self.entries[entry as usize];
            self.free = slot.following;
            (slot.at, slot.sequence, slot.key) = (at, sequence, key);
            entry
        };
        self.link(entry);
        self.len += 1;
        if self.next.is_none_or(|next| at < next) && (self.next.is_some() || self.len == 1) {
            self.next = Some(at);
        }
        TimerId { entry, generation: self.entries[entry as usize].generation }
    }

    /// Cancels a timer; returns whether it was still pending.
    pub fn cancel(&mut self, id: TimerId) -> bool {
        let Some(entry) = self.entries.get(id.entry as usize) else { return false };
        if entry.generation != id.generation || entry.place == u16::MAX {
            return false;
        }
        let at = entry.at;
        self.unlink(id.entry);
        self.release(id.entry);
        if self.next == Some(at) {
            self.next = self.find_next();
        }
        true
    }

    /// Returns the earliest deadline.
    #[inline]
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.next.map(Instant::from_nanos)
    }

    /// Removes and returns the earliest timer whose deadline is at or before `now`; equals in order of setting.
    #[inline]
    pub fn pop_expired(&mut self, now: Instant) -> Option<(Instant, K)> {
        let next = self.next?;
        if next > now.as_nanos() {
            return None;
        }
        Some(self.pop_first(next))
    }

    /// Returns how many timers are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn pop_first(&mut self, at: u64) -> (Instant, K) {
        // Bring the earliest deadline down to level 0, whose slots hold one deadline each.
        loop {
            let level = self.levels.trailing_zeros() as usize;
            let slot = self.occupied[level].trailing_zeros() as usize;
            if level == 0 || self.heads_all_at(level, slot, at) {
                let entry = self.heads[level][slot];
                self.base = at;
                let key = self.entries[entry as usize].key;
                self.unlink(entry);
                self.release(entry);
                self.next = self.find_next();
                return (Instant::from_nanos(at), key);
            }
            self.base = at;
            self.spread(level, slot);
        }
    }

    /// Whether the slot holds one timer only, which is then the earliest: it need not be brought down.
    fn heads_all_at(&self, level: usize, slot: usize, at: u64) -> bool {
        let head = &self.entries[self.heads[level][slot] as usize];
        head.following == self.heads[level][slot] && head.at == at
    }

    /// Moves the timers of a slot to the levels that they belong to now that the base has moved into the slot.
    fn spread(&mut self, level: usize, slot: usize) {
        let head = core::mem::replace(&mut self.heads[level][slot], NIL);
        self.clear_bit(level, slot);
        let last = self.entries[head as usize].previous;
        let mut entry = head;
        loop {
            let following = self.entries[entry as usize].following;
            self.link(entry);
            if entry == last {
                return;
            }
            entry = following;
        }
    }

    /// Finds the earliest deadline by a scan of one slot.
    fn find_next(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let head = self.heads[level][slot];
        let mut earliest = self.entries[head as usize].at;
        if level > 0 {
            let mut entry = self.entries[head as usize].following;
            while entry != head {
                earliest = earliest.min(self.entries[entry as usize].at);
                entry = self.entries[entry as usize].following;
            }
        }
        Some(earliest)
    }

    fn place(&self, at: u64) -> (usize, usize) {
        let differing = at ^ self.base;
        let level = (u64::BITS - 1).saturating_sub(differing.leading_zeros()) / DIGIT_BITS;
        let slot = (at >> (level * DIGIT_BITS)) as usize & (SLOTS - 1);
        (level as usize, slot)
    }

    /// Appends the entry to the ring of its slot. Rings are kept in order of setting, so that equals fire so.
    fn link(&mut self, entry: u32) {
        let (level, slot) = self.place(self.entries[entry as usize].at);
        self.entries[entry as usize].place = (level * SLOTS + slot) as u16;
        let head = self.heads[level][slot];
        if head == NIL {
            self.heads[level][slot] = entry;
            self.occupied[level] |= 1 << slot;
            self.levels |= 1 << level;
            let only = &mut self.entries[entry as usize];
            (only.previous, only.following) = (entry, entry);
            return;
        }
        // A timer that comes down from a higher level was set before those that were set here directly since;
        // walking back from the end finds its place, at once in the common case.
        let sequence = self.entries[entry as usize].sequence;
        let mut behind = self.entries[head as usize].previous;
        let mut at_front = false;
        while self.entries[behind as usize].sequence > sequence {
            if behind == head {
                at_front = true;
                behind = self.entries[head as usize].previous;
                break;
            }
            behind = self.entries[behind as usize].previous;
        }
        let following = self.entries[behind as usize].following;
        self.entries[behind as usize].following = entry;
        self.entries[following as usize].previous = entry;
        let linked = &mut self.entries[entry as usize];
        (linked.previous, linked.following) = (behind, following);
        if at_front {
            self.heads[level][slot] = entry;
        }
    }

    fn unlink(&mut self, entry: u32) {
        let Entry { previous, following, place, .. } = self.entries[entry as usize];
        let (level, slot) = (usize::from(place) / SLOTS, usize::from(place) % SLOTS);
        if following == entry {
            self.heads[level][slot] = NIL;
            self.clear_bit(level, slot);
            return;
        }
        self.entries[previous as usize].following = following;
        self.entries[following as usize].previous = previous;
        if self.heads[level][slot] == entry {
            self.heads[level][slot] = following;
        }
    }

    fn clear_bit(&mut self, level: usize, slot: usize) {
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    fn release(&mut self, entry: u32) {
        let released = &mut self.entries[entry as usize];
        released.generation = released.generation.wrapping_add(1);
        released.place = u16::MAX;
        released.following = self.free;
        self.free = entry;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::collections::BTreeMap;

    /// Random sets, cancels and pops at scales from nanoseconds to hours, against an ordered map.
    #[test]
    fn agrees_with_an_ordered_map() {
        let mut stream = Seed(6).stream("wheel");
        let mut wheel = TimerWheel::new(Instant::from_nanos(12_345));
        let mut reference = BTreeMap::new();
        let mut ids = Vec::new();
        let (mut now, mut sequence) = (12_345_u64, 0_u64);
        for _ in 0..400_000 {
            match stream.below(10) {
                0..=4 => {
                    let scale = 1_u64 << stream.below(42);
                    let at = now + stream.below(scale);
                    ids.push((wheel.set(Instant::from_nanos(at), sequence), at, sequence));
                    reference.insert((at, sequence), ());
                    sequence += 1;
                }
                5 if !ids.is_empty() => {
                    let (id, at, sequence) = ids.swap_remove(stream.below(ids.len() as u64) as usize);
                    assert_eq!(wheel.cancel(id), reference.remove(&(at, sequence)).is_some());
                    assert!(!wheel.cancel(id));
                }
                _ => {
                    if let Some(next) = wheel.next().filter(|_| stream.chance(0.7)) {
                        now = now.max(next.as_nanos());
                    }
                    let expected =
                        reference.first_key_value().map(|(key, ())| *key).filter(|key| key.0 <= now);
                    let popped = wheel.pop_expired(Instant::from_nanos(now));
                    assert_eq!(popped.map(|(at, key)| (at.as_nanos(), key)), expected);
                    expected.map(|key| reference.remove(&key));
                }
            }
            assert_eq!(wheel.len(), reference.len());
            assert_eq!(
                wheel.next().map(Instant::as_nanos),
                reference.first_key_value().map(|(key, ())| key.0)
            );
        }
    }

    #[test]
    fn equal_deadlines_fire_in_order_of_setting() {
        let mut wheel = TimerWheel::new(Instant::ZERO);
        let at = Instant::from_nanos(5_000_000_123);
        for key in 0..100 {
            wheel.set(at, key);
            wheel.set(Instant::from_nanos(5_000_000_000 + key), 1_000 + key);
        }
        let mut fired = Vec::new();
        while let Some((when, key)) = wheel.pop_expired(Instant::from_nanos(6_000_000_000)) {
            if when == at && key < 1_000 {
                fired.push(key);
            }
        }
        assert_eq!(fired, (0..100).collect::<Vec<_>>());
        assert!(wheel.is_empty());
    }

    #[test]
    fn the_past_fires_at_once() {
        let mut wheel = TimerWheel::new(Instant::from_nanos(1_000));
        wheel.set(Instant::ZERO, 'a');
        assert_eq!(wheel.next(), Some(Instant::from_nanos(1_000)));
        assert_eq!(wheel.pop_expired(Instant::from_nanos(1_000)), Some((Instant::from_nanos(1_000), 'a')));
    }
}
