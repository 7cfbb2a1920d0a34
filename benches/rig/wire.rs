//! Links of one millisecond between the nodes of a chain, so that hops have round trips.

use super::{Batch, Chain, empty};
use bellini_core::io::{HopKind, Input};
use bellini_core::time::Duration;

/// What the nodes of a chain have under way: what each handed out in the millisecond before, and does now.
pub(crate) struct Wire {
    flying: Vec<Batch>,
    leaving: Vec<Batch>,
}

impl Wire {
    /// Nothing is under way yet.
    pub(crate) fn of(chain: &Chain) -> Self {
        let batches = || chain.nodes.iter().map(|_| Batch::default()).collect();
        Self { flying: batches(), leaving: batches() }
    }
}

impl Chain {
    /// Lets a millisecond pass: what was sent in the one before arrives, and everything that is due is sent, in steps
    /// of 100 us. The steps are what a driver's timer would do.
    pub(crate) fn pass_millisecond(&mut self, wire: &mut Wire) {
        for from in 0..self.nodes.len() {
            let name = self.nodes[from].id();
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                for kind in [self.kind, HopKind::Control] {
                    if wire.flying[from].has(self.nodes[to].id(), kind) {
                        let hop = self.nodes[to].hop(name, kind);
                        wire.flying[from].deliver_kind(self.now, &mut self.nodes[to], hop, kind);
                    }
                }
            }
        }
        wire.leaving.iter_mut().for_each(Batch::clear);
        for _ in 0..10 {
            for (node, batch) in self.nodes.iter_mut().zip(&mut wire.leaving) {
                node.handle_input(self.now, Input::Timeout).expect("a timeout is never refused");
                empty(node, self.now, batch);
            }
            self.now += Duration::from_micros(100);
        }
        core::mem::swap(&mut wire.flying, &mut wire.leaving);
    }
}
