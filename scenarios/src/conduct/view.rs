//! The network as policies see it: the scenario's own figures, less what is known to be down.

use super::testbed::Testbed;
use crate::model::{Link, Loss, Node, Rate, RateTrace, Scenario, Session, Transport};
use crate::policy::{NetworkView, ViewLink, ViewNode, ViewSession};
use crate::resolve::{added_bytes, mean_rate as content_rate};
use bellini_core::content::spec::{Content, PlayoutMode};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::units::BitRate;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;

/// Builds the oracle's view of what is up, without sessions.
pub(super) fn oracle_view(scenario: &Scenario, bed: &dyn Testbed) -> NetworkView {
    network_view(scenario, |node| bed.node_is_up(node), |link| bed.link_is_up(link))
}

/// Returns the network of a scenario as policies see it before anything has happened: by the scenario's own figures,
/// everything up, with all sessions and those who are their destinations at the start.
#[must_use]
pub fn planning_view(scenario: &Scenario) -> NetworkView {
    let all = scenario.conferences.iter().flat_map(|conference| {
        conference.sessions.iter().map(|session| {
            let key = SessionKey::new(conference.id.0, session.id.0);
            view_session(key, session, session.destinations.clone())
        })
    });
    NetworkView { sessions: all.collect(), ..network_view(scenario, |_| true, |_| true) }
}

/// Returns the network of a scenario as policies see it by the scenario's own figures: the nodes and links that are
/// up, by their indices in the scenario; without sessions.
#[must_use]
pub fn network_view(
    scenario: &Scenario,
    node_is_up: impl Fn(u32) -> bool,
    link_is_up: impl Fn(u32) -> bool,
) -> NetworkView {
    let up = (0..).zip(&scenario.nodes).filter(|(index, _)| node_is_up(*index)).map(|(_, node)| node);
    let nodes: Vec<ViewNode> = up.map(view_node).collect();
    let node_up = |id: NodeId| nodes.binary_search_by_key(&id, |node| node.id).is_ok();
    let links = (0..)
        .zip(&scenario.links)
        .filter(|(index, link)| link_is_up(*index) && node_up(link.from) && node_up(link.to))
        .map(|(_, link)| {
            let serialiser = mean_rate(&link.rate, scenario);
            ViewLink {
                from: link.from,
                to: link.to,
                delay: link.delay,
                rate: [serialiser, hop_rate(link, scenario)].into_iter().flatten().min(),
                loss: mean_loss(&link.loss),
                usd_per_gb: link.usd_per_gb,
                measured: None,
            }
        })
        .collect();
    NetworkView { nodes, links, sessions: Vec::new() }
}

/// Returns a node as policies see it, with its configured limits.
pub(super) fn view_node(node: &Node) -> ViewNode {
    ViewNode {
        id: node.id,
        name: node.name.clone(),
        region: node.region.clone(),
        egress: node.egress.map(|shaper| shaper.rate),
        ingress: node.ingress.map(|shaper| shaper.rate),
    }
}

/// Returns a session as policies see it, with its destinations of now.
pub(super) fn view_session(key: SessionKey, session: &Session, destinations: Vec<NodeId>) -> ViewSession {
    let delay_bound = match &session.content {
        Content::Video { playout, .. } | Content::Adaptive { playout, .. } => {
            (playout.mode == PlayoutMode::Live).then_some(playout.delay)
        }
        Content::Messages { deadline, .. } => Some(*deadline),
        _ => None,
    };
    let header = UDP_IP_BYTES + DATA_FIXED_BYTES + added_bytes(session.coding.as_ref(), session.sealed);
    ViewSession {
        key,
        source: session.source,
        destinations,
        rate: content_rate(&session.content),
        start: session.start,
        stop: session.stop,
        delay_bound,
        coding: session.coding,
        symbol_bytes: session.symbol_bytes,
        header_bytes: header as u32,
        policy: session.routing.policy.clone(),
        parameters: session.routing.parameters.clone(),
    }
}

/// Returns the pace of the hop over a link, where every session goes by hops that have one.
fn hop_rate(link: &Link, scenario: &Scenario) -> Option<BitRate> {
    let mut sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    if sessions.any(|session| session.transport != Transport::UdpUnpaced) {
        return None;
    }
    let node = scenario.nodes.binary_search_by_key(&link.from, |node| node.id).ok()?;
    let rates = &scenario.nodes[node].hop_rates;
    rates.iter().find(|(to, _)| *to == link.to).map(|(_, rate)| *rate)
}

/// Returns the mean rate of a serialiser, `None` when it is unlimited.
pub(crate) fn mean_rate(rate: &Rate, scenario: &Scenario) -> Option<BitRate> {
    match rate {
        Rate::Unlimited => None,
        Rate::Constant(rate) => Some(*rate),
        Rate::Trace(RateTrace { steps, .. }) => {
            let total: u128 = steps.iter().map(|(span, _)| u128::from(span.as_nanos())).sum();
            let bits = |rate: &Option<BitRate>| u128::from(rate.map_or(0, BitRate::as_bps));
            let sum: u128 = steps.iter().map(|(span, rate)| u128::from(span.as_nanos()) * bits(rate)).sum();
            BitRate::from_bps((sum / total.max(1)) as u64)
        }
        Rate::Shared(index) => mean_rate(&scenario.bottlenecks[*index].rate, scenario),
    }
}

/// Returns the mean loss probability of a model.
fn mean_loss(loss: &Loss) -> f64 {
    match loss {
        Loss::None => 0.0,
        Loss::Bernoulli(p) => *p,
        Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
            let bad = good_to_bad / (good_to_bad + bad_to_good);
            loss_good * (1.0 - bad) + loss_bad * bad
        }
        Loss::GilbertElliottTime { mean_good, mean_bad, loss_good, loss_bad } => {
            let bad = mean_bad.as_secs_f64() / (mean_good.as_secs_f64() + mean_bad.as_secs_f64());
            loss_good * (1.0 - bad) + loss_bad * bad
        }
        Loss::Trace(pattern) => {
            let lost = pattern.iter().filter(|lost| **lost).count();
            lost as f64 / pattern.len().max(1) as f64
        }
    }
}
