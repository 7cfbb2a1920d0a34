//! Messages that go from node to node by what each knows of ways back: none may go in a circle.
//!
//! What nodes know of ways back comes from the packets of different moments, so that it may lead in a circle for a while.
//! The ids of an origin's messages grow, from one start to the next, too: they are the versions of what it says of a
//! subject, and only what is newer than all that passed goes on. So a message ends where it has been, however long the
//! circle and however much else is told meanwhile, and none outlives a newer one.

use crate::ids::{FlowId, NodeId, SessionKey};
use crate::wire::control::{ControlBody, ControlMessage};
use std::collections::BTreeMap;

/// Subjects that are remembered; beyond, what was last spoken of longest ago is forgotten.
const SUBJECTS_MAX: usize = 1_024;

/// What a message is about; a newer one of the same origin takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Drops of a flow's packets at the origin.
    Overflow(SessionKey, FlowId),
    /// A destination that leaves.
    Leave(SessionKey, NodeId),
    /// Losses of a hop.
    Loss(NodeId, NodeId),
}

impl Subject {
    const fn of(body: &ControlBody) -> Option<Self> {
        match *body {
            ControlBody::Overflow { key, flow, .. } => Some(Self::Overflow(key, flow)),
            ControlBody::Leave { key, node } => Some(Self::Leave(key, node)),
            ControlBody::HopLoss { from, to, .. } => Some(Self::Loss(from, to)),
            _ => None,
        }
    }
}

/// Newest version of what passed.
#[derive(Clone, Copy, Debug)]
struct Newest {
    id: u64,
    /// When, in messages that passed.
    turn: u64,
}

/// The newest that passed here, by origin and subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    newest: BTreeMap<(NodeId, Subject), Newest>,
    turn: u64,
}

impl Passed {
    /// Whether a message is newer than all of its origin on its subject that passed, and notes it. What is told along
    /// routes only is never.
    pub(super) fn is_news(&mut self, message: &ControlMessage) -> bool {
        let Some(subject) = Subject::of(&message.body) else { return false };
        let name = (message.origin, subject);
        let known = self.newest.get(&name);
        if known.is_some_and(|known| message.id <= known.id) {
            return false;
        }
        if known.is_none() && self.newest.len() >= SUBJECTS_MAX {
            let oldest = self.newest.iter().min_by_key(|(_, newest)| newest.turn).map(|(name, _)| *name);
            oldest.map(|name| self.newest.remove(&name));
        }
        self.turn += 1;
        self.newest.insert(name, Newest { id: message.id, turn: self.turn });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u32) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn loss(id: u64, from: u32) -> ControlMessage {
        let body = ControlBody::HopLoss { from: node(from), to: node(9), is_lossy: id.is_multiple_of(2) };
        ControlMessage { id, origin: node(9), route: Vec::new(), body }
    }

    /// Aim: in a circle of more relays than a list of messages would hold, each message of a hop that is told of all the
    /// time passes each relay once, and ends.
    #[test]
    fn a_long_circle_full_of_news_ends() {
        const RELAYS: usize = 300;
        let mut relays = vec![Passed::default(); RELAYS];
        let mut under_way: Vec<(usize, ControlMessage)> = Vec::new();
        let mut passes = 0;
        for step in 0..3 * RELAYS as u64 {
            if step < RELAYS as u64 {
                under_way.push((0, loss(step, 8)));
            }
            let arrived = core::mem::take(&mut under_way);
            for (relay, message) in arrived {
                if relays[relay].is_news(&message) {
                    passes += 1;
                    under_way.push(((relay + 1) % RELAYS, message));
                }
            }
        }
        assert!(under_way.is_empty(), "{} go in a circle", under_way.len());
        assert_eq!(passes, RELAYS * RELAYS);
    }

    /// Aim: what is overtaken ends; other hops, other origins and a later start of the same one are heard all the same.
    #[test]
    fn only_what_is_newer_passes() {
        let mut passed = Passed::default();
        assert!(passed.is_news(&loss(7, 8)));
        assert!(!passed.is_news(&loss(7, 8)) && !passed.is_news(&loss(6, 8)));
        assert!(passed.is_news(&loss(6, 5)));
        assert!(passed.is_news(&ControlMessage { origin: node(4), ..loss(1, 8) }));
        assert!(passed.is_news(&loss(1 << 32, 8)));
        assert!(!passed.is_news(&loss(8, 8)));
        let end = ControlBody::ConferenceEnd { conference: crate::ids::ConferenceId(1) };
        assert!(!passed.is_news(&ControlMessage { body: end, ..loss(9, 8) }));
    }

    /// Aim: memory is bounded, and what is forgotten is what was spoken of longest ago.
    #[test]
    fn subjects_are_bounded() {
        let mut passed = Passed::default();
        let count = SUBJECTS_MAX as u32;
        for from in 1..=count {
            assert!(passed.is_news(&loss(1, from)));
        }
        assert!(passed.is_news(&loss(2, 1)));
        assert!(passed.is_news(&loss(1, count + 1)));
        assert_eq!(passed.newest.len(), SUBJECTS_MAX);
        assert!(!passed.is_news(&loss(2, 1)), "it was spoken of again");
        assert!(passed.is_news(&loss(1, 2)), "it was the oldest");
    }
}
