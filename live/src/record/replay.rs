//! Replay: a fresh core is fed what a log holds, and everything that comes out is compared with what the log says.

use super::decode::{CheckpointRecord, Decoder, DrainRecord, EndRecord, Record};
use super::format::LogHeader;
use super::node::{figures_text, put_drained};
use super::outputs::{Outputs, sha256};
use super::read::{LogError, LogReader, Next, malformed};
use bellini_core::Node;
use bellini_core::config::ConfigError;
use bellini_core::drive::{Host, Sent, drain};
use bellini_core::io::{Event, Transmit};
use bellini_core::rng::Seed;
use bellini_core::stats::NodeStats;
use bellini_core::time::Instant;
use serde_json::Value;
use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;

/// Looks on while a log is replayed.
pub trait Watcher {
    /// A record is about to be replayed; records are counted from 1.
    fn record(&mut self, number: u64, at: Instant, record: &Record<'_>) {
        let _ = (number, at, record);
    }

    /// A frame came out.
    fn transmit(&mut self, at: Instant, frame: &Transmit<'_>) {
        let _ = (at, frame);
    }

    /// An event came out.
    fn event(&mut self, at: Instant, event: &Event) {
        let _ = (at, event);
    }
}

/// Looks at nothing.
impl Watcher for () {}

/// What was replayed, and gave the same as when it was recorded.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What the log says of itself.
    pub header: LogHeader,
    /// What was counted on the way.
    pub progress: Progress,
    /// Bytes of the log.
    pub bytes: u64,
    /// How the log ends.
    pub ending: Ending,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records of all kinds.
    pub records: u64,
    /// Inputs among them.
    pub inputs: u64,
    /// Frames that came out.
    pub transmits: u64,
    /// Events that came out.
    pub events: u64,
    /// Inputs that the node refused.
    pub refused: u64,
    /// The time of the last record, on the node's clock.
    pub at: Instant,
    /// Up to where outputs were compared: the time of the last drain.
    pub compared_until: Instant,
}

/// How a log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the final figures: the node ended in order.
    Complete,
    /// With a record that says why recording stopped; the node went on.
    Stopped(String),
    /// Without an end: the node was killed. So many bytes of a last block are there, which is not whole.
    Cut(u64),
}

/// Why a replay failed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The log is not what was written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log's configuration cannot work in this build.
    #[error("the configuration in the log: {0}")]
    Config(#[from] ConfigError),
    /// The core did something else than when it was recorded.
    #[error(transparent)]
    Difference(Box<Difference>),
    /// The core panicked.
    #[error("the core panicked at record {} ({}): {message}", progress.records, progress.at)]
    Panicked {
        /// How far it came; the record is the one that panicked.
        progress: Progress,
        /// What it said.
        message: String,
    },
}

/// The first place where a replay differs from its log.
#[derive(Clone, Debug)]
pub struct Difference {
    /// How far it came; the last record is the one that differs.
    pub progress: Progress,
    /// What the log was recorded by.
    pub header: LogHeader,
    /// What differs.
    pub what: String,
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { records, inputs, at, compared_until, .. } = &self.progress;
        write!(f, "record {records} (input {inputs}, time {at}): {}", self.what)?;
        write!(f, "; up to {compared_until} everything is the same")?;
        let here = env!("CARGO_PKG_VERSION");
        if self.header.bellini != here {
            write!(f, "; recorded by Bellini {}, replayed by {here}", self.header.bellini)?;
        }
        Ok(())
    }
}

/// Feeds a log to a fresh core, and compares every frame, event and counter.
///
/// # Errors
/// The first thing that is wrong: with the log, or between the log and what the core does.
pub fn replay<R: Read>(mut log: LogReader<R>, watcher: &mut impl Watcher) -> Result<Replayed, ReplayError> {
    let header = log.header().clone();
    let node = Node::new(header.config.clone(), Seed(header.seed), header.start)?;
    let progress = Progress { at: header.start, compared_until: header.start, ..Progress::default() };
    let mut replayer = Replayer { node, outputs: Outputs::default(), progress, watcher };
    // A panic is a finding like others: the log of a node that panicked ends with the input that made it.
    let ran = catch_unwind(AssertUnwindSafe(|| replayer.run(&mut log)));
    let progress = replayer.progress;
    match ran {
        Ok(Ok(ending)) => Ok(Replayed { header, progress, bytes: log.position(), ending }),
        Ok(Err(Stop::Log(error))) => Err(ReplayError::Log(error)),
        Ok(Err(Stop::Difference(what))) => {
            Err(ReplayError::Difference(Box::new(Difference { progress, header, what })))
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(ReplayError::Panicked { progress, message: text.unwrap_or("without a message").to_owned() })
        }
    }
}

/// Why a replay stops early.
enum Stop {
    Log(LogError),
    Difference(String),
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

struct Replayer<'a, W> {
    node: Node,
    outputs: Outputs,
    progress: Progress,
    watcher: &'a mut W,
}

impl<W: Watcher> Replayer<'_, W> {
    fn run<R: Read>(&mut self, log: &mut LogReader<R>) -> Result<Ending, Stop> {
        let seed = Seed(log.header().seed);
        let mut ending = None;
        loop {
            let (body, place) = match log.next_block()? {
                Next::Block(body, place) => (body, place),
                Next::Nothing => return Ok(ending.unwrap_or(Ending::Cut(0))),
                Next::Torn(bytes) => return Ok(ending.unwrap_or(Ending::Cut(bytes))),
            };
            let mut decoder = Decoder::new(seed, &body, self.progress.at);
            loop {
                let start = place + decoder.position() as u64;
                let Some((at, record)) = decoder.next().map_err(|problem| malformed(start, problem))? else {
                    break;
                };
                if ending.is_some() {
                    return Err(malformed(start, "a record behind the end of the log").into());
                }
                self.progress.records += 1;
                self.progress.at = at;
                self.watcher.record(self.progress.records, at, &record);
                ending = self.apply(at, record)?;
            }
        }
    }

    fn apply(&mut self, at: Instant, record: Record<'_>) -> Result<Option<Ending>, Stop> {
        match record {
            Record::Hop { peer, kind, index } => {
                let got = self.node.hop(peer, kind);
                expect(got == index, || format!("the hop to node {peer} is {got:?}, it was {index:?}"))?;
            }
            Record::Input(input) => {
                self.progress.inputs += 1;
                let refused = self.node.handle_input(at, input).is_err();
                self.outputs.refused += u64::from(refused);
                self.progress.refused = self.outputs.refused;
            }
            Record::Drain(drain) => self.drain(at, &drain)?,
            Record::Finish => self.node.finish(at),
            Record::FinishSession(key) => self.node.finish_session(at, key),
            Record::Checkpoint(checkpoint) => self.checkpoint(&checkpoint)?,
            Record::End(end) => {
                self.end(&end)?;
                return Ok(Some(Ending::Complete));
            }
            Record::Stopped(reason) => return Ok(Some(Ending::Stopped(reason))),
        }
        Ok(None)
    }

    fn drain(&mut self, at: Instant, record: &DrainRecord) -> Result<(), Stop> {
        let (transmits, events) = (self.outputs.transmits, self.outputs.events);
        let mut host =
            ReplayHost { outputs: &mut self.outputs, watcher: self.watcher, kept: &record.kept, ordinal: 0 };
        let drained = drain(&mut self.node, at, record.budget, &mut host);
        let (got, was) = (self.outputs.transmits - transmits, record.transmits);
        self.progress.transmits = self.outputs.transmits;
        self.progress.events = self.outputs.events;
        expect(got == was, || format!("{got} frames came out, there were {was}"))?;
        let (got, was) = (self.outputs.events - events, record.events);
        expect(got == was, || format!("{got} events came out, there were {was}"))?;
        let hash = "other bytes came out: the hash of the outputs differs".to_owned();
        expect(self.outputs.mark() == record.mark, || hash)?;
        let mut ended = Vec::new();
        put_drained(&mut ended, at, drained);
        expect(ended == record.drained, || format!("the drain ended otherwise: now {drained:?}"))?;
        self.progress.compared_until = at;
        Ok(())
    }

    fn checkpoint(&self, record: &CheckpointRecord) -> Result<(), Stop> {
        let counts = [
            ("frames", self.outputs.transmits, record.transmits),
            ("events", self.outputs.events, record.events),
            ("refused inputs", self.outputs.refused, record.refused),
        ];
        for (name, got, was) in counts {
            expect(got == was, || format!("{got} {name} in all, there were {was}"))?;
        }
        let hash = "other bytes came out: the hash of all outputs differs".to_owned();
        expect(self.outputs.digest() == record.digest, || hash)?;
        let here = postcard::to_stdvec(self.node.stats()).expect("counters are plain data");
        expect(here == record.stats, || {
            let was = postcard::from_bytes::<NodeStats>(&record.stats);
            let was = was.ok().and_then(|stats| serde_json::to_value(stats).ok());
            let got = serde_json::to_value(self.node.stats()).ok();
            format!("counters differ{}", first_difference(got, was))
        })
    }

    fn end(&self, record: &EndRecord) -> Result<(), Stop> {
        let here = figures_text(&self.node);
        expect(sha256(&here) == record.digest, || {
            let got = serde_json::from_slice(&here).ok();
            let was = serde_json::from_slice(&record.figures).ok();
            format!("the final figures differ{}", first_difference(got, was))
        })
    }
}

/// Gives the drain the answers of the driver that was recorded.
struct ReplayHost<'a, W> {
    outputs: &'a mut Outputs,
    watcher: &'a mut W,
    /// Ordinals of the frames that the driver kept, ascending.
    kept: &'a [u64],
    ordinal: u64,
}

impl<W: Watcher> Host for ReplayHost<'_, W> {
    fn transmit(&mut self, now: Instant, frame: Transmit<'_>) -> Sent {
        self.outputs.transmit(now, &frame);
        self.watcher.transmit(now, &frame);
        let is_kept = self.kept.first() == Some(&self.ordinal);
        self.ordinal += 1;
        if is_kept {
            self.kept = &self.kept[1..];
            return Sent::Kept;
        }
        Sent::Taken
    }

    fn event(&mut self, now: Instant, event: Event) {
        self.outputs.event(now, &event);
        self.watcher.event(now, &event);
    }
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::Difference(what())) }
}

/// Says where two values differ first, as the end of a sentence.
fn first_difference(got: Option<Value>, was: Option<Value>) -> String {
    let (Some(got), Some(was)) = (got, was) else { return String::new() };
    let mut path = String::new();
    match differing(&got, &was, &mut path) {
        Some((got, was)) => format!(": {} is {got}, it was {was}", path.trim_start_matches('.')),
        None => String::new(),
    }
}

fn differing<'a>(got: &'a Value, was: &'a Value, path: &mut String) -> Option<(&'a Value, &'a Value)> {
    let length = path.len();
    let inner = match (got, was) {
        (Value::Object(got), Value::Object(was)) if got.len() == was.len() => {
            got.iter().find_map(|(key, got)| {
                path.truncate(length);
                *path += &format!(".{key}");
                differing(got, was.get(key)?, path)
            })
        }
        (Value::Array(got), Value::Array(was)) if got.len() == was.len() => {
            got.iter().zip(was).enumerate().find_map(|(index, (got, was))| {
                path.truncate(length);
                *path += &format!("[{index}]");
                differing(got, was, path)
            })
        }
        _ => return (got != was).then_some((got, was)),
    };
    if inner.is_none() {
        path.truncate(length);
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The first difference is named by its path, with both values.
    #[test]
    fn differences_are_named() {
        let was = json!({"a": 1, "b": {"c": [1, 2, 3]}, "d": 4});
        let got = json!({"a": 1, "b": {"c": [1, 5, 3]}, "d": 4});
        assert_eq!(first_difference(Some(got), Some(was.clone())), ": b.c[1] is 5, it was 2");
        assert_eq!(first_difference(Some(was.clone()), Some(was)), "");
    }
}
