//! The node that a driver holds: everything that changes it goes through here, and into the log if there is one.

use super::encode::Encoder;
use super::format::{Kind, LogHeader, header_bytes, put_bytes, put_varint};
use super::outputs::Outputs;
use super::write::{LogSink, LogWriter, RecordOptions, RecordStatus};
use bellini_core::Node;
use bellini_core::coding::Workers;
use bellini_core::config::{ConfigError, NodeConfig};
use bellini_core::drive::{self, Drained, Host, Sent};
use bellini_core::ids::{HopIndex, NodeId, SessionKey};
use bellini_core::io::{Event, HopKind, Input, InputError, Transmit};
use bellini_core::rng::Seed;
use bellini_core::stopwatch::Stopwatch;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::ProcessFigures;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use thiserror::Error;

/// Checkpoints with all counters are at least this far apart.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);
/// Records are handed on at the end of a drain, or once so many bytes wait for one.
const PENDING_BYTES_MAX: usize = 1024 * 1024;
/// Figures at the end that are longer stay out of the log; their hash is in it.
pub(super) const FIGURES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A [`Node`] whose every input can be recorded. Reads go to the node itself.
///
/// Without a log each call costs one branch more than the node's own.
#[derive(Debug)]
pub struct RecordedNode {
    node: Node,
    recorder: Option<Box<Recorder>>,
}

/// Why a recorded node does not start.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log cannot be begun.
    #[error("the log cannot be begun: {0}")]
    Log(#[from] io::Error),
}

impl RecordedNode {
    /// Starts a node that is not recorded; as [`Node::new`].
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn unrecorded(config: NodeConfig, seed: Seed, now: Instant) -> Result<Self, ConfigError> {
        Ok(Self { node: Node::new(config, seed, now)?, recorder: None })
    }

    /// Starts a node, and a log of it in `sink` ([`FileSink`](super::FileSink)) with one thread that writes.
    ///
    /// # Errors
    /// When the configuration cannot work, or the first bytes of the log cannot be written.
    pub fn recorded(
        config: NodeConfig,
        seed: Seed,
        now: Instant,
        sink: Box<dyn LogSink>,
        options: RecordOptions,
    ) -> Result<Self, RecordError> {
        let bellini = env!("CARGO_PKG_VERSION").to_owned();
        let header = LogHeader { bellini, config: config.clone(), seed: seed.0, start: now };
        let node = Node::new(config, seed, now)?;
        let (bytes, check) = header_bytes(&header).map_err(io::Error::from)?;
        let writer = LogWriter::start(sink, &bytes, check, options.waiting_bytes_max)?;
        let recorder = Recorder {
            encoder: Encoder::new(seed, options.identities, now),
            outputs: Outputs::default(),
            kept: Vec::new(),
            checkpoint_at: now,
            writer: Some(writer),
            status: RecordStatus::default(),
            is_told: false,
        };
        Ok(Self { node, recorder: Some(Box::new(recorder)) })
    }

    /// As [`Node::hop`].
    #[inline]
    pub fn hop(&mut self, peer: NodeId, kind: HopKind) -> HopIndex {
        let known = self.node.hops().len();
        let index = self.node.hop(peer, kind);
        // Only the call that makes a hop changes the node.
        if let Some(recorder) = &mut self.recorder
            && self.node.hops().len() > known
            && recorder.is_on()
        {
            recorder.encoder.hop(peer, kind, index);
        }
        index
    }

    /// As [`Node::handle_input`].
    ///
    /// # Errors
    /// Likewise.
    ///
    /// # Panics
    /// Likewise.
    #[inline]
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) -> Result<(), InputError> {
        let Some(recorder) = &mut self.recorder else { return self.node.handle_input(now, input) };
        // Written first: an input that panics is in the log too.
        recorder.input(now, &input);
        let result = self.node.handle_input(now, input);
        recorder.outputs.refused += u64::from(result.is_err());
        result
    }

    /// As [`drive::drain`].
    #[inline]
    pub fn drain(&mut self, now: Instant, budget: usize, host: &mut impl Host) -> Drained {
        match &mut self.recorder {
            Some(recorder) if recorder.is_on() => recorder.drain(&mut self.node, now, budget, host),
            _ => drive::drain(&mut self.node, now, budget, host),
        }
    }

    /// As [`Node::finish`].
    pub fn finish(&mut self, now: Instant) {
        if let Some(recorder) = &mut self.recorder
            && recorder.is_on()
        {
            recorder.encoder.begin(now, Kind::Finish);
        }
        self.node.finish(now);
    }

    /// As [`Node::finish_session`].
    pub fn finish_session(&mut self, now: Instant, key: SessionKey) {
        if let Some(recorder) = &mut self.recorder
            && recorder.is_on()
        {
            recorder.encoder.finish_session(now, key);
        }
        self.node.finish_session(now, key);
    }

    /// Says how recording goes; `None`: the node is not recorded.
    #[must_use]
    pub fn status(&self) -> Option<&RecordStatus> {
        self.recorder.as_ref().map(|recorder| &recorder.status)
    }

    /// Lets the core time single packets. It is no input: nothing that comes out depends on it.
    pub fn set_stopwatch(&mut self, stopwatch: Option<Stopwatch>) {
        self.node.set_stopwatch(stopwatch);
    }

    /// Lends the core threads for large decodings. It is no input: nothing that comes out depends on it.
    pub fn set_workers(&mut self, workers: Option<Arc<dyn Workers>>) {
        self.node.set_workers(workers);
    }

    /// Returns, once, why recording stopped. Look after drains.
    #[inline]
    pub fn take_warning(&mut self) -> Option<String> {
        let recorder = self.recorder.as_mut()?;
        let reason = recorder.status.stopped.as_ref()?;
        if std::mem::replace(&mut recorder.is_told, true) {
            return None;
        }
        Some(format!("recording stopped: {reason}; the node goes on"))
    }

    /// Ends the log with the final counters and figures; waits until it is written. A node that is dropped without
    /// this leaves a log that says that its end is missing.
    ///
    /// Returns how recording went; `None`: the node was not recorded.
    pub fn end(mut self, now: Instant) -> Option<RecordStatus> {
        let mut recorder = self.recorder.take()?;
        if recorder.is_on() {
            recorder.end(&self.node, now);
        }
        Some(recorder.status.clone())
    }
}

impl Deref for RecordedNode {
    type Target = Node;

    #[inline]
    fn deref(&self) -> &Node {
        &self.node
    }
}

/// What is between a node and its log.
#[derive(Debug)]
struct Recorder {
    encoder: Encoder,
    outputs: Outputs,
    /// Which frames of the drain under way the host kept.
    kept: Vec<u64>,
    checkpoint_at: Instant,
    /// `None` once recording has stopped.
    writer: Option<LogWriter>,
    status: RecordStatus,
    is_told: bool,
}

impl Recorder {
    #[inline]
    fn is_on(&self) -> bool {
        self.writer.is_some()
    }

    #[inline]
    fn input(&mut self, now: Instant, input: &Input<'_>) {
        if !self.is_on() {
            self.status.missed_inputs += 1;
            return;
        }
        self.encoder.input(now, input);
        if self.encoder.bytes.len() >= PENDING_BYTES_MAX {
            self.push();
        }
    }

    fn drain(&mut self, node: &mut Node, now: Instant, budget: usize, host: &mut impl Host) -> Drained {
        let (transmits, events) = (self.outputs.transmits, self.outputs.events);
        self.kept.clear();
        let mut tee = Tee { host, outputs: &mut self.outputs, first: transmits, kept: &mut self.kept };
        let drained = drive::drain(node, now, budget, &mut tee);
        let out = self.encoder.begin(now, Kind::Drain);
        put_varint(out, budget as u64);
        put_varint(out, self.kept.len() as u64);
        for ordinal in &self.kept {
            put_varint(out, *ordinal);
        }
        put_varint(out, self.outputs.transmits - transmits);
        put_varint(out, self.outputs.events - events);
        put_drained(out, now, drained);
        out.extend_from_slice(&self.outputs.mark());
        if now.saturating_since(self.checkpoint_at) >= CHECKPOINT_INTERVAL {
            self.checkpoint(node, now);
        }
        self.push();
        drained
    }

    fn checkpoint(&mut self, node: &Node, now: Instant) {
        self.checkpoint_at = now;
        let stats = postcard::to_stdvec(node.stats()).expect("counters are plain data");
        let out = self.encoder.begin(now, Kind::Checkpoint);
        put_varint(out, self.outputs.transmits);
        put_varint(out, self.outputs.events);
        put_varint(out, self.outputs.refused);
        out.extend_from_slice(&self.outputs.digest());
        put_bytes(out, &stats);
    }

    fn push(&mut self) {
        let Some(writer) = &self.writer else { return };
        let length = self.encoder.bytes.len() as u64;
        match writer.push(&mut self.encoder.bytes) {
            Ok(()) => self.status.bytes += length,
            Err(reason) => {
                writer.stop(&reason);
                self.stopped(reason);
            }
        }
    }

    #[cold]
    fn stopped(&mut self, reason: String) {
        // Dropping waits for the thread, which a slow disk can make long: the node is not held up for that.
        if let Some(writer) = self.writer.take() {
            writer.abandon();
        }
        self.encoder.bytes = Vec::new();
        self.status.stopped = Some(reason);
    }

    fn end(&mut self, node: &Node, now: Instant) {
        self.checkpoint(node, now);
        let figures = figures_text(node);
        let out = self.encoder.begin(now, Kind::End);
        out.extend_from_slice(&super::outputs::sha256(&figures));
        put_bytes(out, if figures.len() <= FIGURES_BYTES_MAX { &figures } else { &[] });
        self.push();
        if let Some(mut writer) = self.writer.take()
            && let Err(reason) = writer.close()
        {
            self.status.stopped = Some(reason);
        }
    }
}

impl Drop for Recorder {
    /// What a panic or an early return leaves behind is worth keeping.
    fn drop(&mut self) {
        self.push();
    }
}

/// Returns everything that a node counted, as JSON text.
pub(super) fn figures_text(node: &Node) -> Vec<u8> {
    serde_json::to_vec(&ProcessFigures::of(node, true)).expect("figures are plain data")
}

/// Writes how a drain ended: 0 idle without deadline, 1 idle until a deadline, 2 more work.
pub(super) fn put_drained(out: &mut Vec<u8>, now: Instant, drained: Drained) {
    match drained {
        Drained::Idle(None) => out.push(0),
        Drained::Idle(Some(deadline)) => {
            out.push(1);
            put_varint(out, deadline.at.saturating_since(now).as_nanos());
        }
        Drained::MoreWork => out.push(2),
    }
}

/// Passes outputs on to the driver's host, and folds them into the hash on the way.
struct Tee<'a, H> {
    host: &'a mut H,
    outputs: &'a mut Outputs,
    /// Frames before this drain.
    first: u64,
    kept: &'a mut Vec<u64>,
}

impl<H: Host> Host for Tee<'_, H> {
    #[inline]
    fn transmit(&mut self, now: Instant, frame: Transmit<'_>) -> Sent {
        let ordinal = self.outputs.transmits - self.first;
        self.outputs.transmit(now, &frame);
        let sent = self.host.transmit(now, frame);
        if sent == Sent::Kept {
            self.kept.push(ordinal);
        }
        sent
    }

    fn event(&mut self, now: Instant, event: Event) {
        self.outputs.event(now, &event);
        self.host.event(now, event);
    }
}
