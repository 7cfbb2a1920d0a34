//! Frames on their way between nodes.
//!
//! Each link has a pool of its own, a ring of slots that are used one after the other, because frames leave a link
//! nearly in the order in which they entered it. The ring is as small as what was ever on the link, and a quarter
//! more: what it does not touch costs no cache and no page. A slot is two cache lines that the processor fetches as a pair, and holds
//! the whole frame: a synthetic payload is described by the packet's header already, so that its length is all that
//! is kept of it. At a thousand sessions the frames do not fit the caches, and these two lines are what a packet-hop
//! pays for memory (a shared pool of frames with everything in one struct took three times as long).

use crate::tcp::SEGMENT_BYTES;
use bellini_core::io::HopKind;
use bellini_core::payload::{Payload, Synthetic};
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES};
use bellini_core::wire::packet::PacketHeader;
use bytes::Bytes;

/// Header bytes kept in the slot; longer ones (wide multicast trees, control messages) go to a buffer that the ring
/// keeps and uses again.
const INLINE: usize = 112;

const IS_PACKET: u8 = 1;
/// The payload lies in the side ring.
const IS_APART: u8 = 2;
/// It is a segment of TCP: its payload length is the size of the IP packet.
const IS_SEGMENT: u8 = 4;
/// It is a segment or packet of cross traffic.
const IS_CROSS: u8 = 8;

/// A frame in its slot.
#[derive(Clone, Debug)]
#[repr(align(128))]
struct Slot {
    header: [u8; INLINE],
    payload_len: u32,
    len: u16,
    flags: u8,
    kind: HopKind,
}

/// What is rarely needed of a frame.
#[derive(Clone, Debug, Default)]
struct Apart {
    payload: Option<Payload>,
    header: Vec<u8>,
}

/// The frames of one link, named by their slots.
#[derive(Debug)]
pub struct Pool {
    slots: Vec<Slot>,
    /// One bit a slot: whether a frame is in it.
    live: Vec<u64>,
    /// As many as slots once one of them needs it.
    apart: Vec<Apart>,
    /// The slot to use next, if it is free.
    next: usize,
    count: u32,
    /// Bytes that a frame has on the wire beyond its own.
    around: u32,
}

impl Pool {
    /// Returns an empty pool of frames that have `around` bytes on the wire beyond their own: those of UDP and IP for
    /// the core's frames, none for what is an IP packet already.
    #[must_use]
    pub const fn new(around: u32) -> Self {
        Self { slots: Vec::new(), live: Vec::new(), apart: Vec::new(), next: 0, count: 0, around }
    }

    /// Returns the bytes that a frame has on the wire beyond its own.
    #[inline]
    #[must_use]
    pub const fn around(&self) -> u32 {
        self.around
    }

    /// Puts a segment of TCP, described by `bytes`, into the pool, whose IP packet has `wire_bytes` bytes; returns its
    /// number.
    pub fn insert_segment(&mut self, bytes: &[u8; SEGMENT_BYTES], wire_bytes: u32, is_cross: bool) -> u32 {
        let at = self.take_slot();
        let slot = &mut self.slots[at];
        slot.header[..SEGMENT_BYTES].copy_from_slice(bytes);
        slot.len = SEGMENT_BYTES as u16;
        slot.payload_len = wire_bytes;
        slot.kind = HopKind::Stream;
        slot.flags = if is_cross { IS_SEGMENT | IS_CROSS } else { IS_SEGMENT };
        at as u32
    }

    /// Puts a frame into the pool; returns its number.
    #[inline]
    pub fn insert(&mut self, header: &[u8], payload: Payload, kind: HopKind, is_packet: bool) -> u32 {
        let at = self.take_slot();
        let slot = &mut self.slots[at];
        slot.len = header.len() as u16;
        slot.payload_len = payload.len() as u32;
        slot.kind = kind;
        slot.flags = if is_packet { IS_PACKET } else { 0 };
        if header.len() <= INLINE {
            slot.header[..header.len()].copy_from_slice(header);
        } else {
            let apart = apart(&mut self.apart, self.slots.len(), at);
            apart.header.clear();
            apart.header.extend_from_slice(header);
        }
        let described = match &payload {
            Payload::Synthetic(what) => is_packet && described_by(header, what.len) == Some(*what),
            Payload::Bytes(bytes) => bytes.is_empty() && !is_packet,
            Payload::Coded { .. } => false,
        };
        if !described {
            self.slots[at].flags |= IS_APART;
            apart(&mut self.apart, self.slots.len(), at).payload = Some(payload);
        }
        at as u32
    }

    /// Takes the next free slot.
    #[inline]
    fn take_slot(&mut self) -> usize {
        if self.next == self.slots.len() {
            self.next = 0;
        }
        if self.slots.is_empty() || self.is_live(self.next) {
            self.grow();
        }
        let at = self.next;
        self.next += 1;
        self.count += 1;
        self.live[at / 64] |= 1 << (at % 64);
        at
    }

    /// Returns the header bytes of frame `number`, which must be in the pool.
    #[inline]
    #[must_use]
    pub fn header(&self, number: u32) -> &[u8] {
        let at = number as usize;
        let slot = &self.slots[at];
        let len = usize::from(slot.len);
        if len <= INLINE { &slot.header[..len] } else { &self.apart[at].header }
    }

    /// Returns the size of the IP packet.
    #[inline]
    #[must_use]
    pub fn wire_bytes(&self, number: u32) -> u32 {
        let slot = &self.slots[number as usize];
        if slot.flags & IS_SEGMENT != 0 {
            return slot.payload_len;
        }
        u32::from(slot.len) + slot.payload_len + self.around
    }

    /// Whether the frame is a segment of TCP.
    #[inline]
    #[must_use]
    pub fn is_segment(&self, number: u32) -> bool {
        self.slots[number as usize].flags & IS_SEGMENT != 0
    }

    /// Whether the frame is a segment or packet of cross traffic.
    #[inline]
    #[must_use]
    pub fn is_cross(&self, number: u32) -> bool {
        self.slots[number as usize].flags & IS_CROSS != 0
    }

    /// Whether the frame carries a packet of a session.
    #[inline]
    #[must_use]
    pub fn is_packet(&self, number: u32) -> bool {
        self.slots[number as usize].flags & IS_PACKET != 0
    }

    /// Notes that the frame is a packet of cross traffic.
    #[inline]
    pub fn mark_cross(&mut self, number: u32) {
        self.slots[number as usize].flags |= IS_CROSS;
    }

    /// Returns the kind of hop that the frame travels on.
    #[inline]
    #[must_use]
    pub fn kind(&self, number: u32) -> HopKind {
        self.slots[number as usize].kind
    }

    /// Returns the payload; one that is kept as it is is taken out.
    #[inline]
    pub fn take_payload(&mut self, number: u32) -> Payload {
        let at = number as usize;
        let slot = &self.slots[at];
        if slot.flags & IS_APART != 0 {
            return self.apart[at].payload.take().unwrap_or(Payload::Bytes(Bytes::new()));
        }
        if slot.flags & IS_PACKET == 0 {
            return Payload::Bytes(Bytes::new());
        }
        let what = described_by(self.header(number), slot.payload_len);
        what.map_or(Payload::Bytes(Bytes::new()), Payload::Synthetic)
    }

    /// Frees the frame's slot; what its payload shares is released.
    #[inline]
    pub fn remove(&mut self, number: u32) {
        let at = number as usize;
        debug_assert!(self.is_live(at), "a frame leaves once");
        self.live[at / 64] &= !(1 << (at % 64));
        if self.slots[at].flags & IS_APART != 0 {
            self.apart[at].payload = None;
        }
        self.count -= 1;
    }

    /// Returns how many frames are in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Shows the number of every frame to `f`, in order of their slots.
    pub fn for_each(&self, f: &mut dyn FnMut(u32)) {
        for at in (0..self.slots.len()).filter(|at| self.is_live(*at)) {
            f(at as u32);
        }
    }

    #[inline]
    fn is_live(&self, at: usize) -> bool {
        self.live[at / 64] & (1 << (at % 64)) != 0
    }

    /// Adds a quarter of slots, behind the others, and goes on there.
    #[cold]
    fn grow(&mut self) {
        let old = self.slots.len();
        let new = old + (old / 4).max(32);
        let vacant = Slot { header: [0; INLINE], payload_len: 0, len: 0, flags: 0, kind: HopKind::Datagram };
        self.slots.reserve_exact(new - old);
        self.slots.resize(new, vacant);
        self.live.resize(new.div_ceil(64), 0);
        if !self.apart.is_empty() {
            self.apart.resize_with(new, Apart::default);
        }
        self.next = old;
    }
}

/// Returns what is kept apart for the slot at `at`, of `slots`.
#[cold]
fn apart(list: &mut Vec<Apart>, slots: usize, at: usize) -> &mut Apart {
    if list.is_empty() {
        list.resize_with(slots, Apart::default);
    }
    &mut list[at]
}

/// Returns the synthetic payload of `len` bytes that a packet's header describes: its whole symbol.
#[inline]
fn described_by(header: &[u8], len: u32) -> Option<Synthetic> {
    let packet = header.get(FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES..)?;
    let (packet, _) = PacketHeader::parse(packet).ok()?;
    Some(Synthetic { key: packet.key, symbol: packet.symbol, offset: 0, len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::ids::{Epoch, FlowId, SessionKey};
    use bellini_core::rng::Seed;
    use bellini_core::wire::frame::UDP_IP_BYTES;
    use bellini_core::wire::packet::{PACKET_FIXED_BYTES, PacketFlags};
    use std::collections::BTreeMap;

    fn header(symbol: u64, extra: usize) -> Vec<u8> {
        let packet = PacketHeader {
            key: SessionKey::new(3, 4),
            epoch: Epoch(0),
            flow: FlowId(0),
            number: symbol,
            symbol,
            timestamp_ns: 0,
            flags: PacketFlags::default(),
            object: 0,
            index: 0,
            count: 1,
        };
        let start = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES;
        let mut bytes = vec![7; start + PACKET_FIXED_BYTES + extra];
        packet.emit(&mut bytes[start..]);
        bytes
    }

    #[test]
    fn frames_come_back_whole_in_any_order() {
        // Random inserts, removals near the front, short and long headers, described and real payloads.
        let mut stream = Seed(1).stream("pool");
        let mut pool = Pool::new(UDP_IP_BYTES as u32);
        let mut known: BTreeMap<u64, (u32, Vec<u8>, Payload)> = BTreeMap::new();
        for i in 0..100_000_u64 {
            if known.len() < 100 && stream.chance(0.55) {
                let header = header(i, stream.below(120) as usize);
                let payload = match stream.below(3) {
                    0 => Payload::Bytes(Bytes::from(vec![i as u8; 20])),
                    1 => Payload::Synthetic(Synthetic {
                        key: SessionKey::new(9, 9),
                        symbol: i,
                        offset: 2,
                        len: 3,
                    }),
                    _ => Payload::Synthetic(Synthetic {
                        key: SessionKey::new(3, 4),
                        symbol: i,
                        offset: 0,
                        len: 900,
                    }),
                };
                let number = pool.insert(&header, payload.clone(), HopKind::Datagram, true);
                known.insert(i, (number, header, payload));
            } else if let Some(key) = known.keys().nth(stream.below(3) as usize).copied() {
                let (number, header, payload) = known.remove(&key).unwrap();
                assert_eq!(pool.header(number), header);
                assert_eq!(pool.wire_bytes(number) as usize, header.len() + payload.len() + UDP_IP_BYTES);
                assert_eq!(pool.take_payload(number), payload);
                pool.remove(number);
            }
            assert_eq!(pool.len(), known.len());
        }
        let mut seen = 0;
        pool.for_each(&mut |_| seen += 1);
        assert_eq!(seen, known.len());
        assert!(pool.slots.len() <= 400, "the ring grows with what is inside: {}", pool.slots.len());
    }

    #[test]
    fn a_slot_is_two_cache_lines() {
        assert_eq!(size_of::<Slot>(), 128);
    }
}
