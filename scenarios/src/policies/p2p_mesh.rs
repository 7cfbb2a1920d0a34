//! `p2p-mesh`: the best that members can do among themselves, without any datacenter.

use super::Parameters;
use crate::lp::{Column, LpError, Problem, Relation};
use crate::policy::{NetworkView, PolicyError, Request, RouteChoice, Routing, ViewSession};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::route::{Branch, Route};
use bellini_core::units::BitRate;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_core::wire::routing::PATHLET_HEADER_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The name that sessions have it by.
const NAME: &str = "p2p-mesh";
/// What a second of mean delay costs, in parts of a flow's rate: it only decides between flows that serve as well.
const DELAY_COST: f64 = 1e-3;
/// Flows with a smaller part of the session's rate are left out.
const SHARE_MIN: f64 = 1e-3;
/// A rate for sessions that nothing limits.
const UNLIMITED_BPS: f64 = 1e12;
/// Payload of a packet of a session that the view does not know.
const SYMBOL_BYTES: u32 = 1_200;

/// Members send over links among themselves only: to all destinations directly, or to one of them, or to another member of
/// the conference, who passes packets on to the rest (the trees of Li, Chou and Zhang, Mutualcast, 2004; where only what
/// members send is limited, no other trees do better).
///
/// A linear program over these trees plans all sessions with this policy at once, within the rates of links and of what
/// nodes send and receive. It first makes the least part of its wanted rate that any session gets as large as it can be
/// (up to all of it), then the sum of the rates, then delays short. Sessions whose content has no rate want as much as
/// there is. Shares follow the plan; where a session gets less than it wants, the plan's rates still say how much.
/// The program is the same whichever of its sessions asks: objects of one registry share its last answer.
/// No parameters.
#[derive(Clone, Debug, Default)]
pub struct P2pMesh {
    last: Arc<Mutex<Option<Known>>>,
}

/// A plan, and the view that it is for.
type Known = (NetworkView, Arc<Plan>);

impl Routing for P2pMesh {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        Parameters::of(request, &[])?;
        let plan = self.plan(request)?;
        let none = || Err("it is not in the plan".to_owned());
        let flows = plan.get(&request.session).cloned().unwrap_or_else(none).map_err(PolicyError::Other)?;
        let choice = |(route, bps): (Route, f64)| RouteChoice {
            route,
            share: Some(bps),
            rate: BitRate::from_bps(bps as u64),
        };
        Ok(flows.into_iter().map(choice).collect())
    }

    fn minds_others(&self) -> bool {
        true
    }
}

impl P2pMesh {
    /// Returns the plan for all sessions that are planned together with the one that asks.
    fn plan(&self, request: &Request<'_>) -> Result<Arc<Plan>, PolicyError> {
        let view = request.view;
        let is_known = view.sessions.iter().any(|session| {
            session.key == request.session
                && session.policy == NAME
                && session.destinations == request.destinations
        });
        if !is_known {
            return plan(view, &demands(request)).map(Arc::new);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = last.as_ref().filter(|(of, _)| of == view) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(plan(view, &demands(request))?);
        *last = Some((view.clone(), Arc::clone(&plan)));
        Ok(plan)
    }
}

/// By session: routes with their payload bits a second, or why there are none.
type Plan = BTreeMap<SessionKey, Result<Vec<(Route, f64)>, String>>;

/// A session's demand.
struct Demand {
    key: SessionKey,
    source: NodeId,
    destinations: Vec<NodeId>,
    wanted: Option<f64>,
    payload: f64,
    header: f64,
}

/// A tree of a session: its column is its rate in payload bits a second.
struct Tree {
    demand: usize,
    route: Route,
    column: Column,
    /// Mean delay of its destinations, in seconds.
    delay: f64,
}

fn plan(view: &NetworkView, demands: &[Demand]) -> Result<Plan, PolicyError> {
    let mut problem = Problem::maximize();
    let part = problem.column("the least part", 1.0, 0.0, 1.0);
    let mut trees = Vec::new();
    for (at, demand) in demands.iter().enumerate() {
        for route in routes(view, demand, &members(view, demand)) {
            let delay = delay(view, demand, &route);
            let column = problem.column(format!("{at}: {route}"), 0.0, 0.0, f64::INFINITY);
            trees.push(Tree { demand: at, route, column, delay });
        }
    }
    if trees.is_empty() {
        return Ok(demands.iter().map(|demand| (demand.key, Err(apart(demand)))).collect());
    }
    // What has no rate is compared with the greatest that is wanted.
    let usual = demands.iter().filter_map(|demand| demand.wanted).fold(1e6, f64::max);
    for (at, demand) in demands.iter().enumerate() {
        let own = || trees.iter().filter(move |tree| tree.demand == at).map(|tree| (tree.column, 1.0));
        if own().next().is_none() {
            continue;
        }
        let wanted = demand.wanted.unwrap_or(usual);
        let mut served: Vec<(Column, f64)> = own().collect();
        problem.row(
            format!("rate of {at}"),
            &served,
            Relation::AtMost,
            demand.wanted.unwrap_or(UNLIMITED_BPS),
        );
        served.push((part, -wanted));
        problem.row(format!("part of {at}"), &served, Relation::AtLeast, 0.0);
    }
    limit(&mut problem, view, demands, &trees);
    let failed = |error: LpError| PolicyError::Other(format!("the linear program has no answer: {error}"));
    let least = problem.solve().map_err(failed)?.value(part);
    problem.set_objective(part, 0.0);
    problem.row("as before", &[(part, 1.0)], Relation::AtLeast, least * (1.0 - 1e-6));
    for tree in &trees {
        problem.set_objective(tree.column, 1.0 - DELAY_COST * tree.delay.min(100.0));
    }
    let solution = problem.solve().map_err(failed)?;
    let flows = |at: usize| {
        let own = trees.iter().filter(|tree| tree.demand == at);
        let mut flows: Vec<(Route, f64)> =
            own.map(|tree| (tree.route.clone(), solution.value(tree.column))).collect();
        if flows.is_empty() {
            return Err(apart(&demands[at]));
        }
        let sum: f64 = flows.iter().map(|(_, bps)| bps).sum();
        if sum <= 0.0 {
            return Err("links among members carry nothing".to_owned());
        }
        flows.retain(|(_, bps)| *bps >= SHARE_MIN * sum);
        flows.sort_by(|one, other| other.1.total_cmp(&one.1));
        Ok(flows)
    };
    Ok(demands.iter().enumerate().map(|(at, demand)| (demand.key, flows(at))).collect())
}

/// Says why a session has no tree.
fn apart(demand: &Demand) -> String {
    let source = demand.source;
    format!(
        "members cannot reach each other: no link from {source} to all destinations, or to a member with links to the others"
    )
}

/// Returns the sessions that are planned together, in order of their keys: those of the view, and this one as it is asked
/// about.
fn demands(request: &Request<'_>) -> Vec<Demand> {
    let of = |session: &ViewSession| Demand {
        key: session.key,
        source: session.source,
        destinations: session.destinations.clone(),
        wanted: session.rate.map(|rate| rate.as_bps() as f64),
        payload: f64::from(session.symbol_bytes.max(1)),
        header: f64::from(session.header_bytes),
    };
    let together = request.view.sessions.iter().filter(|session| {
        session.key == request.session || session.policy == NAME && !session.destinations.is_empty()
    });
    let mut demands: Vec<Demand> = together.map(of).collect();
    let key = request.session;
    if !demands.iter().any(|demand| demand.key == key) {
        let header = f64::from((UDP_IP_BYTES + DATA_FIXED_BYTES) as u32);
        let wanted = request.rate.map(|rate| rate.as_bps() as f64);
        let (source, payload) = (request.source, f64::from(SYMBOL_BYTES));
        demands.push(Demand { key, source, destinations: Vec::new(), wanted, payload, header });
    }
    for demand in demands.iter_mut().filter(|demand| demand.key == key) {
        demand.destinations = request.destinations.to_vec();
    }
    demands.sort_by_key(|demand| demand.key);
    demands
}

/// Returns who may pass packets of a session on: all members of its conference, as far as sessions tell.
fn members(view: &NetworkView, demand: &Demand) -> BTreeSet<NodeId> {
    let mut members: BTreeSet<NodeId> = demand.destinations.iter().copied().collect();
    members.insert(demand.source);
    for session in view.sessions.iter().filter(|session| session.key.conference == demand.key.conference) {
        members.insert(session.source);
        members.extend(&session.destinations);
    }
    members
}

/// Returns the direct tree and those over one member, as far as there are links.
fn routes(view: &NetworkView, demand: &Demand, members: &BTreeSet<NodeId>) -> Vec<Route> {
    let is_linked = |from, to| view.links.iter().any(|link| (link.from, link.to) == (from, to));
    let leaf = |&node: &NodeId| Branch { node, deliver: true, next: Vec::new() };
    let mut found = Vec::new();
    if demand.destinations.iter().all(|&to| is_linked(demand.source, to)) {
        found.push(Route { branches: demand.destinations.iter().map(leaf).collect() });
    }
    for &over in members.iter().filter(|&&over| over != demand.source) {
        let rest: Vec<NodeId> = demand.destinations.iter().copied().filter(|&to| to != over).collect();
        if rest.is_empty() || !is_linked(demand.source, over) || !rest.iter().all(|&to| is_linked(over, to)) {
            continue;
        }
        let deliver = demand.destinations.contains(&over);
        found.push(Route {
            branches: vec![Branch { node: over, deliver, next: rest.iter().map(leaf).collect() }],
        });
    }
    found
}

fn delay(view: &NetworkView, demand: &Demand, route: &Route) -> f64 {
    let link = |from, to| {
        let found = view.links.iter().find(|link| (link.from, link.to) == (from, to));
        found.map_or(0.0, |link| link.delay.as_secs_f64())
    };
    let mut sum = 0.0;
    for branch in &route.branches {
        let first = link(demand.source, branch.node);
        sum += if branch.deliver { first } else { 0.0 };
        sum += branch.next.iter().map(|leaf| first + link(branch.node, leaf.node)).sum::<f64>();
    }
    sum / demand.destinations.len().max(1) as f64
}

/// Adds a row for each limit: of links, and of what nodes send and receive in all.
fn limit(problem: &mut Problem, view: &NetworkView, demands: &[Demand], trees: &[Tree]) {
    let mut limits: BTreeMap<(u8, NodeId, NodeId), f64> = BTreeMap::new();
    for node in &view.nodes {
        let rates = [(1, node.egress), (2, node.ingress)];
        limits.extend(
            rates
                .iter()
                .filter_map(|(side, rate)| Some(((*side, node.id, node.id), rate.as_ref()?.as_bps() as f64))),
        );
    }
    for link in &view.links {
        limits.extend(link.rate.map(|rate| ((0, link.from, link.to), rate.as_bps() as f64)));
    }
    let mut uses: BTreeMap<(u8, NodeId, NodeId), Vec<(Column, f64)>> = BTreeMap::new();
    for tree in trees {
        let demand = &demands[tree.demand];
        let mut cross = |from: NodeId, branch: &Branch| {
            // A packet carries the Pathlets of the nodes that are still ahead.
            let ahead = 1 + branch.next.len();
            let bytes = demand.payload + demand.header + (ahead * PATHLET_HEADER_BYTES) as f64;
            for name in [(0, from, branch.node), (1, from, from), (2, branch.node, branch.node)] {
                uses.entry(name).or_default().push((tree.column, bytes / demand.payload));
            }
        };
        for branch in &tree.route.branches {
            cross(demand.source, branch);
            branch.next.iter().for_each(|leaf| cross(branch.node, leaf));
        }
    }
    for (name, terms) in uses {
        if let Some(bps) = limits.get(&name) {
            let (side, from, to) = name;
            let what = ["link", "sent by", "received by"][usize::from(side)];
            problem.row(format!("{what} {from} > {to}"), &terms, Relation::AtMost, *bps);
        }
    }
}
