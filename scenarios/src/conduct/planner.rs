//! Planners: they answer when nodes ask for policies, after the time that a decision takes.

use super::error::ConductError;
use super::policies::SessionPolicies;
use super::soundness::Ground;
use crate::model::Scenario;
use crate::policy::{NetworkView, PolicyError, Reason};
use crate::registry::Registry;
use crate::resolve::mean_rate;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Install, PolicyReason};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use std::collections::{BTreeMap, VecDeque};

/// A question under way.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) key: SessionKey,
    pub(super) destinations: Vec<NodeId>,
    pub(super) reason: PolicyReason,
}

/// Decisions of a session that are remembered until they are installed.
const DECISIONS_MAX: usize = 8;

/// A decision on its way to the source.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) version: u32,
    pub(super) reason: Reason,
    pub(super) flows: Vec<(Route, f64)>,
}

/// The policies of all sessions.
pub(super) struct Planner {
    sessions: BTreeMap<SessionKey, SessionPolicies>,
    /// By session: decisions from the one installed last on.
    decisions: BTreeMap<SessionKey, VecDeque<Decision>>,
    waiting: VecDeque<(Instant, Question)>,
    /// The newest question of each session that came while the node that decides was down.
    missed: BTreeMap<SessionKey, Question>,
}

impl Planner {
    /// Makes the policies of every session of a scenario.
    pub(super) fn new(scenario: &Scenario, registry: &Registry) -> Result<Self, ConductError> {
        let mut sessions = BTreeMap::new();
        let mut policies_of_run = registry.run();
        let ground = Ground::of(scenario);
        for conference in &scenario.conferences {
            for session in &conference.sessions {
                let key = SessionKey::new(conference.id.0, session.id.0);
                let failed = |error| ConductError::Policy { session: key, error };
                let (source, rate) = (session.source, mean_rate(&session.content));
                let policies = SessionPolicies::new(
                    registry,
                    key,
                    source,
                    rate,
                    (&session.routing, &session.assignment),
                );
                let policies = policies.map_err(failed)?.on(&ground);
                let mut policies = policies.with_backups(scenario.failover.is_some());
                // What plans for all sessions is one object.
                let routing = policies_of_run.routing_for(&session.routing).map_err(failed)?;
                policies.set_routing(routing, session.routing.parameters.clone());
                sessions.insert(key, policies);
            }
        }
        Ok(Self { sessions, decisions: BTreeMap::new(), waiting: VecDeque::new(), missed: BTreeMap::new() })
    }

    /// Returns how often a session's policies are to be asked, where one of them wants to be asked more often than
    /// `period`.
    pub(super) fn period(&self, key: SessionKey, period: Duration) -> Duration {
        let wanted = self.sessions.get(&key).and_then(SessionPolicies::period);
        wanted.map_or(period, |wanted| wanted.min(period))
    }

    /// Returns the sessions that have an answer which depends on other sessions.
    pub(super) fn minding_others(&self) -> Vec<SessionKey> {
        let minding = self.sessions.iter().filter(|(_, it)| it.minds_others());
        minding.map(|(key, _)| *key).collect()
    }

    /// Returns the shares that were decided last for a session whose shares have ever changed; else nothing.
    pub(super) fn changing_shares(&self, key: SessionKey) -> &[f64] {
        let policies = self.sessions.get(&key).filter(|policies| policies.has_changed());
        policies.map_or(&[], SessionPolicies::shares)
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

    /// Keeps a question that nobody is there to answer.
    pub(super) fn miss(&mut self, question: Question) {
        self.missed.insert(question.key, question);
    }

    /// Whoever decides is there again: what was missed is answered at `at`.
    pub(super) fn ask_again(&mut self, at: Instant) {
        for question in std::mem::take(&mut self.missed).into_values() {
            self.ask(at, question);
        }
    }

    /// Decides.
    pub(super) fn decide(&mut self, question: &Question, view: &NetworkView) -> Result<Install, PolicyError> {
        let Some(policies) = self.sessions.get_mut(&question.key) else {
            return Err(PolicyError::Other(format!("session {} is not in the scenario", question.key)));
        };
        let reason = question.reason.into();
        let install = policies.decide(&question.destinations, reason, view)?;
        let decisions = self.decisions.entry(question.key).or_default();
        // The first is the one installed last: what comes next is told by the difference.
        if decisions.len() == DECISIONS_MAX {
            decisions.remove(1);
        }
        decisions.push_back(Decision { version: install.version, reason, flows: install.flows.clone() });
        Ok(install)
    }

    /// Returns the decision of that version, which a source has installed, and whether it is other than the one that
    /// was installed before.
    pub(super) fn installed(&mut self, key: SessionKey, version: u32) -> Option<(Decision, bool)> {
        let decisions = self.decisions.get_mut(&key)?;
        let at = decisions.iter().position(|decision| decision.version == version)?;
        let is_other = at == 0 || decisions[0].flows != decisions[at].flows;
        decisions.drain(..at);
        Some((decisions[0].clone(), is_other))
    }
}
