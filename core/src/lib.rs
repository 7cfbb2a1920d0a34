//! The sans-IO protocol core of Bellini.
//!
//! Input and time come in as arguments, output is polled: no clock, socket, thread, file, environment or randomness
//! of the operating system in here. The simulator, the lab and live nodes drive the same [`Node`] through the same
//! loop, [`drive::drain`]; what was validated offline is what is deployed. Same seed and inputs, same bytes out.
//!
//! A map, from the outside in:
//! - [`node`]: [`Node`], the owner of everything, and the contract with drivers. [`io`]: what goes in and out.
//!   [`drive`]: the one drain loop. [`config`]: what a node is told.
//! - [`session`]: a session at its source, at a destination, at a relay. [`content`]: what sessions carry.
//! - [`flow`]: a session's flow list with cached routing headers, the draw of a flow per packet, the memory of what
//!   arrived. [`route`]: routes as trees.
//! - [`feeder`]: a queue per conference before each next hop. [`hop`]: handshake, pacing and control messages of
//!   the connection to a neighbour.
//! - [`reliable`]: sessions that lose nothing: acknowledgements, repeats, windows.
//! - [`congestion`]: how fast a paced hop may send, learnt from its peer's reports.
//! - [`coding`]: random linear network coding: combinations of symbols, and what relays and destinations make of them.
//! - [`listing`]: where conferences are registered and found.
//! - [`wire`]: everything that crosses a hop, byte by byte. [`header`]: a packet's header while it is in a node.
//! - [`stats`], [`report`]: what is counted and told; [`stopwatch`]: how long single packets take. [`timer`]: the timing wheel. [`rng`]: named random streams.
//!   [`time`], [`units`], [`ids`], [`payload`]: the words that the rest is written in.

pub mod clock;
pub mod coding;
pub mod config;
pub mod congestion;
pub mod content;
pub mod drive;
pub mod feeder;
pub mod flow;
pub mod header;
pub mod hop;
pub mod ids;
pub mod io;
pub mod listing;
pub mod node;
pub mod payload;
pub mod reliable;
pub mod report;
pub mod rng;
pub mod route;
pub mod seal;
pub mod session;
pub mod stats;
pub mod stopwatch;
pub mod time;
pub mod timer;
pub mod units;
pub mod wire;

pub use node::Node;
