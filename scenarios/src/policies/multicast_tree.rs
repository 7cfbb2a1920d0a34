//! `multicast-tree`: one tree to all destinations that shares links.

use super::Parameters;
use crate::graph::{Graph, MAX_HOPS, merge};
use crate::policy::{PolicyError, Request, RouteChoice, Routing};

/// One flow: a tree of little total delay, so that a packet crosses few and short links in all.
///
/// See [`Graph::steiner_paths`]. Parameter `max_relays` (0 to 15, default 15): most nodes between the source and a
/// destination; destinations that pass packets on count.
#[derive(Clone, Copy, Debug, Default)]
pub struct MulticastTree;

impl Routing for MulticastTree {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["max_relays"])?;
        let max_relays = parameters.whole("max_relays", 0, MAX_HOPS - 1)?;
        let tree = Graph::new(request.view).steiner_paths(request.source, request.destinations, max_relays);
        let paths = tree.map_err(|to| PolicyError::Unreachable { from: request.source, to })?;
        Ok(vec![merge(&paths).into()])
    }
}
