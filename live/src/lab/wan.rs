//! What the network between the nodes of a lab can be told, and what it says.

use bellini_scenarios::conduct::{Degrade, LinkFigures};
use thiserror::Error;

/// Why the network between the nodes does not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WanError {
    /// The scenario has no such link.
    #[error("there is no link {0}")]
    NoLink(u32),
    /// The scenario has no such node.
    #[error("there is no node {0}")]
    NoNode(u32),
    /// What carried the packets has ended.
    #[error("the network between the nodes has ended: {0}")]
    Ended(String),
    /// It cannot do that.
    #[error("{0}")]
    Impossible(String),
}

/// The network between the nodes of a lab. Links and nodes go by their index in the scenario; calls return when they
/// have taken effect.
pub trait Wan: Send {
    /// Cuts a link: what is on it is lost, and nothing passes until it is healed.
    ///
    /// # Errors
    /// When it cannot be done.
    fn cut(&mut self, link: u32) -> Result<(), WanError>;

    /// Makes a link work as the scenario has it.
    ///
    /// # Errors
    /// When it cannot be done.
    fn heal(&mut self, link: u32) -> Result<(), WanError>;

    /// Makes a link worse until it is healed.
    ///
    /// # Errors
    /// When it cannot be done.
    fn degrade(&mut self, link: u32, degrade: Degrade) -> Result<(), WanError>;

    /// Takes a node off the network, as when its machine dies: what waits at it is lost, and nothing passes to or from
    /// it. To be called before its process is killed, or the kernel tells its peers.
    ///
    /// # Errors
    /// When it cannot be done.
    fn node_down(&mut self, node: u32) -> Result<(), WanError>;

    /// Puts a node back. To be called before its process starts.
    ///
    /// # Errors
    /// When it cannot be done.
    fn node_up(&mut self, node: u32) -> Result<(), WanError>;

    /// Returns what every link carried and dropped so far.
    ///
    /// # Errors
    /// When nobody answers.
    fn all_figures(&mut self) -> Result<Vec<LinkFigures>, WanError>;
}
