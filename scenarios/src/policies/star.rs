//! `star`: every packet by way of one datacenter, as with a single SFU.

use super::Parameters;
use super::cloud::{Cloud, path};
use crate::graph::merge;
use crate::policy::{PolicyError, Request, RouteChoice, Routing};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// One flow: the source sends each packet once to the best datacenter, which sends it to each destination. A member that is
/// a datacenter itself may be the one.
///
/// The best is the one with the least delay between the two members that are farthest apart by way of it, the source and
/// all destinations being members; then the one with the least sum of these delays, then the smallest id. Sessions with
/// the same members, as those of a conference in which everyone sends to everyone, then meet at the same datacenter.
///
/// Parameter `datacenters`: names or ids of the nodes to choose from (default: nodes with a region, members too).
#[derive(Clone, Copy, Debug, Default)]
pub struct Star;

impl Routing for Star {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["datacenters"])?;
        let cloud = Cloud::of(request, &parameters)?;
        let cost = |center: &NodeId| cost(&cloud, request, *center).map(|cost| (cost, *center));
        let best = cloud.datacenters.iter().filter_map(cost).min();
        let (_, center) = best.ok_or_else(|| {
            let tried = cloud.datacenters.len();
            PolicyError::Other(format!(
                "none of {tried} datacenters has links from {} and to all destinations",
                request.source
            ))
        })?;
        let paths: Vec<_> =
            request.destinations.iter().map(|&to| path(&[request.source, center, to])).collect();
        Ok(vec![merge(&paths).into()])
    }
}

/// Returns the longest delay between two members by way of `center`, and the sum over all pairs; `None` where a link that
/// the session needs is not there.
fn cost(cloud: &Cloud<'_>, request: &Request<'_>, center: NodeId) -> Option<(Duration, Duration)> {
    cloud.delay(request.source, center)?;
    let mut members = vec![request.source];
    members.extend(request.destinations);
    for &to in request.destinations {
        cloud.delay(center, to)?;
    }
    let (mut longest, mut sum) = (Duration::ZERO, Duration::ZERO);
    for &from in &members {
        for &to in members.iter().filter(|&&to| to != from) {
            let delay = cloud.delay_either(from, center)? + cloud.delay_either(center, to)?;
            longest = longest.max(delay);
            sum += delay;
        }
    }
    Some((longest, sum))
}
