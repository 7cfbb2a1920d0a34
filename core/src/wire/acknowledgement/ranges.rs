//! Which symbols of a reliable session have arrived, in few bytes.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+-------+-------+-------------------------------+
//! | tag 1 | bits  | flows | words | node                          |
//! +-------+-------+-------+-------+-------------------------------+
//! | incarnation                   | span                          |
//! +-------------------------------+-------------------------------+
//! | duplicates                    | from                          |
//! +-------------------------------+-------------------------------+
//! | cumulative                                                    |
//! +---------------------------------------------------------------+
//! | for each flow: flow u16, received u32, highest u64, hold u32
//! +-----------
//! | words, u16 each
//! +-----------
//! ```
//! Every symbol below `cumulative` has arrived. The words say which symbols from `cumulative + from` on have, one
//! behind the other: top bit 0, the other bits stand for the next 15 symbols (the lowest bit first), 1: arrived; top
//! bits 10, as many symbols as the other bits say have arrived; 11, as many have not. So a burst and a comb, as flows
//! of different delays leave it, are both short (the word-aligned hybrid code of bitmap indices: Wu, Otoo and
//! Shoshani 2006). Bit 0 of the bits says that words are left out for want of room; without it, nothing behind the
//! last has arrived.

use super::{TAG_RANGES, be16, be32, be64};
use crate::ids::{FlowId, Incarnation, NodeId};
use crate::wire::WireError;

/// Flows that one acknowledgement counts, at most.
pub const ACK_FLOWS_MAX: usize = 8;
/// Words that one acknowledgement has, at most.
pub const ACK_WORDS_MAX: usize = 96;
/// Bytes before the flows.
pub const ACK_HEADER_BYTES: usize = 32;
/// Most bytes of an acknowledgement.
pub const ACK_BYTES_MAX: usize = ACK_HEADER_BYTES + FLOW_BYTES * ACK_FLOWS_MAX + WORD_BYTES * ACK_WORDS_MAX;
/// Most symbols that a source may be ahead of a destination, whatever both can remember.
pub const ACK_SPAN_MAX: u32 = 65_535;

const FLOW_BYTES: usize = 18;
const WORD_BYTES: usize = 2;
/// Symbols of a word that stands for each of them.
const LITERAL_SYMBOLS: u64 = 15;
const RUN: u16 = 1 << 15;
const RUN_OF_MISSING: u16 = 1 << 14;
/// Longest run of one word.
const RUN_MAX: u64 = (RUN_OF_MISSING - 1) as u64;
const BIT_CUT: u8 = 1 << 0;

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
    /// First symbol that the words tell of, not below `cumulative`.
    pub from: u64,
    /// Whether words behind the last one were left out.
    pub is_cut: bool,
    flows: [FlowCount; ACK_FLOWS_MAX],
    flows_len: u8,
    words: [u16; ACK_WORDS_MAX],
    words_len: u8,
    /// End (excluded) of what the words tell of.
    told_to: u64,
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
            words: [0; ACK_WORDS_MAX],
            words_len: 0,
            told_to: cumulative,
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

    /// Lets the words begin at `from`, which is not below `cumulative`; those that are there go.
    pub fn begin_at(&mut self, from: u64) {
        (self.from, self.told_to, self.words_len) = (from, from, 0);
    }

    /// Adds the next symbols: all of those up to `arrived_to` (excluded) have arrived, or, if that is none, none up to
    /// `missing_to`; where both are near, `bits` says it of the next 15, the lowest bit first. Returns `false` when
    /// there is no room.
    pub fn push(&mut self, arrived_to: u64, missing_to: u64, bits: impl FnOnce() -> u16) -> bool {
        let at = usize::from(self.words_len);
        if at == ACK_WORDS_MAX {
            return false;
        }
        let arrived = arrived_to.saturating_sub(self.told_to).min(RUN_MAX);
        let missing = missing_to.saturating_sub(self.told_to).min(RUN_MAX);
        let (word, symbols) = if arrived > LITERAL_SYMBOLS {
            (RUN | arrived as u16, arrived)
        } else if missing > LITERAL_SYMBOLS {
            (RUN | RUN_OF_MISSING | missing as u16, missing)
        } else {
            (bits() & !RUN, LITERAL_SYMBOLS)
        };
        let Some(told_to) = self.told_to.checked_add(symbols) else { return false };
        self.words[at] = word;
        self.words_len += 1;
        self.told_to = told_to;
        true
    }

    /// Returns the flows.
    #[must_use]
    pub fn flows(&self) -> &[FlowCount] {
        &self.flows[..usize::from(self.flows_len)]
    }

    /// Returns the runs of symbols that have arrived, each with its first symbol and its end (excluded), in rising
    /// order; neighbouring ones may touch.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = self.from;
        self.words[..usize::from(self.words_len)].iter().flat_map(move |word| {
            let first = at;
            at += symbols_of(*word);
            Runs { at: first, bits: if *word & RUN == 0 { *word } else { 0 }, run: run_of(*word, first) }
        })
    }

    /// Returns the end (excluded) of what the words tell of.
    #[must_use]
    pub fn told_to(&self) -> u64 {
        self.told_to
    }

    /// Returns the end (excluded) of what is said to have arrived.
    #[must_use]
    pub fn arrived_to(&self) -> u64 {
        self.runs().last().map_or(self.cumulative, |(_, end)| end)
    }

    /// Whether the acknowledgement says of `symbol` if it has arrived.
    #[must_use]
    pub fn tells_of(&self, symbol: u64) -> bool {
        symbol < self.cumulative || symbol >= self.from && (!self.is_cut || symbol < self.told_to)
    }
}

impl Ranges {
    /// Reads what is behind the tag, which is there too.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let truncated = |need| WireError::Truncated { need, got: bytes.len() };
        let (head, rest) =
            bytes.split_first_chunk::<ACK_HEADER_BYTES>().ok_or_else(|| truncated(ACK_HEADER_BYTES))?;
        let (flows, words) = (usize::from(head[2]), usize::from(head[3]));
        if flows > ACK_FLOWS_MAX || words > ACK_WORDS_MAX {
            return Err(WireError::BadField("acknowledgement"));
        }
        let need = ACK_HEADER_BYTES + flows * FLOW_BYTES + words * WORD_BYTES;
        if bytes.len() != need {
            return Err(WireError::LengthMismatch { declared: need, got: bytes.len() });
        }
        let node = NodeId::new(be32(head, 4)).ok_or(WireError::BadField("node"))?;
        let cumulative = be64(head, 24);
        let mut ack = Ranges::new(node, Incarnation(be32(head, 8)), be32(head, 12), cumulative);
        ack.duplicates = be32(head, 16);
        ack.begin_at(cumulative.checked_add(u64::from(be32(head, 20))).ok_or(WireError::BadField("from"))?);
        ack.is_cut = head[1] & BIT_CUT != 0;
        let (flows, words) = rest.split_at(flows * FLOW_BYTES);
        for flow in flows.chunks_exact(FLOW_BYTES) {
            let id = FlowId(be16(flow, 0));
            let (received, highest, hold_us) = (be32(flow, 2), be64(flow, 6), be32(flow, 14));
            ack.push_flow(FlowCount { flow: id, received, highest, hold_us });
        }
        for (at, word) in words.chunks_exact(WORD_BYTES).enumerate() {
            ack.words[at] = be16(word, 0);
            let told_to = ack.told_to.checked_add(symbols_of(ack.words[at]));
            ack.told_to = told_to.ok_or(WireError::BadField("words"))?;
        }
        ack.words_len = head[3];
        Ok(ack)
    }

    /// Appends it to `out`, from the tag on.
    pub(super) fn emit_into(&self, out: &mut impl bytes::BufMut) {
        out.put_u8(TAG_RANGES);
        out.put_u8(if self.is_cut { BIT_CUT } else { 0 });
        out.put_u8(self.flows_len);
        out.put_u8(self.words_len);
        out.put_u32(self.node.get());
        out.put_u32(self.incarnation.0);
        out.put_u32(self.span);
        out.put_u32(self.duplicates);
        // A destination's words begin within its span.
        out.put_u32((self.from - self.cumulative).min(u64::from(u32::MAX)) as u32);
        out.put_u64(self.cumulative);
        for flow in self.flows() {
            out.put_u16(flow.flow.0);
            out.put_u32(flow.received);
            out.put_u64(flow.highest);
            out.put_u32(flow.hold_us);
        }
        for word in &self.words[..usize::from(self.words_len)] {
            out.put_u16(*word);
        }
    }
}

/// Returns the symbols that a word tells of.
fn symbols_of(word: u16) -> u64 {
    if word & RUN == 0 { LITERAL_SYMBOLS } else { u64::from(word & !(RUN | RUN_OF_MISSING)) }
}

/// Returns the run of arrived symbols that a word from `first` on says at once, if it does.
fn run_of(word: u16, first: u64) -> Option<(u64, u64)> {
    let is_run = word & (RUN | RUN_OF_MISSING) == RUN;
    let end = first + symbols_of(word);
    (is_run && end > first).then_some((first, end))
}

/// The runs of one word.
struct Runs {
    at: u64,
    bits: u16,
    run: Option<(u64, u64)>,
}

impl Iterator for Runs {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        if self.bits == 0 {
            return self.run.take();
        }
        let skip = self.bits.trailing_zeros();
        let length = (self.bits >> skip).trailing_ones();
        let first = self.at + u64::from(skip);
        self.at = first + u64::from(length);
        self.bits >>= skip + length;
        Some((first, self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::acknowledgement::Acknowledgement;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    fn node() -> NodeId {
        NodeId::new(9).expect("a legal id")
    }

    fn example() -> Ranges {
        let mut ack = Ranges::new(node(), Incarnation(2), 16_384, 100);
        ack.duplicates = 3;
        ack.push_flow(FlowCount { flow: FlowId(1), received: 90, highest: 120, hold_us: 2_000 });
        assert!(ack.push(100, 102, || 0b101_1100));
        assert!(ack.push(135, 115, || 0));
        assert!(ack.push(135, 155, || 0));
        ack
    }

    #[test]
    fn an_acknowledgement_is_as_documented() {
        let golden = hex("01 00 01 03 00000009 00000002 00004000 00000003 00000000 0000000000000064
                          0001 0000005A 0000000000000078 000007D0  005C 8014 C014");
        let mut out = Vec::new();
        Acknowledgement::Ranges(example()).emit_into(&mut out);
        assert_eq!(out, golden);
        assert_eq!(Acknowledgement::parse(&golden), Ok(Acknowledgement::Ranges(example())));
        let runs: Vec<_> = example().runs().collect();
        assert_eq!(runs, [(102, 105), (106, 107), (115, 135)]);
        assert_eq!((example().told_to(), example().arrived_to()), (155, 135));
    }

    /// Aim: what an acknowledgement tells of is what a destination can have meant.
    #[test]
    fn it_tells_of_what_its_words_cover() {
        let mut ack = example();
        for symbol in [0, 99, 101, 106, 107, 5_000] {
            assert!(ack.tells_of(symbol), "{symbol}");
        }
        ack.is_cut = true;
        assert!(ack.tells_of(154) && !ack.tells_of(155));
        ack.from = 102;
        assert!(!ack.tells_of(100) && ack.tells_of(102) && ack.tells_of(99));
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut ack = Ranges::new(node(), Incarnation(1), 64, 0);
        for _ in 0..ACK_WORDS_MAX {
            assert!(ack.push(0, 0, || 1));
        }
        assert!(!ack.push(0, 0, || 1));
        for _ in 0..=ACK_FLOWS_MAX {
            ack.push_flow(FlowCount::default());
        }
        let mut out = Vec::new();
        Acknowledgement::Ranges(ack).emit_into(&mut out);
        assert_eq!(out.len(), ACK_BYTES_MAX);
        let mut end = Ranges::new(node(), Incarnation(1), 64, u64::MAX - 5);
        assert!(!end.push(0, 0, || 1), "beyond all ids");
    }

    /// Aim: bytes from anywhere are refused or read, never more; what is read is written the same.
    #[test]
    fn any_bytes_are_refused_or_make_round_trips() {
        let header = (1_u8..2, any::<u8>(), 0_u8..10, 0_u8..100);
        let anything = (header, proptest::collection::vec(any::<u8>(), 0..400));
        runner(4_000)
            .run(&anything, |((tag, bits, flows, words), mut bytes)| {
                let length =
                    ACK_HEADER_BYTES - 4 + usize::from(flows) * FLOW_BYTES + usize::from(words) * WORD_BYTES;
                if bytes.len() > length {
                    bytes.truncate(length);
                }
                bytes.splice(0..0, [tag, bits & BIT_CUT, flows, words]);
                if let Ok(ack) = Acknowledgement::parse(&bytes) {
                    let mut out = Vec::new();
                    ack.emit_into(&mut out);
                    prop_assert_eq!(out, bytes);
                    let Acknowledgement::Ranges(ack) = ack else { panic!("tag 1 is ranges") };
                    let mut behind = ack.from;
                    for (first, end) in ack.runs() {
                        prop_assert!(behind <= first && first < end && end <= ack.told_to());
                        behind = end;
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
