//! Pacing by credit (RFC 5348 section 4.6).

use crate::time::{Duration, Instant};

/// Lateness of a timer that is made up for even where there is less credit than a frame.
const LATENESS_MAX: f64 = 0.005;

/// Bytes that may go, with their fractions: a frame goes unless they are below zero, and takes them there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    bytes: f64,
    /// When `bytes` was right.
    at: Instant,
}

/// How fast credit comes, and how much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Bytes a second.
    pub(super) rate: f64,
    /// Most that may go at one moment, in seconds at the rate.
    pub(super) burst: f64,
    /// Bytes of a frame.
    pub(super) segment: f64,
}

impl Terms {
    /// Returns the most credit that is kept. The frame that takes the last of it belongs to the burst, so that is one
    /// frame less than the burst. What a late timer left unsent is kept in any case, but less than a second frame.
    fn depth(&self) -> f64 {
        let burst = self.rate * self.burst - self.segment;
        burst.max((self.rate * LATENESS_MAX).min(self.segment * 0.999))
    }
}

impl Credit {
    pub(super) const fn new(now: Instant) -> Self {
        Self { bytes: 0.0, at: now }
    }

    /// Adds what came since the last time, at `terms` that held until now.
    pub(super) fn accrue(&mut self, now: Instant, terms: Terms) {
        let came = now.saturating_since(self.at).as_secs_f64() * terms.rate;
        self.bytes = (self.bytes + came).min(terms.depth());
        self.at = self.at.max(now);
    }

    /// Takes a frame of `bytes` off.
    pub(super) fn spend(&mut self, bytes: u32) {
        self.bytes -= f64::from(bytes);
    }

    /// Returns how long a frame has to wait, if it has to: at least a nanosecond, at most until the end of `Duration`.
    pub(super) fn wait(&self, rate: f64) -> Option<Duration> {
        // A millionth of a byte is what the arithmetic may be off by; it stays on the account.
        if self.bytes > -1e-6 {
            return None;
        }
        let nanos = libm::ceil(-self.bytes / rate * 1e9);
        Some(Duration::from_nanos((nanos as u64).max(1)))
    }
}
