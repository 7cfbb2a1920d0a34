//! Acknowledgements of sessions: the payload of packets that carry
//! [`PacketFlags::ACKNOWLEDGEMENT`](super::packet::PacketFlags::ACKNOWLEDGEMENT), from a destination to the source.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+-------+-------+-------------------------------+
//! | tag 1 | bits  | flows | ranges| node                          |
//! +-------+-------+-------+-------+-------------------------------+
//! | incarnation                   | span                          |
//! +-------------------------------+-------------------------------+
//! | duplicates                    | from                          |
//! +-------------------------------+-------------------------------+
//! | cumulative                                                    |
//! +---------------------------------------------------------------+
//! | for each flow: flow u16, received u32, highest u64, hold u32
//! +-----------
//! | for each range: gap u16, length u16
//! +-----------
//! ```
//! Every symbol below `cumulative` has arrived. The ranges say which symbols from `cumulative + from` on have: each
//! begins `gap` symbols behind the end of the one before. Bit 0 says that ranges beyond the last are left out for
//! want of room; without it, nothing behind the last has arrived. Tag 2 is kept for ranks of coded generations.

use super::WireError;
use crate::ids::{FlowId, Incarnation, NodeId};

/// Flows that one acknowledgement counts, at most.
pub const ACK_FLOWS_MAX: usize = 8;
/// Ranges that one acknowledgement lists, at most.
pub const ACK_RANGES_MAX: usize = 32;
/// Bytes before the flows.
pub const ACK_HEADER_BYTES: usize = 32;
/// Most bytes of an acknowledgement.
pub const ACK_BYTES_MAX: usize = ACK_HEADER_BYTES + FLOW_BYTES * ACK_FLOWS_MAX + RANGE_BYTES * ACK_RANGES_MAX;
/// Most symbols between the first and the last that an acknowledgement can tell of: gaps are 16 bits long.
pub const ACK_SPAN_MAX: u32 = 65_535;

const FLOW_BYTES: usize = 18;
const RANGE_BYTES: usize = 4;
const TAG_RANGES: u8 = 1;
const BIT_CUT: u8 = 1 << 0;

/// What a destination says has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// Symbols by ranges of their ids.
    Ranges(Ranges),
}

/// Symbols that arrived, and counts of each flow's packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The destination.
    pub node: NodeId,
    /// Which start of it: a higher one has forgotten what earlier ones had.
    pub incarnation: Incarnation,
    /// Symbols behind the newest that the destination tells from duplicates.
    pub span: u32,
    /// Packets that came although their symbol was there (modulo 2^32).
    pub duplicates: u32,
    /// Every symbol below has arrived.
    pub cumulative: u64,
    /// First symbol that the ranges tell of, not below `cumulative`.
    pub from: u64,
    /// Whether ranges behind the last one were left out.
    pub is_cut: bool,
    flows: [FlowCount; ACK_FLOWS_MAX],
    flows_len: u8,
    ranges: [(u64, u64); ACK_RANGES_MAX],
    ranges_len: u8,
}

/// What came of one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCount {
    /// The flow.
    pub flow: FlowId,
    /// Packets of it that arrived, duplicates included (modulo 2^32).
    pub received: u32,
    /// The highest packet number of them.
    pub highest: u64,
    /// Time between the arrival of that packet and the making of this acknowledgement, in microseconds.
    pub hold_us: u32,
}

impl Ranges {
    /// Returns an acknowledgement without flows and ranges.
    #[must_use]
    pub fn new(node: NodeId, incarnation: Incarnation, span: u32, cumulative: u64) -> Self {
        Self {
            node,
            incarnation,
            span,
            duplicates: 0,
            cumulative,
            from: cumulative,
            is_cut: false,
            flows: [FlowCount::default(); ACK_FLOWS_MAX],
            flows_len: 0,
            ranges: [(0, 0); ACK_RANGES_MAX],
            ranges_len: 0,
        }
    }

    /// Adds a flow; `false` when there is no room.
    pub fn push_flow(&mut self, flow: FlowCount) -> bool {
        let at = usize::from(self.flows_len);
        if at == ACK_FLOWS_MAX {
            return false;
        }
        self.flows[at] = flow;
        self.flows_len += 1;
        true
    }

    /// Adds the symbols from `first` up to `end` (excluded), behind those that are there; `false` when they cannot be
    /// written: no room, not behind, or too far behind.
    pub fn push_range(&mut self, first: u64, end: u64) -> bool {
        let (at, behind) = (usize::from(self.ranges_len), self.told_to());
        let fits = first >= behind
            && end > first
            && first - behind <= u64::from(u16::MAX)
            && end - first <= u64::from(u16::MAX);
        if at == ACK_RANGES_MAX || !fits {
            return false;
        }
        self.ranges[at] = (first, end);
        self.ranges_len += 1;
        true
    }

    /// Returns the flows.
    #[must_use]
    pub fn flows(&self) -> &[FlowCount] {
        &self.flows[..usize::from(self.flows_len)]
    }

    /// Returns the ranges, each with its first symbol and its end (excluded), in rising order.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges[..usize::from(self.ranges_len)]
    }

    /// Returns the end (excluded) of what the listed ranges tell of.
    #[must_use]
    pub fn told_to(&self) -> u64 {
        self.ranges().last().map_or(self.from, |(_, end)| *end)
    }

    /// Whether the acknowledgement says of `symbol` if it has arrived.
    #[must_use]
    pub fn tells_of(&self, symbol: u64) -> bool {
        symbol < self.cumulative || symbol >= self.from && (!self.is_cut || symbol < self.told_to())
    }
}

impl Acknowledgement {
    /// Reads an acknowledgement, which must fill `bytes`.
    ///
    /// # Errors
    /// When bytes are missing or left over, or a field has a value that none may have.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let truncated = |need| WireError::Truncated { need, got: bytes.len() };
        let (head, rest) =
            bytes.split_first_chunk::<ACK_HEADER_BYTES>().ok_or_else(|| truncated(ACK_HEADER_BYTES))?;
        if head[0] != TAG_RANGES {
            return Err(WireError::BadField("acknowledgement"));
        }
        let (flows, ranges) = (usize::from(head[2]), usize::from(head[3]));
        if flows > ACK_FLOWS_MAX || ranges > ACK_RANGES_MAX {
            return Err(WireError::BadField("acknowledgement"));
        }
        let need = ACK_HEADER_BYTES + flows * FLOW_BYTES + ranges * RANGE_BYTES;
        if bytes.len() != need {
            return Err(WireError::LengthMismatch { declared: need, got: bytes.len() });
        }
        let node = NodeId::new(be32(head, 4)).ok_or(WireError::BadField("node"))?;
        let cumulative = be64(head, 24);
        let mut ack = Ranges::new(node, Incarnation(be32(head, 8)), be32(head, 12), cumulative);
        ack.duplicates = be32(head, 16);
        ack.from = cumulative.checked_add(u64::from(be32(head, 20))).ok_or(WireError::BadField("from"))?;
        ack.is_cut = head[1] & BIT_CUT != 0;
        let (flows, ranges) = rest.split_at(flows * FLOW_BYTES);
        for flow in flows.chunks_exact(FLOW_BYTES) {
            let id = FlowId(be16(flow, 0));
            let (received, highest, hold_us) = (be32(flow, 2), be64(flow, 6), be32(flow, 14));
            ack.push_flow(FlowCount { flow: id, received, highest, hold_us });
        }
        for range in ranges.chunks_exact(RANGE_BYTES) {
            let first = ack.told_to().checked_add(u64::from(be16(range, 0)));
            let end = first.and_then(|first| first.checked_add(u64::from(be16(range, 2))));
            let (Some(first), Some(end)) = (first, end) else { return Err(WireError::BadField("range")) };
            if !ack.push_range(first, end) {
                return Err(WireError::BadField("range"));
            }
        }
        Ok(Self::Ranges(ack))
    }

    /// Appends the acknowledgement to `out`: at most [`ACK_BYTES_MAX`] bytes.
    pub fn emit_into(&self, out: &mut impl bytes::BufMut) {
        let Self::Ranges(ack) = self;
        out.put_u8(TAG_RANGES);
        out.put_u8(if ack.is_cut { BIT_CUT } else { 0 });
        out.put_u8(ack.flows_len);
        out.put_u8(ack.ranges_len);
        out.put_u32(ack.node.get());
        out.put_u32(ack.incarnation.0);
        out.put_u32(ack.span);
        out.put_u32(ack.duplicates);
        // A destination's ranges begin within its span.
        out.put_u32((ack.from - ack.cumulative).min(u64::from(u32::MAX)) as u32);
        out.put_u64(ack.cumulative);
        for flow in ack.flows() {
            out.put_u16(flow.flow.0);
            out.put_u32(flow.received);
            out.put_u64(flow.highest);
            out.put_u32(flow.hold_us);
        }
        let mut behind = ack.from;
        for (first, end) in ack.ranges() {
            // `push_range` has seen to it that both fit.
            out.put_u16((first - behind) as u16);
            out.put_u16((end - first) as u16);
            behind = *end;
        }
    }
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from(be16(bytes, at)) << 16 | u32::from(be16(bytes, at + 2))
}

fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from(be32(bytes, at)) << 32 | u64::from(be32(bytes, at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    fn node() -> NodeId {
        NodeId::new(9).expect("a legal id")
    }

    fn example() -> Ranges {
        let mut ack = Ranges::new(node(), Incarnation(2), 16_384, 100);
        ack.duplicates = 3;
        ack.push_flow(FlowCount { flow: FlowId(1), received: 90, highest: 120, hold_us: 2_000 });
        assert!(ack.push_range(102, 105) && ack.push_range(106, 107));
        ack
    }

    #[test]
    fn an_acknowledgement_is_as_documented() {
        let golden = hex("01 00 01 02 00000009 00000002 00004000 00000003 00000000 0000000000000064
                          0001 0000005A 0000000000000078 000007D0  0002 0003  0001 0001");
        let mut out = Vec::new();
        Acknowledgement::Ranges(example()).emit_into(&mut out);
        assert_eq!(out, golden);
        assert_eq!(Acknowledgement::parse(&golden), Ok(Acknowledgement::Ranges(example())));
    }

    /// Aim: what an acknowledgement tells of is what a destination can have meant.
    #[test]
    fn it_tells_of_what_its_ranges_cover() {
        let mut ack = example();
        for (symbol, told) in [(0, true), (99, true), (101, true), (106, true), (107, true), (5_000, true)] {
            assert_eq!(ack.tells_of(symbol), told, "{symbol}");
        }
        ack.is_cut = true;
        assert!(ack.tells_of(106) && !ack.tells_of(107));
        ack.from = 102;
        assert!(!ack.tells_of(100) && ack.tells_of(102) && ack.tells_of(99));
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut ack = Ranges::new(node(), Incarnation(1), 64, 0);
        assert!(!ack.push_range(5, 5) && !ack.push_range(70_000, 70_001) && !ack.push_range(0, 65_536));
        for i in 0..ACK_RANGES_MAX as u64 {
            assert!(ack.push_range(2 * i, 2 * i + 1));
        }
        assert!(!ack.push_range(1_000, 1_001) && !ack.push_range(0, 1));
        let mut out = Vec::new();
        for _ in 0..=ACK_FLOWS_MAX {
            ack.push_flow(FlowCount::default());
        }
        Acknowledgement::Ranges(ack).emit_into(&mut out);
        assert_eq!(out.len(), ACK_BYTES_MAX);
    }

    /// Aim: bytes from anywhere are refused or read, never more; what is read is written the same.
    #[test]
    fn any_bytes_are_refused_or_make_round_trips() {
        let header = (0_u8..3, any::<u8>(), 0_u8..10, 0_u8..34);
        let anything = (header, proptest::collection::vec(any::<u8>(), 0..310));
        runner(4_000)
            .run(&anything, |((tag, bits, flows, ranges), mut bytes)| {
                let length = ACK_HEADER_BYTES - 4
                    + usize::from(flows) * FLOW_BYTES
                    + usize::from(ranges) * RANGE_BYTES;
                if bytes.len() > length {
                    bytes.truncate(length);
                }
                bytes.splice(0..0, [tag, bits & BIT_CUT, flows, ranges]);
                if let Ok(ack) = Acknowledgement::parse(&bytes) {
                    let mut out = Vec::new();
                    ack.emit_into(&mut out);
                    prop_assert_eq!(out, bytes);
                }
                Ok(())
            })
            .unwrap();
    }
}
