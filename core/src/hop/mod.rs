//! A hop: the multiplexed connection to one neighbour that carries all sessions' packets.

mod control;
mod hello;
mod paced;
mod pacer;
mod probe;
mod state;
mod watch;

pub use control::{ControlLink, ControlStats};
pub use hello::{Handshake, HelloOutcome, Peer};
pub use paced::{FEEDBACK_CHUNK_BYTES, Pacing};
pub use pacer::Pacer;
pub use probe::{Probe, ProbeChange, ProbeFigures, TRAINS_LOST};
pub(crate) use state::Watched;
pub use state::{Hop, HopStats, Pressed, QueuedPacket, Room, STREAM_FRAME_BYTES_MAX};
pub use watch::{Arrivals, HopFault, STEADY, Watch, WatchChange};
