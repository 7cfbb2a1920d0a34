//! The sending half: what is sent when, and what is taken for lost, as in Linux.
//!
//! Numbers without a unit are segments. Losses are found by RACK and probed for by TLP (RFC 8985), the window comes
//! down by proportional rate reduction (RFC 6937), and what turns out to have been no loss is undone (RFC 3522).
//! With [`Recovery::DupAck`] they are found by RFC 6675's scoreboard instead, and nothing is probed for or undone.

mod ack;
mod recovery;
mod timers;
mod transmit;

use super::congestion::{Congestion, NO_THRESHOLD, Window};
use super::options::{Options, Recovery};
use super::rtt::RttEstimator;
use super::scoreboard::Scoreboard;
use bellini_core::time::{Duration, Instant};

pub use transmit::Outgoing;

/// Duplicate acknowledgements that tell of a loss, as long as the path was not seen to reorder.
const REORDERING: u32 = 3;

/// Where a sender stands (Linux's congestion avoidance states).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaState {
    /// Nothing is amiss.
    Open,
    /// Something came behind a hole; it may be reordering.
    Disorder,
    /// The window is brought down, nothing is missing.
    Reducing,
    /// Lost segments are sent again.
    Recovery,
    /// The retransmission timeout struck.
    Loss,
}

/// What a sender counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Segments sent for the first time.
    pub segments: u64,
    /// Segments sent again.
    pub resent: u64,
    /// Times that a recovery began.
    pub recoveries: u64,
    /// Times that the retransmission timeout struck.
    pub timeouts: u64,
    /// Probes for the loss of a tail.
    pub probes: u64,
    /// Recoveries that were undone, because nothing had been lost.
    pub undone: u64,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Retransmission timeout.
    Retransmit,
    /// Probe for the loss of a tail.
    Probe,
    /// What may be reordered is taken for lost.
    Reordering,
}

/// Something to send whatever the window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forced {
    /// The first segment again, after a timeout.
    Head,
    /// A new segment, as a probe.
    ProbeNew,
    /// The last segment again, as a probe.
    ProbeLast,
}

/// The latest segment that is known to have come (RACK).
#[derive(Clone, Copy, Debug, Default)]
struct Rack {
    sent_at: Instant,
    end: u64,
    rtt: Duration,
    /// Quarters of the least round trip that reordering may take.
    steps: u32,
    /// The steps grow at most once a round trip.
    steps_until: u64,
}

/// The window's way down (RFC 6937).
#[derive(Clone, Copy, Debug, Default)]
struct Reduction {
    prior_cwnd: u32,
    delivered: u32,
    out: u32,
}

/// What is needed to undo a reduction.
#[derive(Clone, Copy, Debug, Default)]
struct Undo {
    is_possible: bool,
    prior_ssthresh: u32,
    prior_cwnd: u32,
    /// Repeats that may have been for nothing.
    resent: i64,
    /// When the first repeat went.
    resent_since: Option<Instant>,
}

/// How fully the window is used (RFC 7661, as in Linux).
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    is_limited: bool,
    out_max: u32,
    until: u64,
    used: u32,
    since: Instant,
}

/// The sending half of an end.
#[derive(Clone, Debug)]
pub struct Sender {
    options: Options,
    /// All before this is acknowledged.
    una: u64,
    /// The next to be sent for the first time.
    nxt: u64,
    /// The application has written up to here.
    written: u64,
    /// The receiver takes up to here.
    window_end: u64,
    board: Scoreboard,
    window: Window,
    congestion: Congestion,
    rtt: RttEstimator,
    state: CaState,
    /// The state may be left when this is acknowledged.
    high: u64,
    rack: Rack,
    has_reordered: bool,
    reordering: u32,
    /// Duplicate acknowledgements, without selective ones.
    duplicates: u32,
    reduction: Reduction,
    undo: Undo,
    /// The stream as it was at a probe, and whether that was a repeat.
    probe: Option<(u64, bool)>,
    /// A timeout may have been for nothing: new segments are tried first (RFC 5682).
    is_doubtful: bool,
    holds_resends: bool,
    forced: Option<Forced>,
    timer: Option<(Timer, Instant)>,
    /// Segments known to have come, and those taken for lost, ever.
    delivered: u64,
    marked_lost: u64,
    /// Since when nothing new was acknowledged after a timeout.
    struck_since: Option<Instant>,
    usage: Usage,
    last_sent: Instant,
    /// Segments sent since the sender was last asked in vain.
    burst: u32,
    has_given_up: bool,
    stats: SenderStats,
}

impl Sender {
    /// Returns the half of a new connection.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            options: *options,
            una: 0,
            nxt: 0,
            written: 0,
            window_end: options.receive_window,
            board: Scoreboard::default(),
            window: Window::new(options.initial_window),
            congestion: Congestion::new(options),
            rtt: RttEstimator::new(options.rto_min),
            state: CaState::Open,
            high: 0,
            rack: Rack { steps: 1, ..Rack::default() },
            has_reordered: false,
            reordering: REORDERING,
            duplicates: 0,
            reduction: Reduction::default(),
            undo: Undo::default(),
            probe: None,
            is_doubtful: false,
            holds_resends: false,
            forced: None,
            timer: None,
            delivered: 0,
            marked_lost: 0,
            struck_since: None,
            usage: Usage::default(),
            last_sent: Instant::ZERO,
            burst: 0,
            has_given_up: false,
            stats: SenderStats::default(),
        }
    }

    /// The application writes `bytes` more bytes.
    pub fn write(&mut self, now: Instant, bytes: u64) {
        if self.board.is_empty() && self.last_sent > Instant::ZERO {
            self.restart_after_idle(now);
        }
        self.written += bytes;
    }

    /// Takes the round trip of the handshake in.
    pub fn on_handshake(&mut self, rtt: Duration) {
        self.rtt.note_min(rtt);
        self.rtt.sample(rtt, self.una, self.nxt);
    }

    /// Returns the place up to which all is acknowledged.
    #[must_use]
    pub const fn una(&self) -> u64 {
        self.una
    }

    /// Returns the place up to which all was sent.
    #[must_use]
    pub const fn nxt(&self) -> u64 {
        self.nxt
    }

    /// Returns the bytes that were written and never sent.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.written - self.nxt
    }

    /// Returns the congestion window.
    #[must_use]
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// Returns the congestion control.
    #[must_use]
    pub const fn congestion(&self) -> &Congestion {
        &self.congestion
    }

    /// Returns where it stands.
    #[must_use]
    pub const fn state(&self) -> CaState {
        self.state
    }

    /// Returns its measure of the round trip.
    #[must_use]
    pub const fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// Returns what is out.
    #[must_use]
    pub const fn board(&self) -> &Scoreboard {
        &self.board
    }

    /// Returns the counters.
    #[must_use]
    pub const fn stats(&self) -> SenderStats {
        self.stats
    }

    /// Whether nothing was acknowledged for [`Options::user_timeout`]: the connection is broken.
    #[must_use]
    pub const fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    /// Whether losses are found by time and, with that, tails are probed for and mistakes undone.
    fn finds_by_time(&self) -> bool {
        self.options.recovery == Recovery::Rack
    }

    /// Whether the window came down for a loss and is on its way.
    fn is_reducing(&self) -> bool {
        matches!(self.state, CaState::Reducing | CaState::Recovery)
    }

    /// Returns the threshold to keep when something else than a loss brings the window down.
    fn kept_threshold(&self) -> u32 {
        if self.is_reducing() {
            self.window.ssthresh
        } else {
            self.window.ssthresh.max(self.window.cwnd / 2 + self.window.cwnd / 4)
        }
    }

    fn has_threshold(&self) -> bool {
        self.window.ssthresh < NO_THRESHOLD
    }
}
