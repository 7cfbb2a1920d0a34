//! Content that an application brings while the session runs: datagrams, or a stream of bytes.

use super::source::{SourceContext, SourcePoll, Symbol};
use super::spec::Unit;
use crate::payload::Payload;
use crate::time::Instant;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use thiserror::Error;

/// The object of a stream's bytes; its end is one of its own, of a byte that means nothing.
const BYTES: u32 = 0;
pub(super) const END: u32 = 1;

/// Why what an application brought was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OfferFault {
    /// The session's content does not come from an application.
    #[error("its content is not an application's")]
    NotAnApplication,
    /// There was an end already.
    #[error("it has ended")]
    Ended,
    /// There is no room now: the session sends more slowly than the application.
    #[error("more than {0} bytes would be waiting")]
    Full(usize),
    /// A datagram goes into one symbol, or not at all.
    #[error("a datagram of {length} bytes, where a symbol carries {max}")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// Bytes of a symbol.
        max: u32,
    },
}

/// What an application brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferStats {
    /// Pieces taken: datagrams, or what a stream's reader read at a time.
    pub taken: u64,
    /// Datagrams that were dropped because older ones had not been sent.
    pub dropped: u64,
    /// Pieces refused.
    pub refused: u64,
}

/// What waits to be sent, and what was sent and may have to be again.
#[derive(Debug)]
pub(super) struct Application {
    unit: Unit,
    bytes_max: usize,
    /// Taken, and not yet yielded.
    queue: VecDeque<(Instant, Bytes)>,
    queued_bytes: usize,
    has_ended: bool,
    is_end_sent: bool,
    /// Payloads from symbol `kept_from` on; a source that never repeats is told so by [`Application::release`].
    kept: VecDeque<Bytes>,
    kept_from: u64,
    pub(super) stats: OfferStats,
}

impl Application {
    pub(super) fn new(unit: Unit, bytes_max: u32) -> Self {
        Self {
            unit,
            bytes_max: bytes_max as usize,
            queue: VecDeque::new(),
            queued_bytes: 0,
            has_ended: false,
            is_end_sent: false,
            kept: VecDeque::new(),
            kept_from: 0,
            stats: OfferStats::default(),
        }
    }

    /// Returns the bytes that would be taken now.
    pub(super) fn room(&self) -> usize {
        if self.has_ended { 0 } else { self.bytes_max.saturating_sub(self.queued_bytes) }
    }

    pub(super) fn offer(&mut self, now: Instant, data: Bytes, symbol_bytes: u32) -> Result<(), OfferFault> {
        let fault = match self.unit {
            _ if self.has_ended => Some(OfferFault::Ended),
            Unit::Datagrams if data.len() > symbol_bytes as usize => {
                Some(OfferFault::TooLong { length: data.len(), max: symbol_bytes })
            }
            Unit::Stream if data.len() > self.room() => Some(OfferFault::Full(self.bytes_max)),
            _ => None,
        };
        if let Some(fault) = fault {
            self.stats.refused += 1;
            return Err(fault);
        }
        if data.is_empty() {
            return Ok(());
        }
        self.queued_bytes += data.len();
        self.queue.push_back((now, data));
        self.stats.taken += 1;
        // Of datagrams the newest count.
        while self.queued_bytes > self.bytes_max
            && let Some((_, oldest)) = self.queue.pop_front()
        {
            self.queued_bytes -= oldest.len();
            self.stats.dropped += 1;
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn poll(&mut self, now: Instant, id: u64, context: &SourceContext) -> SourcePoll {
        let is_over = now >= context.stop;
        if now < context.start {
            return SourcePoll::WaitUntil(context.start);
        }
        let (timestamp, object, payload) = match self.next(context.symbol_bytes as usize) {
            Some((at, payload)) => (at.max(context.start), BYTES, payload),
            None if self.unit == Unit::Stream && (self.has_ended || is_over) && !self.is_end_sent => {
                (self.has_ended, self.is_end_sent) = (true, true);
                (now, END, Bytes::from_static(&[0]))
            }
            None if self.has_ended || is_over => return SourcePoll::Finished,
            None => return SourcePoll::WaitUntil(context.stop),
        };
        if self.kept_from + self.kept.len() as u64 == id {
            self.kept.push_back(payload.clone());
        }
        let object = if self.unit == Unit::Stream { object } else { id as u32 };
        let len = payload.len() as u32;
        let payload = Payload::Bytes(payload);
        SourcePoll::Symbol(Symbol { id, object, index: 0, count: 1, len, timestamp, payload })
    }

    /// Takes the next symbol's bytes: a datagram, or as much of the stream as there is and fits.
    fn next(&mut self, symbol_bytes: usize) -> Option<(Instant, Bytes)> {
        let (at, front) = self.queue.front_mut()?;
        let at = *at;
        if self.unit == Unit::Stream && front.len() > symbol_bytes {
            self.queued_bytes -= symbol_bytes;
            return Some((at, front.split_to(symbol_bytes)));
        }
        let (_, first) = self.queue.pop_front()?;
        self.queued_bytes -= first.len();
        let short = symbol_bytes - first.len().min(symbol_bytes);
        if self.unit == Unit::Datagrams || short == 0 || self.queue.is_empty() {
            return Some((at, first));
        }
        // Small pieces share a symbol.
        let mut joined = BytesMut::with_capacity(symbol_bytes);
        joined.extend_from_slice(&first);
        while joined.len() < symbol_bytes
            && let Some((_, more)) = self.queue.front_mut()
        {
            let part = more.split_to(more.len().min(symbol_bytes - joined.len()));
            self.queued_bytes -= part.len();
            joined.extend_from_slice(&part);
            if more.is_empty() {
                self.queue.pop_front();
            }
        }
        Some((at, joined.freeze()))
    }

    /// Returns the payload of a symbol that was yielded and is kept.
    pub(super) fn again(&self, symbol: u64) -> Option<Bytes> {
        let at = symbol.checked_sub(self.kept_from)?;
        self.kept.get(usize::try_from(at).ok()?).cloned()
    }

    /// Forgets symbols below `base`: nobody will ask for them again.
    pub(super) fn release(&mut self, base: u64) {
        while self.kept_from < base && self.kept.pop_front().is_some() {
            self.kept_from += 1;
        }
        if self.kept.is_empty() {
            self.kept_from = self.kept_from.max(base);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::context;
    use super::*;

    const SYMBOL: u32 = 1_200;

    fn symbols(application: &mut Application, now: Instant, first: u64) -> Vec<Symbol> {
        let mut symbols = Vec::new();
        while let SourcePoll::Symbol(symbol) = application.poll(now, first + symbols.len() as u64, &context())
        {
            symbols.push(symbol);
        }
        symbols
    }

    fn bytes(symbol: &Symbol) -> &[u8] {
        let Payload::Bytes(bytes) = &symbol.payload else { panic!("applications bring real bytes") };
        assert_eq!(bytes.len(), symbol.len as usize);
        bytes
    }

    /// Aim: a stream's bytes come out in order whatever the pieces were, in few symbols, with an end; what is kept can be had
    /// again until it is released.
    #[test]
    fn streams_are_cut_into_symbols() {
        let mut application = Application::new(Unit::Stream, 1 << 20);
        let content: Vec<u8> = (0..10_000_u32).map(|at| (at % 251) as u8).collect();
        let now = context().start;
        let mut rest = &content[..];
        for length in [1, 5, 3_000, 700, 20, 4_000].into_iter().cycle() {
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            application.offer(now, Bytes::copy_from_slice(piece), SYMBOL).expect("there is room");
            if rest.is_empty() {
                break;
            }
        }
        application.end();
        let sent = symbols(&mut application, now, 0);
        let (end, data) = sent.split_last().expect("symbols");
        assert_eq!((end.object, bytes(end)), (END, &[0][..]));
        assert_eq!(data.iter().flat_map(|symbol| bytes(symbol).to_vec()).collect::<Vec<u8>>(), content);
        assert_eq!(data.len(), 9, "as few as 1,200 B each allow");
        assert_eq!(application.poll(now, 10, &context()), SourcePoll::Finished);
        assert_eq!(application.offer(now, Bytes::from_static(&[1]), SYMBOL), Err(OfferFault::Ended));
        assert_eq!(application.again(3).as_deref(), Some(bytes(&data[3])));
        application.release(4);
        assert_eq!((application.again(3), application.again(4).is_some()), (None, true));
    }

    /// Aim: a stream's application is told to wait; nothing is lost.
    #[test]
    fn a_full_stream_refuses() {
        let mut application = Application::new(Unit::Stream, 1_000);
        let now = context().start;
        application.offer(now, Bytes::from(vec![1; 900]), SYMBOL).expect("there is room");
        assert_eq!(application.room(), 100);
        let refused = application.offer(now, Bytes::from(vec![1; 101]), SYMBOL);
        assert_eq!(refused, Err(OfferFault::Full(1_000)));
        assert_eq!(symbols(&mut application, now, 0).len(), 1);
        assert_eq!(application.room(), 1_000);
    }

    /// Aim: each datagram is a symbol, or refused as too long; when they come too fast, the oldest go.
    #[test]
    fn datagrams_stay_whole_and_the_newest_count() {
        let mut application = Application::new(Unit::Datagrams, 3_000);
        let now = context().start;
        for byte in 0..5 {
            application.offer(now, Bytes::from(vec![byte; 1_000]), SYMBOL).expect("it fits");
        }
        let long = application.offer(now, Bytes::from(vec![1; 1_201]), SYMBOL);
        assert_eq!(long, Err(OfferFault::TooLong { length: 1_201, max: SYMBOL }));
        let sent = symbols(&mut application, now, 0);
        assert_eq!(sent.iter().map(|symbol| bytes(symbol)[0]).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(application.stats, OfferStats { taken: 5, dropped: 2, refused: 1 });
        application.end();
        assert_eq!(application.poll(now, 3, &context()), SourcePoll::Finished);
    }

    /// Aim: nothing goes before the session's start, and its end is a stream's end.
    #[test]
    fn the_session_bounds_its_content() {
        let mut application = Application::new(Unit::Stream, 3_000);
        application.offer(Instant::ZERO, Bytes::from(vec![1; 10]), SYMBOL).expect("there is room");
        assert_eq!(application.poll(Instant::ZERO, 0, &context()), SourcePoll::WaitUntil(context().start));
        let sent = symbols(&mut application, context().stop, 0);
        assert_eq!(sent.iter().map(|symbol| symbol.object).collect::<Vec<_>>(), [BYTES, END]);
        assert_eq!(sent[0].timestamp, context().start);
    }
}
