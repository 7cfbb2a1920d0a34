//! The listing server: [`bellini_core::listing`] with a store that survives its process, behind HTTP and JSON.
//!
//! One thread, the keeper, owns the listing and its store. It takes what waits, lets the listing answer, makes the
//! changes durable in one commit, and only then lets the answers go. Connections are served by the runtime of
//! [`Server::run`]; each is bounded in time, size and number. [`ListingClient`] is the other side.

mod client;
mod form;
mod http;
mod keeper;
mod patient;
mod routes;
mod serve;
mod store;

pub use client::{CancelRequest, ListingClient, ListingClientError, exchange};
pub use http::{BODY_BYTES_MAX, CONNECTIONS_MAX, Server, WATCH_MAX};
pub use keeper::{Keeper, KeeperGone, KeeperHandle};
pub use routes::HELP;
pub use serve::{ServeError, serve};
pub use store::{Store, StoreError};
