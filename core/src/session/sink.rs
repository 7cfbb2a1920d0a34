//! A session at one of its destinations.

use super::coded::{Arrived as ArrivedCoded, CodedSink, CodedSinkStats, Taken};
use super::loss_runs::LossRuns;
use crate::clock::Estimate;
use crate::coding::{Body, Coded, Meta, Repair, Scheme, Workers};
use crate::content::spec::Content;
use crate::content::{Arrival, Sink, SinkContext, SinkStats};
use crate::flow::{Arrived, SymbolWindow};
use crate::ids::{Epoch, FlowId, Incarnation, NodeId, SessionKey};
use crate::io::{Delivery, MeasureWindow, SinkSpec};
use crate::payload::Payload;
use crate::reliable::{AckDue, Order, Receiver, ReliableConfig};
use crate::rng::Seed;
use crate::seal::SymbolSeal;
use crate::stats::Histogram;
use crate::time::{Duration, Instant};
use crate::wire::acknowledgement::Ranges;
use crate::wire::coding::JoinedPacket;
use crate::wire::packet::PacketHeader;
use serde::{Deserialize, Serialize};

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

/// What a destination counted of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkSessionStats {
    /// Symbols delivered, each once.
    pub delivered_packets: u64,
    /// Their payload bytes.
    pub delivered_bytes: u64,
    /// Sum of their delays in nanoseconds.
    pub delay_ns_sum: u64,
    /// Packets whose symbol had been delivered.
    pub duplicate_packets: u64,
    /// Packets too far behind the newest, of an earlier epoch, or of a time that cannot be.
    pub late_packets: u64,
    /// Symbols delivered that were created in the measuring window.
    pub measured_packets: u64,
    /// Their payload bytes.
    pub measured_bytes: u64,
    /// Duplicates of symbols created in the measuring window.
    pub measured_duplicates: u64,
    /// Deliveries whose timestamp lay in the future even after correction; their delay counts as zero.
    pub negative_delays: u64,
    /// Measured symbols whose delay is not among the delays, because nothing was known of the source's clock yet.
    #[serde(default)]
    pub unclocked_packets: u64,
    /// Largest bound of the error of a measured symbol's delay, in nanoseconds; 0 where clocks are not estimated.
    #[serde(default)]
    pub delay_error_ns_max: u64,
    /// Acknowledgements sent.
    #[serde(default)]
    pub acks: u64,
    /// Acknowledgements that no way back to the source was known for.
    #[serde(default)]
    pub wayless_acks: u64,
    /// Symbols of a reliable session that were delivered out of order, because their source went beyond the window.
    #[serde(default)]
    pub unordered_packets: u64,
    /// Symbols that did not open: changed on the way, or sealed under another key. Nothing of them was delivered.
    #[serde(default)]
    pub unopened_symbols: u64,
    /// What decoding came to; zeros where nothing is coded.
    #[serde(default)]
    pub coded: CodedSinkStats,
}

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

    /// Returns what decodes the session; a window may hold `bytes_max` bytes.
    pub(crate) fn coded_mut(&mut self, bytes_max: usize) -> &mut CodedSink {
        let slots_max = self.receiver.as_ref().map(|_| self.window.symbols_max());
        let scheme = self.scheme;
        self.coded.get_or_insert_with(|| Box::new(CodedSink::new(slots_max, scheme, bytes_max)))
    }

    /// Returns the bytes that are held for decoding.
    pub(crate) fn coded_bytes(&self) -> usize {
        self.coded.as_ref().map_or(0, |coded| coded.bytes())
    }

    /// Whether the session is one with a sliding window.
    pub(crate) fn is_window(&self) -> bool {
        self.coded.as_ref().is_some_and(|coded| coded.is_window())
    }

    /// Gives up all decoding; what was counted of it stays.
    pub(crate) fn drop_coding(&mut self) {
        if let Some(coded) = self.coded.take() {
            self.stats.coded = coded.stats;
        }
    }

    /// Takes in what a coded packet of the generation (first symbol, size, whether that is final) brings: the symbol at
    /// an offset, or a combination by coefficients; a reliable session may hold `room` bytes.
    pub(crate) fn push_coded(
        &mut self,
        generation: (u64, u8, bool),
        row: Result<u8, &[u8]>,
        coded: Coded,
        room: usize,
    ) -> Taken {
        self.coded_mut(room);
        match &mut self.coded {
            Some(sink) => sink.push(generation, row, coded, &self.window, room),
            None => Taken::NoRoom,
        }
    }

    /// Gives out the symbols of a generation that have become known.
    pub(crate) fn recover_coded(
        &mut self,
        key: SessionKey,
        epoch: Epoch,
        first: u64,
        workers: Option<&dyn Workers>,
        take: impl FnMut(u64, Meta, Body),
    ) {
        if let Some(coded) = &mut self.coded {
            let seal = self.seal.as_deref();
            self.stats.unopened_symbols +=
                coded.recover(key, epoch, first, (&self.window, workers, seal), take);
        }
    }

    /// Says with which symbol the session begins here: combinations of earlier ones alone are of no use.
    pub(crate) fn begin_coded(&mut self, symbol: u64) {
        if let Some(coded) = &mut self.coded {
            coded.begin_at(symbol);
        }
    }

    /// Lets an innovative packet of a reliable session count for a slot of its generation (first symbol, size).
    pub(crate) fn mark_slot(&mut self, generation: (u64, u8), slot: u64) {
        if let Some(coded) = &mut self.coded {
            coded.mark(generation, slot, &self.window);
        }
    }

    /// Gives up what is beyond the bounds of decoding.
    pub(crate) fn bound_coded(&mut self, generations_max: usize, bytes_max: usize) {
        if let Some(coded) = &mut self.coded {
            coded.bound(generations_max, bytes_max);
        }
    }

    /// Returns what was counted, with what decoding came to.
    #[must_use]
    pub fn counted(&self) -> SinkSessionStats {
        let coded = self.coded.as_ref().map_or(self.stats.coded, |coded| coded.stats);
        SinkSessionStats { coded, ..self.stats }
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

    /// Returns the symbol that ends an application's stream, which carries nothing else, once it came.
    #[must_use]
    pub fn stream_end(&self) -> Option<u64> {
        self.content.as_ref()?.sink.stream_end()
    }

    /// Notes a packet for acknowledgements, and says when the next one is due.
    #[inline]
    pub(crate) fn on_reliable(
        &mut self,
        now: Instant,
        packet: &PacketHeader,
        joined: Option<JoinedPacket>,
        is_new: bool,
        config: &ReliableConfig,
    ) -> AckDue {
        let Some(receiver) = &mut self.receiver else { return AckDue::Waiting };
        if self.epoch != Some(packet.epoch) {
            return AckDue::Waiting;
        }
        if let Some(JoinedPacket { flow, number }) = joined {
            receiver.on_joined(now, flow, number);
        }
        receiver.on_packet(now, packet.flow, packet.number, is_new, config)
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

    /// Returns the acknowledgement of what has come so far, and the flow whose way back it takes; `None`: nothing came,
    /// or nothing is promised.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        node: NodeId,
        incarnation: Incarnation,
    ) -> Option<(Epoch, FlowId, Ranges)> {
        let receiver = self.receiver.as_mut()?;
        let (epoch, flow) = (self.epoch?, receiver.newest_flow()?);
        let slots = self.coded.as_ref().and_then(|coded| coded.slots());
        Some((epoch, flow, receiver.acknowledge(now, slots.unwrap_or(&self.window), node, incarnation)))
    }

    /// Returns the epoch of the packets that come, once one came.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Returns the measuring window, on the source's clock.
    #[must_use]
    pub fn measure(&self) -> MeasureWindow {
        self.measure
    }

    /// Whether a symbol of an epoch has been delivered, or can no more be.
    #[must_use]
    pub fn has(&self, epoch: Epoch, symbol: u64) -> bool {
        self.epoch.is_some_and(|known| epoch < known || epoch == known && self.window.contains(symbol))
    }

    /// Judges what is still open, at the end of the run or when the node leaves.
    pub fn finish(&mut self, now: Instant) {
        let source_now = self.source_now(now);
        if let Some(content) = &mut self.content {
            content.sink.finish(source_now);
        }
    }

    /// Notes that this node stops being a destination: what was created from now on is not for it.
    pub fn leave(&mut self, now: Instant) {
        let source_now = Instant::from_nanos(now.as_nanos().saturating_add_signed(self.clock_ahead_ns));
        self.measure.to = self.measure.to.min(source_now);
        self.finish(now);
    }

    /// Returns the lengths of the runs of consecutive measured symbols that were lost; those still inside the duplicate
    /// window are taken to be lost if they have not come by now.
    #[must_use]
    pub fn loss_run_lengths(&self) -> Histogram {
        self.loss_runs.lengths(&self.window)
    }

    /// Returns how the content did; `None` where nobody announced the session.
    #[must_use]
    pub fn content_stats(&self) -> Option<SinkStats> {
        let content = self.content.as_ref()?;
        let own = content.sink.stats();
        Some(content.earlier.map_or(own, |earlier| earlier.merge(&own)))
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
