//! Planners: they answer when nodes ask for policies, after the time that a decision takes.

use super::backups::backups;
use super::error::ConductError;
use crate::model::Scenario;
use crate::policy::{FlowAssignment, NetworkView, PolicyError, Reason, Request, Routing};
use crate::registry::Registry;
use crate::resolve::mean_rate;
use bellini_core::ids::{Incarnation, NodeId, SessionKey};
use bellini_core::io::{Install, PolicyReason};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use std::collections::{BTreeMap, VecDeque};

/// A question under way.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) key: SessionKey,
    pub(super) destinations: Vec<NodeId>,
    pub(super) reason: PolicyReason,
}

/// The policies of all sessions.
pub(super) struct Planner {
    sessions: BTreeMap<SessionKey, SessionPolicies>,
    waiting: VecDeque<(Instant, Question)>,
    /// Whether decisions have backups.
    has_backups: bool,
}

struct SessionPolicies {
    routing: Box<dyn Routing>,
    assignment: Box<dyn FlowAssignment>,
    source: NodeId,
    rate: Option<BitRate>,
    parameters: BTreeMap<String, serde_json::Value>,
    assignment_parameters: BTreeMap<String, serde_json::Value>,
    version: u32,
    /// Shares as decided last; they add up to 1.
    shares: Vec<f64>,
    /// Whether any decision gave other shares than the one before.
    has_changed: bool,
}

impl Planner {
    /// Makes the policies of every session of a scenario.
    pub(super) fn new(scenario: &Scenario, registry: &Registry) -> Result<Self, ConductError> {
        let mut sessions = BTreeMap::new();
        for conference in &scenario.conferences {
            for session in &conference.sessions {
                let key = SessionKey::new(conference.id.0, session.id.0);
                let failed = |error| ConductError::Policy { session: key, error };
                let policies = SessionPolicies {
                    routing: registry.routing_for(&session.routing).map_err(failed)?,
                    assignment: registry.assignment_for(&session.assignment).map_err(failed)?,
                    source: session.source,
                    rate: mean_rate(&session.content),
                    parameters: session.routing.parameters.clone(),
                    assignment_parameters: session.assignment.parameters.clone(),
                    version: 0,
                    shares: Vec::new(),
                    has_changed: false,
                };
                sessions.insert(key, policies);
            }
        }
        Ok(Self { sessions, waiting: VecDeque::new(), has_backups: scenario.failover.is_some() })
    }

    /// Returns how often a session's policies are to be asked, where its flow assignment wants to be asked more often
    /// than `period`.
    pub(super) fn period(&self, key: SessionKey, period: Duration) -> Duration {
        let wanted = self.sessions.get(&key).and_then(|policies| {
            policies.assignment.period(&policies.assignment_parameters).filter(|period| !period.is_zero())
        });
        wanted.map_or(period, |wanted| wanted.min(period))
    }

    /// Returns the sessions that have an answer which depends on other sessions.
    pub(super) fn minding_others(&self) -> Vec<SessionKey> {
        let minding = self.sessions.iter().filter(|(_, it)| it.version > 0 && it.routing.minds_others());
        minding.map(|(key, _)| *key).collect()
    }

    /// Returns the shares that were decided last for a session whose shares have ever changed; else nothing.
    pub(super) fn changing_shares(&self, key: SessionKey) -> &[f64] {
        let policies = self.sessions.get(&key).filter(|policies| policies.has_changed);
        policies.map_or(&[], |policies| &policies.shares)
    }

    /// Takes a question in; the answer is due at `at` (questions take equally long, so they stay in order).
    pub(super) fn ask(&mut self, at: Instant, question: Question) {
        self.waiting.push_back((at, question));
    }

    /// Returns when the next answer is due.
    pub(super) fn next_event(&self) -> Option<Instant> {
        self.waiting.front().map(|(at, _)| *at)
    }

    /// Returns the next question whose answer is due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Question> {
        if self.next_event()? > now {
            return None;
        }
        self.waiting.pop_front().map(|(_, question)| question)
    }

    /// Decides.
    pub(super) fn decide(&mut self, question: &Question, view: &NetworkView) -> Result<Install, PolicyError> {
        let Some(policies) = self.sessions.get_mut(&question.key) else {
            return Err(PolicyError::Other(format!("session {} is not in the scenario", question.key)));
        };
        let mut request = Request {
            session: question.key,
            source: policies.source,
            destinations: &question.destinations,
            rate: policies.rate,
            reason: reason(question.reason),
            view,
            parameters: &policies.parameters,
        };
        let routes = policies.routing.routes(&request)?;
        request.parameters = &policies.assignment_parameters;
        let shares = policies.assignment.shares(&request, &routes)?;
        if routes.is_empty() || shares.len() != routes.len() {
            let (routes, shares) = (routes.len(), shares.len());
            return Err(PolicyError::Other(format!(
                "{routes} routes and {shares} shares: one share a route"
            )));
        }
        policies.version += 1;
        let sum: f64 = shares.iter().sum();
        // Shares that cannot be drawn from are refused by the source.
        if sum.is_finite() && sum > 0.0 {
            let parts: Vec<f64> = shares.iter().map(|share| share / sum).collect();
            policies.has_changed |= !policies.shares.is_empty() && policies.shares != parts;
            policies.shares = parts;
        }
        let mut flows: Vec<(Route, f64)> =
            routes.into_iter().map(|choice| choice.route).zip(shares).collect();
        if self.has_backups {
            let others = backups(view, policies.source, &flows);
            flows.extend(others.into_iter().map(|route| (route, 0.0)));
        }
        Ok(Install { key: question.key, planner: Incarnation(1), version: policies.version, flows })
    }
}

fn reason(reason: PolicyReason) -> Reason {
    match reason {
        PolicyReason::Start => Reason::Start,
        PolicyReason::Periodic => Reason::Periodic,
        PolicyReason::Joined => Reason::Joined,
        PolicyReason::Left => Reason::Left,
        PolicyReason::Overflow => Reason::Overflow,
        PolicyReason::Reload => Reason::Reload,
        PolicyReason::Topology => Reason::Topology,
    }
}
