//! How an end of a connection behaves.

use super::congestion::CubicOptions;
use super::segment::wire_bytes;
use bellini_core::time::Duration;

/// Which congestion control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Controller {
    /// NewReno (RFC 5681, 6582), with selective acknowledgements.
    Reno,
    /// CUBIC (RFC 9438).
    #[default]
    Cubic,
}

impl Controller {
    /// Returns its name as Linux and scenarios have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
        }
    }
}

/// How a sender with selective acknowledgements finds losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Recovery {
    /// By time, with probes for lost tails (RFC 8985), and what was no loss is undone: as Linux.
    #[default]
    Rack,
    /// By three segments that came behind a hole (RFC 6675), as ns-2's Sack1: nothing is probed for or undone, and a
    /// repeat that is lost waits for the timeout.
    DupAck,
}

/// How both ends of a connection behave. The default is a Linux of today.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The congestion control.
    pub controller: Controller,
    /// What is particular to CUBIC.
    pub cubic: CubicOptions,
    /// Whether acknowledgements wait for a second full segment, or 40 ms; otherwise each segment is answered at once.
    pub delayed_acks: bool,
    /// Whether acknowledgements name what came behind a hole (RFC 2018). Without, three duplicate ones tell of a loss.
    pub sack: bool,
    /// How losses are found with selective acknowledgements.
    pub recovery: Recovery,
    /// Initial congestion window, in segments (RFC 6928).
    pub initial_window: u32,
    /// What a retransmission timeout is above the round-trip time, at least (Linux's `TCP_RTO_MIN`).
    pub rto_min: Duration,
    /// Payload of a full segment, in bytes.
    pub mss: u32,
    /// Bytes that the receiver lets come beyond what it has in order.
    pub receive_window: u64,
    /// Unacknowledged for so long after the first repeat, a connection is given up (RFC 5482).
    pub user_timeout: Duration,
}

impl Options {
    /// Returns them for a path whose largest IP packet has `mtu` bytes.
    #[must_use]
    pub fn for_mtu(self, mtu: u32) -> Self {
        Self { mss: self.mss.min(mtu.saturating_sub(wire_bytes(0, 0))).max(1), ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller: Controller::Cubic,
            cubic: CubicOptions::default(),
            delayed_acks: true,
            sack: true,
            recovery: Recovery::Rack,
            initial_window: 10,
            rto_min: Duration::from_millis(200),
            mss: 1_448,
            // Beyond what links of a scenario hold: Linux, too, lets its window grow until it is not the limit.
            receive_window: 64 << 20,
            user_timeout: Duration::from_secs(900),
        }
    }
}
