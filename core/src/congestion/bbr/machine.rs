//! From phase to phase: what reports and silences do to the model.

use super::bounds::BETA;
use super::delivery::Learnt;
use super::phases::{Phase, Plateau};
use super::{BbrSender, FRAMES_MIN, RATE_MAX, RATE_MIN};
use crate::congestion::Feedback;
use crate::time::{Duration, Instant};

/// How long ProbeRTT keeps little under way, and a round at least (draft-ietf-ccwg-bbr, `BBR.ProbeRTTDuration`).
const PROBE_RTT_HOLD: Duration = Duration::from_millis(200);
/// Round trips above the smallest by an eighth and this much show a queue; the latter is for paths so short that
/// machines' own delays count.
const QUEUE_MIN: Duration = Duration::from_millis(1);
/// Timeouts in a row after which the model is forgotten.
const SILENCES_TO_FORGET: u32 = 3;

impl BbrSender {
    /// Takes a report in.
    pub(super) fn learn(&mut self, now: Instant, report: &Feedback) {
        let Some(learnt) = self.delivery.on_feedback(now, report) else {
            return;
        };
        self.on_heard(now);
        self.update_rtt(now, &learnt);
        if let Some(sample) = learnt.sample {
            self.is_data_limited = sample.is_app_limited;
            let rate = sample.rate.min(RATE_MAX);
            if !sample.is_app_limited || rate >= self.max_rate.get() {
                self.max_rate.update(rate);
            }
        }
        self.latest.add(&learnt);
        let is_flooded = self.phase == Phase::Startup && self.latest.is_flooded(self.frame());
        if learnt.is_round_end || is_flooded {
            self.on_round(now, is_flooded);
        }
        self.advance(now);
    }

    fn on_heard(&mut self, now: Instant) {
        let gap = now.saturating_since(self.heard_at).as_nanos();
        let mean = self.report_gap.as_nanos();
        self.heard_at = now;
        if self.silences == 0 {
            self.report_gap = Duration::from_nanos(if mean == 0 { gap } else { mean - mean / 8 + gap / 8 });
            return;
        }
        // The path is back. What is under way may grow again, from what the halved rate needs.
        self.silences = 0;
        self.bounds.inflight_lo = None;
        self.latest.next_round();
        self.delivery.begin_round();
    }

    fn update_rtt(&mut self, now: Instant, learnt: &Learnt) {
        let Some(rtt) = learnt.rtt else { return };
        let sample = rtt.as_nanos();
        let smooth = self.srtt.map_or(sample, |srtt| {
            let srtt = srtt.as_nanos();
            srtt - srtt / 8 + sample / 8
        });
        self.srtt = Some(Duration::from_nanos(smooth.max(1)));
        self.round_rtt = Some(self.round_rtt.map_or(rtt, |least| least.min(rtt)));
        if self.phase == Phase::ProbeRtt {
            self.probe_rtt_best = Some(self.probe_rtt_best.map_or(rtt, |least| least.min(rtt)));
        }
        if self.min_rtt.is_expired(now) && learnt.is_after_idle {
            // Nothing of ours was under way: no need to clear the path once more.
            self.min_rtt.replace(now, rtt);
        }
        self.min_rtt.update(now, rtt);
    }

    /// A round ended, or need not be waited for, as so much was lost.
    fn on_round(&mut self, now: Instant, is_flooded: bool) {
        self.phase_rounds = self.phase_rounds.saturating_add(1);
        self.cycle.on_round();
        let is_lossy = if is_flooded { Some(true) } else { self.latest.is_lossy() };
        if is_lossy == Some(false) && !self.latest.is_app_limited {
            self.bounds.on_clean_round(&self.latest);
        }
        match self.phase {
            Phase::Startup => self.on_startup_round(now, is_lossy == Some(true)),
            Phase::Refill => self.enter(now, Phase::Up),
            Phase::Up => self.on_probe_round(now, is_lossy == Some(true)),
            Phase::Drain | Phase::Down | Phase::Cruise => {
                self.on_steady_round(is_lossy == Some(true));
            }
            Phase::ProbeRtt => {}
        }
        self.latest.next_round();
        self.round_rtt = None;
        self.is_held_back = false;
    }

    fn on_startup_round(&mut self, now: Instant, is_lossy: bool) {
        let is_full = !self.latest.is_app_limited
            && (self.plateau.is_full(self.max_rate.get()) || self.plateau.is_flat() && self.has_queue());
        if is_lossy {
            self.bounds.inflight_hi = Some(self.bdp().max(self.latest.bytes));
        }
        if is_full || is_lossy {
            self.enter(now, Phase::Drain);
        }
    }

    fn on_probe_round(&mut self, now: Instant, is_lossy: bool) {
        if is_lossy {
            self.fail_probe();
            self.enter(now, Phase::Down);
            return;
        }
        if self.is_held_back {
            // The bound stood in the way, not the path: no verdict on the path yet.
            self.bounds.raise(self.frame());
            self.plateau = Plateau::default();
        }
        if self.plateau.is_full(self.max_rate.get()) {
            self.enter(now, Phase::Down);
        }
    }

    fn on_steady_round(&mut self, is_lossy: bool) {
        if self.is_probe_heard && self.phase_rounds > 0 {
            // The last of what the probe sent has been heard of.
            if is_lossy {
                self.fail_probe();
            }
            self.is_probe_heard = false;
            if !self.latest.is_app_limited {
                self.max_rate.advance();
            }
            return;
        }
        if is_lossy {
            let (rate, inflight) = (self.path_rate(), self.inflight_max());
            self.bounds.lower(&self.latest, rate, inflight);
        }
        if self.phase != Phase::Drain && !self.latest.is_app_limited && self.has_queue() {
            let extra = self.report_bytes();
            let (min_rtt, frame) = (self.min_rtt.get().unwrap_or_default(), self.frame());
            self.bounds.lower_to_share(&self.latest, min_rtt, frame, extra);
        }
    }

    /// Whether the whole round saw a queue.
    fn has_queue(&self) -> bool {
        let (Some(least), Some(base)) = (self.round_rtt, self.min_rtt.get()) else {
            return false;
        };
        let excess = least.saturating_sub(base);
        excess > Duration::from_nanos(base.as_nanos() / 8) + QUEUE_MIN
    }

    fn fail_probe(&mut self) {
        let target = self.bdp().max(FRAMES_MIN * self.frame());
        if !self.latest.is_app_limited {
            self.bounds.on_probe_failed(target.saturating_add(self.report_bytes()));
        }
        self.is_probe_heard = false;
    }

    /// Changes the phase if what is under way, or the time, says so.
    fn advance(&mut self, now: Instant) {
        let inflight = self.delivery.inflight();
        let bdp = self.bdp();
        match self.phase {
            Phase::Startup | Phase::Refill | Phase::Cruise => {}
            Phase::Drain => {
                if inflight <= bdp {
                    self.enter(now, Phase::Down);
                }
            }
            Phase::Down => {
                let with_headroom = self.bounds.with_headroom().unwrap_or(u64::MAX);
                if inflight <= bdp.min(with_headroom).max(FRAMES_MIN * self.frame()) {
                    self.enter(now, Phase::Cruise);
                }
            }
            Phase::Up => {
                let full = ((1.25 * bdp as f64) as u64).saturating_add(2 * self.frame());
                if self.phase_rounds >= 1 && inflight > full && self.has_queue() {
                    self.enter(now, Phase::Down);
                }
            }
            Phase::ProbeRtt => self.advance_probe_rtt(now, inflight),
        }
        if matches!(self.phase, Phase::Down | Phase::Cruise) && self.cycle.is_over(now, bdp / self.frame()) {
            self.enter(now, Phase::Refill);
        }
        let may_probe = !matches!(self.phase, Phase::Startup | Phase::ProbeRtt);
        if may_probe && self.min_rtt.is_expired(now) {
            self.enter(now, Phase::ProbeRtt);
        }
    }

    fn advance_probe_rtt(&mut self, now: Instant, inflight: u64) {
        let Some(since) = self.probe_rtt_low_since else {
            if inflight <= self.inflight_max() {
                self.probe_rtt_low_since = Some(now);
                self.phase_rounds = 0;
                self.delivery.begin_round();
            }
            return;
        };
        if self.phase_rounds > 0 && now.saturating_since(since) >= PROBE_RTT_HOLD {
            let best = self.probe_rtt_best.or(self.min_rtt.get());
            if let Some(rtt) = best {
                self.min_rtt.replace(now, rtt);
            }
            self.bounds.lift_lower();
            self.cycle.begin(now);
            self.enter(now, Phase::Cruise);
        }
    }

    fn enter(&mut self, now: Instant, phase: Phase) {
        self.phase = phase;
        self.phase_rounds = 0;
        self.plateau = Plateau::default();
        match phase {
            Phase::Down => {
                self.cycle.begin(now);
                self.delivery.begin_round();
            }
            Phase::Refill => {
                self.forget_more_than_carried();
                self.bounds.lift_lower();
                self.bounds.on_probe();
                self.delivery.begin_round();
            }
            Phase::Up => {
                self.is_probe_heard = true;
                self.delivery.begin_round();
            }
            Phase::ProbeRtt => {
                self.probe_rtt_low_since = None;
                self.probe_rtt_best = None;
            }
            Phase::Startup | Phase::Drain | Phase::Cruise => {}
        }
    }

    /// A path that became much narrower would be flooded by the rate it had: where it was too full of late, no more is
    /// remembered than what a bound may fall by in a round makes of what it carried.
    fn forget_more_than_carried(&mut self) {
        if let Some(carried) = self.bounds.carried() {
            let most = (carried / BETA).clamp(RATE_MIN, RATE_MAX);
            if most < self.max_rate.get() {
                self.max_rate.reset(most);
            }
        }
    }

    /// No report came for too long: what was under way is taken for lost, and the rate is halved. The first report
    /// that comes ends the silence; after a few timeouts the path is sounded anew.
    pub(super) fn on_silence(&mut self, now: Instant) {
        self.timeouts += 1;
        let inflight = self.delivery.inflight();
        self.delivery.forget_inflight();
        self.heard_at = now;
        if self.silences == 0 && !self.is_waiting && inflight <= FRAMES_MIN * self.frame() {
            // The last frames before a pause were lost, or their report was: that happens on a good path too.
            self.silences = 1;
            return;
        }
        self.silences = self.silences.saturating_add(1);
        let halved = (self.path_rate() / 2.0).max(RATE_MIN);
        if self.phase == Phase::Startup || self.silences >= SILENCES_TO_FORGET {
            self.max_rate.reset(halved);
            self.bounds.lift_lower();
            self.bounds.inflight_hi = None;
            self.enter(now, Phase::Startup);
        } else {
            self.bounds.rate_lo = Some(halved);
            self.cycle.begin(now);
            self.enter(now, Phase::Cruise);
        }
        self.is_probe_heard = false;
    }
}
