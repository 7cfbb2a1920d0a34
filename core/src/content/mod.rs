//! Content: what sessions carry. Sources make symbols, sinks judge what arrives. Usable in every mode.
//!
//! A [`Source`] is polled with the time and yields one [`Symbol`] a call; a [`Sink`] is told of each symbol
//! that reached one destination. Neither reads a clock, sets a timer or needs one: sources say when they want
//! to be polled again, sinks judge from the times of the arrivals. `docs/content.md` has the formulas.

mod adaptive;
mod application;
mod digest;
mod file;
mod messages;
mod onoff;
mod pacing;
mod player;
mod sink;
mod source;
pub mod spec;
mod tracker;
mod video;

pub use application::{OfferFault, OfferStats};
pub use digest::FileDigest;
pub use sink::{Arrival, Sink, SinkContext, SinkStats};
pub use source::{Grant, Source, SourceContext, SourcePoll, SourceStats, Symbol};
pub use spec::Content;
