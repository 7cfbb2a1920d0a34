//! The link model: what happens to a packet between one node and the next.
//!
//! Sans-IO: time comes in as an argument, results are polled. The simulator drives it in virtual time, the lab's
//! emulator drives the same code on the wall clock; nothing here knows which.
//!
//! # Stages, and how a driver composes them
//!
//! ```text
//! node -> egress shaper -> link queue + rate  ---------+-> wire ------------> receive queue ---> node
//!         (LinkModel,      or the shared bottleneck ---+   delay, jitter,     ingress shaper
//!          all links of     (LinkModel, several links)     loss, MTU          + processor
//!          the node)                                                          (ReceiveQueue)
//! ```
//!
//! Every stage has the same shape: `admit(now, wire_bytes, packet)`, `next_event()`, `poll(now)` until `None`.
//! A driver keeps one pending event per stage: after any call that takes `&mut self` it compares
//! [`LinkModel::next_event`] with the event that it has pending, and moves that event when they differ. Early and
//! late polls are harmless: what is computed depends on the scheduled instants, never on when `poll` is called.
//!
//! - A plain link is one [`LinkModel`] with its own queue, rate and wire.
//! - A shared bottleneck is a [`LinkModel`] from [`LinkSpec::from_bottleneck`], with (link, packet) as its packet
//!   handle; what arrives from it is admitted to that link's own [`LinkModel`], whose rate is unlimited
//!   ([`LinkSpec::from_model`] makes it so for `Rate::Shared`). Cross traffic of such a link goes to the bottleneck.
//! - An egress cap is a [`LinkModel`] from [`LinkSpec::from_shaper`] which all links of the node share, before the
//!   queue of each; an ingress cap and the processor are one [`ReceiveQueue`] per node. Stages that the scenario
//!   does not ask for are left out, not run empty.
//!
//! # Speed
//!
//! With drop-tail or RED the end of transmission is known when a packet is admitted. It then goes straight into the
//! ring of packets in flight with its arrival, and the link has one pending event, its next arrival; nothing
//! happens at the start or end of transmission. CoDel decides at the start of transmission and needs that event.
//!
//! Formulas and assumptions are in `docs/simulator-model.md`.

mod clock;
mod codel;
mod cross;
mod fifo;
mod jitter;
mod loss;
mod model;
mod receive;
mod red;
mod spec;
mod stats;
mod wire;

#[cfg(test)]
mod tests;

pub use bellini_scenarios::conduct::Degrade;
pub use cross::CrossSource;
pub use model::LinkModel;
pub use receive::ReceiveQueue;
pub use spec::{LinkSpec, LinkStreams};
pub use stats::{Backlog, CrossStats, DropCause, DropCounts, LinkStats};

/// What became of a packet that was offered to a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a packet that was not accepted is still the caller's"]
pub enum Admit<P> {
    /// It is inside and will come out of `poll`.
    Accepted,
    /// It was refused and has left no trace but in the counters.
    Dropped {
        /// The packet, handed back.
        packet: P,
        /// Why.
        cause: DropCause,
    },
    /// It takes up queue and rate like any other, but the wire will lose it: already known, so handed back now.
    Lost {
        /// The packet, handed back.
        packet: P,
        /// Always [`DropCause::Loss`].
        cause: DropCause,
    },
}

/// What came out of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polled<P> {
    /// The packet reached the end of the stage.
    Arrived(P),
    /// The packet was dropped inside, after it had been admitted.
    Dropped {
        /// The packet, handed back.
        packet: P,
        /// Why.
        cause: DropCause,
    },
}
