//! Timers: a hierarchical wheel with exact nanosecond deadlines.
//!
//! A deadline is read as thirteen digits of five bits. A timer hangs in level *L*, slot *s*, where *L* is the
//! highest digit in which its deadline differs from the wheel's `cursor` and *s* that digit (Varghese and Lauck,
//! "Hashed and Hierarchical Timing Wheels", 1987, scheme 7, with the exclusive or of deadline and cursor in place
//! of clock hands). All deadlines are at or after the cursor, therefore the first occupied slot of the lowest
//! occupied level holds the earliest one, and two bitmaps find it without a search.
//!
//! Three things depart from the textbook:
//!
//! - **The head of a slot's list is its earliest timer**, so that [`TimerWheel::next`] is exact and not rounded to
//!   a slot. When a head leaves, its slot is merely marked unsorted; it is put right only once it is the first of
//!   all, by a look at up to `SHORT` timers or else by handing the list down to the finer levels.
//! - **The cursor does not follow the clock** but the timers: it moves when a slot is handed down or the earliest
//!   timer leaves a slot empty. A timer that is alone in its slot is never moved at all.
//! - **The cursor can be turned back** in a few list splices, so that a deadline in the past takes its exact place
//!   in the order: sources that fell behind the clock are served in the order of their due times.
//!
//! The radix is a matter of memory: a level in use costs 136 bytes, and an idle node uses two or three. With 16 slots a
//! level costs 68 bytes and a pop and set takes a quarter to a third longer (33 ns against 25 with ten timers up to 1 ms
//! ahead, 43 against 34 with ten thousand); 64 slots cost 272 bytes, an eighth of an idle node's 2 KiB for each level,
//! lose a few nanoseconds at ten timers and win up to four at a thousand (`cargo bench -p bellini-core`).

use crate::time::Instant;

/// Bits of a deadline that one level resolves.
const DIGIT: u32 = 5;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// One bit for each slot of a level.
type Slots = u32;

/// The longest list that is searched for its earliest timer; a longer one is handed down.
const SHORT: usize = 4;
/// Marks the end of the free list, an empty slot and a level that has no slots yet.
const NONE: u32 = u32::MAX;
const NO_LEVEL: u8 = u8::MAX;

/// Names one setting of a timer, for [`TimerWheel::cancel`].
///
/// It stays safe to use after the timer has fired or was cancelled: such an id cancels nothing. (A generation
/// counter sees to it; it repeats after 2^32 uses of one place in the slab.)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

/// The pending timers of one node. Each carries a key `K` that says what to do when it fires.
///
/// Setting, cancelling and popping cost O(1) amortised, whatever the number of timers; [`Self::next`] reads a
/// field. The exception is a cancelled earliest timer of a slot that many share: the new earliest of that slot has
/// to be found. Nothing is allocated once the wheel has held as many timers at a time, and used as many levels, as
/// it ever will.
#[derive(Clone, Debug)]
pub struct TimerWheel<K> {
    /// At or before every pending deadline; a timer's level and slot are relative to it.
    cursor: u64,
    /// The earliest pending deadline; meaningless when there is none.
    earliest: u64,
    /// The latest time that was seen.
    now: Instant,
    nodes: Vec<Node<K>>,
    free: u32,
    len: u32,
    levels: Vec<Level>,
    /// One bit for each level that holds timers.
    occupied: u16,
    /// Where in `levels` a level is.
    place: [u8; LEVELS],
}

/// A timer in its slot's circular list, or a place in the free list (linked by `next`).
#[derive(Clone, Copy, Debug)]
struct Node<K> {
    at: u64,
    next: u32,
    previous: u32,
    generation: u32,
    key: K,
}

/// The slots of a digit: the heads of their lists, which of them have one, and whose head need not be the earliest.
#[derive(Clone, Copy, Debug)]
struct Level {
    heads: [u32; SLOTS],
    occupied: Slots,
    unsorted: Slots,
}

impl<K: Copy> TimerWheel<K> {
    /// Returns a wheel without timers. `now` is where time starts.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            cursor: now.as_nanos(),
            earliest: 0,
            now,
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            levels: Vec::new(),
            occupied: 0,
            place: [NO_LEVEL; LEVELS],
        }
    }

    /// Sets a timer that fires at `at`. One in the past fires at the next [`Self::pop_expired`], before all that
    /// are due later than it.
    ///
    /// # Panics
    /// If 2^32 - 1 timers are pending.
    pub fn set(&mut self, at: Instant, key: K) -> TimerId {
        let at = at.as_nanos();
        if self.len == 0 || at < self.earliest {
            self.earliest = at;
        }
        if at < self.cursor {
            self.turn_back(at);
        }
        let index = self.free;
        let (index, generation) = if index == NONE {
            let index = u32::try_from(self.nodes.len()).ok().filter(|&i| i != NONE);
            let index = index.expect("fewer than 2^32 - 1 timers are pending");
            self.nodes.push(Node { at, next: index, previous: index, generation: 0, key });
            (index, 0)
        } else {
            let node = &mut self.nodes[index as usize];
            self.free = node.next;
            (node.at, node.key) = (at, key);
            (index, node.generation)
        };
        self.len += 1;
        self.link(index, at);
        TimerId { index, generation }
    }

    /// Cancels a timer. Returns whether it was pending.
    pub fn cancel(&mut self, id: TimerId) -> bool {
        let Some(node) = self.nodes.get(id.index as usize) else { return false };
        if node.generation != id.generation {
            return false;
        }
        let at = node.at;
        self.remove(id.index, at);
        if at == self.earliest {
            self.settle(0);
        }
        true
    }

    /// Returns the earliest pending deadline, exactly.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        if self.len == 0 { None } else { Some(Instant::from_nanos(self.earliest)) }
    }

    /// Takes the earliest timer out when its deadline is at or before `now`. Timers with the same deadline come in
    /// the order in which they were set.
    ///
    /// # Panics
    /// If `now` is earlier than in a call before, or than the start: time does not go back.
    pub fn pop_expired(&mut self, now: Instant) -> Option<(Instant, K)> {
        assert!(now >= self.now, "time runs forwards: {now} comes after {}", self.now);
        self.now = now;
        let at = self.earliest;
        if self.len == 0 || at > now.as_nanos() {
            return None;
        }
        let (level, slot) = self.first().expect("a timer is pending");
        let index = self.level(level).heads[slot];
        let key = self.nodes[index as usize].key;
        if self.remove(index, at) {
            // The first slot of all is empty: nothing hangs between it and the deadline that just left it.
            self.cursor = at;
        }
        self.settle(at);
        Some((Instant::from_nanos(at), key))
    }

    /// Returns how many timers are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no timer is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The lowest occupied level and its first occupied slot: the earliest deadline is in there.
    #[inline]
    fn first(&self) -> Option<(usize, usize)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.level(level).occupied.trailing_zeros() as usize))
    }

    #[inline]
    fn level(&self, level: usize) -> &Level {
        &self.levels[usize::from(self.place[level])]
    }

    #[inline]
    fn level_mut(&mut self, level: usize) -> &mut Level {
        &mut self.levels[usize::from(self.place[level])]
    }

    /// The level and slot of a deadline, seen from the cursor.
    #[inline]
    fn locate(&self, at: u64) -> (usize, usize) {
        // The lowest bit is set so that a deadline at the cursor itself is in level 0 as well.
        let level = (((at ^ self.cursor) | 1).ilog2() / DIGIT) as usize;
        (level, digit(at, level))
    }

    /// Hangs a timer into the slot of its deadline: in front when it is the earliest there, else at the end.
    #[inline]
    fn link(&mut self, index: u32, at: u64) {
        let (level, slot) = self.locate(at);
        if self.place[level] == NO_LEVEL {
            self.add_level(level);
        }
        self.occupied |= 1 << level;
        let entry = &mut self.levels[usize::from(self.place[level])];
        let bit = 1 << slot;
        if entry.occupied & bit == 0 {
            entry.occupied |= bit;
            entry.heads[slot] = index;
            let node = &mut self.nodes[index as usize];
            (node.next, node.previous) = (index, index);
            return;
        }
        let head = entry.heads[slot];
        let first = &mut self.nodes[head as usize];
        let tail = first.previous;
        first.previous = index;
        // In an unsorted list the head says nothing, and an equal deadline that was set earlier may be in it.
        if at < first.at && entry.unsorted & bit == 0 {
            entry.heads[slot] = index;
        }
        let node = &mut self.nodes[index as usize];
        (node.next, node.previous) = (head, tail);
        self.nodes[tail as usize].next = index;
    }

    #[cold]
    fn add_level(&mut self, level: usize) {
        self.place[level] = u8::try_from(self.levels.len()).expect("there are 13 levels");
        self.levels.reserve_exact(1);
        self.levels.push(Level { heads: [NONE; SLOTS], occupied: 0, unsorted: 0 });
    }

    /// Takes a timer out of its list and frees its place. Returns whether that left its slot empty.
    #[inline]
    fn remove(&mut self, index: u32, at: u64) -> bool {
        let (level, slot) = self.locate(at);
        let free = self.free;
        let node = &mut self.nodes[index as usize];
        let (next, previous) = (node.next, node.previous);
        node.next = free;
        node.generation = node.generation.wrapping_add(1);
        self.free = index;
        self.len -= 1;
        if next == index {
            self.clear(level, slot);
            return true;
        }
        self.nodes[next as usize].previous = previous;
        self.nodes[previous as usize].next = next;
        let entry = self.level_mut(level);
        if entry.heads[slot] == index {
            entry.heads[slot] = next;
            // A slot of level 0 is one nanosecond wide: whatever is in front of it is the earliest.
            if level > 0 {
                entry.unsorted |= 1 << slot;
            }
        }
        false
    }

    /// Marks a slot as empty.
    #[inline]
    fn clear(&mut self, level: usize, slot: usize) {
        let entry = self.level_mut(level);
        entry.occupied &= !(1 << slot);
        entry.unsorted &= !(1 << slot);
        if entry.occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }

    /// Finds the earliest deadline again after the earliest timer has left. None is before `floor`.
    #[inline]
    fn settle(&mut self, floor: u64) {
        while let Some((level, slot)) = self.first() {
            let entry = self.level(level);
            let head = entry.heads[slot];
            if entry.unsorted & (1 << slot) == 0 || self.sort_short(level, slot, head) {
                let entry = self.level(level);
                self.earliest = self.nodes[entry.heads[slot] as usize].at;
                return;
            }
            self.hand_down(level, slot, floor);
        }
    }

    /// Brings the earliest timer of a list of at most `SHORT` in front. Returns `false` when it is longer.
    #[inline]
    fn sort_short(&mut self, level: usize, slot: usize, head: u32) -> bool {
        let first = &self.nodes[head as usize];
        let (mut index, mut best, mut best_at) = (first.next, head, first.at);
        let mut seen = 1;
        while index != head {
            seen += 1;
            if seen > SHORT {
                return false;
            }
            let node = &self.nodes[index as usize];
            // Equal deadlines stand in the order of setting: the first of them has to be in front.
            if node.at < best_at {
                (best, best_at) = (index, node.at);
            }
            index = node.next;
        }
        if best != head {
            let Node { next, previous, .. } = self.nodes[best as usize];
            self.nodes[next as usize].previous = previous;
            self.nodes[previous as usize].next = next;
            let tail = self.nodes[head as usize].previous;
            self.nodes[head as usize].previous = best;
            self.nodes[tail as usize].next = best;
            let node = &mut self.nodes[best as usize];
            (node.next, node.previous) = (head, tail);
        }
        let entry = self.level_mut(level);
        entry.heads[slot] = best;
        entry.unsorted &= !(1 << slot);
        true
    }

    /// Moves the cursor into the first slot of all (to `floor`, if that lies in it) and its timers to lower levels.
    fn hand_down(&mut self, level: usize, slot: usize, floor: u64) {
        let head = self.level(level).heads[slot];
        self.clear(level, slot);
        let start = self.nodes[head as usize].at & !below(level);
        self.cursor = start.max(floor);
        let tail = self.nodes[head as usize].previous;
        let mut index = head;
        loop {
            let Node { at, next, .. } = self.nodes[index as usize];
            self.link(index, at);
            if index == tail {
                return;
            }
            index = next;
        }
    }

    /// Moves the cursor back to `to`. With *L* the highest digit that changes, levels above *L* and *L* itself stay
    /// as they are, and what hangs lower shares the old cursor's digit *L*: it all joins that slot, which is empty.
    #[cold]
    fn turn_back(&mut self, to: u64) {
        let target = self.locate(to).0;
        let slot = digit(self.cursor, target);
        let lower = (1 << target) - 1;
        let (mut head, mut sorted) = (NONE, true);
        while self.occupied & lower != 0 {
            let (level, first) = self.first().expect("a level is occupied");
            let entry = self.level(level);
            let next = entry.heads[first];
            if head == NONE {
                // In this order the earliest list comes first, and its head stays in front.
                (head, sorted) = (next, entry.unsorted & (1 << first) == 0);
            } else {
                let tail = self.nodes[head as usize].previous;
                let end = self.nodes[next as usize].previous;
                self.nodes[tail as usize].next = next;
                self.nodes[next as usize].previous = tail;
                self.nodes[end as usize].next = head;
                self.nodes[head as usize].previous = end;
            }
            self.clear(level, first);
        }
        self.cursor = to;
        if head == NONE {
            return;
        }
        if self.place[target] == NO_LEVEL {
            self.add_level(target);
        }
        self.occupied |= 1 << target;
        let entry = self.level_mut(target);
        entry.heads[slot] = head;
        entry.occupied |= 1 << slot;
        if !sorted {
            entry.unsorted |= 1 << slot;
        }
    }
}

/// The digit of `at` that a level resolves.
#[inline]
const fn digit(at: u64, level: usize) -> usize {
    (at >> (DIGIT * level as u32)) as usize & (SLOTS - 1)
}

/// The bits of a deadline that the slots of a level do not resolve.
#[inline]
const fn below(level: usize) -> u64 {
    (1 << (DIGIT * level as u32)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::time::Duration;
    use std::collections::BTreeMap;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn drain(wheel: &mut TimerWheel<u32>, now: Instant) -> Vec<(u64, u32)> {
        core::iter::from_fn(|| wheel.pop_expired(now)).map(|(at, key)| (at.as_nanos(), key)).collect()
    }

    #[test]
    fn fires_in_order_and_never_early() {
        let mut wheel = TimerWheel::new(at(5));
        for (i, t) in [300, 7, 1_000_000_000_000, 7, 70].into_iter().enumerate() {
            wheel.set(at(t), i as u32);
        }
        assert_eq!(wheel.next(), Some(at(7)));
        assert_eq!(drain(&mut wheel, at(6)), []);
        assert_eq!(drain(&mut wheel, at(299)), [(7, 1), (7, 3), (70, 4)]);
        assert_eq!(wheel.next(), Some(at(300)));
        assert_eq!(drain(&mut wheel, at(u64::MAX)), [(300, 0), (1_000_000_000_000, 2)]);
        assert_eq!((wheel.next(), wheel.len(), wheel.is_empty()), (None, 0, true));
    }

    #[test]
    fn a_deadline_in_the_past_takes_its_place_among_the_expired() {
        let mut wheel = TimerWheel::new(Instant::ZERO);
        wheel.set(at(1_000), 0);
        assert_eq!(drain(&mut wheel, at(5_000)), [(1_000, 0)]);
        for (i, t) in [6_000, 4_000, 10, 4_000].into_iter().enumerate() {
            wheel.set(at(t), i as u32);
        }
        assert_eq!(wheel.next(), Some(at(10)));
        assert_eq!(drain(&mut wheel, at(5_000)), [(10, 2), (4_000, 1), (4_000, 3)]);
    }

    #[test]
    fn the_ends_of_time_are_deadlines_too() {
        let mut wheel = TimerWheel::new(at(u64::MAX));
        for (i, t) in [u64::MAX, 0, u64::MAX, u64::MAX - 1, 0].into_iter().enumerate() {
            wheel.set(at(t), i as u32);
        }
        let fired: Vec<u32> = drain(&mut wheel, at(u64::MAX)).into_iter().map(|(_, key)| key).collect();
        assert_eq!(fired, [1, 4, 3, 0, 2]);
    }

    #[test]
    fn stale_ids_cancel_nothing() {
        let mut wheel = TimerWheel::new(Instant::ZERO);
        let first = wheel.set(at(10), 1);
        assert!(wheel.cancel(first));
        let second = wheel.set(at(20), 2);
        assert_ne!(first, second, "the place is used again");
        assert!(!wheel.cancel(first));
        assert_eq!(drain(&mut wheel, at(20)), [(20, 2)]);
        assert!(!wheel.cancel(second));
        assert!(!TimerWheel::<u32>::new(Instant::ZERO).cancel(first));
    }

    #[test]
    #[should_panic(expected = "time runs forwards")]
    fn time_does_not_go_back() {
        let mut wheel = TimerWheel::<u32>::new(Instant::ZERO);
        wheel.pop_expired(at(2));
        wheel.pop_expired(at(1));
    }

    /// The timers of an idle node (a report every 30 s, a lease, a keep-alive a second) take a fraction of its
    /// 2 KiB, over an hour.
    #[test]
    fn an_idle_node_can_afford_it() {
        let mut wheel = TimerWheel::new(Instant::ZERO);
        let periods = [30_000, 10_000, 1_000].map(Duration::from_millis);
        for (key, &period) in periods.iter().enumerate() {
            wheel.set(Instant::ZERO + period, key as u32);
        }
        while let Some(next) = wheel.next().filter(|t| t.as_secs_f64() < 3_600.0) {
            let (due, key) = wheel.pop_expired(next).expect("it is due");
            wheel.set(due + periods[key as usize], key);
        }
        let bytes = size_of_val(&wheel)
            + wheel.levels.capacity() * size_of::<Level>()
            + wheel.nodes.capacity() * size_of::<Node<u32>>();
        assert!(bytes <= 768, "{bytes} bytes");
    }

    /// Random operations against an ordered map, over all scales of time, with ties, cancels (stale ones too),
    /// deadlines in the past, bursts of timers in one slot, and steps of time past many deadlines.
    #[test]
    fn behaves_as_an_ordered_map() {
        for round in 0..8 {
            let mut draws = Seed(round).stream("timer");
            let mut now = draws.below(1 << 40);
            let mut wheel = TimerWheel::new(at(now));
            let mut reference = BTreeMap::new();
            let mut ids: Vec<(TimerId, (u64, u64))> = Vec::new();
            let mut fired = 0;
            // From a nanosecond to nine hours; odd rounds use one scale, so that slots fill.
            let scales = if round % 2 == 0 { [4, 12, 24, 45] } else { [20; 4] };
            for seq in 0..60_000 {
                let scale = scales[draws.below(4) as usize];
                match draws.below(16) {
                    0..7 => {
                        let ahead = draws.below(1 << scale);
                        let due = if draws.chance(0.1) { now.saturating_sub(ahead) } else { now + ahead };
                        // Every fourth repeats the deadline of another one.
                        let due = match ids.last() {
                            Some(&(_, (other, _))) if draws.chance(0.25) => other,
                            _ => due,
                        };
                        ids.push((wheel.set(at(due), seq), (due, seq)));
                        reference.insert((due, seq), seq);
                    }
                    7..10 if !ids.is_empty() => {
                        let pick = draws.below(ids.len() as u64) as usize;
                        let (id, key) = ids.swap_remove(pick);
                        assert_eq!(wheel.cancel(id), reference.remove(&key).is_some());
                    }
                    10 => {
                        // The earliest one, over and over.
                        for _ in 0..draws.below(8) {
                            let Some((&key, _)) = reference.first_key_value() else { break };
                            let Some(pick) = ids.iter().position(|&(_, k)| k == key) else { break };
                            assert!(wheel.cancel(ids.swap_remove(pick).0));
                            reference.remove(&key);
                            assert_eq!(wheel.next(), reference.keys().next().map(|k| at(k.0)));
                        }
                    }
                    11..14 => {
                        let expected = match reference.first_key_value() {
                            Some((&(due, _), _)) if due <= now => reference.pop_first(),
                            _ => None,
                        };
                        let popped = wheel.pop_expired(at(now));
                        assert_eq!(popped, expected.map(|((due, _), key)| (at(due), key)));
                        fired += u32::from(popped.is_some());
                    }
                    14 => now += draws.below(1 << scale) / 64,
                    _ => now = now.max(reference.keys().next().map_or(now, |k| k.0)),
                }
                assert_eq!(wheel.len(), reference.len());
                assert_eq!(wheel.next(), reference.keys().next().map(|k| at(k.0)));
            }
            assert!(fired > 5_000, "{fired} fired");
            let rest = core::iter::from_fn(|| wheel.pop_expired(at(u64::MAX)));
            assert!(rest.map(|(_, key)| key).eq(reference.into_values()));
        }
    }
}
