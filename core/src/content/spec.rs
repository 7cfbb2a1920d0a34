//! What a session carries, as resolved from the scenario: plain data, no behaviour.

use crate::feeder::Lane;
use crate::time::Duration;
use crate::units::BitRate;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The kind of content of a session, and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Symbols of equal size at equal intervals.
    Constant {
        /// Payload rate.
        rate: BitRate,
        /// When the first symbol is due, after the session's start.
        phase: Duration,
    },
    /// Video frames with the sizes of a recorded trace.
    Video {
        /// The trace; played from its first frame on, and again from the start when it ends.
        trace: Arc<FrameTrace>,
        /// Mean payload rate to which the trace's frame sizes are scaled.
        rate: BitRate,
        /// How a destination plays it out.
        playout: Playout,
    },
    /// Video whose rate follows the network over a ladder of levels.
    Adaptive {
        /// The trace that gives relative frame sizes.
        trace: Arc<FrameTrace>,
        /// Mean payload rate of each level, ascending.
        ladder: Vec<BitRate>,
        /// The level at the start (index into `ladder`).
        initial: usize,
        /// How long no overflow must be heard of before one level up.
        up_after: Duration,
        /// How a destination plays it out.
        playout: Playout,
    },
    /// Messages that arrive as a Poisson process.
    Messages {
        /// Mean time between messages.
        mean_interval: Duration,
        /// Size of each message.
        size: SizeDistribution,
        /// A message is on time when it is complete this long after its creation.
        deadline: Duration,
    },
    /// A file of real bytes, whose hash every destination checks.
    File {
        /// Length in bytes.
        bytes: u64,
        /// Rate at which the source offers symbols; `None`: as fast as the feeder takes them.
        rate: Option<BitRate>,
    },
    /// Constant rate in alternating on and off periods.
    OnOff {
        /// Payload rate while on.
        rate: BitRate,
        /// Length of on periods.
        on: Period,
        /// Length of off periods.
        off: Period,
    },
    /// What an application brings while the session runs, and takes at the destinations.
    Application {
        /// How its bytes belong together.
        unit: Unit,
        /// Bytes that may wait at the source.
        bytes_max: u32,
    },
}

/// How the bytes of an application belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Each datagram is a symbol; when they come too fast, the oldest go.
    Datagrams,
    /// A stream of bytes with an end; who brings them has to wait when they come too fast.
    Stream,
}

impl Content {
    /// Returns the lane for this kind: bulk for messages and files, live for all else.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Messages { .. } | Self::File { .. } | Self::Application { unit: Unit::Stream, .. } => {
                Lane::Bulk
            }
            Self::Application { .. } => Lane::Live,
            Self::Constant { .. } | Self::Video { .. } | Self::Adaptive { .. } | Self::OnOff { .. } => {
                Lane::Live
            }
        }
    }
}

/// Length of the periods of an on-off source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// Always this long.
    Fixed(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
}

/// Distribution of message sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum SizeDistribution {
    /// Always this size.
    Fixed(u64),
    /// Any size from `min` to `max`, both included, equally likely.
    Uniform {
        /// Smallest size.
        min: u64,
        /// Largest size.
        max: u64,
    },
    /// Exponential with this mean, cut at `max`.
    Exponential {
        /// Mean before the cut.
        mean: u64,
        /// Largest size.
        max: u64,
    },
    /// Log-normal with this median, cut at `max`.
    LogNormal {
        /// Median.
        median: u64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// Largest size.
        max: u64,
    },
}

/// How a destination plays frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playout {
    /// Time from a frame's creation (live) or from the first frame's arrival (stream) to its display.
    pub delay: Duration,
    /// What happens to a frame that is late.
    pub mode: PlayoutMode,
}

/// What a player does when a frame is not there in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayoutMode {
    /// A conference: the late frame is skipped and the picture freezes for its duration.
    Live,
    /// A stream: the player stops and waits, and everything after it is played later.
    Stream,
}

/// Frame sizes of a recorded video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameTrace {
    /// Name for reports, with its source.
    pub name: String,
    /// Time between frames.
    pub frame_interval: Duration,
    /// Frames in order of decoding.
    pub frames: Vec<TraceFrame>,
}

/// One frame of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFrame {
    /// Encoded size in bytes, at least 1.
    pub bytes: u32,
    /// Whether decoding can start here.
    pub key: bool,
}
