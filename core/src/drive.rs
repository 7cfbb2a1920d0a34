//! The one drain loop: how a driver gets everything out of a node after inputs.

use crate::io::{Deadline, Event, Transmit};
use crate::node::Node;
use crate::time::Instant;

/// What a driver does with the outputs of its node.
pub trait Host {
    /// Sends a frame. It counts as sent; a host that cannot send now keeps it, tells the node
    /// [`crate::io::Input::Blocked`] for the hop, and says so here.
    fn transmit(&mut self, now: Instant, frame: Transmit<'_>) -> Sent;

    /// Takes an event.
    fn event(&mut self, now: Instant, event: Event);
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Taken,
    /// It was kept: the hop must be blocked.
    Kept,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Nothing is left to do before the deadline.
    Idle(Option<Deadline>),
    /// The budget was spent: call again, with the same `now` if need be.
    MoreWork,
}

/// Hands every frame, then every event, to the host; at most `budget` frames.
///
/// ```
/// use bellini_core::config::NodeConfig;
/// use bellini_core::drive::{Drained, Host, Sent, drain};
/// use bellini_core::ids::NodeId;
/// use bellini_core::io::{Command, Event, HopKind, Input, Transmit};
/// use bellini_core::rng::Seed;
/// use bellini_core::time::Instant;
/// use bellini_core::Node;
///
/// struct Count(usize);
/// impl Host for Count {
///     fn transmit(&mut self, _: Instant, _: Transmit<'_>) -> Sent {
///         self.0 += 1;
///         Sent::Taken
///     }
///     fn event(&mut self, _: Instant, _: Event) {}
/// }
///
/// let (one, two) = (NodeId::new(1).unwrap(), NodeId::new(2).unwrap());
/// let mut node = Node::new(NodeConfig::new(one), Seed(1), Instant::ZERO).unwrap();
/// let open = Command::OpenHop { peer: two, kind: HopKind::Datagram };
/// node.handle_input(Instant::ZERO, Input::Command(open)).unwrap();
/// let mut host = Count(0);
/// let Drained::Idle(deadline) = drain(&mut node, Instant::ZERO, 100, &mut host) else { panic!() };
/// assert_eq!(host.0, 1, "a hello goes out");
/// assert!(deadline.is_some(), "and is repeated unless it is answered");
/// ```
#[inline]
pub fn drain(node: &mut Node, now: Instant, budget: usize, host: &mut impl Host) -> Drained {
    let mut left = budget;
    loop {
        while let Some(frame) = node.poll_transmit(now) {
            let hop = frame.hop;
            if host.transmit(now, frame) == Sent::Kept {
                node.block(hop);
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return Drained::MoreWork;
            }
        }
        while let Some(event) = node.poll_event() {
            host.event(now, event);
        }
        let deadline = node.poll_timeout();
        if deadline.is_none_or(|deadline| deadline.at > now) {
            return Drained::Idle(deadline);
        }
        // A deadline that has come already is work of this drain: nothing may be left in the past.
        node.fire(now);
    }
}
