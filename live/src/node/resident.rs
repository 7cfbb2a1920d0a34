//! A program inside the node's process: what it wants of the node, and what it hears.
//!
//! It is served on the packet thread, once a turn like everything else, and does nothing there that takes long: whoever
//! made it does the rest elsewhere, and rings when there is something for the node.

use super::Daemon;
use crate::console::Addresses;
use bellini_core::Node;
use bellini_core::ids::NodeId;
use bellini_core::io::{Command, CommandError, Event, InputError};
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a program that lives in the node's process does when the node has a turn.
pub trait Resident: Send {
    /// Gives the node what it has for it, a bounded amount; whether there is more.
    fn turn(&mut self, node: &mut dyn Housing) -> bool;

    /// Hears of an event. It may note it, and act on it in [`Resident::drained`].
    fn event(&mut self, now: Instant, event: &Event);

    /// The node has handed out everything that it had. `seed`: what synthetic payloads are made of.
    fn drained(&mut self, now: Instant, node: &Node, seed: Seed);
}

/// What a resident may do with its node.
pub trait Housing {
    /// Returns the node's time.
    fn now(&self) -> Instant;

    /// Returns the core, to be read.
    fn node(&self) -> &Node;

    /// Gives the core a command.
    ///
    /// # Errors
    /// When it is refused.
    fn command(&mut self, command: Command) -> Result<(), CommandError>;

    /// Tells where other nodes are.
    ///
    /// # Errors
    /// What is wrong with the addresses; none of them is taken then.
    fn peers(&mut self, peers: &BTreeMap<NodeId, Addresses>) -> Result<(), String>;

    /// Ends the node: what is queued is sent first.
    fn stop(&mut self);
}

/// A resident and its bell.
pub(super) struct Lodger {
    pub(super) resident: Box<dyn Resident>,
    pub(super) bell: Arc<Notify>,
}

impl fmt::Debug for Lodger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lodger")
    }
}

impl Daemon {
    /// Takes a program in. `bell` is rung when it has something for the node.
    pub fn house(&mut self, resident: Box<dyn Resident>, bell: Arc<Notify>) {
        self.lodger = Some(Lodger { resident, bell });
    }

    /// Gives the resident its turn; whether it has more.
    pub(super) fn serve_resident(&mut self, now: Instant) -> bool {
        let Some(mut lodger) = self.lodger.take() else { return false };
        let more = lodger.resident.turn(&mut House { daemon: self, now });
        self.lodger = Some(lodger);
        more
    }
}

/// Waits until the resident rings; for ever where there is none.
pub(super) async fn rung(lodger: Option<&Lodger>) {
    match lodger {
        Some(lodger) => lodger.bell.notified().await,
        None => std::future::pending().await,
    }
}

struct House<'a> {
    daemon: &'a mut Daemon,
    now: Instant,
}

impl Housing for House<'_> {
    fn now(&self) -> Instant {
        self.now
    }

    fn node(&self) -> &Node {
        self.daemon.engine.node()
    }

    fn command(&mut self, command: Command) -> Result<(), CommandError> {
        match self.daemon.engine.command(self.now, command) {
            Err(InputError::Command(error)) => Err(error),
            // Only frames and hops are refused otherwise.
            _ => Ok(()),
        }
    }

    fn peers(&mut self, peers: &BTreeMap<NodeId, Addresses>) -> Result<(), String> {
        self.daemon.meet(peers).map_err(|error| error.to_string())
    }

    fn stop(&mut self) {
        self.daemon.end(self.now);
    }
}
