//! The source of a session: makes its symbols, each at its due time.

mod kind;
mod stats;

use super::adaptive::Adaptive;
use super::application::{Application, OfferFault, OfferStats};
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

pub(super) use kind::Due;
pub use stats::SourceStats;

use kind::Kind;

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

#[cfg(test)]
pub(super) mod tests;
