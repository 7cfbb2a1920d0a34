//! Between a [`Route`] and its bytes. Off the packet path: a flow's RoutingInfo is made once and kept.

use super::{DELIVER, DEPTH_MAX, PATHLET_HEADER_BYTES, RouteLimits, branches, split_first, validate_all};
use crate::route::{Branch, Route};
use crate::wire::RouteFault;

/// Returns the RoutingInfo of a route.
///
/// # Errors
/// The rule that the route breaks; [`RouteFault::TooLarge`] when it needs more than 65,535 bytes. Rules that
/// need to know more (the source, a node's limits) are for [`validate`](super::validate).
pub fn encode(route: &Route) -> Result<Vec<u8>, RouteFault> {
    let mut out = Vec::new();
    encode_branches(&route.branches, 0, &mut out)?;
    validate_all(&out, 0, RouteLimits::NONE)?;
    Ok(out)
}

fn encode_branches(branches: &[Branch], depth: usize, out: &mut Vec<u8>) -> Result<(), RouteFault> {
    if depth >= DEPTH_MAX && !branches.is_empty() {
        return Err(RouteFault::TooDeep);
    }
    for branch in branches {
        let start = out.len();
        let deliver = if branch.deliver { DELIVER } else { 0 };
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(branch.node.get() | deliver).to_be_bytes());
        encode_branches(&branch.next, depth + 1, out)?;
        let length = u16::try_from(out.len() - start).map_err(|_| RouteFault::TooLarge)?;
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Returns the route that a RoutingInfo says.
///
/// # Errors
/// The first rule that is broken; those that need the source or limits are not checked.
pub fn decode(routing_info: &[u8]) -> Result<Route, RouteFault> {
    validate_all(routing_info, 0, RouteLimits::NONE)?;
    let whole = branches(routing_info)?.map(|(pathlet, _)| decode_branch(pathlet)).collect();
    Ok(Route { branches: whole })
}

/// Reads one Pathlet that was validated; so it recurses at most [`DEPTH_MAX`] deep.
fn decode_branch(pathlet: &[u8]) -> Branch {
    let (view, _) = split_first(pathlet).expect("the whole header was validated");
    let mut next = Vec::with_capacity(usize::from(pathlet.len() > PATHLET_HEADER_BYTES));
    next.extend(view.children().map(|(child, _)| decode_branch(child)));
    Branch { node: view.node, deliver: view.deliver, next }
}
