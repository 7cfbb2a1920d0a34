//! The sender's machine of events.

use super::credit::{Credit, Terms};
use super::limited::{Limited, Micros};
use super::path::{self, Path, micros_of};
use super::receive_set::ReceiveSet;
use crate::congestion::{
    Allowance, CongestionConfig, CongestionControl, ControlFigures, Feedback, SentFrame, equation,
};
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use crate::wire::frame::UDP_IP_BYTES;

/// Weight of the past in the mean frame size.
const PAST: f64 = 0.9;
/// Longest time between two frames (`t_mbi`), in seconds.
const BACKOFF_MAX: f64 = 64.0;
/// What is left of the receive rate when a data-limited sender hears of losses.
const LOSS_FACTOR: f64 = 0.85;
/// Least time without a report that means anything, in seconds: shorter ones are no more than a late timer.
const RTO_MIN: f64 = 0.02;
/// Frame bytes that are assumed until there are frames.
const SEGMENT_NOMINAL: f64 = 1_460.0;
/// Rate that nothing exceeds, whatever peers report: 10 Tbit/s in bytes a second.
const RATE_MAX: f64 = 1.25e12;
/// Grain of timestamps, in seconds: a round trip that is this much short of one is one.
const GRAIN: f64 = 2e-6;

/// TFRC's sender.
///
/// After [`CongestionControl::on_feedback`] and [`CongestionControl::on_timeout`] the allowance may be another.
#[derive(Clone, Debug)]
pub struct TfrcSender {
    config: CongestionConfig,
    /// Mean frame size (`s`), in bytes.
    segment: f64,
    /// Largest frame that was sent, at least the nominal one (`MSS`).
    segment_max: f64,
    path: Option<Path>,
    /// Rate of the path as trains measured it, in bytes a second with UDP and IP; infinite while nobody has.
    path_rate: f64,
    /// Allowed rate (`X`), in bytes a second.
    rate: f64,
    /// `X` with damping (`X_inst`).
    rate_inst: f64,
    /// What the equation allows (`X_Bps`); `None` without losses.
    rate_equation: Option<f64>,
    loss_event_rate: f64,
    receive_set: ReceiveSet,
    limited: Limited,
    credit: Credit,
    /// When the rate was last doubled (`tld`).
    doubled_at: Instant,
    /// Nofeedback timer.
    timer: Option<Instant>,
    /// Whether packets waited since the timer was set.
    is_busy: bool,
    /// Until when packets have to wait.
    wait_until: Option<Instant>,
    has_sent: bool,
    last: Option<Feedback>,
    /// When a loss was last reported that counted as a new event.
    loss_at: Option<Instant>,
    is_data_limited: bool,
    timeouts: u64,
}

impl TfrcSender {
    /// Returns the sender of a hop that is not open.
    #[must_use]
    pub fn new(config: CongestionConfig, now: Instant) -> Self {
        Self {
            config,
            segment: SEGMENT_NOMINAL,
            segment_max: SEGMENT_NOMINAL,
            path: None,
            path_rate: f64::INFINITY,
            rate: SEGMENT_NOMINAL,
            rate_inst: SEGMENT_NOMINAL,
            rate_equation: None,
            loss_event_rate: 0.0,
            receive_set: ReceiveSet::new(now, config.feedbacks_per_rtt),
            limited: Limited::new(),
            credit: Credit::new(now),
            doubled_at: now,
            timer: None,
            is_busy: false,
            wait_until: None,
            has_sent: false,
            last: None,
            loss_at: None,
            is_data_limited: false,
            timeouts: 0,
        }
    }

    /// Returns the least rate, one segment in 64 s.
    fn rate_min(&self) -> f64 {
        self.segment / BACKOFF_MAX
    }

    /// Returns W_init / R (section 4.2), which is also `recover_rate` of section 4.4.
    fn initial_rate(&self, rtt: f64) -> f64 {
        initial_window(self.segment_max) / rtt
    }

    /// Returns the time without a report that is too long (section 4.3, step 3), from the rate that holds now: one
    /// that fell has time for two frames.
    fn timeout(&self) -> Duration {
        let rtt = self.path.map_or(0.0, |path| path.rtt);
        Duration::from_secs_f64((4.0 * rtt).max(2.0 * self.segment / self.rate).max(RTO_MIN))
    }

    fn set_timer(&mut self, now: Instant) {
        self.timer = now.checked_add(self.timeout());
        self.is_busy = self.wait_until.is_some_and(|at| at > now);
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = rate.max(self.rate_min()).min(RATE_MAX);
        self.rate_inst = self.rate;
    }

    fn terms(&self) -> Terms {
        let credit_max = self.config.credit_max.as_secs_f64();
        let burst = self.path.map_or(credit_max, |path| path.rtt.min(credit_max));
        Terms { rate: self.rate_inst, burst, segment: self.segment }
    }

    /// The first sample of the round trip: the rate becomes W_init / R (section 4.2).
    fn start(&mut self, now: Instant, rtt: f64) {
        self.path = Some(Path::first(rtt));
        self.doubled_at = now;
        self.set_rate(self.initial_rate(rtt));
    }

    /// Takes a sample of the round trip in. Returns whether it was the first.
    fn on_sample(&mut self, now: Instant, sample: f64) -> bool {
        let Some(path) = self.path else {
            self.start(now, sample);
            return true;
        };
        self.path = Some(path.next(sample));
        false
    }

    /// Recomputes the rate (section 4.3, step 4).
    fn recompute(&mut self, now: Instant, receive_limit: f64) {
        let Some(path) = self.path else { return };
        if self.loss_event_rate > 0.0 {
            let equation = equation::rate(self.segment, path.rtt, self.loss_event_rate);
            self.rate_equation = Some(equation);
            self.set_rate(equation.min(receive_limit));
        } else {
            self.rate_equation = None;
            if now.saturating_since(self.doubled_at).as_secs_f64() + GRAIN >= path.rtt {
                // The RFC doubles until there are losses. A sender may always send less: where the path's rate is known,
                // it need not overrun the queue to find it.
                let frames = self.segment / (self.segment + UDP_IP_BYTES as f64);
                let doubled = (2.0 * self.rate).min(receive_limit).min(self.path_rate * frames);
                self.set_rate(doubled.max(self.initial_rate(path.rtt)));
                self.doubled_at = now;
            }
        }
    }

    /// Damps oscillations (section 4.5): slower while the round trip is above its mean. It never makes the rate faster,
    /// nor does it act in slow start.
    fn damp(&mut self) {
        self.rate_inst = self.rate;
        let Some(path) = self.path.filter(|_| self.config.damping && self.loss_event_rate > 0.0) else {
            return;
        };
        self.rate_inst = (self.rate * path.damping()).max(self.rate_min());
    }

    /// Whether a report tells of a new loss event: its rate rose, or frames were lost a round trip after the last
    /// that counted. (The rate alone can stay, where the interval before was a long one.)
    fn has_new_loss(&mut self, now: Instant, feedback: &Feedback, rtt: f64) -> bool {
        let lost_before = self.last.map_or(0, |last| last.lost);
        let is_apart = self.loss_at.is_none_or(|at| now.saturating_since(at).as_secs_f64() >= rtt);
        let is_new =
            feedback.loss_event_rate > self.loss_event_rate || (feedback.lost > lost_before && is_apart);
        if is_new {
            self.loss_at = Some(now);
        }
        is_new
    }

    /// The nofeedback timer expired (section 4.4).
    fn expire(&mut self, now: Instant) {
        let is_idle = !self.is_busy;
        let Some(path) = self.path else {
            if is_idle {
                self.timer = None;
            } else {
                self.set_rate(self.rate / 2.0);
                self.timeouts += 1;
                self.set_timer(now);
            }
            return;
        };
        let received = self.receive_set.max();
        let recover_rate = self.initial_rate(path.rtt);
        let has_loss = self.loss_event_rate > 0.0;
        let is_slow = if has_loss { received < recover_rate } else { self.rate < 2.0 * recover_rate };
        if is_idle && is_slow {
            // The RFC runs the timer on, and nothing changes until there is data. Then it starts anew.
            self.timer = None;
            return;
        }
        self.timeouts += u64::from(!is_idle);
        match self.rate_equation.filter(|_| has_loss) {
            None => self.set_rate(self.rate / 2.0),
            Some(equation) if equation > 2.0 * received => self.limit(now, received),
            Some(equation) => self.limit(now, equation / 2.0),
        }
        self.set_timer(now);
    }

    /// Makes `limit` the bound of the rate (`Update_Limits`).
    fn limit(&mut self, now: Instant, limit: f64) {
        let limit = limit.max(self.rate_min());
        self.receive_set.replace(now, limit / 2.0);
        self.recompute(now, limit);
    }
}

/// Returns W_init in bytes: min(4 MSS, max(2 MSS, 4380)) (section 4.2).
fn initial_window(segment_max: f64) -> f64 {
    (4.0 * segment_max).min((2.0 * segment_max).max(4_380.0))
}

impl CongestionControl for TfrcSender {
    fn on_open(&mut self, now: Instant, rtt: Option<Duration>) {
        *self = Self { path_rate: self.path_rate, ..Self::new(self.config, now) };
        if let Some(rtt) = rtt.and_then(|rtt| path::plausible(rtt.as_secs_f64())) {
            self.start(now, rtt);
        }
    }

    fn on_path_rate(&mut self, bytes_per_s: f64) {
        self.path_rate = bytes_per_s;
    }

    fn on_sent(&mut self, now: Instant, frame: SentFrame) {
        let terms = self.terms();
        self.credit.accrue(now, terms);
        self.credit.spend(frame.bytes);
        let bytes = f64::from(frame.bytes.max(1));
        // The sender does not know the receiver's loss intervals, over the last four of which the RFC takes the mean.
        self.segment = if self.has_sent { PAST * self.segment + (1.0 - PAST) * bytes } else { bytes };
        if !self.has_sent && self.path.is_none() {
            // One frame a second (section 4.2).
            self.set_rate(bytes);
        }
        self.segment_max = self.segment_max.max(bytes);
        self.has_sent = true;
        // Larger frames raise the least rate.
        self.rate = self.rate.max(self.rate_min());
        self.rate_inst = self.rate_inst.max(self.rate_min());
    }

    fn on_feedback(&mut self, now: Instant, feedback: &Feedback) {
        if self.last.is_some_and(|last| (feedback.highest, feedback.frames) <= (last.highest, last.frames)) {
            // A report that was overtaken, or a copy. Totals alone do not tell: a peer that took an old hello for a
            // new connection counts anew, while here nothing began; frame numbers go on.
            return;
        }
        let terms = self.terms();
        self.credit.accrue(now, terms);
        let (sent, sample) = path::sample(now, feedback);
        let is_first_sample = sample.is_some_and(|sample| self.on_sample(now, sample));
        let Some(path) = self.path else {
            self.last = Some(*feedback);
            self.set_timer(now);
            return;
        };
        let rtt = Duration::from_secs_f64(path.rtt);
        let is_first = self.last.is_none() && feedback.received_bytes_per_s == 0;
        let is_limited = self.limited.on_feedback(micros_of(now), sent, (path.rtt * 1e6) as Micros);
        self.is_data_limited = is_limited && !is_first;
        let mut received = feedback.received_bytes_per_s as f64;
        let has_new_loss = self.has_new_loss(now, feedback, path.rtt);
        self.loss_event_rate = feedback.loss_event_rate.clamp(0.0, 1.0);
        let mut factor = 2.0;
        if !self.is_data_limited {
            self.receive_set.update(now, received, rtt);
        } else {
            if has_new_loss {
                self.receive_set.halve();
                received *= LOSS_FACTOR;
                factor = 1.0;
            }
            self.receive_set.maximize(now, received);
        }
        if !is_first_sample {
            self.recompute(now, factor * self.receive_set.max());
        }
        self.damp();
        self.last = Some(*feedback);
        self.set_timer(now);
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.timer.is_some_and(|at| at <= now) {
            let terms = self.terms();
            self.credit.accrue(now, terms);
            self.expire(now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.timer
    }

    fn allowance(&mut self, now: Instant) -> Allowance {
        self.is_busy = true;
        if self.timer.is_none() {
            self.timer = now.checked_add(self.timeout());
        }
        let terms = self.terms();
        self.credit.accrue(now, terms);
        let Some(wait) = self.credit.wait(terms.rate) else {
            self.wait_until = None;
            return Allowance::Now;
        };
        self.limited.on_not_limited(micros_of(now));
        let Some(at) = now.checked_add(wait) else { return Allowance::Blocked };
        self.wait_until = Some(at);
        Allowance::At(at)
    }

    fn rtt(&self) -> Option<Duration> {
        self.path.map(|path| Duration::from_secs_f64(path.rtt))
    }

    fn rate(&self) -> BitRate {
        BitRate::from_bps((self.rate * 8.0) as u64).unwrap_or(BitRate::from_bps(1).expect("1 bit/s"))
    }

    fn figures(&self) -> ControlFigures {
        ControlFigures {
            allowed_bytes_per_s: self.rate,
            received_bytes_per_s: self.last.map(|last| last.received_bytes_per_s as f64),
            rtt: self.rtt(),
            loss_event_rate: self.loss_event_rate,
            lost_frames: self.last.map_or(0, |last| last.lost),
            is_data_limited: self.is_data_limited,
            timeouts: self.timeouts,
        }
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
