//! A routing policy of one's own, in a binary that has every `bellini` subcommand.
//!
//! `avoid` sends over the fastest paths that relay in no region whose id begins with a given text. Try it:
//!
//! ```sh
//! cargo run --example own_policy -- sim scenarios/conference-4.json --set \
//!   'conferences[0].sessions[0].routing={"policy": "avoid", "region": "aws:us-"}'
//! ```

use bellini::Registry;
use bellini::graph::{Graph, merge};
use bellini::policy::{PolicyError, Request, RouteChoice, Routing};

struct Avoid;

impl Routing for Avoid {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let region = request.parameters.get("region").and_then(|value| value.as_str());
        let region = region.ok_or_else(|| PolicyError::Parameter {
            name: "region".to_owned(),
            problem: "expected the beginning of region ids, such as \"aws:us-\"".to_owned(),
        })?;

        // The network without those relays; the source and the destinations stay, wherever they are.
        let mut view = request.view.clone();
        view.nodes.retain(|node| {
            let relays = node.id != request.source && !request.destinations.contains(&node.id);
            !(relays && node.region.as_deref().is_some_and(|id| id.starts_with(region)))
        });

        let graph = Graph::new(&view);
        let mut paths = Vec::new();
        for &to in request.destinations {
            let path = graph.shortest_path(request.source, to, None);
            paths.push(path.ok_or(PolicyError::Unreachable { from: request.source, to })?);
        }
        Ok(vec![merge(&paths).into()])
    }
}

fn main() -> std::process::ExitCode {
    bellini::cli::run(Registry::builtin().routing("avoid", || Box::new(Avoid)))
}
