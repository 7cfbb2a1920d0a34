//! Frame-trace video: the frames of a recording, scaled to a rate.

use super::source::Due;
use super::spec::{FrameTrace, TraceFrame};
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use std::sync::Arc;

/// Yields the frames of a trace at its frame interval, over and over.
#[derive(Debug)]
pub(super) struct Video {
    trace: Arc<FrameTrace>,
    /// Frames taken so far.
    taken: u64,
    start: Instant,
    scale: Scale,
}

/// Multiplies frame sizes by a fraction so that the sum over any number of frames is exact to one byte.
///
/// Frame sizes f_1, f_2, ... become floor((f_1 + .. + f_i) * s) - floor((f_1 + .. + f_(i-1)) * s), at least
/// 1; what a minimum of 1 adds is taken back from the next frames that can spare it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    numerator: u128,
    denominator: u128,
    carried: u128,
    owed: u64,
}

/// Frames are cut at this size: beyond it, the scaled trace is nothing that a session could carry.
const FRAME_BYTES_MAX: u64 = u32::MAX as u64;

impl Video {
    pub(super) fn new(trace: &Arc<FrameTrace>, rate: BitRate, start: Instant) -> Self {
        Self { trace: Arc::clone(trace), taken: 0, start, scale: Scale::new(trace, rate) }
    }

    /// When the next frame is due: `start + i * frame_interval`.
    pub(super) fn due(&self) -> Due {
        let interval = self.trace.frame_interval.as_nanos();
        if self.trace.frames.is_empty() || interval == 0 {
            return Due::Never;
        }
        let at =
            self.taken.checked_mul(interval).and_then(|n| self.start.checked_add(Duration::from_nanos(n)));
        at.map_or(Due::Never, Due::At)
    }

    /// Moves past the next frame and returns its scaled size in bytes.
    pub(super) fn take(&mut self) -> u64 {
        let bytes = self.next_frame().bytes;
        self.taken += 1;
        self.scale.apply(bytes)
    }

    /// Whether decoding can start at the next frame; always so at the trace's first one.
    pub(super) fn at_key_frame(&self) -> bool {
        self.next_frame().key || self.taken.is_multiple_of(self.trace.frames.len() as u64)
    }

    /// Scales what follows to another mean rate.
    pub(super) fn set_rate(&mut self, rate: BitRate) {
        self.scale = Scale::new(&self.trace, rate);
    }

    fn next_frame(&self) -> TraceFrame {
        self.trace.frames[(self.taken % self.trace.frames.len() as u64) as usize]
    }
}

impl Scale {
    /// Returns the factor by which the trace's sizes reach the mean rate: rate * duration / (8 * bytes).
    fn new(trace: &FrameTrace, rate: BitRate) -> Self {
        let total: u128 = trace.frames.iter().map(|frame| u128::from(frame.bytes)).sum();
        let nanos = trace.frames.len() as u128 * u128::from(trace.frame_interval.as_nanos());
        let numerator = u128::from(rate.as_bps()).saturating_mul(nanos);
        let denominator = (total * 8_000_000_000).max(1);
        let divisor = gcd(numerator, denominator).max(1);
        Self { numerator: numerator / divisor, denominator: denominator / divisor, carried: 0, owed: 0 }
    }

    fn apply(&mut self, bytes: u32) -> u64 {
        let scaled = self.numerator.saturating_mul(u128::from(bytes)).saturating_add(self.carried);
        self.carried = scaled % self.denominator;
        let whole = u64::try_from(scaled / self.denominator).unwrap_or(u64::MAX).min(FRAME_BYTES_MAX);
        if whole == 0 {
            self.owed += 1;
            return 1;
        }
        let repaid = self.owed.min(whole - 1);
        self.owed -= repaid;
        whole - repaid
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trace of uneven frames, a key frame every `group` frames, one frame each 40 ms.
    pub(in crate::content) fn trace(frames: u32, group: u32) -> Arc<FrameTrace> {
        let frames = (0..frames)
            .map(|i| TraceFrame { bytes: 1 + (i * 7919) % 5_003, key: i.is_multiple_of(group) })
            .collect();
        Arc::new(FrameTrace { name: "made".into(), frame_interval: Duration::from_millis(40), frames })
    }

    #[test]
    fn the_mean_rate_is_exact_over_every_prefix() {
        // The sum of the sizes differs from the scaled sum of the trace by less than a byte, over many loops.
        let trace = trace(97, 12);
        for bps in [64_000, 1_000_000, 4_300_001, 20_000_000_003] {
            let mut video = Video::new(&trace, BitRate::from_bps(bps).unwrap(), Instant::ZERO);
            let per_loop = u128::from(bps) * 97 * 40_000_000;
            let of_trace: u128 = trace.frames.iter().map(|frame| u128::from(frame.bytes)).sum();
            let (mut sum, mut raw) = (0_u128, 0_u128);
            for i in 0..970 {
                raw += u128::from(trace.frames[i % 97].bytes);
                sum += u128::from(video.take());
                let exact = raw * per_loop / (of_trace * 8_000_000_000);
                assert!(sum == exact + u128::from(video.scale.owed), "{sum} against {exact} at {i}");
            }
            let mean = sum as f64 * 8.0 / (970.0 * 0.04);
            assert!((mean / bps as f64 - 1.0).abs() < 1e-5, "{mean} against {bps}");
        }
    }

    #[test]
    fn no_frame_is_empty_however_low_the_rate() {
        let mut video = Video::new(&trace(50, 10), BitRate::from_bps(1).unwrap(), Instant::ZERO);
        assert!((0..1_000).all(|_| video.take() == 1));
    }

    #[test]
    fn a_trace_without_frames_or_time_yields_nothing() {
        let rate = BitRate::from_bps(1_000).unwrap();
        let empty = FrameTrace { frames: Vec::new(), ..(*trace(1, 1)).clone() };
        assert_eq!(Video::new(&Arc::new(empty), rate, Instant::ZERO).due(), Due::Never);
        let timeless = FrameTrace { frame_interval: Duration::ZERO, ..(*trace(1, 1)).clone() };
        assert_eq!(Video::new(&Arc::new(timeless), rate, Instant::ZERO).due(), Due::Never);
    }

    #[test]
    fn frames_are_due_on_the_grid() {
        let start = Instant::from_nanos(123);
        let mut video = Video::new(&trace(3, 1), BitRate::from_bps(1_000_000).unwrap(), start);
        for i in 0..10 {
            assert_eq!(video.due(), Due::At(start + Duration::from_millis(40 * i)));
            video.take();
        }
    }
}
