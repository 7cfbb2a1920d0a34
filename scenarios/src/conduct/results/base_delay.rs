//! The least delay that routes allow.

use crate::conduct::tally::SourceTally;
use crate::model::{Rate, Scenario, Session};
use bellini_core::ids::NodeId;
use bellini_core::io::HopKind;
use bellini_core::route::{Branch, Route};
use bellini_core::seal::TAG_BYTES;
use bellini_core::time::Duration;
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, SEAL_BYTES, UDP_IP_BYTES};
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use bellini_core::wire::routing;

/// Returns the least delay of a full symbol on any of the session's routes, without queueing: serialisation at
/// constant rates, propagation, processing.
pub(super) fn base_delay(
    scenario: &Scenario,
    session: &Session,
    node: NodeId,
    source: &SourceTally,
) -> Option<Duration> {
    let mut least: Option<Duration> = None;
    for (route, ..) in &source.flows {
        visit(scenario, session, session.source, &route.branches, Duration::ZERO, node, &mut least);
    }
    least
}

fn visit(
    scenario: &Scenario,
    session: &Session,
    from: NodeId,
    branches: &[Branch],
    so_far: Duration,
    wanted: NodeId,
    least: &mut Option<Duration>,
) {
    let is_datagram = session.transport.hop_kind() != HopKind::Stream;
    for branch in branches {
        let single = Route { branches: vec![branch.clone()] };
        let routing_bytes = routing::encode(&single).map_or(0, |info| info.len());
        let headers = FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES + UDP_IP_BYTES;
        let tag = if session.sealed { u64::from(TAG_BYTES) } else { 0 };
        let added = tag + if scenario.seal && is_datagram { SEAL_BYTES as u64 } else { 0 };
        let bytes = (headers + routing_bytes) as u64 + u64::from(session.symbol_bytes) + added;
        let link = scenario.links.iter().find(|link| link.from == from && link.to == branch.node);
        let Some(link) = link else { continue };
        let serialiser = match &link.rate {
            Rate::Shared(index) => &scenario.bottlenecks[*index].rate,
            own => own,
        };
        let serialisation = match serialiser {
            Rate::Constant(rate) => rate.transmit_time(bytes),
            _ => Duration::ZERO,
        };
        let processing = scenario
            .nodes
            .binary_search_by_key(&branch.node, |node| node.id)
            .map_or(Duration::ZERO, |index| scenario.nodes[index].processing);
        let delay = so_far + serialisation + link.delay + processing;
        if branch.deliver && branch.node == wanted {
            *least = Some(least.map_or(delay, |known| known.min(delay)));
        }
        visit(scenario, session, branch.node, &branch.next, delay, wanted, least);
    }
}
