//! Frames on their way between nodes.
//!
//! Each link has a pool of its own, a ring: frames leave a link nearly in the order in which they entered it, so
//! slots are used one after the other, and the next arrival lies behind the last one in memory. A shared pool
//! would scatter them: one cache miss a packet, a third of the simulator's time at a thousand sessions.

use bellini_core::io::HopKind;
use bellini_core::payload::Payload;
use bytes::Bytes;

/// Header bytes kept in the slot; longer ones (wide multicast trees, control messages) go to a buffer that the slot
/// keeps and uses again.
const INLINE: usize = 104;

/// One frame on its way.
#[derive(Debug)]
pub struct Frame {
    header: [u8; INLINE],
    len: u16,
    /// Whether it carries a packet of a session.
    pub is_packet: bool,
    /// The kind of hop that it travels on.
    pub kind: HopKind,
    /// Size of the IP packet.
    pub wire_bytes: u32,
    is_live: bool,
    /// The payload.
    pub payload: Payload,
    long: Vec<u8>,
}

impl Frame {
    fn vacant() -> Self {
        Self {
            header: [0; INLINE],
            len: 0,
            is_packet: false,
            kind: HopKind::Datagram,
            wire_bytes: 0,
            is_live: false,
            payload: Payload::Bytes(Bytes::new()),
            long: Vec::new(),
        }
    }

    /// Returns the header bytes.
    #[inline]
    #[must_use]
    pub fn header(&self) -> &[u8] {
        let len = usize::from(self.len);
        if len <= INLINE { &self.header[..len] } else { &self.long }
    }
}

/// The frames of one link, named by numbers that count up and wrap.
#[derive(Debug, Default)]
pub struct Pool {
    /// A power of two of slots, or none; frame n lies in slot n modulo their number.
    slots: Vec<Frame>,
    /// The oldest number that may be in use.
    head: u32,
    /// The next number.
    tail: u32,
    live: u32,
}

impl Pool {
    /// Puts a frame into the pool; returns its number.
    #[inline]
    pub fn insert(
        &mut self,
        header: &[u8],
        payload: Payload,
        kind: HopKind,
        is_packet: bool,
        wire_bytes: u32,
    ) -> u32 {
        if self.tail.wrapping_sub(self.head) as usize == self.slots.len() {
            self.grow();
        }
        let number = self.tail;
        self.tail = self.tail.wrapping_add(1);
        self.live += 1;
        let slot = self.slot(number);
        let frame = &mut self.slots[slot];
        if header.len() <= INLINE {
            frame.header[..header.len()].copy_from_slice(header);
        } else {
            frame.long.clear();
            frame.long.extend_from_slice(header);
        }
        frame.len = header.len() as u16;
        frame.payload = payload;
        frame.wire_bytes = wire_bytes;
        frame.kind = kind;
        frame.is_packet = is_packet;
        frame.is_live = true;
        number
    }

    /// Returns frame `number`, which must be in the pool.
    #[inline]
    #[must_use]
    pub fn get(&self, number: u32) -> &Frame {
        &self.slots[self.slot(number)]
    }

    /// Takes the payload out, before the frame is handed in.
    #[inline]
    pub fn take_payload(&mut self, number: u32) -> Payload {
        let slot = self.slot(number);
        core::mem::replace(&mut self.slots[slot].payload, Payload::Bytes(Bytes::new()))
    }

    /// Frees the frame's slot; what the payload shares is released.
    #[inline]
    pub fn remove(&mut self, number: u32) {
        let slot = self.slot(number);
        let frame = &mut self.slots[slot];
        debug_assert!(frame.is_live, "a frame leaves once");
        frame.is_live = false;
        frame.payload = Payload::Bytes(Bytes::new());
        self.live -= 1;
        while self.head != self.tail && !self.slots[self.slot(self.head)].is_live {
            self.head = self.head.wrapping_add(1);
        }
    }

    /// Returns how many frames are in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Shows every frame to `f`, oldest first.
    pub fn for_each(&self, f: &mut dyn FnMut(&Frame)) {
        let mut number = self.head;
        while number != self.tail {
            let frame = self.get(number);
            if frame.is_live {
                f(frame);
            }
            number = number.wrapping_add(1);
        }
    }

    #[inline]
    fn slot(&self, number: u32) -> usize {
        number as usize & (self.slots.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let old = self.slots.len();
        let new = (old * 2).max(16);
        let mut slots: Vec<Frame> = Vec::with_capacity(new);
        slots.resize_with(new, Frame::vacant);
        let mut number = self.head;
        while number != self.tail {
            let from = number as usize & (old - 1);
            slots[number as usize & (new - 1)] = core::mem::replace(&mut self.slots[from], Frame::vacant());
            number = number.wrapping_add(1);
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;
    use std::collections::BTreeMap;

    #[test]
    fn frames_come_back_whole_in_any_order() {
        // Random inserts and removals near the front, short and long headers, against a map.
        let mut stream = Seed(1).stream("pool");
        let mut pool = Pool { head: u32::MAX - 500, tail: u32::MAX - 500, ..Pool::default() };
        let mut known: BTreeMap<u64, (u32, Vec<u8>)> = BTreeMap::new();
        for i in 0..100_000_u64 {
            if known.len() < 100 && stream.chance(0.55) {
                let header = vec![i as u8; stream.below(200) as usize];
                let payload = Payload::Bytes(Bytes::new());
                let number = pool.insert(&header, payload, HopKind::Datagram, true, i as u32);
                known.insert(i, (number, header));
            } else if let Some(key) = known.keys().nth(stream.below(3) as usize).copied() {
                let (number, header) = known.remove(&key).unwrap();
                assert_eq!(pool.get(number).header(), header);
                assert_eq!(pool.get(number).wire_bytes, key as u32);
                pool.remove(number);
            }
            assert_eq!(pool.len(), known.len());
        }
        let mut seen = 0;
        pool.for_each(&mut |_| seen += 1);
        assert_eq!(seen, known.len());
        assert!(pool.slots.len() <= 512, "the ring grows with what is inside: {}", pool.slots.len());
    }

    #[test]
    fn a_slot_is_three_cache_lines() {
        assert!(size_of::<Frame>() <= 192, "{}", size_of::<Frame>());
    }
}
