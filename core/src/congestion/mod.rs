//! Congestion control of paced hops: how fast a hop may send, learnt from what its peer reports.
//!
//! Each direction of a hop has a sender at one end and a receiver at the other. The sender is a
//! [`CongestionControl`], a machine of events: frames sent, reports, timers. The receiver is the same for every
//! controller: it watches frame numbers and arrival times, and sends a [`Feedback`] about once a round trip, in front
//! of a packet that goes the other way or in a frame of its own.
//!
//! Frames are what RFC 5348 calls packets: their numbers are its sequence numbers, their bytes without UDP and IP its
//! segment size. Nothing here reads a clock or knows a socket.

mod bbr;
pub mod equation;
mod feedback;
mod receiver;
mod tfrc;

pub use bbr::BbrSender;
pub use feedback::{FEEDBACK_BYTES, Feedback};
pub use receiver::{FrameArrival, Receiver};
pub use tfrc::TfrcSender;

use crate::time::{Duration, Instant};
use crate::units::BitRate;
use serde::{Deserialize, Serialize};

/// Decides how fast a hop may send.
pub trait CongestionControl: core::fmt::Debug + Send {
    /// The hop opened: the hello exchange measured `rtt`, unless it had to be repeated. Everything that was known of
    /// an earlier connection is forgotten.
    fn on_open(&mut self, now: Instant, rtt: Option<Duration>);

    /// Something else has measured the rate of the path, in bytes a second with UDP and IP. It may only make the machine
    /// slower. Without an effect unless a machine makes use of it.
    fn on_path_rate(&mut self, _bytes_per_s: f64) {}

    /// A frame was handed out.
    fn on_sent(&mut self, now: Instant, frame: SentFrame);

    /// The peer reported.
    fn on_feedback(&mut self, now: Instant, feedback: &Feedback);

    /// The time of [`CongestionControl::deadline`] has come. Early and repeated calls do nothing.
    fn on_timeout(&mut self, now: Instant);

    /// Returns when the machine wants [`CongestionControl::on_timeout`]: no report came for too long.
    fn deadline(&self) -> Option<Instant>;

    /// Says whether a frame may go now. It is asked only while packets wait, so that an answer other than
    /// [`Allowance::Now`] means that the sender, not the application, limits the rate.
    fn allowance(&mut self, now: Instant) -> Allowance;

    /// Returns the round-trip time as the machine smooths it, once there is a sample.
    fn rtt(&self) -> Option<Duration>;

    /// Returns the rate that is allowed now, in frame bytes.
    fn rate(&self) -> BitRate;

    /// Returns the state for reports, policies and plots.
    fn figures(&self) -> ControlFigures;
}

/// A frame that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentFrame {
    /// Its number.
    pub number: u64,
    /// Its bytes, without what is below the frame.
    pub bytes: u32,
}

/// Whether a frame may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Now.
    Now,
    /// Not before this instant, which lies after now.
    At(Instant),
    /// Not before the next report or timeout: as much as may be under way is.
    Blocked,
}

/// What a controller knows of its path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlFigures {
    /// Rate allowed now, in bytes of frames a second.
    pub allowed_bytes_per_s: f64,
    /// Rate that arrived at the peer by its last report, likewise; `None` before the first.
    pub received_bytes_per_s: Option<f64>,
    /// Smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// Loss event rate by the last report, 0 to 1.
    pub loss_event_rate: f64,
    /// Frames that the peer found lost.
    pub lost_frames: u64,
    /// Whether the application, not the controller, limited the rate in the last report's interval.
    pub is_data_limited: bool,
    /// Timeouts without any report.
    pub timeouts: u64,
}

/// Which controller paces the hops of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Controller {
    /// TFRC, RFC 5348.
    #[default]
    Tfrc,
    /// A model of the path in the manner of BBRv2.
    Bbr,
}

/// What controllers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CongestionConfig {
    /// Which controller.
    pub controller: Controller,
    /// Credit that an idle or late sender saves up at most; never more than one round trip (RFC 5348 section 4.6).
    pub credit_max: Duration,
    /// TFRC: forget old loss intervals sooner once there have been few losses (RFC 5348 section 5.5).
    pub discounting: bool,
    /// TFRC: slow down while the round trip is above its mean (RFC 5348 section 4.5).
    pub damping: bool,
    /// Reports in a round trip, at least 1 (RFC 5348 section 6.2 asks for one).
    pub feedbacks_per_rtt: u8,
}

impl CongestionConfig {
    /// Returns what is usual with a controller. A model of the path wants four reports in a round trip.
    #[must_use]
    pub const fn of(controller: Controller) -> Self {
        Self {
            controller,
            credit_max: Duration::from_millis(10),
            discounting: true,
            damping: true,
            feedbacks_per_rtt: match controller {
                Controller::Tfrc => 1,
                Controller::Bbr => 4,
            },
        }
    }
}

impl Default for CongestionConfig {
    fn default() -> Self {
        Self::of(Controller::default())
    }
}
