//! The console of a node process: orders come in, answers go out, one JSON document a line.
//!
//! The line is the process's standard input and output, or a Unix socket. A node that reads the end of its standard
//! input ends: whoever conducted the run is gone.

mod host;
mod outbox;
mod serve;
mod settings;

pub use host::{HostFigures, StreamCounters};
pub use outbox::{ANSWER_LINES_MAX, EVENT_LINES_MAX, WARNING_LINES_MAX};
pub use serve::{CLIENTS_MAX, Conductor, Console, ConsolePlace, LINE_BYTES_MAX};
pub(crate) use serve::{Call, ClientId, Heard};
pub use settings::{Addresses, NodeSettings, Origin};

use crate::edge::Edge;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command, Event};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{ProcessFigures, SessionFigures};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// A command for the core. Only a refusal is answered.
    Command(Box<Command>),
    /// Where other nodes are; added to what it knows.
    Peers(BTreeMap<NodeId, Addresses>),
    /// Opens an application's end of a session here, before the session is started or joined. Only a refusal is answered.
    Edge {
        /// The session.
        key: SessionKey,
        /// Which end, and where.
        edge: Edge,
    },
    /// Asks for figures; answered by [`Answer::Figures`].
    Look {
        /// Comes back with the answer.
        id: u64,
        /// With everything that results need, or in short.
        full: bool,
        /// What sinks have still open is judged first: the run is over.
        finish: bool,
    },
    /// Asks for one session's figures; answered by [`Answer::Harvested`].
    Harvest {
        /// Comes back with the answer.
        id: u64,
        /// Which session.
        key: SessionKey,
        /// What its sink has still open is judged first.
        finish: bool,
    },
    /// Asks what happened at the sockets; answered by [`Answer::Host`].
    Host {
        /// Comes back with the answer.
        id: u64,
    },
    /// Send what is queued, then end: as on SIGTERM.
    Stop,
}

/// What a node process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It listens; the first line always.
    Ready {
        /// Which node.
        node: NodeId,
        /// Where it can be reached.
        addresses: Addresses,
        /// Its process id.
        pid: u32,
    },
    /// An event of the core.
    Event {
        /// On the node's clock.
        at: Instant,
        /// What happened; payloads are left out of deliveries.
        event: Event,
    },
    /// A command was refused.
    Refused {
        /// On the node's clock.
        at: Instant,
        /// Why, for people.
        problem: String,
    },
    /// Figures, as asked for.
    Figures {
        /// That of the order.
        id: u64,
        /// On the node's clock.
        at: Instant,
        /// What was counted.
        figures: Box<ProcessFigures>,
    },
    /// A session's figures, as asked for.
    Harvested {
        /// That of the order.
        id: u64,
        /// `None`: the node does not know the session.
        figures: Option<Box<SessionFigures>>,
    },
    /// What happened at the sockets, as asked for.
    Host {
        /// That of the order.
        id: u64,
        /// What was counted.
        figures: Box<HostFigures>,
    },
    /// A line for people: something is not as it should be, but the node goes on.
    Warning(String),
    /// It ends, having sent what it could; the last line.
    Bye,
}
