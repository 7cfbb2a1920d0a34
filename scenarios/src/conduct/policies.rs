//! The policies of one session: asked for routes and shares, and what they decided last.

use super::backups::backups;
use super::soundness::{Ground, check_routes, check_shares};
use crate::model;
use crate::policy::{FlowAssignment, NetworkView, PolicyError, Reason, Request, RouteChoice, Routing};
use crate::registry::{Registry, RegistryError};
use bellini_core::ids::{Incarnation, NodeId, SessionKey};
use bellini_core::io::Install;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A session's routing policy and flow assignment, with their parameters and what they decided last.
pub struct SessionPolicies {
    key: SessionKey,
    routing: Box<dyn Routing>,
    assignment: Box<dyn FlowAssignment>,
    source: NodeId,
    rate: Option<BitRate>,
    parameters: BTreeMap<String, Value>,
    assignment_parameters: BTreeMap<String, Value>,
    version: u32,
    /// Routes as decided last, and for whom.
    routes: Vec<RouteChoice>,
    destinations: Vec<NodeId>,
    /// Shares that were set by hand: they count while there are as many routes.
    pinned: Option<Vec<f64>>,
    /// Shares as decided last; they add up to 1.
    shares: Vec<f64>,
    /// Whether any decision gave other shares than the one before.
    has_changed: bool,
    /// The links that routes may take, where they are known.
    ground: Option<Ground>,
    /// Whether decisions have backups, and those of the last one.
    has_backups: bool,
    backups: Vec<Route>,
}

impl fmt::Debug for SessionPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPolicies")
            .field("key", &self.key)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl SessionPolicies {
    /// Returns whether there is an answer that depends on other sessions ([`Routing::minds_others`]).
    #[must_use]
    pub fn minds_others(&self) -> bool {
        self.version > 0 && self.routing.minds_others()
    }

    /// Makes the policies of a session with source `source`; `rate`: the mean rate of its content, when it has one.
    ///
    /// # Errors
    /// When no policy has one of the names.
    pub fn new(
        registry: &Registry,
        key: SessionKey,
        source: NodeId,
        rate: Option<BitRate>,
        (routing, assignment): (&model::Routing, &model::Assignment),
    ) -> Result<Self, RegistryError> {
        Ok(Self {
            key,
            routing: registry.routing_for(routing)?,
            assignment: registry.assignment_for(assignment)?,
            source,
            rate,
            parameters: routing.parameters.clone(),
            assignment_parameters: assignment.parameters.clone(),
            version: 0,
            routes: Vec::new(),
            destinations: Vec::new(),
            pinned: None,
            shares: Vec::new(),
            has_changed: false,
            ground: None,
            has_backups: false,
            backups: Vec::new(),
        })
    }

    /// Returns the same policies, whose decisions have backup routes if `has_backups`.
    #[must_use]
    pub fn with_backups(self, has_backups: bool) -> Self {
        Self { has_backups, ..self }
    }

    /// Returns the same policies, whose routes may take these links only.
    #[must_use]
    pub(super) fn on(self, ground: &Ground) -> Self {
        Self { ground: Some(ground.clone()), ..self }
    }

    /// Replaces the routing policy: it decides from the next question on. Shares set by hand are given up with the
    /// routes that they were for.
    pub fn set_routing(&mut self, routing: Box<dyn Routing>, parameters: BTreeMap<String, Value>) {
        (self.routing, self.parameters, self.pinned) = (routing, parameters, None);
    }

    /// Replaces the flow assignment, likewise.
    pub fn set_assignment(
        &mut self,
        assignment: Box<dyn FlowAssignment>,
        parameters: BTreeMap<String, Value>,
    ) {
        (self.assignment, self.assignment_parameters, self.pinned) = (assignment, parameters, None);
    }

    /// Returns how often one of the policies wants to be asked, if it says so.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        let wanted =
            [self.routing.period(&self.parameters), self.assignment.period(&self.assignment_parameters)];
        wanted.into_iter().flatten().filter(|period| !period.is_zero()).min()
    }

    /// Returns the shares that were decided last; they add up to 1.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Whether shares have changed since the first decision.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Returns for whom routes were decided last.
    #[must_use]
    pub fn destinations(&self) -> &[NodeId] {
        &self.destinations
    }

    /// Decides for `destinations` (sorted, not empty) on the network as seen.
    ///
    /// # Errors
    /// When a policy has no answer, or one that cannot be carried out: a route that breaks a rule of the routing header,
    /// takes a link that there is not, or does not deliver at every destination; shares that cannot be drawn from.
    /// Nothing has changed then.
    pub fn decide(
        &mut self,
        destinations: &[NodeId],
        reason: Reason,
        view: &NetworkView,
    ) -> Result<Install, PolicyError> {
        let mut request = Request {
            session: self.key,
            source: self.source,
            destinations,
            rate: self.rate,
            reason,
            view,
            parameters: &self.parameters,
        };
        let routes = self.routing.routes(&request)?;
        check_routes(self.source, destinations, &routes, self.ground.as_ref())?;
        request.parameters = &self.assignment_parameters;
        let shares = match &self.pinned {
            Some(pinned) if pinned.len() == routes.len() => pinned.clone(),
            _ => self.assignment.shares(&request, &routes)?,
        };
        check_shares(&shares, routes.len())?;
        self.routes = routes;
        self.destinations = destinations.to_vec();
        if self.has_backups {
            self.backups = backups(view, self.source, &self.flows(&shares));
        }
        Ok(self.install(&shares))
    }

    /// Sets the shares of the routes that were decided last, by hand. They hold until there is another number of
    /// routes, or another policy.
    ///
    /// # Errors
    /// When there are no routes yet, as many shares as routes are not given, or shares cannot be drawn from.
    pub fn set_shares(&mut self, shares: &[f64]) -> Result<Install, PolicyError> {
        if self.routes.is_empty() {
            return Err(PolicyError::Other("no routes are decided yet that could have shares".to_owned()));
        }
        check_shares(shares, self.routes.len())?;
        self.pinned = Some(shares.to_vec());
        Ok(self.install(shares))
    }

    fn install(&mut self, shares: &[f64]) -> Install {
        self.version += 1;
        let sum: f64 = shares.iter().sum();
        // Shares that cannot be drawn from are refused by the source.
        if sum.is_finite() && sum > 0.0 {
            let parts: Vec<f64> = shares.iter().map(|share| share / sum).collect();
            self.has_changed |= !self.shares.is_empty() && self.shares != parts;
            self.shares = parts;
        }
        let mut flows = self.flows(shares);
        flows.extend(self.backups.iter().map(|route| (route.clone(), 0.0)));
        Install { key: self.key, planner: Incarnation(1), version: self.version, flows }
    }

    fn flows(&self, shares: &[f64]) -> Vec<(Route, f64)> {
        self.routes.iter().map(|choice| choice.route.clone()).zip(shares.iter().copied()).collect()
    }
}
