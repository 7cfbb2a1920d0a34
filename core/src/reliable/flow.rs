//! A flow of a reliable session: the packets under way on it, to one destination or several.

use super::destination::Destination;
use super::path::Path;
use crate::flow::FlowBranch;
use crate::ids::{FlowId, NodeId};
use crate::route::{Branch, Route};
use crate::time::Instant;
use crate::wire::acknowledgement::Ranges;
use crate::wire::routing;
use std::collections::VecDeque;

/// A packet is lost once so many later ones of its flow have been acknowledged (RFC 5681's three duplicates).
pub(crate) const REORDER: u32 = 3;
/// Or so many packets later in any case: a destination that never says what became of one must not make the source
/// remember all that follow it. One that has no room for everything tells it in turns, within far fewer packets.
const UNTOLD_MAX: u64 = 1 << 16;
/// Pruned trees that a flow remembers.
const PRUNED_MAX: usize = 16;

/// One packet that is under way.
#[derive(Clone, Copy, Debug)]
pub struct SentPacket {
    /// Its number.
    pub number: u64,
    /// Its symbol.
    pub symbol: u64,
    /// When it was sent.
    pub at: Instant,
    /// Destinations, by their slots, of which is not known yet what became of it there.
    pub open: u64,
    /// Of those, the ones at which it no longer counts as under way, though a relay may still make up for it.
    pub doubted: u64,
    /// Whether it only finds out if the flow still leads somewhere: its symbol is under way elsewhere, too.
    pub is_probe: bool,
    /// It is lost once so many later ones have been acknowledged.
    pub patience: u32,
}

impl SentPacket {
    /// It is known, or believed, what became of the packet at a destination.
    fn leave(&mut self, bit: u64, path: &mut Path) {
        self.open &= !bit;
        if self.doubted & bit == 0 {
            path.on_settled();
        }
    }
}

/// A flow with its packets.
#[derive(Clone, Debug)]
pub struct ReliableFlow {
    /// Its id in packets: unlike places in a flow list, never used again for another route.
    pub id: FlowId,
    /// Its tree.
    pub route: Route,
    /// Its place in the session's flow list; `None`: it was replaced, and lives on until its packets are settled.
    pub current: Option<usize>,
    /// Destinations that its tree reaches, by slots.
    pub reach: u64,
    /// Packets under way, oldest first, and the place of the first of them in the flow.
    pub(super) sent: VecDeque<SentPacket>,
    pub(super) first: u64,
    /// The flow to each destination, by slots.
    pub(super) paths: Vec<Path>,
    /// Branches of the tree cut down to some destinations.
    pruned: VecDeque<(u64, Box<[FlowBranch]>)>,
}

impl ReliableFlow {
    pub(super) fn new(id: FlowId, route: Route, current: usize) -> Self {
        Self {
            id,
            route,
            current: Some(current),
            reach: 0,
            sent: VecDeque::new(),
            first: 0,
            paths: Vec::new(),
            pruned: VecDeque::new(),
        }
    }

    /// Returns the flow to the destination in `slot`.
    #[must_use]
    pub fn path(&self, slot: usize) -> &Path {
        &self.paths[slot]
    }

    /// Destinations or their slots have changed.
    pub(super) fn set_slots(&mut self, slots: usize, reach: u64) {
        self.paths.resize(slots, Path::default());
        self.reach = reach;
        self.pruned.clear();
    }

    /// Forgets everything about a destination that has left.
    pub(super) fn forget(&mut self, slot: usize) {
        self.paths[slot] = Path::from_place(self.first + self.sent.len() as u64);
        for packet in &mut self.sent {
            packet.open &= !(1 << slot);
        }
        self.reach &= !(1 << slot);
        self.drop_settled();
    }

    /// Notes a packet to the destinations `packet.open`.
    pub(super) fn on_sent(&mut self, packet: SentPacket) {
        self.sent.push_back(packet);
        for slot in slots(packet.open) {
            self.paths[slot].on_sent(packet.at);
        }
    }

    /// Settles what an acknowledgement of `slot` says of the packets up to number `highest`; symbols that turn out to
    /// be lost go to `lost`. Returns `false` if there cannot be such a packet.
    pub(super) fn on_highest(
        &mut self,
        now: Instant,
        slot: usize,
        count: crate::wire::acknowledgement::FlowCount,
        destination: &Destination,
        ack: &Ranges,
        lost: &mut Vec<u64>,
    ) -> bool {
        let at = self.sent.partition_point(|packet| packet.number < count.highest);
        let exact = self.sent.get(at).filter(|packet| packet.number == count.highest);
        if exact.is_none() && at > 0 {
            return false;
        }
        let hold = crate::time::Duration::from_micros(u64::from(count.hold_us));
        let sent_at = exact.map(|packet| packet.at);
        let path = &mut self.paths[slot];
        let is_newer = path.highest.is_none_or(|highest| count.highest > highest);
        if is_newer {
            path.highest = Some(count.highest);
            path.progress_at = now;
            path.timeouts = 0;
        }
        let sample =
            sent_at.filter(|_| is_newer).map(|sent_at| now.saturating_since(sent_at).saturating_sub(hold));
        path.on_count(now, count.received, sample);
        if sent_at.is_some() {
            self.settle(slot, at, destination, ack, lost);
        }
        true
    }

    /// Settles packets up to place `to` of those under way.
    fn settle(
        &mut self,
        slot: usize,
        to: usize,
        destination: &Destination,
        ack: &Ranges,
        lost: &mut Vec<u64>,
    ) {
        let bit = 1 << slot;
        let path = &mut self.paths[slot];
        let mut unsettled = None;
        let from = path.settled.saturating_sub(self.first) as usize;
        for at in from..=to {
            let packet = &mut self.sent[at];
            if packet.open & bit == 0 {
                continue;
            }
            let has = destination.has(packet.symbol);
            let behind = (to - at) as u64;
            let is_told = ack.tells_of(packet.symbol);
            if has || behind >= UNTOLD_MAX || behind >= u64::from(packet.patience) && is_told {
                packet.leave(bit, path);
                if !has && !packet.is_probe {
                    lost.push(packet.symbol);
                }
                continue;
            }
            if behind >= u64::from(REORDER) && is_told && packet.doubted & bit == 0 {
                packet.doubted |= bit;
                path.on_settled();
            }
            if unsettled.is_none() {
                unsettled = Some(at);
            }
        }
        path.settled = path.settled.max(self.first + unsettled.unwrap_or(to + 1) as u64);
        self.drop_settled();
    }

    /// When the flow to `slot` times out; `None`: nothing is under way there.
    pub(super) fn deadline(&mut self, slot: usize, config: &super::ReliableConfig) -> Option<Instant> {
        let path = &mut self.paths[slot];
        if self.sent.is_empty() {
            return None;
        }
        let from = path.settled.saturating_sub(self.first) as usize;
        let Some(ahead) = self.sent.iter().skip(from).position(|packet| packet.open & 1 << slot != 0) else {
            path.settled = self.first + self.sent.len() as u64;
            return None;
        };
        path.settled = self.first + (from + ahead) as u64;
        let oldest = self.sent[from + ahead].at;
        path.progress_at.max(oldest).checked_add(path.timeout(config))
    }

    /// The flow to `slot` has timed out: what was sent a timeout ago or earlier is lost.
    pub(super) fn on_timeout(
        &mut self,
        now: Instant,
        slot: usize,
        destination: &Destination,
        config: &super::ReliableConfig,
        lost: &mut Vec<u64>,
    ) {
        let path = &mut self.paths[slot];
        let span = path.round_trip.timeout(config);
        path.timeouts = path.timeouts.saturating_add(1);
        // The next one is counted from here.
        path.progress_at = now;
        let from = path.settled.saturating_sub(self.first) as usize;
        for packet in self.sent.iter_mut().skip(from) {
            if now.saturating_since(packet.at) < span {
                break;
            }
            if packet.open & 1 << slot != 0 {
                packet.leave(1 << slot, path);
                if !packet.is_probe && !destination.has(packet.symbol) {
                    lost.push(packet.symbol);
                }
            }
        }
        self.drop_settled();
    }

    /// The flow leads nowhere any more: what is under way on it to `slot` is lost.
    pub(super) fn give_up(
        &mut self,
        now: Instant,
        slot: usize,
        destination: &Destination,
        lost: &mut Vec<u64>,
    ) {
        let path = &mut self.paths[slot];
        path.suspect(now);
        for packet in self.sent.iter_mut().filter(|packet| packet.open & 1 << slot != 0) {
            packet.leave(1 << slot, path);
            if !packet.is_probe && !destination.has(packet.symbol) {
                lost.push(packet.symbol);
            }
        }
        self.drop_settled();
    }

    /// Forgets packets that are to find out if a suspected path leads somewhere, so that another can be sent.
    pub(super) fn give_up_probes(&mut self, slot: usize) {
        if !self.paths[slot].is_suspected() {
            return;
        }
        for packet in self.sent.iter_mut().filter(|packet| packet.is_probe && packet.open & 1 << slot != 0) {
            packet.leave(1 << slot, &mut self.paths[slot]);
        }
        self.drop_settled();
    }

    /// Forgets packets that are settled everywhere.
    pub(super) fn drop_settled(&mut self) {
        while self.sent.front().is_some_and(|packet| packet.open == 0) {
            self.sent.pop_front();
            self.first += 1;
        }
    }

    /// Returns the branches that lead to the destinations `targets` only; `all`: those of the whole tree. Nothing when
    /// the tree reaches none of them.
    pub(super) fn branches<'a>(
        &'a mut self,
        targets: u64,
        all: &'a [FlowBranch],
        node_of: impl Fn(usize) -> Option<NodeId>,
    ) -> &'a [FlowBranch] {
        if targets == self.reach {
            return all;
        }
        if let Some(at) = self.pruned.iter().position(|(known, _)| *known == targets) {
            return &self.pruned[at].1;
        }
        let nodes: Vec<NodeId> = slots(targets).filter_map(node_of).collect();
        let mut kept = Vec::new();
        for (branch, whole) in self.route.branches.iter().zip(all) {
            let Some(branch) = prune(branch, &nodes) else { continue };
            // What was cut from a legal tree is one.
            let Ok(pathlet) = routing::encode(&Route { branches: vec![branch] }) else { continue };
            kept.push(FlowBranch { node: whole.node, hop: whole.hop, pathlet: pathlet.into() });
        }
        if self.pruned.len() == PRUNED_MAX {
            self.pruned.pop_front();
        }
        self.pruned.push_back((targets, kept.into()));
        &self.pruned[self.pruned.len() - 1].1
    }
}

/// Returns the slots whose bits are set.
pub(super) fn slots(mask: u64) -> impl Iterator<Item = usize> {
    let mut left = mask;
    core::iter::from_fn(move || {
        (left != 0).then(|| {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            slot
        })
    })
}

/// Returns the branch with what leads to `nodes` (sorted or not), if anything does.
fn prune(branch: &Branch, nodes: &[NodeId]) -> Option<Branch> {
    let next: Vec<Branch> = branch.next.iter().filter_map(|branch| prune(branch, nodes)).collect();
    let deliver = branch.deliver && nodes.contains(&branch.node);
    let is_kept = deliver || !next.is_empty();
    is_kept.then_some(Branch { node: branch.node, deliver, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{HopIndex, Incarnation};
    use crate::wire::acknowledgement::FlowCount;

    /// Aim: a destination that answers, and tells of everything but the first packet, cannot make the source remember
    /// all packets since then.
    #[test]
    fn what_a_destination_never_tells_of_is_given_up() {
        let node = NodeId::new(2).unwrap();
        let mut flow = ReliableFlow::new(FlowId(0), Route::parse("2d").unwrap(), 0);
        flow.set_slots(1, 1);
        let destination = Destination::new(Instant::ZERO, node, 0, 1 << 14);
        let mut ack = Ranges::new(node, Incarnation(1), 1 << 14, 0);
        ack.begin_at(1);
        let mut lost = Vec::new();
        let batch = UNTOLD_MAX / 8;
        for round in 0..20 {
            for number in round * batch..(round + 1) * batch {
                let at = Instant::from_nanos(number);
                flow.on_sent(SentPacket {
                    number,
                    symbol: number,
                    at,
                    open: 1,
                    doubted: 0,
                    is_probe: false,
                    patience: REORDER,
                });
            }
            let highest = (round + 1) * batch - 1;
            let count = FlowCount { flow: FlowId(0), received: 1, highest, hold_us: 0 };
            let now = Instant::from_nanos(highest);
            assert!(flow.on_highest(now, 0, count, &destination, &ack, &mut lost));
        }
        assert!(lost.contains(&0));
        assert!(flow.sent.len() as u32 <= REORDER, "{} are remembered", flow.sent.len());
    }

    /// Aim: a cut tree reaches exactly whom it should, and is made once.
    #[test]
    fn trees_are_cut_to_those_who_miss_something() {
        let id = |node| NodeId::new(node).unwrap();
        let route = Route::parse("{2d,3>{4d,5d>6d}}").unwrap();
        let all: Vec<FlowBranch> = route
            .branches
            .iter()
            .map(|branch| {
                let pathlet = routing::encode(&Route { branches: vec![branch.clone()] }).unwrap();
                FlowBranch { node: branch.node, hop: HopIndex(branch.node.get()), pathlet: pathlet.into() }
            })
            .collect();
        let nodes = [id(2), id(4), id(5), id(6)];
        let mut flow = ReliableFlow::new(FlowId(0), route, 0);
        flow.set_slots(4, 0b1111);
        let mut cut = |targets: u64| {
            let branches = flow.branches(targets, &all, |slot| Some(nodes[slot]));
            let text: Vec<String> = branches
                .iter()
                .map(|branch| {
                    assert_eq!(branch.hop, HopIndex(branch.node.get()));
                    routing::decode(&branch.pathlet).unwrap().to_string()
                })
                .collect();
            text.join(" ")
        };
        assert_eq!(cut(0b1111), "2d 3>{4d,5d>6d}");
        assert_eq!(cut(0b0001), "2d");
        assert_eq!(cut(0b1000), "3>5>6d");
        assert_eq!(cut(0b0110), "3>{4d,5d}");
        assert_eq!(cut(0b1000), "3>5>6d");
        assert_eq!(flow.pruned.len(), 3);
    }
}
