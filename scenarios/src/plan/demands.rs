//! Demands that no routes can meet, and what stands against them.

use super::Finding;
use super::decide::everybody;
use super::flow_bound::greatest_flow;
use super::network::Network;
use super::wire::Packets;
use crate::graph::Graph;
use crate::model::{CrossPattern, Session, View};
use bellini_core::content::spec::{Content, PlayoutMode};
use bellini_core::ids::NodeId;
use bellini_core::route::Branch;
use bellini_core::time::Duration;

/// Speed of light in a vacuum, in km a ms.
const LIGHT_KM_PER_MS: f64 = 299.792_458;
/// Mean radius of the earth, in km.
const EARTH_KM: f64 = 6371.0;
/// Most links that a sentence names.
const NAMES_MAX: usize = 4;
/// Most pairs of a source and a destination whose greatest flow is looked for.
const FLOWS_MAX: usize = 200;

/// Returns the time after which a session's content is of no use, if there is one.
pub(super) fn delay_bound(session: &Session) -> Option<Duration> {
    match &session.content {
        Content::Video { playout, .. } | Content::Adaptive { playout, .. } => {
            (playout.mode == PlayoutMode::Live).then_some(playout.delay)
        }
        Content::Messages { deadline, .. } => Some(*deadline),
        _ => None,
    }
}

/// Returns what no policy can give, and what is not known.
pub(super) fn limits(network: &Network<'_>) -> Vec<Finding> {
    let mut findings = demands(network);
    let is_known = network.scenario.links.iter().any(|link| link.usd_per_gb.is_some());
    if let Some(links) = unpriced(network).filter(|_| is_known) {
        let text = format!("prices are not known of {links}; plans that use them have no cost");
        findings.push(Finding { kind: "price", conference: None, session: None, destination: None, text });
    }
    findings
}

/// Returns the links without a price in words, if there are any.
pub(super) fn unpriced(network: &Network<'_>) -> Option<String> {
    let unknown: Vec<String> = (0..network.scenario.links.len())
        .filter(|link| network.link(*link).usd_per_gb.is_none())
        .map(|link| network.link_name(link))
        .collect();
    (!unknown.is_empty()).then(|| listed(&unknown))
}

/// Returns the demands that no policy can meet.
pub(super) fn demands(network: &Network<'_>) -> Vec<Finding> {
    let scenario = network.scenario;
    let graph = Graph::new(&network.view);
    let mut findings = Vec::new();
    let mut flows = 0;
    for (index, conference) in scenario.conferences.iter().enumerate() {
        for session in &conference.sessions {
            let packets = Packets::of(scenario, session, 0.0);
            for to in everybody(scenario, index, session) {
                let mut find = |kind, text| {
                    findings.push(Finding {
                        kind,
                        conference: Some(conference.id.0),
                        session: Some(session.id.0),
                        destination: Some(to.get()),
                        text,
                    });
                };
                let ends = format!("{} to {}", network.name(session.source), network.name(to));
                if let Some(bound) = delay_bound(session) {
                    let bound_ms = bound.as_millis_f64();
                    let light = light_ms(network, session.source, to).filter(|light| *light > bound_ms);
                    if let Some(light) = light {
                        let text =
                            format!("{ends} within {bound_ms:.1} ms: light in a vacuum takes {light:.1} ms");
                        find("delay", text);
                    } else if let Some(path) =
                        graph.shortest_path(session.source, to, None).filter(|it| it.delay > bound)
                    {
                        let (delay, by) = (path.delay.as_millis_f64(), network.path_name(&path.nodes));
                        let text = format!(
                            "{ends} within {bound_ms:.1} ms: the fastest path takes {delay:.1} ms ({by})"
                        );
                        find("delay", text);
                    }
                }
                let Some(offered) = packets.offered_bps.filter(|_| flows < FLOWS_MAX) else { continue };
                flows += 1;
                let wire = packets.wire_per_payload(&Branch { node: to, deliver: true, next: Vec::new() });
                if let Some(cut) =
                    greatest_flow(network, session.source, to).filter(|cut| cut.bps < offered * wire)
                {
                    let most = cut.bps / wire * 1e-6;
                    let text = format!(
                        "{ends} at {:.3} Mbit/s: {} {} at most {most:.3} Mbit/s of payload",
                        offered * 1e-6,
                        listed(&cut.full),
                        if cut.full.len() == 1 { "lets through" } else { "together let through" },
                    );
                    find("rate", text);
                }
            }
        }
    }
    findings
}

/// Returns what plans of this scenario leave out of account.
pub(super) fn notes(network: &Network<'_>) -> Vec<String> {
    let scenario = network.scenario;
    let mut notes = Vec::new();
    if !scenario.links.is_empty() && scenario.links.iter().all(|link| link.usd_per_gb.is_none()) {
        notes.push(
            "No link has a price: costs are not known. Give links `usd_per_gb`, or a data set with prices."
                .to_owned(),
        );
    }
    let machines = || scenario.nodes.iter().filter(|node| node.is_machine());
    let unpriced = machines().filter(|node| node.vm_usd_per_hour.is_none()).count();
    if machines().any(|node| node.vm_usd_per_hour.is_some()) && unpriced > 0 {
        let all = machines().count();
        notes.push(format!(
            "No price is known of {unpriced} of {all} machines: plans that use them have no cost of machines."
        ));
    } else if unpriced > 0 {
        notes.push(
            "Machines have no price: give one by `billing.vm_usd_per_hour`, for all or by provider, or by node."
                .to_owned(),
        );
    }
    if let Some(source) = &scenario.vm_source {
        notes.push(format!("Prices of machines: {source}."));
    }
    if !scenario.faults.is_empty() {
        notes.push(format!("{} faults of the timeline are not in the plan.", scenario.faults.len()));
    }
    if scenario.view == View::Measured {
        notes
            .push("Policies see what is measured in a run; here they see the scenario's figures.".to_owned());
    }
    if scenario.cross_traffic.iter().any(|cross| matches!(cross.pattern, CrossPattern::Tcp { .. })) {
        notes.push("TCP of others takes what it can get: how much is not in the plan.".to_owned());
    }
    let mut sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    if sessions.any(|session| matches!(session.content, Content::Adaptive { .. })) {
        notes.push("Adaptive video counts with the level that it starts at.".to_owned());
    }
    if scenario.conferences.iter().any(|conference| !conference.churn.is_empty()) {
        notes.push("Who joins or leaves on the way counts as being there all the time.".to_owned());
    }
    notes
}

/// Returns the time that light in a vacuum takes along the great circle, where both places are known.
fn light_ms(network: &Network<'_>, from: NodeId, to: NodeId) -> Option<f64> {
    let nodes = &network.scenario.nodes;
    let place = |id| {
        let index = nodes.binary_search_by_key(&id, |node| node.id).ok()?;
        nodes[index].position.map(|(latitude, longitude)| (latitude.to_radians(), longitude.to_radians()))
    };
    let ((lat_a, lon_a), (lat_b, lon_b)) = (place(from)?, place(to)?);
    let half = |angle: f64| libm::sin(angle / 2.0) * libm::sin(angle / 2.0);
    let h = half(lat_b - lat_a) + libm::cos(lat_a) * libm::cos(lat_b) * half(lon_b - lon_a);
    Some(2.0 * EARTH_KM * libm::asin(libm::sqrt(h.min(1.0))) / LIGHT_KM_PER_MS)
}

fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_MAX {
        text += &format!(" and {} more", names.len() - NAMES_MAX);
    }
    text
}
