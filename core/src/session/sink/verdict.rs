//! What a sink says of itself, and the end of its session.

use super::{SinkSession, SinkSessionStats};
use crate::content::SinkStats;
use crate::ids::Epoch;
use crate::io::MeasureWindow;
use crate::stats::Histogram;
use crate::time::Instant;

impl SinkSession {
    /// Returns the epoch of the packets that come, once one came.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Returns the measuring window, on the source's clock.
    #[must_use]
    pub fn measure(&self) -> MeasureWindow {
        self.measure
    }

    /// Whether a symbol of an epoch has been delivered, or can no more be.
    #[must_use]
    pub fn has(&self, epoch: Epoch, symbol: u64) -> bool {
        self.epoch.is_some_and(|known| epoch < known || epoch == known && self.window.contains(symbol))
    }

    /// Judges what is still open, at the end of the run or when the node leaves.
    pub fn finish(&mut self, now: Instant) {
        let source_now = self.source_now(now);
        if let Some(content) = &mut self.content {
            content.sink.finish(source_now);
        }
    }

    /// Notes that this node stops being a destination: what was created from now on is not for it.
    pub fn leave(&mut self, now: Instant) {
        let source_now = Instant::from_nanos(now.as_nanos().saturating_add_signed(self.clock_ahead_ns));
        self.measure.to = self.measure.to.min(source_now);
        self.finish(now);
    }

    /// Returns the lengths of the runs of consecutive measured symbols that were lost; those still inside the duplicate
    /// window are taken to be lost if they have not come by now.
    #[must_use]
    pub fn loss_run_lengths(&self) -> Histogram {
        self.loss_runs.lengths(&self.window)
    }

    /// Returns how the content did; `None` where nobody announced the session.
    #[must_use]
    pub fn content_stats(&self) -> Option<SinkStats> {
        let content = self.content.as_ref()?;
        let own = content.sink.stats();
        Some(content.earlier.map_or(own, |earlier| earlier.merge(&own)))
    }

    /// Returns what was counted, with what decoding came to.
    #[must_use]
    pub fn counted(&self) -> SinkSessionStats {
        let coded = self.coded.as_ref().map_or(self.stats.coded, |coded| coded.stats);
        SinkSessionStats { coded, ..self.stats }
    }

    /// Returns the symbol that ends an application's stream, which carries nothing else, once it came.
    #[must_use]
    pub fn stream_end(&self) -> Option<u64> {
        self.content.as_ref()?.sink.stream_end()
    }
}
