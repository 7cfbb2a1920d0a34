//! TCP at the level of segments, as Linux runs it: what stream hops go over in the simulator, and cross traffic.
//!
//! Everything up to [`Endpoint`] is sans-IO: time and segments come in as arguments, segments and deadlines are
//! polled. Payload has no bytes here, only places in the stream.
//!
//! - [`Options`] and [`Controller`] say how an end behaves.
//! - [`Segment`] is what goes over the network; [`Ranges`] is a set of stretches of the stream.
//! - [`scoreboard`] knows each segment that is out; [`rtt`] the round-trip time and the retransmission timeout;
//!   [`congestion`] the window (NewReno, CUBIC with `HyStart`).
//! - [`Sender`] and [`Receiver`] are the two halves of an [`Endpoint`], which adds the handshake.
//! - [`host`] joins ends to nodes and to the modelled links: stream hops, and cross traffic.
//! - [`dumbbell`] runs flows through one bottleneck without nodes; [`theory`] says what they ought to do.
//!
//! What is modelled, by which source, and what is not: `docs/simulator-model.md`.

pub mod congestion;
pub mod dumbbell;
mod endpoint;
pub mod host;
mod options;
mod ranges;
mod receiver;
pub mod rtt;
pub mod scoreboard;
mod segment;
mod sender;
pub mod theory;

#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, State};
pub use options::{Controller, Options, Recovery};
pub use ranges::{Range, Ranges};
pub use receiver::{Receiver, ReceiverStats};
pub use segment::{SEGMENT_BYTES, SYN_BYTES, Segment, SegmentKind, wire_bytes};
pub use sender::{CaState, Outgoing, Sender, SenderStats};
