//! `direct`: one hop from the source to each destination.

use super::Parameters;
use crate::policy::{PolicyError, Request, RouteChoice, Routing};
use bellini_core::route::{Branch, Route};

/// One flow, with one copy of each packet over the source's own link to each destination.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Routing for Direct {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        Parameters::of(request, &[])?;
        let linked = |to| request.view.links.iter().any(|link| link.from == request.source && link.to == to);
        if let Some(&to) = request.destinations.iter().find(|&&to| !linked(to)) {
            return Err(PolicyError::Unreachable { from: request.source, to });
        }
        let branch = |&node| Branch { node, deliver: true, next: Vec::new() };
        Ok(vec![Route { branches: request.destinations.iter().map(branch).collect() }.into()])
    }
}
