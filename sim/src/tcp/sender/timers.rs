//! Deadlines: retransmission, probes, reordering.

use super::{CaState, Forced, Sender, Timer};
use bellini_core::time::{Duration, Instant};

/// What is added to a probe's two round trips when more than one segment is out (two ticks of Linux's clock).
const SLACK: Duration = Duration::from_millis(2);
/// The longest an acknowledgement may have waited.
const DELAY_MAX: Duration = Duration::from_millis(200);

impl Sender {
    /// Returns when time is up for something.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(_, at)| at)
    }

    /// Lets time pass.
    pub fn on_timer(&mut self, now: Instant) {
        let Some((timer, _)) = self.timer.filter(|(_, at)| *at <= now) else { return };
        self.timer = None;
        if self.board.is_empty() {
            return;
        }
        match timer {
            Timer::Retransmit => self.on_retransmit(now),
            Timer::Probe => self.on_probe(now),
            Timer::Reordering => self.on_reordering(now),
        }
    }

    /// Returns when a timeout that begins now strikes: not after the user timeout has passed.
    pub(super) fn retransmit_at(&self, now: Instant) -> Instant {
        let at = self.rtt.deadline(now);
        self.struck_since.map_or(at, |since| at.min((since + self.options.user_timeout).max(now)))
    }

    /// Sets the retransmission timeout from now on, or, if another timer was set in its place, from when the first
    /// segment was sent.
    pub(super) fn arm_retransmit(&mut self, now: Instant) {
        let at = match (self.board.front(), self.timer) {
            (None, _) => {
                self.timer = None;
                return;
            }
            (Some(first), Some((Timer::Probe | Timer::Reordering, _))) => {
                self.rtt.deadline(first.sent_at).max(now + Duration::from_millis(1))
            }
            _ => self.retransmit_at(now),
        };
        self.timer = Some((Timer::Retransmit, at));
    }

    /// More was acknowledged: what is still out is timed anew.
    pub(super) fn rearm(&mut self, now: Instant) {
        if self.board.is_empty() {
            self.timer = None;
        } else if !self.arm_probe(now, true) {
            self.timer = Some((Timer::Retransmit, self.retransmit_at(now)));
        }
    }

    /// Sets the timer for a probe of the tail, in two round trips; whether it may be probed for.
    pub(super) fn arm_probe(&mut self, now: Instant, is_forward: bool) -> bool {
        let is_well = matches!(self.state, CaState::Open | CaState::Reducing);
        if self.board.is_empty() || !self.options.sack || !self.finds_by_time() || !is_well {
            return false;
        }
        let wait = match self.rtt.srtt() {
            None => super::super::rtt::RTO_INITIAL,
            Some(srtt) => {
                let more = if self.board.len() == 1 { DELAY_MAX.max(self.options.rto_min) } else { SLACK };
                srtt.saturating_mul(2) + more
            }
        };
        let since = self.board.front().filter(|_| !is_forward).map_or(now, |first| first.sent_at);
        let at = (now + wait).min(self.rtt.deadline(since).max(now));
        self.timer = Some((Timer::Probe, at));
        true
    }

    fn on_probe(&mut self, now: Instant) {
        if self.probe.is_none() {
            let end = (self.nxt + u64::from(self.options.mss)).min(self.written);
            let is_new = self.nxt < self.written && end <= self.window_end;
            self.forced = Some(if is_new { Forced::ProbeNew } else { Forced::ProbeLast });
            self.stats.probes += 1;
            self.probe = Some((if is_new { end } else { self.nxt }, !is_new));
        }
        self.timer = Some((Timer::Retransmit, self.retransmit_at(now)));
    }

    fn on_reordering(&mut self, now: Instant) {
        let before = self.board.in_flight();
        let lost = self.marked_lost;
        let wait = self.detect(now);
        if self.board.in_flight() != before && self.state != CaState::Recovery {
            self.enter_recovery();
            self.reduce(1, (self.marked_lost - lost) as u32, false);
        }
        match wait {
            Some(wait) => self.timer = Some((Timer::Reordering, now + wait + SLACK)),
            None => self.timer = Some((Timer::Retransmit, self.retransmit_at(now))),
        }
    }

    fn on_retransmit(&mut self, now: Instant) {
        let since = *self.struck_since.get_or_insert(now);
        if now.saturating_since(since) >= self.options.user_timeout {
            self.has_given_up = true;
            return;
        }
        self.stats.timeouts += 1;
        let is_new = self.state < CaState::Recovery;
        self.mark_all_lost(now);
        let is_first = self.state != CaState::Loss || since == now;
        if self.state <= CaState::Disorder
            || self.una >= self.high
            || (self.state == CaState::Loss && is_first)
        {
            let prior_ssthresh = self.kept_threshold();
            self.begin_undo(prior_ssthresh);
            self.window.ssthresh = self.congestion.on_loss(self.window.cwnd);
            self.congestion.on_timeout(now, self.nxt);
        }
        self.window.reset(self.board.in_flight() + 1);
        self.state = CaState::Loss;
        self.high = self.nxt;
        self.probe = None;
        self.duplicates = 0;
        self.is_doubtful = self.finds_by_time() && (is_new || !is_first);
        self.holds_resends = false;
        self.forced = Some(Forced::Head);
        self.rtt.back_off();
        self.timer = Some((Timer::Retransmit, self.retransmit_at(now)));
    }

    /// Takes everything for lost that did not come, but for what was sent so lately that nothing can be known of it.
    fn mark_all_lost(&mut self, now: Instant) {
        let first = self.board.first();
        let given = if self.finds_by_time() { self.rack.rtt } else { Duration::ZERO };
        let last = self.board.last().map_or(first, |last| last + 1);
        for number in first..last {
            let sent = self.board.get(number);
            if number == first || now.saturating_since(sent.sent_at) >= given {
                self.take_for_lost(number);
            }
        }
    }
}
