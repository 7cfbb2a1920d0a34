//! When objects are created, and how large they are, for each kind of content.

use crate::content::source::SourceContext;
use crate::content::spec::{Content, FrameTrace, Period, SizeDistribution};
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use std::sync::Arc;

/// Least distance of two steps down of an adaptive source: one overflow episode counts once.
const STEP_DOWN_INTERVAL: Duration = Duration::from_secs(1);

/// One object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) created: Instant,
    pub(super) bytes: u64,
}

/// Makes the objects of a session, one after the other.
#[derive(Debug)]
pub(super) enum Objects {
    Constant { start: Instant, bytes: u64, rate: BitRate, next: u64 },
    Video(Video),
    Messages { stream: Box<Stream>, at: Instant, mean_interval: Duration, size: SizeDistribution },
    OnOff { stream: Option<Box<Stream>>, bytes: u64, rate: BitRate, on: Period, off: Period, phase: OnPhase },
}

/// Where an on-off source is.
#[derive(Debug)]
pub(super) struct OnPhase {
    begin: Instant,
    end: Instant,
    sent: u64,
}

impl Objects {
    /// Returns the objects of `content`; files are made elsewhere.
    pub(super) fn new(content: &Content, context: &SourceContext) -> Option<Self> {
        let start = context.start;
        let bytes = u64::from(context.symbol_bytes);
        let stream = |purpose: &str| {
            let SourceContext { key, epoch, .. } = context;
            Box::new(context.seed.stream(&format!("session:{key}:{epoch}:{purpose}")))
        };
        Some(match content {
            Content::Constant { rate, phase } => {
                Self::Constant { start: start + *phase, bytes, rate: *rate, next: 0 }
            }
            Content::Video { trace, rate, .. } => {
                Self::Video(Video::new(Arc::clone(trace), start, vec![*rate], 0, None))
            }
            Content::Adaptive { trace, ladder, initial, up_after, .. } => {
                Self::Video(Video::new(Arc::clone(trace), start, ladder.clone(), *initial, Some(*up_after)))
            }
            Content::Messages { mean_interval, size, .. } => Self::Messages {
                stream: stream("arrivals"),
                at: start,
                mean_interval: *mean_interval,
                size: *size,
            },
            Content::OnOff { rate, on, off } => {
                let drawn = [on, off].iter().any(|period| matches!(period, Period::Exponential(_)));
                let mut stream = drawn.then(|| stream("periods"));
                let phase = OnPhase { begin: start, end: start + length(*on, &mut stream), sent: 0 };
                Self::OnOff { stream, bytes, rate: *rate, on: *on, off: *off, phase }
            }
            Content::File { .. } => return None,
        })
    }

    /// Returns the next object.
    pub(super) fn next(&mut self) -> Object {
        match self {
            Self::Constant { start, bytes, rate, next } => {
                let created = *start + after(*rate, *bytes, *next);
                *next += 1;
                Object { created, bytes: *bytes }
            }
            Self::Video(video) => video.next(),
            Self::Messages { stream, at, mean_interval, size } => {
                *at += stream.exponential_span(*mean_interval);
                Object { created: *at, bytes: draw_size(*size, stream) }
            }
            Self::OnOff { stream, bytes, rate, on, off, phase } => loop {
                let created = phase.begin + after(*rate, *bytes, phase.sent);
                if created < phase.end {
                    phase.sent += 1;
                    return Object { created, bytes: *bytes };
                }
                let begin = phase.end + length(*off, stream);
                // A period never has no length at all, so that the loop moves on.
                *phase = OnPhase { begin, end: begin + length(*on, stream), sent: 0 };
            },
        }
    }

    /// Notes that an overflow notice reached the source.
    pub(super) fn on_overflow(&mut self, now: Instant) {
        if let Self::Video(video) = self {
            video.on_overflow(now);
        }
    }

    /// Returns the ladder's level and how often it changed, for adaptive video.
    pub(super) fn level(&self) -> Option<(usize, u64)> {
        match self {
            Self::Video(video) if video.up_after.is_some() => Some((video.level, video.level_changes)),
            _ => None,
        }
    }
}

/// Returns when the `n`-th object of `bytes` bytes is due at `rate`: n bytes 8 / rate, rounded down to nanoseconds.
pub(super) fn after(rate: BitRate, bytes: u64, n: u64) -> Duration {
    let bits = u128::from(n) * u128::from(bytes) * 8;
    Duration::from_nanos((bits * 1_000_000_000 / u128::from(rate.as_bps())) as u64)
}

fn length(period: Period, stream: &mut Option<Box<Stream>>) -> Duration {
    let drawn = match (period, stream) {
        (Period::Exponential(mean), Some(stream)) => stream.exponential_span(mean),
        (Period::Fixed(length) | Period::Exponential(length), _) => length,
    };
    drawn.max(Duration::from_nanos(1))
}

/// Draws a size of at least one byte.
fn draw_size(size: SizeDistribution, stream: &mut Stream) -> u64 {
    let (drawn, max) = match size {
        SizeDistribution::Fixed(bytes) => (bytes, bytes),
        SizeDistribution::Uniform { min, max } => (min + stream.below(max - min + 1), max),
        SizeDistribution::Exponential { mean, max } => ((stream.exponential(mean as f64) + 0.5) as u64, max),
        SizeDistribution::LogNormal { median, sigma, max } => {
            ((median as f64 * libm::exp(sigma * stream.normal()) + 0.5) as u64, max)
        }
    };
    drawn.min(max).max(1)
}

/// Frames of a trace, scaled to the rate of a ladder's level.
#[derive(Debug)]
pub(super) struct Video {
    trace: Arc<FrameTrace>,
    start: Instant,
    ladder: Vec<BitRate>,
    level: usize,
    /// `None`: the rate is fixed.
    up_after: Option<Duration>,
    level_changes: u64,
    /// Where the level goes at the next key frame.
    wanted: usize,
    changed_at: Instant,
    overflow_at: Option<Instant>,
    trace_bytes: u128,
    next: u64,
    /// Bytes that rounding owes the next frame, times the divisor of [`Video::scaled`].
    owed: u128,
}

impl Video {
    fn new(
        trace: Arc<FrameTrace>,
        start: Instant,
        ladder: Vec<BitRate>,
        level: usize,
        up_after: Option<Duration>,
    ) -> Self {
        let trace_bytes = trace.frames.iter().map(|frame| u128::from(frame.bytes)).sum();
        let level = level.min(ladder.len().saturating_sub(1));
        Self {
            trace,
            start,
            ladder,
            level,
            up_after,
            level_changes: 0,
            wanted: level,
            changed_at: start,
            overflow_at: None,
            trace_bytes,
            next: 0,
            owed: 0,
        }
    }

    fn next(&mut self) -> Object {
        let interval = self.trace.frame_interval;
        let created = self.start + interval.saturating_mul(self.next);
        let frame = self.trace.frames[(self.next % self.trace.frames.len() as u64) as usize];
        if frame.key {
            self.choose_level(created);
        }
        self.next += 1;
        Object { created, bytes: self.scaled(frame.bytes) }
    }

    /// Scales a frame such that the mean over the trace is the level's rate; what rounding cuts off goes to the
    /// next frame, so that the mean is exact.
    fn scaled(&mut self, bytes: u32) -> u64 {
        // bytes * rate * trace duration / (8 * trace bytes), durations in nanoseconds.
        let duration = u128::from(self.trace.frame_interval.as_nanos()) * self.trace.frames.len() as u128;
        let rate = u128::from(self.ladder[self.level].as_bps());
        let divisor = self.trace_bytes * 8 * 1_000_000_000;
        let total = u128::from(bytes) * rate * duration + self.owed;
        self.owed = total % divisor;
        ((total / divisor) as u64).max(1)
    }

    fn choose_level(&mut self, now: Instant) {
        let Some(up_after) = self.up_after else { return };
        let quiet_since = self.overflow_at.map_or(self.changed_at, |at| at.max(self.changed_at));
        if self.wanted >= self.level && now.saturating_since(quiet_since) >= up_after {
            self.wanted = (self.level + 1).min(self.ladder.len() - 1);
        }
        if self.wanted != self.level {
            self.level = self.wanted;
            self.level_changes += 1;
            self.changed_at = now;
            self.owed = 0;
        }
    }

    fn on_overflow(&mut self, now: Instant) {
        if self.up_after.is_none() {
            return;
        }
        if self.overflow_at.is_none_or(|at| now.saturating_since(at) >= STEP_DOWN_INTERVAL) {
            self.wanted = self.level.min(self.wanted).saturating_sub(1);
        }
        self.overflow_at = Some(now);
    }
}
