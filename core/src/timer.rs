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

mod slots;

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
}

#[cfg(test)]
mod tests;
