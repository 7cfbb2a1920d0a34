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
}
