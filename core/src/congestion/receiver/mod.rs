//! The receiver of a hop's direction: finds losses, measures, and says when to report (RFC 5348 sections 5 and 6).

mod events;
mod intervals;
mod losses;
mod rate;

use super::{CongestionConfig, Feedback, equation};
use crate::time::{Duration, Instant};
use losses::{Arrival, Losses};
use rate::ReceiveRate;

/// A frame that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameArrival {
    /// Its number. Every frame has one of its own, so that a hole means a loss.
    pub number: u64,
    /// Its bytes, without what is below the frame.
    pub bytes: u32,
    /// When it was sent, by the sender's clock, in microseconds modulo 2^32.
    pub timestamp_us: u32,
    /// Round-trip time as the sender has it, in microseconds; 0 while it has none.
    pub rtt_us: u32,
    /// Whether packets are in it. Only such frames bring reports about: else two ends would report about reports
    /// for ever.
    pub carries_packet: bool,
}

/// The receiver: the same for every controller.
///
/// It takes any numbers and times from the peer: nothing loops or grows with them.
#[derive(Clone, Debug)]
pub struct Receiver {
    config: CongestionConfig,
    losses: Losses,
    rate: ReceiveRate,
    /// The round trip by the frame with the highest number (`R_m`); zero while there is none.
    rtt: Duration,
    /// The one by which the running report interval began (`R_(m-1)`).
    interval_rtt: Duration,
    /// Timestamp of the frame with the highest number.
    echo_us: u32,
    frames: u64,
    /// Feedback timer.
    timer: Option<Instant>,
    /// Whether a frame with packets came since the last report.
    has_news: bool,
    /// Whether the feedback timer last expired without news: the next frame is reported at once.
    expired_quiet: bool,
    /// Whether a loss event began that no report was considered for.
    has_event: bool,
    /// Loss event rate and highest receive rate so far.
    reported_loss: f64,
    rate_max: u64,
    /// Rate and loss event rate of the report that is due.
    due: Option<(u64, f64)>,
    /// Since when one is due.
    due_since: Instant,
}

impl Receiver {
    /// Returns the receiver of a connection that has not begun.
    #[must_use]
    pub fn new(config: CongestionConfig) -> Self {
        Self {
            config,
            losses: Losses::new(config.discounting),
            rate: ReceiveRate::new(),
            rtt: Duration::ZERO,
            interval_rtt: Duration::ZERO,
            echo_us: 0,
            frames: 0,
            timer: None,
            has_news: false,
            expired_quiet: false,
            has_event: false,
            reported_loss: 0.0,
            rate_max: 0,
            due: None,
            due_since: Instant::ZERO,
        }
    }

    /// A new connection begins: everything is forgotten.
    pub fn reset(&mut self) {
        let config = self.config;
        let mut losses = core::mem::replace(&mut self.losses, Losses::new(config.discounting));
        losses.reset(config.discounting);
        *self = Self { losses, ..Self::new(config) };
    }

    /// The peer's first frame of the connection will carry `number`. Without this, frames that are lost before the
    /// first that arrives go unseen.
    pub fn starts_at(&mut self, number: u64) {
        self.losses.starts_at(number);
    }

    /// A frame arrived. Duplicates, and frames that are later than what is remembered, change nothing.
    pub fn on_frame(&mut self, now: Instant, frame: FrameArrival) {
        let is_highest = self.losses.highest().is_none_or(|highest| frame.number > highest);
        if is_highest && frame.rtt_us > 0 {
            self.rtt = Duration::from_micros(u64::from(frame.rtt_us));
        }
        let (rate, rate_max) = (&self.rate, self.rate_max);
        let (rtt, interval_rtt, frames) = (self.rtt, self.interval_rtt, self.frames);
        let first_interval = |is_very_first| {
            let rate_max = if is_very_first { 0 } else { rate_max.max(rate.measure(now, interval_rtt)) };
            first_interval(rate_max, rate.bytes(), frames, rtt)
        };
        let (arrival, is_event) = self.losses.on_frame(now, frame.number, self.rtt, first_interval);
        if arrival == Arrival::Known {
            return;
        }
        if is_highest {
            self.echo_us = frame.timestamp_us;
        }
        if self.expired_quiet {
            // Nothing came until now: the rate is taken from here on.
            self.rate.mark(now, self.interval_rtt);
        }
        self.frames = self.frames.saturating_add(1);
        self.rate.on_bytes(frame.bytes);
        self.has_event |= is_event;
        if frame.carries_packet {
            self.has_news = true;
            // A loss that was none slows the sender down until it hears of that.
            self.consider(now, is_event && arrival == Arrival::Late);
        }
    }

    /// Reports at once where a frame with packets asks for it (section 6.1).
    fn consider(&mut self, now: Instant, is_taken_back: bool) {
        let is_first = self.interval_rtt.is_zero();
        let is_worse =
            core::mem::take(&mut self.has_event) && self.losses.loss_event_rate() > self.reported_loss;
        if is_first || self.expired_quiet || is_worse || is_taken_back {
            self.expire(now);
        }
    }

    /// The feedback timer expires, in time or ahead of it, with news (section 6.2).
    fn expire(&mut self, now: Instant) {
        // Before the first report there is nothing to measure over.
        let rate = self.rate.measure(now, self.interval_rtt);
        let loss = self.losses.loss_event_rate();
        self.rate_max = self.rate_max.max(rate);
        self.reported_loss = loss;
        if self.due.is_none() {
            self.due_since = now;
        }
        self.due = Some((rate, loss));
        self.has_news = false;
        self.expired_quiet = false;
        self.interval_rtt = self.rtt;
        self.rate.mark(now, self.rtt);
        let per_rtt = u64::from(self.config.feedbacks_per_rtt.max(1));
        let wait = Duration::from_nanos(self.rtt.as_nanos() / per_rtt);
        // Without a round trip each frame is reported, and no timer needed.
        self.timer = if wait.is_zero() { None } else { now.checked_add(wait) };
    }

    /// The time of [`Receiver::deadline`] has come. Early and repeated calls do nothing.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.timer.is_none_or(|at| at > now) {
            return;
        }
        if self.has_news {
            self.expire(now);
        } else {
            // The RFC runs the timer on. All that its next expiries would do is to leave this as it is.
            self.timer = None;
            self.expired_quiet = true;
            self.rate.mark(now, self.interval_rtt);
        }
    }

    /// Returns when the receiver wants [`Receiver::on_timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timer
    }

    /// Whether a report is due.
    #[inline]
    #[must_use]
    pub fn has_feedback(&self) -> bool {
        self.due.is_some()
    }

    /// Returns since when a report is due, if one is.
    #[inline]
    #[must_use]
    pub fn feedback_since(&self) -> Option<Instant> {
        self.due.map(|_| self.due_since)
    }

    /// Returns the report that is due, as of now.
    pub fn poll_feedback(&mut self, now: Instant) -> Option<Feedback> {
        let (received_bytes_per_s, loss_event_rate) = self.due.take()?;
        let held = now.saturating_since(self.losses.highest_at()).as_nanos() / 1_000;
        Some(Feedback {
            echo_us: self.echo_us,
            held_us: u32::try_from(held).unwrap_or(u32::MAX),
            received_bytes_per_s,
            loss_event_rate,
            highest: self.losses.highest().unwrap_or(0),
            frames: self.frames,
            bytes: self.rate.bytes(),
            lost: self.losses.lost(),
        })
    }
}

/// Least target for the interval before the first loss event, in segments per round trip.
const FIRST_TARGET_MIN: f64 = 0.5;

/// Returns the length in frames of the interval before the first loss event (section 6.3.1): the one that would make
/// the equation allow the highest rate at which frames arrived.
fn first_interval(rate_max: u64, bytes: u64, frames: u64, rtt: Duration) -> f64 {
    let segment = bytes as f64 / frames.max(1) as f64;
    let target = if segment > 0.0 { rate_max as f64 * rtt.as_secs_f64() / segment } else { 0.0 };
    1.0 / equation::loss_event_rate(target.max(FIRST_TARGET_MIN))
}

#[cfg(test)]
mod tests;
