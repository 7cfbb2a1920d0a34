//! Players: decide which frames are shown when, from the times at which they were complete.
//!
//! Frames are judged alone: a frame that came is shown even if the key frame before it was lost. What a
//! decoder would make of that depends on the codec, which a trace of sizes does not tell.

mod live;
mod stream;

pub(super) use live::LivePlayer;
pub(super) use stream::StreamPlayer;

use super::sink::SinkContext;
use crate::time::Instant;

/// A frame's number and when it was created.
#[derive(Clone, Copy, Debug)]
struct Frame {
    object: u32,
    timestamp: Instant,
}

/// The timestamps of frames that are judged.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    /// Exclusive: the end of the measuring window or of the session, whichever is first.
    to: Instant,
}

impl Window {
    fn new(context: &SinkContext) -> Self {
        let to = context.measure_to.min(context.stop);
        Self { from: context.measure_from.max(context.start).min(to), to }
    }

    fn contains(&self, timestamp: Instant) -> bool {
        timestamp >= self.from && timestamp < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::{Arrival, SinkContext};
    use super::super::source::tests::context;
    use crate::time::{Duration, Instant};

    /// The session of the source tests (seconds 2 to 12), all of it measured.
    pub(super) fn sink_context() -> SinkContext {
        let context = context();
        SinkContext {
            key: context.key,
            seed: context.seed,
            symbol_bytes: 1_200,
            start: context.start,
            stop: context.stop,
            measure_from: context.start,
            measure_to: context.stop,
            verify: false,
        }
    }

    pub(super) const INTERVAL: Duration = Duration::from_millis(40);

    /// When frame `object` is created.
    pub(super) fn created(object: u32) -> Instant {
        context().start + INTERVAL.saturating_mul(u64::from(object))
    }

    /// The only symbol of frame `object`.
    pub(super) fn frame(object: u32) -> Arrival {
        Arrival { symbol: 0, object, index: 0, count: 1, len: 1, timestamp: created(object) }
    }
}
