//! A controller that models the path, in the manner of BBRv2: for long fat paths, where one lost frame in a thousand
//! holds TFRC's equation far below what the path carries.
//!
//! Sources: Cardwell, Cheng, Gunn, Yeganeh, Jacobson, "BBR: Congestion-Based Congestion Control", CACM 60(2), 2017;
//! the authors' BBRv2 talks at IETF 104 to 106; draft-ietf-ccwg-bbr, whose names the constants' comments give.
//!
//! The model is two numbers: the largest delivery rate of the last two probing cycles, and the smallest round trip of
//! ten seconds. Their product is what must be under way to fill the path without a queue. Frames are paced at the rate
//! times a gain that depends on the phase, and a multiple of the product bounds what is under way. Losses above
//! 2 % in a round lower bounds on top of the model; fewer are taken for noise.
//!
//! Where it departs from the draft:
//! - It learns from totals in reports, a few a round trip, instead of acknowledgements: see `delivery`. Bounds of
//!   bytes under way leave room for what one report acknowledges.
//! - Hops carry no ECN. A round trip that stays above the smallest by an eighth between probes is the sign instead
//!   that others share the queue, and bounds what is under way to this flow's share.
//! - Lower bounds follow losses above the threshold only, not every loss.
//! - ProbeRTT comes every 10 s, and not if any report in the meantime showed a path without a queue.

mod bounds;
mod credit;
mod delivery;
mod filter;
mod machine;
mod phases;
mod rounds;

#[cfg(test)]
mod tests;

use self::bounds::{Bounds, Latest};
use self::credit::Credit;
use self::delivery::Delivery;
use self::filter::{MaxRate, MinRtt};
use self::phases::{Cycle, Phase, Plateau};
use super::{Allowance, CongestionConfig, CongestionControl, ControlFigures, Feedback, SentFrame};
use crate::time::{Duration, Instant};
use crate::units::BitRate;

/// Frames that may be under way at first (RFC 6928), and their bytes at least.
const INITIAL_FRAMES: u64 = 10;
const INITIAL_BYTES: u64 = 14_600;
/// Frames that may always be under way (draft-ietf-ccwg-bbr, `BBR.MinPipeCwnd`).
const FRAMES_MIN: u64 = 4;
/// What a frame is taken to have before one was sent.
const FRAME_GUESS: u64 = 1_400;
/// Round trip that is assumed before one is known (RFC 9002 section 6.2.2).
const RTT_GUESS: Duration = Duration::from_millis(333);
/// Shortest silence that counts.
const SILENCE_MIN: Duration = Duration::from_millis(200);
/// Part of the estimate that is paced, so that the queue is not fed (draft-ietf-ccwg-bbr, pacing margin).
const PACING_SHARE: f64 = 0.99;
/// Rates stay between these, in bytes a second: about a frame a second, and more than any path has.
const RATE_MIN: f64 = 1_500.0;
const RATE_MAX: f64 = 1e12;

/// The sender's half of the second controller.
#[derive(Debug)]
pub struct BbrSender {
    config: CongestionConfig,
    salt: u64,
    delivery: Delivery,
    credit: Credit,
    max_rate: MaxRate,
    min_rtt: MinRtt,
    srtt: Option<Duration>,
    /// Mean time between reports.
    report_gap: Duration,
    latest: Latest,
    bounds: Bounds,
    phase: Phase,
    phase_rounds: u32,
    plateau: Plateau,
    cycle: Cycle,
    /// Samples of a probe may still come.
    is_probe_heard: bool,
    /// The upper bound held frames back in this round.
    is_held_back: bool,
    /// The smallest round trip of this round.
    round_rtt: Option<Duration>,
    /// ProbeRTT: when little enough was under way, and the smallest round trip since.
    probe_rtt_low_since: Option<Instant>,
    probe_rtt_best: Option<Duration>,
    /// The last answer was that a frame has to wait: time that passes is not the application's.
    is_waiting: bool,
    /// Bytes that might have been sent while no frame waited.
    unused: f64,
    /// Since when silence counts.
    heard_at: Instant,
    /// Timeouts since the last report, and in all.
    silences: u32,
    timeouts: u64,
    is_data_limited: bool,
}

impl BbrSender {
    /// Returns the controller of a hop that has not opened yet. `salt` is a number of the connection (its id serves):
    /// hops that open together probe at different times if theirs differ.
    #[must_use]
    pub fn new(config: CongestionConfig, salt: u64) -> Self {
        Self::with_delivery(config, salt, Delivery::new())
    }

    fn with_delivery(config: CongestionConfig, salt: u64, delivery: Delivery) -> Self {
        Self {
            config,
            salt,
            delivery,
            credit: Credit::new(Instant::ZERO),
            max_rate: MaxRate::default(),
            min_rtt: MinRtt::default(),
            srtt: None,
            report_gap: Duration::ZERO,
            latest: Latest::new(),
            bounds: Bounds::default(),
            phase: Phase::Startup,
            phase_rounds: 0,
            plateau: Plateau::default(),
            cycle: Cycle::new(salt),
            is_probe_heard: false,
            is_held_back: false,
            round_rtt: None,
            probe_rtt_low_since: None,
            probe_rtt_best: None,
            is_waiting: false,
            unused: 0.0,
            heard_at: Instant::ZERO,
            silences: 0,
            timeouts: 0,
            is_data_limited: false,
        }
    }

    /// Bytes of a full frame.
    fn frame(&self) -> u64 {
        match self.delivery.largest_frame() {
            0 => FRAME_GUESS,
            bytes => u64::from(bytes),
        }
    }

    /// The rate that the path is taken to carry now, in bytes a second.
    fn path_rate(&self) -> f64 {
        let rate = match self.max_rate.get() {
            0.0 => {
                let initial = INITIAL_BYTES.max(INITIAL_FRAMES * self.frame()) as f64;
                initial / self.srtt.unwrap_or(RTT_GUESS).as_secs_f64().max(1e-6)
            }
            rate => rate,
        };
        self.bounds.rate_lo.map_or(rate, |bound| bound.min(rate)).clamp(RATE_MIN, RATE_MAX)
    }

    /// The rate that is paced, in bytes a second.
    fn pacing_rate(&self) -> f64 {
        (self.phase.pacing_gain() * PACING_SHARE * self.path_rate()).clamp(RATE_MIN, RATE_MAX)
    }

    /// What must be under way to fill the path without a queue, in bytes.
    fn bdp(&self) -> u64 {
        let rtt = self.min_rtt.get().or(self.srtt).unwrap_or(RTT_GUESS);
        (self.path_rate() * rtt.as_secs_f64()) as u64
    }

    /// Bytes that one report acknowledges: they count as under way until it comes.
    fn report_bytes(&self) -> u64 {
        let gap = self.report_gap.min(self.srtt.unwrap_or(RTT_GUESS));
        (self.path_rate() * gap.as_secs_f64()) as u64
    }

    /// Bytes that may be under way now.
    fn inflight_max(&self) -> u64 {
        let floor = FRAMES_MIN * self.frame();
        if self.silences > 0 {
            return floor;
        }
        if self.max_rate.get() == 0.0 {
            return INITIAL_BYTES.max(INITIAL_FRAMES * self.frame());
        }
        let full = (self.phase.inflight_gain() * self.bdp() as f64) as u64;
        let mut bytes = full.saturating_add(self.report_bytes());
        let upper = match self.phase {
            Phase::Startup | Phase::Drain => None,
            Phase::Down | Phase::Refill | Phase::Up => self.bounds.inflight_hi,
            Phase::Cruise | Phase::ProbeRtt => self.bounds.with_headroom(),
        };
        for bound in [upper, self.bounds.inflight_lo].into_iter().flatten() {
            bytes = bytes.min(bound);
        }
        bytes.max(floor)
    }

    /// The most credit that is saved up.
    fn depth(&self) -> Duration {
        self.srtt.unwrap_or(RTT_GUESS).min(self.config.credit_max)
    }

    /// Counts credit up to now. What comes while no frame waits for it is the application's pause: once that is worth
    /// two frames and a quarter of the depth, the application limits the rate.
    fn count_credit(&mut self, now: Instant) {
        let (rate, depth) = (self.pacing_rate(), self.depth());
        let grown = self.credit.grow(now, rate, depth);
        if self.is_waiting {
            self.unused = 0.0;
            return;
        }
        let enough = (rate * depth.as_secs_f64() / 4.0).max((2 * self.frame()) as f64);
        self.unused = (self.unused + grown).min(enough);
        if self.unused >= enough {
            self.delivery.on_app_limited();
        }
    }

    /// How long a silence may be.
    fn patience(&self) -> Duration {
        let rtt = self.srtt.unwrap_or(RTT_GUESS);
        let longest = rtt.saturating_mul(4).max(self.report_gap.saturating_mul(2)).max(SILENCE_MIN);
        longest.saturating_mul(1 << self.silences.min(3)).min(Duration::from_secs(64))
    }
}

impl CongestionControl for BbrSender {
    fn on_open(&mut self, now: Instant, rtt: Option<Duration>) {
        let mut delivery = core::mem::take(&mut self.delivery);
        delivery.reset(now);
        *self = Self {
            delivery,
            credit: Credit::new(now),
            // The same hop opens again at another time: other waits.
            cycle: Cycle::new(self.salt ^ now.as_nanos()),
            heard_at: now,
            srtt: rtt.filter(|rtt| !rtt.is_zero()),
            ..Self::with_delivery(self.config, self.salt, Delivery::default())
        };
        if let Some(rtt) = self.srtt {
            self.min_rtt.replace(now, rtt);
        }
    }

    fn on_sent(&mut self, now: Instant, frame: SentFrame) {
        self.count_credit(now);
        if self.delivery.inflight() == 0 {
            self.heard_at = now;
        }
        self.credit.spend(frame.bytes);
        self.unused = (self.unused - f64::from(frame.bytes)).max(0.0);
        self.delivery.on_sent(now, frame, self.srtt);
        self.is_waiting = false;
    }

    fn on_feedback(&mut self, now: Instant, feedback: &Feedback) {
        self.learn(now, feedback);
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.on_silence(now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        (self.delivery.inflight() > 0).then(|| self.heard_at.checked_add(self.patience())).flatten()
    }

    fn allowance(&mut self, now: Instant) -> Allowance {
        self.count_credit(now);
        let answer = if self.delivery.inflight() >= self.inflight_max() {
            self.is_held_back = true;
            Allowance::Blocked
        } else {
            self.credit.allowance(now, self.pacing_rate())
        };
        self.is_waiting = answer != Allowance::Now;
        answer
    }

    fn rtt(&self) -> Option<Duration> {
        self.srtt
    }

    fn rate(&self) -> BitRate {
        BitRate::from_bps((self.pacing_rate() * 8.0) as u64).expect("the rate has a floor")
    }

    fn figures(&self) -> ControlFigures {
        let last = self.delivery.last();
        ControlFigures {
            allowed_bytes_per_s: self.pacing_rate(),
            received_bytes_per_s: last.map(|report| report.received_bytes_per_s as f64),
            rtt: self.srtt,
            loss_event_rate: last.map_or(0.0, |report| report.loss_event_rate),
            lost_frames: last.map_or(0, |report| report.lost),
            is_data_limited: self.is_data_limited,
            timeouts: self.timeouts,
        }
    }
}
