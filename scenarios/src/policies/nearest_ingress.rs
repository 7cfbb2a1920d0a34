//! `nearest-ingress`: each member at its nearest datacenter, and a mesh of datacenters between.

use super::Parameters;
use super::cloud::{Cloud, path};
use crate::graph::merge;
use crate::policy::{PolicyError, Request, RouteChoice, Routing};
use bellini_core::ids::NodeId;

/// One flow: the source sends each packet once to its nearest datacenter, that one once to the nearest datacenter of each
/// destination, and these to the destinations.
///
/// Nearest is the least delay of the link between the two, then the smallest id. A member that is a datacenter itself is
/// its own. Two members of one datacenter meet there.
///
/// Parameter `datacenters`: names or ids of the nodes to choose from (default: nodes with a region, members too).
#[derive(Clone, Copy, Debug, Default)]
pub struct NearestIngress;

impl Routing for NearestIngress {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let parameters = Parameters::of(request, &["datacenters"])?;
        let cloud = Cloud::of(request, &parameters)?;
        let source = request.source;
        let nearest = |end: NodeId, to_end: bool| {
            // Also where a link to another one takes no time.
            if cloud.datacenters.contains(&end) {
                return Ok(end);
            }
            let delay = |center: &NodeId| {
                let delay = if to_end { cloud.delay(*center, end) } else { cloud.delay(end, *center) };
                delay.map(|delay| (delay, *center))
            };
            let best = cloud.datacenters.iter().filter_map(delay).min();
            best.map(|(_, center)| center).ok_or_else(|| {
                let way = if to_end { "to" } else { "from" };
                PolicyError::Other(format!("no datacenter has a link {way} node {end}"))
            })
        };
        let ingress = nearest(source, false)?;
        let mut paths = Vec::new();
        for &to in request.destinations {
            let egress = nearest(to, true)?;
            if cloud.delay(ingress, egress).is_none() {
                return Err(PolicyError::Unreachable { from: ingress, to: egress });
            }
            paths.push(path(&[source, ingress, egress, to]));
        }
        Ok(vec![merge(&paths).into()])
    }
}
