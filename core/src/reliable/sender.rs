//! A reliable session at its source: what is under way, what has to be sent again, and when content may go on.

use super::ReliableConfig;
use super::destination::Destination;
use super::flow::{ReliableFlow, SentPacket, slots};
use crate::content::Symbol;
use crate::flow::{FlowBranch, FlowList};
use crate::ids::{FlowId, HopIndex, NodeId};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::acknowledgement::{ACK_SPAN_MAX, Ranges};
use serde::{Deserialize, Serialize};
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

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckTaken {
    /// It was taken.
    Taken,
    /// It was taken; the destination has started again, and forgotten everything.
    Restarted(NodeId),
    /// No destination can have meant it: nothing changed but a count.
    Refused,
}

/// What a source counted of reliable delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderStats {
    /// Packets with symbols that had been sent before.
    pub repeated_packets: u64,
    /// Those of them that were sent to find out if a flow leads somewhere.
    pub probes: u64,
    /// Packets that did not arrive at a destination, as far as was known when they were given up.
    pub lost_packets: u64,
    /// Acknowledgements that came.
    pub acks: u64,
    /// Acknowledgements that no destination can have meant: ignored.
    pub refused_acks: u64,
    /// Timeouts of flows.
    pub timeouts: u64,
    /// Times that new content had to wait because the windows of all flows were full.
    pub window_waits: u64,
    /// Times that it had to wait because some destination lacked too much.
    pub buffer_waits: u64,
    /// Packets that came twice to a destination, by what destinations say.
    pub duplicate_packets: u64,
    /// Destinations that said nothing for too long and were given up.
    pub expired: u64,
}

impl SenderStats {
    /// Adds what a later start of the source counted.
    pub fn add(&mut self, later: &Self) {
        self.repeated_packets += later.repeated_packets;
        self.probes += later.probes;
        self.lost_packets += later.lost_packets;
        self.acks += later.acks;
        self.refused_acks += later.refused_acks;
        self.timeouts += later.timeouts;
        self.window_waits += later.window_waits;
        self.buffer_waits += later.buffer_waits;
        self.duplicate_packets += later.duplicate_packets;
        self.expired += later.expired;
    }
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
                self.flows.push(ReliableFlow::new(FlowId(self.next_flow), new.route.clone(), place));
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

    /// Says where the next new symbol may go: `first` is the place in the list of the flow that was drawn; another one
    /// is taken if its windows are full, or `ready` says that its branches are. `None`: it has to wait.
    pub fn choose_new(
        &mut self,
        list: &FlowList,
        first: usize,
        ready: &mut dyn FnMut(&[FlowBranch]) -> bool,
    ) -> Option<Sending> {
        let symbol = self.next_symbol();
        let lacking = slots(self.present)
            .filter(|slot| self.destinations[*slot].as_ref().is_some_and(|lacking| !lacking.has(symbol)))
            .fold(0, |mask, slot| mask | 1 << slot);
        let chosen = self.choose(list, first, lacking, 0, ready);
        self.stats.window_waits += u64::from(chosen.is_none());
        chosen.map(|(flow, targets)| Sending { flow, symbol, targets, is_probe: false })
    }

    /// Says what is to be sent again next, or to find out if a flow leads somewhere; arguments as in
    /// [`Self::choose_new`].
    pub fn choose_repeat(
        &mut self,
        list: &FlowList,
        first: usize,
        ready: &mut dyn FnMut(&[FlowBranch]) -> bool,
    ) -> Option<Sending> {
        if self.has_suspects
            && let Some(probe) = self.choose_probe(list, ready)
        {
            return Some(probe);
        }
        let count = self.destinations.len();
        for step in 0..count {
            let slot = (self.turn + step) % count;
            let Some(symbol) = self.destinations[slot].as_mut().and_then(Destination::next_wanted) else {
                continue;
            };
            let wanting = slots(self.present).filter(|slot| {
                self.destinations[*slot].as_ref().is_some_and(|destination| destination.wants(symbol))
            });
            let wanting = wanting.fold(0, |mask, slot| mask | 1 << slot);
            if let Some((flow, targets)) = self.choose(list, first, wanting, 1 << slot, ready) {
                self.turn = slot + 1;
                return Some(Sending { flow, symbol, targets, is_probe: false });
            }
        }
        None
    }

    /// Whether something waits to be sent again.
    pub fn has_repeats(&mut self) -> bool {
        self.destinations.iter_mut().flatten().any(|destination| destination.next_wanted().is_some())
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

    /// Notes that `sending` went out as packet `number`.
    pub fn on_sent(&mut self, now: Instant, number: u64, sending: &Sending) {
        let &Sending { flow, symbol, targets, is_probe } = sending;
        for slot in slots(targets) {
            if let Some(destination) = self.destinations[slot].as_mut().filter(|_| !is_probe) {
                destination.on_sent(symbol);
            }
        }
        self.flows[flow].on_sent(SentPacket { number, symbol, at: now, open: targets, is_probe });
    }

    /// Takes an acknowledgement; `next_packet`: the first packet number that was never used.
    pub fn on_ack(&mut self, now: Instant, ack: &Ranges, next_packet: u64) -> AckTaken {
        self.stats.acks += 1;
        let (next, top) = (self.next_symbol(), self.top);
        let is_possible = ack.cumulative <= top
            && ack.arrived_to() <= top
            && ack.flows().iter().all(|count| count.highest < next_packet);
        let Some(slot) = self.slot_of(ack.node).filter(|_| is_possible) else {
            self.stats.refused_acks += 1;
            return AckTaken::Refused;
        };
        let Some(destination) = &mut self.destinations[slot] else { return AckTaken::Refused };
        let mut taken = AckTaken::Taken;
        match destination.incarnation {
            Some(known) if ack.incarnation < known => {
                self.stats.refused_acks += 1;
                return AckTaken::Refused;
            }
            Some(known) if ack.incarnation > known => {
                // It started again and has nothing; it is owed what is still held.
                let node = destination.node;
                *destination = Destination::new(now, node, self.base, self.span);
                (self.base..next).for_each(|symbol| destination.want(symbol));
                self.flows.iter_mut().for_each(|flow| flow.forget(slot));
                self.set_slots();
                taken = AckTaken::Restarted(node);
            }
            _ => {}
        }
        let Some(destination) = &mut self.destinations[slot] else { return AckTaken::Refused };
        destination.incarnation = Some(ack.incarnation);
        destination.heard_at = now;
        destination.span = usable_span(u64::from(ack.span)).min(self.span);
        for (first, end) in ack.runs() {
            destination.on_range(first, end);
        }
        destination.advance(ack.cumulative);
        let mut lost = core::mem::take(&mut self.lost);
        for count in ack.flows() {
            let Some(flow) = self.flows.iter_mut().find(|flow| flow.id == count.flow) else { continue };
            let sound = flow.on_highest(now, slot, *count, destination, ack, &mut lost);
            self.stats.refused_acks += u64::from(!sound);
        }
        self.stats.lost_packets += lost.len() as u64;
        // What is no longer held is taken from the content once more.
        for symbol in lost.drain(..).filter(|symbol| (self.base..next).contains(symbol)) {
            destination.want(symbol);
        }
        self.lost = lost;
        self.find_suspects();
        self.drop_flows();
        self.release();
        taken
    }

    /// Does what is due by time. Returns the destinations whose lease is over; they are still here.
    pub fn on_timer(&mut self, now: Instant) -> Vec<NodeId> {
        let mut expired = Vec::new();
        let next = self.next_symbol();
        let mut lost = core::mem::take(&mut self.lost);
        for slot in slots(self.present) {
            let Some(destination) = &mut self.destinations[slot] else { continue };
            for flow in &mut self.flows {
                if flow.deadline(slot, &self.config).is_some_and(|at| at <= now) {
                    self.stats.timeouts += 1;
                    flow.on_timeout(now, slot, destination, &self.config, &mut lost);
                }
            }
            self.stats.lost_packets += lost.len() as u64;
            for symbol in lost.drain(..).filter(|symbol| (self.base..next).contains(symbol)) {
                destination.want(symbol);
            }
            let lacks = destination.first_missing() < next;
            if lacks && now.saturating_since(destination.heard_at) >= self.config.lease {
                self.stats.expired += 1;
                expired.push(destination.node);
            }
        }
        self.lost = lost;
        self.find_suspects();
        self.drop_flows();
        expired
    }

    /// Returns when [`Self::on_timer`] is to be called; `None`: nothing is owed.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        if self.held.is_empty() {
            return None;
        }
        // Also where nothing is under way, because queues are full: they may never empty, and leases end.
        let mut next = now + Duration::from_millis(200).max(self.config.timeout_min);
        for slot in slots(self.present) {
            for flow in &mut self.flows {
                if let Some(at) = flow.deadline(slot, &self.config) {
                    next = next.min(at);
                }
            }
        }
        Some(next.max(now + Duration::from_millis(1)))
    }

    fn choose(
        &mut self,
        list: &FlowList,
        first: usize,
        wanted: u64,
        needed: u64,
        ready: &mut dyn FnMut(&[FlowBranch]) -> bool,
    ) -> Option<(usize, u64)> {
        let count = self.by_place.len();
        for step in 0..count {
            let place = (first + step) % count;
            if step > 0 && list.flows()[place].share == 0.0 {
                continue;
            }
            let at = self.by_place[place];
            let flow = &mut self.flows[at];
            let (mut targets, mut is_full) = (0, false);
            for slot in slots(wanted & flow.reach) {
                let path = &mut flow.paths[slot];
                if path.has_room(&self.config) {
                    targets |= 1 << slot;
                } else if !path.is_suspected() {
                    path.rate.on_limited();
                    is_full = true;
                }
            }
            // New symbols wait until all that the tree still reaches can take them, so that one packet serves them.
            let fits = if needed == 0 { !is_full } else { targets & needed != 0 };
            if targets == 0 || !fits || !ready(branches(flow, &self.destinations, list, targets)) {
                continue;
            }
            return Some((at, targets));
        }
        None
    }

    /// A flow that seems dead is tried with a symbol that is missing where it led, one at a time.
    #[cold]
    fn choose_probe(
        &mut self,
        list: &FlowList,
        ready: &mut dyn FnMut(&[FlowBranch]) -> bool,
    ) -> Option<Sending> {
        for at in &self.by_place {
            let flow = &mut self.flows[*at];
            for slot in slots(self.present & flow.reach) {
                let path = &flow.paths[slot];
                if !path.is_suspected() || path.in_flight > 0 {
                    continue;
                }
                let Some(destination) = &self.destinations[slot] else { continue };
                let symbol = destination.first_missing();
                let is_held = symbol >= self.base && symbol < self.base + self.held.len() as u64;
                if is_held && ready(branches(flow, &self.destinations, list, 1 << slot)) {
                    return Some(Sending { flow: *at, symbol, targets: 1 << slot, is_probe: true });
                }
            }
        }
        None
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
