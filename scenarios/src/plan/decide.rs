//! What a policy would decide for each session of a scenario at its start.

use super::network::Network;
use crate::conduct::planning_view;
use crate::model::{Assignment, Membership, Routing, Scenario, Session};
use crate::policy::{NetworkView, PolicyError, Reason, Request, RouteChoice};
use crate::registry::{Registry, RunPolicies};
use crate::resolve::mean_rate;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::route::Route;
use std::collections::BTreeMap;

/// The parameter that most routing policies share.
const MAX_RELAYS: &str = "max_relays";

/// Routes with shares that add up to 1, or why there are none.
pub(super) type Decision = Result<Vec<(Route, f64)>, String>;

/// Returns everybody who is a destination of a session at some time, sorted.
pub(super) fn everybody(scenario: &Scenario, conference: usize, session: &Session) -> Vec<NodeId> {
    let mut all = session.destinations.clone();
    let churn = &scenario.conferences[conference].churn;
    let joins = churn.iter().filter(|it| it.session == session.id && it.membership == Membership::Join);
    all.extend(joins.map(|it| it.node));
    all.retain(|node| *node != session.source);
    all.sort_unstable();
    all.dedup();
    all
}

/// Decides for all sessions, in order. `policy`: one for all, or `None`: each session's own.
pub(super) fn decide(network: &Network<'_>, registry: &Registry, policy: Option<&str>) -> Vec<Decision> {
    let scenario = network.scenario;
    // Policies that plan for all sessions at once look at the view for which sessions are theirs.
    let mut planned = scenario.clone();
    for (index, conference) in planned.conferences.iter_mut().enumerate() {
        for session in &mut conference.sessions {
            session.destinations = everybody(scenario, index, session);
            if let Some(policy) = policy.filter(|policy| *policy != session.routing.policy) {
                let relays = session.routing.parameters.remove_entry(MAX_RELAYS);
                session.routing = Routing {
                    policy: policy.to_owned(),
                    flows: Vec::new(),
                    parameters: relays.into_iter().collect(),
                };
            }
        }
    }
    let mut view = planning_view(&planned);
    let mut decisions = Vec::new();
    // One object a session, or one a run, as in a run.
    let mut policies = registry.run();
    for (conference, written) in planned.conferences.iter().zip(&scenario.conferences) {
        for (session, own) in conference.sessions.iter().zip(&written.sessions) {
            let key = SessionKey::new(conference.id.0, session.id.0);
            let mut decided = ask((registry, &mut policies), key, session, own, &view);
            // Not every policy has the parameter that was handed on to it.
            let is_handed_on = session.routing.policy != own.routing.policy;
            if is_handed_on
                && matches!(&decided, Err(Refusal::Policy(PolicyError::Parameter { name, .. })) if name == MAX_RELAYS)
            {
                for seen in &mut view.sessions {
                    seen.parameters.remove(MAX_RELAYS);
                }
                let mut plain = session.clone();
                plain.routing.parameters.clear();
                decided = ask((registry, &mut policies), key, &plain, own, &view);
            }
            decisions.push(decided.map_err(|refusal| refusal.text(network)));
        }
    }
    decisions
}

enum Refusal {
    Policy(PolicyError),
    Words(String),
}

impl Refusal {
    fn text(self, network: &Network<'_>) -> String {
        match self {
            Self::Policy(PolicyError::Unreachable { from, to }) => {
                format!("no path from {} to {}", network.name(from), network.name(to))
            }
            Self::Policy(error) => error.to_string(),
            Self::Words(words) => words,
        }
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

/// Asks a session's own routing policy for routes to those who are its destinations at the start.
///
/// # Errors
/// What it says against them.
pub(super) fn ask_own(
    policies: &mut RunPolicies<'_>,
    key: SessionKey,
    session: &Session,
    view: &NetworkView,
    network: &Network<'_>,
) -> Result<(), String> {
    let mut routing = policies.routing_for(&session.routing).map_err(|error| error.to_string())?;
    let request = request(key, session, view);
    routing.routes(&request).map(drop).map_err(|error| Refusal::Policy(error).text(network))
}

fn request<'a>(key: SessionKey, session: &'a Session, view: &'a NetworkView) -> Request<'a> {
    Request {
        session: key,
        source: session.source,
        destinations: &session.destinations,
        rate: mean_rate(&session.content),
        reason: Reason::Start,
        view,
        parameters: &session.routing.parameters,
    }
}

fn ask(
    (registry, policies): (&Registry, &mut RunPolicies<'_>),
    key: SessionKey,
    session: &Session,
    own: &Session,
    view: &NetworkView,
) -> Result<Vec<(Route, f64)>, Refusal> {
    if session.destinations.is_empty() {
        return Err(Refusal::Words("it never has a destination".to_owned()));
    }
    let words = |error: crate::registry::RegistryError| Refusal::Words(error.to_string());
    let mut routing = policies.routing_for(&session.routing).map_err(words)?;
    let mut request = request(key, session, view);
    let routes = routing.routes(&request)?;
    let spec = assignment(session, own, &routes);
    let mut assignment = registry.assignment_for(&spec).map_err(words)?;
    request.parameters = &spec.parameters;
    let shares = assignment.shares(&request, &routes)?;
    let sum: f64 = shares.iter().sum();
    if routes.is_empty() || shares.len() != routes.len() || !sum.is_finite() || sum <= 0.0 {
        let (routes, shares) = (routes.len(), shares.len());
        return Err(Refusal::Words(format!(
            "{routes} routes and {shares} shares: one share a route, one of them positive"
        )));
    }
    Ok(routes.into_iter().map(|choice| choice.route).zip(shares.iter().map(|share| share / sum)).collect())
}

/// Returns how flows are assigned: as the scenario has it, but for another routing policy the shares that come with its
/// routes count, and shares that were written for routes of the file's do not.
fn assignment(session: &Session, own: &Session, routes: &[RouteChoice]) -> Assignment {
    let named = |policy: &str| Assignment { policy: policy.to_owned(), parameters: BTreeMap::new() };
    if session.routing.policy == own.routing.policy {
        return own.assignment.clone();
    }
    let all = |has: fn(&RouteChoice) -> bool| routes.iter().all(has);
    if all(|choice| choice.share.is_some()) || all(|choice| choice.rate.is_some()) {
        return named("static");
    }
    match own.assignment.policy.as_str() {
        "static" | "exec" => named("equal"),
        _ => own.assignment.clone(),
    }
}
