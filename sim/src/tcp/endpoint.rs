//! One end of a connection: its two halves and the handshake.

use super::options::Options;
use super::receiver::Receiver;
use super::segment;
use super::segment::{Segment, SegmentKind};
use super::sender::Sender;
use bellini_core::time::{Duration, Instant};

/// A SYN is repeated after this, then after twice as long, and so on.
const SYN_REPEAT: Duration = Duration::from_secs(1);
/// How often it is repeated (Linux's `tcp_syn_retries`).
const SYN_REPEATS_MAX: u32 = 6;

/// Where an end stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It asked for the connection.
    SynSent,
    /// It was asked, and answered.
    SynReceived,
    /// Both know of each other.
    Established,
    /// It is gone.
    Closed,
}

/// One end of a connection.
///
/// After each call that takes `&mut self`, call [`poll`](Self::poll) until `None`, then read
/// [`deadline`](Self::deadline).
#[derive(Clone, Debug)]
pub struct Endpoint {
    options: Options,
    state: State,
    sender: Sender,
    receiver: Receiver,
    /// When the handshake's segment is to be sent (again), and how often it went.
    handshake_at: Option<Instant>,
    handshakes: u32,
    handshake_sent: Instant,
    owes_ack: bool,
    owes_reset: bool,
}

impl Endpoint {
    /// Returns the end that asks for a connection.
    #[must_use]
    pub fn connect(options: &Options, now: Instant) -> Self {
        Self::new(options, State::SynSent, now)
    }

    /// Returns the end that was asked for one, by a SYN that has come.
    #[must_use]
    pub fn accept(options: &Options, now: Instant) -> Self {
        Self::new(options, State::SynReceived, now)
    }

    fn new(options: &Options, state: State, now: Instant) -> Self {
        Self {
            options: *options,
            state,
            sender: Sender::new(options),
            receiver: Receiver::new(options),
            handshake_at: Some(now),
            handshakes: 0,
            handshake_sent: now,
            owes_ack: false,
            owes_reset: false,
        }
    }

    /// Returns where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns the sending half.
    #[must_use]
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Returns the receiving half.
    #[must_use]
    pub const fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The application writes `bytes` more bytes, which go once the connection is there.
    pub fn write(&mut self, now: Instant, bytes: u64) {
        self.sender.write(now, bytes);
    }

    /// Gives the connection up, and tells the other end.
    pub fn reset(&mut self) {
        self.owes_reset = self.state != State::Closed;
        self.state = State::Closed;
    }

    /// Takes a segment of the other end in.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) {
        match (segment.kind, self.state) {
            (_, State::Closed) => {}
            (SegmentKind::Reset, _) => self.state = State::Closed,
            // The answer was lost, or is on its way still.
            (SegmentKind::Syn, State::SynReceived) => self.handshake_at = Some(now),
            (SegmentKind::SynAck, State::SynSent) => {
                self.establish(now);
                self.owes_ack = true;
            }
            // The answer to the answer was lost.
            (SegmentKind::SynAck, State::Established) => self.owes_ack = true,
            (SegmentKind::Data, State::SynReceived) => {
                self.establish(now);
                self.on_data(now, segment);
            }
            (SegmentKind::Data, State::Established) => self.on_data(now, segment),
            _ => {}
        }
    }

    fn establish(&mut self, now: Instant) {
        self.state = State::Established;
        self.handshake_at = None;
        if self.handshakes == 1 {
            self.sender.on_handshake(now.saturating_since(self.handshake_sent));
        }
    }

    fn on_data(&mut self, now: Instant, segment: &Segment) {
        self.receiver.on_segment(now, segment);
        self.sender.on_segment(now, segment);
    }

    /// Lets time pass.
    pub fn on_timer(&mut self, now: Instant) {
        if self.state == State::Established {
            self.receiver.on_timer(now);
            self.sender.on_timer(now);
            if self.sender.has_given_up() {
                self.reset();
            }
        }
    }

    /// Returns when [`on_timer`](Self::on_timer) wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::SynSent | State::SynReceived => self.handshake_at,
            State::Established => {
                [self.sender.deadline(), self.receiver.deadline()].into_iter().flatten().min()
            }
            State::Closed => None,
        }
    }

    /// Returns the next segment to send.
    pub fn poll(&mut self, now: Instant) -> Option<Segment> {
        match self.state {
            State::SynSent => self.poll_handshake(now, SegmentKind::Syn),
            State::SynReceived => self.poll_handshake(now, SegmentKind::SynAck),
            State::Closed => {
                core::mem::take(&mut self.owes_reset).then(|| Segment::new(SegmentKind::Reset, now))
            }
            State::Established => {
                let mut segment = Segment::new(SegmentKind::Data, now);
                if !core::mem::take(&mut self.owes_ack) {
                    // What an acknowledgement takes is not there for payload.
                    let acks = segment::wire_bytes(0, self.receiver.sack_count()) - segment::wire_bytes(0, 0);
                    let mss = self.options.mss.saturating_sub(acks).max(1);
                    match self.sender.poll(now, mss) {
                        Some(outgoing) => {
                            segment.seq = outgoing.range.start;
                            segment.len = (outgoing.range.end - outgoing.range.start) as u32;
                        }
                        None if self.receiver.is_due() => {}
                        None => return None,
                    }
                }
                if segment.len == 0 {
                    segment.seq = self.sender.nxt();
                }
                self.receiver.acknowledge(&mut segment);
                Some(segment)
            }
        }
    }

    fn poll_handshake(&mut self, now: Instant, kind: SegmentKind) -> Option<Segment> {
        self.handshake_at.filter(|at| *at <= now)?;
        if self.handshakes > SYN_REPEATS_MAX {
            self.state = State::Closed;
            return None;
        }
        self.handshake_at = Some(now + SYN_REPEAT.saturating_mul(1 << self.handshakes));
        self.handshakes += 1;
        self.handshake_sent = now;
        let mut segment = Segment::new(kind, now);
        segment.window = self.options.receive_window;
        Some(segment)
    }
}
