//! Content: what sessions carry. Sources make symbols, sinks judge what arrives; both are usable in every mode.
//!
//! A source turns its content into *objects* (a video frame, a message, a file, or a single packet of a stream of
//! constant rate) and cuts each object into *symbols* of the session's symbol size, the last one shorter. All
//! symbols of an object carry its creation time, its number, their index in it, and how many it has, so that a
//! destination can put it together and judge it without having heard of it before.

mod file;
mod objects;
mod player;
mod sink;
mod source;
pub mod spec;

pub use sink::{Arrival, Sink, SinkContext, SinkStats};
pub use source::{Source, SourceContext, SourcePoll, SourceStats, Symbol};
