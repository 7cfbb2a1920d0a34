//! A session at one of its destinations.

mod coded;
mod reliable;
mod stats;
mod verdict;

pub use stats::SinkSessionStats;

use super::coded::{Arrived as ArrivedCoded, CodedSink};
use super::loss_runs::LossRuns;
use crate::clock::Estimate;
use crate::coding::{Repair, Scheme};
use crate::content::spec::Content;
use crate::content::{Arrival, Sink, SinkContext, SinkStats};
use crate::flow::{Arrived, SymbolWindow};
use crate::ids::Epoch;
use crate::io::{Delivery, MeasureWindow, SinkSpec};
use crate::payload::Payload;
use crate::reliable::{Order, Receiver};
use crate::rng::Seed;
use crate::seal::SymbolSeal;
use crate::stats::Histogram;
use crate::time::{Duration, Instant};
use crate::wire::packet::PacketHeader;

/// What a destination keeps of a session.
#[derive(Debug)]
pub struct SinkSession {
    epoch: Option<Epoch>,
    window: SymbolWindow,
    measure: MeasureWindow,
    /// Judge of the content; `None` where nobody announced the session.
    content: Option<Box<ContentSink>>,
    clock_ahead_ns: i64,
    /// The source in the table of clocks, where this node estimates them and the table had room.
    pub(crate) clock: Option<u32>,
    /// Where clocks are estimated: the last estimate, once there is one.
    estimate: Option<Option<Estimate>>,
    /// Whether each delivery is an event.
    pub deliver_events: bool,
    /// What opens its symbols; `None`: they are plain, or nobody announced the session.
    seal: Option<Box<SymbolSeal>>,
    /// What was counted.
    pub stats: SinkSessionStats,
    /// Delays of measured symbols, in nanoseconds.
    pub delays: Histogram,
    loss_runs: LossRuns,
    /// What makes delivery reliable; `None`: best effort.
    pub(crate) receiver: Option<Box<Receiver>>,
    /// What decodes a coded session; made when the first coded packet comes.
    coded: Option<Box<CodedSink>>,
    /// Bytes held for decoding that the node has counted.
    pub(crate) coding_counted: usize,
    /// How it is coded, as far as it was announced.
    scheme: Option<Scheme>,
    /// What arrived of a session whose source adapts its repairs.
    pub(crate) arrived: Option<Box<ArrivedCoded>>,
    /// Puts the events of a reliable session's deliveries in order.
    pub(crate) order: Option<Box<Order>>,
    /// (packets, bytes, sum of delays) at the last report.
    pub reported: (u64, u64, u64),
}

/// The judge of a session's content, and what is needed for the next one when the source starts again.
#[derive(Debug)]
struct ContentSink {
    sink: Sink,
    content: Content,
    context: SinkContext,
    /// What the judges of earlier epochs found.
    earlier: Option<SinkStats>,
}

/// Largest source timestamp that is believed, in nanoseconds (146 years): what is computed from it fits 64 bits.
const TIMESTAMP_NS_MAX: u64 = u64::MAX / 4;

/// What became of a packet at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkOutcome {
    /// Delivered, after this delay.
    Delivered(Duration),
    /// Its symbol had been delivered before.
    Duplicate,
    /// It came too late to tell.
    Late,
}

impl SinkSession {
    /// Returns the sink that a destination sets up because it was told to.
    #[must_use]
    pub fn new(spec: &SinkSpec, seed: Seed, dedup_symbols_max: usize) -> Self {
        let context = SinkContext {
            key: spec.key,
            seed,
            symbol_bytes: spec.symbol_bytes,
            start: spec.start,
            stop: spec.stop,
            measure_from: spec.measure.from,
            measure_to: spec.measure.to,
            verify: true,
        };
        let is_reliable = spec.delivery == Delivery::Reliable;
        Self {
            content: Some(Box::new(ContentSink {
                sink: Sink::new(&spec.content, context),
                content: spec.content.clone(),
                context,
                earlier: None,
            })),
            measure: spec.measure,
            deliver_events: spec.deliver_events,
            receiver: is_reliable.then(Box::default),
            scheme: spec.coding.map(|coding| coding.scheme),
            seal: spec.seal.map(|seal| Box::new(SymbolSeal::new(&seal, spec.key, spec.source, seed))),
            arrived: spec
                .coding
                .filter(|coding| !is_reliable && matches!(coding.repair, Repair::Adaptive { .. }))
                .map(|_| Box::default()),
            order: (is_reliable && spec.deliver_events).then(|| Box::new(Order::new(dedup_symbols_max))),
            ..Self::unannounced(dedup_symbols_max)
        }
    }

    /// Returns the sink for packets that name this node as destination although nobody announced the session.
    #[must_use]
    pub fn unannounced(dedup_symbols_max: usize) -> Self {
        Self {
            epoch: None,
            window: SymbolWindow::new(dedup_symbols_max),
            measure: MeasureWindow { from: Instant::ZERO, to: Instant::from_nanos(u64::MAX) },
            content: None,
            clock_ahead_ns: 0,
            clock: None,
            estimate: None,
            deliver_events: false,
            stats: SinkSessionStats::default(),
            delays: Histogram::default(),
            loss_runs: LossRuns::default(),
            receiver: None,
            coded: None,
            coding_counted: 0,
            scheme: None,
            seal: None,
            arrived: None,
            order: None,
            reported: (0, 0, 0),
        }
    }

    /// Says how far the source's clock is ahead of this node's.
    pub fn correct_clock(&mut self, ahead_ns: i64) {
        self.clock_ahead_ns = ahead_ns;
    }

    /// Says that the source's clock is estimated; `peer`: by which entry of the table of clocks, if it had room.
    pub(crate) fn follow_clock(&mut self, peer: Option<u32>) {
        self.clock = peer;
        self.estimate = Some(None);
    }

    /// Says what is known of the source's clock at this moment.
    #[inline]
    pub(crate) fn set_clock(&mut self, estimate: Option<Estimate>) {
        self.clock_ahead_ns = estimate.map_or(0, |estimate| estimate.ahead_ns);
        self.estimate = Some(estimate);
    }

    /// Whether a packet is of the newest epoch, and of a time that can be; a newer epoch is turned to.
    #[inline]
    pub(crate) fn admits(&mut self, now: Instant, packet: &PacketHeader) -> bool {
        let is_possible = packet.timestamp_ns <= TIMESTAMP_NS_MAX;
        if !is_possible || self.epoch != Some(packet.epoch) && !self.turn_epoch(now, packet.epoch) {
            self.stats.late_packets += 1;
            return false;
        }
        true
    }

    /// Whether its symbols are sealed from end to end.
    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// Opens the payload of a symbol, where the session is sealed; `None`: it is not what the source sealed. Of what was
    /// delivered before, the payload is of no use.
    #[inline]
    pub(crate) fn open(&mut self, packet: &PacketHeader, payload: Payload) -> Option<Payload> {
        let Some(seal) = &self.seal else { return Some(payload) };
        if self.has(packet.epoch, packet.symbol) {
            return Some(payload);
        }
        let opened = seal.open(&packet.into(), payload);
        self.stats.unopened_symbols += u64::from(opened.is_none());
        opened
    }

    /// Takes a packet in, at `now` of this node's clock.
    #[inline]
    pub fn on_packet(&mut self, now: Instant, packet: &PacketHeader, payload: &Payload) -> SinkOutcome {
        if !self.admits(now, packet) {
            return SinkOutcome::Late;
        }
        let created = Instant::from_nanos(packet.timestamp_ns);
        let measured = self.measure.contains(created);
        let loss_runs = &mut self.loss_runs;
        let slide = &mut |base, arrived| loss_runs.on_word(base, arrived);
        match self.window.insert_sliding(packet.symbol, slide) {
            Arrived::New => {}
            Arrived::Duplicate => {
                self.stats.duplicate_packets += 1;
                self.stats.measured_duplicates += u64::from(measured);
                return SinkOutcome::Duplicate;
            }
            Arrived::TooOld => {
                self.stats.late_packets += 1;
                return SinkOutcome::Late;
            }
        }
        let len = payload.len() as u64;
        // The source's creation time on this node's clock.
        let local = Instant::from_nanos(
            packet.timestamp_ns.saturating_add_signed(self.clock_ahead_ns.saturating_neg()),
        );
        self.stats.negative_delays += u64::from(local > now);
        let delay = now.saturating_since(local);
        self.stats.delivered_packets += 1;
        self.stats.delivered_bytes += len;
        self.stats.delay_ns_sum += delay.as_nanos();
        if measured {
            self.stats.measured_packets += 1;
            self.stats.measured_bytes += len;
            self.record_delay(delay);
            self.loss_runs.on_measured(packet.symbol);
        }
        if let Some(content) = &mut self.content {
            let arrival = Arrival {
                symbol: packet.symbol,
                object: packet.object,
                index: packet.index,
                count: packet.count,
                len: len as u32,
                timestamp: created,
            };
            // Content is judged on the source's time, so that a clock error does not make frames late.
            let source_now = Instant::from_nanos(packet.timestamp_ns.saturating_add(delay.as_nanos()));
            content.sink.on_symbol(source_now, &arrival, payload);
        }
        SinkOutcome::Delivered(delay)
    }

    #[inline]
    fn record_delay(&mut self, delay: Duration) {
        match self.estimate {
            None => self.delays.record(delay.as_nanos()),
            Some(Some(estimate)) => {
                self.delays.record(delay.as_nanos());
                let error_ns = estimate.delay_error_ns(delay);
                self.stats.delay_error_ns_max = self.stats.delay_error_ns_max.max(error_ns);
            }
            // Wrong by the whole difference of both clocks, of which nothing is known.
            Some(None) => self.stats.unclocked_packets += 1,
        }
    }

    /// Turns to a newer epoch with a new window and a new judge; returns `false` for an older one.
    #[cold]
    fn turn_epoch(&mut self, now: Instant, epoch: Epoch) -> bool {
        if self.epoch.is_some_and(|known| epoch < known) {
            return false;
        }
        if self.epoch.is_some() {
            self.loss_runs.turn_epoch(&self.window);
            self.window = SymbolWindow::new(self.window.symbols_max());
            if let Some(receiver) = &mut self.receiver {
                receiver.turn_epoch();
            }
            if let Some(coded) = &mut self.coded {
                coded.turn_epoch();
            }
            if let Some(arrived) = &mut self.arrived {
                arrived.turn_epoch();
            }
            if self.order.is_some() {
                self.order = Some(Box::new(Order::new(self.window.symbols_max())));
            }
            let source_now = self.source_now(now);
            if let Some(content) = &mut self.content {
                content.turn_epoch(source_now);
            }
        }
        self.epoch = Some(epoch);
        true
    }

    /// The time of `now` on the source's clock.
    fn source_now(&self, now: Instant) -> Instant {
        Instant::from_nanos(now.as_nanos().saturating_add_signed(self.clock_ahead_ns))
    }
}

impl ContentSink {
    /// The source started again: its content begins anew, and so does the judging.
    fn turn_epoch(&mut self, source_now: Instant) {
        self.sink.finish(source_now);
        let own = self.sink.stats();
        self.earlier = Some(self.earlier.map_or(own, |earlier| earlier.merge(&own)));
        self.sink = Sink::new(&self.content, self.context);
    }
}
