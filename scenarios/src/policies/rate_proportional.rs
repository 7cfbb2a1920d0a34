//! `rate-proportional`: shares by what each route can carry.

use super::Parameters;
use crate::policy::{FlowAssignment, NetworkView, PolicyError, Request, RouteChoice};
use bellini_core::ids::NodeId;
use std::collections::BTreeMap;

/// Gives each flow a share in proportion to its route's rate.
///
/// That rate is the one given with the route, else the smallest link rate along its tree, where a link that the
/// tree crosses n times counts with an n-th of its rate. A route without any limit counts as much as the best
/// limited one or the session's content rate, whichever is greater. A route over a link that is not there (any
/// more) gets nothing. Each route is judged by itself, even where several share a link.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateProportional;

impl FlowAssignment for RateProportional {
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        Parameters::of(request, &[])?;
        let rates: Vec<_> = routes
            .iter()
            .map(|choice| match choice.rate {
                Some(given) => given.as_bps() as f64,
                None => bottleneck_bps(request.view, request.source, choice),
            })
            .collect();
        if rates.iter().all(|&rate| rate == 0.0) {
            return Err(PolicyError::Other("every route crosses a link that is not there".to_owned()));
        }
        let content = request.rate.map_or(0.0, |rate| rate.as_bps() as f64);
        let limited = rates.iter().copied().filter(|rate| rate.is_finite()).fold(content, f64::max);
        // Nothing to compare with: all limits that exist are those of routes that are down.
        let unlimited = if limited == 0.0 { 1.0 } else { limited };
        Ok(rates.into_iter().map(|rate| if rate.is_finite() { rate } else { unlimited }).collect())
    }
}

/// Returns the bottleneck of a tree in bits per second: infinite without limit, zero over a missing link.
fn bottleneck_bps(view: &NetworkView, source: NodeId, choice: &RouteChoice) -> f64 {
    let mut copies = BTreeMap::<_, u32>::new();
    choice.route.for_each_edge(source, &mut |from, to| *copies.entry((from, to)).or_default() += 1);
    let rate = |((from, to), copies): ((NodeId, NodeId), u32)| match view
        .links
        .iter()
        .find(|link| (link.from, link.to) == (from, to))
    {
        None => 0.0,
        Some(link) => link.rate.map_or(f64::INFINITY, |rate| rate.as_bps() as f64 / f64::from(copies)),
    };
    copies.into_iter().map(rate).fold(f64::INFINITY, f64::min)
}
