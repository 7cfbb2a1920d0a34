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
mod tests;
