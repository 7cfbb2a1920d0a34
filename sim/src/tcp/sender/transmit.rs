//! What is sent now.

use super::{CaState, Forced, Sender, Timer};
use crate::tcp::ranges::Range;
use bellini_core::time::Instant;

/// A segment to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the stream.
    pub range: Range,
    /// Whether it was sent before.
    pub is_repeat: bool,
}

impl Sender {
    /// Returns the next segment to send, of at most `mss` bytes if it is new. Call until `None`.
    pub fn poll(&mut self, now: Instant, mss: u32) -> Option<Outgoing> {
        let next = self.next_segment(now, mss);
        match next {
            Some(outgoing) => {
                self.last_sent = now;
                if self.is_reducing() {
                    self.reduction.out += 1;
                }
                if !outgoing.is_repeat {
                    self.burst += 1;
                }
            }
            None => {
                self.end_burst(now);
                debug_assert!(self.board.is_empty() || self.timer.is_some(), "what is out is timed");
            }
        }
        next
    }

    fn next_segment(&mut self, now: Instant, mss: u32) -> Option<Outgoing> {
        match self.forced.take() {
            Some(Forced::Head) if !self.board.is_empty() => {
                return Some(self.repeat(now, self.board.first()));
            }
            Some(Forced::ProbeNew) if self.written > self.nxt => return Some(self.send_new(now, mss)),
            Some(Forced::ProbeLast) => {
                if let Some(last) = self.board.last() {
                    return Some(self.resend(now, last));
                }
            }
            _ => {}
        }
        if self.board.in_flight() >= self.window.cwnd {
            return None;
        }
        if !self.holds_resends
            && let Some(number) = self.board.next_to_resend()
        {
            return Some(self.repeat(now, number));
        }
        let end = (self.nxt + u64::from(mss)).min(self.written);
        (self.nxt < self.written && end <= self.window_end).then(|| self.send_new(now, mss))
    }

    fn send_new(&mut self, now: Instant, mss: u32) -> Outgoing {
        let range = Range::new(self.nxt, (self.nxt + u64::from(mss)).min(self.written));
        let was_empty = self.board.is_empty();
        self.board.push(range, now);
        self.nxt = range.end;
        self.stats.segments += 1;
        if was_empty || matches!(self.timer, Some((Timer::Probe, _))) {
            self.arm_retransmit(now);
        }
        Outgoing { range, is_repeat: false }
    }

    /// Sends what was lost again.
    fn repeat(&mut self, now: Instant, number: u64) -> Outgoing {
        self.undo.resent_since.get_or_insert(now);
        self.undo.resent = self.undo.resent.max(0) + 1;
        self.resend(now, number)
    }

    fn resend(&mut self, now: Instant, number: u64) -> Outgoing {
        let sent = *self.board.get(number);
        self.board.resend(number, now);
        self.stats.resent += 1;
        if number == self.board.first() && !matches!(self.timer, Some((Timer::Reordering, _))) {
            self.timer = Some((Timer::Retransmit, self.retransmit_at(now)));
        }
        Outgoing { range: sent.range, is_repeat: true }
    }

    /// Nothing more can go: was it the window, or had the application nothing more?
    fn end_burst(&mut self, now: Instant) {
        let sent = core::mem::take(&mut self.burst);
        let is_limited = self.board.in_flight() >= self.window.cwnd;
        if sent > 0 {
            self.arm_probe(now, false);
        } else if !is_limited || self.written == self.nxt {
            return;
        }
        let out = self.board.len();
        let usage = &mut self.usage;
        if self.una >= usage.until || is_limited || (!usage.is_limited && out > usage.out_max) {
            usage.is_limited = is_limited;
            usage.out_max = out;
            usage.until = self.nxt;
        }
        if self.is_window_limited() {
            self.usage.used = 0;
            self.usage.since = now;
            return;
        }
        self.usage.used = self.usage.used.max(out);
        if self.state == CaState::Open && now.saturating_since(self.usage.since) >= self.rtt.rto() {
            // The window was not used for so long that it says nothing any more (RFC 2861).
            let used = self.usage.used.max(self.options.initial_window);
            if used < self.window.cwnd {
                self.window.ssthresh = self.kept_threshold();
                self.window.cwnd = self.window.cwnd.midpoint(used);
            }
            self.usage.used = 0;
            self.usage.since = now;
        }
    }

    /// Whether the window is what limits the sender: only then may it grow.
    pub(super) fn is_window_limited(&self) -> bool {
        if self.window.is_in_slow_start() {
            return self.usage.is_limited || self.window.cwnd < 2 * self.usage.out_max;
        }
        self.usage.is_limited
    }

    /// Halves the window for each timeout that passed without anything in flight, down to the initial one.
    pub(super) fn restart_after_idle(&mut self, now: Instant) {
        let idle = now.saturating_since(self.last_sent);
        let rto = self.rtt.rto();
        self.congestion.on_restart(now, idle);
        if idle <= rto {
            return;
        }
        let least = self.options.initial_window.min(self.window.cwnd);
        self.window.ssthresh = self.kept_threshold();
        let halvings = (idle.as_nanos() / rto.as_nanos().max(1)).min(31);
        self.window.reset((self.window.cwnd >> halvings).max(least));
        self.usage.used = 0;
        self.usage.since = now;
    }
}
