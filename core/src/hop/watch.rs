//! Watching a neighbour: whether it is heard, whether it hears this node, whether too much of what it sends is lost.
//!
//! Keepalives are control frames without a message, at a fixed distance, so that every pair of nodes that packets go
//! between needs one stream of them each way, whatever hops there are. A hop to the peer is down when
//! - the peer has not been heard for [`FailoverConfig::silence_max`] (three lost keepalives),
//! - or the peer says that what this node sends does not reach it as it should: it hears nothing, or finds the hop grey.
//!
//! A hop is *grey* when it carries frames, but loses too many. That shows in the numbers of frames that carry packets, not
//! in keepalives, which are too few: a cumulative sum (Page 1954) of the log likelihood ratio between runs of losses
//! that come once in five frames (30 % lost, each by itself) and once in twenty (5 %). Runs are counted, not frames, so
//! that a burst of losses weighs no more than a single one; numbers that come late take back what they seemed to prove.
//!
//! It is up again once nothing of that was so for [`STEADY`].

use crate::config::FailoverConfig;
use crate::time::{Duration, Instant};
use crate::wire::control::Watching;
use serde::{Deserialize, Serialize};

/// A peer that was never heard may take so long to answer the first hello.
const OPENING: Duration = Duration::from_secs(1);
/// A hop that was down is up after so long without a fault.
pub const STEADY: Duration = Duration::from_millis(1_500);
/// A hop that was found grey is not used for so long; twice as long each time it is grey again soon.
const GREY_FIRST: Duration = Duration::from_secs(10);
const GREY_MAX: Duration = Duration::from_secs(80);
/// ln(0.21 / 0.0475): what a run of losses says for a grey hop, with 0.3 * 0.7 runs a frame there and 0.05 * 0.95 on one
/// that loses 5 %.
const RUN_WEIGHT: f64 = 1.486_4;
/// 0.21 - 0.0475: what a frame says against it.
const FRAME_WEIGHT: f64 = 0.162_5;
/// The hop is grey at this sum: about e^12 frames of a sound one lead there by chance.
const GREY_SUM: f64 = 12.0;

/// Why a hop is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopFault {
    /// The peer is not heard any more.
    Silent,
    /// The peer is heard, but says that it does not hear this node as it should.
    Unheard,
    /// Its probes go unanswered ([`crate::hop::Probe`]).
    Unanswered,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchChange {
    /// The hop is down.
    Down(HopFault),
    /// The hop is up again.
    Up,
}

/// What frames with packets told of the way here since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Numbers by which the highest one rose.
    pub numbers: u64,
    /// Runs of numbers that were passed over.
    pub runs: u64,
    /// Numbers passed over, less those that came late.
    pub missing: i64,
}

/// What a node keeps of a neighbour that it watches.
#[derive(Clone, Debug)]
pub struct Watch {
    heard_at: Instant,
    has_heard: bool,
    /// Whether the peer says that it does not hear this node as it should.
    is_unheard: bool,
    /// Since when there has been no fault.
    steady_since: Instant,
    fault: Option<HopFault>,
    keepalive_at: Instant,
    /// When frames with packets were last looked at.
    looked_at: Instant,
    grey_sum: f64,
    grey_until: Option<Instant>,
    grey_for: Duration,
    /// When this node, and the peer, last had something to do with the other.
    wanted_at: Instant,
    peer_wanted_at: Option<Instant>,
}

impl Watch {
    /// Begins to watch a peer.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            heard_at: now,
            has_heard: false,
            is_unheard: false,
            steady_since: now,
            fault: None,
            keepalive_at: now,
            looked_at: now,
            grey_sum: 0.0,
            grey_until: None,
            grey_for: GREY_FIRST,
            wanted_at: now,
            peer_wanted_at: None,
        }
    }

    /// Packets go to the peer or come from it, or are about to.
    pub fn want(&mut self, now: Instant) {
        self.wanted_at = now;
    }

    /// Whether this node has had something to do with the peer in the time `idle`.
    #[must_use]
    pub fn is_wanted(&self, now: Instant, idle: Duration) -> bool {
        now.saturating_since(self.wanted_at) < idle
    }

    /// Whether either of the two has: else nobody needs to be watched.
    #[must_use]
    pub fn is_needed(&self, now: Instant, idle: Duration) -> bool {
        self.is_wanted(now, idle)
            || self.peer_wanted_at.is_some_and(|wanted| now.saturating_since(wanted) < idle)
    }

    /// Returns why the hop to the peer is down; `None`: it is up.
    #[must_use]
    pub const fn fault(&self) -> Option<HopFault> {
        self.fault
    }

    /// Whether keepalives say that the peer does not reach this node as it should.
    #[must_use]
    pub fn says_unheard(&self, now: Instant, config: &FailoverConfig) -> bool {
        self.is_silent(now, config) || self.grey_until.is_some_and(|until| now < until)
    }

    /// The peer was heard, and says how it watches this node.
    pub fn on_heard(
        &mut self,
        now: Instant,
        Watching { is_on, is_unheard }: Watching,
        config: &FailoverConfig,
    ) -> Option<WatchChange> {
        if is_on {
            self.peer_wanted_at = Some(now);
        }
        if is_unheard || self.is_unheard || self.is_silent(now, config) {
            self.steady_since = now;
        }
        (self.heard_at, self.has_heard, self.is_unheard) = (now, true, is_unheard);
        self.judge(now, config)
    }

    /// Returns when [`Self::on_timer`] is to be called.
    #[must_use]
    pub fn deadline(&self, config: &FailoverConfig) -> Instant {
        match self.fault {
            None => self.keepalive_at.min(self.silent_at(config)),
            Some(_) => self.keepalive_at,
        }
    }

    /// Does what is due by time. Returns whether a keepalive is to be sent, and what changed.
    ///
    /// A node that was held up itself knows nothing of its peers for that time: what they sent waits to be read.
    pub fn on_timer(&mut self, now: Instant, config: &FailoverConfig) -> (bool, Option<WatchChange>) {
        let late = now.saturating_since(self.deadline(config));
        if late >= Duration::from_nanos(config.keepalive.as_nanos() / 4) {
            self.heard_at = (self.heard_at + late).min(now);
        }
        let is_due = self.keepalive_at <= now;
        if is_due {
            // A node that was held up does not make up for what it missed.
            let next = self.keepalive_at + config.keepalive;
            self.keepalive_at = if next > now { next } else { now + config.keepalive };
        }
        (is_due, self.judge(now, config))
    }

    /// Takes in what frames with packets told; to be called at each keepalive. They are signs of life, too, but of when in
    /// the time since the last look is not known: the earliest is believed.
    pub fn on_arrivals(&mut self, now: Instant, arrivals: Arrivals) {
        if arrivals.numbers > 0 && self.has_heard && self.looked_at > self.heard_at {
            self.heard_at = self.looked_at;
        }
        self.looked_at = now;
        if self.grey_until.is_some_and(|until| now < until) {
            // What still comes was sent before the peer knew.
            self.grey_sum = 0.0;
            return;
        }
        let runs = arrivals.runs.min(u64::try_from(arrivals.missing).unwrap_or(0));
        let told = runs as f64 * RUN_WEIGHT - arrivals.numbers as f64 * FRAME_WEIGHT;
        self.grey_sum = (self.grey_sum + told).max(0.0);
        if self.grey_sum < GREY_SUM {
            return;
        }
        self.grey_sum = 0.0;
        let is_again = self.grey_until.is_some_and(|until| now.saturating_since(until) < self.grey_for);
        self.grey_for = if is_again { self.grey_for.saturating_mul(2).min(GREY_MAX) } else { GREY_FIRST };
        self.grey_until = Some(now + self.grey_for);
    }

    fn silent_at(&self, config: &FailoverConfig) -> Instant {
        let patience = config.silence_max();
        self.heard_at + if self.has_heard { patience } else { patience.max(OPENING) }
    }

    fn is_silent(&self, now: Instant, config: &FailoverConfig) -> bool {
        now >= self.silent_at(config)
    }

    fn judge(&mut self, now: Instant, config: &FailoverConfig) -> Option<WatchChange> {
        let fault = if self.is_silent(now, config) {
            Some(HopFault::Silent)
        } else if self.is_unheard {
            Some(HopFault::Unheard)
        } else {
            None
        };
        if fault.is_some() {
            self.steady_since = now;
        }
        match (self.fault, fault) {
            (None, Some(fault)) => {
                self.fault = Some(fault);
                Some(WatchChange::Down(fault))
            }
            (Some(_), None) if self.has_heard && now.saturating_since(self.steady_since) >= STEADY => {
                self.fault = None;
                Some(WatchChange::Up)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
