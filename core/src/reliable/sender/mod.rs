//! A reliable session at its source: what is under way, what has to be sent again, and when content may go on.

mod answers;
mod choice;
mod stats;

pub use answers::AckTaken;
pub use stats::SenderStats;

use super::ReliableConfig;
use super::destination::Destination;
use super::flow::{REORDER, ReliableFlow, SentPacket, slots};
use crate::content::Symbol;
use crate::flow::{FlowBranch, FlowList};
use crate::ids::{FlowId, HopIndex, NodeId};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::acknowledgement::{ACK_SPAN_MAX, Ranges};
use std::collections::VecDeque;

/// Least distance of messages that tell a destination where the session begins for it.
const BEGIN_INTERVAL: Duration = Duration::from_millis(100);

/// Destinations of one reliable session, at most: a set of them is one word.
pub const DESTINATIONS_MAX: usize = 64;

/// What is kept of a symbol until every destination has it. Its payload can be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The application's object that it is part of.
    pub object: u32,
    /// Its place in the object.
    pub index: u32,
    /// Symbols of the object.
    pub count: u32,
    /// Bytes of its payload.
    pub len: u32,
    /// When it came to be.
    pub timestamp: Instant,
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Its flow, by its place among the sender's.
    pub flow: usize,
    /// Its symbol.
    pub symbol: u64,
    /// The destinations that it is for, by slots.
    pub targets: u64,
    /// Whether it is to find out if the flow leads somewhere.
    pub is_probe: bool,
}

/// The state of a reliable session at its source.
#[derive(Debug)]
pub struct Sender {
    config: ReliableConfig,
    /// Symbols that the source itself would let a destination be behind.
    span: u64,
    destinations: Vec<Option<Destination>>,
    /// Slots that are taken.
    present: u64,
    /// Symbols from `base` on.
    held: VecDeque<Held>,
    base: u64,
    held_bytes: u64,
    /// What was held when content began again, from `kept_from` on: those symbols keep their descriptions.
    kept: VecDeque<Held>,
    kept_from: u64,
    flows: Vec<ReliableFlow>,
    /// The sender's flow for each place of the flow list.
    by_place: Vec<usize>,
    next_flow: u16,
    /// Whether some flow is suspected.
    has_suspects: bool,
    /// The slot whose repeats are looked at first.
    turn: usize,
    /// When it wants to be called again.
    pub(crate) timer: Option<TimerId>,
    /// End (excluded) of all symbols that were ever sent: more than those held once content was made again.
    top: u64,
    /// Whether completion was told.
    pub(crate) is_complete: bool,
    /// Symbols found lost in the call under way.
    lost: Vec<u64>,
    /// What was counted.
    pub stats: SenderStats,
}

impl Sender {
    /// Returns the state of a session that has sent nothing; `span`: the symbols that nodes tell from duplicates.
    #[must_use]
    pub fn new(now: Instant, config: ReliableConfig, span: usize, destinations: &[NodeId]) -> Self {
        let mut sender = Self {
            config,
            span: usable_span(span as u64),
            destinations: Vec::new(),
            present: 0,
            held: VecDeque::new(),
            base: 0,
            held_bytes: 0,
            kept: VecDeque::new(),
            kept_from: 0,
            flows: Vec::new(),
            by_place: Vec::new(),
            next_flow: 0,
            has_suspects: false,
            turn: 0,
            timer: None,
            top: 0,
            is_complete: false,
            lost: Vec::new(),
            stats: SenderStats::default(),
        };
        for node in destinations {
            sender.join(now, *node);
        }
        sender
    }

    /// Returns the first symbol that was never sent.
    #[must_use]
    pub fn next_symbol(&self) -> u64 {
        self.base + self.held.len() as u64
    }

    /// Returns the first symbol that some destination lacks.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Whether every destination has everything that was sent.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    /// Returns the destinations.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.destinations.iter().flatten()
    }

    /// Returns the flows, replaced ones with packets under way included.
    #[must_use]
    pub fn flows(&self) -> &[ReliableFlow] {
        &self.flows
    }

    /// Returns the description of a symbol that some destination lacks.
    #[must_use]
    pub fn held(&self, symbol: u64) -> Option<&Held> {
        self.held.get(symbol.checked_sub(self.base)? as usize)
    }

    /// A node becomes a destination: what is sent from now on is for it. Returns `false` when there are too many.
    pub fn join(&mut self, now: Instant, node: NodeId) -> bool {
        if self.slot_of(node).is_some() {
            return true;
        }
        let free = (!self.present).trailing_zeros() as usize;
        if free >= DESTINATIONS_MAX {
            return false;
        }
        if self.destinations.len() <= free {
            self.destinations.resize_with(free + 1, || None);
        }
        self.destinations[free] = Some(Destination::new(now, node, self.next_symbol(), self.span));
        self.present |= 1 << free;
        self.set_slots();
        true
    }

    /// A node stops being a destination: it holds nothing back any more.
    pub fn leave(&mut self, node: NodeId) {
        let Some(slot) = self.slot_of(node) else { return };
        self.destinations[slot] = None;
        self.present &= !(1 << slot);
        for flow in &mut self.flows {
            flow.forget(slot);
        }
        self.set_slots();
        self.release();
    }

    /// Flows were installed. Those whose route stays keep what is known of them; what is under way on others is given
    /// up only when it times out.
    pub fn install(&mut self, list: &FlowList) {
        for flow in &mut self.flows {
            flow.current = None;
        }
        self.by_place.clear();
        for (place, new) in list.flows().iter().enumerate() {
            let known = self.flows.iter().position(|flow| flow.current.is_none() && flow.route == new.route);
            let at = known.unwrap_or_else(|| {
                let flow = ReliableFlow::new(FlowId(self.next_flow), new.route.clone(), place);
                self.flows.push(flow);
                self.next_flow = self.next_flow.wrapping_add(1);
                self.flows.len() - 1
            });
            self.flows[at].current = Some(place);
            self.by_place.push(at);
        }
        self.set_slots();
    }

    /// The flow list is gone.
    pub fn uninstall(&mut self) {
        for flow in &mut self.flows {
            flow.current = None;
        }
        self.by_place.clear();
        self.drop_flows();
    }

    /// Whether content of at most `len` bytes may be taken.
    pub fn may_take(&mut self, len: u32) -> bool {
        let spans = self.destinations.iter().flatten().map(|destination| destination.span);
        let span = spans.min().unwrap_or(self.span).min(self.span);
        let bytes = self.held_bytes + u64::from(len);
        let may =
            (self.held.len() as u64) < span && bytes <= self.config.buffer_bytes_max.max(u64::from(len));
        self.stats.buffer_waits += u64::from(!may);
        may
    }

    /// Returns the branches of the flow of `sending` that lead to its targets.
    pub fn branches<'a>(&'a mut self, list: &'a FlowList, sending: &Sending) -> &'a [FlowBranch] {
        branches(&mut self.flows[sending.flow], &self.destinations, list, sending.targets)
    }

    /// Whether some flow is suspected to lead nowhere, and is to be tried.
    #[must_use]
    pub fn has_suspects(&self) -> bool {
        self.has_suspects
    }

    /// The hop `hop` has opened anew: flows that begin with it and seemed dead are tried at once.
    pub fn retry(&mut self, list: &FlowList, hop: HopIndex) {
        for flow in &mut self.flows {
            let branches = flow.current.map_or(&[][..], |place| &list.flows()[place].branches);
            if branches.iter().any(|branch| branch.hop == hop) {
                slots(self.present).for_each(|slot| flow.give_up_probes(slot));
            }
        }
    }

    /// Returns the place of a flow in the session's flow list, unless it was replaced.
    #[must_use]
    pub fn place(&self, flow: usize) -> Option<usize> {
        self.flows[flow].current
    }

    /// Returns the id of a flow in packets.
    #[must_use]
    pub fn flow_id(&self, flow: usize) -> FlowId {
        self.flows[flow].id
    }

    /// Keeps a symbol that is about to be sent for the first time.
    pub fn hold(&mut self, now: Instant, symbol: &Symbol) {
        let &Symbol { object, index, count, len, timestamp, .. } = symbol;
        debug_assert_eq!(symbol.id, self.next_symbol(), "symbols are taken in order");
        let mut held = Held { object, index, count, len, timestamp };
        if self.kept_from == symbol.id
            && let Some(kept) = self.kept.pop_front()
        {
            held = kept;
            self.kept_from += 1;
        }
        self.held.push_back(held);
        self.held_bytes += u64::from(len);
        self.top = self.top.max(symbol.id + 1);
        for destination in self.destinations.iter_mut().flatten() {
            if destination.first_missing() == symbol.id {
                // It had everything: there was nothing to answer, and its lease is about answers.
                destination.heard_at = destination.heard_at.max(now);
            }
            destination.want(symbol.id);
        }
    }

    /// Forgets what every destination has.
    pub fn pass_over(&mut self) {
        self.release();
    }

    /// Whether every destination has the symbol that is taken next, as when content is made again for one that came late.
    #[must_use]
    pub fn all_have_next(&self) -> bool {
        let next = self.next_symbol();
        next < self.top && self.destinations().all(|destination| destination.has(next))
    }

    /// Content begins anew with symbol 0, for the sake of `node`, which has nothing; the others keep what they have.
    pub fn rewind(&mut self, now: Instant, node: NodeId) {
        if self.kept.is_empty() || self.kept_from == self.next_symbol() {
            self.kept_from = self.base;
            self.held.append(&mut self.kept);
            core::mem::swap(&mut self.held, &mut self.kept);
        }
        self.held.clear();
        (self.base, self.held_bytes, self.is_complete) = (0, 0, false);
        for destination in self.destinations.iter_mut().flatten() {
            if destination.node == node {
                let incarnation = destination.incarnation;
                *destination = Destination::new(now, node, 0, self.span);
                destination.incarnation = incarnation;
            }
            destination.want_nothing();
        }
    }

    /// Lets the session begin later for `node`, which has nothing: with the symbol that `first` names for the one that it
    /// would be owed first, or with the next new one.
    pub fn begin_with(&mut self, now: Instant, node: NodeId, first: impl Fn(u64) -> Option<u64>) {
        let next = self.next_symbol();
        let Some(slot) = self.slot_of(node) else { return };
        let Some(destination) = &mut self.destinations[slot] else { return };
        let begin = first(destination.begin).unwrap_or(next);
        if begin <= destination.begin {
            return;
        }
        let later = Destination::new(now, node, begin, destination.span);
        let before = core::mem::replace(destination, later);
        destination.incarnation = before.incarnation;
        (begin..next).for_each(|symbol| destination.want(symbol));
        self.release();
    }

    /// Returns where the session begins for a node that seems not to know.
    #[must_use]
    pub fn unknown_begin(&mut self, now: Instant, ack: &Ranges) -> Option<(usize, u64)> {
        let slot = self.slot_of(ack.node)?;
        let destination = self.destinations[slot].as_mut()?;
        let is_due = now.saturating_since(destination.begin_told_at) >= BEGIN_INTERVAL;
        if ack.cumulative >= destination.begin || !is_due {
            return None;
        }
        destination.begin_told_at = now;
        Some((slot, destination.begin))
    }

    /// Returns the branches of some flow that lead to the destination in `slot` only.
    pub fn branches_to<'a>(&'a mut self, list: &'a FlowList, slot: usize) -> &'a [FlowBranch] {
        let reaches = |flow: &&mut ReliableFlow| flow.current.is_some() && flow.reach & 1 << slot != 0;
        match self.flows.iter_mut().find(reaches) {
            Some(flow) => branches(flow, &self.destinations, list, 1 << slot),
            None => &[],
        }
    }

    /// Notes that `sending` went out as packet `number`, which is lost once `patience` later ones of its flow have been
    /// acknowledged, or three (RFC 5681), where that is more.
    pub fn on_sent(&mut self, now: Instant, number: u64, sending: &Sending, patience: u32) {
        let &Sending { flow, symbol, targets, is_probe } = sending;
        for slot in slots(targets) {
            if let Some(destination) = self.destinations[slot].as_mut().filter(|_| !is_probe) {
                destination.on_sent(symbol);
            }
        }
        let patience = patience.max(REORDER);
        let (open, doubted) = (targets, 0);
        self.flows[flow].on_sent(SentPacket { number, symbol, at: now, open, doubted, is_probe, patience });
    }

    fn slot_of(&self, node: NodeId) -> Option<usize> {
        self.destinations
            .iter()
            .position(|destination| destination.as_ref().is_some_and(|destination| destination.node == node))
    }

    /// Works out anew which destinations each flow reaches.
    fn set_slots(&mut self) {
        let slots = self.destinations.len();
        for flow in &mut self.flows {
            let reached = flow.route.destinations();
            let mut reach = 0;
            for (slot, destination) in self.destinations.iter().enumerate() {
                let node = destination.as_ref().map(|destination| destination.node);
                if node.is_some_and(|node| reached.binary_search(&node).is_ok()) {
                    reach |= 1 << slot;
                }
            }
            flow.set_slots(slots, reach);
        }
    }

    fn find_suspects(&mut self) {
        let present = self.present;
        self.has_suspects =
            self.flows.iter().any(|flow| slots(present).any(|slot| flow.path(slot).is_suspected()));
    }

    /// Forgets replaced flows all of whose packets are settled.
    fn drop_flows(&mut self) {
        if self.flows.iter().all(|flow| flow.current.is_some() || !flow.sent.is_empty()) {
            return;
        }
        self.flows.retain(|flow| flow.current.is_some() || !flow.sent.is_empty());
        for (at, flow) in self.flows.iter().enumerate() {
            if let Some(place) = flow.current {
                self.by_place[place] = at;
            }
        }
    }

    /// Forgets symbols that every destination has.
    fn release(&mut self) {
        let next = self.next_symbol();
        let least = self.destinations.iter().flatten().map(Destination::first_missing).min();
        let to = least.unwrap_or(next).min(next);
        while self.base < to
            && let Some(held) = self.held.pop_front()
        {
            self.held_bytes -= u64::from(held.len);
            self.base += 1;
        }
    }
}

/// Returns the symbols that a source may be ahead of a destination that tells `span` symbols from duplicates: its
/// window moves by words.
fn usable_span(span: u64) -> u64 {
    span.saturating_sub(64).clamp(1, u64::from(ACK_SPAN_MAX) - 64)
}

fn branches<'a>(
    flow: &'a mut ReliableFlow,
    destinations: &[Option<Destination>],
    list: &'a FlowList,
    targets: u64,
) -> &'a [FlowBranch] {
    let place = flow.current.unwrap_or(0);
    let all = &list.flows()[place].branches;
    let node_of = |slot: usize| destinations[slot].as_ref().map(|known| known.node);
    flow.branches(targets, all, node_of)
}
