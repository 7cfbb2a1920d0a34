//! The estimator of one pair of clocks.

use super::{GRANULARITY_NS, OWN_RATE_MAX_PPB, RATE_MAX_PPB, WINDOW, gained, line::slope_under};
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Probes whose answer is still waited for; with more, the oldest is given up.
const PENDING_MAX: usize = 16;
/// Largest timestamp that is believed, in nanoseconds (146 years): differences fit 64 bits with a sign.
const TIMESTAMP_NS_MAX: u64 = u64::MAX / 4;
/// Exchanges must span so much time before a slope is read from them; before, noise would be taken for drift.
const SLOPE_SPAN_MIN_NS: u64 = 8_000_000_000;

/// The four timestamps of an exchange, in nanoseconds, named as in RFC 5905, section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The probe was made: own clock.
    pub t1: u64,
    /// The probe was acted on: the source's clock.
    pub t2: u64,
    /// The answer was made: the source's clock.
    pub t3: u64,
    /// The answer was acted on: own clock.
    pub t4: u64,
}

impl Exchange {
    /// Returns the offset theta = ((t2 - t1) + (t3 - t4)) / 2: how far the source's clock is ahead if both ways took
    /// equally long.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        midpoint(self.lower(), self.upper())
    }

    /// Returns the round trip delta = (t4 - t1) - (t3 - t2), in nanoseconds.
    #[must_use]
    pub fn round_trip_ns(&self) -> u64 {
        u64::try_from(i128::from(self.upper()) - i128::from(self.lower())).unwrap_or(0)
    }

    /// The source is at most so far ahead: the probe was not acted on before it was made.
    fn upper(&self) -> i64 {
        difference(self.t2, self.t1)
    }

    /// The source is at least so far ahead: the answer was not acted on before it was made.
    fn lower(&self) -> i64 {
        difference(self.t3, self.t4)
    }

    /// Whether time ran forwards at both ends, and no timestamp is beyond belief. What a relaxed clock may be off by
    /// is forgiven.
    fn is_possible(&self) -> bool {
        let span = self.t4.saturating_sub(self.t1);
        let forgiven = gained(span, RATE_MAX_PPB) + GRANULARITY_NS;
        [self.t1, self.t2, self.t3, self.t4].iter().all(|at| *at <= TIMESTAMP_NS_MAX)
            && self.t1 <= self.t4
            && self.t2 <= self.t3
            && i128::from(self.lower()) <= i128::from(self.upper()) + i128::from(forgiven)
    }
}

/// What is known of the difference of two clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// How far the source's clock is ahead of one's own, in nanoseconds.
    pub ahead_ns: i64,
    /// How fast it gains, in nanoseconds a second. Part of the estimate, not of the bound.
    pub drift_ppb: i64,
    /// The true value is no farther away than this.
    pub error_ns: u64,
    /// Exchanges that it rests on.
    pub samples: u32,
}

impl Estimate {
    /// Returns the bound of the error of a one-way delay that was corrected by this estimate, in nanoseconds.
    ///
    /// Besides the estimate's own error: while the packet was under way, both clocks went on drifting.
    #[must_use]
    pub fn delay_error_ns(&self, delay: Duration) -> u64 {
        let under_way = delay.as_nanos().saturating_add(self.error_ns);
        self.error_ns.saturating_add(gained(under_way, RATE_MAX_PPB + OWN_RATE_MAX_PPB))
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// It is a sample.
    Taken,
    /// It is a sample, and contradicts all earlier ones: one of the clocks was set. They were forgotten.
    Step,
    /// No probe is waiting for it: it came twice, too late, or was never asked for.
    Unasked,
    /// Its timestamps are impossible.
    Impossible,
}

/// A sample: at some moment between `from` and `to` of one's own clock the source was `lower` to `upper` ahead.
#[derive(Clone, Copy, Debug)]
struct Sample {
    from: u64,
    to: u64,
    lower: i64,
    upper: i64,
}

/// What follows from all samples, at the time of the newest.
#[derive(Clone, Copy, Debug)]
struct Fit {
    at: u64,
    lower: i64,
    upper: i64,
    centre: i64,
    drift_ppb: i64,
}

/// Estimates how far a source's clock is ahead of one's own.
///
/// Each exchange bounds the difference on both sides, whatever the delays were: theta +- delta/2. Between then and
/// now the difference has changed by at most [`RATE_MAX_PPB`]; so every bound is widened with its age, and what all of
/// them allow together is certain. The upper and the lower bound may come from different exchanges: the fastest probe
/// and the fastest answer, which a queue on the way rarely slowed both.
///
/// Inside the interval the estimate is the middle between the line under the upper bounds and the line over the
/// lower ones, both with the slope that the clocks seem to have. Symmetric paths make it exact; where it would leave
/// the interval it does not.
#[derive(Debug, Default)]
pub struct ClockEstimator {
    samples: VecDeque<Sample>,
    /// When the probes were made that have no answer yet.
    pending: VecDeque<u64>,
    fit: Option<Fit>,
    steps: u32,
}

impl ClockEstimator {
    /// Notes that a probe is made at `now`; returns its timestamp t1, which the answer has to carry.
    pub fn on_probe(&mut self, now: Instant) -> u64 {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(now.as_nanos());
        now.as_nanos()
    }

    /// Takes an answer in.
    pub fn on_reply(&mut self, exchange: &Exchange) -> ReplyOutcome {
        let Some(at) = self.pending.iter().position(|made| *made == exchange.t1) else {
            return ReplyOutcome::Unasked;
        };
        self.pending.remove(at);
        if !exchange.is_possible() {
            return ReplyOutcome::Impossible;
        }
        if self.samples.len() >= WINDOW {
            self.samples.pop_front();
        }
        let sample =
            Sample { from: exchange.t1, to: exchange.t4, lower: exchange.lower(), upper: exchange.upper() };
        // Probes that went other ways may be overtaken; lines need samples in order.
        let place = self.samples.partition_point(|known| known.from <= sample.from);
        self.samples.insert(place, sample);
        if self.refit() {
            return ReplyOutcome::Taken;
        }
        self.steps += 1;
        self.samples.clear();
        self.samples.push_back(sample);
        self.refit();
        ReplyOutcome::Step
    }

    /// Returns the estimate for `now` of one's own clock; `None` before the first answer.
    #[must_use]
    pub fn offset_at(&self, now: Instant) -> Option<Estimate> {
        let fit = self.fit?;
        let age = now.as_nanos().saturating_sub(fit.at);
        let wider = i64::try_from(gained(age, RATE_MAX_PPB)).unwrap_or(i64::MAX);
        let (lower, upper) = (fit.lower.saturating_sub(wider), fit.upper.saturating_add(wider));
        let moved = i128::from(fit.drift_ppb) * i128::from(age) / 1_000_000_000;
        let moved = i64::try_from(moved).unwrap_or(0);
        let ahead_ns = fit.centre.saturating_add(moved).clamp(lower, upper);
        Some(Estimate {
            ahead_ns,
            drift_ppb: fit.drift_ppb,
            error_ns: upper.abs_diff(ahead_ns).max(ahead_ns.abs_diff(lower)).saturating_add(GRANULARITY_NS),
            samples: self.samples.len() as u32,
        })
    }

    /// Returns how often a sample contradicted all earlier ones.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Draws together what the samples say; returns `false`, and changes nothing, when they contradict each other.
    fn refit(&mut self) -> bool {
        let Some(at) = self.samples.iter().map(|sample| sample.to).max() else { return true };
        let (mut lower, mut upper) = (i64::MIN, i64::MAX);
        for sample in &self.samples {
            // The moment that the bounds speak of is not known better than the exchange as a whole.
            let wider = i64::try_from(gained(at - sample.from, RATE_MAX_PPB)).unwrap_or(i64::MAX);
            lower = lower.max(sample.lower.saturating_sub(wider));
            upper = upper.min(sample.upper.saturating_add(wider));
        }
        let slack = 2 * GRANULARITY_NS;
        if lower > upper && lower.abs_diff(upper) > slack {
            return false;
        }
        let (lower, upper) = (lower.min(upper), lower.max(upper));
        let slope = self.slope();
        let centre = self.centre(at, slope, midpoint(lower, upper)).clamp(lower, upper);
        self.fit = Some(Fit { at, lower, upper, centre, drift_ppb: (slope * 1e9) as i64 });
        true
    }

    /// How fast the source's clock gains on ours, as a plain ratio, as far as the samples show it.
    fn slope(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        if last.from - first.from < SLOPE_SPAN_MIN_NS {
            return 0.0;
        }
        let points = |bound: fn(&Sample) -> i64, sign: f64| -> Vec<(f64, f64)> {
            let origin = bound(first);
            let list = self.samples.iter().map(|sample| {
                let x = (sample.from - first.from) as f64;
                (x, sign * difference_f64(bound(sample), origin))
            });
            // Two probes of one instant, over different ways, are one abscissa: the hull needs rising ones.
            let mut list: Vec<(f64, f64)> = list.collect();
            list.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                kept.1 = if same { kept.1.min(later.1) } else { kept.1 };
                same
            });
            list
        };
        let under = slope_under(&points(|sample| sample.upper, 1.0));
        let over = slope_under(&points(|sample| sample.lower, -1.0)).map(|slope| -slope);
        let (Some(under), Some(over)) = (under, over) else { return 0.0 };
        let limit = RATE_MAX_PPB as f64 * 1e-9;
        ((under + over) / 2.0).clamp(-limit, limit)
    }

    /// The middle at `at` between the line of this slope under all upper bounds and the one over all lower bounds;
    /// `origin` is a value near it, from which differences are exact in floating point.
    fn centre(&self, at: u64, slope: f64, origin: i64) -> i64 {
        let (mut under, mut over) = (f64::INFINITY, f64::NEG_INFINITY);
        for sample in &self.samples {
            // A bound speaks of the middle of its exchange as well as of any other moment in it.
            let age = (at - sample.from) as f64 - (sample.to - sample.from) as f64 / 2.0;
            under = under.min(difference_f64(sample.upper, origin) + slope * age);
            over = over.max(difference_f64(sample.lower, origin) + slope * age);
        }
        origin.saturating_add(((under + over) / 2.0) as i64)
    }
}

/// The difference of two timestamps, each at most [`TIMESTAMP_NS_MAX`] where it matters.
fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(if a > b { i64::MAX } else { i64::MIN })
}

fn difference_f64(a: i64, b: i64) -> f64 {
    (i128::from(a) - i128::from(b)) as f64
}

fn midpoint(a: i64, b: i64) -> i64 {
    // The mean of two 64-bit numbers fits 64 bits.
    i64::try_from((i128::from(a) + i128::from(b)).div_euclid(2)).unwrap_or(0)
}
