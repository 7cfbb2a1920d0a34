//! `shortest-delay`: each destination over the path of least delay.

use super::Parameters;
use crate::graph::{Graph, MAX_HOPS, merge};
use crate::policy::{PolicyError, Request, RouteChoice, Routing};

/// One flow: the paths of least delay to all destinations, merged into a tree.
///
/// Parameter `max_relays` (0 to 15, default 15): most nodes between the source and a destination.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShortestDelay;

impl Routing for ShortestDelay {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["max_relays"])?;
        let max_relays = parameters.whole("max_relays", 0, MAX_HOPS - 1)?;
        let graph = Graph::new(request.view);
        let path = |&to| {
            let path = graph.shortest_path(request.source, to, max_relays);
            path.ok_or(PolicyError::Unreachable { from: request.source, to })
        };
        let paths: Vec<_> = request.destinations.iter().map(path).collect::<Result<_, _>>()?;
        Ok(vec![merge(&paths).into()])
    }
}
