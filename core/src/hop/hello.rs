//! The hello exchange that opens a hop.
//!
//! Three messages: hello, hello-ack, hello-done. Each side tells its node id, incarnation, MTU, and the number by
//! which it wants to be addressed (its connection id); each learns the round-trip time from the echo of its own
//! timestamp. Either side may begin, both may at once. A hello of a higher incarnation, or with another connection
//! id, starts the hop anew; one of a lower incarnation is stale.

use crate::ids::{Incarnation, NodeId};
use crate::time::{Duration, Instant};
use crate::wire::frame::{FrameKind, VERSION};
use crate::wire::hello::{Echo, Hello};

/// First distance of repeated hellos; it doubles with each.
const REPEAT_FIRST: Duration = Duration::from_millis(500);
/// Longest distance of repeated hellos.
const REPEAT_MAX: Duration = Duration::from_secs(4);
/// Least distance of hellos that answer frames of an unknown connection.
const NUDGE_INTERVAL: Duration = Duration::from_millis(100);

/// What is known of the peer once it has been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The connection id that frames to it must carry.
    pub connection: u32,
    /// Which start of it this is.
    pub incarnation: Incarnation,
    /// Largest IP packet that its links take.
    pub mtu: u16,
}

/// The handshake of one hop.
#[derive(Clone, Debug)]
pub struct Handshake {
    connection: u32,
    peer: Option<Peer>,
    rtt: Option<Duration>,
    wanted: bool,
    repeat: Duration,
    repeat_at: Option<Instant>,
    nudged_at: Option<Instant>,
    /// The next hello message to send, with the timestamp it echoes and when that came in.
    reply: Option<(FrameKind, Option<(u32, Instant)>)>,
}

/// What a received hello message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloOutcome {
    /// The peer is known for the first time, or again after a restart: the hop is open.
    Opened,
    /// The peer had been known and started anew; what was in progress with it is void.
    Restarted,
    /// Nothing new.
    Unchanged,
    /// It belongs to an earlier start of the peer.
    Stale,
}

impl Handshake {
    /// Returns a handshake that has not begun; the peer shall address us as `connection`.
    #[must_use]
    pub fn new(connection: u32) -> Self {
        Self {
            connection,
            peer: None,
            rtt: None,
            wanted: false,
            repeat: REPEAT_FIRST,
            repeat_at: None,
            nudged_at: None,
            reply: None,
        }
    }

    /// Returns the connection id that frames to us must carry.
    #[must_use]
    pub fn connection(&self) -> u32 {
        self.connection
    }

    /// Returns the peer, once known: the hop is open.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// Returns the round-trip time, once measured.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Whether the peer has not answered at least two hellos.
    #[must_use]
    pub fn is_repeating(&self) -> bool {
        let twice = REPEAT_FIRST.as_nanos() * 4;
        self.peer.is_none() && self.repeat_at.is_some() && self.repeat.as_nanos() >= twice
    }

    /// Begins the exchange unless it has begun.
    pub fn open(&mut self, now: Instant) {
        if self.peer.is_none() && !self.wanted {
            self.wanted = true;
            self.begin(now);
        }
    }

    /// Forgets the peer, and begins anew if the hop is wanted. `connection` must be one never used before.
    pub fn reset(&mut self, now: Instant, connection: u32) {
        self.connection = connection;
        self.peer = None;
        self.rtt = None;
        if self.wanted {
            self.begin(now);
        }
    }

    fn begin(&mut self, now: Instant) {
        self.repeat = REPEAT_FIRST;
        self.repeat_at = Some(now);
    }

    /// Notes a frame of an unknown connection: the peer is told who we are, at most every 100 ms.
    pub fn on_unknown_connection(&mut self, now: Instant) {
        let allowed = self.nudged_at.is_none_or(|at| now.saturating_since(at) >= NUDGE_INTERVAL);
        if allowed && self.reply.is_none() {
            self.nudged_at = Some(now);
            self.reply = Some((FrameKind::Hello, None));
        }
    }

    /// Takes a hello message of `kind` in.
    pub fn on_hello(&mut self, now: Instant, kind: FrameKind, hello: &Hello) -> HelloOutcome {
        let heard = Peer { connection: hello.connection, incarnation: hello.incarnation, mtu: hello.mtu };
        if self.peer.is_some_and(|peer| heard.incarnation < peer.incarnation) {
            return HelloOutcome::Stale;
        }
        // Half the clock's range is a negative span: a replayed or made-up echo.
        if let Some(rtt) = hello.rtt_us(micros(now)).filter(|rtt| *rtt < u32::MAX / 2) {
            self.rtt = Some(Duration::from_micros(u64::from(rtt)));
        }
        let outcome = match self.peer {
            None => HelloOutcome::Opened,
            Some(peer) if (peer.connection, peer.incarnation) == (heard.connection, heard.incarnation) => {
                HelloOutcome::Unchanged
            }
            Some(_) => HelloOutcome::Restarted,
        };
        self.peer = Some(heard);
        let echo = Some((hello.timestamp_us, now));
        match kind {
            FrameKind::Hello => self.reply = Some((FrameKind::HelloAck, echo)),
            FrameKind::HelloAck => {
                self.repeat_at = None;
                self.reply = Some((FrameKind::HelloDone, echo));
            }
            _ => self.repeat_at = None,
        }
        outcome
    }

    /// Returns when a hello is to be repeated.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.repeat_at
    }

    /// Whether a message is to be sent now.
    #[must_use]
    pub fn has_message(&self, now: Instant) -> bool {
        self.reply.is_some() || self.repeat_at.is_some_and(|at| at <= now)
    }

    /// Returns the message to send now.
    pub fn poll(
        &mut self,
        now: Instant,
        node: NodeId,
        own: Incarnation,
        mtu: u16,
    ) -> Option<(FrameKind, Hello)> {
        let (kind, echo) = match self.reply.take() {
            Some(reply) => reply,
            None => {
                self.repeat_at.filter(|at| *at <= now)?;
                self.repeat_at = Some(now + self.repeat);
                self.repeat = Duration::from_nanos((self.repeat.as_nanos() * 2).min(REPEAT_MAX.as_nanos()));
                (FrameKind::Hello, None)
            }
        };
        let hello = Hello {
            node,
            incarnation: own,
            connection: self.connection,
            mtu,
            version_min: VERSION,
            version_max: VERSION,
            timestamp_us: micros(now),
            echo: echo.map(|(timestamp_us, at)| Echo {
                timestamp_us,
                hold_us: micros(now).wrapping_sub(micros(at)),
            }),
        };
        Some((kind, hello))
    }
}

/// Returns the low 32 bits of the clock in microseconds, as frames carry it (it wraps after 71 minutes).
pub(crate) fn micros(at: Instant) -> u32 {
    (at.as_nanos() / 1_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u32) -> NodeId {
        NodeId::new(id).unwrap()
    }

    /// Lets `from` speak and `to` listen 20 ms later.
    fn pass(
        now: &mut Instant,
        from: &mut Handshake,
        to: &mut Handshake,
        id: u32,
        incarnation: u32,
    ) -> HelloOutcome {
        let (kind, hello) = from.poll(*now, node(id), Incarnation(incarnation), 1_500).expect("a message");
        *now += Duration::from_millis(20);
        to.on_hello(*now, kind, &hello)
    }

    #[test]
    fn three_messages_give_both_ends_peer_and_rtt() {
        let (mut a, mut b) = (Handshake::new(11), Handshake::new(22));
        let mut now = Instant::from_nanos(1_000_000);
        a.open(now);
        assert_eq!(pass(&mut now, &mut a, &mut b, 1, 1), HelloOutcome::Opened);
        assert_eq!(pass(&mut now, &mut b, &mut a, 2, 1), HelloOutcome::Opened);
        assert_eq!(pass(&mut now, &mut a, &mut b, 1, 1), HelloOutcome::Unchanged);
        for (handshake, connection) in [(&a, 22), (&b, 11)] {
            assert_eq!(handshake.peer().unwrap().connection, connection);
            assert_eq!(handshake.rtt(), Some(Duration::from_millis(40)));
            assert!(!handshake.has_message(now + Duration::from_secs(100)), "nothing is repeated any more");
        }
    }

    #[test]
    fn lost_hellos_are_repeated_at_doubling_distances() {
        let mut a = Handshake::new(1);
        let mut now = Instant::ZERO;
        a.open(now);
        let mut sent = Vec::new();
        for _ in 0..5 {
            now = a.deadline().unwrap();
            assert!(a.poll(now, node(1), Incarnation(1), 1_500).is_some());
            sent.push(now.as_nanos() / 1_000_000);
            assert_eq!(a.is_repeating(), sent.len() >= 2, "after {} hellos", sent.len());
        }
        assert_eq!(sent, [0, 500, 1_500, 3_500, 7_500]);
    }

    #[test]
    fn a_restarted_peer_is_noticed_and_an_earlier_one_ignored() {
        let (mut a, mut b) = (Handshake::new(1), Handshake::new(2));
        let mut now = Instant::ZERO;
        a.open(now);
        pass(&mut now, &mut a, &mut b, 1, 5);
        let mut restarted = Handshake::new(3);
        restarted.open(now);
        assert_eq!(pass(&mut now, &mut restarted, &mut b, 1, 6), HelloOutcome::Restarted);
        assert_eq!(b.peer().unwrap().connection, 3);
        let mut late = Handshake::new(1);
        late.open(now);
        assert_eq!(pass(&mut now, &mut late, &mut b, 1, 5), HelloOutcome::Stale);
        assert_eq!(b.peer().unwrap().connection, 3);
    }

    #[test]
    fn strangers_are_answered_at_most_ten_times_a_second() {
        let mut a = Handshake::new(1);
        let mut answers = 0;
        for ms in 0..1_000 {
            let now = Instant::ZERO + Duration::from_millis(ms);
            a.on_unknown_connection(now);
            answers += u32::from(a.poll(now, node(1), Incarnation(1), 1_500).is_some());
        }
        assert_eq!(answers, 10);
    }
}
