//! The run-time API: programs that embed a node.
//!
//! A program is an `async fn` of a [`Node`]. It creates a conference, or joins one by its id; publishes sessions and sends
//! on them; changes their shares and policies, and has them decide anew; subscribes to others' sessions; hears who comes
//! and goes; and leaves, all while packets flow. The same text runs at a live node ([`Live`]) and in the simulator
//! ([`Simulation`]), where the same seed gives the same run.
//!
//! Conferences are registered at a listing server (`bellini listing`; in the simulator at a node of the topology).
//! Heartbeats, the changes that it tells of, and the questions of nodes for policies are seen to by the API itself. See
//! `docs/api.md`.
//!
//! ```
//! use bellini::api::{Error, Node, SessionOptions, Simulation};
//! use bellini::{ConferenceId, Duration, Instant};
//!
//! async fn speaker(node: Node) -> Result<(), Error> {
//!     let conference = node.create("talk").await?;
//!     let session = conference.publish(SessionOptions::datagrams("voice")).await?;
//!     session.routed().await?; // somebody listens
//!     for _ in 0..50 {
//!         session.send("hello").await?;
//!         node.sleep(Duration::from_millis(20)).await;
//!     }
//!     session.stop().await?;
//!     conference.leave().await
//! }
//!
//! async fn listener(node: Node, conference: ConferenceId) -> Result<(), Error> {
//!     node.sleep(Duration::from_millis(500)).await; // it has been created by now
//!     let conference = node.join(conference).await?;
//!     let voice = conference.subscribe(conference.session_named("voice").await?).await?;
//!     let mut heard = 0;
//!     while let Some(delivered) = voice.receive().await? {
//!         assert_eq!(&delivered.bytes[..], b"hello");
//!         heard += 1;
//!     }
//!     assert_eq!(heard, 50);
//!     conference.leave().await
//! }
//!
//! let topology = bellini::api::topology(
//!     r#"{"bellini": 1, "nodes": [{"id": 1, "name": "ana"}, {"id": 2, "name": "ben"}],
//!        "links": [{"between": [1, 2], "delay": "40 ms", "rate": "10 Mbit/s"}]}"#,
//! )?;
//! let mut simulation = Simulation::new(&topology, 7)?;
//! simulation.spawn("ana", speaker)?;
//! simulation.spawn("ben", |node| listener(node, ConferenceId(1)))?;
//! simulation.run(Instant::ZERO + Duration::from_secs(60))?;
//! assert!(simulation.has_ended());
//! # Ok::<(), Error>(())
//! ```

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
