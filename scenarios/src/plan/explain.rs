//! Why the sessions of a run take their routes, from its records alone.

use super::demands::delay_bound;
use super::evidence::bound_by;
use super::flows::Flows;
use super::happenings::{Happening, events};
use super::limits::Limits;
use super::network::Network;
use super::reasons::why;
use crate::graph::{Graph, Path};
use crate::model::{Scenario, Session};
use crate::record::{DestinationSummary, EventRow, Run, SessionSummary, kind};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use serde::Serialize;

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
    /// How much of it was waiting: what is above the delay without queues.
    pub queueing_p50_ms: Option<f64>,
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
    /// The part of it that is propagation: what policies see of a link.
    pub propagation_ms: f64,
    /// Price of a GB of payload; `None` where a price is not known.
    pub usd_per_payload_gb: Option<f64>,
    /// The least rate of its links, their hops' paces and its nodes' caps; `None`: not limited.
    pub rate_mbps: Option<f64>,
    /// What has it.
    pub narrowest: Option<String>,
    /// How busy its busiest link was in the measuring window, whoever used it; `None`: no link of it has a rate.
    pub busy: Option<f64>,
    /// That link.
    pub busiest: Option<String>,
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
            let refusal = refusal(run, summary);
            let destinations = destinations.map(|mut to| {
                if to.alternatives.iter().all(|it| it.share <= 0.0)
                    && let Some(text) = &refusal
                {
                    to.bound_by.clone_from(text);
                }
                to
            });
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
        "shortest-delay" => "each destination's path of least propagation delay",
        "k-shortest" => "each destination's fastest paths, one after the other",
        "multicast-tree" => "a tree of little total delay, in which each link carries one copy",
        "exec" => "what a program said",
        "airlift" => {
            "all sessions planned at once by a linear program: the best rates within their delay bounds"
        }
        "jetway" => "what raises the charge for the links' busiest intervals least",
        "nearest-ingress" => "each member at its nearest datacenter, datacenters directly among each other",
        "p2p-mesh" => "the best that members can do without datacenters",
        "ron" => "the direct path, or one over a single other node where that is clearly better",
        "star" => "by way of one datacenter, the same for all members",
        "steiner-price" => {
            "the tree of least price to all destinations together: a link that another destination needs costs nothing more"
        }
        _ => return None,
    })
}

/// Returns what the policy said last where it had no answer.
fn refusal(run: &Run, summary: &SessionSummary) -> Option<String> {
    let is_own = |row: &&EventRow| {
        (row.conference, row.session) == (Some(summary.conference), Some(summary.session))
            && row.kind == kind::POLICY
    };
    let last = run.events.iter().rfind(is_own)?;
    last.text.starts_with("No routes").then(|| last.text.clone())
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
        all.iter().filter_map(|(nodes, share)| alternative(network, run, session, nodes, *share)).collect();
    alternatives.sort_by(|a, b| a.delay_ms.total_cmp(&b.delay_ms).then_with(|| a.nodes.cmp(&b.nodes)));
    let reasons: Vec<String> =
        (0..alternatives.len()).map(|at| why(network, session, &alternatives, at)).collect();
    for (alternative, why) in alternatives.iter_mut().zip(reasons) {
        alternative.why = why;
    }
    DestinationReasons {
        node: to.node,
        name: run.summary.node_name(to.node),
        offered_mbps: summary.offered_mbps,
        goodput_mbps: to.goodput_mbps,
        delay_p50_ms: to.delay_ms.map(|delay| delay.p50),
        queueing_p50_ms: to.queueing_ms.map(|waiting| waiting.p50),
        delay_bound_ms: delay_bound(session).map(|bound| bound.as_millis_f64()),
        bound_by: bound_by(run, summary, to, &taken),
        alternatives,
    }
}

fn alternative(
    network: &Network<'_>,
    run: &Run,
    session: &Session,
    nodes: &[NodeId],
    share: f64,
) -> Option<Alternative> {
    let route = Route::path(nodes.get(1..)?);
    let flows = Flows::new(network, session, &[(route, 1.0)]).ok()?;
    let last = flows.hops.len().checked_sub(1)?;
    let mut limits = Limits::default();
    limits.of(network, session, &flows);
    let narrowest = limits.all.iter().min_by(|a, b| a.capacity_bps.total_cmp(&b.capacity_bps));
    let used = |link: usize| {
        let ends = network.link(link);
        let seen =
            run.summary.links.iter().find(|it| (it.from, it.to) == (ends.from.get(), ends.to.get()))?;
        Some((seen.utilisation?, link))
    };
    let busy = flows.hops.iter().filter_map(|hop| used(hop.link)).max_by(|a, b| a.0.total_cmp(&b.0));
    let propagation = flows.hops.iter().map(|hop| network.link(hop.link).delay.as_millis_f64()).sum();
    let price = flows.hops.iter().map(|hop| Some(network.link(hop.link).usd_per_gb? * hop.wire)).sum();
    Some(Alternative {
        nodes: nodes.iter().map(|node| node.get()).collect(),
        path: network.path_name(nodes),
        delay_ms: flows.hops[last].delay.as_millis_f64(),
        usd_per_payload_gb: price,
        propagation_ms: propagation,
        rate_mbps: narrowest.map(|limit| limit.capacity_bps * 1e-6),
        narrowest: narrowest.map(|limit| limit.name(network)),
        busy: busy.map(|(busy, _)| busy),
        busiest: busy.map(|(_, link)| network.link_name(link)),
        loss: 1.0 - flows.survival(last),
        share,
        why: String::new(),
    })
}
