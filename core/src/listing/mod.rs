//! The conference listing server as a state machine: where conferences are registered and found.
//!
//! Time and requests come in as arguments, answers go out, and every change of what is listed is a [`Change`] with a
//! number. A store that keeps changes before their answer goes out can bring back the same list by replaying them.
//! The contract with whoever drives it:
//! 1. [`Listing::handle`] with a request, or [`Listing::expire`] when [`Listing::poll_timeout`] has come;
//! 2. [`Listing::poll_change`] until it is empty; what it gave is made durable;
//! 3. only then the answer goes out.
//!
//! A node of a run holds one, too ([`HeldListing`]): members register by control messages.
//!
//! Leases are soft: a heartbeat changes no list, and is not kept. After a restart every lease begins anew
//! ([`Listing::begin_leases`]), so that a server that was away does not throw out members that were not.

mod held;
mod limits;
mod list;
mod message;
mod state;
#[cfg(test)]
mod tests;

pub use held::{HeldListing, LostMember};
pub use limits::ListingLimits;
pub use list::{Change, Conference, List, Member, NumberedChange, Parting, ReplayError, Session};
pub use message::{Bounded, ListingAnswer, ListingError, ListingRequest};
pub use state::Listing;
