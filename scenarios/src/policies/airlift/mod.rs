//! `airlift`: all sessions planned at once by a linear program, with coding and without.
//!
//! After Airlift (Feng, Li and Li, Airlift: video conferencing as a cloud service using inter-datacenter networks, ICNP
//! 2012): conceptual flows, of which those of one coded session towards different destinations do not compete, make the
//! best rates within delay bounds a linear program. Sessions without coding get the best packing of trees in the same
//! program. `docs/policies.md` has the parameters and what a plan does and does not promise.

mod demand;
mod greedy;
mod master;
mod options;
mod pattern;
mod plan;

pub use options::Options;
pub use plan::Objective;

use crate::graph::Network;
use crate::lp::LpError;
use crate::policy::{NetworkView, PolicyError, Request, RouteChoice, Routing, ViewSession};
use bellini_core::ids::SessionKey;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use demand::Demand;
use plan::{Answer, Planner};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Rates for all sessions, and the flows that carry them.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order of their keys; those that cannot be served have an error instead.
    pub sessions: BTreeMap<SessionKey, Result<SessionPlan, String>>,
    /// What is full, the most valuable first.
    pub binding: Vec<Binding>,
    /// The sum of all rates, in payload bits a second.
    pub total_bps: f64,
    /// Why the linear program was given up for a greedy plan, if it was.
    pub fallback: Option<String>,
    /// Linear programs that were solved.
    pub rounds: usize,
    /// Patterns (trees and coded multicasts) that they had at last.
    pub patterns: usize,
}

/// What a session may send, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionPlan {
    /// Payload bits a second that every destination can get at once.
    pub rate_bps: f64,
    /// Routes with their payload bits a second, which add up to `rate_bps`; the greatest first.
    pub flows: Vec<(Route, f64)>,
    /// The greatest delay of any of their paths, without queues.
    pub delay: Duration,
    /// Whether nothing limits it: `rate_bps` then only says more than anybody wants.
    pub is_unlimited: bool,
}

/// Something that is full.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// A link, or what a node sends or receives in all.
    pub name: String,
    /// Its rate in bits a second on the wire.
    pub bps: f64,
    /// By how much the objective would grow for each bit a second more.
    pub price: f64,
}

/// Plans for all sessions of the view that are routed by `airlift`.
///
/// # Errors
/// When a parameter of one of them is wrong, or they do not agree on what is common to all.
pub fn plan(view: &NetworkView) -> Result<Plan, PolicyError> {
    let sessions = view.sessions.iter().filter(|session| session.policy == NAME);
    plan_for(view, sessions.cloned().collect())
}

/// Returns what the sum of all rates cannot exceed, in payload bits a second: by theory, with relays that combine
/// perfectly and the smallest headers, within the same delay bounds. What sessions want plays no part.
///
/// # Errors
/// As [`plan()`], and when the linear program has no checked answer.
pub fn bound(view: &NetworkView) -> Result<f64, PolicyError> {
    let sessions: Vec<ViewSession> =
        view.sessions.iter().filter(|session| session.policy == NAME).cloned().collect();
    let network = Network::of(view);
    let demands = demands(&network, &sessions)?;
    let (demands, _) = servable(&network, demands);
    let floors = vec![0.0; demands.len()];
    let planner = Planner::new(&network, &demands, true);
    let mut planner = planner.map_err(|_| PolicyError::Other("no tree".to_owned()))?;
    let answer =
        planner.solve(Objective::Total, &floors).map_err(|error| PolicyError::Other(error.to_string()))?;
    Ok(answer.bound)
}

const NAME: &str = "airlift";

fn demands(network: &Network, sessions: &[ViewSession]) -> Result<Vec<Demand>, PolicyError> {
    sessions
        .iter()
        .filter_map(|session| Options::of(session).map(|it| it.demand(network, session)).transpose())
        .collect()
}

/// Parts the sessions that some tree serves within their bounds from those that none does.
fn servable(network: &Network, mut demands: Vec<Demand>) -> (Vec<Demand>, Vec<(SessionKey, String)>) {
    let Err(without) = Planner::new(network, &demands, false).map(drop) else { return (demands, Vec::new()) };
    let reason = |at: usize| (demands[at].key, Planner::too_far(network, &demands[at]));
    let refused = without.iter().map(|at| reason(*at)).collect();
    let mut at = 0;
    demands.retain(|_| {
        at += 1;
        !without.contains(&(at - 1))
    });
    (demands, refused)
}

fn plan_for(view: &NetworkView, sessions: Vec<ViewSession>) -> Result<Plan, PolicyError> {
    let common = options::common(&sessions)?;
    let mut links = view.links.clone();
    links.iter_mut().for_each(|link| link.rate = link.rate.or(common.assume));
    let network = Network::of(&NetworkView { nodes: view.nodes.clone(), links, sessions: Vec::new() });
    let (demands, refused) = servable(&network, demands(&network, &sessions)?);
    let mut plan = Plan {
        sessions: refused.into_iter().map(|(key, why)| (key, Err(why))).collect(),
        binding: Vec::new(),
        total_bps: 0.0,
        fallback: None,
        rounds: 0,
        patterns: 0,
    };
    if demands.is_empty() {
        return Ok(plan);
    }
    if let Err(error) = by_program(&network, &demands, &common, &mut plan) {
        plan.fallback = Some(error.to_string());
        let rates = greedy::plan(&network, &demands);
        plan.sessions.extend(rates.into_iter().map(|(key, session)| (key, Ok(session))));
    }
    plan.total_bps = plan.sessions.values().flatten().map(|session| session.rate_bps).sum();
    Ok(plan)
}

/// Plans by linear programs: first whether all get what they want, then the objective.
fn by_program(
    network: &Network,
    demands: &[Demand],
    common: &Options,
    plan: &mut Plan,
) -> Result<(), LpError> {
    let Ok(mut planner) = Planner::new(network, demands, false) else { return Ok(()) };
    let mut floors = vec![0.0; demands.len()];
    if demands.iter().any(|demand| demand.wanted.is_some()) {
        let weights: Vec<f64> = demands.iter().map(|demand| demand.wanted.unwrap_or(0.0)).collect();
        let (answer, stopped) = planner.levels(&weights, 1.0, &floors)?;
        for (at, demand) in demands.iter().enumerate() {
            let Some(wanted) = demand.wanted else { continue };
            let Some(stop) = &stopped[at] else {
                floors[at] = wanted;
                continue;
            };
            floors[at] = answer.rates[at].min(wanted) * (1.0 - 1e-6);
            if !common.carry {
                let full = binding(network, stop).iter().map(text).collect::<Vec<_>>().join(", ");
                let (wanted, rate) = (wanted * 1e-6, floors[at] * 1e-6);
                let why = format!("{wanted:.3} Mbit/s are wanted, {rate:.3} can be carried: {full}");
                plan.sessions.insert(demand.key, Err(why));
            }
        }
        // A trace below: what one program found possible, another must not miss by rounding.
        floors.iter_mut().for_each(|floor| *floor *= 1.0 - 1e-6);
    }
    let answer = planner.solve(common.objective, &floors)?;
    plan.binding = binding(network, &answer);
    (plan.rounds, plan.patterns) = (planner.rounds, planner.patterns.len());
    for (at, demand) in demands.iter().enumerate() {
        let flows = planner.flows(at, &answer.uses);
        if flows.is_empty() {
            let full = plan.binding.iter().map(text).collect::<Vec<_>>().join(", ");
            let why = format!("the plan of the largest total leaves it nothing: {full}");
            plan.sessions.entry(demand.key).or_insert(Err(why));
            continue;
        }
        let rate_bps: f64 = answer.rates[at];
        let sum: f64 = flows.iter().map(|(_, rate, _)| rate).sum();
        let delay = flows.iter().map(|(.., delay)| *delay).max().unwrap_or(0);
        let session = SessionPlan {
            rate_bps,
            flows: flows.into_iter().map(|(route, rate, _)| (route, rate / sum * rate_bps)).collect(),
            delay: Duration::from_nanos(delay),
            is_unlimited: rate_bps >= planner.ceiling * (1.0 - 1e-6),
        };
        plan.sessions.entry(demand.key).or_insert(Ok(session));
    }
    Ok(())
}

fn binding(network: &Network, answer: &Answer) -> Vec<Binding> {
    let priced = network.resources.iter().zip(&answer.prices).filter(|(_, price)| **price > 1e-9);
    let mut all: Vec<Binding> = priced
        .map(|(resource, price)| Binding { name: resource.name.clone(), bps: resource.bps, price: *price })
        .collect();
    all.sort_by(|a, b| (b.price * b.bps).total_cmp(&(a.price * a.bps)));
    all
}

fn text(binding: &Binding) -> String {
    format!("{} is full ({:.3} Mbit/s)", binding.name, binding.bps * 1e-6)
}

/// Plans all sessions at once, and answers each with its part.
///
/// Objects of one registry share their last plan, so that the sessions of a run are planned once for each network that
/// they are asked about.
#[derive(Clone, Debug, Default)]
pub struct Airlift {
    last: Arc<Mutex<Option<Last>>>,
}

#[derive(Clone, Debug)]
struct Last {
    view: NetworkView,
    plan: Arc<Plan>,
}

impl Routing for Airlift {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        options::check(request)?;
        let plan = self.plan(request)?;
        let own = plan.sessions.get(&request.session).cloned();
        let own =
            own.unwrap_or_else(|| Err("it is not in the plan".to_owned())).map_err(PolicyError::Other)?;
        let choice = |(route, rate): (Route, f64)| RouteChoice {
            route,
            share: Some(rate / own.rate_bps),
            rate: BitRate::from_bps(rate as u64),
        };
        Ok(own.flows.into_iter().map(choice).collect())
    }

    fn minds_others(&self) -> bool {
        true
    }
}

impl Airlift {
    /// Returns the plan for the network and sessions of a request.
    fn plan(&self, request: &Request<'_>) -> Result<Arc<Plan>, PolicyError> {
        let known = request.view.sessions.iter().find(|session| session.key == request.session);
        let is_known = known.is_some_and(|session| {
            session.policy == NAME
                && session.destinations == request.destinations
                && session.parameters == *request.parameters
        });
        if !is_known {
            // Who asks is in the plan in any case, with the destinations that its source knows.
            let mut sessions: Vec<ViewSession> = request.view.sessions.clone();
            let asked = options::session_of(request, known);
            sessions.retain(|session| session.key != request.session && session.policy == NAME);
            sessions.push(asked);
            sessions.sort_by_key(|session| session.key);
            return plan_for(request.view, sessions).map(Arc::new);
        }
        let hysteresis = known.map_or(Ok(0.0), |session| Options::of(session).map(|it| it.hysteresis))?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last
            && is_like(&last.view, request.view, hysteresis)
        {
            return Ok(Arc::clone(&last.plan));
        }
        let plan = Arc::new(plan(request.view)?);
        *last = Some(Last { view: request.view.clone(), plan: Arc::clone(&plan) });
        Ok(plan)
    }
}

/// Whether two views have the same nodes, links and sessions, and no rate or delay differs by more than a part of itself.
fn is_like(a: &NetworkView, b: &NetworkView, part: f64) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= part * a.max(b);
    let rate = |rate: Option<BitRate>| rate.map_or(0.0, |rate| rate.as_bps() as f64);
    let links = || a.links.iter().zip(&b.links);
    a.nodes == b.nodes
        && a.sessions == b.sessions
        && a.links.len() == b.links.len()
        && links().all(|(a, b)| {
            (a.from, a.to) == (b.from, b.to)
                && a.rate.is_some() == b.rate.is_some()
                && close(rate(a.rate), rate(b.rate))
                && close(a.delay.as_secs_f64(), b.delay.as_secs_f64())
        })
}

#[cfg(test)]
mod tests;
