//! What goes over the network.

use super::ranges::Range;
use bellini_core::time::Instant;

/// Bytes of IP (20), TCP (20), and the timestamps option padded (12).
const HEADER_BYTES: u32 = 52;
/// Bytes of a SYN and its answer: IP, TCP, and the options for the segment size, selective acknowledgements,
/// timestamps and window scale.
pub const SYN_BYTES: u32 = 60;
/// Bytes of a segment as links keep it.
pub const SEGMENT_BYTES: usize = 102;
/// Ranges that fit beside timestamps (RFC 2018).
const SACKS_MAX: usize = 3;

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SegmentKind {
    /// Asks for a connection.
    Syn,
    /// Answers that.
    SynAck,
    /// Data, an acknowledgement, or both.
    Data,
    /// There is no such connection (any more).
    Reset,
}

/// One segment. Sequence numbers are places in the stream and do not wrap; a SYN takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it is for.
    pub kind: SegmentKind,
    /// Place of its first byte.
    pub seq: u64,
    /// Bytes of payload.
    pub len: u32,
    /// All before this has come.
    pub ack: u64,
    /// Bytes that may come beyond `ack`.
    pub window: u64,
    /// When it was sent, by the sender's clock (RFC 7323).
    pub timestamp: Instant,
    /// The timestamp that it answers.
    pub echo: Instant,
    /// Stretches that came behind a hole, the latest first, or a duplicate one (RFC 2018, 2883).
    sacks: [Range; SACKS_MAX],
    sack_count: u8,
}

impl Segment {
    /// Returns a segment without payload and ranges.
    #[must_use]
    pub const fn new(kind: SegmentKind, timestamp: Instant) -> Self {
        Self {
            kind,
            seq: 0,
            len: 0,
            ack: 0,
            window: 0,
            timestamp,
            echo: Instant::ZERO,
            sacks: [Range { start: 0, end: 0 }; SACKS_MAX],
            sack_count: 0,
        }
    }

    /// Returns the ranges that it names.
    #[must_use]
    pub fn sacks(&self) -> &[Range] {
        &self.sacks[..usize::from(self.sack_count)]
    }

    /// Names one more range, if there is room.
    pub fn push_sack(&mut self, range: Range) {
        if let Some(free) = self.sacks.get_mut(usize::from(self.sack_count)) {
            *free = range;
            self.sack_count += 1;
        }
    }

    /// Returns the place behind its last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.seq + self.len as u64
    }

    /// Returns the size of its IP packet in bytes.
    #[must_use]
    pub const fn wire_bytes(&self) -> u32 {
        match self.kind {
            SegmentKind::Syn | SegmentKind::SynAck => SYN_BYTES,
            SegmentKind::Data | SegmentKind::Reset => wire_bytes(self.len, self.sack_count as u32),
        }
    }

    /// Writes it, with what its carrier tells it by.
    #[must_use]
    pub fn to_bytes(&self, name: [u8; 8], from: u8) -> [u8; SEGMENT_BYTES] {
        let mut bytes = [0; SEGMENT_BYTES];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&name);
        put(&[self.kind as u8 | from << 7, self.sack_count]);
        put(&self.len.to_be_bytes());
        for word in [self.seq, self.ack, self.window, self.timestamp.as_nanos(), self.echo.as_nanos()] {
            put(&word.to_be_bytes());
        }
        for sack in &self.sacks {
            put(&sack.start.to_be_bytes());
            put(&sack.end.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Segment::to_bytes`] wrote: what its carrier tells it by, which end sent it, and the segment.
    /// `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<([u8; 8], u8, Self)> {
        let bytes: &[u8; SEGMENT_BYTES] = bytes.try_into().ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        let kind = match bytes[8] & 0x7F {
            0 => SegmentKind::Syn,
            1 => SegmentKind::SynAck,
            2 => SegmentKind::Data,
            3 => SegmentKind::Reset,
            _ => return None,
        };
        let mut segment = Self::new(kind, Instant::from_nanos(word(38)));
        segment.sack_count = bytes[9].min(SACKS_MAX as u8);
        segment.len = u32::from_be_bytes([bytes[10], bytes[11], bytes[12], bytes[13]]);
        (segment.seq, segment.ack, segment.window) = (word(14), word(22), word(30));
        segment.echo = Instant::from_nanos(word(46));
        for (i, sack) in segment.sacks.iter_mut().enumerate() {
            *sack = Range::new(word(54 + 16 * i), word(62 + 16 * i));
        }
        Some((word(0).to_be_bytes(), bytes[8] >> 7, segment))
    }
}

/// Returns the size of the IP packet of a segment with `len` bytes of payload and `sacks` ranges.
#[must_use]
pub const fn wire_bytes(len: u32, sacks: u32) -> u32 {
    // Two bytes of padding, two of the option's own, eight a range.
    let option = if sacks > 0 { 4 + 8 * sacks } else { 0 };
    HEADER_BYTES + option + len
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a segment is the same after a link as before it.
    #[test]
    fn segments_come_back_whole() {
        let mut segment = Segment::new(SegmentKind::Data, Instant::from_nanos(77));
        (segment.seq, segment.len, segment.ack, segment.window) = (1 << 40, 1_448, 3, 1 << 33);
        segment.echo = Instant::from_nanos(99);
        segment.push_sack(Range::new(5, 6));
        segment.push_sack(Range::new(1, 2));
        let bytes = segment.to_bytes(*b"12345678", 1);
        assert_eq!(Segment::from_bytes(&bytes), Some((*b"12345678", 1, segment)));
        assert_eq!(Segment::from_bytes(&bytes[1..]), None);
    }

    /// Aim: sizes on the wire are those of Linux with timestamps.
    #[test]
    fn sizes_are_those_of_the_wire() {
        assert_eq!(wire_bytes(1_448, 0), 1_500);
        assert_eq!([0, 1, 2, 3].map(|sacks| wire_bytes(0, sacks)), [52, 64, 72, 80]);
        assert_eq!(Segment::new(SegmentKind::SynAck, Instant::ZERO).wire_bytes(), 60);
    }
}
