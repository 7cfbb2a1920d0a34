//! What a reliable source sends next: tries of flows that seem dead, repeats, new symbols; on which flow, and to whom.

use super::super::destination::Destination;
use super::super::flow::slots;
use super::{Sender, Sending, branches};
use crate::flow::{FlowBranch, FlowList};

impl Sender {
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
        let mut chosen = self.choose(list, first, lacking, 0, ready);
        if chosen.is_none() && self.held.is_empty() {
            chosen = self.choose_suspected(list, lacking, ready);
        }
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

    /// While nothing is missing, flows that seem dead cannot be tried with what is. Where they are all that is left, a
    /// new symbol is the try; else the session would wait for ever.
    #[cold]
    fn choose_suspected(
        &mut self,
        list: &FlowList,
        lacking: u64,
        ready: &mut dyn FnMut(&[FlowBranch]) -> bool,
    ) -> Option<(usize, u64)> {
        let is_alive = self.by_place.iter().zip(list.flows()).any(|(at, listed)| {
            let flow = &self.flows[*at];
            listed.share > 0.0 && slots(lacking & flow.reach).any(|slot| !flow.paths[slot].is_suspected())
        });
        if is_alive {
            return None;
        }
        for (at, listed) in self.by_place.iter().zip(list.flows()) {
            let flow = &mut self.flows[*at];
            let idle = slots(lacking & flow.reach).filter(|slot| flow.paths[*slot].in_flight == 0);
            let targets = idle.fold(0, |mask, slot| mask | 1 << slot);
            if listed.share > 0.0 && targets != 0 && ready(branches(flow, &self.destinations, list, targets))
            {
                return Some((*at, targets));
            }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Symbol;
    use crate::ids::{HopIndex, Incarnation, NodeId};
    use crate::io::DrawMode;
    use crate::payload::Payload;
    use crate::reliable::ReliableConfig;
    use crate::route::Route;
    use crate::time::{Duration, Instant};
    use crate::wire::acknowledgement::Ranges;
    use crate::wire::routing::RouteLimits;

    fn node(id: u32) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn list(routes: &[&str]) -> FlowList {
        let flows: Vec<_> = routes.iter().map(|route| (Route::parse(route).unwrap(), 1.0)).collect();
        let hop = |node: NodeId| HopIndex(node.get());
        FlowList::new(node(1), &flows, DrawMode::Stride, RouteLimits::NONE, hop).unwrap()
    }

    /// Sends the next symbol, on the flow at place `first` if that may be; returns the flow.
    fn send(sender: &mut Sender, list: &FlowList, first: usize, now: Instant, number: u64) -> Option<usize> {
        let sending = sender.choose_new(list, first, &mut |branches| !branches.is_empty())?;
        let payload = Payload::Bytes(bytes::Bytes::new());
        let id = sending.symbol;
        let symbol = Symbol { id, object: 0, index: 0, count: 1, len: 0, timestamp: now, payload };
        sender.hold(now, &symbol);
        sender.on_sent(now, number, &sending, 0);
        Some(sending.flow)
    }

    /// Aim: packets of a flow are lost until it is suspected, or fills its window; what they carried arrives by another
    /// flow, which then goes. Nothing is owed any more, but the next symbol must find its way: by the flow's timeouts,
    /// and as the try of a suspected flow.
    #[test]
    fn a_session_that_owes_nothing_goes_on_over_a_flow_that_seemed_dead() {
        let config = ReliableConfig { window_packets_min: 2, ..ReliableConfig::default() };
        for is_suspected in [false, true] {
            let mut now = Instant::ZERO;
            let mut sender = Sender::new(now, config, 1 << 10, &[node(4)]);
            let both = list(&["2>4d", "3>4d"]);
            sender.install(&both);
            for number in 0..2 {
                assert_eq!(send(&mut sender, &both, 0, now, number), Some(0));
            }
            if is_suspected {
                now += Duration::from_secs(2);
                sender.on_timer(now);
                for number in 2..4 {
                    let repeat = sender.choose_repeat(&both, 0, &mut |_| true).expect("it timed out");
                    sender.on_sent(now, number, &repeat, 0);
                }
                now += Duration::from_secs(2);
                sender.on_timer(now);
            }
            assert_eq!(sender.has_suspects(), is_suspected);
            // As if the other flow had brought both.
            let ack = Ranges::new(node(4), Incarnation(1), 1 << 10, 2);
            sender.on_ack(now, &ack, 4);
            assert!(sender.is_settled() && sender.deadline(now, false).is_none());
            let first = list(&["2>4d"]);
            sender.install(&first);
            let mut tries = 0;
            while send(&mut sender, &first, 0, now, 4).is_none() {
                now = sender.deadline(now, true).expect("a symbol waits");
                sender.on_timer(now);
                tries += 1;
                assert!(tries < 20, "it waits for ever");
            }
            assert_eq!(sender.next_symbol(), 3);
        }
    }
}
