//! What was seen of a hop at earlier looks: how old figures are, and losses since then.

use super::Ages;
use crate::policy::{Figure, MeasuredBy};
use bellini_core::congestion::ControlFigures;
use bellini_core::time::{Duration, Instant};
use std::collections::VecDeque;

/// Losses are those of about so long.
const SPAN: Duration = Duration::from_secs(10);
/// Distance of the looks that are kept, at least.
const STEP: Duration = Duration::from_millis(500);
/// Distance of the looks that a rate is taken between, at least.
const JAM_STEP: Duration = Duration::from_millis(900);
/// Part of the frames that is lost where a link may be full.
const JAM_LOSS: f64 = 0.02;
/// Frames that a loss is taken from, at least.
const FRAMES_MIN: u64 = 50;

/// Receive rate, losses and round trip of a report.
type Report = (u64, u64, Option<Duration>);

/// Figures of one end, when they were last another.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The newest report.
    control: Option<(Report, Instant)>,
    hello: Option<(Duration, Instant)>,
    /// When, and how many frames and missing ones there were; the oldest may be older than [`SPAN`].
    frames: VecDeque<(Instant, u64, u64)>,
    /// Frames, missing ones and bytes that had come, at looks at least [`JAM_STEP`] apart.
    jam_at: Option<(Instant, u64, u64, u64)>,
    /// Rate at which frames last came while others were lost, and when that was.
    jam: Option<(f64, Instant)>,
    /// When frames last came.
    came_at: Option<Instant>,
    /// Round trips of the last [`SPAN`] of which none that came later was smaller, in seconds.
    rtts: VecDeque<(Instant, f64)>,
}

impl Seen {
    /// Takes in what there is now. Ages are since the look at which a figure was first as it is.
    pub(super) fn look(
        &mut self,
        now: Instant,
        control: Option<ControlFigures>,
        hello: Option<Duration>,
        (numbers, missing): (u64, u64),
        bytes: u64,
    ) -> Ages {
        self.look_for_jam(now, numbers, missing, bytes);
        let report = control.map(|control| {
            let received = control.received_bytes_per_s.unwrap_or(0.0).to_bits();
            (received, control.lost_frames, control.rtt)
        });
        if report != self.control.map(|(report, _)| report) {
            self.control = report.map(|report| (report, now));
        }
        if hello != self.hello.map(|(hello, _)| hello) {
            self.hello = hello.map(|hello| (hello, now));
        }
        let since = |at: Instant| now.saturating_since(at);
        Ages {
            control: self.control.map_or(Duration::ZERO, |(_, at)| since(at)),
            hello: self.hello.map_or(Duration::ZERO, |(_, at)| since(at)),
            loss: self.loss(now, numbers, missing),
            jam: self.jam.map(|(rate, at)| Figure {
                value: rate,
                error: None,
                age: since(at),
                by: MeasuredBy::FrameNumbers,
            }),
        }
    }

    /// Frames that come while others are lost may come as fast as the link can carry them.
    fn look_for_jam(&mut self, now: Instant, numbers: u64, missing: u64, bytes: u64) {
        let Some((at, numbers_then, missing_then, bytes_then)) = self.jam_at else {
            self.jam_at = Some((now, numbers, missing, bytes));
            return;
        };
        let elapsed = now.saturating_since(at);
        if elapsed < JAM_STEP {
            return;
        }
        self.jam_at = Some((now, numbers, missing, bytes));
        let came = numbers.saturating_sub(numbers_then);
        let lost = missing.saturating_sub(missing_then);
        if came >= FRAMES_MIN && lost as f64 > JAM_LOSS * came as f64 {
            let bits = 8.0 * bytes.saturating_sub(bytes_then) as f64;
            self.jam = Some((bits / elapsed.as_secs_f64(), now));
        }
    }

    /// Takes a round trip in; returns the least of about the last [`SPAN`], in seconds.
    pub(super) fn least_rtt(&mut self, now: Instant, rtt: f64) -> f64 {
        while self.rtts.back().is_some_and(|(_, before)| *before >= rtt) {
            self.rtts.pop_back();
        }
        self.rtts.push_back((now, rtt));
        while self.rtts.len() > 1 && self.rtts.front().is_some_and(|(at, _)| now.saturating_since(*at) > SPAN)
        {
            self.rtts.pop_front();
        }
        self.rtts.front().map_or(rtt, |(_, least)| *least)
    }

    fn loss(&mut self, now: Instant, numbers: u64, missing: u64) -> Option<Figure> {
        if self.frames.back().is_some_and(|(_, before, _)| numbers < *before) {
            // The node has started anew.
            self.frames.clear();
        }
        if self.frames.back().is_none_or(|(_, before, _)| numbers > *before) {
            self.came_at = Some(now);
        }
        // A span without frames keeps the losses of the one before, which grow old.
        let is_due = self
            .frames
            .back()
            .is_none_or(|(at, before, _)| numbers > *before && now.saturating_since(*at) >= STEP);
        let oldest = *self.frames.front().unwrap_or(&(now, numbers, missing));
        if is_due {
            self.frames.push_back((now, numbers, missing));
            while self.frames.get(1).is_some_and(|(at, ..)| now.saturating_since(*at) >= SPAN) {
                self.frames.pop_front();
            }
        }
        let came = numbers.saturating_sub(oldest.1);
        if came < FRAMES_MIN {
            return None;
        }
        let value = (missing.saturating_sub(oldest.2) as f64 / came as f64).min(1.0);
        // No loss among n is no proof of none.
        let error = (value * (1.0 - value) / came as f64).sqrt().max(0.5 / came as f64);
        let age = self.came_at.map_or(Duration::ZERO, |at| now.saturating_since(at));
        Some(Figure { value, error: Some(error), age, by: MeasuredBy::FrameNumbers })
    }
}
