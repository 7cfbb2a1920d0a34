//! Congestion control of one paced hop: a sender for what goes out, a receiver for what comes in.

use crate::congestion::{
    Allowance, BbrSender, CongestionConfig, CongestionControl, ControlFigures, Controller, FEEDBACK_BYTES,
    Feedback, FrameArrival, Receiver, SentFrame, TfrcSender,
};
use crate::hop::HelloOutcome;
use crate::time::{Duration, Instant};
use crate::wire::frame::{
    CHUNK_FEEDBACK, CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, FrameHeader, emit_chunk_header,
};

/// Bytes of a report as a chunk of a frame.
pub const FEEDBACK_CHUNK_BYTES: usize = CHUNK_HEADER_BYTES + FEEDBACK_BYTES;

/// Both machines of a paced hop.
#[derive(Debug)]
pub struct Pacing {
    sender: Box<dyn CongestionControl>,
    receiver: Receiver,
}

impl Pacing {
    /// Returns the machines of a hop that is not open yet; `name` tells it from other hops.
    #[must_use]
    pub fn new(config: &CongestionConfig, now: Instant, name: u64) -> Self {
        let sender: Box<dyn CongestionControl> = match config.controller {
            Controller::Tfrc => Box::new(TfrcSender::new(*config, now)),
            Controller::Bbr => Box::new(BbrSender::new(*config, name)),
        };
        Self { sender, receiver: Receiver::new(*config) }
    }

    /// A connection with the peer begins, whose hello took `rtt`, where that is known.
    pub fn on_open(&mut self, now: Instant, rtt: Option<Duration>) {
        self.sender.on_open(now, rtt);
        self.receiver.reset();
    }

    /// Trains have measured the path: bytes a second, with UDP and IP.
    pub fn on_path_rate(&mut self, bytes_per_s: f64) {
        self.sender.on_path_rate(bytes_per_s);
    }

    /// Says whether a packet may go. Asked only while packets wait.
    #[inline]
    pub fn allowance(&mut self, now: Instant) -> Allowance {
        self.sender.allowance(now)
    }

    /// A frame with a packet went out. Frames without one are few and small, and no report speaks of them.
    #[inline]
    pub fn on_sent(&mut self, now: Instant, frame: SentFrame) {
        self.sender.on_sent(now, frame);
    }

    /// A frame of the peer came.
    #[inline]
    pub fn on_frame(&mut self, now: Instant, frame: FrameArrival) {
        self.receiver.on_frame(now, frame);
    }

    /// A hello of the peer came. It has a number like every frame: it must not look like a loss.
    pub fn on_hello(&mut self, now: Instant, frame: &FrameHeader, outcome: HelloOutcome) {
        if matches!(outcome, HelloOutcome::Opened | HelloOutcome::Restarted) {
            self.receiver.starts_at(frame.number.saturating_add(1));
        } else {
            let arrival = FrameArrival {
                number: frame.number,
                bytes: FRAME_HEADER_BYTES as u32,
                timestamp_us: frame.timestamp_us,
                rtt_us: frame.rtt_us,
                carries_packet: false,
            };
            self.receiver.on_frame(now, arrival);
        }
    }

    /// The peer reported.
    pub fn on_feedback(&mut self, now: Instant, feedback: &Feedback) {
        self.sender.on_feedback(now, feedback);
    }

    /// Fires what has expired of either machine.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.sender.deadline().is_some_and(|at| at <= now) {
            self.sender.on_timeout(now);
        }
        if self.receiver.deadline().is_some_and(|at| at <= now) {
            self.receiver.on_timeout(now);
        }
    }

    /// Returns when the earlier of both machines wants [`Pacing::on_timeout`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        [self.sender.deadline(), self.receiver.deadline()].into_iter().flatten().min()
    }

    /// Whether a report is due.
    #[inline]
    #[must_use]
    pub fn has_feedback(&self) -> bool {
        self.receiver.has_feedback()
    }

    /// Returns since when a report is due, if one is.
    #[inline]
    #[must_use]
    pub fn feedback_since(&self) -> Option<Instant> {
        self.receiver.feedback_since()
    }

    /// Returns the report that is due, as a chunk.
    pub fn poll_feedback(&mut self, now: Instant) -> Option<[u8; FEEDBACK_CHUNK_BYTES]> {
        let feedback = self.receiver.poll_feedback(now)?;
        let mut chunk = [0; FEEDBACK_CHUNK_BYTES];
        emit_chunk_header(&mut chunk, CHUNK_FEEDBACK, FEEDBACK_BYTES as u16);
        feedback.emit(&mut chunk[CHUNK_HEADER_BYTES..]);
        Some(chunk)
    }

    /// Returns the smoothed round-trip time, once there is a sample.
    #[inline]
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.sender.rtt()
    }

    /// Returns what the sender knows of the path.
    #[must_use]
    pub fn figures(&self) -> ControlFigures {
        self.sender.figures()
    }
}
