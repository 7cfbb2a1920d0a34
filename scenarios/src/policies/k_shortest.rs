//! `k-shortest`: several flows over the paths of least, second least, ... delay.

use super::Parameters;
use crate::graph::{Graph, MAX_HOPS, merge};
use crate::policy::{PolicyError, Request, RouteChoice, Routing};

/// Up to `k` flows; the i-th merges each destination's i-th best path, or its last where it has fewer.
///
/// Parameters: `k` (1 to 64, default 2); `max_relays` (0 to 15, default 15): most nodes between the source and a
/// destination. The paths are loopless and may share links.
#[derive(Clone, Copy, Debug, Default)]
pub struct KShortest;

impl Routing for KShortest {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["k", "max_relays"])?;
        let k = parameters.whole("k", 1, 64)?.unwrap_or(2);
        let max_relays = parameters.whole("max_relays", 0, MAX_HOPS - 1)?;
        let graph = Graph::new(request.view);
        let mut paths = Vec::with_capacity(request.destinations.len());
        for &to in request.destinations {
            let found = graph.k_shortest_paths(request.source, to, k, max_relays);
            if found.is_empty() {
                return Err(PolicyError::Unreachable { from: request.source, to });
            }
            paths.push(found);
        }
        let flows = paths.iter().map(Vec::len).max().unwrap_or(0);
        let flow = |i: usize| {
            let paths: Vec<_> = paths.iter().map(|found| found[i.min(found.len() - 1)].clone()).collect();
            RouteChoice::from(merge(&paths))
        };
        Ok((0..flows).map(flow).collect())
    }
}
