//! Files: real bytes at the source, checked at every destination.

use super::digest::{DigestSum, FileDigest};
use super::pacing::Pacer;
use super::sink::Arrival;
use super::source::{Due, SourceContext, SourcePoll, Symbol};
use crate::ids::SessionKey;
use crate::payload::{self, Payload, Synthetic};
use crate::rng::Seed;
use crate::time::Instant;
use crate::units::BitRate;
use bytes::{Bytes, BytesMut};

/// Bytes are made for this many at once (or one symbol, when that is larger): one allocation serves many
/// symbols.
const CHUNK_BYTES: u64 = 64 << 10;

/// How a file is cut into symbols; source and sinks derive it from the same content.
#[derive(Clone, Copy, Debug)]
struct Layout {
    bytes: u64,
    symbol_bytes: u64,
    count: u32,
}

/// Yields the symbols of one file, in order.
#[derive(Debug)]
pub(super) struct FileSource {
    layout: Layout,
    next: u32,
    /// `None`: as fast as it is asked.
    pacer: Option<Pacer>,
    /// Bytes made ahead.
    chunk: Bytes,
    sum: DigestSum,
    /// Symbols that are in the digest.
    summed: u32,
}

/// Collects one file at a destination.
#[derive(Debug)]
pub(super) struct FileSink {
    layout: Layout,
    /// One bit per symbol of the file; there from the first arrival on.
    received: Vec<u64>,
    missing: u32,
    sum: DigestSum,
    completed_at: Option<Instant>,
}

/// What became of a symbol at a [`FileSink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was new, or there already.
    Fine,
    /// It is no part of the file, or its bytes are not the file's; the sink is as before.
    Corrupt,
}

impl Layout {
    fn new(bytes: u64, symbol_bytes: u32) -> Self {
        let symbol_bytes = u64::from(symbol_bytes.max(1));
        // A file ends at 2^32 - 1 symbols (5 TB of 1,200 bytes): indices are 32 bits.
        let bytes = bytes.min(symbol_bytes * u64::from(u32::MAX));
        let count = bytes.div_ceil(symbol_bytes) as u32;
        Self { bytes, symbol_bytes, count }
    }

    fn len(&self, index: u32) -> u32 {
        (self.bytes - u64::from(index) * self.symbol_bytes).min(self.symbol_bytes) as u32
    }
}

impl FileSource {
    pub(super) fn new(bytes: u64, rate: Option<BitRate>, context: &SourceContext) -> Self {
        Self {
            layout: Layout::new(bytes, context.symbol_bytes),
            next: 0,
            pacer: rate.map(|rate| Pacer::new(rate, context.symbol_bytes).after(context.start)),
            chunk: Bytes::new(),
            sum: DigestSum::default(),
            summed: 0,
        }
    }

    pub(super) fn poll(&mut self, now: Instant, context: &SourceContext) -> SourcePoll {
        if self.next == self.layout.count {
            return SourcePoll::Finished;
        }
        // What is made again was due before, and before the end.
        let is_again = self.next < self.summed;
        let due = self.pacer.filter(|_| !is_again);
        let at = match due.map_or(Due::At(now.max(context.start)), |pacer| pacer.due()) {
            Due::At(at) if is_again || at < context.stop => at,
            _ => return SourcePoll::Finished,
        };
        if at > now {
            return SourcePoll::WaitUntil(at);
        }
        if let Some(pacer) = self.pacer.as_mut().filter(|_| !is_again) {
            pacer.advance();
        }
        let index = self.next;
        let len = self.layout.len(index);
        if self.chunk.is_empty() {
            self.make_chunk(context);
        }
        let bytes = self.chunk.split_to(len as usize);
        self.next += 1;
        if self.next > self.summed {
            self.sum.add(index, &bytes);
            self.summed = self.next;
        }
        SourcePoll::Symbol(Symbol {
            id: u64::from(index),
            object: 0,
            index,
            count: self.layout.count,
            len,
            timestamp: at,
            payload: Payload::Bytes(bytes),
        })
    }

    /// Begins again with the first symbol; the digest is of the first time.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
        self.chunk = Bytes::new();
    }

    pub(super) fn is_greedy(&self) -> bool {
        self.pacer.is_none()
    }

    /// What identifies the file, once all of it was yielded.
    pub(super) fn digest(&self) -> Option<FileDigest> {
        (self.summed == self.layout.count).then(|| self.sum.finish())
    }

    fn make_chunk(&mut self, context: &SourceContext) {
        let symbols = (CHUNK_BYTES / self.layout.symbol_bytes).max(1);
        let from = u64::from(self.next) * self.layout.symbol_bytes;
        let len = (symbols * self.layout.symbol_bytes).min(self.layout.bytes - from);
        let mut chunk = BytesMut::zeroed(len as usize);
        for (i, part) in chunk.chunks_mut(self.layout.symbol_bytes as usize).enumerate() {
            let symbol = u64::from(self.next) + i as u64;
            let what = Synthetic { key: context.key, symbol, offset: 0, len: part.len() as u32 };
            payload::fill(context.seed, what, part);
        }
        self.chunk = chunk.freeze();
    }
}

impl FileSink {
    pub(super) fn new(bytes: u64, symbol_bytes: u32) -> Self {
        let layout = Layout::new(bytes, symbol_bytes);
        let (received, sum) = (Vec::new(), DigestSum::default());
        Self { layout, received, missing: layout.count, sum, completed_at: None }
    }

    /// Places a symbol by its index after checking its bytes against the session's content.
    pub(super) fn place(
        &mut self,
        now: Instant,
        seed: Seed,
        key: SessionKey,
        arrival: &Arrival,
        payload: &Payload,
    ) -> Placed {
        let Payload::Bytes(bytes) = payload else { return Placed::Corrupt };
        if self.is_complete() {
            return Placed::Fine;
        }
        let index = arrival.index;
        let fits = index < self.layout.count
            && arrival.count == self.layout.count
            && arrival.symbol == u64::from(index)
            && arrival.object == 0
            && arrival.len == self.layout.len(index)
            && bytes.len() == arrival.len as usize;
        if !fits || !payload::matches(seed, key, arrival.symbol, 0, bytes) {
            return Placed::Corrupt;
        }
        if self.received.is_empty() {
            self.received = vec![0; self.layout.count.div_ceil(64) as usize];
        }
        let (word, bit) = (&mut self.received[(index / 64) as usize], 1 << (index % 64));
        if *word & bit != 0 {
            return Placed::Fine;
        }
        *word |= bit;
        self.sum.add(index, bytes);
        self.missing -= 1;
        if self.missing == 0 {
            self.completed_at = Some(now);
            // The bitmap has served; a finished file keeps no memory.
            self.received = Vec::new();
        }
        Placed::Fine
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// When the last symbol came.
    pub(super) fn completed_at(&self) -> Option<Instant> {
        self.completed_at
    }

    /// What identifies the file that came, once it is complete.
    pub(super) fn digest(&self) -> Option<FileDigest> {
        self.is_complete().then(|| self.sum.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::{collect, context};
    use super::super::spec::Content;
    use super::*;
    use crate::time::Duration;

    const BYTES: u64 = 100 * 1_200 + 77;

    fn file() -> Vec<Symbol> {
        let rate = BitRate::from_bps(50_000_000);
        collect(&Content::File { bytes: BYTES, rate }, SourceContext { symbol_bytes: 1_200, ..context() })
    }

    fn place(sink: &mut FileSink, symbol: &Symbol, payload: &Payload) -> Placed {
        let now = Instant::from_nanos(5_000 + u64::from(symbol.index));
        sink.place(now, context().seed, context().key, &Arrival::of(symbol), payload)
    }

    #[test]
    fn a_file_is_complete_in_any_order_and_both_ends_agree() {
        let symbols = file();
        assert_eq!(symbols.len(), 101);
        assert_eq!((symbols[100].len, symbols[100].count), (77, 101));
        let mut source = FileSource::new(BYTES, None, &context());
        while let SourcePoll::Symbol(_) = source.poll(context().start, &context()) {}
        let mut stream = Seed(1).stream("order");
        for _ in 0..20 {
            let mut order: Vec<usize> = (0..symbols.len()).collect();
            for i in (1..order.len()).rev() {
                order.swap(i, stream.below(i as u64 + 1) as usize);
            }
            let mut sink = FileSink::new(BYTES, 1_200);
            for &i in &order {
                assert!(!sink.is_complete());
                assert_eq!(place(&mut sink, &symbols[i], &symbols[i].payload), Placed::Fine);
            }
            assert_eq!(sink.completed_at(), Some(Instant::from_nanos(5_000 + order[100] as u64)));
            assert!(sink.digest().is_some());
            assert_eq!(sink.digest(), source.digest());
            // A straggler after the end changes nothing.
            assert_eq!(place(&mut sink, &symbols[0], &symbols[0].payload), Placed::Fine);
            assert_eq!(sink.digest(), source.digest());
        }
    }

    #[test]
    fn flipped_missing_and_swapped_symbols_are_seen() {
        let symbols = file();
        let mut sink = FileSink::new(BYTES, 1_200);
        for symbol in &symbols[1..] {
            place(&mut sink, symbol, &symbol.payload);
        }
        let Payload::Bytes(right) = &symbols[0].payload else { panic!("files are real bytes") };
        for position in [0, 600, 1_199] {
            let mut flipped = right.to_vec();
            flipped[position] ^= 0x10;
            assert_eq!(place(&mut sink, &symbols[0], &Payload::Bytes(flipped.into())), Placed::Corrupt);
        }
        let described =
            Payload::Synthetic(Synthetic { key: context().key, symbol: 0, offset: 0, len: 1_200 });
        assert_eq!(place(&mut sink, &symbols[0], &described), Placed::Corrupt, "not real bytes");
        assert_eq!(place(&mut sink, &symbols[0], &symbols[1].payload), Placed::Corrupt, "swapped");
        // Duplicates do not fill the gap.
        place(&mut sink, &symbols[1], &symbols[1].payload);
        assert!(!sink.is_complete());
        assert_eq!(sink.digest(), None);
        place(&mut sink, &symbols[0], &symbols[0].payload);
        assert!(sink.is_complete());
    }

    #[test]
    fn descriptions_that_do_not_fit_are_refused() {
        let symbols = file();
        let mut sink = FileSink::new(BYTES, 1_200);
        let right = symbols[5].clone();
        for wrong in [
            Symbol { index: 101, ..right.clone() },
            Symbol { index: u32::MAX, ..right.clone() },
            Symbol { count: 102, ..right.clone() },
            Symbol { id: 6, ..right.clone() },
            Symbol { object: 1, ..right.clone() },
            Symbol { len: 1_199, ..right.clone() },
        ] {
            assert_eq!(place(&mut sink, &wrong, &right.payload), Placed::Corrupt, "{wrong:?}");
        }
        assert!(sink.received.is_empty(), "nothing was allocated for them");
    }

    #[test]
    fn a_paced_file_is_due_at_exact_intervals_and_a_greedy_one_always() {
        for (i, symbol) in file().iter().enumerate() {
            let due = context().start + Duration::from_micros(192 * i as u64);
            assert_eq!(symbol.timestamp, due, "1,200 bytes at 50 Mbit/s: 192 us");
        }
        let mut source = FileSource::new(BYTES, None, &context());
        let later = context().start + Duration::from_secs(1);
        for i in 0..101 {
            let SourcePoll::Symbol(symbol) = source.poll(later, &context()) else { panic!("symbol {i}") };
            assert_eq!((symbol.index, symbol.timestamp), (i, later));
        }
        assert_eq!(source.poll(later, &context()), SourcePoll::Finished);
    }

    #[test]
    fn an_empty_file_is_complete() {
        assert_eq!(FileSource::new(0, None, &context()).digest(), FileSink::new(0, 1_200).digest());
        assert!(FileSink::new(0, 1_200).is_complete());
    }
}
