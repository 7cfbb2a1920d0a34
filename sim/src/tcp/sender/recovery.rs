//! Losses: how they are found, how the window comes down, and how that is undone.

use super::ack::Told;
use super::{CaState, Reduction, Sender, Timer, Undo};
use bellini_core::time::{Duration, Instant};

/// What is added to the time that reordering is given (two ticks of Linux's clock).
const SLACK: Duration = Duration::from_millis(2);

impl Sender {
    /// Decides what a dubious acknowledgement means; whether the timer was set for reordering.
    pub(super) fn judge(&mut self, now: Instant, told: &mut Told) -> bool {
        if !self.options.sack && told.is_repeated {
            self.duplicates = (self.duplicates + 1).min(self.board.len().saturating_sub(1));
            self.delivered += 1;
        }
        if self.state == CaState::Open {
            self.undo.resent_since = None;
        } else if self.una >= self.high {
            match self.state {
                CaState::Reducing if self.una > self.high => {
                    self.end_reduction();
                    self.enter(CaState::Open);
                }
                CaState::Recovery => {
                    self.duplicates = 0;
                    if self.try_undo(now, told) {
                        return false;
                    }
                    self.end_reduction();
                    self.enter(CaState::Open);
                }
                _ => {}
            }
        }
        match self.state {
            CaState::Recovery => {
                let was_undone =
                    told.is_forward && self.was_delayed(told) && self.try_undo_partial(now, told);
                if was_undone {
                    return false;
                }
                let is_set = self.find_losses(now, told);
                if self.state == CaState::Recovery {
                    return is_set;
                }
                if self.board.lost() == 0 {
                    return is_set;
                }
                self.enter_recovery();
                is_set
            }
            CaState::Loss => {
                self.process_loss(now, told);
                let is_set = self.find_losses(now, told);
                if !(self.state == CaState::Open || told.lost_resend) {
                    return is_set;
                }
                self.conclude();
                is_set
            }
            _ => {
                let was_for_nothing = self.undo.is_possible && self.undo.resent == 0 && told.is_duplicate;
                if was_for_nothing && self.finds_by_time() {
                    self.undo_reduction(false);
                }
                let is_set = self.find_losses(now, told);
                self.conclude();
                is_set
            }
        }
    }

    /// Enters recovery if something is lost, or says that all is well.
    fn conclude(&mut self) {
        if self.board.lost() > 0 {
            self.enter_recovery();
            return;
        }
        if self.board.resent() == 0 {
            self.undo.resent_since = None;
        }
        if self.state != CaState::Reducing {
            self.keep_open();
        }
    }

    fn keep_open(&mut self) {
        let is_disordered =
            self.board.sacked() + self.board.lost() + self.board.resent() + self.duplicates > 0;
        let state = if is_disordered { CaState::Disorder } else { CaState::Open };
        if self.state != state {
            self.enter(state);
            self.high = self.nxt;
        }
    }

    pub(super) fn enter(&mut self, state: CaState) {
        self.state = state;
        if state != CaState::Loss {
            self.is_doubtful = false;
            self.holds_resends = false;
        }
    }

    /// Takes for lost what was sent so long before the latest that came (RACK), or has three behind it that came;
    /// whether a timer was set for what is still given time.
    fn find_losses(&mut self, now: Instant, told: &mut Told) -> bool {
        if !self.options.sack {
            let is_first = self.state < CaState::Recovery && self.duplicates >= self.reordering;
            if (is_first || (self.state == CaState::Recovery && told.is_forward))
                && self.board.front().is_some_and(|sent| !sent.is_lost)
            {
                self.take_for_lost(self.board.first());
            }
            return false;
        }
        if !self.finds_by_time() {
            self.count_behind();
            return false;
        }
        let resent = self.board.resent();
        let wait = self.detect(now);
        told.lost_resend = self.board.resent() < resent;
        match wait {
            Some(wait) => {
                self.timer = Some((Timer::Reordering, now + wait + SLACK));
                true
            }
            None => false,
        }
    }

    /// Takes for lost what has three segments behind it that came (RFC 6675's IsLost). A repeat is not judged again.
    fn count_behind(&mut self) {
        let Some(limit) = self.board.sacked_from_top(self.reordering) else { return };
        let mut at = self.board.oldest();
        while let Some(number) = at {
            let sent = self.board.get(number);
            if !sent.is_repeated && number >= limit {
                break;
            }
            at = self.board.sent_after(number);
            if !sent.is_lost && number < limit {
                self.take_for_lost(number);
            }
        }
    }

    /// Does that by time; returns the longest time that a segment is still given.
    pub(super) fn detect(&mut self, now: Instant) -> Option<Duration> {
        let given = self.rack.rtt + self.reordering_window();
        let mut wait = None;
        let mut at = self.board.oldest();
        while let Some(number) = at {
            let sent = self.board.get(number);
            if (sent.sent_at, sent.range.end) >= (self.rack.sent_at, self.rack.end) {
                break;
            }
            at = self.board.sent_after(number);
            let age = now.saturating_since(sent.sent_at);
            if age >= given {
                self.take_for_lost(number);
            } else {
                let left = given.saturating_sub(age);
                wait = Some(wait.map_or(left, |longest: Duration| longest.max(left)));
            }
        }
        wait
    }

    /// Returns the time that reordering is given beyond a round trip.
    fn reordering_window(&self) -> Duration {
        let is_sure = self.state >= CaState::Recovery || self.board.sacked() >= self.reordering;
        if !self.has_reordered && is_sure {
            return Duration::ZERO;
        }
        let quarter = self.rtt.min().unwrap_or_default().as_nanos() / 4;
        let window = Duration::from_nanos(quarter).saturating_mul(u64::from(self.rack.steps));
        window.min(self.rtt.srtt().unwrap_or_default())
    }

    pub(super) fn take_for_lost(&mut self, number: u64) {
        self.marked_lost += u64::from(self.board.mark_lost(number));
    }

    pub(super) fn enter_recovery(&mut self) {
        self.stats.recoveries += 1;
        let prior_ssthresh = if self.is_reducing() { 0 } else { self.kept_threshold() };
        let was_reducing = self.is_reducing();
        self.begin_undo(prior_ssthresh);
        if !was_reducing {
            self.begin_reduction();
        }
        self.enter(CaState::Recovery);
    }

    pub(super) fn begin_undo(&mut self, prior_ssthresh: u32) {
        let resent = i64::from(self.board.resent());
        self.undo = Undo {
            is_possible: true,
            prior_ssthresh,
            prior_cwnd: self.window.cwnd,
            // None so far: the first repeat makes it one.
            resent: if resent > 0 { resent } else { -1 },
            resent_since: self.undo.resent_since,
        };
    }

    pub(super) fn begin_reduction(&mut self) {
        self.high = self.nxt;
        self.probe = None;
        self.reduction = Reduction { prior_cwnd: self.window.cwnd, delivered: 0, out: 0 };
        self.window.ssthresh = self.congestion.on_loss(self.window.cwnd);
        self.window.reset(self.window.cwnd);
    }

    /// Lets the window come down with what is delivered (RFC 6937, with its slow-start bound).
    pub(super) fn reduce(&mut self, delivered: u32, lost: u32, is_forward: bool) {
        if delivered == 0 {
            return;
        }
        let in_flight = self.board.in_flight();
        let reduction = &mut self.reduction;
        reduction.delivered += delivered;
        let target = self.window.ssthresh;
        let allowed = if in_flight > target {
            let due = (u64::from(target) * u64::from(reduction.delivered))
                .div_ceil(u64::from(reduction.prior_cwnd.max(1)));
            (due as u32).saturating_sub(reduction.out)
        } else {
            let mut allowed = reduction.delivered.saturating_sub(reduction.out).max(delivered);
            if is_forward && lost == 0 {
                allowed += 1;
            }
            allowed.min(target - in_flight)
        };
        // The first repeat goes at once.
        let allowed = allowed.max(u32::from(reduction.out == 0));
        self.window.cwnd = in_flight + allowed;
    }

    pub(super) fn end_reduction(&mut self) {
        if self.has_threshold() && (self.state == CaState::Reducing || self.undo.is_possible) {
            self.window.reset(self.window.ssthresh);
        }
        self.undo.is_possible = false;
    }

    /// Whether what came had been sent before the first repeat: that was for nothing (RFC 3522).
    fn was_delayed(&self, told: &Told) -> bool {
        self.undo.resent_since.is_some_and(|since| told.echo > Instant::ZERO && told.echo < since)
    }

    fn may_undo(&self, told: &Told) -> bool {
        self.undo.is_possible
            && self.finds_by_time()
            && (self.undo.resent == 0 || self.undo.resent_since.is_none() || self.was_delayed(told))
    }

    /// At the end of a recovery: undoes it if nothing had been lost.
    fn try_undo(&mut self, now: Instant, told: &Told) -> bool {
        if !self.may_undo(told) {
            return false;
        }
        self.undo_reduction(false);
        self.enter(CaState::Open);
        self.rearm(now);
        true
    }

    fn try_undo_partial(&mut self, now: Instant, told: &Told) -> bool {
        if !self.may_undo(told) {
            return false;
        }
        // The path reorders: give it time, and go on once the last repeat is heard of.
        self.has_reordered = true;
        if self.board.resent() > 0 {
            return true;
        }
        self.undo_reduction(true);
        self.keep_open();
        self.rearm(now);
        false
    }

    fn undo_reduction(&mut self, unmark: bool) {
        if unmark {
            self.board.unmark_lost();
        }
        self.stats.undone += 1;
        if self.undo.prior_ssthresh > 0 {
            self.window.reset(self.window.cwnd.max(self.undo.prior_cwnd));
            self.window.ssthresh = self.window.ssthresh.max(self.undo.prior_ssthresh);
        }
        self.undo.is_possible = false;
    }

    /// After a timeout: what an acknowledgement says of it (RFC 5682, 3.1).
    fn process_loss(&mut self, now: Instant, told: &Told) {
        let is_recovered = self.una >= self.high;
        if told.is_forward && self.may_undo(told) {
            self.undo_timeout(now);
            return;
        }
        if self.is_doubtful {
            if told.is_original && self.undo.is_possible {
                self.undo_timeout(now);
                return;
            }
            if self.nxt > self.high {
                if told.is_sacked || told.is_repeated {
                    (self.is_doubtful, self.holds_resends) = (false, false);
                }
            } else if told.is_forward && !is_recovered {
                self.high = self.nxt;
                let has_new = self.written > self.nxt && self.window_end > self.nxt;
                (self.is_doubtful, self.holds_resends) = (has_new, has_new);
                if has_new {
                    return;
                }
            }
        }
        if is_recovered {
            if self.may_undo(told) {
                self.undo_reduction(false);
            }
            self.duplicates = 0;
            self.enter(CaState::Open);
        }
    }

    fn undo_timeout(&mut self, now: Instant) {
        self.undo_reduction(true);
        self.enter(CaState::Open);
        self.undo.resent_since = None;
        self.rearm(now);
    }

    /// An acknowledgement may end the wait for a probe's: if it was a repeat that filled a hole, there was a loss.
    pub(super) fn end_probe(&mut self, told: &Told, ack: u64) {
        let Some((high, is_repeat)) = self.probe else { return };
        if ack < high {
            return;
        }
        if !is_repeat || told.is_duplicate {
            self.probe = None;
        } else if ack > high {
            self.begin_reduction();
            self.state = CaState::Reducing;
            self.end_reduction();
            self.keep_open();
        } else if told.is_repeated && !told.is_sacked {
            self.probe = None;
        }
    }
}
