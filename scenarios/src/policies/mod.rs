//! The built-in policies, one file each, written against the public traits only.
//!
//! Routing: [`Static`], [`Direct`], [`ShortestDelay`], [`KShortest`], [`MulticastTree`], [`Airlift`], [`Jetway`],
//! [`Exec`]. Flow assignment: [`StaticShares`], [`Equal`], [`RateProportional`], [`Adaptive`], [`Exec`].
//! `docs/policies.md` describes them and how to write your own.

mod adaptive;
pub mod airlift;
mod direct;
mod equal;
pub(crate) mod exec;
pub mod jetway;
mod k_shortest;
mod multicast_tree;
mod parameters;
mod rate_proportional;
mod shortest_delay;
mod static_routes;
mod static_shares;

pub use adaptive::Adaptive;
pub use airlift::Airlift;
pub use direct::Direct;
pub use equal::Equal;
pub use exec::Exec;
pub use jetway::Jetway;
pub use k_shortest::KShortest;
pub use multicast_tree::MulticastTree;
pub use parameters::Parameters;
pub use rate_proportional::RateProportional;
pub use shortest_delay::ShortestDelay;
pub use static_routes::Static;
pub use static_shares::StaticShares;

#[cfg(test)]
mod tests;
