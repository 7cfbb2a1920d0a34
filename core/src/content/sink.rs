//! The sink of a session at one destination: judges what arrives.

use super::application::END;
use super::digest::FileDigest;
use super::file::{FileSink, Placed};
use super::player::{LivePlayer, StreamPlayer};
use super::source::Symbol;
use super::spec::{Content, FrameTrace, Playout, PlayoutMode, Unit};
use super::tracker::{Tracked, Tracker};
use crate::ids::SessionKey;
use crate::payload::{self, Payload};
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// What a sink has to know about its session.
#[derive(Clone, Copy, Debug)]
pub struct SinkContext {
    /// The session.
    pub key: SessionKey,
    /// Root seed of the run.
    pub seed: Seed,
    /// Largest payload of one symbol in bytes, as at the source.
    pub symbol_bytes: u32,
    /// When the content begins.
    pub start: Instant,
    /// When it ends: no object has this timestamp or a later one.
    pub stop: Instant,
    /// Objects created from here on are judged.
    pub measure_from: Instant,
    /// Objects created at this time or later are not judged.
    pub measure_to: Instant,
    /// Whether real bytes of content other than files are compared with what they should be (those of files
    /// always are).
    pub verify: bool,
}

/// A symbol as it came to a destination, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The symbol's id.
    pub symbol: u64,
    /// The object that it is a part of.
    pub object: u32,
    /// Its place within the object.
    pub index: u32,
    /// How many symbols the object has.
    pub count: u32,
    /// Length of the payload in bytes.
    pub len: u32,
    /// When the source created it, on this node's clock.
    pub timestamp: Instant,
}

impl Arrival {
    /// Returns what arrives when nothing happens to the symbol on the way and both clocks agree.
    #[must_use]
    pub fn of(symbol: &Symbol) -> Self {
        let &Symbol { id, object, index, count, len, timestamp, .. } = symbol;
        Self { symbol: id, object, index, count, len, timestamp }
    }
}

/// What a sink has found so far.
///
/// Frames and messages count if their timestamp lies in the measuring window. Compare them with
/// [`SourceStats::measured_objects`](super::SourceStats::measured_objects): a sink does not know what never
/// came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStats {
    /// Frames all of whose symbols came.
    pub frames_complete: u64,
    /// Frames shown when they were due.
    pub frames_on_time: u64,
    /// How long the picture stood still because frames were not there.
    pub stall: Duration,
    /// From the creation of the first frame that anything came of to the display of the first frame shown.
    pub startup: Option<Duration>,
    /// Messages all of whose symbols came.
    pub messages_complete: u64,
    /// Messages complete before their deadline.
    pub messages_on_time: u64,
    /// Whether the file is there, every byte as it should be; `None` for other content.
    pub file_complete: Option<bool>,
    /// When its last symbol came.
    pub file_completed_at: Option<Instant>,
    /// What identifies the file that came, once complete; equal to the source's.
    pub file_digest: Option<FileDigest>,
    /// Symbols whose description contradicts the content, or whose bytes are not the content's.
    pub corrupt_symbols: u64,
    /// Frames and messages of which something came, but not all before they were given up.
    pub incomplete_objects: u64,
}

impl SinkStats {
    /// Returns what both found together: `self` by the earlier of two judges of one destination, `later` by the one
    /// that took over when the source or the destination started again.
    ///
    /// Counts and the time that the picture stood still add up, each judge counting from its own first picture. The
    /// start-up is that of the first picture at all, and a file is there if either has all of it.
    #[must_use]
    pub fn merge(&self, later: &Self) -> Self {
        let is_file_earlier = self.file_completed_at.is_some();
        let file = if is_file_earlier { self } else { later };
        Self {
            frames_complete: self.frames_complete + later.frames_complete,
            frames_on_time: self.frames_on_time + later.frames_on_time,
            stall: self.stall + later.stall,
            startup: self.startup.or(later.startup),
            messages_complete: self.messages_complete + later.messages_complete,
            messages_on_time: self.messages_on_time + later.messages_on_time,
            file_complete: match (self.file_complete, later.file_complete) {
                (Some(a), Some(b)) => Some(a || b),
                (a, b) => a.or(b),
            },
            file_completed_at: file.file_completed_at,
            file_digest: file.file_digest,
            corrupt_symbols: self.corrupt_symbols + later.corrupt_symbols,
            incomplete_objects: self.incomplete_objects + later.incomplete_objects,
        }
    }
}

/// Judges what arrives at one destination of a session.
///
/// It needs no timers: all verdicts follow from the times of the arrivals and of [`finish`](Self::finish).
#[derive(Debug)]
pub struct Sink {
    context: SinkContext,
    tracker: Tracker,
    kind: Kind,
    stats: SinkStats,
}

#[derive(Debug)]
enum Kind {
    /// Symbols that are objects of their own: there is nothing to put together.
    Symbols,
    Live(Box<LivePlayer>),
    Stream(Box<StreamPlayer>),
    Messages {
        deadline: Duration,
    },
    File(Box<FileSink>),
    /// An application's: bytes that only it can judge.
    Application {
        unit: Unit,
        /// The symbol that ends a stream.
        end: Option<u64>,
    },
}

impl Sink {
    /// Creates the sink of a session with that content.
    #[must_use]
    pub fn new(content: &Content, context: SinkContext) -> Self {
        let kind = match content {
            Content::Constant { .. } | Content::OnOff { .. } => Kind::Symbols,
            Content::Video { trace, playout, .. } | Content::Adaptive { trace, playout, .. } => {
                Kind::video(trace, *playout, &context)
            }
            &Content::Application { unit, .. } => Kind::Application { unit, end: None },
            &Content::Messages { deadline, .. } => Kind::Messages { deadline },
            &Content::File { bytes, .. } => Kind::File(Box::new(FileSink::new(bytes, context.symbol_bytes))),
        };
        Self { context, tracker: Tracker::default(), kind, stats: SinkStats::default() }
    }

    /// Takes a symbol that arrived at `now`; each is given once, in any order.
    pub fn on_symbol(&mut self, now: Instant, arrival: &Arrival, payload: &Payload) {
        if let Kind::File(file) = &mut self.kind {
            if file.place(now, self.context.seed, self.context.key, arrival, payload) == Placed::Corrupt {
                self.stats.corrupt_symbols += 1;
            }
            return;
        }
        if !self.is_content(arrival, payload) {
            self.stats.corrupt_symbols += 1;
            return;
        }
        if let Kind::Application { unit, end } = &mut self.kind {
            if *unit == Unit::Stream && arrival.object == END {
                *end = Some(arrival.symbol);
            }
            return;
        }
        if let Kind::Symbols = self.kind {
            return;
        }
        match &mut self.kind {
            Kind::Live(player) => player.on_seen(now, arrival),
            Kind::Stream(player) => player.on_seen(arrival),
            _ => {}
        }
        match self.tracker.on_symbol(now, arrival) {
            Tracked::Partial => {}
            Tracked::Complete(timestamp) => self.on_complete(now, arrival.object, timestamp),
            Tracked::Corrupt => self.stats.corrupt_symbols += 1,
        }
    }

    /// Ends the run at `now`: judges what is still open.
    pub fn finish(&mut self, now: Instant) {
        self.tracker.finish();
        match &mut self.kind {
            Kind::Live(player) => player.finish(now),
            Kind::Stream(player) => player.finish(now),
            Kind::Symbols | Kind::Messages { .. } | Kind::File(_) | Kind::Application { .. } => {}
        }
    }

    /// Returns the verdicts so far.
    #[must_use]
    pub fn stats(&self) -> SinkStats {
        let mut stats = SinkStats { incomplete_objects: self.tracker.given_up(), ..self.stats };
        match &self.kind {
            Kind::Symbols | Kind::Messages { .. } | Kind::Application { .. } => {}
            Kind::Live(player) => {
                (stats.frames_on_time, stats.stall, stats.startup) =
                    (player.on_time(), player.stall(), player.startup());
            }
            Kind::Stream(player) => {
                (stats.frames_on_time, stats.stall, stats.startup) =
                    (player.on_time(), player.stall(), player.startup());
            }
            Kind::File(file) => {
                stats.file_complete = Some(file.is_complete());
                stats.file_completed_at = file.completed_at();
                stats.file_digest = file.digest();
            }
        }
        stats
    }

    /// Returns the symbol that ends an application's stream, which carries nothing else, once it came.
    #[must_use]
    pub fn stream_end(&self) -> Option<u64> {
        if let Kind::Application { end, .. } = self.kind { end } else { None }
    }

    /// Whether the symbol describes itself consistently, and carries what it should.
    fn is_content(&self, arrival: &Arrival, payload: &Payload) -> bool {
        let SinkContext { key, seed, symbol_bytes, verify, .. } = self.context;
        let &Arrival { symbol, index, count, len, .. } = arrival;
        if index >= count || len == 0 || len > symbol_bytes || payload.len() != len as usize {
            return false;
        }
        match payload {
            Payload::Synthetic(what) => what.key == key && what.symbol == symbol && what.offset == 0,
            Payload::Coded { .. } => false,
            Payload::Bytes(_) if matches!(self.kind, Kind::Application { .. }) => true,
            Payload::Bytes(bytes) => !verify || payload::matches(seed, key, symbol, 0, bytes),
        }
    }

    fn on_complete(&mut self, now: Instant, object: u32, timestamp: Instant) {
        let measured = timestamp >= self.context.measure_from && timestamp < self.context.measure_to;
        match &mut self.kind {
            Kind::Live(player) => {
                self.stats.frames_complete += u64::from(measured);
                player.on_complete(now, object, timestamp);
            }
            Kind::Stream(player) => {
                self.stats.frames_complete += u64::from(measured);
                player.on_complete(now, object, timestamp);
            }
            Kind::Messages { deadline } => {
                let on_time = now.saturating_since(timestamp) <= *deadline;
                self.stats.messages_complete += u64::from(measured);
                self.stats.messages_on_time += u64::from(measured && on_time);
            }
            Kind::Symbols | Kind::File(_) | Kind::Application { .. } => {}
        }
    }
}

impl Kind {
    fn video(trace: &FrameTrace, playout: Playout, context: &SinkContext) -> Self {
        let interval = trace.frame_interval;
        match playout.mode {
            PlayoutMode::Live => Self::Live(Box::new(LivePlayer::new(interval, playout.delay, context))),
            PlayoutMode::Stream => {
                Self::Stream(Box::new(StreamPlayer::new(interval, playout.delay, context)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::{collect, context, kinds};
    use super::super::source::{Source, SourcePoll};
    use super::super::spec::SizeDistribution;
    use super::super::video::tests::trace;
    use super::*;
    use crate::payload::Synthetic;
    use crate::rng::Seed;
    use crate::units::BitRate;
    use bytes::Bytes;

    fn sink_context() -> SinkContext {
        let context = context();
        SinkContext {
            key: context.key,
            seed: context.seed,
            symbol_bytes: context.symbol_bytes,
            start: context.start,
            stop: context.stop,
            measure_from: context.measure_from,
            measure_to: context.measure_to,
            verify: true,
        }
    }

    /// Sends all symbols with the delay (ms) that `delay` gives, `None` for loss, in the order of their
    /// arrival.
    fn carry(content: &Content, mut delay: impl FnMut(&Symbol) -> Option<u64>) -> SinkStats {
        let symbols = collect(content, context());
        let mut arrivals: Vec<_> = symbols
            .iter()
            .filter_map(|symbol| {
                Some((symbol.timestamp + Duration::from_millis(delay(symbol)?), symbol.id, symbol))
            })
            .collect();
        arrivals.sort_by_key(|&(at, id, _)| (at, id));
        let mut sink = Sink::new(content, sink_context());
        for (now, _, symbol) in arrivals {
            sink.on_symbol(now, &Arrival::of(symbol), &symbol.payload);
        }
        sink.finish(context().stop + Duration::from_secs(30));
        sink.stats()
    }

    /// What the source counted in the measuring window.
    fn measured(content: &Content) -> u64 {
        let mut source = Source::new(content, context());
        while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
        source.stats().measured_objects
    }

    #[test]
    fn whatever_arrives_in_time_and_any_order_is_judged_well() {
        // Every symbol takes a way of its own, 1 to 150 ms: symbols of many frames interleave.
        for content in kinds() {
            let mut stream = Seed(8).stream("ways");
            let stats = carry(&content, |_| Some(1 + stream.below(150)));
            assert_eq!((stats.corrupt_symbols, stats.incomplete_objects), (0, 0), "{content:?}");
            assert_eq!(stats.stall, Duration::ZERO);
            let count = measured(&content);
            match content {
                Content::Video { .. } | Content::Adaptive { .. } => {
                    assert_eq!((stats.frames_complete, stats.frames_on_time), (count, count));
                    assert_eq!(stats.startup, Some(Duration::from_millis(200)));
                }
                Content::Messages { .. } => {
                    assert_eq!((stats.messages_complete, stats.messages_on_time), (count, count));
                    assert!(count > 100);
                }
                Content::File { .. } => {
                    assert_eq!(stats.file_complete, Some(true));
                    let mut source = Source::new(&content, context());
                    while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
                    assert_eq!(stats.file_digest, source.stats().file_digest);
                    assert!(stats.file_digest.is_some());
                }
                Content::Constant { .. } | Content::OnOff { .. } | Content::Application { .. } => {
                    assert_eq!(stats, SinkStats::default());
                }
            }
        }
    }

    #[test]
    fn one_lost_symbol_costs_its_frame_and_one_late_symbol_its_time() {
        let content = &kinds()[1];
        let frames = measured(content);
        // Frames 80 and 90 lie in the measured seconds (frames 75 to 149).
        let lost = carry(content, |s| ((s.object, s.index) != (80, 0)).then_some(20));
        assert_eq!((lost.frames_complete, lost.frames_on_time), (frames - 1, frames - 1));
        assert_eq!(lost.stall, Duration::from_millis(40));
        let late = carry(content, |s| Some(if s.object == 90 && s.index + 1 == s.count { 201 } else { 20 }));
        assert_eq!((late.frames_complete, late.frames_on_time), (frames, frames - 1));
        assert_eq!(late.stall, Duration::from_millis(40));
        let outside = carry(content, |s| (s.object != 10).then_some(20));
        assert_eq!((outside.frames_complete, outside.stall), (frames, Duration::ZERO));
    }

    #[test]
    fn a_message_is_on_time_up_to_its_deadline() {
        let content = &kinds()[3];
        let messages = measured(content);
        let exactly = carry(content, |_| Some(1_000));
        assert_eq!((exactly.messages_complete, exactly.messages_on_time), (messages, messages));
        let after = carry(content, |_| Some(1_001));
        assert_eq!((after.messages_complete, after.messages_on_time), (messages, 0));
        let lost = carry(content, |s| (s.index + 1 != s.count).then_some(1));
        assert_eq!(lost.messages_complete, 0);
        assert!(lost.incomplete_objects > 0, "those of several symbols were seen in part");
    }

    #[test]
    fn a_file_with_a_missing_symbol_is_not_complete() {
        let stats = carry(&kinds()[4], |s| (s.id != 17).then_some(1));
        assert_eq!((stats.file_complete, stats.file_digest), (Some(false), None));
    }

    #[test]
    fn descriptions_that_contradict_the_content_are_corrupt() {
        let content = &kinds()[1];
        let symbols = collect(content, context());
        let right = &symbols[0];
        let arrival = Arrival::of(right);
        let what = Synthetic { key: context().key, symbol: 0, offset: 0, len: right.len };
        let other = crate::ids::SessionKey::new(3, 8);
        for (wrong, payload) in [
            (Arrival { index: arrival.count, ..arrival }, what),
            (Arrival { index: u32::MAX, count: 0, ..arrival }, what),
            (Arrival { len: right.len - 1, ..arrival }, what),
            (Arrival { len: 0, ..arrival }, Synthetic { len: 0, ..what }),
            (Arrival { len: 1_201, ..arrival }, Synthetic { len: 1_201, ..what }),
            (Arrival { symbol: 1, ..arrival }, what),
            (arrival, Synthetic { key: other, ..what }),
            (arrival, Synthetic { offset: 1, ..what }),
        ] {
            let mut sink = Sink::new(content, sink_context());
            sink.on_symbol(context().start, &wrong, &Payload::Synthetic(payload));
            assert_eq!(sink.stats().corrupt_symbols, 1, "{wrong:?} {payload:?}");
        }
    }

    #[test]
    fn real_bytes_are_compared_when_asked_for() {
        let content = &kinds()[0];
        let symbol = &collect(content, context())[5];
        let Payload::Synthetic(what) = symbol.payload else { panic!("constant content is described") };
        let mut bytes = vec![0; what.len as usize];
        payload::fill(context().seed, what, &mut bytes);
        let mut flipped = bytes.clone();
        flipped[1_000] ^= 1;
        for (verify, bytes, corrupt) in
            [(true, bytes.clone(), 0), (true, flipped.clone(), 1), (false, bytes, 0), (false, flipped, 0)]
        {
            let mut sink = Sink::new(content, SinkContext { verify, ..sink_context() });
            let payload = Payload::Bytes(Bytes::from(bytes));
            sink.on_symbol(symbol.timestamp, &Arrival::of(symbol), &payload);
            assert_eq!(sink.stats().corrupt_symbols, corrupt);
        }
    }

    #[test]
    fn arbitrary_arrivals_neither_panic_nor_count_as_more_than_they_are() {
        let playout = |mode| Playout { delay: Duration::from_millis(100), mode };
        let rate = BitRate::from_bps(1_000_000).unwrap();
        let video = |mode| Content::Video { trace: trace(9, 3), rate, playout: playout(mode) };
        let size = SizeDistribution::Fixed(9_000);
        let (mean_interval, deadline) = (Duration::from_millis(1), Duration::from_secs(1));
        let contents = [
            video(PlayoutMode::Live),
            video(PlayoutMode::Stream),
            Content::Messages { mean_interval, size, deadline },
            Content::File { bytes: 100_000, rate: None },
        ];
        for content in &contents {
            let mut stream = Seed(13).stream("hostile");
            let mut sink = Sink::new(content, SinkContext { measure_to: context().stop, ..sink_context() });
            let mut now = context().start;
            for symbol in 0..50_000 {
                // Small numbers, numbers around the largest, and anything between.
                let mut number = || match stream.below(3) {
                    0 => stream.below(5) as u32,
                    1 => u32::MAX - stream.below(5) as u32,
                    _ => stream.next_u64() as u32,
                };
                let (object, index, count) = (number(), number(), number());
                let len = number() % 1_300;
                let timestamp = Instant::from_nanos(stream.next_u64() >> stream.below(64));
                let arrival = Arrival { symbol, object, index, count, len, timestamp };
                let what = Synthetic { key: context().key, symbol, offset: 0, len };
                sink.on_symbol(now, &arrival, &Payload::Synthetic(what));
                now += Duration::from_nanos(stream.below(1_000_000));
            }
            sink.finish(now);
            let stats = sink.stats();
            assert!(stats.corrupt_symbols > 10_000, "{content:?}");
            assert!(stats.frames_on_time <= stats.frames_complete);
            assert!(stats.messages_on_time <= stats.messages_complete);
            assert_ne!(stats.file_complete, Some(true));
        }
    }

    #[test]
    fn an_idle_sink_is_small() {
        assert!(size_of::<Sink>() <= 256, "{}", size_of::<Sink>());
        assert!(size_of::<LivePlayer>() <= 160, "{}", size_of::<LivePlayer>());
        assert!(size_of::<StreamPlayer>() <= 192, "{}", size_of::<StreamPlayer>());
    }

    /// Two judges count together what one of each kind found; a file that the earlier had stays complete.
    #[test]
    fn verdicts_of_two_starts_add_up() {
        let second = Duration::from_secs(1);
        let earlier = SinkStats {
            frames_on_time: 3,
            stall: second,
            startup: Some(second),
            file_complete: Some(true),
            file_completed_at: Some(Instant::from_nanos(5)),
            file_digest: Some(FileDigest([1; 32])),
            corrupt_symbols: 1,
            ..SinkStats::default()
        };
        let later = SinkStats {
            frames_on_time: 4,
            stall: second,
            startup: Some(second + second),
            file_complete: Some(false),
            incomplete_objects: 2,
            ..SinkStats::default()
        };
        let merged = earlier.merge(&later);
        assert_eq!((merged.frames_on_time, merged.stall), (7, second + second));
        assert_eq!((merged.startup, merged.file_complete), (Some(second), Some(true)));
        assert_eq!(merged.file_digest, Some(FileDigest([1; 32])));
        assert_eq!((merged.corrupt_symbols, merged.incomplete_objects), (1, 2));
        let merged = later.merge(&earlier);
        assert_eq!(
            (merged.file_complete, merged.file_completed_at),
            (Some(true), Some(Instant::from_nanos(5)))
        );
    }
}
