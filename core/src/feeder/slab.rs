//! Slots for packets: written and read in place, chained through their indices, used again.

/// No slot, no queue: the end of a chain.
pub(super) const NIL: u32 = u32::MAX;

/// Slots in one piece of memory: large enough to make allocations rare, small enough (about 10 KB of 300 B
/// packets) for a hop with little traffic.
const CHUNK: usize = 32;

/// What is kept per slot apart from the packet: the chain it is in, and its size.
#[derive(Clone, Copy)]
struct Link {
    next: u32,
    bytes: u32,
}

/// The chains through the slots. A slot is in exactly one: a lane's, or the free one.
pub(super) struct Links {
    links: Vec<Link>,
    free: u32,
    slots_max: usize,
    /// Counts the links read or written: the tests' measure of work.
    #[cfg(test)]
    pub(super) touched: core::cell::Cell<u64>,
}

impl Links {
    /// Returns the chains of at most `slots_max` slots.
    pub(super) fn new(slots_max: u32) -> Self {
        Self {
            links: Vec::new(),
            free: NIL,
            slots_max: slots_max as usize,
            #[cfg(test)]
            touched: core::cell::Cell::new(0),
        }
    }

    fn touch(&self) {
        #[cfg(test)]
        self.touched.set(self.touched.get() + 1);
    }

    /// Returns whether every permitted slot is taken.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.free == NIL && self.links.len() == self.slots_max
    }

    /// Returns how many slots exist, taken or free.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Takes a slot for a packet of `bytes` bytes, at the end of whatever chain it joins; the one freed last
    /// comes first, because the caches still know it. The caller has checked [`Links::is_full`].
    #[inline]
    pub(super) fn take(&mut self, bytes: u32) -> u32 {
        self.touch();
        let slot = self.free;
        if slot == NIL {
            self.links.push(Link { next: NIL, bytes });
            return (self.links.len() - 1) as u32;
        }
        let link = &mut self.links[slot as usize];
        self.free = link.next;
        *link = Link { next: NIL, bytes };
        slot
    }

    /// Frees the slot, which is in no chain any more.
    #[inline]
    pub(super) fn free(&mut self, slot: u32) {
        self.free_chain(slot, slot);
    }

    /// Frees the whole chain from `head` to `tail`, in one step.
    #[inline]
    pub(super) fn free_chain(&mut self, head: u32, tail: u32) {
        self.set_next(tail, self.free);
        self.free = head;
    }

    /// Returns the slot behind `slot`, or [`NIL`].
    #[inline]
    pub(super) fn next(&self, slot: u32) -> u32 {
        self.touch();
        self.links[slot as usize].next
    }

    /// Puts `next` behind `slot`.
    #[inline]
    pub(super) fn set_next(&mut self, slot: u32, next: u32) {
        self.touch();
        self.links[slot as usize].next = next;
    }

    /// Returns the size of the packet in `slot`.
    #[inline]
    pub(super) fn bytes(&self, slot: u32) -> u32 {
        self.touch();
        self.links[slot as usize].bytes
    }
}

/// The packets, in chunks that never move.
pub(super) struct Slots<P> {
    chunks: Vec<Box<[P; CHUNK]>>,
}

impl<P: Default> Slots<P> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// Returns the packet in a slot that may be new.
    #[inline]
    pub(super) fn get_or_create(&mut self, slot: u32) -> &mut P {
        while slot as usize / CHUNK >= self.chunks.len() {
            self.grow();
        }
        self.get_mut(slot)
    }

    #[cold]
    fn grow(&mut self) {
        self.chunks.push(Box::new(core::array::from_fn(|_| P::default())));
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> &P {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> &mut P {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slots_come_back_before_new_ones() {
        // Aim: three slots taken, a chain of two freed at once, then exactly those two are handed out again.
        let mut links = Links::new(4);
        let slots = [links.take(1), links.take(2), links.take(3)];
        links.set_next(slots[0], slots[1]);
        links.free_chain(slots[0], slots[1]);
        let again = [links.take(4), links.take(5)];
        assert_eq!(again, [slots[0], slots[1]]);
        assert_eq!(links.len(), 3);
        assert_eq!([links.bytes(slots[0]), links.bytes(slots[2])], [4, 3]);
        assert_eq!(links.next(slots[1]), NIL, "a slot handed out ends its chain");
        assert!(!links.is_full());
        links.take(6);
        assert!(links.is_full());
    }

    #[test]
    fn packets_never_move() {
        // Aim: a packet's address stays the same while chunks are added.
        let mut slots = Slots::<u64>::new();
        *slots.get_or_create(0) = 7;
        let before: *const u64 = slots.get(0);
        slots.get_or_create(9_999);
        assert!(core::ptr::eq(before, slots.get(0)));
        assert_eq!((*slots.get(0), *slots.get(9_999)), (7, 0));
    }
}
