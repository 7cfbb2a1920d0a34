//! `static`: routes written out in the scenario, as in the paper's Fig. 3.

use super::Parameters;
use crate::model::StaticFlow;
use crate::policy::{PolicyError, Request, RouteChoice, Routing};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};

/// Always the same routes, whatever the network looks like.
///
/// Only who is delivered to follows the session: nodes on a route deliver when they are destinations now, and
/// branches that lead to none are cut. Flows that reach no destination any more are left out; rates and shares of
/// the others stay, and count relative to each other.
#[derive(Clone, Debug)]
pub struct Static {
    flows: Vec<StaticFlow>,
}

impl Static {
    /// Returns the policy that uses `flows`.
    #[must_use]
    pub fn new(flows: Vec<StaticFlow>) -> Self {
        Self { flows }
    }
}

impl Routing for Static {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        Parameters::of(request, &[])?;
        let choices: Vec<_> = self
            .flows
            .iter()
            .map(|flow| RouteChoice {
                route: Route { branches: prune(&flow.route.branches, request.destinations) },
                share: flow.share,
                rate: flow.rate,
            })
            .filter(|choice| !choice.route.branches.is_empty())
            .collect();
        let reached: Vec<_> = choices.iter().flat_map(|choice| choice.route.destinations()).collect();
        match request.destinations.iter().find(|to| !reached.contains(to)) {
            Some(&to) => Err(PolicyError::Unreachable { from: request.source, to }),
            None => Ok(choices),
        }
    }
}

/// Returns the branches that lead to a destination, with the delivery flags that `destinations` asks for.
fn prune(branches: &[Branch], destinations: &[NodeId]) -> Vec<Branch> {
    let keep = |branch: &Branch| {
        let next = prune(&branch.next, destinations);
        let deliver = destinations.contains(&branch.node);
        (deliver || !next.is_empty()).then_some(Branch { node: branch.node, deliver, next })
    };
    branches.iter().filter_map(keep).collect()
}
