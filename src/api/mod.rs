#![doc = include_str!("../../docs/api.md")]

mod agent;
mod conference;
mod error;
mod executor;
mod live;
mod node;
mod options;
mod post;
mod session;
mod simulation;
mod slot;
mod subscription;
#[cfg(test)]
mod tests;

pub use agent::Delivered;
pub use bellini_core::listing::{Change, Member, Parting, Session as ListedSession};
pub use conference::Conference;
pub use error::{Error, Refusal};
pub use live::{Live, LiveOptions};
pub use node::{Node, Task};
pub use options::{Routes, SessionOptions, Shares};
pub use session::{FlowStats, Session, SessionStats};
pub use simulation::Simulation;
pub use subscription::{Subscription, SubscriptionStats};

use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, parse_str};

/// Reads a topology: a scenario's text with nodes and links. Conferences may be left out; where there are some, they count for
/// nothing here.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub fn topology(text: &str) -> Result<Scenario, Error> {
    // A scenario says how long its content lasts; a topology has none.
    let options =
        LoadOptions { set: vec![("duration".to_owned(), "1 h".to_owned())], ..LoadOptions::default() };
    let loaded = parse_str("topology", text, &options);
    loaded.map(|loaded| loaded.scenario).map_err(|diagnostics| Error::Settings(diagnostics.to_string()))
}
