//! Ordered, reliable delivery of control messages over one hop, whatever is below.
//!
//! Messages are numbered per connection and repeated until acknowledged (cumulatively); the receiver takes them
//! in order only (go back N, window of 64). Over a transport that is reliable itself nothing is ever repeated.

use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Messages that may be under way unacknowledged.
const WINDOW: usize = 64;
/// Shortest time after which an unacknowledged message is repeated.
const REPEAT_MIN: Duration = Duration::from_millis(200);
/// Longest such time.
const REPEAT_MAX: Duration = Duration::from_secs(4);
/// Repeats without any answer after which the connection is taken for dead.
const REPEATS_MAX: u32 = 8;

/// What a control link counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlStats {
    /// Messages taken in for sending.
    pub queued: u64,
    /// Messages sent, repeats included.
    pub sent: u64,
    /// Messages sent again.
    pub repeated: u64,
    /// Messages received in order.
    pub received: u64,
    /// Messages received again, or out of order.
    pub discarded: u64,
    /// Messages refused or given up.
    pub dropped: u64,
}

/// Both directions of one control hop.
#[derive(Debug, Default)]
pub struct ControlLink {
    /// Messages not yet acknowledged; the first carries number `first`.
    unacked: VecDeque<Box<[u8]>>,
    first: u32,
    /// How many of `unacked` were sent in the current round.
    sent: usize,
    /// Number expected next from the peer.
    expected: u32,
    ack_due: bool,
    repeat_at: Option<Instant>,
    repeats: u32,
    stats: ControlStats,
}

impl ControlLink {
    /// Takes a message in for sending; refuses it when `limit` messages wait.
    pub fn push(&mut self, message: Box<[u8]>, limit: usize) -> bool {
        if self.unacked.len() >= limit {
            self.stats.dropped += 1;
            return false;
        }
        self.stats.queued += 1;
        self.unacked.push_back(message);
        true
    }

    /// Starts both directions anew with a new connection. Unacknowledged messages are sent again on it.
    pub fn reset(&mut self) {
        self.first = 0;
        self.sent = 0;
        self.expected = 0;
        self.ack_due = false;
        self.repeat_at = None;
        self.repeats = 0;
    }

    /// Drops what waits, because the peer does not answer.
    pub fn give_up(&mut self) {
        self.stats.dropped += self.unacked.len() as u64;
        self.unacked.clear();
        self.reset();
    }

    /// Takes the numbers of a control frame in. Returns whether its message is the expected one.
    pub fn on_frame(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        sequence: u32,
        ack: u32,
        has_message: bool,
    ) -> bool {
        let acked = ack.wrapping_sub(self.first) as usize;
        if acked > 0 && acked <= self.sent {
            self.unacked.drain(..acked);
            self.first = ack;
            self.sent -= acked;
            self.repeats = 0;
            self.repeat_at = (self.sent > 0).then(|| now + self.timeout(rtt));
        }
        if !has_message {
            return false;
        }
        self.ack_due = true;
        if sequence != self.expected {
            self.stats.discarded += 1;
            return false;
        }
        self.expected = self.expected.wrapping_add(1);
        self.stats.received += 1;
        true
    }

    /// A frame is to be sent in any case, so that the peer hears this node.
    pub fn keep_alive(&mut self) {
        self.ack_due = true;
    }

    /// Whether something is to be sent.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        self.ack_due || self.sent < self.unacked.len().min(WINDOW)
    }

    /// Returns the next frame's numbers and message: (sequence, ack, message).
    pub fn poll(&mut self, now: Instant, rtt: Option<Duration>) -> Option<(u32, u32, Option<&[u8]>)> {
        if self.sent < self.unacked.len().min(WINDOW) {
            let sequence = self.first.wrapping_add(self.sent as u32);
            self.sent += 1;
            self.ack_due = false;
            self.stats.sent += 1;
            if self.repeat_at.is_none() {
                self.repeat_at = Some(now + self.timeout(rtt));
            }
            return Some((sequence, self.expected, Some(&self.unacked[self.sent - 1])));
        }
        if self.ack_due {
            self.ack_due = false;
            return Some((self.first, self.expected, None));
        }
        None
    }

    /// Returns when unacknowledged messages are to be repeated.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.unacked.is_empty() { None } else { self.repeat_at }
    }

    /// Repeats what is due. Returns `false` when the peer has not answered for so long that it is taken for dead.
    #[must_use]
    pub fn on_timeout(&mut self, now: Instant) -> bool {
        if self.unacked.is_empty() || self.repeat_at.is_none_or(|at| at > now) {
            return true;
        }
        if self.repeats >= REPEATS_MAX {
            return false;
        }
        self.repeats += 1;
        self.stats.repeated += self.sent as u64;
        self.sent = 0;
        self.repeat_at = None;
        true
    }

    /// Returns what was counted.
    #[must_use]
    pub fn stats(&self) -> &ControlStats {
        &self.stats
    }

    fn timeout(&self, rtt: Option<Duration>) -> Duration {
        let base = rtt.map_or(REPEAT_MAX.as_nanos() / 4, |rtt| rtt.as_nanos() * 3).max(REPEAT_MIN.as_nanos());
        let doubled = base.saturating_mul(1 << self.repeats.min(16));
        Duration::from_nanos(doubled.min(REPEAT_MAX.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    type Frame = (u32, u32, Option<Vec<u8>>);

    fn poll(link: &mut ControlLink, now: Instant) -> Option<Frame> {
        let rtt = Some(Duration::from_millis(40));
        link.poll(now, rtt).map(|(sequence, ack, message)| (sequence, ack, message.map(<[u8]>::to_vec)))
    }

    #[test]
    fn messages_survive_loss_once_and_in_order() {
        // 300 messages each way over a pipe that loses 30 % of frames in both directions.
        let mut stream = Seed(2).stream("control");
        let mut links = [ControlLink::default(), ControlLink::default()];
        let mut got: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
        let mut now = Instant::ZERO;
        let mut next = 0_u32;
        while got.iter().any(|list| list.len() < 300) {
            now += Duration::from_millis(20);
            assert!(now.as_secs_f64() < 2_000.0, "the transfer ends");
            if next < 300 {
                for link in &mut links {
                    assert!(link.push(next.to_be_bytes().into(), 1_000));
                }
                next += 1;
            }
            for from in 0..2 {
                assert!(links[from].on_timeout(now));
                while let Some((sequence, ack, message)) = poll(&mut links[from], now) {
                    if stream.chance(0.3) {
                        continue;
                    }
                    let to = 1 - from;
                    if links[to].on_frame(
                        now,
                        Some(Duration::from_millis(40)),
                        sequence,
                        ack,
                        message.is_some(),
                    ) {
                        let bytes: [u8; 4] = message.unwrap().try_into().unwrap();
                        got[to].push(u32::from_be_bytes(bytes));
                    }
                }
            }
        }
        for list in got {
            assert_eq!(list, (0..300).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_silent_peer_is_given_up() {
        let mut link = ControlLink::default();
        link.push(Box::from([1]), 10);
        let mut rounds = 0;
        let mut now = Instant::ZERO;
        loop {
            while poll(&mut link, now).is_some() {}
            now = link.deadline().unwrap();
            if !link.on_timeout(now) {
                break;
            }
            rounds += 1;
        }
        assert_eq!(rounds, REPEATS_MAX);
        link.give_up();
        assert_eq!((link.deadline(), link.stats().dropped), (None, 1));
    }

    #[test]
    fn acknowledgements_of_nothing_sent_are_ignored() {
        let mut link = ControlLink::default();
        link.push(Box::from([1]), 10);
        link.on_frame(Instant::ZERO, None, 0, 77, false);
        assert!(poll(&mut link, Instant::ZERO).is_some(), "the message is still there");
        assert!(!link.push(Box::from([2]), 1), "the limit holds");
    }
}
