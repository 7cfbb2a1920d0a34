//! Plans: what routing policies would do with a scenario, worked out before anything runs.
//!
//! [`plan`] asks each policy as a run would at its start, and follows the answers through the scenario's network: delays
//! without queues, rates as a fluid (links shared by all sessions, headers, Pathlets and coding counted to the byte),
//! prices. Nothing is simulated: bursts, queues and the time that congestion control takes to settle are not in a plan.
//! `docs/plan.md` says what is and what is not.

mod decide;
mod demands;
mod evidence;
mod explain;
mod feasible;
mod flow_bound;
mod flows;
mod fluid;
mod happenings;
mod limits;
mod network;
mod outcome;
mod reasons;
mod slices;
mod wire;

pub use explain::{Alternative, DestinationReasons, Explanation, SessionReasons, explain};
pub use feasible::{Infeasible, infeasible};
pub use happenings::Happening;

use crate::model::Scenario;
use crate::registry::{Registry, RegistryError};
use network::Network;
use serde::Serialize;

/// Names of routing policies that cannot be asked about sessions which were not written for them.
const NEEDS_MORE: [&str; 2] = ["static", "exec"];

/// The word for each session's own policy.
pub const OWN: &str = "own";

/// What policies would do with a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// What no policy can give, whatever routes it takes, and what is not known.
    pub limits: Vec<Finding>,
    /// One plan a policy, in the order asked for.
    pub policies: Vec<PolicyPlan>,
    /// What the plan leaves out of account.
    pub notes: Vec<String>,
}

/// A demand that cannot be met, with what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `delay`, `rate`, `price`, `routes`.
    pub kind: &'static str,
    /// The conference concerned, if one.
    pub conference: Option<u32>,
    /// The session concerned, if one.
    pub session: Option<u32>,
    /// The destination concerned, if one.
    pub destination: Option<u32>,
    /// A sentence that names what binds.
    pub text: String,
}

/// What one policy would do with all sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyPlan {
    /// Its name, or [`OWN`].
    pub policy: String,
    /// Sessions in order of their keys.
    pub sessions: Vec<SessionPlan>,
    /// Links that carry something, in order of (from, to).
    pub links: Vec<LinkPlan>,
    /// Payload that all destinations together would get, in 10^6 bits per second, while every session sends.
    pub rate_mbps: f64,
    /// What they would get if nothing stood in the way; `None` where a session sends as fast as it goes.
    pub wanted_mbps: Option<f64>,
    /// The greatest delay to any destination, by the fastest route of its session.
    pub delay_ms_max: Option<f64>,
    /// What traffic costs by volume while every session sends; `None` where a price is not known.
    pub usd_per_hour: Option<f64>,
    /// What it costs by percentile: the price of a charging period at these rates, spread over its hours; `None` likewise.
    pub percentile_usd_per_hour: Option<f64>,
    /// Machines that routes begin at, end at or go by.
    pub machines: usize,
    /// What these cost; `None` where the price of one is not known.
    pub vm_usd_per_hour: Option<f64>,
    /// What does not come out as the scenario wants it.
    pub findings: Vec<Finding>,
}

/// What a policy would do with one session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionPlan {
    /// Its conference.
    pub conference: u32,
    /// Its id within the conference.
    pub session: u32,
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: u32,
    /// The policy that decides.
    pub policy: String,
    /// Payload that its content offers on average, in 10^6 bits per second; `None`: as fast as it goes.
    pub offered_mbps: Option<f64>,
    /// Payload that its source would send; `None` where nothing limits it, or there are no routes.
    pub sent_mbps: Option<f64>,
    /// Routes with shares; none where the policy has no answer.
    pub routes: Vec<RoutePlan>,
    /// Destinations in order of their ids.
    pub destinations: Vec<DestinationPlan>,
    /// What its traffic costs while it sends; `None` where a price is not known, or a rate.
    pub usd_per_hour: Option<f64>,
    /// Why the policy has no answer.
    pub error: Option<String>,
}

/// One route of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoutePlan {
    /// In the text form of scenarios, from the source on.
    pub route: String,
    /// Its part of the packets.
    pub share: f64,
    /// To its farthest destination, without queues.
    pub delay_ms: f64,
    /// Price of a GB of payload over it, headers included; `None` where a price is not known.
    pub usd_per_payload_gb: Option<f64>,
}

/// What a destination would get.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DestinationPlan {
    /// Its id.
    pub node: u32,
    /// Its name.
    pub name: String,
    /// Delay of a full packet by the fastest route: propagation, serialisation, processing; no queues.
    pub delay_ms: Option<f64>,
    /// The same by the slowest route.
    pub delay_ms_max: Option<f64>,
    /// Payload that arrives, in 10^6 bits per second; `None` where nothing limits it.
    pub rate_mbps: Option<f64>,
    /// That as a part of what is offered.
    pub part: Option<f64>,
    /// What keeps it from getting more.
    pub bound_by: String,
}

/// What a link would carry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkPlan {
    /// Sending end.
    pub from: u32,
    /// Receiving end.
    pub to: u32,
    /// Wire rate of our packets, in 10^6 bits per second, while every session sends.
    pub mbps: f64,
    /// That and others' traffic as a part of the link's rate; `None`: the rate is not limited.
    pub utilisation: Option<f64>,
    /// What it costs; `None`: the price is not known.
    pub usd_per_hour: Option<f64>,
}

/// Plans a scenario for several policies: names of routing policies, or [`OWN`] for each session's own. None: the
/// sessions' own and every policy of `registry` that can be asked about any session.
///
/// # Errors
/// When a name is no routing policy of `registry`.
pub fn plan(scenario: &Scenario, registry: &Registry, policies: &[String]) -> Result<Plan, RegistryError> {
    let network = Network::new(scenario);
    let names: Vec<String> = if policies.is_empty() {
        let others = registry.routing_names().into_iter().filter(|name| !NEEDS_MORE.contains(name));
        std::iter::once(OWN).chain(others).map(str::to_owned).collect()
    } else {
        policies.to_vec()
    };
    for name in names.iter().filter(|name| *name != OWN) {
        let spec = crate::model::Routing {
            policy: name.clone(),
            flows: Vec::new(),
            parameters: std::collections::BTreeMap::new(),
        };
        registry.routing_for(&spec)?;
    }
    let plans = names.iter().map(|name| outcome::policy_plan(&network, registry, name));
    let policies = plans.collect();
    Ok(Plan {
        scenario: scenario.name.clone(),
        limits: demands::limits(&network),
        policies,
        notes: demands::notes(&network),
    })
}

#[cfg(test)]
mod tests;
