//! The source of a session: makes its symbols, each at its due time.

use super::adaptive::Adaptive;
use super::application::{Application, OfferFault, OfferStats};
use super::digest::FileDigest;
use super::file::FileSource;
use super::messages::Messages;
use super::onoff::OnOff;
use super::pacing::Pacer;
use super::spec::Content;
use super::video::Video;
use crate::feeder::Lane;
use crate::ids::SessionKey;
use crate::payload::{self, Payload, Synthetic};
use crate::rng::Seed;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// One unit of content, as its source makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// Counts the symbols of this session epoch: 0, 1, 2, ...
    pub id: u64,
    /// The frame, message or file that it is a part of (modulo 2^32 where a symbol is an object of its own).
    pub object: u32,
    /// Its place within the object.
    pub index: u32,
    /// How many symbols the object has, at least 1.
    pub count: u32,
    /// Length of the payload in bytes, at least 1.
    pub len: u32,
    /// When the content came into being: its due time, however late the source was polled.
    pub timestamp: Instant,
    /// Real bytes for files, a description for everything else.
    pub payload: Payload,
}

/// What a source has to say when it is polled.
#[derive(Clone, Debug, PartialEq)]
pub enum SourcePoll {
    /// A symbol that was due; there may be more.
    Symbol(Symbol),
    /// Nothing is due before this instant, which lies after the time of the poll.
    WaitUntil(Instant),
    /// There will be no more.
    Finished,
}

/// What a source has to know about its session.
#[derive(Clone, Copy, Debug)]
pub struct SourceContext {
    /// The session.
    pub key: SessionKey,
    /// How often the source was restarted; names the random streams.
    pub epoch: u16,
    /// Root seed of the run.
    pub seed: Seed,
    /// Largest payload of one symbol in bytes, at least 1.
    pub symbol_bytes: u32,
    /// When the content begins, on the source's clock.
    pub start: Instant,
    /// Symbols whose timestamp would be this or later are never made.
    pub stop: Instant,
    /// Symbols with a timestamp from here on are counted as measured.
    pub measure_from: Instant,
    /// Symbols with this timestamp or a later one are not counted as measured.
    pub measure_to: Instant,
}

/// What the first hops of a session let it send, where their transports know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Grant {
    /// Payload rate in bits per second that no first hop would hold back; `None` while none has met its limit.
    pub bits_per_s: Option<f64>,
    /// Bytes of the session's conference that wait in the fullest of these hops' feeders.
    pub backlog_bytes: u64,
}

/// Counts of what a source made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStats {
    /// Symbols yielded.
    pub symbols: u64,
    /// Payload bytes yielded.
    pub bytes: u64,
    /// Objects begun: frames, messages, files; for constant and on-off content symbols.
    pub objects: u64,
    /// Symbols whose timestamp lies in the measuring window.
    pub measured_symbols: u64,
    /// Payload bytes of those.
    pub measured_bytes: u64,
    /// Objects whose timestamp lies in the measuring window (a file's is that of its first symbol).
    pub measured_objects: u64,
    /// Current level of the ladder; `None` for content without one.
    pub level: Option<usize>,
    /// How often the level changed.
    pub level_changes: u64,
    /// What identifies the bytes of the file, once all of it was yielded.
    pub file_digest: Option<FileDigest>,
}

/// Makes the symbols of one session.
///
/// The node polls it when the session may send. A source that is polled late yields what was due, in order,
/// with the timestamps of timely polls; only a file without a rate takes the time of the poll as its
/// timestamp.
#[derive(Debug)]
pub struct Source {
    context: SourceContext,
    kind: Kind,
    lane: Lane,
    /// The object that is being cut into symbols.
    open: Cut,
    objects_begun: u32,
    stats: SourceStats,
}

#[derive(Debug)]
enum Kind {
    Constant(Pacer),
    Video(Video),
    /// In a box: it is twice as large as the others.
    Adaptive(Box<Adaptive>),
    Messages(Messages),
    File(FileSource),
    OnOff(OnOff),
    Application(Box<Application>),
}

/// When the next object of a generator is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// At this instant, in the past or the future.
    At(Instant),
    /// Not before this instant; ask again then.
    NotBefore(Instant),
    /// There is no further one within representable time.
    Never,
}

/// An object of which some symbols were yielded.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    index: u32,
    count: u32,
    bytes_left: u64,
    timestamp: Instant,
}

impl Source {
    /// Creates the source of a session with that content; the first symbol has id 0.
    ///
    /// # Panics
    /// If `context.symbol_bytes` is zero.
    #[must_use]
    pub fn new(content: &Content, context: SourceContext) -> Self {
        assert!(context.symbol_bytes > 0, "a symbol has at least one byte");
        let SourceContext { start, symbol_bytes, .. } = context;
        let kind = match content {
            Content::Constant { rate, phase } => {
                Kind::Constant(Pacer::new(*rate, symbol_bytes).after(start).after_span(*phase))
            }
            Content::Video { trace, rate, .. } => Kind::Video(Video::new(trace, *rate, start)),
            Content::Adaptive { trace, ladder, initial, up_after, .. } => {
                Kind::Adaptive(Box::new(Adaptive::new(trace, ladder, *initial, *up_after, start)))
            }
            Content::Messages { mean_interval, size, .. } => {
                Kind::Messages(Messages::new(*mean_interval, *size, &context))
            }
            Content::File { bytes, rate } => Kind::File(FileSource::new(*bytes, *rate, &context)),
            Content::OnOff { rate, on, off } => Kind::OnOff(OnOff::new(*rate, *on, *off, &context)),
            Content::Application { unit, bytes_max } => {
                Kind::Application(Box::new(Application::new(*unit, *bytes_max)))
            }
        };
        let stats = SourceStats { level: kind.level(), ..SourceStats::default() };
        Self { context, kind, lane: content.lane(), open: Cut::default(), objects_begun: 0, stats }
    }

    /// Returns the next symbol if it was due at or before `now`, or says when to ask again.
    pub fn poll(&mut self, now: Instant) -> SourcePoll {
        if let Kind::File(file) = &mut self.kind {
            let polled = file.poll(now, &self.context);
            // What is made again is counted once.
            if let SourcePoll::Symbol(symbol) = &polled
                && symbol.id >= self.stats.symbols
            {
                self.stats.count(symbol, &self.context);
            }
            return polled;
        }
        if let Kind::Application(application) = &mut self.kind {
            let polled = application.poll(now, self.stats.symbols, &self.context);
            if let SourcePoll::Symbol(symbol) = &polled {
                self.stats.count(symbol, &self.context);
            }
            return polled;
        }
        if self.open.bytes_left == 0 {
            let at = match self.kind.due(now) {
                Due::At(at) | Due::NotBefore(at) if at >= self.context.stop => return SourcePoll::Finished,
                Due::At(at) if at <= now => at,
                Due::At(at) | Due::NotBefore(at) => return SourcePoll::WaitUntil(at),
                Due::Never => return SourcePoll::Finished,
            };
            let symbol_bytes = u64::from(self.context.symbol_bytes);
            let bytes = self.kind.take(at, symbol_bytes);
            self.open = Cut {
                index: 0,
                count: u32::try_from(bytes.div_ceil(symbol_bytes)).expect("generators bound their objects"),
                bytes_left: bytes,
                timestamp: at,
            };
            self.objects_begun = self.objects_begun.wrapping_add(1);
        }
        let symbol = self.cut();
        self.stats.count(&symbol, &self.context);
        SourcePoll::Symbol(symbol)
    }

    /// Returns the payload of a symbol that was made before: content is a pure function of the symbol, so that nothing
    /// has to be kept to send it again.
    #[must_use]
    pub fn payload_again(&self, symbol: u64, len: u32) -> Payload {
        let what = Synthetic { key: self.context.key, symbol, offset: 0, len };
        if let Kind::Application(application) = &self.kind
            && let Some(bytes) = application.again(symbol)
        {
            return Payload::Bytes(bytes);
        }
        if matches!(self.kind, Kind::File(_)) {
            let mut bytes = bytes::BytesMut::zeroed(len as usize);
            payload::fill(self.context.seed, what, &mut bytes);
            return Payload::Bytes(bytes.freeze());
        }
        Payload::Synthetic(what)
    }

    /// Lets a file begin again with its first symbol, for a destination that came late or forgot what it had; other
    /// content goes on as it is. Returns whether it begins again.
    pub fn rewind(&mut self) -> bool {
        let Kind::File(file) = &mut self.kind else { return false };
        file.rewind();
        true
    }

    /// Takes what an application has brought.
    ///
    /// # Errors
    /// When the content is not an application's, or there is no room; [`OfferFault`] says which.
    pub fn offer(&mut self, now: Instant, data: bytes::Bytes) -> Result<(), OfferFault> {
        let Kind::Application(application) = &mut self.kind else { return Err(OfferFault::NotAnApplication) };
        application.offer(now, data, self.context.symbol_bytes)
    }

    /// The application brings nothing more.
    pub fn end_offers(&mut self) {
        if let Kind::Application(application) = &mut self.kind {
            application.end();
        }
    }

    /// Returns the bytes that an application may bring now; `None`: its content is not an application's.
    #[must_use]
    pub fn offer_room(&self) -> Option<usize> {
        if let Kind::Application(application) = &self.kind { Some(application.room()) } else { None }
    }

    /// Returns what an application brought; `None`: its content is not an application's.
    #[must_use]
    pub fn offer_stats(&self) -> Option<OfferStats> {
        if let Kind::Application(application) = &self.kind { Some(application.stats) } else { None }
    }

    /// Nothing below symbol `base` will be asked for again.
    pub fn release(&mut self, base: u64) {
        if let Kind::Application(application) = &mut self.kind {
            application.release(base);
        }
    }

    /// Returns the feeder lane for the symbols.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether there is always a next symbol (a file without a rate): the node then polls only while the
    /// feeder has room.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        matches!(&self.kind, Kind::File(file) if file.is_greedy())
    }

    /// Tells the source that some feeder on the way dropped packets of the session. Adaptive content goes one
    /// level down at the next key frame, one level a second at most; other kinds do nothing.
    pub fn on_overflow(&mut self, now: Instant) {
        if let Kind::Adaptive(adaptive) = &mut self.kind {
            adaptive.on_overflow(now);
        }
    }

    /// Whether an object is due for which the source wants to know its [`Grant`]: a frame of adaptive content.
    #[inline]
    #[must_use]
    pub fn wants_grant(&self, now: Instant) -> bool {
        let Kind::Adaptive(adaptive) = &self.kind else { return false };
        self.open.bytes_left == 0 && matches!(adaptive.due(), Due::At(at) if at <= now)
    }

    /// Tells the source what its session's first hops grant, before the poll that takes the object. Without it
    /// adaptive content goes by overflow notices alone; other kinds do nothing.
    pub fn on_grant(&mut self, now: Instant, grant: Grant) {
        if let Kind::Adaptive(adaptive) = &mut self.kind {
            adaptive.on_grant(now, grant);
        }
    }

    /// Returns the largest payload of one symbol in bytes.
    #[must_use]
    pub fn symbol_bytes(&self) -> u32 {
        self.context.symbol_bytes
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn stats(&self) -> SourceStats {
        let file_digest = if let Kind::File(file) = &self.kind { file.digest() } else { None };
        let (level, level_changes) = (self.kind.level(), self.kind.level_changes());
        SourceStats { level, level_changes, file_digest, ..self.stats }
    }

    /// Takes the next symbol from the open object, which has bytes left.
    fn cut(&mut self) -> Symbol {
        let open = &mut self.open;
        let len = open.bytes_left.min(u64::from(self.context.symbol_bytes)) as u32;
        let id = self.stats.symbols;
        let payload = Payload::Synthetic(Synthetic { key: self.context.key, symbol: id, offset: 0, len });
        let (index, count, timestamp) = (open.index, open.count, open.timestamp);
        open.index += 1;
        open.bytes_left -= u64::from(len);
        Symbol { id, object: self.objects_begun.wrapping_sub(1), index, count, len, timestamp, payload }
    }
}

impl Kind {
    fn due(&mut self, now: Instant) -> Due {
        match self {
            Self::Constant(pacer) => pacer.due(),
            Self::Video(video) => video.due(),
            Self::Adaptive(adaptive) => adaptive.due(),
            Self::Messages(messages) => messages.due(),
            Self::OnOff(onoff) => onoff.due(now),
            // They say themselves what is due.
            Self::File(_) | Self::Application(_) => Due::Never,
        }
    }

    /// Moves past the object that is due at `at` and returns its bytes, at least 1.
    fn take(&mut self, at: Instant, symbol_bytes: u64) -> u64 {
        match self {
            Self::Constant(pacer) => {
                pacer.advance();
                symbol_bytes
            }
            Self::Video(video) => video.take(),
            Self::Adaptive(adaptive) => adaptive.take(at),
            Self::Messages(messages) => messages.take(symbol_bytes),
            Self::OnOff(onoff) => {
                onoff.take();
                symbol_bytes
            }
            Self::File(_) | Self::Application(_) => unreachable!("they cut their own symbols"),
        }
    }

    fn level(&self) -> Option<usize> {
        if let Self::Adaptive(adaptive) = self { Some(adaptive.level()) } else { None }
    }

    fn level_changes(&self) -> u64 {
        if let Self::Adaptive(adaptive) = self { adaptive.level_changes() } else { 0 }
    }
}

impl SourceStats {
    fn count(&mut self, symbol: &Symbol, context: &SourceContext) {
        let measured = symbol.timestamp >= context.measure_from && symbol.timestamp < context.measure_to;
        let (len, begins) = (u64::from(symbol.len), u64::from(symbol.index == 0));
        self.symbols += 1;
        self.bytes += len;
        self.objects += begins;
        if measured {
            self.measured_symbols += 1;
            self.measured_bytes += len;
            self.measured_objects += begins;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::spec::{Period, Playout, PlayoutMode, SizeDistribution};
    use super::super::video::tests::trace;
    use super::*;
    use crate::time::Duration;
    use crate::units::BitRate;

    /// A session of ten seconds from second 2 on, measured in its seconds 3 to 6.
    pub(in crate::content) fn context() -> SourceContext {
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        SourceContext {
            key: SessionKey::new(3, 7),
            epoch: 0,
            seed: Seed(42),
            symbol_bytes: 1_200,
            start: at(2),
            stop: at(12),
            measure_from: at(5),
            measure_to: at(8),
        }
    }

    /// Polls a new source exactly when it asks for it, to its end.
    pub(in crate::content) fn collect(content: &Content, context: SourceContext) -> Vec<Symbol> {
        let mut source = Source::new(content, context);
        let mut now = Instant::ZERO;
        let mut symbols = Vec::new();
        loop {
            match source.poll(now) {
                SourcePoll::Symbol(symbol) => symbols.push(symbol),
                SourcePoll::WaitUntil(at) => {
                    assert!(at > now, "a source that waits for the past would be polled for ever");
                    now = at;
                }
                SourcePoll::Finished => return symbols,
            }
        }
    }

    /// One content of each kind with a time base.
    pub(in crate::content) fn kinds() -> Vec<Content> {
        let rate = |bps| BitRate::from_bps(bps).unwrap();
        let playout = Playout { delay: Duration::from_millis(200), mode: PlayoutMode::Live };
        let deadline = Duration::from_secs(1);
        vec![
            Content::Constant { rate: rate(3_333_333), phase: Duration::from_micros(77) },
            Content::Video { trace: trace(97, 12), rate: rate(2_000_000), playout },
            Content::Adaptive {
                trace: trace(97, 12),
                ladder: vec![rate(300_000), rate(750_000), rate(1_200_000)],
                initial: 0,
                up_after: Duration::from_secs(2),
                playout,
            },
            Content::Messages {
                mean_interval: Duration::from_millis(20),
                size: SizeDistribution::LogNormal { median: 4_000, sigma: 1.0, max: 100_000 },
                deadline,
            },
            Content::File { bytes: 1_000_000, rate: Some(rate(1_000_000)) },
            Content::OnOff {
                rate: rate(5_000_000),
                on: Period::Exponential(Duration::from_millis(100)),
                off: Period::Fixed(Duration::from_millis(55)),
            },
        ]
    }

    #[test]
    fn objects_are_cut_into_consecutive_symbols() {
        for content in kinds() {
            let symbols = collect(&content, context());
            assert!(symbols.len() > 100, "{content:?}");
            let mut last: Option<&Symbol> = None;
            for (i, symbol) in symbols.iter().enumerate() {
                assert_eq!(symbol.id, i as u64);
                assert_eq!(symbol.payload.len(), symbol.len as usize);
                assert!((1..=1_200).contains(&symbol.len));
                assert!(symbol.index < symbol.count);
                match last {
                    Some(last) if last.index + 1 < last.count => {
                        assert_eq!((symbol.object, symbol.index), (last.object, last.index + 1));
                        assert_eq!((symbol.count, last.len), (last.count, 1_200));
                        if !matches!(content, Content::File { .. }) {
                            assert_eq!(symbol.timestamp, last.timestamp);
                        }
                    }
                    Some(last) => assert_eq!((symbol.object, symbol.index), (last.object + 1, 0)),
                    None => assert_eq!((symbol.object, symbol.index), (0, 0)),
                }
                last = Some(symbol);
            }
        }
    }

    #[test]
    fn a_late_poll_yields_what_timely_polls_would_have() {
        // Polled at random times, sometimes seconds late, sometimes too early: the same symbols.
        let mut stream = Seed(5).stream("late");
        for content in kinds() {
            let timely = collect(&content, context());
            for mean_ms in [1, 40, 3_000] {
                let mut source = Source::new(&content, context());
                let (mut now, mut late) = (Instant::ZERO, Vec::new());
                while late.len() < timely.len() {
                    now += stream.exponential_span(Duration::from_millis(mean_ms));
                    while let SourcePoll::Symbol(symbol) = source.poll(now) {
                        assert!(symbol.timestamp <= now);
                        late.push(symbol);
                    }
                }
                assert_eq!(timely, late);
            }
        }
    }

    #[test]
    fn nothing_is_made_at_or_after_the_stop_nor_before_the_start() {
        for content in kinds() {
            let symbols = collect(&content, context());
            let (first, last) = (&symbols[0], &symbols[symbols.len() - 1]);
            assert!(first.timestamp >= context().start && last.timestamp < context().stop);
            // A stop exactly at a due time excludes it.
            let stop = symbols[symbols.len() / 2].timestamp;
            let cut = collect(&content, SourceContext { stop, ..context() });
            assert_eq!(cut.len(), symbols.iter().filter(|symbol| symbol.timestamp < stop).count());
            assert_eq!(cut, symbols[..cut.len()]);
        }
    }

    #[test]
    fn the_measuring_window_includes_its_start_and_excludes_its_end() {
        for content in kinds() {
            let symbols = collect(&content, context());
            let middle = symbols[symbols.len() / 3].timestamp;
            let end = symbols[symbols.len() / 2].timestamp;
            let context = SourceContext { measure_from: middle, measure_to: end, ..context() };
            let mut source = Source::new(&content, context);
            while let SourcePoll::Symbol(_) = source.poll(context.stop) {}
            let inside: Vec<_> = symbols.iter().filter(|s| (middle..end).contains(&s.timestamp)).collect();
            let stats = source.stats();
            assert_eq!(stats.symbols, symbols.len() as u64);
            assert_eq!(stats.bytes, symbols.iter().map(|s| u64::from(s.len)).sum::<u64>());
            assert_eq!(stats.objects, symbols.iter().filter(|s| s.index == 0).count() as u64);
            assert_eq!(stats.measured_symbols, inside.len() as u64);
            assert_eq!(stats.measured_bytes, inside.iter().map(|s| u64::from(s.len)).sum::<u64>());
            assert_eq!(stats.measured_objects, inside.iter().filter(|s| s.index == 0).count() as u64);
        }
    }

    #[test]
    fn an_epoch_repeats_its_draws_and_shares_them_with_no_other() {
        for content in kinds() {
            let of = |context| collect(&content, context);
            let drawn = matches!(content, Content::Messages { .. } | Content::OnOff { .. });
            let times = |symbols: Vec<Symbol>| symbols.iter().map(|s| s.timestamp).collect::<Vec<_>>();
            assert_eq!(of(context()), of(context()));
            let epoch = times(of(SourceContext { epoch: 1, ..context() }));
            assert_eq!(times(of(context())) != epoch, drawn, "{content:?}");
            let key = times(of(SourceContext { key: SessionKey::new(3, 8), ..context() }));
            assert_eq!(times(of(context())) != key, drawn, "{content:?}");
        }
    }

    #[test]
    fn video_makes_its_rate_and_its_frames() {
        // Ten seconds at 25 frames a second; the trace (97 frames, 3.88 s) loops.
        let mut source = Source::new(&kinds()[1], context());
        while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
        let stats = source.stats();
        assert_eq!((stats.objects, stats.measured_objects), (250, 75));
        let rate = stats.bytes as f64 * 8.0 / 10.0;
        assert!((rate / 2e6 - 1.0).abs() < 0.05, "{rate}: the last loop is cut");
    }

    #[test]
    fn an_idle_source_is_small() {
        assert!(size_of::<Source>() <= 400, "{}", size_of::<Source>());
    }
}
