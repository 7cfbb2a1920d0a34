//! Buffers that datagrams are received into, and handed out from, without an allocation for each.

use super::raw::MESSAGES_MAX;
use bytes::BytesMut;

/// Bytes of a slot: the largest message, and a little more, so that the fronts of the slots, where small datagrams
/// end up, do not fall on the same sets of the processor's caches.
const SLOT_BYTES: usize = 66 * 1_024;
/// A message of at least so many bytes is handed out where it lies; a smaller one is copied to the chunk, so that a
/// datagram that waits in a queue does not hold a whole slot.
const KEEP_BYTES: usize = SLOT_BYTES / 2;
/// Bytes of a chunk: a batch of full-sized datagrams fits.
const CHUNK_BYTES: usize = 128 * 1_024;

/// A buffer for each message of a batch, and a chunk that small messages are packed into.
pub(super) struct Slots {
    slots: Vec<BytesMut>,
    chunk: BytesMut,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { slots: (0..MESSAGES_MAX).map(|_| BytesMut::new()).collect(), chunk: BytesMut::new() }
    }

    /// Returns `count` empty buffers for the largest message each. Memory whose datagrams are all gone is used again.
    pub(super) fn prepare(&mut self, count: usize) -> &mut [BytesMut] {
        for slot in &mut self.slots[..count] {
            slot.clear();
            make_room(slot, SLOT_BYTES);
        }
        // From its front again, where it is warm, unless datagrams still lie in it.
        let _ = self.chunk.try_reclaim(CHUNK_BYTES);
        &mut self.slots[..count]
    }

    /// Takes the message in slot `at` out; what it holds may be changed in place.
    pub(super) fn take(&mut self, at: usize) -> BytesMut {
        let slot = &mut self.slots[at];
        if slot.len() >= KEEP_BYTES {
            return slot.split();
        }
        if self.chunk.capacity() < slot.len() {
            make_room(&mut self.chunk, CHUNK_BYTES);
        }
        self.chunk.extend_from_slice(slot);
        self.chunk.split()
    }
}

/// Gives an empty buffer room for `bytes`, in its own memory if nobody else holds a part of it.
fn make_room(buffer: &mut BytesMut, bytes: usize) {
    if !buffer.try_reclaim(bytes) {
        *buffer = BytesMut::with_capacity(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is used again as soon as nobody holds a part of it, and never before.
    #[test]
    fn memory_is_used_again_once_it_is_free() {
        let mut slots = Slots::new();
        for size in [1_200, KEEP_BYTES] {
            let mut round = |fill: u8| {
                slots.prepare(1)[0].extend_from_slice(&vec![fill; size]);
                slots.take(0)
            };
            let first = round(1);
            let at = first.as_ptr();
            drop(first);
            let second = round(2);
            assert_eq!(second.as_ptr(), at, "{size} bytes: the memory was free");
            let third = round(3);
            assert_ne!(third.as_ptr(), at, "{size} bytes: the memory was held");
            assert!(second.iter().all(|byte| *byte == 2), "{size} bytes: what is held does not change");
            assert!(third.iter().all(|byte| *byte == 3));
        }
    }
}
