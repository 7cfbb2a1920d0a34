//! The built-in policies, one file each, written against the public traits only.
//!
//! Routing: [`Static`], [`Direct`], [`ShortestDelay`], [`KShortest`], [`MulticastTree`], [`Exec`], [`Airlift`], [`Jetway`], [`Ron`]
//! and the baselines [`Star`], [`NearestIngress`], [`SteinerPrice`], [`P2pMesh`]. Flow assignment: [`StaticShares`], [`Equal`],
//! [`RateProportional`], [`Adaptive`], [`Exec`]. `docs/policies.md` describes them and how to write your own.

mod adaptive;
pub mod airlift;
#[cfg(test)]
mod baseline_tests;
mod cloud;
mod direct;
mod equal;
pub(crate) mod exec;
pub mod jetway;
mod k_shortest;
#[cfg(test)]
mod mesh_tests;
mod multicast_tree;
mod nearest_ingress;
mod p2p_mesh;
mod parameters;
mod rate_proportional;
mod ron;
mod shortest_delay;
mod star;
mod static_routes;
mod static_shares;
mod steiner_price;

pub use adaptive::Adaptive;
pub use airlift::Airlift;
pub use direct::Direct;
pub use equal::Equal;
pub use exec::Exec;
pub use jetway::Jetway;
pub use k_shortest::KShortest;
pub use multicast_tree::MulticastTree;
pub use nearest_ingress::NearestIngress;
pub use p2p_mesh::P2pMesh;
pub use parameters::Parameters;
pub use rate_proportional::RateProportional;
pub use ron::Ron;
pub use shortest_delay::ShortestDelay;
pub use star::Star;
pub use static_routes::Static;
pub use static_shares::StaticShares;
pub use steiner_price::SteinerPrice;

#[cfg(test)]
mod tests;
