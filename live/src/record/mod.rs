//! Recording and replay: a log of everything that goes into a core, and proof that nothing else decided what came out.
//!
//! A driver holds a [`RecordedNode`] in place of a [`Node`](bellini_core::Node): whatever changes the node goes through
//! it, so no input can be forgotten. What comes out is folded into a running hash that the log holds at every drain.
//! [`replay()`] feeds a log to a fresh core and compares. The format is in `docs/replay.md`.

mod decode;
mod encode;
mod format;
mod node;
mod outputs;
mod read;
mod replay;
#[cfg(test)]
mod tests;
mod trace;
mod write;

pub use decode::{CheckpointRecord, DrainRecord, EndRecord, Record};
pub use format::LogHeader;
pub use node::{RecordError, RecordedNode};
pub use read::{LogError, LogReader};
pub use replay::{Difference, Ending, Progress, ReplayError, Replayed, Watcher, replay};
pub use trace::Trace;
pub use write::{FileSink, LogSink, RecordOptions, RecordStatus};
