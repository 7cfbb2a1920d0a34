//! A log as text for people: inputs, and what each drain gave.

use super::decode::Record;
use super::replay::Watcher;
use bellini_core::io::{Event, Input, Received, Transmit};
use bellini_core::time::Instant;
use bellini_core::wire::pretty::Pretty;
use std::io::Write;

/// Prints records from a time on, with everything that comes out, one line each.
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
    from: Instant,
    left: u64,
    is_on: bool,
}

impl<W: Write> Trace<W> {
    /// Prints `records` records, the first of them at or after `from` (the node's clock), to `out`.
    pub fn new(out: W, from: Instant, records: u64) -> Self {
        Self { out, from, left: records, is_on: false }
    }

    fn line(&mut self, at: Instant, what: std::fmt::Arguments<'_>) {
        let secs = at.as_nanos() / 1_000_000_000;
        let nanos = at.as_nanos() % 1_000_000_000;
        // Nobody who stops reading is an error of the replay.
        let _ = writeln!(self.out, "{secs}.{nanos:09} {what}");
    }
}

impl<W: Write> Watcher for Trace<W> {
    fn record(&mut self, number: u64, at: Instant, record: &Record<'_>) {
        self.is_on = at >= self.from && self.left > 0;
        if !self.is_on {
            return;
        }
        self.left -= 1;
        match record {
            Record::Hop { peer, kind, index } => {
                self.line(at, format_args!("{number} {index:?} is the {kind:?} hop to node {peer}"));
            }
            Record::Input(input) => self.input(number, at, input),
            Record::Drain(drain) => {
                let kept =
                    if drain.kept.is_empty() { String::new() } else { format!(", kept {:?}", drain.kept) };
                let (transmits, events) = (drain.transmits, drain.events);
                self.line(at, format_args!("{number} drain: {transmits} frames, {events} events{kept}"));
            }
            Record::Finish => self.line(at, format_args!("{number} finish")),
            Record::FinishSession(key) => self.line(at, format_args!("{number} finish session {key}")),
            Record::Checkpoint(point) => {
                let (transmits, events) = (point.transmits, point.events);
                self.line(
                    at,
                    format_args!("{number} checkpoint: {transmits} frames, {events} events so far"),
                );
            }
            Record::End(_) => self.line(at, format_args!("{number} end")),
            Record::Stopped(reason) => self.line(at, format_args!("{number} recording stopped: {reason}")),
        }
    }

    fn transmit(&mut self, at: Instant, frame: &Transmit<'_>) {
        if self.is_on {
            // Frames of stream hops begin with their length.
            let start = if frame.kind == bellini_core::io::HopKind::Stream { 4 } else { 0 };
            let pretty = Pretty::with_payload(&frame.header[start..], frame.payload.len());
            self.line(at, format_args!("  > {:?} to node {}: {pretty}", frame.hop, frame.peer));
        }
    }

    fn event(&mut self, at: Instant, event: &Event) {
        if self.is_on {
            self.line(at, format_args!("  ! {event:?}"));
        }
    }
}

impl<W: Write> Trace<W> {
    fn input(&mut self, number: u64, at: Instant, input: &Input<'_>) {
        match input {
            Input::Frame { hop, frame: Received::Datagram(bytes) } => {
                self.line(at, format_args!("{number} < {hop:?}: {}", Pretty::new(bytes)));
            }
            Input::Frame { hop, frame: Received::Split { header, payload } } => {
                let pretty = Pretty::with_payload(header, payload.len());
                self.line(at, format_args!("{number} < {hop:?}: {pretty}"));
            }
            Input::Stream { hop, chunk } => {
                self.line(at, format_args!("{number} < {hop:?}: {} bytes of a stream", chunk.len()));
            }
            Input::Opened { hop } => self.line(at, format_args!("{number} < {hop:?}: opened")),
            Input::Closed { hop } => self.line(at, format_args!("{number} < {hop:?}: closed")),
            Input::Room { hop, bytes } => {
                self.line(at, format_args!("{number} < {hop:?}: room for {bytes} bytes more"));
            }
            Input::Blocked { hop } => self.line(at, format_args!("{number} < {hop:?}: blocked")),
            Input::Command(command) => self.line(at, format_args!("{number} < {command:?}")),
            Input::Timeout => self.line(at, format_args!("{number} < timeout")),
        }
    }
}
