//! Probing a neighbour: whether it answers, how long that takes, and what rate the way to it has.
//!
//! Single probes follow RON (Andersen et al., Resilient Overlay Networks, SOSP 2001): a request, its answer, and a closing
//! answer, so that both ends know the round trip from three small frames; a request puts off the other end's own. After a
//! lost probe the next ones follow at the distance of the timeout; after [`ProbingConfig::outage`] in a row the neighbour
//! is dead until a probe is answered.
//!
//! Trains measure the rate: frames of full size that leave back to back come apart at the narrowest place of the way, and
//! the other end answers with how far. What other traffic there puts in between makes the result smaller than that
//! place's rate and larger than what is left of it (Dovrolis et al., What do packet dispersion techniques measure?,
//! INFOCOM 2001).

use crate::config::ProbingConfig;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::frame::{FRAME_HEADER_BYTES, UDP_IP_BYTES};
use crate::wire::probe::{PROBE_BYTES, ProbeFrame, ProbeKind};
use serde::{Deserialize, Serialize};

/// Outcomes of probes that the loss is taken from.
const OUTCOMES: u32 = 100;
/// Weight of a new round trip in the smoothed one.
const RTT_GAIN: f64 = 0.1;
/// Trains that the rate is the median of.
const TRAINS: usize = 3;

/// Trains in a row without an answer, the one under way included, after which there is another link than before.
pub const TRAINS_LOST: u32 = 3;

/// What became known of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeChange {
    /// It does not answer any more.
    Dead,
    /// It answers again.
    Alive,
}

/// What probes told of the way to a neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeFigures {
    /// Whether the last probes, as many as make an outage, went unanswered.
    pub is_dead: bool,
    /// Outcomes of single probes so far, answered or lost.
    pub outcomes: u64,
    /// Part of the last hundred of them that was lost.
    pub loss: f64,
    /// Smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// Mean distance of samples from it.
    pub rtt_deviation: Duration,
    /// How long ago the last outcome was known.
    pub age: Duration,
    /// Rate of the way in bit/s, by trains.
    pub rate_bps: Option<f64>,
    /// Largest distance of a train of those in use from it.
    pub rate_deviation_bps: f64,
    /// How long ago the last train was answered.
    pub rate_age: Duration,
    /// Trains sent.
    pub trains: u64,
    /// Those begun since the last that was answered, the one under way included: a full queue lets none through.
    #[serde(default)]
    pub unanswered: u32,
    /// Bytes of all probes sent there, answers included, with UDP and IP.
    pub sent_bytes: u64,
}

/// A train as it arrives.
#[derive(Clone, Copy, Debug)]
struct Arriving {
    id: u32,
    first_at: Instant,
    bytes: u32,
}

/// Both ends of probing one neighbour.
#[derive(Debug)]
pub struct Probe {
    stream: Stream,
    next_at: Instant,
    next_id: u32,
    /// The probe under way, and since when.
    asked: Option<(u32, Instant)>,
    /// The answer that waits for its closing, and since when.
    answered: Option<(u32, Instant)>,
    lost_in_row: u32,
    is_dead: bool,
    /// The last outcomes, the newest in the lowest bit: lost ones are ones.
    lost: u128,
    outcomes: u64,
    outcome_at: Instant,
    rtt_s: Option<f64>,
    rtt_deviation_s: f64,
    /// Id and rate of the last trains, the newest last.
    rates: [(u32, f64); TRAINS],
    rates_known: usize,
    rate_at: Instant,
    arriving: Option<Arriving>,
    wants_request: bool,
    /// An answer or closing that is due, and when that came which it answers.
    due: Option<(ProbeFrame, Instant)>,
    /// The train under way: its id, frames that have left, all frames.
    train: Option<(u32, u8, u8)>,
    trains: u64,
    unanswered: u32,
    sent_bytes: u64,
}

impl Probe {
    /// Begins to probe a neighbour at some moment of the first interval; `stream` is its own.
    #[must_use]
    pub fn new(now: Instant, mut stream: Stream, config: &ProbingConfig) -> Self {
        let first = Duration::from_secs_f64(config.interval.as_secs_f64() * stream.unit());
        Self {
            stream,
            next_at: now + first,
            next_id: 1,
            asked: None,
            answered: None,
            lost_in_row: 0,
            is_dead: false,
            lost: 0,
            outcomes: 0,
            outcome_at: now,
            rtt_s: None,
            rtt_deviation_s: 0.0,
            rates: [(0, 0.0); TRAINS],
            rates_known: 0,
            rate_at: now,
            arriving: None,
            wants_request: false,
            due: None,
            train: None,
            trains: 0,
            unanswered: 0,
            sent_bytes: 0,
        }
    }

    /// Whether probes of the neighbour go unanswered.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Returns the bytes of all probes that were sent, with UDP and IP.
    #[must_use]
    pub const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Returns how many trains were begun since the last that was answered, the one under way included.
    #[must_use]
    pub const fn unanswered_trains(&self) -> u32 {
        self.unanswered
    }

    /// Returns how many trains were begun.
    #[must_use]
    pub const fn trains(&self) -> u64 {
        self.trains
    }

    /// Returns when [`Self::on_timer`] is to be called; it may be called earlier.
    #[must_use]
    pub fn deadline(&self, config: &ProbingConfig) -> Instant {
        self.asked.map_or(self.next_at, |(_, at)| at + config.timeout)
    }

    /// Does what is due by time. A probe that cannot be sent, because the hop is not open, counts as lost.
    pub fn on_timer(&mut self, now: Instant, config: &ProbingConfig) -> Option<ProbeChange> {
        let mut change = None;
        if self.answered.is_some_and(|(_, at)| now >= at + config.timeout) {
            self.answered = None;
            self.note(now, true);
        }
        if self.asked.is_some_and(|(_, at)| now >= at + config.timeout) {
            self.asked = None;
            self.wants_request = false;
            self.lost_in_row = self.lost_in_row.saturating_add(1);
            self.note(now, true);
            if self.lost_in_row < config.outage {
                self.next_at = now;
            } else {
                change = (!self.is_dead).then_some(ProbeChange::Dead);
                self.is_dead = true;
                self.put_off(now, config);
            }
        }
        if self.asked.is_none() && now >= self.next_at {
            self.asked = Some((self.next_id, now));
            self.next_id = self.next_id.wrapping_add(1);
            self.wants_request = true;
        }
        change
    }

    /// A probe of the neighbour came, as `bytes` bytes with UDP and IP.
    pub fn on_frame(
        &mut self,
        now: Instant,
        frame: &ProbeFrame,
        bytes: u32,
        config: &ProbingConfig,
    ) -> Option<ProbeChange> {
        let is_single = frame.count == 1;
        let answer =
            |kind, dispersion_ns, bytes| ProbeFrame { kind, held_ns: 0, dispersion_ns, bytes, ..*frame };
        match frame.kind {
            ProbeKind::Request if is_single => {
                self.due = Some((answer(ProbeKind::Answer, 0, 0), now));
                if self.asked.is_none() && !self.is_dead {
                    self.put_off(now, config);
                }
                None
            }
            ProbeKind::Request => {
                self.on_train_frame(now, frame, bytes);
                None
            }
            ProbeKind::Answer if is_single => {
                let (_, at) = self.asked.filter(|(id, _)| *id == frame.id)?;
                self.asked = None;
                self.due = Some((answer(ProbeKind::Closing, 0, 0), now));
                self.put_off(at, config);
                self.on_round_trip(now, at, frame.held_ns)
            }
            ProbeKind::Answer => {
                self.on_train_answer(now, frame);
                None
            }
            ProbeKind::Closing => {
                let (_, at) = self.answered.take_if(|(id, _)| *id == frame.id)?;
                self.on_round_trip(now, at, frame.held_ns)
            }
        }
    }

    /// Begins a train of `frames` frames, unless one is under way.
    pub fn start_train(&mut self, frames: u8) {
        if self.train.is_none() && frames > 1 {
            self.train = Some((self.next_id, 0, frames));
            self.next_id = self.next_id.wrapping_add(1);
            self.trains += 1;
            self.unanswered = self.unanswered.saturating_add(1);
        }
    }

    /// Whether a probe is to be sent.
    #[inline]
    #[must_use]
    pub const fn has_frame(&self) -> bool {
        self.wants_request || self.due.is_some() || self.train.is_some()
    }

    /// Returns the next probe and the bytes of padding behind it; frames of trains are padded to `frame_bytes`.
    pub fn poll(&mut self, now: Instant, frame_bytes: usize) -> Option<(ProbeFrame, usize)> {
        let (frame, padding) = self.next(now, frame_bytes)?;
        self.sent_bytes += (FRAME_HEADER_BYTES + PROBE_BYTES + padding + UDP_IP_BYTES) as u64;
        Some((frame, padding))
    }

    fn next(&mut self, now: Instant, frame_bytes: usize) -> Option<(ProbeFrame, usize)> {
        if let Some((frame, came_at)) = self.due.take() {
            let held_ns = now.saturating_since(came_at).as_nanos();
            if frame.kind == ProbeKind::Answer && frame.count == 1 {
                self.answered = Some((frame.id, now));
            }
            return Some((ProbeFrame { held_ns, ..frame }, 0));
        }
        let kind = ProbeKind::Request;
        if core::mem::take(&mut self.wants_request)
            && let Some((id, at)) = &mut self.asked
        {
            *at = now;
            let request =
                ProbeFrame { kind, count: 1, index: 0, id: *id, held_ns: 0, dispersion_ns: 0, bytes: 0 };
            return Some((request, 0));
        }
        let (id, index, count) = self.train?;
        self.train = (index + 1 < count).then_some((id, index + 1, count));
        let frame = ProbeFrame { kind, count, index, id, held_ns: 0, dispersion_ns: 0, bytes: 0 };
        Some((frame, frame_bytes.saturating_sub(FRAME_HEADER_BYTES + PROBE_BYTES)))
    }

    /// Returns what is known now.
    #[must_use]
    pub fn figures(&self, now: Instant) -> ProbeFigures {
        let rate = self.rate();
        let off = |rate: f64| {
            let known = &self.rates[TRAINS - self.rates_known..];
            known.iter().map(|(_, other)| (other - rate).abs()).fold(0.0, f64::max)
        };
        let count = self.outcomes.min(u64::from(OUTCOMES));
        ProbeFigures {
            is_dead: self.is_dead,
            outcomes: self.outcomes,
            loss: if count == 0 { 0.0 } else { f64::from(self.lost.count_ones()) / count as f64 },
            rtt: self.rtt_s.map(Duration::from_secs_f64),
            rtt_deviation: Duration::from_secs_f64(self.rtt_deviation_s),
            age: now.saturating_since(self.outcome_at),
            rate_bps: rate,
            rate_deviation_bps: rate.map_or(0.0, off),
            rate_age: now.saturating_since(self.rate_at),
            trains: self.trains,
            unanswered: self.unanswered,
            sent_bytes: self.sent_bytes,
        }
    }

    /// Returns the rate of the way in bit/s, by trains: the median of the last; of two the smaller.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let mut known: Vec<f64> =
            self.rates[TRAINS - self.rates_known..].iter().map(|(_, rate)| *rate).collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len().saturating_sub(1) / 2).copied()
    }

    /// The next probe comes an interval after `at`, with its jitter.
    fn put_off(&mut self, at: Instant, config: &ProbingConfig) {
        let seconds = config.interval.as_secs_f64() * (1.0 + config.jitter * self.stream.unit());
        self.next_at = at + Duration::from_secs_f64(seconds);
    }

    fn note(&mut self, now: Instant, is_lost: bool) {
        self.lost = (self.lost << 1 | u128::from(is_lost)) & ((1 << OUTCOMES) - 1);
        self.outcomes += 1;
        self.outcome_at = now;
    }

    fn on_round_trip(&mut self, now: Instant, sent_at: Instant, held_ns: u64) -> Option<ProbeChange> {
        self.note(now, false);
        let sample = now.saturating_since(sent_at).as_nanos().saturating_sub(held_ns) as f64 * 1e-9;
        let smoothed = self.rtt_s.map_or(sample, |rtt| rtt + (sample - rtt) * RTT_GAIN);
        self.rtt_deviation_s += ((sample - smoothed).abs() - self.rtt_deviation_s) * RTT_GAIN;
        self.rtt_s = Some(smoothed);
        self.lost_in_row = 0;
        core::mem::take(&mut self.is_dead).then_some(ProbeChange::Alive)
    }

    /// The train is answered in its middle and at its end: a short queue may lose the last of it.
    fn on_train_frame(&mut self, now: Instant, frame: &ProbeFrame, bytes: u32) {
        let Some(train) = self.arriving.as_mut().filter(|train| train.id == frame.id) else {
            self.arriving = Some(Arriving { id: frame.id, first_at: now, bytes: 0 });
            return;
        };
        train.bytes = train.bytes.saturating_add(bytes);
        if frame.index == frame.count / 2 || frame.index + 1 == frame.count {
            let dispersion_ns = now.saturating_since(train.first_at).as_nanos();
            let answer = ProbeFrame {
                kind: ProbeKind::Answer,
                held_ns: 0,
                dispersion_ns,
                bytes: train.bytes,
                ..*frame
            };
            self.due = Some((answer, now));
        }
    }

    fn on_train_answer(&mut self, now: Instant, frame: &ProbeFrame) {
        if core::mem::take(&mut self.unanswered) >= TRAINS_LOST {
            // What was before says nothing any more.
            self.rates_known = 0;
        }
        // Frames that came at the same moment say nothing but that the way is fast.
        if frame.dispersion_ns == 0 || frame.bytes == 0 {
            return;
        }
        let rate = f64::from(frame.bytes) * 8e9 / frame.dispersion_ns as f64;
        let last = &mut self.rates[TRAINS - 1];
        if self.rates_known > 0 && last.0 == frame.id {
            last.1 = rate;
        } else {
            self.rates.rotate_left(1);
            self.rates[TRAINS - 1] = (frame.id, rate);
            self.rates_known = (self.rates_known + 1).min(TRAINS);
        }
        self.rate_at = now;
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
