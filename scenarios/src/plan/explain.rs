//! Why the sessions of a run take their routes, from its records alone.

use super::demands::delay_bound;
use super::evidence::bound_by;
use super::flows::Flows;
use super::happenings::{Happening, events};
use super::network::Network;
use crate::graph::{Graph, Path};
use crate::model::{Scenario, Session};
use crate::record::{DestinationSummary, Run, SessionSummary};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use serde::Serialize;
use serde_json::Value;

/// Why a run's sessions take their routes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The scenario's name.
    pub scenario: String,
    /// `sim`, `lab`, `live`.
    pub mode: String,
    /// The root seed.
    pub seed: u64,
    /// Sessions in order of their keys.
    pub sessions: Vec<SessionReasons>,
}

/// Why a session takes its routes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionReasons {
    /// Its conference.
    pub conference: u32,
    /// Its id within the conference.
    pub session: u32,
    /// Its name.
    pub name: String,
    /// Its source's name.
    pub source: String,
    /// Its routing policy and flow assignment.
    pub policy: String,
    /// What the flow assignment is called.
    pub assignment: String,
    /// The policy's rule in a sentence, where it is a built-in one.
    pub rule: Option<&'static str>,
    /// The flow list at the end of the run: route, share, packets of the measuring window.
    pub flows: Vec<(String, f64, u64)>,
    /// Destinations in order of their ids.
    pub destinations: Vec<DestinationReasons>,
    /// What happened to its routes, in order of time; alike events in a row are one.
    pub events: Vec<Happening>,
}

/// One destination: what it got, and by which of the ways there are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DestinationReasons {
    /// Its id.
    pub node: u32,
    /// Its name.
    pub name: String,
    /// Payload offered to it, in 10^6 bits per second.
    pub offered_mbps: Option<f64>,
    /// Payload that arrived.
    pub goodput_mbps: Option<f64>,
    /// Median delay.
    pub delay_p50_ms: Option<f64>,
    /// The time after which content is of no use.
    pub delay_bound_ms: Option<f64>,
    /// What kept it from getting more or sooner.
    pub bound_by: String,
    /// The fastest paths and those that were taken, by delay.
    pub alternatives: Vec<Alternative>,
}

/// A path to a destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// Its nodes, from the source on.
    pub nodes: Vec<u32>,
    /// The same by name.
    pub path: String,
    /// Delay of a full packet without queues.
    pub delay_ms: f64,
    /// Price of a GB of payload; `None` where a price is not known.
    pub usd_per_payload_gb: Option<f64>,
    /// The least of its links' rates; `None`: not limited.
    pub rate_mbps: Option<f64>,
    /// The link that has it.
    pub narrowest: Option<String>,
    /// Part of the packets that its links lose by themselves.
    pub loss: f64,
    /// Part of the session's packets that takes it at the end of the run; 0: not taken.
    pub share: f64,
    /// Why it is taken, or not.
    pub why: String,
}

/// Explains the sessions of `run`, of which `scenario` is the resolved scenario. `paths`: how many of the fastest paths to
/// look at for each destination.
#[must_use]
pub fn explain(scenario: &Scenario, run: &Run, paths: usize) -> Explanation {
    let network = Network::new(scenario);
    let graph = Graph::new(&network.view);
    let mut sessions = Vec::new();
    for conference in &scenario.conferences {
        for session in &conference.sessions {
            let mut found = run.summary.sessions.iter();
            let summary = found.find(|it| it.conference == conference.id.0 && it.session == session.id.0);
            let Some(summary) = summary else { continue };
            let flows = flows(summary);
            let destinations = summary
                .destinations
                .iter()
                .map(|to| destination(&network, &graph, run, (session, summary, to), &flows, paths));
            sessions.push(SessionReasons {
                conference: summary.conference,
                session: summary.session,
                name: summary.name.clone(),
                source: network.name(session.source),
                policy: session.routing.policy.clone(),
                assignment: session.assignment.policy.clone(),
                rule: rule(&session.routing.policy),
                flows: summary
                    .flows
                    .iter()
                    .map(|flow| (flow.route.clone(), flow.share, flow.packets))
                    .collect(),
                destinations: destinations.collect(),
                events: events(&run.events, summary, session, &flows),
            });
        }
    }
    Explanation {
        scenario: scenario.name.clone(),
        mode: run.summary.mode.as_str().to_owned(),
        seed: run.summary.seed,
        sessions,
    }
}

/// Returns the rule by which a built-in policy chooses.
fn rule(policy: &str) -> Option<&'static str> {
    Some(match policy {
        "static" => "routes are those written in the scenario",
        "direct" => "each destination gets a copy over the source's own link to it",
        "shortest-delay" => "each destination's fastest path",
        "k-shortest" => "each destination's fastest paths, one after the other",
        "multicast-tree" => "a tree of little total delay, in which each link carries one copy",
        "exec" => "what a program said",
        "airlift" => "all sessions planned at once by a linear program",
        _ => return None,
    })
}

/// Returns the flow list at the end as routes; what cannot be read is left out.
fn flows(summary: &SessionSummary) -> Vec<(Route, f64)> {
    let parsed = summary.flows.iter().filter_map(|flow| {
        let (_, route) = flow.route.split_once('>')?;
        Some((Route::parse(route).ok()?, flow.share))
    });
    parsed.collect()
}

/// Returns the paths of a route to a node.
fn paths_to(route: &Route, source: NodeId, to: NodeId) -> Vec<Vec<NodeId>> {
    fn walk(branches: &[Branch], so_far: &[NodeId], to: NodeId, found: &mut Vec<Vec<NodeId>>) {
        for branch in branches {
            let nodes = [so_far, &[branch.node]].concat();
            if branch.deliver && branch.node == to {
                found.push(nodes.clone());
            }
            walk(&branch.next, &nodes, to, found);
        }
    }
    let mut found = Vec::new();
    walk(&route.branches, &[source], to, &mut found);
    found
}

fn destination(
    network: &Network<'_>,
    graph: &Graph,
    run: &Run,
    (session, summary, to): (&Session, &SessionSummary, &DestinationSummary),
    flows: &[(Route, f64)],
    most: usize,
) -> DestinationReasons {
    let node = NodeId::new(to.node);
    let mut taken: Vec<(Vec<NodeId>, f64)> = Vec::new();
    for (route, share) in flows.iter().filter(|(_, share)| *share > 0.0) {
        for nodes in node.map_or_else(Vec::new, |node| paths_to(route, session.source, node)) {
            match taken.iter_mut().find(|(known, _)| *known == nodes) {
                Some((_, sum)) => *sum += share,
                None => taken.push((nodes, *share)),
            }
        }
    }
    let fastest: Vec<Path> =
        node.map_or_else(Vec::new, |node| graph.k_shortest_paths(session.source, node, most, None));
    let mut all: Vec<(Vec<NodeId>, f64)> = taken.clone();
    all.extend(
        fastest
            .into_iter()
            .map(|path| path.nodes)
            .filter(|path| !taken.iter().any(|(it, _)| it == path))
            .map(|path| (path, 0.0)),
    );
    let mut alternatives: Vec<Alternative> =
        all.iter().filter_map(|(nodes, share)| alternative(network, session, nodes, *share)).collect();
    alternatives.sort_by(|a, b| a.delay_ms.total_cmp(&b.delay_ms).then_with(|| a.nodes.cmp(&b.nodes)));
    let reasons: Vec<String> = (0..alternatives.len()).map(|at| why(session, &alternatives, at)).collect();
    for (alternative, why) in alternatives.iter_mut().zip(reasons) {
        alternative.why = why;
    }
    DestinationReasons {
        node: to.node,
        name: run.summary.node_name(to.node),
        offered_mbps: summary.offered_mbps,
        goodput_mbps: to.goodput_mbps,
        delay_p50_ms: to.delay_ms.map(|delay| delay.p50),
        delay_bound_ms: delay_bound(session).map(|bound| bound.as_millis_f64()),
        bound_by: bound_by(run, summary, to, &taken),
        alternatives,
    }
}

fn alternative(
    network: &Network<'_>,
    session: &Session,
    nodes: &[NodeId],
    share: f64,
) -> Option<Alternative> {
    let route = Route::path(nodes.get(1..)?);
    let flows = Flows::new(network, session, &[(route, 1.0)]).ok()?;
    let last = flows.hops.len().checked_sub(1)?;
    let rated = flows.hops.iter().filter_map(|hop| Some((network.rate(hop.link)?, hop.link)));
    let narrowest = rated.min_by_key(|(rate, _)| *rate);
    let price = flows.hops.iter().map(|hop| Some(network.link(hop.link).usd_per_gb? * hop.wire)).sum();
    Some(Alternative {
        nodes: nodes.iter().map(|node| node.get()).collect(),
        path: network.path_name(nodes),
        delay_ms: flows.hops[last].delay.as_millis_f64(),
        usd_per_payload_gb: price,
        rate_mbps: narrowest.map(|(rate, _)| rate.as_mbps()),
        narrowest: narrowest.map(|(_, link)| network.link_name(link)),
        loss: 1.0 - flows.survival(last),
        share,
        why: String::new(),
    })
}

/// Says why a path is taken or not, as far as the policy's rule tells.
fn why(session: &Session, all: &[Alternative], at: usize) -> String {
    let this = &all[at];
    let policy = session.routing.policy.as_str();
    let relays = this.nodes.len().saturating_sub(2);
    let behind = this.delay_ms - all[0].delay_ms;
    if this.share > 0.0 {
        return match at {
            0 => "taken; the fastest".to_owned(),
            _ => format!("taken; {behind:.1} ms slower than the fastest"),
        };
    }
    let parameter = |name: &str| session.routing.parameters.get(name).and_then(Value::as_u64);
    if let Some(bound) = delay_bound(session).filter(|bound| this.delay_ms > bound.as_millis_f64()) {
        return format!("takes longer than the {:.1} ms that are allowed", bound.as_millis_f64());
    }
    if policy == "direct" && relays > 0 {
        return "not a direct link".to_owned();
    }
    if let Some(most) = parameter("max_relays").filter(|most| relays as u64 > *most) {
        return format!("{relays} relays, and `max_relays` is {most}");
    }
    let best = all.iter().filter(|it| it.share > 0.0).map(|it| it.delay_ms).fold(f64::INFINITY, f64::min);
    let slowest = all.iter().filter(|it| it.share > 0.0).map(|it| it.delay_ms).fold(0.0, f64::max);
    match policy {
        "static" => "not written in the scenario".to_owned(),
        "shortest-delay" if this.delay_ms > best => {
            format!("{:.1} ms slower than the one taken", this.delay_ms - best)
        }
        "k-shortest" if this.delay_ms > slowest => {
            format!("slower than the {} that `k` allows", parameter("k").unwrap_or(2))
        }
        "multicast-tree" => "would use links that the tree does not need".to_owned(),
        _ if best.is_finite() => {
            let (word, ms) = if this.delay_ms >= best {
                ("slower", this.delay_ms - best)
            } else {
                ("faster", best - this.delay_ms)
            };
            format!("{ms:.1} ms {word} than the fastest taken; the policy chose otherwise")
        }
        _ => "no path is taken".to_owned(),
    }
}
