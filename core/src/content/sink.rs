//! The judge of what arrives at one destination.

use crate::content::file::{FileDigest, symbols_of};
use crate::content::player::Player;
use crate::content::spec::Content;
use crate::ids::SessionKey;
use crate::payload::{self, Payload};
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Objects that may be open at a time; the oldest is then given up.
const OPEN_OBJECTS_MAX: usize = 256;

/// What a sink needs to know besides the content. All times are the source's.
#[derive(Clone, Copy, Debug)]
pub struct SinkContext {
    /// The session.
    pub key: SessionKey,
    /// Root seed.
    pub seed: Seed,
    /// Largest payload of a symbol, in bytes.
    pub symbol_bytes: u32,
    /// When content starts.
    pub start: Instant,
    /// When it stops.
    pub stop: Instant,
    /// Start of the measuring window; objects created in it are judged.
    pub measure_from: Instant,
    /// End of the measuring window (excluded).
    pub measure_to: Instant,
    /// Whether real bytes are compared with what the content is known to be.
    pub verify: bool,
}

/// A symbol that arrived, the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The symbol.
    pub symbol: u64,
    /// Its object.
    pub object: u32,
    /// Which symbol of the object.
    pub index: u32,
    /// How many symbols the object has.
    pub count: u32,
    /// Payload bytes.
    pub len: u32,
    /// When its content was created.
    pub timestamp: Instant,
}

/// How the content did at a destination; `None` where the kind of content has no such thing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SinkStats {
    /// Video frames that came whole.
    pub frames_complete: Option<u64>,
    /// Video frames that were shown when they were due.
    pub frames_on_time: Option<u64>,
    /// Time in which the picture stood still.
    pub stall: Option<Duration>,
    /// From the session's start to the first picture.
    pub startup: Option<Duration>,
    /// Messages that came whole.
    pub messages_complete: Option<u64>,
    /// Messages that came whole before their deadline.
    pub messages_on_time: Option<u64>,
    /// Whether the file came whole and its digest is right.
    pub file_complete: Option<bool>,
    /// When it had.
    pub file_completed_at: Option<Instant>,
    /// Digest over what came of the file.
    pub file_digest: Option<[u8; 32]>,
    /// Symbols whose bytes, or whose place in their object, are wrong.
    pub corrupt_symbols: u64,
    /// Objects given up because too many were open.
    pub abandoned_objects: u64,
}

/// Judges what arrives at one destination of a session.
#[derive(Debug)]
pub struct Sink {
    context: SinkContext,
    judge: Judge,
    open: VecDeque<OpenObject>,
    corrupt_symbols: u64,
    abandoned_objects: u64,
}

#[derive(Debug)]
enum Judge {
    Nothing,
    Frames(Player),
    Messages { deadline: Duration, complete: u64, on_time: u64 },
    File(FileJudge),
}

#[derive(Debug)]
struct FileJudge {
    bytes: u64,
    symbols: u32,
    received: u32,
    digest: FileDigest,
    completed_at: Option<Instant>,
    is_right: bool,
}

#[derive(Clone, Copy, Debug)]
struct OpenObject {
    object: u32,
    count: u32,
    received: u32,
}

impl Sink {
    /// Returns the judge of `content`.
    #[must_use]
    pub fn new(content: &Content, context: SinkContext) -> Self {
        let judge = match content {
            Content::Constant { .. } | Content::OnOff { .. } => Judge::Nothing,
            Content::Video { trace, playout, .. } | Content::Adaptive { trace, playout, .. } => {
                Judge::Frames(Player::new(*playout, trace.frame_interval, &context))
            }
            Content::Messages { deadline, .. } => {
                Judge::Messages { deadline: *deadline, complete: 0, on_time: 0 }
            }
            Content::File { bytes, .. } => Judge::File(FileJudge {
                bytes: *bytes,
                symbols: symbols_of(*bytes, context.symbol_bytes),
                received: 0,
                digest: FileDigest::default(),
                completed_at: None,
                is_right: false,
            }),
        };
        Self { context, judge, open: VecDeque::new(), corrupt_symbols: 0, abandoned_objects: 0 }
    }

    /// Takes a symbol in, each once, in any order.
    #[inline]
    pub fn on_symbol(&mut self, now: Instant, arrival: &Arrival, payload: &Payload) {
        if matches!(self.judge, Judge::Nothing) && matches!(payload, Payload::Synthetic(_)) {
            return;
        }
        if arrival.index >= arrival.count || !self.is_intact(arrival, payload) {
            self.corrupt_symbols += 1;
            return;
        }
        match &mut self.judge {
            Judge::Nothing => {}
            Judge::File(file) => {
                if let Payload::Bytes(bytes) = payload {
                    file.on_symbol(now, arrival, bytes, &self.context);
                }
            }
            Judge::Frames(_) | Judge::Messages { .. } => self.on_part(now, arrival),
        }
    }

    fn is_intact(&self, arrival: &Arrival, payload: &Payload) -> bool {
        match payload {
            Payload::Synthetic(what) => {
                what.key == self.context.key && what.symbol == arrival.symbol && what.len == arrival.len
            }
            // The digest of a file says it all at the end; other content is compared as it comes.
            Payload::Bytes(_) if matches!(self.judge, Judge::File(_)) => true,
            Payload::Bytes(bytes) => {
                let Self { context, .. } = self;
                !context.verify || payload::matches(context.seed, context.key, arrival.symbol, 0, bytes)
            }
        }
    }

    /// Counts a symbol of a frame or message; judges the object once it is whole.
    fn on_part(&mut self, now: Instant, arrival: &Arrival) {
        if arrival.count > 1 {
            let known = self.open.iter().rposition(|open| open.object == arrival.object);
            let at = known.unwrap_or_else(|| {
                if self.open.len() == OPEN_OBJECTS_MAX {
                    self.open.pop_front();
                    self.abandoned_objects += 1;
                }
                self.open.push_back(OpenObject { object: arrival.object, count: arrival.count, received: 0 });
                self.open.len() - 1
            });
            let open = &mut self.open[at];
            if open.count != arrival.count {
                self.corrupt_symbols += 1;
                return;
            }
            open.received += 1;
            if open.received < open.count {
                return;
            }
            self.open.remove(at);
        }
        let created = arrival.timestamp;
        let measured = self.context.measure_from <= created && created < self.context.measure_to;
        match &mut self.judge {
            Judge::Frames(player) => player.on_frame(now, arrival.object, created, measured),
            Judge::Messages { deadline, complete, on_time } if measured => {
                *complete += 1;
                *on_time += u64::from(now <= created + *deadline);
            }
            _ => {}
        }
    }

    /// Judges what is still open, at the end.
    pub fn finish(&mut self, now: Instant) {
        if let Judge::Frames(player) = &mut self.judge {
            player.finish(now);
        }
    }

    /// Returns how the content did.
    #[must_use]
    pub fn stats(&self) -> SinkStats {
        let mut stats = SinkStats {
            corrupt_symbols: self.corrupt_symbols,
            abandoned_objects: self.abandoned_objects,
            ..SinkStats::default()
        };
        match &self.judge {
            Judge::Nothing => {}
            Judge::Frames(player) => {
                stats.frames_complete = Some(player.complete);
                stats.frames_on_time = Some(player.on_time);
                stats.stall = Some(player.stall);
                stats.startup = player.startup;
            }
            Judge::Messages { complete, on_time, .. } => {
                stats.messages_complete = Some(*complete);
                stats.messages_on_time = Some(*on_time);
            }
            Judge::File(file) => {
                stats.file_complete = Some(file.is_right);
                stats.file_completed_at = file.completed_at;
                stats.file_digest = Some(file.digest.bytes());
            }
        }
        stats
    }
}

impl FileJudge {
    fn on_symbol(&mut self, now: Instant, arrival: &Arrival, bytes: &[u8], context: &SinkContext) {
        self.digest.add(arrival.index, bytes);
        self.received = self.received.saturating_add(1);
        if self.received == self.symbols {
            self.completed_at = Some(now);
            let expected = FileDigest::of_file(context.seed, context.key, self.bytes, context.symbol_bytes);
            self.is_right = expected == self.digest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::source::{Source, SourceContext, SourcePoll, Symbol};
    use crate::content::spec::SizeDistribution;
    use crate::units::BitRate;
    use bytes::Bytes;

    const KEY: SessionKey = SessionKey::new(1, 1);

    fn context() -> SinkContext {
        SinkContext {
            key: KEY,
            seed: Seed(3),
            symbol_bytes: 1_000,
            start: Instant::ZERO,
            stop: Instant::from_nanos(u64::MAX / 2),
            measure_from: Instant::ZERO,
            measure_to: Instant::from_nanos(u64::MAX),
            verify: true,
        }
    }

    fn file_symbols(bytes: u64) -> (Content, Vec<Symbol>) {
        let content = Content::File { bytes, rate: BitRate::from_bps(8_000_000) };
        let SinkContext { key, seed, symbol_bytes, start, stop, measure_from, measure_to, .. } = context();
        let source_context =
            SourceContext { key, epoch: 0, seed, symbol_bytes, start, stop, measure_from, measure_to };
        let mut source = Source::new(&content, source_context);
        let mut symbols = Vec::new();
        while let SourcePoll::Symbol(symbol) = source.poll(Instant::from_nanos(1 << 50)) {
            symbols.push(symbol);
        }
        (content, symbols)
    }

    fn deliver(sink: &mut Sink, symbol: &Symbol) {
        let Symbol { id, object, index, count, len, timestamp, .. } = *symbol;
        let arrival = Arrival { symbol: id, object, index, count, len, timestamp };
        sink.on_symbol(timestamp + Duration::from_millis(50), &arrival, &symbol.payload);
    }

    #[test]
    fn a_file_is_complete_in_any_order() {
        let (content, mut symbols) = file_symbols(10_500);
        assert_eq!(symbols.len(), 11);
        assert_eq!(symbols[10].len, 500);
        symbols.reverse();
        symbols.swap(2, 7);
        let mut sink = Sink::new(&content, context());
        for symbol in &symbols {
            assert_eq!(sink.stats().file_complete, Some(false));
            deliver(&mut sink, symbol);
        }
        assert_eq!(sink.stats().file_complete, Some(true));
    }

    #[test]
    fn a_flipped_bit_or_a_swapped_symbol_is_seen() {
        for fault in 0..2 {
            let (content, mut symbols) = file_symbols(10_000);
            if fault == 0 {
                let Payload::Bytes(bytes) = &symbols[4].payload else { panic!("files are real bytes") };
                let mut flipped = bytes.to_vec();
                flipped[17] ^= 1;
                symbols[4].payload = Payload::Bytes(Bytes::from(flipped));
            } else {
                (symbols[1].index, symbols[2].index) = (2, 1);
            }
            let mut sink = Sink::new(&content, context());
            symbols.iter().for_each(|symbol| deliver(&mut sink, symbol));
            assert!(sink.stats().file_completed_at.is_some());
            assert_eq!(sink.stats().file_complete, Some(false));
        }
    }

    fn arrival(object: u32, index: u32, count: u32) -> (Arrival, Payload) {
        let symbol = u64::from(object * 100 + index);
        let timestamp = Instant::from_nanos(u64::from(object) * 1_000_000_000);
        let payload = Payload::Synthetic(payload::Synthetic { key: KEY, symbol, offset: 0, len: 10 });
        (Arrival { symbol, object, index, count, len: 10, timestamp }, payload)
    }

    #[test]
    fn messages_count_when_whole_and_on_time_by_their_deadline() {
        let content = Content::Messages {
            mean_interval: Duration::from_secs(1),
            size: SizeDistribution::Fixed(30),
            deadline: Duration::from_millis(300),
        };
        let mut sink = Sink::new(&content, context());
        for (object, index, delay_ms) in
            [(0, 0, 10), (1, 2, 10), (0, 2, 20), (1, 0, 100), (0, 1, 300), (1, 1, 301)]
        {
            let (arrival, payload) = arrival(object, index, 3);
            sink.on_symbol(arrival.timestamp + Duration::from_millis(delay_ms), &arrival, &payload);
        }
        assert_eq!((sink.stats().messages_complete, sink.stats().messages_on_time), (Some(2), Some(1)));
    }

    #[test]
    fn hostile_places_are_counted_and_bounded() {
        let content = Content::Messages {
            mean_interval: Duration::from_secs(1),
            size: SizeDistribution::Fixed(30),
            deadline: Duration::from_millis(300),
        };
        let mut sink = Sink::new(&content, context());
        for object in 0..10_000 {
            let (arrival, payload) = arrival(object % 40_000, 0, u32::MAX);
            sink.on_symbol(arrival.timestamp, &arrival, &payload);
        }
        assert_eq!(sink.open.len(), OPEN_OBJECTS_MAX);
        assert_eq!(sink.stats().abandoned_objects, 10_000 - OPEN_OBJECTS_MAX as u64);
        let (wrong, payload) = arrival(9_999, 1, 7);
        sink.on_symbol(wrong.timestamp, &wrong, &payload);
        let (beyond, payload) = arrival(1, 3, 3);
        sink.on_symbol(beyond.timestamp, &beyond, &payload);
        assert_eq!(sink.stats().corrupt_symbols, 2);
    }
}
