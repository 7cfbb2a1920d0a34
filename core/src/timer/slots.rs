//! The slots of the wheel: where a timer hangs, which is the earliest, and how lists move between levels.

use super::{DIGIT, Level, NO_LEVEL, NONE, Node, SHORT, SLOTS, TimerWheel};

impl<K: Copy> TimerWheel<K> {
    /// The lowest occupied level and its first occupied slot: the earliest deadline is in there.
    #[inline]
    pub(super) fn first(&self) -> Option<(usize, usize)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.level(level).occupied.trailing_zeros() as usize))
    }

    #[inline]
    pub(super) fn level(&self, level: usize) -> &Level {
        &self.levels[usize::from(self.place[level])]
    }

    #[inline]
    pub(super) fn level_mut(&mut self, level: usize) -> &mut Level {
        &mut self.levels[usize::from(self.place[level])]
    }

    /// The level and slot of a deadline, seen from the cursor.
    #[inline]
    pub(super) fn locate(&self, at: u64) -> (usize, usize) {
        // The lowest bit is set so that a deadline at the cursor itself is in level 0 as well.
        let level = (((at ^ self.cursor) | 1).ilog2() / DIGIT) as usize;
        (level, digit(at, level))
    }

    /// Hangs a timer into the slot of its deadline: in front when it is the earliest there, else at the end.
    #[inline]
    pub(super) fn link(&mut self, index: u32, at: u64) {
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
    pub(super) fn add_level(&mut self, level: usize) {
        self.place[level] = u8::try_from(self.levels.len()).expect("there are 13 levels");
        self.levels.reserve_exact(1);
        self.levels.push(Level { heads: [NONE; SLOTS], occupied: 0, unsorted: 0 });
    }

    /// Takes a timer out of its list and frees its place. Returns whether that left its slot empty.
    #[inline]
    pub(super) fn remove(&mut self, index: u32, at: u64) -> bool {
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
    pub(super) fn clear(&mut self, level: usize, slot: usize) {
        let entry = self.level_mut(level);
        entry.occupied &= !(1 << slot);
        entry.unsorted &= !(1 << slot);
        if entry.occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }

    /// Finds the earliest deadline again after the earliest timer has left. None is before `floor`.
    #[inline]
    pub(super) fn settle(&mut self, floor: u64) {
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
    pub(super) fn sort_short(&mut self, level: usize, slot: usize, head: u32) -> bool {
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
    pub(super) fn hand_down(&mut self, level: usize, slot: usize, floor: u64) {
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
    pub(super) fn turn_back(&mut self, to: u64) {
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
