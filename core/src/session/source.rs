//! A session at its source.

use super::coded::{CodedSource, CodedSourceStats};
use crate::content::{Source, SourceContext, SourceStats, Symbol};
use crate::flow::FlowList;
use crate::ids::{Epoch, HopIndex, Incarnation, NodeId, SessionKey};
use crate::io::{Delivery, DrawMode, HopKind, MeasureWindow, SessionSpec};
use crate::payload::Payload;
use crate::reliable::{Held, ReliableConfig, Sender, SenderStats};
use crate::rng::{Seed, Stream};
use crate::route::Route;
use crate::seal::{SealSpec, SealedAs, SymbolSeal, TAG_BYTES};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::acknowledgement::Acknowledgement;
use serde::{Deserialize, Serialize};

/// What a source keeps of a session.
#[derive(Debug)]
pub struct SourceSession {
    /// Raised by a restarted source.
    pub epoch: Epoch,
    /// Destinations now, sorted.
    pub destinations: Vec<NodeId>,
    /// The kind of hop that carries it.
    pub hop_kind: HopKind,
    /// How flows are drawn.
    pub draw: DrawMode,
    /// Its content.
    pub content: Source,
    /// Its flows, once installed.
    pub flows: Option<FlowList>,
    /// Flows that were replaced, with what went over them; merged by route.
    pub retired: Vec<(Route, u64)>,
    /// Draws flows.
    pub stream: Stream,
    /// Number of the next packet.
    pub next_packet: u64,
    /// A symbol that waits for room in the feeders, with the flow drawn for it.
    pub pending: Option<(Symbol, usize)>,
    /// Which (planner incarnation, version) was installed last.
    pub installed: Option<(Incarnation, u32)>,
    /// How often policies are asked.
    pub policy_period: Option<Duration>,
    /// Whether it has left what was decided since all hops were up.
    pub is_diverted: bool,
    /// When policies were asked last because of an overflow.
    pub overflow_asked_at: Option<Instant>,
    /// The timer of its next symbol.
    pub timer: Option<TimerId>,
    /// The timer of its next policy pull.
    pub policy_timer: Option<TimerId>,
    /// Whether it has offered everything.
    pub finished: bool,
    /// Largest payload of one symbol as it is sent, in bytes.
    pub symbol_bytes: u32,
    /// What seals its symbols from end to end; `None`: they are plain.
    pub seal: Option<Box<SymbolSeal>>,
    /// What makes delivery reliable; `None`: best effort, or the conference is over.
    pub reliable: Option<Box<Sender>>,
    /// What codes its packets; `None`: they are not coded.
    pub coded: Option<Box<CodedSource>>,
    /// What was counted.
    pub stats: SourceSessionStats,
    /// (packets, bytes) at the last report.
    pub reported: (u64, u64),
    /// What its first hops carried, where that counts for its content.
    pub first_hops: Vec<FirstHop>,
}

/// What a source knows of the use of one of its first hops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstHop {
    /// The hop.
    pub hop: HopIndex,
    /// When it was last looked at.
    pub at: Instant,
    /// Frame bytes that the hop had sent then.
    pub sent_bytes: u64,
    /// Mean rate of what the hop sends, in bytes of frames a second.
    pub rate: f64,
    /// Payload bytes that the session had emitted then.
    pub own_bytes: u64,
    /// Bytes of the session's conference that waited for the hop then.
    pub backlog_bytes: u64,
    /// Mean rate of what the session itself has on the hop, likewise.
    pub own_rate: f64,
}

/// What a source counted of a session, besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSessionStats {
    /// Packets emitted (sibling copies count once).
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Symbols that no route was there for.
    pub unrouted_symbols: u64,
    /// What reliable delivery took; zeros for best effort.
    #[serde(default)]
    pub reliable: SenderStats,
    /// What was coded; zeros where nothing is.
    #[serde(default)]
    pub coded: CodedSourceStats,
}

impl SourceSession {
    /// Returns the session as `spec` describes it, without flows. `bounds`: those of reliable delivery, and the symbols
    /// that nodes tell from duplicates.
    #[must_use]
    pub fn new(
        now: Instant,
        spec: &SessionSpec,
        node: NodeId,
        seed: Seed,
        bounds: (ReliableConfig, usize),
    ) -> Self {
        let (config, span) = bounds;
        let SessionSpec { key, epoch, .. } = spec;
        let MeasureWindow { from, to } = spec.measure;
        let context = SourceContext {
            key: *key,
            epoch: epoch.0,
            seed,
            symbol_bytes: spec.symbol_bytes,
            start: spec.start,
            stop: spec.stop,
            measure_from: from,
            measure_to: to,
        };
        let mut content = Source::new(&spec.content, context);
        if spec.delivery == Delivery::BestEffort {
            // Nothing is sent again.
            content.release(u64::MAX);
        }
        Self {
            epoch: *epoch,
            destinations: spec.destinations.clone(),
            hop_kind: spec.hop_kind,
            draw: spec.draw,
            content,
            flows: None,
            retired: Vec::new(),
            stream: flow_stream(seed, node, *key, *epoch),
            next_packet: 0,
            pending: None,
            installed: None,
            policy_period: spec.policy_period,
            is_diverted: false,
            overflow_asked_at: None,
            timer: None,
            policy_timer: None,
            finished: false,
            symbol_bytes: spec.symbol_bytes + spec.seal.map_or(0, |_| TAG_BYTES),
            seal: spec.seal.map(|seal| {
                // What is coded as real bytes must have been sealed as such.
                let real_bytes = seal.real_bytes || spec.coding.is_some_and(|coding| coding.real_bytes);
                Box::new(SymbolSeal::new(&SealSpec { real_bytes, ..seal }, *key, node, seed))
            }),
            reliable: (spec.delivery == Delivery::Reliable)
                .then(|| Box::new(Sender::new(now, config, span, &spec.destinations))),
            coded: spec.coding.map(|coding| {
                let is_reliable = spec.delivery == Delivery::Reliable;
                Box::new(CodedSource::new(coding, *key, *epoch, seed, is_reliable))
            }),
            stats: SourceSessionStats::default(),
            reported: (0, 0),
            first_hops: Vec::new(),
        }
    }

    /// Replaces the flows; what went over the old ones is kept by route.
    pub fn replace_flows(&mut self, flows: FlowList) {
        self.retire_flows();
        if let Some(sender) = &mut self.reliable {
            sender.install(&flows);
        }
        self.flows = Some(flows);
    }

    /// Takes the flows away, as when nobody is left to send to; what went over them is kept by route.
    pub fn drop_flows(&mut self) {
        self.retire_flows();
        if let Some(sender) = &mut self.reliable {
            sender.uninstall();
        }
    }

    fn retire_flows(&mut self) {
        for flow in self.flows.iter().flat_map(FlowList::flows) {
            match self.retired.iter_mut().find(|(route, _)| *route == flow.route) {
                Some((_, packets)) => *packets += flow.packets,
                None if flow.packets > 0 => self.retired.push((flow.route.clone(), flow.packets)),
                None => {}
            }
        }
        self.flows = None;
    }

    /// A destination of a reliable session has nothing of what was sent: a file begins again for it, of other content it
    /// gets what comes from now on.
    pub(crate) fn begin_again(&mut self, now: Instant, node: NodeId) {
        let Some(sender) = &mut self.reliable else { return };
        if sender.next_symbol() > 0 && !self.content.rewind() {
            // It begins with a generation of which it gets everything.
            if let Some(coded) = &mut self.coded {
                coded.close();
                sender.begin_with(now, node, |symbol| coded.next_first(symbol));
            }
        } else if sender.next_symbol() > 0 {
            if let Some((symbol, _)) = self.pending.take() {
                sender.hold(now, &symbol);
            }
            sender.rewind(now, node);
            if let Some(coded) = &mut self.coded {
                coded.rewind();
            }
            self.finished = false;
        }
    }

    /// Returns the payload of a symbol that was sent before; it is the same again.
    pub(crate) fn payload_again(&self, symbol: u64, held: &Held) -> Payload {
        let Some(seal) = &self.seal else { return self.content.payload_again(symbol, held.len) };
        let Held { object, index, count, .. } = *held;
        let plain = self.content.payload_again(symbol, held.len.saturating_sub(TAG_BYTES));
        seal.seal(&SealedAs { epoch: self.epoch, symbol, object, index, count }, plain)
    }

    /// Takes in what a destination of a coded session acknowledges, if it can be read.
    pub(crate) fn on_rank(&mut self, epoch: Epoch, ack: Option<Acknowledgement>) {
        let Some(coded) = &mut self.coded else { return };
        match ack {
            Some(Acknowledgement::Rank(rank)) if epoch == self.epoch => {
                coded.on_rank(&rank, self.destinations.binary_search(&rank.node).ok());
            }
            _ => coded.stats.refused_reports += 1,
        }
    }

    /// Whether it has offered everything, and nobody waits for any of it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.finished && self.reliable.as_ref().is_none_or(|sender| sender.is_settled())
    }

    /// Returns what was counted, with what reliable delivery took.
    #[must_use]
    pub fn counted(&self) -> SourceSessionStats {
        let reliable = self.reliable.as_ref().map_or(self.stats.reliable, |sender| sender.stats);
        let coded = self.coded.as_ref().map_or(self.stats.coded, |coded| coded.stats);
        SourceSessionStats { reliable, coded, ..self.stats }
    }

    /// Returns what the content counted.
    #[must_use]
    pub fn content_stats(&self) -> SourceStats {
        self.content.stats()
    }
}

fn flow_stream(seed: Seed, node: NodeId, key: SessionKey, epoch: Epoch) -> Stream {
    seed.stream_of(format_args!("node:{node}:session:{key}:{epoch}:flow"))
}
