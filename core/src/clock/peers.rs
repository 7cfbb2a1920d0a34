//! The sources that a node listens to, with the estimator of each one's clock.

use super::{BURST, BURST_TIME, ClockEstimator, Exchange, ReplyOutcome};
use crate::ids::{NodeId, SessionKey};
use crate::time::{Duration, Instant};

/// One source.
#[derive(Debug)]
pub(crate) struct ClockPeer {
    /// The source.
    pub(crate) source: NodeId,
    /// What is known of its clock.
    pub(crate) estimator: ClockEstimator,
    /// The session over whose way back the last probe went.
    pub(crate) session: SessionKey,
    /// Whether a timer for the next probe is set.
    pub(crate) is_probing: bool,
    /// Probes left of the quick start.
    burst: u32,
    /// When the last answer came.
    answered_at: Option<Instant>,
}

/// All sources whose sessions a node takes part in, by dense index: entries come into being with sessions, and one
/// that no session uses any more is taken over by a new source once there are many.
#[derive(Debug, Default)]
pub(crate) struct ClockPeers {
    peers: Vec<ClockPeer>,
}

impl ClockPeers {
    /// Returns the entry of `source`, for its session `key`. A new one replaces one that `is_used` denies, if there
    /// are `peers_max` already; `None` when all are used.
    pub(crate) fn enter(
        &mut self,
        source: NodeId,
        key: SessionKey,
        peers_max: usize,
        is_used: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        if let Some(at) = self.peers.iter().position(|peer| peer.source == source) {
            return Some(at as u32);
        }
        let entry = ClockPeer {
            source,
            estimator: ClockEstimator::default(),
            session: key,
            is_probing: false,
            burst: BURST,
            answered_at: None,
        };
        if self.peers.len() < peers_max {
            self.peers.push(entry);
            return Some((self.peers.len() - 1) as u32);
        }
        let idle = self.peers.iter().enumerate().find(|(at, peer)| !peer.is_probing && !is_used(*at as u32));
        let at = idle.map(|(at, _)| at)?;
        self.peers[at] = entry;
        Some(at as u32)
    }

    /// Returns an entry.
    ///
    /// # Panics
    /// If there is none: indices come from [`Self::enter`].
    pub(crate) fn get(&self, index: u32) -> &ClockPeer {
        &self.peers[index as usize]
    }

    /// Returns an entry, to change it.
    ///
    /// # Panics
    /// As [`Self::get`].
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut ClockPeer {
        &mut self.peers[index as usize]
    }

    /// Returns the entry of a source, to change it.
    pub(crate) fn of_source(&mut self, source: NodeId) -> Option<&mut ClockPeer> {
        self.peers.iter_mut().find(|peer| peer.source == source)
    }

    /// Returns all entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClockPeer> {
        self.peers.iter()
    }
}

impl ClockPeer {
    /// Probing begins, or goes on after a pause; after one that aged everything, with a quick start.
    pub(crate) fn begin(&mut self, now: Instant, interval: Duration) {
        self.is_probing = true;
        let stale = interval.saturating_mul(u64::from(BURST));
        if self.answered_at.is_none_or(|at| now.saturating_since(at) > stale) {
            self.burst = BURST;
        }
    }

    /// A probe is made; returns its timestamp and the time until the next one.
    pub(crate) fn probe(&mut self, now: Instant, interval: Duration) -> (u64, Duration) {
        let quick = Duration::from_nanos(interval.min(BURST_TIME).as_nanos() / u64::from(BURST));
        self.burst = self.burst.saturating_sub(1);
        let wait = if self.burst > 0 { quick.max(Duration::from_nanos(1)) } else { interval };
        (self.estimator.on_probe(now), wait)
    }

    /// An answer came.
    pub(crate) fn on_reply(&mut self, now: Instant, exchange: &Exchange) -> ReplyOutcome {
        let outcome = self.estimator.on_reply(exchange);
        if matches!(outcome, ReplyOutcome::Taken | ReplyOutcome::Step) {
            self.answered_at = Some(now);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u32) -> NodeId {
        NodeId::new(id).expect("a legal id")
    }

    /// The quick start is over within its second, pauses bring it back, and short ones do not.
    #[test]
    fn the_quick_start_comes_first_and_after_pauses() {
        let interval = Duration::from_secs(1);
        let mut peers = ClockPeers::default();
        let index = peers.enter(node(1), SessionKey::new(1, 1), 4, |_| true).expect("there is room");
        let peer = peers.get_mut(index);
        let mut now = Instant::ZERO;
        let mut made = Vec::new();
        peer.begin(now, interval);
        while now < Instant::from_nanos(3_500_000_000) {
            made.push(now.as_nanos() / 1_000_000);
            let (t1, wait) = peer.probe(now, interval);
            let exchange = Exchange { t1, t2: t1, t3: t1, t4: t1 };
            assert_eq!(peer.on_reply(now, &exchange), ReplyOutcome::Taken);
            now += wait;
        }
        assert_eq!(made, [0, 125, 250, 375, 500, 625, 750, 875, 1875, 2875]);
        peer.begin(now + interval, interval);
        assert_eq!(peer.probe(now + interval, interval).1, interval);
        let later = now + Duration::from_secs(20);
        peer.begin(later, interval);
        assert_eq!(peer.probe(later, interval).1, Duration::from_millis(125));
    }

    /// The table is bounded: only sources that no session needs make room.
    #[test]
    fn the_table_is_bounded() {
        let mut peers = ClockPeers::default();
        let key = SessionKey::new(1, 1);
        assert_eq!(peers.enter(node(1), key, 2, |_| true), Some(0));
        assert_eq!(peers.enter(node(2), key, 2, |_| true), Some(1));
        assert_eq!(peers.enter(node(1), key, 2, |_| true), Some(0));
        assert_eq!(peers.enter(node(3), key, 2, |_| true), None);
        assert_eq!(peers.enter(node(3), key, 2, |index| index != 1), Some(1));
        assert_eq!(peers.get(1).source, node(3));
    }
}
