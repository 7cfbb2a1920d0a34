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
mod tests {
    use super::*;
    use crate::rng::Seed;

    const CONFIG: FailoverConfig = FailoverConfig { keepalive: Duration::from_millis(100), lost: 3 };

    fn heard(is_unheard: bool) -> Watching {
        Watching { is_on: true, is_unheard }
    }

    /// Serves a watch's timers up to `to`; returns what changed last.
    fn serve(watch: &mut Watch, to: Instant) -> Option<WatchChange> {
        let mut last = None;
        while watch.deadline(&CONFIG) <= to {
            let at = watch.deadline(&CONFIG);
            last = watch.on_timer(at, &CONFIG).1.or(last);
        }
        last
    }

    fn ms(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    /// Aim: the third keepalive in a row that does not come takes the hop down, at its time and a quarter; keepalives
    /// that come back take it up after 1.5 s without a gap.
    #[test]
    fn three_lost_keepalives_are_a_failure() {
        let mut watch = Watch::new(ms(0));
        for at in [50, 150, 250, 450] {
            serve(&mut watch, ms(at));
            assert_eq!(watch.on_heard(ms(at), heard(false), &CONFIG), None);
        }
        assert_eq!(serve(&mut watch, ms(774)), None);
        assert!(!watch.says_unheard(ms(774), &CONFIG));
        assert_eq!(serve(&mut watch, ms(775)), Some(WatchChange::Down(HopFault::Silent)));
        assert!(watch.says_unheard(ms(775), &CONFIG));
        assert_eq!(serve(&mut watch, ms(800)), None, "it is told once");
        for at in (1_000..2_500).step_by(100) {
            assert_eq!(watch.on_heard(ms(at), heard(false), &CONFIG), None, "at {at}");
        }
        assert_eq!(watch.on_heard(ms(2_500), heard(false), &CONFIG), Some(WatchChange::Up));
    }

    /// Aim: a peer that says it hears nothing is not sent to, however well it is heard; a gap on the way up begins the
    /// wait anew; one that was never heard has a second.
    #[test]
    fn what_the_peer_says_counts() {
        let mut watch = Watch::new(ms(0));
        assert_eq!(watch.on_heard(ms(10), heard(true), &CONFIG), Some(WatchChange::Down(HopFault::Unheard)));
        assert_eq!(watch.on_heard(ms(110), heard(false), &CONFIG), None);
        assert_eq!(watch.on_heard(ms(1_500), heard(false), &CONFIG), None, "there was a gap");
        for at in (1_600..3_000).step_by(100) {
            assert_eq!(watch.on_heard(ms(at), heard(false), &CONFIG), None, "at {at}");
        }
        assert_eq!(watch.on_heard(ms(3_000), heard(false), &CONFIG), Some(WatchChange::Up));
        let mut watch = Watch::new(ms(0));
        assert_eq!(serve(&mut watch, ms(999)), None);
        assert_eq!(serve(&mut watch, ms(1_000)), Some(WatchChange::Down(HopFault::Silent)));
    }

    /// Aim: keepalives keep their distance, and a node that was held up sends one, not all that it missed.
    #[test]
    fn keepalives_keep_their_distance() {
        let mut watch = Watch::new(ms(0));
        let mut sent = Vec::new();
        for now in [0, 40, 100, 199, 200, 900, 950, 1_000] {
            if watch.on_timer(ms(now), &CONFIG).0 {
                sent.push(now);
            }
        }
        assert_eq!(sent, [0, 100, 200, 900, 1_000]);
    }

    /// Runs a hop of `per_tick` frames in 100 ms, of which `lose` says which are lost, until it is grey.
    fn frames_until_grey(per_tick: u64, max: u64, mut lose: impl FnMut() -> bool) -> Option<u64> {
        let mut watch = Watch::new(ms(0));
        let (mut frames, mut was_lost) = (0, false);
        while frames < max {
            let mut arrivals = Arrivals { numbers: per_tick, ..Arrivals::default() };
            for _ in 0..per_tick {
                let is_lost = lose();
                arrivals.missing += i64::from(is_lost);
                arrivals.runs += u64::from(is_lost && !was_lost);
                was_lost = is_lost;
            }
            frames += per_tick;
            let now = ms(frames * 100 / per_tick);
            watch.on_arrivals(now, arrivals);
            if watch.says_unheard(now, &FailoverConfig { lost: 1 << 20, ..CONFIG }) {
                return Some(frames);
            }
        }
        None
    }

    /// Aim: 30 % of losses are found within some 80 frames (threshold over drift: 12 / 0.15); 2 % never, and 5 % in
    /// bursts of five not either, over a million frames each. Losses of 5 % by themselves are the edge: not in 100,000.
    #[test]
    fn a_grey_hop_is_told_from_one_that_loses_a_little() {
        let mut stream = Seed(9).stream("grey");
        let mut chance = move |p: f64| (stream.next_u64() as f64) < p * 18_446_744_073_709_551_616.0;
        let mut found: Vec<u64> =
            (0..200).map(|_| frames_until_grey(10, 1_000, || chance(0.3)).expect("within 1,000")).collect();
        found.sort_unstable();
        assert!((60..=110).contains(&found[100]), "median {}", found[100]);
        assert!(found[189] <= 180, "95th percentile {}", found[189]);
        assert_eq!(frames_until_grey(10, 1_000_000, || chance(0.02)), None);
        let mut is_bad = false;
        let burst = frames_until_grey(10, 1_000_000, || {
            // Bursts of five on average; one frame in twenty is lost.
            is_bad = if is_bad { !chance(0.2) } else { chance(0.2 / 19.0) };
            is_bad
        });
        assert_eq!(burst, None);
        assert_eq!(frames_until_grey(10, 100_000, || chance(0.05)), None);
    }

    /// Aim: a node that was held up for a second takes nobody for dead: what came meanwhile has yet to be read.
    #[test]
    fn who_was_held_up_waits_for_what_came_meanwhile() {
        let mut watch = Watch::new(ms(0));
        watch.on_heard(ms(0), heard(false), &CONFIG);
        watch.on_timer(ms(100), &CONFIG);
        assert_eq!(watch.on_timer(ms(1_200), &CONFIG).1, None);
        assert_eq!(watch.on_heard(ms(1_200), heard(false), &CONFIG), None);
        // But it does not wait for ever.
        watch.on_timer(ms(1_300), &CONFIG);
        watch.on_timer(ms(1_400), &CONFIG);
        watch.on_timer(ms(1_500), &CONFIG);
        assert_eq!(watch.on_timer(ms(1_525), &CONFIG).1, Some(WatchChange::Down(HopFault::Silent)));
    }

    /// Aim: packets that come back before the first keepalive does not make a hop good at once.
    #[test]
    fn a_hop_is_steady_before_it_is_up() {
        let mut watch = Watch::new(ms(0));
        watch.on_heard(ms(0), heard(false), &CONFIG);
        for at in (0..5_000).step_by(25) {
            watch.on_timer(ms(at), &CONFIG);
        }
        assert!(watch.fault().is_some());
        watch.on_arrivals(ms(5_000), Arrivals { numbers: 3, ..Arrivals::default() });
        watch.on_arrivals(ms(5_010), Arrivals { numbers: 3, ..Arrivals::default() });
        assert_eq!(watch.on_heard(ms(5_010), heard(false), &CONFIG), None, "it has been well for a moment");
    }

    /// Aim: who has nothing to do with a peer, and whom the peer does not want, is watched no more.
    #[test]
    fn watching_ends() {
        let idle = Duration::from_secs(30);
        let mut watch = Watch::new(ms(0));
        assert!(watch.is_needed(ms(29_999), idle) && !watch.is_needed(ms(30_000), idle));
        watch.on_heard(ms(20_000), heard(false), &CONFIG);
        assert!(watch.is_needed(ms(49_999), idle) && !watch.is_wanted(ms(30_000), idle));
        watch.want(ms(40_000));
        assert!(watch.is_wanted(ms(69_999), idle) && !watch.is_needed(ms(70_000), idle));
    }

    /// Aim: a peer whose keepalives are lost, but whose packets come, lives.
    #[test]
    fn packets_are_signs_of_life() {
        let mut watch = Watch::new(ms(0));
        watch.on_heard(ms(0), heard(false), &CONFIG);
        let look = |watch: &mut Watch, at: u64, numbers: u64| {
            watch.on_arrivals(ms(at), Arrivals { numbers, ..Arrivals::default() });
            watch.on_timer(ms(at), &CONFIG).1
        };
        for at in (100..=1_000).step_by(100) {
            assert_eq!(look(&mut watch, at, 1), None, "at {at}");
        }
        assert_eq!(look(&mut watch, 1_100, 0), None);
        assert_eq!(look(&mut watch, 1_200, 0), None);
        assert_eq!(watch.on_timer(ms(1_225), &CONFIG).1, Some(WatchChange::Down(HopFault::Silent)));
    }

    /// Aim: numbers that only come late are no losses.
    #[test]
    fn reordering_is_no_loss() {
        let mut watch = Watch::new(ms(0));
        for tick in 0..1_000 {
            watch.on_arrivals(ms(tick * 100), Arrivals { numbers: 10, runs: 4, missing: 0 });
        }
        assert!(watch.grey_until.is_none());
    }
}
